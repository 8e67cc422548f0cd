//! Evens out what the kernel spreads by hash: a worker that has clearly more to do than another one hands
//! connections over to it as they arrive. Those that are placed stay where they are.
//!
//! What a worker has to do is read from the counters that it keeps anyway. A single worker has no
//! placement and pays nothing.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crossbeam_utils::CachePadded;
use seam::WorkerStats;

/// A connection goes to another worker if that has at least so many fewer of what is compared: handing
/// over wakes the other thread, which costs more than a small difference does.
const LEAD_MIN: usize = 4;

/// The same as a share of what the worker has itself, since a difference matters less among many.
const LEAD_SHARE_MIN: usize = 16;

/// Connections that wait to be taken over by one worker; beyond that they stay where they came in.
const INBOX_MAX: usize = 256;

/// A connection just accepted.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) socket: OwnedFd,
    pub(crate) peer: Option<SocketAddr>,
}

/// Where connections may be handed over. Shared by all workers, with a place for each.
pub(crate) struct Placement {
    inboxes: Box<[CachePadded<Inbox>]>,
    stats: Arc<[WorkerStats]>,
    connections_max: usize,
}

/// The connections handed over to one worker.
#[derive(Default)]
struct Inbox {
    /// How many there are.
    count: AtomicUsize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    arrivals: VecDeque<Arrival>,
    /// Whom to wake; `None` while the worker is awake, and when it takes nothing.
    waker: Option<Waker>,
    /// The worker takes connections.
    is_open: bool,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives `arrival` back when it is not wanted.
    fn put(&self, arrival: Arrival) -> Option<Arrival> {
        let mut waiting = self.lock();
        if !waiting.is_open || waiting.arrivals.len() >= INBOX_MAX {
            return Some(arrival);
        }
        waiting.arrivals.push_back(arrival);
        self.count.store(waiting.arrivals.len(), Ordering::Relaxed);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        None
    }
}

/// What a worker has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    /// Requests under way.
    active: usize,
    /// Connections, whatever they do.
    open: usize,
}

impl Load {
    /// Whether a new connection is better off with the other worker. Requests count first; connections tell
    /// about those that have sent none yet.
    fn is_clearly_above(self, other: Self) -> bool {
        let is_above = |own: usize, other: usize| {
            own.saturating_sub(other) >= LEAD_MIN.max(own / LEAD_SHARE_MIN)
        };
        is_above(self.active, other.active)
            || self.active >= other.active && is_above(self.open, other.open)
    }
}

impl Placement {
    /// Places for `workers`, each with room for `connections_max`; `None` where there is nothing to choose.
    pub(crate) fn new(
        workers: usize,
        connections_max: usize,
        stats: &Arc<[WorkerStats]>,
    ) -> Option<Arc<Self>> {
        let inboxes = (0..workers).map(|_| CachePadded::default()).collect();
        let stats = Arc::clone(stats);
        (workers > 1).then(|| Arc::new(Self { inboxes, stats, connections_max }))
    }

    /// Hands `arrival` over if another worker has clearly less to do than `own`; gives it back otherwise.
    pub(crate) fn hand_over(&self, own: usize, arrival: Arrival) -> Option<Arrival> {
        match self.emptier(own).and_then(|other| self.inboxes.get(other)) {
            Some(inbox) => inbox.put(arrival),
            None => Some(arrival),
        }
    }

    /// The worker with the least to do, if that is clearly less.
    fn emptier(&self, own: usize) -> Option<usize> {
        let load = self.load(own);
        let others = (0..self.inboxes.len()).filter(|other| *other != own);
        let (least, other) = others
            .map(|other| (self.load(other), other))
            .filter(|(load, _)| load.open < self.connections_max)
            .min_by_key(|(load, _)| (load.active, load.open))?;
        load.is_clearly_above(least).then_some(other)
    }

    fn load(&self, worker: usize) -> Load {
        let handed =
            self.inboxes.get(worker).map_or(0, |inbox| inbox.count.load(Ordering::Relaxed));
        let Some(stats) = self.stats.get(worker) else {
            // A worker without counters gets nothing.
            return Load { active: usize::MAX, open: usize::MAX };
        };
        let active = stats.requests_active.load(Ordering::Relaxed) as usize;
        let open = stats.connections_open.load(Ordering::Relaxed) as usize;
        Load { active, open: open + handed }
    }

