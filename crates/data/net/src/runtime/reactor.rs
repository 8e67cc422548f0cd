//! The sockets of one thread and the driver that moves them on.
//!
//! Everything here is called by the thread that owns it. Waking a task only queues it, so wakers are
//! called and dropped freely while the reactor is borrowed; futures never are.

use std::cell::RefCell;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;

use super::epoll::Epoll;
use super::lane::{Lane, Read, Write};
use super::ring::{Features, Ring};
use crate::slots::{Slots, Walk};
use crate::{Buffer, clock};

thread_local! {
    static REACTOR: RefCell<Option<Reactor>> = const { RefCell::new(None) };
}

/// What a reactor is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The ring to build; `None` is epoll.
    pub(crate) ring: Option<Features>,
    /// Entries of its submission queue.
    pub(crate) ring_entries: u32,
    /// How long to ask for completions before sleeping.
    pub(crate) busy_poll: Option<Duration>,
    /// Sockets to have room for from the start.
    pub(crate) sockets: usize,
}

pub(crate) struct Reactor {
    pub(super) io: Io,
    driver: Driver,
}

enum Driver {
    Ring(Box<Ring>),
    Epoll(Box<Epoll>),
}

/// What both drivers work on. Entries and lanes have the same indices.
pub(super) struct Io {
    pub(super) slots: Slots,
    pub(super) lanes: Vec<Lane>,
    pub(super) watches: Slab<Watched>,
}

/// A descriptor whose readiness is all that is asked for.
pub(super) struct Watched {
    pub(super) fd: RawFd,
    pub(super) interest: Interest,
    pub(super) is_ready: bool,
    /// The driver will not report it again.
    pub(super) is_over: bool,
    /// Nobody watches any more; the driver still has to say that it doesn't either.
    pub(super) is_released: bool,
    waker: Option<Waker>,
}

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Every time there is something new to read.
    Readable,
    /// The first time it can be written to.
    Writable,
}

