//! Messages over a connection: the WebSocket protocol without a thread that waits.

use std::borrow::BorrowMut;
use std::io::{self, Read, Write};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use net::{Buffer, Connection, now};
use tungstenite::Error;
use tungstenite::error::{CapacityError, ProtocolError};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig, WebSocketContext};

/// Room for frames as they come in. It is there for as long as the connection is.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Bytes of messages that wait to be sent. Whoever sends waits before it comes to that.
const UNSENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One end of a WebSocket.
pub(super) struct Channel<C> {
    connection: C,
    context: WebSocketContext,
    pipe: Pipe,
    /// Taken from the pipe and not sent.
    unsent: Buffer,
    send_timeout: Duration,
}

/// What lies between the protocol and the connection.
#[derive(Default)]
struct Pipe {
    incoming: Buffer,
    outgoing: Vec<u8>,
}

/// Why no message comes any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// Both sides have said so.
    Closed,
    /// The connection is gone.
    Gone,
    /// The peer breaks the rules, and has been told which.
    Broken,
}

impl<C: BorrowMut<Connection>> Channel<C> {
    /// The end of that role, which takes messages of `message_bytes_max` and gives the peer
    /// `send_timeout` to take each of its own.
    pub(super) fn new(
        connection: C,
        role: Role,
        message_bytes_max: usize,
        send_timeout: Duration,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(UNSENT_BYTES_MAX)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        Self {
            connection,
            context: WebSocketContext::new(role, Some(config)),
            pipe: Pipe::default(),
            unsent: Buffer::unallocated(),
            send_timeout,
        }
    }

    /// The same, behind `input`, which has been received already.
    pub(super) fn after(mut self, input: Buffer) -> Self {
        self.pipe.incoming = input;
        self
    }

    /// The next text or other message that is not of the protocol itself.
    pub(super) fn poll_message(&mut self, context: &Context<'_>) -> Poll<Result<Message, Over>> {
        loop {
            match self.context.read(&mut self.pipe) {
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => {
                    continue;
                }
                Ok(message) => return Poll::Ready(Ok(message)),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => {
                    return Poll::Ready(Err(Over::Closed));
                }
                Err(error) => {
                    self.close(code_of(&error), "this is not allowed");
                    return Poll::Ready(Err(Over::Broken));
                }
            }
            match ready!(self.connection.borrow_mut().poll_piece(context)) {
                Ok(piece) if !piece.is_empty() => self.pipe.incoming = piece,
                Ok(_) | Err(_) => return Poll::Ready(Err(Over::Gone)),
            }
        }
    }

    /// Queues a text.
    pub(super) fn send(&mut self, text: &str) {
        // A peer that has closed is told no more, and memory takes all there is.
        let _ = self.context.write(&mut self.pipe, Message::text(text));
    }

    /// Queues the last message.
    pub(super) fn close(&mut self, code: CloseCode, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = self.context.close(&mut self.pipe, Some(frame));
    }

    /// Whether something is queued that [`Self::poll_flush`] has not taken.
    pub(super) fn has_more(&self) -> bool {
        !self.pipe.outgoing.is_empty()
    }

    /// Ready when everything queued has been handed to the kernel.
    pub(super) fn poll_flush(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let deadline = now() + self.send_timeout;
            let connection = self.connection.borrow_mut();
            ready!(connection.poll_send(&mut self.unsent, deadline, context))?;
            if self.pipe.outgoing.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.unsent = Buffer::from(std::mem::take(&mut self.pipe.outgoing));
        }
    }
}

/// What the peer is told about its mistake (RFC 6455 §7.4.1).
fn code_of(error: &Error) -> CloseCode {
    match error {
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Capacity(CapacityError::MessageTooLong { .. }) => CloseCode::Size,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => CloseCode::Away,
        _ => CloseCode::Protocol,
    }
}

impl Read for Pipe {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            self.incoming = Buffer::unallocated();
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = self.incoming.as_slice().read(room)?;
        self.incoming.consume(count);
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
