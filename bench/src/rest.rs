//! Whether a thread waits for events, as the kernel tells.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks. Long against what a worker does with a message, so that it is disturbed little.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Waiting for events by either name.
#[cfg(target_arch = "x86_64")]
const WAITS: &[i64] = &[libc::SYS_epoll_wait, libc::SYS_epoll_pwait];
#[cfg(not(target_arch = "x86_64"))]
const WAITS: &[i64] = &[libc::SYS_epoll_pwait];

/// A thread that can be waited for.
#[derive(Debug)]
pub(crate) struct Watched {
    /// The system call that the thread is in, and its arguments.
    syscall: PathBuf,
}

impl Watched {
    /// The calling thread.
    pub(crate) fn this_thread() -> io::Result<Self> {
        Ok(Self { syscall: fs::canonicalize("/proc/thread-self")?.join("syscall") })
    }

    /// Returns when the thread waits for events and has none.
    ///
    /// # Errors
    /// It does not come to that within `patience`, or the kernel does not tell.
    pub(crate) fn await_rest(&self, patience: Duration) -> io::Result<()> {
        let began = Instant::now();
        while !is_waiting(&fs::read_to_string(&self.syscall)?) {
            if began.elapsed() > patience {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the worker does not rest"));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// Reads `number argument…`, arguments in hexadecimal, or `running`.
fn is_waiting(syscall: &str) -> bool {
    let mut words = syscall.split_ascii_whitespace();
    let number = words.next().and_then(|number| number.parse().ok());
    // The fourth argument says how long; a look without waiting has zero.
    let timeout = words.nth(3);
    number.is_some_and(|number| WAITS.contains(&number)) && timeout != Some("0x0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_waiting_for_events_is_rest() {
        assert!(is_waiting("232 0x7 0x7f3a 0x400 0x63 0x8 0x0 0x7ffd 0x7f3b"));
        assert!(!is_waiting("232 0x7 0x7f3a 0x400 0x0 0x8 0x0 0x7ffd 0x7f3b"));
        assert!(!is_waiting("202 0x7 0x7f3a 0x400 0x63 0x8 0x0 0x7ffd 0x7f3b"));
        assert!(!is_waiting("running"));
        assert!(!is_waiting(""));
    }
}
