//! One stream socket, TCP or Unix: reads and writes of whole buffers, with deadlines.

use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;

use crate::runtime::{self, SMALL_BYTES_MAX, no_runtime};
use crate::slots::{Slots, Tie};
use crate::system::{self, Half};
use crate::{Buffer, Tick};

/// An open socket of this worker. Dropping it closes it.
pub(crate) struct Socket {
    index: u32,
    /// The index means something on this thread only.
    _not_send: PhantomData<*const ()>,
}

impl Socket {
    /// Takes a connected, blocking socket over.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        let opened = runtime::with(|reactor| reactor.open(fd));
        let index = opened.unwrap_or_else(|| Err(no_runtime()))?;
        Ok(Self { index, _not_send: PhantomData })
    }

    /// Appends what one read brings to `input`; 0 is the end of the stream. Where `input` holds no memory
    /// it gets some with the first byte.
    pub(crate) async fn receive(&mut self, input: Buffer) -> (io::Result<usize>, Buffer) {
        let begun = runtime::with(|reactor| reactor.begin_read(self.index, input));
        let input = match begun {
            Some(Ok(input)) => input,
            Some(Err((error, input))) => return (Err(error), input),
            None => return (Err(no_runtime()), Buffer::unallocated()),
        };
        let (received, news) = poll_fn(|context| {
            let polled = runtime::with(|reactor| reactor.poll_read(self.index, context));
            polled.unwrap_or_else(|| Poll::Ready((Err(no_runtime()), Buffer::unallocated())))
        })
        .await;
        if input.is_empty() {
            return (received, news);
        }
        // The read had been started ahead.
        let mut input = input;
        input.extend_from_slice(news.as_slice());
        (received, input)
    }

    /// Starts the next read before anyone waits for it.
    pub(crate) fn read_ahead(&mut self) {
        runtime::with(|reactor| reactor.read_ahead(self.index));
    }

    /// Whether a read is under way and has brought nothing, not even the end of the stream.
    pub(crate) fn is_reading(&self) -> bool {
        runtime::with(|reactor| reactor.is_reading(self.index)).unwrap_or(false)
    }

    /// Sends all of `output`. A small one is only queued, behind the one before it; a large one is waited
    /// for.
    pub(crate) async fn send(&mut self, output: Buffer) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let is_small = output.len() <= SMALL_BYTES_MAX;
        if !self.is_written() {
            self.written().await?;
        }
        let begun = runtime::with(|reactor| reactor.begin_write(self.index, output));
        begun.unwrap_or_else(|| Err(no_runtime()))?;
        if is_small { Ok(()) } else { self.written().await }
    }

    /// Waits until the kernel has taken all that was sent.
    pub(crate) async fn written(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_written(context)).await
    }

    /// What the next read brings, while writes go on. No deadline ends it.
    pub(crate) fn poll_receive(
        &mut self,
        context: &Context<'_>,
    ) -> Poll<(io::Result<usize>, Buffer)> {
        let polled = runtime::with(|reactor| reactor.poll_receive(self.index, context));
        polled.unwrap_or_else(|| Poll::Ready((Err(no_runtime()), Buffer::unallocated())))
    }

    /// Ready when the kernel has taken all that was sent.
    pub(crate) fn poll_written(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        let polled = runtime::with(|reactor| reactor.poll_written(self.index, context));
        polled.unwrap_or_else(|| Poll::Ready(Err(no_runtime())))
    }

    /// Starts to send `output`, which the kernel has to take by `deadline`. Only when
    /// [`Self::poll_written`] is ready.
    pub(crate) fn begin_send(&mut self, output: Buffer, deadline: Tick) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        self.set_deadline(Some(deadline));
        let begun = runtime::with(|reactor| reactor.begin_write(self.index, output));
        // A write keeps the deadline it was begun with; a read beside it has none.
        self.set_deadline(None);
        begun.unwrap_or_else(|| Err(no_runtime()))
    }

    /// Whether the kernel has taken all that was sent.
    pub(crate) fn is_written(&self) -> bool {
        runtime::with(|reactor| reactor.is_written(self.index)).unwrap_or(false)
    }

    /// The same socket once more, which outlives this one.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        let fd = runtime::with(|reactor| reactor.fd(self.index)).ok_or_else(no_runtime)?;
        system::borrow(&fd).try_clone_to_owned()
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn end_sending(&self) {
        runtime::with(|reactor| system::shut_down(reactor.fd(self.index), Half::Write));
    }

    /// Makes closing drop what was not sent and tell the peer by a reset.
    pub(crate) fn reset_on_close(&self) {
        runtime::with(|reactor| {
            let fd = reactor.fd(self.index);
            // An error leaves an orderly close, which is the best that remains.
            let _ = SockRef::from(&system::borrow(&fd)).set_linger(Some(Duration::ZERO));
        });
    }

    /// Whether the peer hung up, found by the tick or by asking now.
    pub(crate) fn is_gone(&self) -> bool {
        if self.slots(|slots, index| slots.is_gone(index)).unwrap_or(true) {
            return true;
        }
        let fd = runtime::with(|reactor| reactor.fd(self.index)).unwrap_or(-1);
        let mut entry = [system::poll_entry(fd, libc::POLLRDHUP)];
        system::poll_now(&mut entry).is_ok() && entry.iter().any(|entry| entry.revents != 0)
    }

    /// Says that the other end is a client.
    pub(crate) fn set_client(&self) {
        self.slots(|slots, index| slots.set_client(index));
    }

    /// Sets the moment after which a pending operation is ended; `None` for never.
    pub(crate) fn set_deadline(&self, at: Option<Tick>) {
        self.slots(|slots, index| slots.set_deadline(index, at));
    }

    /// Says whether the connection waits for its next request.
    pub(crate) fn set_idle(&self, is_idle: bool) {
        self.slots(|slots, index| slots.set_idle(index, is_idle));
    }

    /// Whether no read was dropped half-way, everything written has been taken, and the socket is not
    /// shut down.
    pub(crate) fn is_sound(&self) -> bool {
        self.is_written() && self.slots(|slots, index| slots.is_sound(index)).unwrap_or(false)
    }

    fn slots<T>(&self, f: impl FnOnce(&mut Slots, u32) -> T) -> Option<T> {
        runtime::with_slots(|slots| f(slots, self.index))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        runtime::with(|reactor| reactor.release(self.index));
    }
}

/// A tie between a client and an upstream, undone on drop.
pub(crate) struct Pairing {
    tie: Option<Tie>,
    _not_send: PhantomData<*const ()>,
}

impl Pairing {
    /// Ties the two together. A side that was tied before is freed.
    pub(crate) fn new(client: &Socket, upstream: &Socket) -> Self {
        let tie = runtime::with_slots(|slots| slots.pair(client.index, upstream.index));
        Self { tie, _not_send: PhantomData }
    }
}

impl Drop for Pairing {
    fn drop(&mut self) {
        if let Some(tie) = self.tie {
            runtime::with_slots(|slots| slots.untie(tie));
        }
    }
}
