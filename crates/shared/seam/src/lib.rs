//! The only crossing between data plane and control plane.
#![forbid(unsafe_code)]

mod stop;
mod worker_stats;

pub use stop::{Stage, Stop};
pub use worker_stats::WorkerStats;
