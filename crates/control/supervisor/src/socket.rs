//! The Unix socket through which the data plane reaches the control plane.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Beginning of the names of directories made here.
const DIRECTORY_PREFIX: &str = "bifrost-";

const SOCKET_NAME: &str = "control.sock";

/// Leftovers looked at per start; the rest is for the next one.
const LEFTOVERS_MAX: usize = 100;

/// A listening socket in a directory of its own that no other user can enter. Both are removed on
/// drop.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    directory: PathBuf,
    path: PathBuf,
}

impl Socket {
    /// Listens in the first of `parents` where that is possible; a path there may be too long for a
    /// socket, or the file system read-only.
    ///
    /// # Errors
    /// What the last candidate failed with.
    pub fn bind(parents: &[PathBuf]) -> io::Result<Self> {
        let mut result = Err(io::Error::from(io::ErrorKind::NotFound));
        for parent in parents {
            result = Self::bind_in(parent);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The listener, ready for a runtime.
    pub(crate) fn listener(&self) -> io::Result<UnixListener> {
        let listener = self.listener.try_clone()?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    }

    fn bind_in(parent: &Path) -> io::Result<Self> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (process, now) = (std::process::id(), since_epoch.as_nanos());
        let directory = parent.join(format!("{DIRECTORY_PREFIX}{process}-{now:x}"));
        // Creating fails when the name exists, so nobody can prepare the directory for us.
        DirBuilder::new().mode(0o700).create(&directory)?;
        let path = directory.join(SOCKET_NAME);
        let bound = UnixListener::bind(&path).and_then(|listener| {
            fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            Ok(listener)
        });
        match bound {
            Ok(listener) => {
                remove_leftovers(parent);
                Ok(Self { listener, directory, path })
            }
            Err(error) => {
                remove(&path, &directory);
                Err(error)
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        remove(&self.path, &self.directory);
    }
}

/// Removes what processes that were killed left behind: sockets that nobody listens on any more.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    let is_ours = |name: &std::ffi::OsStr| {
        name.to_str().is_some_and(|name| name.starts_with(DIRECTORY_PREFIX))
    };
    let ours = entries.flatten().filter(|entry| is_ours(&entry.file_name()));
    for directory in ours.take(LEFTOVERS_MAX).map(|entry| entry.path()) {
        let path = directory.join(SOCKET_NAME);
        let refused = UnixStream::connect(&path).err().map(|error| error.kind());
        if refused == Some(io::ErrorKind::ConnectionRefused) {
            remove(&path, &directory);
        }
    }
}

/// Best effort: what is left behind is empty and out of use.
fn remove(path: &Path, directory: &Path) {
    let _ = fs::remove_file(path);
    let _ = fs::remove_dir(directory);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_can_reach_it_and_nothing_stays_behind() {
        let socket = Socket::bind(&[std::env::temp_dir()]).expect("a socket");
        let mode = |path: &Path| fs::metadata(path).expect("exists").permissions().mode() & 0o777;
        let (path, directory) = (socket.path.clone(), socket.directory.clone());
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&directory), 0o700);
        drop(socket);
        assert!(!directory.exists());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_is_not() {
        let parent = std::env::temp_dir().join(format!("socket-test-{}", std::process::id()));
        fs::create_dir_all(&parent).expect("a directory");
        let parents = std::slice::from_ref(&parent);
        let in_use = Socket::bind(parents).expect("a socket");
        let left = parent.join("bifrost-1-left");
        fs::create_dir(&left).expect("a directory");
        drop(UnixListener::bind(left.join(SOCKET_NAME)).expect("a socket"));
        let unrelated = parent.join("bifrost-unrelated");
        fs::create_dir(&unrelated).expect("a directory");

        drop(Socket::bind(parents).expect("another"));
        assert!(!left.exists());
        assert!(in_use.path.exists() && unrelated.exists());
        drop(in_use);
        fs::remove_dir_all(&parent).expect("ours");
    }

    #[test]
    fn a_parent_that_cannot_hold_it_is_passed_over() {
        let missing = std::env::temp_dir().join("no-such-directory/for-sockets");
        let too_long = std::env::temp_dir().join("x".repeat(100));
        fs::create_dir_all(&too_long).expect("a directory");
        let socket = Socket::bind(&[missing.clone(), too_long.clone(), std::env::temp_dir()])
            .expect("a socket");
        assert!(!socket.path.starts_with(&too_long));
        assert!(fs::read_dir(&too_long).expect("still there").next().is_none());
        fs::remove_dir(&too_long).expect("empty");
        assert!(Socket::bind(&[missing]).is_err());
    }
}
