//! What a run recorded. All times are nanoseconds of `CLOCK_MONOTONIC` since the rig started.

use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Requests with the same number belong together: one to each target.
    pub tuple: u32,
    /// Index in `Recording::targets`.
    pub target: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// When the schedule wanted it sent.
    pub intended_ns: u64,
    /// When it was sent; zero if it never was.
    pub sent_ns: u64,
    /// When the first piece of the reply had been read; zero if none was.
    pub first_byte_ns: u64,
    /// When the reply was complete, or the failure was noticed.
    pub done_ns: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Status 200 and the whole body, with this request's number.
    Ok,
    /// A whole reply of another status.
    Status(u16),
    /// The connection ended early, or what came is not HTTP.
    Broken,
    /// No whole reply within `REQUEST_TIMEOUT`.
    TimedOut,
    /// A whole reply of status 200 that belongs to another request, or to none.
    WrongBody,
    /// No connection was free and no further one allowed or obtained.
    NoConnection,
}

impl Outcome {
    /// The name reports count it under, such as `status 503`.
    pub(crate) fn label(self) -> String {
        let name = match self {
            Self::Ok => "ok",
            Self::Status(status) => return format!("status {status}"),
            Self::Broken => "broken",
            Self::TimedOut => "timed out",
            Self::WrongBody => "wrong body",
            Self::NoConnection => "no connection",
        };
        name.to_owned()
    }
}

/// When the rig's own upstream had read a request and when it began to answer, for the sample at
/// the same index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Legs {
    /// From `x-mock-received-ns`; zero if the reply did not say.
    pub received_ns: u64,
    /// From `x-mock-sent-ns`; zero if the reply did not say.
    pub sent_ns: u64,
}

/// A stretch of the run, with what the observer saw before and after.
#[derive(Clone, Debug)]
pub(crate) struct Block<A> {
    /// `Load::Closed`: the one target of this block.
    pub target: Option<u16>,
    /// When its first request was due.
    pub started_ns: u64,
    /// `Load::Open` and `Load::OneByOne`: when its length was over. `Load::Closed`: when the last
    /// request in flight had ended.
    pub ended_ns: u64,
    /// Its samples, whole tuples in order (`Load::Open`, `Load::OneByOne`).
    pub samples: Range<usize>,
    /// Requests per target that ended between the two snapshots with `Outcome::Ok`.
    pub completed: Vec<u64>,
    /// Requests per target that ended between the two snapshots otherwise.
    pub failed: Vec<u64>,
    /// `Load::Closed`: per target, nanoseconds from send to the end of the reply, for
    /// `Outcome::Ok`; empty for all but the block's target.
    pub latency: Vec<Histogram<u64>>,
    /// What the observer returned at the beginning.
    pub before: A,
    /// What the observer returned at the end.
    pub after: A,
}

/// Called by the rig at each block's beginning and end, outside of any measured request.
///
/// Where replies take long (`UpstreamPlan::delay` above `DRAIN_DELAY_MAX`) and the load is open,
/// requests stay in flight meanwhile: a load that is let run dry would never reach its plateau.
pub(crate) trait Observe {
    /// What is read at a block's boundary.
    type Snapshot;

    /// Reads it now.
    fn snapshot(&mut self) -> Self::Snapshot;

    /// Hears about once a second how far the run is. Must be quick.
    fn progress(&mut self, progress: &Progress);
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Progress {
    /// Blocks that are over.
    pub blocks_done: u32,
    /// Blocks of the whole run, over all targets; zero while warming up.
    pub blocks: u32,
    /// Since the rig started.
    pub elapsed: Duration,
    /// Requests that ended well since recording began.
    pub completed: u64,
    /// Requests that failed since recording began.
    pub failed: u64,
    /// Requests without an answer so far.
    pub in_flight: u64,
}

/// All of a run.
#[derive(Clone, Debug)]
pub(crate) struct Recording<A> {
    /// The targets' names, in the plan's order.
    pub targets: Vec<String>,
    /// `Load::Open`, `Load::OneByOne`: one for each request, at `tuple * targets + target`.
    pub samples: Vec<Sample>,
    /// Parallel to `samples` when the upstream was asked for stamps, else empty.
    pub legs: Vec<Legs>,
    /// In the order they ran.
    pub blocks: Vec<Block<A>>,
    /// Connections per target that had to be made after the warm-up: their requests waited for
    /// them, which counts from the intended moment but not from the send.
    pub connects: Vec<u64>,
    /// What the rig's own upstream saw; zeros if it had none.
    pub upstream: UpstreamCounts,
}

/// What the rig's own upstream saw in a whole run, warm-up included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpstreamCounts {
    /// Connections accepted.
    pub accepted: u64,
    /// Whole requests read.
    pub requests: u64,
    /// Of these, answered with a stream.
    pub streams: u64,
    /// Content events sent.
    pub events: u64,
    /// Bytes given to the kernel.
    pub sent_bytes: u64,
    /// Connections closed because what came was no request this upstream understands.
    pub malformed: u64,
    /// Requests whose connection was closed by the other side before they were answered whole.
    pub abandoned: u64,
}