impl Watched {
    /// The descriptor is ready.
    pub(super) fn notify(&mut self) {
        self.is_ready = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Io {
    /// Ends the read of `index`.
    pub(super) fn finish_read(&mut self, index: u32, result: Result<u32, i32>) {
        self.lane(index).finish_read(result);
        self.free_if_over(index);
    }

    /// Ends the write of `index`.
    pub(super) fn finish_write(&mut self, index: u32, result: Result<(), i32>) {
        match result {
            Ok(()) => self.slots.end_write(index),
            Err(_) => self.slots.fail_write(index, clock::now()),
        }
        self.lane(index).finish_write(result);
        self.free_if_over(index);
    }

    pub(super) fn lane(&mut self, index: u32) -> &mut Lane {
        // Indices come from `Slots::insert`, and there is a lane for each.
        &mut self.lanes[index as usize]
    }

    fn open(&mut self, fd: OwnedFd) -> u32 {
        let lane = Lane::of(fd);
        let index = self.slots.insert(lane.raw_fd());
        match self.lanes.get_mut(index as usize) {
            Some(free) => *free = lane,
            None => self.lanes.push(lane),
        }
        index
    }

    fn free_if_over(&mut self, index: u32) {
        let lane = self.lane(index);
        if lane.is_released && lane.is_quiet() {
            *lane = Lane::free();
            self.slots.free(index);
        }
    }
}

/// Makes the calling thread's reactor.
pub(super) fn install(plan: Plan) -> io::Result<()> {
    let driver = match plan.ring {
        Some(features) => Driver::Ring(Box::new(Ring::build(features, plan)?)),
        None => Driver::Epoll(Box::new(Epoll::build(plan.busy_poll)?)),
    };
    let io = Io {
        slots: Slots::with_capacity(plan.sockets),
        lanes: Vec::with_capacity(plan.sockets),
        watches: Slab::new(),
    };
    REACTOR.set(Some(Reactor { io, driver }));
    Ok(())
}

/// Ends the calling thread's reactor. Tasks and connections have to be gone.
pub(super) fn shut_down() {
    if let Some(Reactor { mut io, driver }) = REACTOR.take()
        && let Driver::Ring(ring) = driver
        && !ring.shut_down(&mut io)
    {
        // The kernel may still write there.
        std::mem::forget(io);
    }
}

/// Calls `f` with the calling thread's reactor; `None` on a thread without one, and at the end of one.
pub(crate) fn with<T>(f: impl FnOnce(&mut Reactor) -> T) -> Option<T> {
    REACTOR.try_with(|reactor| reactor.borrow_mut().as_mut().map(f)).ok().flatten()
}

/// Calls `f` with the entries of the calling thread's sockets.
pub(crate) fn with_slots<T>(f: impl FnOnce(&mut Slots) -> T) -> Option<T> {
    with(|reactor| f(&mut reactor.io.slots))
}

/// Walks all sockets of this thread.
pub(crate) fn walk(walk: Walk) {
    with(|reactor| {
        let mut cancelled = Vec::new();
        reactor.io.slots.walk(walk, &mut cancelled);
        for index in cancelled {
            reactor.cancel_read(index);
        }
    });
}

/// Adapts how much memory the driver holds to what it used lately.
pub(crate) fn trim() {
    with(|reactor| match &mut reactor.driver {
        Driver::Ring(ring) => ring.trim(),
        Driver::Epoll(_) => {}
    });
}

impl Reactor {
    /// Takes a connected, blocking socket over; its index.
    pub(crate) fn open(&mut self, fd: OwnedFd) -> io::Result<u32> {
        let index = self.io.open(fd);
        let opened = match &mut self.driver {
            Driver::Ring(_) => Ok(()),
            Driver::Epoll(epoll) => epoll.open(index, self.io.lane(index)),
        };
        opened.inspect_err(|_| self.release(index)).map(|()| index)
    }

    /// Closes the socket once nothing is under way. A small write that has been started is still sent as
    /// far as the kernel takes it at once; all else is cancelled.
    pub(crate) fn release(&mut self, index: u32) {
        self.io.slots.close(index);
        let lane = self.io.lane(index);
        lane.release();
        match &mut self.driver {
            Driver::Ring(ring) => ring.release(index, lane),
            Driver::Epoll(epoll) => epoll.release(lane),
        }
        self.io.free_if_over(index);
    }

    /// Starts a read that nobody waits for yet.
    pub(crate) fn read_ahead(&mut self, index: u32) {
        if self.io.lane(index).read == Read::Idle {
            self.start_read(index, Buffer::unallocated());
        }
    }

    /// Starts to wait for a read into `input`, or goes on with the one that is under way. Gives `input`
    /// back if it was not needed.
    pub(crate) fn begin_read(
        &mut self,
        index: u32,
        input: Buffer,
    ) -> Result<Buffer, (io::Error, Buffer)> {
        if let Err(error) = self.io.slots.begin_read(index) {
            return Err((error, input));
        }
        if self.io.lane(index).read != Read::Idle {
            return Ok(input);
        }
        self.start_read(index, input);
        Ok(Buffer::unallocated())
    }

    fn start_read(&mut self, index: u32, input: Buffer) {
        let lane = self.io.lane(index);
        (lane.input, lane.read) = (input, Read::Pending);
        match &mut self.driver {
            Driver::Ring(ring) => ring.start_read(index, lane),
            Driver::Epoll(epoll) => epoll.try_read(index, &mut self.io),
        }
    }

    fn cancel_read(&mut self, index: u32) {
        if self.io.lane(index).read != Read::Pending {
            return;
        }
        match &mut self.driver {
            Driver::Ring(ring) => ring.cancel_read(index),
            Driver::Epoll(_) => self.io.finish_read(index, Err(libc::ECANCELED)),
        }
    }

    /// The outcome of the read that was begun, with its buffer.
    pub(crate) fn poll_read(
        &mut self,
        index: u32,
        context: &Context<'_>,
    ) -> Poll<(io::Result<usize>, Buffer)> {
        let Poll::Ready((received, input)) = self.io.lane(index).poll_read(context) else {
            return Poll::Pending;
        };
        let ended = self.io.slots.end_read(index).map_err(|error| self.cause(index, error));
        Poll::Ready((ended.and(received), input))
    }

    /// What the next read brings, which is started where none is under way. A write may be under way
    /// beside it, and no deadline ends it.
    pub(crate) fn poll_receive(
        &mut self,
        index: u32,
        context: &Context<'_>,
    ) -> Poll<(io::Result<usize>, Buffer)> {
        if let Err(error) = self.io.slots.check(index) {
            return Poll::Ready((Err(error), Buffer::unallocated()));
        }
        self.read_ahead(index);
        self.poll_read(index, context)
    }

    /// Why a read was ended: that a write has failed says more than that the time was up afterwards.
    #[cold]
    fn cause(&mut self, index: u32, error: io::Error) -> io::Error {
        match self.io.lane(index).write {
            Write::Failed(code) if error.kind() == io::ErrorKind::TimedOut => {
                io::Error::from_raw_os_error(code)
            }
            Write::Idle | Write::Pending | Write::Failed(_) => error,
        }
    }

    /// Whether a read is under way and has brought nothing, not even the end of the stream.
    pub(crate) fn is_reading(&mut self, index: u32) -> bool {
        self.io.lane(index).read == Read::Pending
    }

    /// Starts to send `output`. Only when [`Self::poll_written`] is ready.
    pub(crate) fn begin_write(&mut self, index: u32, output: Buffer) -> io::Result<()> {
        self.io.slots.begin_write(index)?;
        let lane = self.io.lane(index);
        debug_assert_eq!(lane.write, Write::Idle, "one write at a time");
        (lane.output, lane.write) = (output, Write::Pending);
        match &mut self.driver {
            Driver::Ring(ring) => ring.start_write(index, lane),
            Driver::Epoll(epoll) => epoll.try_write(index, &mut self.io),
        }
        match self.io.lane(index).write {
            Write::Idle | Write::Pending => Ok(()),
            Write::Failed(code) => Err(io::Error::from_raw_os_error(code)),
        }
    }

    /// Ready when no write is under way, with the error of the one that failed.
    pub(crate) fn poll_written(
        &mut self,
        index: u32,
        context: &Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Poll::Ready(written) = self.io.lane(index).poll_written(context) else {
            match &mut self.driver {
                Driver::Ring(ring) => ring.wake_on_sends(),
                Driver::Epoll(_) => {}
            }
            return Poll::Pending;
        };
        // That the socket was shut down says more than that the kernel then refused to send.
        Poll::Ready(self.io.slots.check(index).and(written))
    }

    /// Whether all that was written has been taken by the kernel.
    pub(crate) fn is_written(&mut self, index: u32) -> bool {
        self.io.lane(index).write == Write::Idle
    }

    /// The descriptor of a socket.
    pub(crate) fn fd(&mut self, index: u32) -> RawFd {
        self.io.lane(index).raw_fd()
    }

    /// Watches `fd`, which has to stay open until [`Self::unwatch`]; the key of the watch.
    pub(crate) fn watch(&mut self, fd: RawFd, interest: Interest) -> io::Result<usize> {
        let watched = Watched {
            fd,
            interest,
            is_ready: false,
            is_over: false,
            is_released: false,
            waker: None,
        };
        let key = self.io.watches.insert(watched);
        match &mut self.driver {
            Driver::Ring(ring) => ring.watch(key, fd, interest),
            Driver::Epoll(epoll) => epoll.watch(key, fd, interest).inspect_err(|_| {
                self.io.watches.remove(key);
            })?,
        }
        Ok(key)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, key: usize) {
        let Some(watched) = self.io.watches.get_mut(key) else { return };
        watched.is_released = true;
        watched.waker = None;
        match &mut self.driver {
            Driver::Ring(ring) => ring.unwatch(key, &mut self.io),
            Driver::Epoll(epoll) => epoll.unwatch(key, &mut self.io),
        }
    }

    /// Ready when the watched descriptor has been since the last time.
    pub(crate) fn poll_watch(&mut self, key: usize, context: &Context<'_>) -> Poll<()> {
        let Some(watched) = self.io.watches.get_mut(key) else { return Poll::Ready(()) };
        if std::mem::take(&mut watched.is_ready) {
            return Poll::Ready(());
        }
        watched.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Whether the watched descriptor was ready since the last time.
    pub(super) fn take_ready(&mut self, key: usize) -> bool {
        self.io.watches.get_mut(key).is_some_and(|watched| std::mem::take(&mut watched.is_ready))
    }

    /// Hands everything started to the kernel and takes what it has completed. With `may_wait`, waits
    /// until there is something. An error is one that would come again with every turn.
    pub(super) fn turn(&mut self, may_wait: bool) -> io::Result<()> {
        match &mut self.driver {
            Driver::Ring(ring) => ring.turn(&mut self.io, may_wait),
            Driver::Epoll(epoll) => epoll.turn(&mut self.io, may_wait),
        }
    }
}
