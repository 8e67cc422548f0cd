//! The cell through which snapshots reach the workers.

use std::ops::Deref;
use std::rc::Rc;
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
        let mut cache = Cache::new(Arc::clone(&self.0));
        let local = LocalSnapshot::new(cache.load());
        Reader { cache, local }
    }
}

/// A thread's view of the cell.
#[derive(Clone, Debug)]
pub struct Reader {
    cache: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
    /// What was current when [`Self::current_local`] was last called.
    local: LocalSnapshot,
}

/// A snapshot as the tasks of one thread share it. Cloning and dropping it counts in memory of this
/// thread alone, where an `Arc` makes all cores write to one cache line.
#[derive(Clone, Debug)]
pub struct LocalSnapshot(Rc<Held>);

#[derive(Debug)]
struct Held(Arc<Snapshot>);

impl Reader {
    /// The current snapshot.
    pub fn current(&mut self) -> &Arc<Snapshot> {
        self.cache.load()
    }

    /// The current snapshot, to be kept by tasks of this thread.
    pub fn current_local(&mut self) -> LocalSnapshot {
        let current = self.cache.load();
        if !Arc::ptr_eq(current, &self.local.0.0) {
            self.local = LocalSnapshot::new(current);
        }
        self.local.clone()
    }
}

impl LocalSnapshot {
    fn new(snapshot: &Arc<Snapshot>) -> Self {
        Self(Rc::new(Held(Arc::clone(snapshot))))
    }
}

impl Deref for LocalSnapshot {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot() -> Snapshot {
        let config = config::parse(b"{}", &|_| None).expect("an empty configuration is sound");
        snapshot::Builder::new("/tmp/control.sock".into()).build(&config)
    }

    #[test]
    fn a_local_handle_counts_on_its_own_thread_until_the_snapshot_changes() {
        let published = Published::new(snapshot());
        let mut reader = published.reader();
        let first = reader.current_local();
        let counted = Arc::strong_count(&first.0.0);
        let again = reader.current_local();
        assert!(Rc::ptr_eq(&first.0, &again.0));
        assert_eq!(Arc::strong_count(&first.0.0), counted);

        published.publish(snapshot());
        let second = reader.current_local();
        assert!(Arc::ptr_eq(&second.0.0, &published.load()));
        assert!(!Arc::ptr_eq(&second.0.0, &first.0.0));
        // Nothing but the requests that still use it holds the old one.
        drop(again);
        assert_eq!((Arc::strong_count(&first.0.0), Rc::strong_count(&first.0)), (1, 1));
    }
}
