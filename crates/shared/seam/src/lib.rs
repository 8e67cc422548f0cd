//! The only crossing between data plane and control plane.
//!
//! Snapshots come in by [`Published`], events go out by [`EventQueue`], shutdown is a flag
//! ([`Stop`]), and each worker shows its own gauges ([`WorkerStats`]). Connections that speak HTTP/2
//! change planes by [`Http2`].
#![forbid(unsafe_code)]

mod event;
mod event_queue;
mod http2;
mod inbox;
mod published;
mod stop;
mod worker_stats;

use std::sync::Arc;

use meter::Seats;

pub use event::{Event, GAP_BUCKETS_S, Gaps, Inference, Rotation, StageTimes};
pub use event_queue::{EVENTS_MAX, EventQueue};
pub use http2::{Arrived, Carried, Http2};
pub use inbox::{INBOX_MAX, Inbox, Intake};
pub use published::{LocalSnapshot, Published, Reader};
pub use stop::{Stage, Stop};
pub use worker_stats::WorkerStats;

/// Everything the planes share, one of each for the process.
#[derive(Clone, Debug)]
pub struct Seam {
    /// The current lookup tables.
    pub published: Published,
    /// How the process is told to end.
    pub stop: Stop,
    /// One per worker.
    pub stats: Arc<[WorkerStats]>,
    /// One per worker; the control plane drains them.
    pub events: Arc<[EventQueue]>,
    /// WebSocket connections of all workers.
    pub websockets: Arc<Seats>,
    /// Connections that change planes.
    pub http2: Http2,
}

impl Seam {
    /// A seam for `workers` data-plane threads that starts with `published`.
    pub fn new(published: Published, workers: usize) -> Self {
        Self {
            published,
            stop: Stop::default(),
            stats: (0..workers).map(|_| WorkerStats::default()).collect(),
            events: (0..workers).map(|_| EventQueue::default()).collect(),
            websockets: Arc::default(),
            http2: Http2::new(workers),
        }
    }
}
