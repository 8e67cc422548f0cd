//! The runtime of a worker thread: tasks, timers and sockets of one thread, over io_uring or epoll.
//!
//! It is our own because a proxy's cost is the system calls and the copies around two sockets, and a
//! general runtime decides about both. Three rules make it lean:
//!
//! - *A write returns when it has been queued.* It leaves with the next wait, in the same system call. Its
//!   error comes with the next write, flush or close of that socket; a large write, and one behind
//!   another, is waited for.
//! - *A read that waits holds no memory*, so it may wait for as long as it likes: an idle pooled connection
//!   is always being read from, and a close is seen when it happens.
//! - *Operations belong to their socket* ([`lane`]) and not to a future. Nothing is allocated for one, and
//!   a dropped future loses nothing.
//!
//! Deadlines are the tick's business ([`crate::slots`]).
//!
//! One turn of the loop runs the tasks that are ready, hands what they started to the kernel, and takes
//! what has completed, which makes tasks ready. It sleeps only when no task is ready.

mod blocks;
mod epoll;
mod executor;
mod lane;
mod reactor;
mod ring;
mod timers;

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::rc::Rc;

pub(crate) use reactor::{Interest, Plan, trim, walk, with, with_slots};
pub(crate) use ring::{Features, SMALL_BYTES_MAX};
pub(crate) use timers::sleep;

use crate::clock;
use crate::guard::contain;

/// The calling thread's runtime. Dropping it drops all tasks and closes all sockets.
pub(crate) struct Runtime {
    /// Watches for what other threads wake.
    woken: usize,
    /// Watches the clock.
    clock: usize,
    _not_send: PhantomData<*const ()>,
}

impl Runtime {
    /// Makes the calling thread's runtime; it has at most one.
    pub(crate) fn install(plan: Plan) -> io::Result<Self> {
        reactor::install(plan)?;
        // From here on `drop` cleans up.
        let mut runtime = Self { woken: usize::MAX, clock: usize::MAX, _not_send: PhantomData };
        let (woken, clock) = (executor::install()?, timers::install()?);
        runtime.woken = watch(woken)?;
        runtime.clock = watch(clock)?;
        // A sandbox may allow to make a driver and refuse to let it work: that is an error of the start.
        with(|reactor| reactor.turn(false)).unwrap_or_else(|| Err(no_runtime()))?;
        Ok(runtime)
    }

    /// Runs tasks until `main` has ended, which is one of them, or until the kernel serves this thread no
    /// more.
    pub(crate) fn run(&self, main: impl Future<Output = ()> + 'static) -> io::Result<()> {
        let is_over = Rc::new(Cell::new(false));
        let ending = Ending(Rc::clone(&is_over));
        spawn(async move {
            let _ending = ending;
            main.await;
        });
        clock::begin_turn();
        loop {
            executor::run_ready();
            if is_over.get() {
                return Ok(());
            }
            self.turn()?;
        }
    }

    /// Hands what tasks have started to the kernel, and makes those ready that it has news for.
    fn turn(&self) -> io::Result<()> {
        timers::arm();
        let may_wait = !executor::is_busy();
        let news = with(|reactor| {
            reactor.turn(may_wait)?;
            Ok((reactor.take_ready(self.woken), reactor.take_ready(self.clock)))
        });
        clock::begin_turn();
        let (is_woken, is_time) = news.unwrap_or_else(|| Err(no_runtime()))?;
        if is_woken {
            executor::take_woken();
        }
        if is_time {
            timers::fire();
        }
        executor::take_yielded();
        Ok(())
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        executor::shut_down();
        with(|reactor| {
            reactor.unwatch(self.woken);
            reactor.unwatch(self.clock);
        });
        reactor::shut_down();
        timers::uninstall();
        clock::end_turns();
    }
}

/// Says that the main task has ended, however it ended.
struct Ending(Rc<Cell<bool>>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

/// Runs `future` on this thread beside all else. A panic in it ends it alone and is counted.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    executor::spawn(contain(future));
}

/// Lets every other task that is ready and every completed operation go first.
pub(crate) async fn yield_now() {
    let mut has_yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

fn watch(fd: std::os::fd::RawFd) -> io::Result<usize> {
    with(|reactor| reactor.watch(fd, Interest::Readable)).unwrap_or_else(|| Err(no_runtime()))
}

/// Readiness of a descriptor.
pub(crate) struct Watch {
    key: usize,
    _not_send: PhantomData<*const ()>,
}

impl Watch {
    /// Watches `owner`'s descriptor, which has to outlive the watch.
    pub(crate) fn new(owner: &impl AsRawFd, interest: Interest) -> io::Result<Self> {
        let watched = with(|reactor| reactor.watch(owner.as_raw_fd(), interest));
        let key = watched.unwrap_or_else(|| Err(no_runtime()))?;
        Ok(Self { key, _not_send: PhantomData })
    }

    /// Waits until the descriptor is ready, if it has not been since the last wait.
    pub(crate) async fn ready(&self) {
        std::future::poll_fn(|context| {
            with(|reactor| reactor.poll_watch(self.key, context))
                .unwrap_or(std::task::Poll::Ready(()))
        })
        .await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        with(|reactor| reactor.unwatch(self.key));
    }
}

/// The error of asking for something on a thread that is no worker, or no longer.
#[cold]
pub(crate) fn no_runtime() -> io::Error {
    io::Error::other("this thread is no worker")
}

#[cfg(test)]
mod tests;
