//! What happens at the edges of blocks: processes are read, and whoever waits at the screen is told how far
//! the run is.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use procfs::{CurrentSI, KernelStats};
use rustix::time::{ClockId, clock_gettime};

use crate::host::processes::Group;
use crate::host::snapshot::HostSnapshot;
use crate::rig::recording::{Observe, Progress};

/// Time between two lines where the output is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Reads the machine and the processes of all targets.
#[derive(Debug)]
pub(crate) struct Observer<'a> {
    pub(crate) screen: Screen,
    harness: Group,
    groups: &'a [Option<Group>],
}

impl<'a> Observer<'a> {
    /// For targets with these processes, in the plan's order.
    pub(crate) fn new(groups: &'a [Option<Group>], screen: Screen) -> Self {
        Self { screen, harness: Group::alone(std::process::id().cast_signed()), groups }
    }

    /// Reads it all; `with_pss` asks for the slow reading of memory too.
    pub(crate) fn read(&self, with_pss: bool) -> HostSnapshot {
        let cost_of = |group: &Option<Group>| group.as_ref().map(|group| group.cost(with_pss));
        HostSnapshot {
            at_ns: monotonic_ns(),
            steal_ticks: steal_ticks(),
            harness: self.harness.cost(false),
            targets: self.groups.iter().map(cost_of).collect(),
        }
    }
}

impl Observe for Observer<'_> {
    type Snapshot = HostSnapshot;

    fn snapshot(&mut self) -> HostSnapshot {
        self.read(false)
    }

    fn progress(&mut self, progress: &Progress) {
        self.screen.show(progress);
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Time since boot: never negative.
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

fn steal_ticks() -> u64 {
    // A kernel that does not count stolen time has none to tell.
    KernelStats::current().ok().and_then(|stats| stats.total.steal).unwrap_or(0)
}

/// The progress line, on the error stream: one that is drawn again and again on a terminal, else a new one
/// every few seconds.
#[derive(Debug)]
pub(crate) struct Screen {
    title: String,
    is_terminal: bool,
    shown: Option<Instant>,
    /// Completed requests and time of the last line, for the rate.
    last: (u64, Duration),
}

impl Screen {
    /// `title` says what is running, e.g. `headline 2/5`.
    pub(crate) fn new(title: String) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { title, is_terminal, shown: None, last: (0, Duration::ZERO) }
    }

    /// Shows how far it is, if it is time for that.
    pub(crate) fn show(&mut self, progress: &Progress) {
        let is_early = self.shown.is_some_and(|shown| shown.elapsed() < LINE_EVERY);
        if is_early && !self.is_terminal {
            return;
        }
        let line = self.line(progress);
        self.write(&line);
        self.shown = Some(Instant::now());
        self.last = (progress.completed, progress.elapsed);
    }

    fn write(&self, line: &str) {
        let mut output = std::io::stderr().lock();
        // Nobody is looking if the error stream is gone.
        let _ = match self.is_terminal {
            true => write!(output, "\r\x1b[2K{line}"),
            false => writeln!(output, "{line}"),
        };
    }

    fn line(&self, progress: &Progress) -> String {
        let title = &self.title;
        if progress.blocks == 0 {
            return format!("{title}: warming up");
        }
        if self.shown.is_none() && progress.blocks_done == 0 {
            return format!("{title}: running");
        }
        let (completed, elapsed) = self.last;
        let seconds = progress.elapsed.saturating_sub(elapsed).as_secs_f64();
        let requests = progress.completed.saturating_sub(completed);
        let rate = if seconds > 0.0 { requests as f64 / seconds } else { 0.0 };
        let done = progress.blocks_done;
        let mut line = format!("{title}: {rate:.0} requests/s, {} failed", progress.failed);
        if done > 0 {
            let left = progress.blocks.saturating_sub(done);
            let seconds = progress.elapsed.as_secs_f64() / f64::from(done) * f64::from(left);
            line += &format!(", block {done} of {}, {seconds:.0} s left", progress.blocks);
        }
        line
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.is_terminal && self.shown.is_some() {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_rate_errors_and_time_left() {
        let screen = Screen {
            title: "t 1/2".to_owned(),
            is_terminal: false,
            shown: Some(Instant::now()),
            last: (1000, Duration::from_secs(1)),
        };
        let mut progress = Progress {
            blocks_done: 0,
            blocks: 0,
            elapsed: Duration::from_secs(2),
            completed: 3500,
            failed: 3,
            in_flight: 1,
        };
        assert_eq!(screen.line(&progress), "t 1/2: warming up");
        (progress.blocks, progress.blocks_done) = (8, 2);
        let expected = "t 1/2: 2500 requests/s, 3 failed, block 2 of 8, 6 s left";
        assert_eq!(screen.line(&progress), expected);
    }

    #[test]
    fn a_snapshot_has_a_place_for_each_target() {
        let own = Group::alone(std::process::id().cast_signed());
        let groups = [None, Some(own)];
        let mut observer = Observer::new(&groups, Screen::new("test".to_owned()));
        let (before, after) = (observer.snapshot(), observer.snapshot());
        assert!(after.at_ns > before.at_ns && after.harness.cpu_ns >= before.harness.cpu_ns);
        assert!(
            before.targets[0].is_none() && before.targets[1].is_some_and(|cost| cost.rss_bytes > 0)
        );
    }
}
