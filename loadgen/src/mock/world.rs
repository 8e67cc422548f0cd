//! What the threads of one mock share: its flags, its counters, its scripts and its memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::args::Args;
use super::kept::Kept;
use super::prerendered::Prerendered;
use super::record::{Arrival, Ending, Recording, Seq};
use super::script::Scripts;

/// One mock, seen from all its threads.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) args: Args,
    pub(crate) scripts: Scripts,
    pub(crate) kept: Kept,
    pub(crate) counters: Counters,
    /// The replies to send without looking, if the flags say so.
    pub(crate) prerendered: Option<Prerendered>,
    recording: Mutex<Recording>,
    started: Instant,
}

/// Counts since the start or the last reset. They are for reading only, so no order is needed.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) active: AtomicU64,
    pub(crate) aborted: AtomicU64,
    pub(crate) connections_open: AtomicU64,
    pub(crate) connections_total: AtomicU64,
    /// Never reset: names connections.
    connection_ids: AtomicU64,
    reply_ids: AtomicU64,
}

impl World {
    pub(crate) fn new(args: Args, prerendered: Option<Prerendered>) -> Self {
        Self {
            args,
            scripts: Scripts::default(),
            kept: Kept::default(),
            counters: Counters::default(),
            prerendered,
            recording: Mutex::default(),
            started: Instant::now(),
        }
    }

    /// Records what came in on a connection.
    pub(crate) fn record(&self, connection: u64, arrival: Arrival) -> Seq {
        let at_us = self.now_us();
        (!self.args.no_record)
            .then(|| self.with_recording(|recording| recording.add(connection, at_us, arrival)))
    }

    /// Records how the exchange of an entry ended.
    pub(crate) fn record_end(&self, seq: Seq, ending: Ending) {
        let at_us = self.now_us();
        if let Some(seq) = seq {
            self.with_recording(|recording| recording.end(seq, at_us, ending));
        }
    }

    /// Recorded entries after the one numbered `since`, as JSON.
    pub(crate) fn recorded_since(&self, since: u64) -> Value {
        self.with_recording(|recording| recording.since(since))
    }

    /// The counters, as JSON.
    pub(crate) fn stats(&self) -> Value {
        let counters = &self.counters;
        json!({
            "requests": load(&counters.requests),
            "active": load(&counters.active),
            "aborted": load(&counters.aborted),
            "connections_open": load(&counters.connections_open),
            "connections_total": load(&counters.connections_total),
            "now_us": self.now_us(),
        })
    }

    /// Forgets scripts, fixtures, records, counts and what callers left. What goes on now stays counted.
    pub(crate) fn reset(&self) {
        self.scripts.clear_scripts();
        self.scripts.clear_fixtures();
        self.kept.clear();
        self.with_recording(Recording::clear);
        let counters = &self.counters;
        for counter in [&counters.requests, &counters.aborted, &counters.reply_ids] {
            counter.store(0, Ordering::Relaxed);
        }
        let open = load(&counters.connections_open);
        counters.connections_total.store(open, Ordering::Relaxed);
    }

    /// The number a new reply takes its ids from.
    pub(crate) fn next_reply_id(&self) -> u64 {
        add(&self.counters.reply_ids)
    }

    /// The number of a new connection.
    pub(crate) fn next_connection_id(&self) -> u64 {
        add(&self.counters.connection_ids)
    }

    /// The latency of the reply with that number: spread evenly within the jitter, and the same
    /// from run to run.
    pub(crate) fn latency(&self, reply: u64) -> Duration {
        let spread = self.args.jitter * (2.0 * share_of(reply) - 1.0);
        self.args.latency.mul_f64((1.0 + spread).max(0.0))
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn with_recording<T>(&self, use_it: impl FnOnce(&mut Recording) -> T) -> T {
        // A panic elsewhere leaves nothing half done in here.
        let mut recording = self.recording.lock().unwrap_or_else(|poison| poison.into_inner());
        use_it(&mut recording)
    }
}

/// Adds one and returns the new count.
pub(crate) fn add(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed) + 1
}

/// Takes one away.
pub(crate) fn subtract(counter: &AtomicU64) {
    counter.fetch_sub(1, Ordering::Relaxed);
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// A number from 0 to 1 that looks random (SplitMix64).
fn share_of(number: u64) -> f64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits ^ (bits >> 31)) as f64 / u64::MAX as f64
}
