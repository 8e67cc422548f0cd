//! What goes on at one socket: at most one read and one write, whether or not anyone waits for them.
//!
//! The driver moves a lane on; a [`super::Socket`] starts operations and takes their results. Buffers stay
//! in the lane from the start of an operation to its end, so a driver may hand their memory to the
//! kernel, and dropping a future takes nothing away.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::task::{Context, Poll, Waker};

use crate::Buffer;

/// One socket.
pub(super) struct Lane {
    /// Closed with the lane's last operation; `None` while the lane is free.
    pub(super) fd: Option<OwnedFd>,
    pub(super) read: Read,
    /// What is read goes behind what is in here. Without memory of its own it gets some when bytes come.
    pub(super) input: Buffer,
    pub(super) write: Write,
    /// What the pending write has not sent yet.
    pub(super) output: Buffer,
    waiter: Option<Waker>,
    /// What the waiter wants to hear of: [`AWAITS_READ`], [`AWAITS_WRITE`], both in a tunnel.
    awaits: u8,
    /// Trying to read at once may succeed: the kernel has not said that everything was read.
    pub(super) may_be_readable: bool,
    /// Trying to send at once may succeed: the last send was taken whole.
    pub(super) may_be_writable: bool,
    /// The peer will send nothing more: every read succeeds at once.
    pub(super) is_ended: bool,
    /// Nobody will ask for results any more.
    pub(super) is_released: bool,
}

/// The state of a lane's read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Idle,
    Pending,
    /// So many bytes were appended, or this error code came instead.
    Done(Result<u32, i32>),
}

/// The state of a lane's write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write {
    Idle,
    Pending,
    /// The error code; there is no other write after it.
    Failed(i32),
}

const AWAITS_READ: u8 = 1;
const AWAITS_WRITE: u8 = 2;

impl Lane {
    /// A lane that is not in use.
    pub(super) fn free() -> Self {
        Self {
            fd: None,
            read: Read::Idle,
            input: Buffer::unallocated(),
            write: Write::Idle,
            output: Buffer::unallocated(),
            waiter: None,
            awaits: 0,
            may_be_readable: true,
            may_be_writable: true,
            is_ended: false,
            is_released: false,
        }
    }

    /// A lane for a connected socket.
    pub(super) fn of(fd: OwnedFd) -> Self {
        Self { fd: Some(fd), ..Self::free() }
    }

    /// The socket; -1 while the lane is free.
    pub(super) fn raw_fd(&self) -> RawFd {
        self.fd.as_ref().map_or(-1, OwnedFd::as_raw_fd)
    }

    /// Whether the driver has nothing under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.read != Read::Pending && self.write != Write::Pending
    }

    /// The read has ended.
    pub(super) fn finish_read(&mut self, result: Result<u32, i32>) {
        self.read = Read::Done(result);
        self.wake(AWAITS_READ);
    }

    /// The write has ended.
    pub(super) fn finish_write(&mut self, result: Result<(), i32>) {
        self.output = Buffer::unallocated();
        self.write = match result {
            Ok(()) => Write::Idle,
            Err(code) => Write::Failed(code),
        };
        self.wake(AWAITS_WRITE);
    }

    fn wake(&mut self, awaited: u8) {
        if self.awaits & awaited != 0
            && let Some(waiter) = &self.waiter
        {
            self.awaits &= !awaited;
            waiter.wake_by_ref();
        }
    }

    /// The outcome of the read that was started, with its buffer.
    pub(super) fn poll_read(&mut self, context: &Context<'_>) -> Poll<(io::Result<usize>, Buffer)> {
        match self.read {
            Read::Done(result) => {
                self.read = Read::Idle;
                let received = match result {
                    Ok(count) => Ok(count as usize),
                    Err(code) => Err(io::Error::from_raw_os_error(code)),
                };
                Poll::Ready((received, std::mem::take(&mut self.input)))
            }
            Read::Pending | Read::Idle => self.wait(AWAITS_READ, context),
        }
    }

    /// Ready when no write is under way, with the error of one that failed.
    pub(super) fn poll_written(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        match self.write {
            Write::Idle => Poll::Ready(Ok(())),
            Write::Failed(code) => Poll::Ready(Err(io::Error::from_raw_os_error(code))),
            Write::Pending => self.wait(AWAITS_WRITE, context),
        }
    }

    /// Remembers whom to wake. The waker is kept between operations: it is nearly always the same task.
    fn wait<T>(&mut self, awaits: u8, context: &Context<'_>) -> Poll<T> {
        let is_known = self.waiter.as_ref().is_some_and(|known| known.will_wake(context.waker()));
        if !is_known {
            self.waiter = Some(context.waker().clone());
        }
        self.awaits |= awaits;
        Poll::Pending
    }

    /// Forgets whom to wake.
    pub(super) fn release(&mut self) {
        self.is_released = true;
        self.waiter = None;
        self.awaits = 0;
    }
}
