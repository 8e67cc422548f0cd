//! How the process is told to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// How far the shutdown is. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// Serving.
    Running = 0,
    /// New connections are still accepted; every reply says `Connection: close`.
    Leaving = 1,
    /// Nothing is accepted any more; what is under way ends in peace.
    Draining = 2,
    /// Time is up: what is left is cut off.
    Closing = 3,
}

/// The shared flag. Workers read it on their tick, so a change takes effect within a tick.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Where the shutdown stands.
    pub fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Running,
            1 => Stage::Leaving,
            2 => Stage::Draining,
            _ => Stage::Closing,
        }
    }

    /// Moves on to `stage`; going back is ignored.
    pub fn advance(&self, stage: Stage) {
        self.0.fetch_max(stage as u8, Ordering::Relaxed);
    }
}
