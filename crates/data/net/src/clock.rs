//! Coarse time: what deadlines are written in.

use std::cell::Cell;
use std::ops::Add;
use std::time::Duration;

use crate::system;

thread_local! {
    /// Milliseconds when this worker's turn began; 0 on a thread that is no worker.
    static TURN_MS: Cell<u64> = const { Cell::new(0) };
}

/// A moment in milliseconds of the machine's monotonic clock, as coarse as the kernel's own tick
/// (1 to 10 ms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(u64);

impl Tick {
    /// Milliseconds since the clock's start, which means nothing by itself.
    pub fn as_millis(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Self;

    /// Saturates, so that an unlimited duration is a deadline that never comes.
    fn add(self, duration: Duration) -> Self {
        let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(milliseconds))
    }
}

/// The time now; on a worker that of its turn, in which it runs all tasks that are ready: deadlines are
/// in seconds and the clock is asked once for all of them.
pub fn now() -> Tick {
    match TURN_MS.get() {
        0 => Tick(system::coarse_millis()),
        milliseconds => Tick(milliseconds),
    }
}

/// A turn of the calling thread's worker begins.
pub(crate) fn begin_turn() {
    TURN_MS.set(system::coarse_millis());
}

/// The calling thread is no worker any more.
pub(crate) fn end_turns() {
    TURN_MS.set(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adding_an_endless_duration_saturates() {
        let end = now() + Duration::MAX;
        assert_eq!(end.as_millis(), u64::MAX);
        assert_eq!(now().since(end), Duration::ZERO);
    }

    #[test]
    fn time_moves_on_but_not_within_a_turn() {
        begin_turn();
        let start = now();
        std::thread::sleep(Duration::from_millis(40));
        assert_eq!(now(), start);
        end_turns();
        let waited = now().since(start);
        assert!(waited >= Duration::from_millis(20), "{waited:?}");
    }
}
