//! A child process that ends with its parent, and `loadgen child`, which makes it so: it places itself, asks
//! the kernel to be ended when its parent is gone, and becomes the program.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tempfile::TempDir;

use super::own_program;
use crate::host::limits;
use crate::host::schedule::Place;

/// How long a child may take until it listens. Peers written in Python take 20 s.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a child may take to end after SIGTERM, before it is killed.
const STOP_MAX: Duration = Duration::from_secs(10);

/// Time between two looks at what a child has done.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Bytes of a child's output that are shown when it fails.
const SHOWN_BYTES_MAX: usize = 4000;

/// Flags of `loadgen child`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Process that this one must not outlive
    #[arg(long)]
    parent: u32,
    /// Core to stay on
    #[arg(long)]
    core: Option<usize>,
    /// Run in real time where that is allowed
    #[arg(long)]
    realtime: bool,
    /// Program to become, with its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    program: Vec<OsString>,
}

/// Becomes the program; returns only with an error.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the kernel was asked.
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if parent != Some(args.parent) {
        return Err("the parent process has ended".into());
    }
    limits::reserve_open_files();
    Place { core: args.core, is_realtime: args.realtime }.take(None);
    let (program, arguments) = args.program.split_first().ok_or("no program was named")?;
    let error = Command::new(program).args(arguments).exec();
    Err(format!("{}: {error}", program.display()).into())
}

/// A running child. Dropping it ends it: SIGTERM, and SIGKILL for one that does not listen to that.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: process::Child,
    folder: TempDir,
}

impl Child {
    /// Starts a program. It must be called on a thread that lives as long as the child shall: the kernel
    /// ends the child with that thread.
    pub(crate) fn start(name: &str, program: &Command, place: Place) -> Result<Self, String> {
        let folder = TempDir::with_prefix("loadgen-").map_err(|error| error.to_string())?;
        Self::start_in(name, program, place, folder)
    }

    /// The same with a folder prepared by the caller; it goes away with the child.
    pub(crate) fn start_in(
        name: &str,
        program: &Command,
        place: Place,
        folder: TempDir,
    ) -> Result<Self, String> {
        let log = File::create(folder.path().join(LOG_FILE)).map_err(|error| error.to_string())?;
        let log_too = log.try_clone().map_err(|error| error.to_string())?;
        let mut command = own_program().map_err(|error| error.to_string())?;
        command.args(["child", "--parent"]).arg(process::id().to_string());
        if let Some(core) = place.core {
            command.arg("--core").arg(core.to_string());
        }
        if place.is_realtime {
            command.arg("--realtime");
        }
        command.arg("--").arg(program.get_program()).args(program.get_args());
        // What it leaves behind when it is killed goes away with its folder.
        command.env("TMPDIR", folder.path());
        command.stdin(Stdio::null()).stdout(log).stderr(log_too);
        let process = command.spawn().map_err(|error| format!("{name} does not start: {error}"))?;
        super::signals::remember(folder.path());
        Ok(Self { name: name.to_owned(), process, folder })
    }

    /// The id of the process.
    pub(crate) fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    /// What it has printed so far.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join(LOG_FILE)
    }

    /// The address it printed behind `listening on`.
    pub(crate) fn wait_until_listening(&mut self) -> Result<SocketAddr, String> {
        self.wait_for("listen", |child| announced_address(&child.log()))
    }

    /// Looks until `look` finds something, the child ends, or [`START_MAX`] has passed.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        look: impl Fn(&Self) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + START_MAX;
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            self.check()?;
            if Instant::now() > deadline {
                let (name, log, seconds) = (&self.name, self.log(), START_MAX.as_secs());
                let log = tail(&log);
                return Err(format!(
                    "{name} did not {what} within {seconds} s; it printed:\n{log}"
                ));
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// An error, with what it printed last, when it has ended.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(Some(status)) => Err(format!(
                "{} ended with {status}; it printed:\n{}",
                self.name,
                tail(&self.log())
            )),
            _ => Ok(()),
        }
    }

    fn stop(&mut self) -> Option<ExitStatus> {
        if let Some(pid) = Pid::from_raw(self.pid()) {
            // It fails only for a process that has ended and was waited for, which is what is wanted.
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + STOP_MAX;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Some(status);
            }
            thread::sleep(LOOK_EVERY);
        }
        let _ = self.process.kill();
        self.process.wait().ok()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.stop();
        }
        super::signals::forget(self.folder.path());
    }
}

/// Output of a child, within its folder.
const LOG_FILE: &str = "output.log";

/// The address in the first line `listening on SCHEME://ADDRESS`; the gateway's banner has the address it
/// listens on in parentheses behind that.
fn announced_address(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("listening on")?;
    // Without its line feed the line may still be growing.
    let (line, _) = rest.split_once('\n')?;
    let words =
        line.split(|character: char| character.is_whitespace() || "(),".contains(character));
    words
        .map(|word| word.rsplit_once("://").map_or(word, |(_, address)| address))
        .find_map(|word| word.parse().ok())
}

fn tail(log: &str) -> &str {
    let start = log.len().saturating_sub(SHOWN_BYTES_MAX);
    let start = (start..log.len()).find(|&at| log.is_char_boundary(at)).unwrap_or(log.len());
    log.get(start..).unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_what_programs_print() {
        let address = |log| announced_address(log).map(|address| address.to_string());
        let expected = Some("127.0.0.1:41".to_owned());
        assert_eq!(address("listening on tcp://127.0.0.1:41\n"), expected);
        let banner =
            "Bifrost 1: ready in 3 ms\n\n  listening on   http://localhost:41 (127.0.0.1:41)\n";
        assert_eq!(address(banner), expected);
        assert_eq!(address("listening on tcp://127.0.0.1:41"), None);
        assert_eq!(address("nothing yet\n"), None);
    }

    #[test]
    fn long_output_is_cut_between_characters() {
        let log = "é".repeat(SHOWN_BYTES_MAX);
        assert_eq!(tail(&log).len(), SHOWN_BYTES_MAX);
        assert_eq!(tail("short\n"), "short");
    }
}
