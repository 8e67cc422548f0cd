//! The one clock of a run.

use std::sync::OnceLock;

use rustix::time::{ClockId, clock_gettime};

/// When the first rig of this process started: all its threads and rounds share one time.
static ORIGIN_NS: OnceLock<u64> = OnceLock::new();

/// Nanoseconds of `CLOCK_MONOTONIC` since the first rig of this process started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin_ns: u64,
}

impl Clock {
    /// Starts at one, so that zero can mean "never".
    pub(crate) fn start() -> Self {
        Self { origin_ns: *ORIGIN_NS.get_or_init(|| monotonic_ns() - 1) }
    }

    /// The time now. About 22 ns; no system call.
    #[inline]
    pub(crate) fn now(self) -> u64 {
        monotonic_ns() - self.origin_ns
    }
}

#[inline]
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Time since boot: never negative.
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
