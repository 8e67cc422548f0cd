//! What every part of a worker thread can ask for: its time, its counters, its tasks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use seam::{Stage, Stop, WorkerStats};

use crate::slots::Walk;
use crate::{clock, pool, runtime, upstream};

/// Time between two looks at all sockets of a worker, and so the resolution of deadlines.
pub const TICK: Duration = Duration::from_millis(100);

/// Ticks between two questions whether waiting clients are still there: with a tick of 100 ms an answer
/// comes 200 ms after the client went away at most, far below the second that is promised.
const HANG_UP_TICKS: u32 = 2;

/// Ticks between two looks at the idle upstream connections: idle timeouts are in seconds.
const POOL_TICKS: u32 = 20;

/// Ticks between two trims of the buffer pool: the memory of a burst of 10,000 goes back within a minute.
const TRIM_TICKS: u32 = 10;

thread_local! {
    static WORKER: RefCell<Option<Rc<Worker>>> = const { RefCell::new(None) };
}

/// The state of one worker thread.
pub(crate) struct Worker {
    index: usize,
    stats: Arc<[WorkerStats]>,
    stop: Stop,
    stage: Cell<Stage>,
    stage_waiters: RefCell<Vec<Waker>>,
    ticks: Cell<u32>,
    /// Connections being served.
    serving: Cell<usize>,
}

impl Worker {
    /// Makes the calling thread, which runs a runtime, worker number `index`.
    pub(crate) fn install(index: usize, stop: Stop, stats: Arc<[WorkerStats]>) -> Rc<Self> {
        let worker = Rc::new(Self {
            index,
            stats,
            stage: Cell::new(stop.stage()),
            stop,
            stage_waiters: RefCell::default(),
            ticks: Cell::new(0),
            serving: Cell::new(0),
        });
        WORKER.set(Some(Rc::clone(&worker)));
        worker
    }

    /// Takes the calling thread's worker away.
    pub(crate) fn uninstall() {
        WORKER.take();
    }

    /// Does all that is done by time alone.
    pub(crate) fn tick(&self) {
        let ticks = self.ticks.get().wrapping_add(1);
        self.ticks.set(ticks);
        self.follow_stage();
        runtime::walk(Walk {
            now: clock::now(),
            stage: self.stage.get(),
            find_hang_ups: ticks.is_multiple_of(HANG_UP_TICKS),
        });
        upstream::release_wanted();
        if ticks.is_multiple_of(POOL_TICKS) {
            upstream::sweep();
        }
        if ticks.is_multiple_of(TRIM_TICKS) {
            runtime::trim();
            pool::trim();
        }
    }

    fn follow_stage(&self) {
        let stage = self.stop.stage();
        if stage == self.stage.replace(stage) {
            return;
        }
        for waiter in self.stage_waiters.take() {
            waiter.wake();
        }
    }

    /// Its number among the workers.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Ready once the shutdown has come to `stage`.
    pub(crate) async fn reached(&self, stage: Stage) {
        std::future::poll_fn(|context| {
            if self.stage.get() >= stage {
                return Poll::Ready(());
            }
            let mut waiters = self.stage_waiters.borrow_mut();
            if !waiters.iter().any(|waiter| waiter.will_wake(context.waker())) {
                waiters.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Connections being served now.
    pub(crate) fn serving(&self) -> usize {
        self.serving.get()
    }

    /// Counts a connection as served until the result is dropped.
    pub(crate) fn begin_serving(self: &Rc<Self>) -> Serving {
        self.serving.set(self.serving.get() + 1);
        self.stats(|stats| {
            raise(&stats.connections_accepted);
            raise(&stats.connections_open);
        });
        Serving(Rc::clone(self))
    }

    /// Calls `f` with the counters.
    pub(crate) fn stats<R>(&self, f: impl FnOnce(&WorkerStats) -> R) -> Option<R> {
        self.stats.get(self.index).map(f)
    }
}

/// A client connection being served.
pub(crate) struct Serving(Rc<Worker>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.serving.set(self.0.serving.get().saturating_sub(1));
        self.0.stats(|stats| lower(&stats.connections_open));
    }
}

/// Counts one more. Only its own thread writes a worker's counter, so no atomic addition is needed.
pub(crate) fn raise(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// Counts one less.
pub(crate) fn lower(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
}

/// Calls `f` with the counters of this worker; `None` on a thread that is none.
pub fn worker_stats<R>(f: impl FnOnce(&WorkerStats) -> R) -> Option<R> {
    let call = |worker: &RefCell<Option<Rc<Worker>>>| worker.borrow().as_ref()?.stats(f);
    // An error means that the thread is ending.
    WORKER.try_with(call).ok().flatten()
}

/// How far the shutdown is, as of the last tick. [`Stage::Running`] on a thread that is no worker.
pub fn stopping() -> Stage {
    WORKER.with_borrow(|worker| worker.as_ref().map_or(Stage::Running, |worker| worker.stage()))
}

/// Waits for `duration`, to the millisecond. Only on a worker.
pub fn sleep(duration: Duration) -> impl Future<Output = ()> {
    runtime::sleep(duration)
}

/// Runs `future` on this worker beside all else. A panic in it ends it alone and is counted.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    runtime::spawn(future);
}

/// Lets every other task that is ready and every completed operation go first.
pub async fn yield_now() {
    runtime::yield_now().await;
}
