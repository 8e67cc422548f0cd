//! Where the time of a request goes: one look at the clock from stage to stage.

use std::time::{Duration, Instant};

/// The time since the last look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lap(Instant);

impl Lap {
    /// Begins at `moment`.
    pub(crate) fn since(moment: Instant) -> Self {
        Self(moment)
    }

    /// The moment of the last look.
    pub(crate) fn began(self) -> Instant {
        self.0
    }

    /// Looks at the clock: the time since the last look.
    pub(crate) fn next(&mut self) -> Duration {
        let last = std::mem::replace(&mut self.0, Instant::now());
        self.0.duration_since(last)
    }

    /// The same in nanoseconds.
    pub(crate) fn next_ns(&mut self) -> u64 {
        self.next().as_nanos() as u64
    }
}
