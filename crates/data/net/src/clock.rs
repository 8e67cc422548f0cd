//! Coarse time: what deadlines are written in.

use std::ops::Add;
use std::time::Duration;

use crate::system;

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

/// The time now. About 5 ns: read from memory the kernel shares, without a system call.
pub fn now() -> Tick {
    Tick(system::coarse_millis())
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
    fn time_moves_on() {
        let start = now();
        std::thread::sleep(Duration::from_millis(40));
        let waited = now().since(start);
        assert!(waited >= Duration::from_millis(20), "{waited:?}");
    }
}
