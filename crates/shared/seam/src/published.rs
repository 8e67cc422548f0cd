//! The cell through which snapshots reach the workers.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use snapshot::Snapshot;

/// The current snapshot. Cloning shares the cell.
#[derive(Clone, Debug)]
pub struct Published(Arc<ArcSwap<Snapshot>>);

impl Published {
    /// A cell that starts with `first`.
    pub fn new(first: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// Swaps the whole snapshot. Requests under way keep the one they started with.
    pub fn publish(&self, next: Snapshot) {
        self.0.store(Arc::new(next));
    }

    /// The current one.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// A reader for one thread: half a nanosecond while nothing changed.
    pub fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.0)))
    }
}

/// A thread's view of the cell.
#[derive(Clone, Debug)]
pub struct Reader(Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>);

impl Reader {
    /// The current snapshot.
    pub fn current(&mut self) -> &Arc<Snapshot> {
        self.0.load()
    }
}
