//! One stream socket, TCP or Unix: whole operations on buffers, with deadlines and parking.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::time::Duration;

use monoio::io::{AsyncReadRent, AsyncWriteRent, CancelableAsyncReadRent};
use monoio::net::UnixStream;
use socket2::SockRef;

use crate::Buffer;
use crate::slots::Slot;
use crate::system::{self, Half};

/// What an operation that the tick cancelled ends with.
const CANCELLED: i32 = libc::ECANCELED;

fn is_cancelled(error: &io::Error) -> bool {
    error.raw_os_error() == Some(CANCELLED)
}

/// An open socket. `stream` is the runtime's plain wrapper of a descriptor: nothing it does here is
/// special to Unix sockets, and its TCP twin is ten times as large.
pub(crate) struct Socket {
    // Before `stream`, so that the tick never sees the number of a closed descriptor.
    slot: Slot,
    stream: UnixStream,
}

impl Socket {
    /// Takes a connected socket over.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        let stream = UnixStream::from_std(StdUnixStream::from(fd))?;
        Ok(Self { slot: Slot::new(stream.as_raw_fd()), stream })
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Appends what one read brings to `buffer`, which must have spare room; 0 is the end of the stream.
    ///
    /// While nothing comes and `buffer` holds no data it is given back to the pool, and another one
    /// comes with the data.
    pub(crate) async fn receive(&mut self, buffer: Buffer) -> (io::Result<usize>, Buffer) {
        let mut buffer = buffer;
        let mut may_park = buffer.is_empty();
        loop {
            let cancel = match self.slot.begin_read(may_park) {
                Ok(cancel) => cancel,
                Err(error) => return (Err(error), buffer),
            };
            let (received, returned) = match cancel {
                Some(cancel) => self.stream.cancelable_read(buffer, cancel).await,
                None => self.stream.read(buffer).await,
            };
            let ended = self.slot.end();
            match received {
                Err(error) if may_park && ended.is_ok() && is_cancelled(&error) => {}
                received => return (ended.and(received), returned),
            }
            // Cancelled, though not because of the time: parked.
            drop(returned);
            if let Err(error) = self.wait_readable().await {
                return (Err(error), Buffer::unallocated());
            }
            // What made the socket readable is there: this read does not wait.
            (buffer, may_park) = (Buffer::new(), false);
        }
    }

    /// Waits without a buffer until there is something to read, the end of the stream included.
    async fn wait_readable(&mut self) -> io::Result<()> {
        self.slot.begin_wait()?;
        let readable = self.stream.readable(false).await;
        self.slot.end().and(readable)
    }

    /// Sends all of `buffer` and gives it back empty.
    pub(crate) async fn send(&mut self, buffer: Buffer) -> io::Result<Buffer> {
        let mut buffer = buffer;
        while !buffer.is_empty() {
            self.slot.begin_write()?;
            let (sent, returned) = self.stream.write(buffer).await;
            self.slot.end()?;
            buffer = returned;
            match sent? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero)),
                count => buffer.consume(count),
            }
        }
        Ok(buffer)
    }

    /// Tells the peer that nothing more comes.
    pub(crate) fn end_sending(&self) {
        system::shut_down(self.fd(), Half::Write);
    }

    /// Makes closing drop what was not sent and tell the peer by a reset.
    pub(crate) fn reset_on_close(&self) {
        // An error leaves an orderly close, which is the best that remains.
        let _ = SockRef::from(&system::borrow(&self.stream)).set_linger(Some(Duration::ZERO));
    }

    /// Whether the peer hung up, found by the tick or by asking now.
    pub(crate) fn is_gone(&self) -> bool {
        if self.slot.is_marked_gone() {
            return true;
        }
        let mut entry = [system::poll_entry(self.fd(), libc::POLLRDHUP)];
        system::poll_now(&mut entry).is_ok() && entry.iter().any(|entry| entry.revents != 0)
    }
}
