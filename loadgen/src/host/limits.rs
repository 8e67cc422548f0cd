//! Limits of the process: open files and locked memory, raised as far as the system lets us.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that no run needs more of: 50,000 streams with two sockets on each of two sides. The hard
/// limit is raised to this where root may.
const OPEN_FILES_MAX: u64 = 200_000;

/// Raises the limits that children inherit; returns how many files may be open.
pub(crate) fn raise() -> u64 {
    // Rings of old kernels count as locked memory. Where it is refused the ring is smaller or epoll is used.
    let unlimited = Rlimit { current: None, maximum: None };
    let _ = setrlimit(Resource::Memlock, unlimited);
    raise_open_files()
}

/// Raises the limit of open files to [`OPEN_FILES_MAX`], or as far as it goes; returns what it is now.
pub(crate) fn raise_open_files() -> u64 {
    let found = getrlimit(Resource::Nofile);
    let wanted = Some(found.maximum.unwrap_or(u64::MAX).max(OPEN_FILES_MAX));
    let raised = Rlimit { current: wanted, maximum: wanted };
    if setrlimit(Resource::Nofile, raised).is_err() {
        // Nothing changes if even this is refused; the caller is told what there is.
        let soft = Rlimit { current: found.maximum, maximum: found.maximum };
        let _ = setrlimit(Resource::Nofile, soft);
    }
    open_files()
}

/// How many files this process may have open.
pub(crate) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Makes room in the kernel's table of this process's open files for as many as it may have; a program it becomes
/// keeps that. The table grows by doubling otherwise, and each time the process waits until every core has been
/// seen to do something else: with real-time threads on all of them that takes a second, in which a load falls
/// behind.
pub(crate) fn reserve_open_files() {
    let Some(last) = getrlimit(Resource::Nofile).current.and_then(|limit| limit.checked_sub(1))
    else {
        return;
    };
    let last = i32::try_from(last.min(OPEN_FILES_MAX)).unwrap_or(i32::MAX);
    // The room stays when the file is closed. Where there is none, the table grows when it must.
    let _ = fcntl_dupfd_cloexec(io::stderr(), last);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_never_falls_and_ends_at_the_hard_one() {
        let before = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let after = raise_open_files();
        assert!(after >= before);
        assert_eq!(getrlimit(Resource::Nofile).current, getrlimit(Resource::Nofile).maximum);
    }
}
