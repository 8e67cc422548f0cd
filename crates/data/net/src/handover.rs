//! Passes the listening sockets on to the next process, so that a restart refuses nobody.
//!
//! The predecessor serves a Unix socket. The successor connects, receives copies of the listening
//! sockets, starts its workers on them, and says that it is ready; only then does the predecessor stop
//! accepting. Connections wait in the queues of the sockets, which both processes share, throughout. If
//! the successor dies before that word, nothing has changed.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::system::{self, Half, PASSED_FDS_MAX};

pub use crate::listen::Listeners;

/// Time a message may take: both processes are on one machine and have nothing else to do.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(5);

/// Time the successor gets to start.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// Listening sockets accepted from a predecessor: workers times addresses.
const SOCKETS_MAX: usize = 4096;

/// "Here are sockets."
const SOCKETS: u8 = b'S';
/// "That were all."
const SOCKETS_END: u8 = b'E';
/// "I accept from them now."
const READY: u8 = b'R';
/// "I have heard it, and stop."
const HEARD: u8 = b'H';

/// The service for successors, until it is dropped.
#[derive(Debug)]
pub struct Guard {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
    asking: Asking,
    thread: Option<JoinHandle<()>>,
}

/// The successor being talked to, kept so that ending need not wait for it.
type Asking = Arc<Mutex<Option<UnixStream>>>;

/// Offers `listeners` at `path`, to processes of the same user only, and calls `on_taken` once a
/// successor accepts from them; it should start the drain. A socket of another process at `path` is
/// replaced.
pub fn serve(
    path: &Path,
    listeners: Listeners,
    on_taken: impl FnOnce() + Send + 'static,
) -> io::Result<Guard> {
    let listener = bind_privately(path)?;
    let inode = fs::symlink_metadata(path)?.ino();
    let offered = listener.try_clone()?;
    let asking = Asking::default();
    let noted = Arc::clone(&asking);
    let thread = std::thread::Builder::new()
        .name("handover".to_owned())
        .spawn(move || offer(&offered, &noted, &listeners, on_taken))?;
    Ok(Guard { listener, path: path.to_owned(), inode, asking, thread: Some(thread) })
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Ends the pending accept, and the pending read if a successor is starting.
        system::shut_down(self.listener.as_raw_fd(), Half::Both);
        if let Some(successor) = &*self.asking.lock().unwrap_or_else(PoisonError::into_inner) {
            system::shut_down(successor.as_raw_fd(), Half::Both);
        }
        if let Some(thread) = self.thread.take() {
            // Nothing is left to do about a panic in `on_taken`.
            let _ = thread.join();
        }
        // The successor may have put its own socket there.
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds beside `path` and moves the socket there when nobody else can open it any more. Whoever connects
/// in between is turned away by the check of its user.
fn bind_privately(path: &Path) -> io::Result<UnixListener> {
    let mut unpublished = path.as_os_str().to_owned();
    unpublished.push(format!(".{}", std::process::id()));
    let unpublished = PathBuf::from(unpublished);
    // Left by a process of the same number, if it is there.
    let _ = fs::remove_file(&unpublished);
    let listener = UnixListener::bind(&unpublished)?;
    fs::set_permissions(&unpublished, fs::Permissions::from_mode(0o600))?;
    fs::rename(&unpublished, path)?;
    Ok(listener)
}

/// Serves successors one after the other until one is ready.
fn offer(listener: &UnixListener, asking: &Asking, listeners: &Listeners, on_taken: impl FnOnce()) {
    while let Ok((successor, _)) = listener.accept() {
        *asking.lock().unwrap_or_else(PoisonError::into_inner) = successor.try_clone().ok();
        // Whatever goes wrong with one that wants to take over, this process goes on.
        if let Ok(true) = offer_to(&successor, listeners) {
            listeners.hand_over();
            on_taken();
            let _ = (&successor).write_all(&[HEARD]);
            return;
        }
    }
}

/// Sends the sockets and waits for the word; whether it came.
fn offer_to(successor: &UnixStream, listeners: &Listeners) -> io::Result<bool> {
    let user = system::peer_user(successor.as_fd())?;
    if user != system::own_user() && user != 0 {
        return Ok(false);
    }
    successor.set_write_timeout(Some(MESSAGE_TIME_MAX))?;
    successor.set_read_timeout(Some(START_TIME_MAX))?;
    for batch in listeners.duplicate()?.chunks(PASSED_FDS_MAX) {
        system::send_fds(successor.as_fd(), SOCKETS, batch)?;
    }
    let mut word = successor;
    word.write_all(&[SOCKETS_END])?;
    let mut answer = [0];
    word.read_exact(&mut answer)?;
    Ok(answer == [READY])
}

/// The predecessor, waiting for the word.
#[derive(Debug)]
pub struct Successor(UnixStream);

/// Asks the process that serves `path` for its listening sockets; `None` when there is none.
pub fn take(path: &Path) -> io::Result<Option<(Vec<OwnedFd>, Successor)>> {
    let predecessor = match UnixStream::connect(path) {
        Ok(predecessor) => predecessor,
        Err(error) if is_nobody(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    predecessor.set_read_timeout(Some(MESSAGE_TIME_MAX))?;
    predecessor.set_write_timeout(Some(MESSAGE_TIME_MAX))?;
    let mut sockets = Vec::new();
    loop {
        match system::receive_fds(predecessor.as_fd())? {
            Some((SOCKETS, more)) if sockets.len() < SOCKETS_MAX => sockets.extend(more),
            Some((SOCKETS_END, _)) => return Ok(Some((sockets, Successor(predecessor)))),
            Some(_) => return Err(io::Error::from(io::ErrorKind::InvalidData)),
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

impl Successor {
    /// Tells the predecessor that this process accepts connections now, and waits until it has heard.
    pub fn ready(mut self) -> io::Result<()> {
        self.0.write_all(&[READY])?;
        let mut answer = [0];
        self.0.read_exact(&mut answer)?;
        if answer == [HEARD] { Ok(()) } else { Err(io::Error::from(io::ErrorKind::InvalidData)) }
    }
}

/// The listening sockets a service manager opened for this process (`LISTEN_PID`, `LISTEN_FDS`). Empty
/// without one, and from the second call on.
pub fn from_service_manager() -> Vec<OwnedFd> {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    let number = |name| std::env::var(name).ok()?.parse::<usize>().ok();
    let is_for_us = number("LISTEN_PID") == Some(std::process::id() as usize);
    if !is_for_us || IS_TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    system::service_manager_fds(number("LISTEN_FDS").unwrap_or(0))
}
