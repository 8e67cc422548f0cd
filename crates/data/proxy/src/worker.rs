//! What one worker thread owns: its view of the snapshot, its random numbers, its names.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use meter::{NoSeat, Seat};
use seam::{Event, Http2, LocalSnapshot, Reader, Seam};
use snapshot::WebSocket;

use crate::stages::record::Names;

/// One per worker thread, shared by its connections.
#[derive(Debug)]
pub struct Worker {
    index: usize,
    seam: Seam,
    reader: RefCell<Reader>,
    random: Cell<u64>,
    requests: Cell<u64>,
    pub(crate) names: Names,
}

impl Worker {
    /// The worker of that index; `seam` has its queue and gauges there.
    pub fn new(index: usize, seam: &Seam) -> Self {
        let seed = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let moment = crate::unix_nanoseconds();
        Self {
            index,
            seam: seam.clone(),
            reader: RefCell::new(seam.published.reader()),
            random: Cell::new(seed ^ moment),
            requests: Cell::new(moment),
            names: Names::default(),
        }
    }

    /// The snapshot a request starts with, and keeps.
    pub(crate) fn snapshot(&self) -> LocalSnapshot {
        self.reader.borrow_mut().current_local()
    }

    /// A number uniform over all of `u64` (SplitMix64). Not for secrets.
    pub(crate) fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number no other request of this process has.
    pub(crate) fn request_number(&self) -> u64 {
        self.requests.set(self.requests.get().wrapping_add(1));
        // The worker's index stands above what the time since 1970 and a count can reach.
        self.requests.get() ^ ((self.index as u64) << 56)
    }

    /// Hands an event to the control plane, or counts it as dropped.
    pub(crate) fn record(&self, event: Event) {
        let is_queued = self.seam.events.get(self.index).is_some_and(|queue| queue.push(event));
        if !is_queued && let Some(stats) = self.seam.stats.get(self.index) {
            stats.events_dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// A seat for a WebSocket connection of `owner`.
    pub(crate) fn take_seat(&self, owner: &[u8], limits: &WebSocket) -> Result<Seat, NoSeat> {
        let (owner_max, total_max) = (limits.connections_per_caller_max, limits.connections_max);
        self.seam.websockets.take(owner, owner_max, total_max)
    }

    /// Where connections go that speak HTTP/2.
    pub(crate) fn http2(&self) -> &Http2 {
        &self.seam.http2
    }

    /// Counts a request as under way while the result lives.
    pub(crate) fn begin_request(self: &Rc<Self>) -> Active {
        self.count_active(1);
        Active(Rc::clone(self), Instant::now())
    }

    fn count_active(&self, change: i64) {
        if let Some(stats) = self.seam.stats.get(self.index) {
            // Only this thread writes the gauge.
            stats.requests_active.fetch_add(change as u64, std::sync::atomic::Ordering::Relaxed);
        }
    }
}

/// A request under way, and when it began.
pub(crate) struct Active(Rc<Worker>, Instant);

impl Active {
    /// When the request was received.
    pub(crate) fn began(&self) -> Instant {
        self.1
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.count_active(-1);
    }
}