    /// Begins to take connections for `worker`, until the result is dropped.
    pub(crate) fn open(self: Arc<Self>, worker: usize) -> Intake {
        let intake = Intake { placement: self, worker };
        if let Some(inbox) = intake.inbox() {
            inbox.lock().is_open = true;
        }
        intake
    }
}

/// The end of an inbox that its worker holds. Dropping it closes it.
pub(crate) struct Intake {
    placement: Arc<Placement>,
    worker: usize,
}

impl Intake {
    /// The next connection handed over.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Arrival>> {
        let Some(inbox) = self.inbox() else { return Poll::Ready(None) };
        let mut waiting = inbox.lock();
        let Some(arrival) = waiting.arrivals.pop_front() else {
            waiting.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        inbox.count.store(waiting.arrivals.len(), Ordering::Relaxed);
        Poll::Ready(Some(arrival))
    }

    /// Takes no more from now on; what was handed over before.
    pub(crate) fn close(self) -> VecDeque<Arrival> {
        self.shut()
    }

    fn shut(&self) -> VecDeque<Arrival> {
        let Some(inbox) = self.inbox() else { return VecDeque::new() };
        let mut waiting = inbox.lock();
        inbox.count.store(0, Ordering::Relaxed);
        std::mem::take(&mut *waiting).arrivals
    }

    fn inbox(&self) -> Option<&Inbox> {
        self.placement.inboxes.get(self.worker).map(|inbox| &**inbox)
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        drop(self.shut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(active: usize, open: usize) -> Load {
        Load { active, open }
    }

    #[test]
    fn requests_count_before_connections() {
        assert!(load(4, 0).is_clearly_above(load(0, 0)));
        assert!(!load(3, 0).is_clearly_above(load(0, 0)));
        // Many idle connections are no reason to burden the one that works.
        assert!(!load(0, 5_000).is_clearly_above(load(1, 0)));
        assert!(load(64, 64).is_clearly_above(load(0, 5_000)));
        // Of those that have sent nothing yet the connections tell.
        assert!(load(0, 4).is_clearly_above(load(0, 0)));
        assert!(!load(0, 3).is_clearly_above(load(0, 0)));
    }

    #[test]
    fn a_difference_has_to_be_a_share_of_the_whole() {
        assert!(!load(1_000, 0).is_clearly_above(load(940, 0)));
        assert!(load(1_000, 0).is_clearly_above(load(938, 0)));
    }

    /// A connected socket that nobody needs.
    fn arrival() -> Arrival {
        let socket = std::os::unix::net::UnixStream::pair().unwrap().0.into();
        Arrival { socket, peer: None }
    }

    fn stats(workers: usize) -> Arc<[WorkerStats]> {
        (0..workers).map(|_| WorkerStats::default()).collect()
    }

    #[test]
    fn a_single_worker_has_none() {
        assert!(Placement::new(1, 10, &stats(1)).is_none());
    }

    #[test]
    fn a_worker_that_takes_nothing_is_given_nothing() {
        let stats = stats(3);
        let placement = Placement::new(3, 10, &stats).unwrap();
        stats[0].connections_open.store(9, Ordering::Relaxed);
        assert!(placement.hand_over(0, arrival()).is_some(), "not open yet");
        let intake = Arc::clone(&placement).open(1);
        assert!(placement.hand_over(0, arrival()).is_none());
        stats[1].connections_open.store(10, Ordering::Relaxed);
        assert!(placement.hand_over(0, arrival()).is_some(), "the only other one is not open");
        stats[1].connections_open.store(0, Ordering::Relaxed);
        assert_eq!(intake.close().len(), 1);
        assert!(placement.hand_over(0, arrival()).is_some(), "closed again");
    }

    #[test]
    fn what_waits_to_be_taken_over_counts_and_is_limited() {
        let stats = stats(2);
        let placement = Placement::new(2, usize::MAX, &stats).unwrap();
        let _receiver = Arc::clone(&placement).open(1);
        stats[0].connections_open.store(10, Ordering::Relaxed);
        let handed = || placement.hand_over(0, arrival()).is_none();
        assert_eq!((0..100).filter(|_| handed()).count(), 10 + 1 - LEAD_MIN);
        stats[0].requests_active.store(1_000, Ordering::Relaxed);
        assert_eq!((0..1_000).filter(|_| handed()).count(), INBOX_MAX - (10 + 1 - LEAD_MIN));
    }
}
