//! What is done when a run is interrupted from outside: temporary folders go, and the process ends. Children
//! need nothing: the kernel ends them with this process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Folders to remove.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The status of a process that a signal ended begins here, by the convention of shells.
const SIGNAL_STATUS: i32 = 128;

/// Watches for the signals that end a run, on a thread of its own.
pub(crate) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let watcher = thread::Builder::new().name("signals".to_owned());
    watcher.spawn(move || {
        if let Some(signal) = signals.forever().next() {
            for folder in folders().drain(..) {
                // The system clears what cannot be removed here.
                let _ = fs::remove_dir_all(folder);
            }
            process::exit(SIGNAL_STATUS + signal);
        }
    })?;
    Ok(())
}

/// Removes a folder at an interruption too.
pub(crate) fn remember(folder: &Path) {
    folders().push(folder.to_owned());
}

/// The folder is its owner's again.
pub(crate) fn forget(folder: &Path) {
    folders().retain(|known| known != folder);
}

fn folders() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}
