//! The tasks of one thread, run in the order in which they were woken.
//!
//! A task that wakes itself while it runs has yielded: it runs again only after the kernel was asked for
//! completions. Wakers may go to other threads; what they wake comes back through a queue that the
//! driver watches.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use async_task::{Builder, Runnable, ScheduleInfo, WithInfo};
use rustix::event::{EventfdFlags, eventfd};
use slab::Slab;

/// Tasks run before the kernel is asked for completions again.
const RUNS_AT_ONCE_MAX: usize = 256;

/// At the end of a worker: time for a waker on another thread to finish what it is doing.
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(1);

thread_local! {
    static TASKS: RefCell<Option<Tasks>> = const { RefCell::new(None) };
}

struct Tasks {
    ready: VecDeque<Runnable>,
    /// Those that yielded.
    later: VecDeque<Runnable>,
    /// All that have not ended, so that they can be dropped at the end.
    alive: Slab<Waker>,
    remote: Arc<Remote>,
}

/// What other threads see of the executor.
struct Remote {
    /// At most one entry for each task.
    woken: Mutex<Vec<Runnable>>,
    is_notified: AtomicBool,
    event: OwnedFd,
}

impl Remote {
    fn push(&self, task: Runnable) {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner).push(task);
        if !self.is_notified.swap(true, Ordering::AcqRel) {
            // It fails only when the counter is full, and then it has been noticed as well.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }

    fn take(&self) -> Vec<Runnable> {
        self.is_notified.store(false, Ordering::Release);
        std::mem::take(&mut *self.woken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes the calling thread run tasks. The descriptor becomes readable when [`take_woken`] has something
/// to do.
pub(super) fn install() -> io::Result<RawFd> {
    let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let fd = event.as_raw_fd();
    let remote = Remote { woken: Mutex::default(), is_notified: AtomicBool::new(false), event };
    TASKS.set(Some(Tasks {
        ready: VecDeque::new(),
        later: VecDeque::new(),
        alive: Slab::new(),
        remote: Arc::new(remote),
    }));
    Ok(fd)
}

/// Runs `future` in a task of its own, on this thread, which has to be one that runs tasks.
pub(super) fn spawn(future: impl Future<Output = ()> + 'static) {
    let Some((remote, key)) = register() else { return };
    let schedule = move |task: Runnable, info: ScheduleInfo| schedule(&remote, task, info);
    let alive = Alive { key };
    let whole = async move {
        let _alive = alive;
        future.await;
    };
    let (task, handle) = Builder::new().spawn_local(|()| whole, WithInfo(schedule));
    handle.detach();
    with(|tasks| tasks.alive.get_mut(key).map(|waker| *waker = task.waker()));
    task.schedule();
}

fn register() -> Option<(Arc<Remote>, usize)> {
    with(|tasks| (Arc::clone(&tasks.remote), tasks.alive.insert(Waker::noop().clone())))
}

/// Takes a task out of the list of those that have not ended.
struct Alive {
    key: usize,
}

impl Drop for Alive {
    fn drop(&mut self) {
        // The waker is dropped outside of the borrow.
        drop(with(|tasks| tasks.alive.try_remove(self.key)));
    }
}

/// `None` on a thread that runs no tasks, and at the end of one that did.
fn with<T>(f: impl FnOnce(&mut Tasks) -> T) -> Option<T> {
    TASKS.try_with(|tasks| tasks.borrow_mut().as_mut().map(f)).ok().flatten()
}

fn schedule(remote: &Arc<Remote>, task: Runnable, info: ScheduleInfo) {
    let mut task = Some(task);
    with(|tasks| {
        if Arc::ptr_eq(remote, &tasks.remote) {
            let queue = if info.woken_while_running { &mut tasks.later } else { &mut tasks.ready };
            queue.extend(task.take());
        }
    });
    if let Some(task) = task {
        remote.push(task);
    }
}

/// Runs the tasks that are ready, up to a limit.
pub(super) fn run_ready() {
    for _ in 0..RUNS_AT_ONCE_MAX {
        let Some(task) = with(|tasks| tasks.ready.pop_front()).flatten() else { return };
        task.run();
    }
}

/// Whether a task waits for its turn.
pub(super) fn is_busy() -> bool {
    with(|tasks| !tasks.ready.is_empty() || !tasks.later.is_empty()).unwrap_or(false)
}

/// Puts those that yielded behind those that became ready meanwhile.
pub(super) fn take_yielded() {
    with(|tasks| {
        let Tasks { ready, later, .. } = tasks;
        // Nearly always there are none, and appending nothing costs more than looking.
        if !later.is_empty() {
            ready.append(later);
        }
    });
}

/// Takes over what other threads have woken.
pub(super) fn take_woken() {
    with(|tasks| tasks.ready.extend(tasks.remote.take()));
}

/// Drops all tasks.
pub(super) fn shut_down() {
    let started = Instant::now();
    loop {
        let wakers = with(|tasks| tasks.alive.iter().map(|(_, waker)| waker.clone()).collect());
        let wakers: Vec<Waker> = wakers.unwrap_or_default();
        // A task can be dropped only by way of its queue entry. One that is being woken by another
        // thread right now comes in a later round.
        wakers.iter().for_each(Waker::wake_by_ref);
        if wakers.is_empty() || started.elapsed() > SHUTDOWN_TIME_MAX {
            break;
        }
        take_woken();
        take_yielded();
        drop(with(|tasks| std::mem::take(&mut tasks.ready)));
    }
    drop(TASKS.take());
}
