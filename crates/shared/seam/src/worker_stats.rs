//! What a worker counts about itself, readable by anyone without a lock.

use std::sync::atomic::AtomicU64;

use crossbeam_utils::CachePadded;

/// Gauges and counters of one worker thread. Written by that thread alone with relaxed stores.
#[derive(Debug, Default)]
pub struct WorkerStats {
    /// Client connections open now.
    pub connections_open: CachePadded<AtomicU64>,
    /// Client connections accepted since start.
    pub connections_accepted: AtomicU64,
    /// Client connections refused because the worker was full.
    pub connections_refused: AtomicU64,
    /// Connections the kernel could not hand over (out of descriptors, gone before they were accepted).
    pub accept_failures: AtomicU64,
    /// Requests under way now.
    pub requests_active: AtomicU64,
    /// Upstream connections idle in the pools.
    pub upstream_idle: AtomicU64,
    /// Upstream connections made since start.
    pub upstream_connects: AtomicU64,
    /// Requests that found a pooled connection.
    pub upstream_reuses: AtomicU64,
    /// Buffers of the pre-allocated pool: how many there are.
    pub buffers_total: AtomicU64,
    /// Of those, in use now.
    pub buffers_in_use: AtomicU64,
    /// Times the pool was empty and a buffer came from the heap.
    pub buffers_missed: AtomicU64,
    /// Panics caught; each ended one connection.
    pub panics: AtomicU64,
    /// Events dropped because the queue to the control plane was full.
    pub events_dropped: AtomicU64,
}
