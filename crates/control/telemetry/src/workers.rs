//! `bifrost_worker_*`: what each data-plane thread counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use seam::WorkerStats;

use crate::page::{Family, Kind, Page, label};

type Read = fn(&WorkerStats) -> &AtomicU64;

const ACTIVE_REQUESTS: Family =
    Family { name: "bifrost_active_requests", help: "Requests under way.", kind: Kind::Gauge };

/// One row per counter of a worker.
const ROWS: &[(Family, Read)] = &[
    (gauge("bifrost_worker_connections_open", "Client connections open."), |stats| {
        &stats.connections_open
    }),
    (
        counter("bifrost_worker_connections_accepted_total", "Client connections accepted."),
        |stats| &stats.connections_accepted,
    ),
    (
        counter(
            "bifrost_worker_connections_refused_total",
            "Client connections refused because the worker was full.",
        ),
        |stats| &stats.connections_refused,
    ),
    (gauge("bifrost_worker_requests_active", "Requests under way."), |stats| {
        &stats.requests_active
    }),
    (
        gauge("bifrost_worker_upstream_idle", "Provider connections waiting in the pools."),
        |stats| &stats.upstream_idle,
    ),
    (counter("bifrost_worker_upstream_connects_total", "Provider connections made."), |stats| {
        &stats.upstream_connects
    }),
    (
        counter(
            "bifrost_worker_upstream_reuses_total",
            "Requests that found a pooled provider connection.",
        ),
        |stats| &stats.upstream_reuses,
    ),
    (gauge("bifrost_worker_buffers_total", "Pre-allocated buffers."), |stats| &stats.buffers_total),
    (gauge("bifrost_worker_buffers_in_use", "Pre-allocated buffers in use."), |stats| {
        &stats.buffers_in_use
    }),
    (
        counter(
            "bifrost_worker_buffers_missed_total",
            "Buffers taken from the heap because the pool was empty.",
        ),
        |stats| &stats.buffers_missed,
    ),
    (counter("bifrost_worker_panics_total", "Panics; each ended one connection."), |stats| {
        &stats.panics
    }),
    (
        counter(
            "bifrost_worker_events_dropped_total",
            "Finished requests missing from these metrics because the queue was full.",
        ),
        |stats| &stats.events_dropped,
    ),
];

const fn gauge(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: Kind::Gauge }
}

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: Kind::Counter }
}

/// Writes every counter of every worker.
pub(crate) fn write(stats: &[WorkerStats], page: &mut Page) {
    let read = |stats: &WorkerStats, field: Read| field(stats).load(Ordering::Relaxed);
    page.begin(ACTIVE_REQUESTS);
    let active = stats.iter().map(|stats| read(stats, |stats| &stats.requests_active)).sum();
    // Workers count requests before they know the operation, hence one series for all.
    page.integer("method=\"\"", active);
    for (family, field) in ROWS {
        page.begin(*family);
        for (worker, stats) in stats.iter().enumerate() {
            let mut labels = String::new();
            label(&mut labels, "worker", itoa::Buffer::new().format(worker));
            page.integer(&labels, read(stats, *field));
        }
    }
}
