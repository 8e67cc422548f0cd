//! A connection of either side: TCP or Unix, plain or TLS, read into a buffer and written from one.

mod duplex;

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use seam::Arrived;

use crate::socket::{Pairing, Socket};
use crate::tls::layers::{Decrypted, Layers};
use crate::tls::{ServerTls, protocol_error};
use crate::worker::Serving;
use crate::{BudgetSpent, Buffer, Tick, clock};

/// Time an orderly close may take: the peer need not read what we say last.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

/// Bytes an orderly close reads and drops, so that a client still sending its request gets to read the
/// refusal instead of a reset.
const CLOSE_BYTES_MAX: usize = 256 * 1024;

/// A connection to a client or an upstream.
///
/// One operation at a time. An operation whose future is dropped half-way may have taken bytes with it:
/// after that every operation fails, and the connection is good for dropping only.
pub struct Connection {
    socket: Socket,
    input: Buffer,
    tls: Option<Box<Layers>>,
    peer: Option<SocketAddr>,
    /// The peer is spoken to over TLS, by this connection or before it.
    is_tls: bool,
    /// See [`Self::carried`].
    _token: Option<Box<dyn Any + Send>>,
    /// Counts a client's connection, whichever task holds it.
    serving: Option<Serving>,
}

impl Connection {
    /// Takes a connected socket over.
    pub(crate) fn new(fd: OwnedFd, peer: Option<SocketAddr>) -> io::Result<Self> {
        let socket = Socket::new(fd)?;
        Ok(Self {
            socket,
            input: Buffer::unallocated(),
            tls: None,
            peer,
            is_tls: false,
            _token: None,
            serving: None,
        })
    }

    /// Is one of those that the worker serves: the other end is a client.
    pub(crate) fn counted(mut self, serving: Serving) -> Self {
        self.socket.set_client();
        self.serving = Some(serving);
        self
    }

    /// Speaks TLS from here on, as the server. The handshake happens with the first [`Self::fill`].
    pub(crate) fn with_server_tls(mut self, tls: &ServerTls) -> io::Result<Self> {
        let layers = Layers::server(tls).map_err(protocol_error)?;
        (self.is_tls, self.tls) = (true, Some(Box::new(layers)));
        Ok(self)
    }

    /// Carries what a peer says that is connected elsewhere, and whether it says it over TLS there. Keeps
    /// `token` as long as it lives.
    pub(crate) fn carried(mut self, is_secure: bool, token: Box<dyn Any + Send>) -> Self {
        (self.is_tls, self._token) = (is_secure, Some(token));
        self
    }

    /// Speaks TLS from here on, inside of what is spoken already, and finishes the handshake.
    pub(crate) async fn start_client_tls(&mut self, layers: Layers) -> io::Result<()> {
        let layers = match self.tls.take() {
            Some(carrier) => layers.carried_by(*carrier),
            None => layers,
        };
        (self.is_tls, self.tls) = (true, Some(Box::new(layers)));
        self.finish_handshake().await?;
        self.send_records().await
    }

    async fn finish_handshake(&mut self) -> io::Result<()> {
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.exchange_handshake().await?;
        }
        Ok(())
    }

    /// The address at the other end; `None` for a Unix socket.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// Whether the connection to the peer is encrypted.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Whether the client asked for HTTP/2 as it began TLS. Nothing can be read then or written: the
    /// connection is good for [`Self::detach`].
    pub fn offers_http2(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.offers_http2())
    }

    /// Takes the socket out of this worker, with what was read from it and is not consumed. Only for a
    /// client's connection on which nothing was written, and TLS not begun.
    ///
    /// # Errors
    /// When the process is out of descriptors.
    pub fn detach(self) -> io::Result<Arrived> {
        let socket = self.socket.duplicate()?;
        let Self { input, tls, peer, .. } = self;
        let is_tls = tls.is_some();
        let received = match tls {
            Some(tls) => tls.into_hello(),
            None => input,
        };
        Ok(Arrived { socket, peer, received: received.as_slice().to_vec(), is_tls })
    }

    /// Bytes read and not consumed.
    pub fn input(&self) -> &[u8] {
        self.input.as_slice()
    }

    /// Drops `count` bytes from the front of the input. With the last one the buffer goes back to the
    /// pool: a client that waits for its reply needs none.
    pub fn consume(&mut self, count: usize) {
        self.input.consume(count);
        if self.input.is_empty() {
            self.input = Buffer::unallocated();
        }
    }

    /// The input in its buffer, to forward it without a copy. The next [`Self::fill`] takes a new one.
    pub fn take_input(&mut self) -> Buffer {
        std::mem::take(&mut self.input)
    }

    /// Gives back input that was taken and not used; it is read before anything else. Only while
    /// there is no other input.
    pub fn put_input(&mut self, input: Buffer) {
        debug_assert!(self.input.is_empty(), "input would be lost");
        self.input = input;
    }

    /// Makes room to hold an input of `total` bytes in one piece.
    pub fn reserve_input(&mut self, total: usize) -> Result<(), BudgetSpent> {
        self.input.try_reserve(total.saturating_sub(self.input.len()))
    }

    /// Appends what one read brings to the input and returns its length; 0 is the end of the stream.
    ///
    /// Without spare room the input first doubles, so the caller bounds it by not calling again.
    ///
    /// # Errors
    /// `Unsupported` when the client begins with TLS for HTTP/2 ([`Self::offers_http2`]), `TimedOut`
    /// after the deadline, `ConnectionAborted` when the paired client hung up or the worker
    /// closes, `UnexpectedEof` when a TLS stream ends unannounced (truncation), `OutOfMemory` when the
    /// budget for buffers is spent. After `TimedOut` a client can still be written to, and nothing can
    /// be done with an upstream.
    pub async fn fill(&mut self) -> io::Result<usize> {
        // TLS costs microseconds anyway; boxed, it does not make every waiting connection larger.
        if self.tls.is_some() {
            Box::pin(self.fill_secure()).await
        } else {
            self.fill_plain().await
        }
    }

    async fn fill_plain(&mut self) -> io::Result<usize> {
        self.make_room()?;
        let input = std::mem::take(&mut self.input);
        let (received, input) = self.socket.receive(input).await;
        // An empty buffer goes back to the pool at once: after the end, or after an error, none is needed.
        if !input.is_empty() {
            self.input = input;
        }
        received
    }

    async fn fill_secure(&mut self) -> io::Result<usize> {
        loop {
            match self.decrypt() {
                Ok(Decrypted::Bytes(count)) => return Ok(count),
                Ok(Decrypted::Closed) => return Ok(0),
                Ok(Decrypted::Starved) => self.receive_records().await?,
                Err(error) => {
                    // The alert that tells the peer why. That it does not arrive is no further error.
                    let _ = self.send_records().await;
                    return Err(error);
                }
            }
        }
    }

    /// One read of records, after sending what the handshake has to say.
    async fn receive_records(&mut self) -> io::Result<()> {
        self.send_records().await?;
        let (received, records) = self.socket.receive(Buffer::unallocated()).await;
        let count = received?;
        if let Some(tls) = &mut self.tls {
            match count {
                0 => tls.feed_end(),
                _ => tls.feed(records),
            }
            if tls.offers_http2() {
                return Err(io::Error::from(io::ErrorKind::Unsupported));
            }
        }
        Ok(())
    }

    async fn exchange_handshake(&mut self) -> io::Result<()> {
        self.receive_records().await?;
        let decrypted = self.decrypt();
        if decrypted.is_err() {
            let _ = self.send_records().await;
        }
        match decrypted? {
            Decrypted::Bytes(_) | Decrypted::Starved => Ok(()),
            Decrypted::Closed => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }

    fn decrypt(&mut self) -> io::Result<Decrypted> {
        match &mut self.tls {
            Some(tls) => tls.decrypt(&mut self.input),
            None => Ok(Decrypted::Starved),
        }
    }

    /// Input without memory gets some with its first byte.
    fn make_room(&mut self) -> io::Result<()> {
        if self.input.capacity() == 0 || self.input.spare() > 0 {
            return Ok(());
        }
        self.input.try_grow().map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))
    }

    /// Sends all of `buffer`. A small one is queued and leaves with the worker's next wait, a large one
    /// or one behind another is waited for.
    ///
    /// # Errors
    /// As for [`Self::fill`], and those of the operating system. What becomes of a queued write is told by
    /// the next write, by [`Self::flush`] and by nobody else: [`Self::fill`] still reads what the peer
    /// has sent.
    pub async fn write(&mut self, buffer: Buffer) -> io::Result<()> {
        if self.tls.is_some() {
            Box::pin(self.write_secure(buffer)).await
        } else {
            self.socket.send(buffer).await
        }
    }

    /// Waits until the kernel has taken everything that was written.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.socket.written().await
    }

    /// Whether the kernel has taken everything that was written. After the reply to it has come, `false`
    /// says that the peer answered early, or that it reads no more.
    pub fn is_written(&self) -> bool {
        self.socket.is_written()
    }

    async fn write_secure(&mut self, buffer: Buffer) -> io::Result<()> {
        // Before its end a session takes data without sending it, and then no more. Boxed, because it
        // happens once at most and would take room in every write.
        if self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            Box::pin(self.finish_handshake()).await?;
        }
        let mut data = buffer;
        while !data.is_empty() {
            if let Some(tls) = &mut self.tls {
                let taken = tls.encrypt(data.as_slice(), crate::pool::block_bytes())?;
                data.consume(taken);
            }
            self.send_records().await?;
        }
        Ok(())
    }

    /// Sends what the TLS session still has to say, if there is one.
    async fn send_records(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let mut records = Buffer::unallocated();
        tls.take_outgoing(&mut records)?;
        if !records.is_empty() {
            self.socket.send(records).await?;
        }
        Ok(())
    }

    /// Ends the connection in order: everything written arrives, and then the end of the stream.
    pub async fn close(mut self) {
        self.socket.set_deadline(Some(clock::now() + CLOSE_TIME_MAX));
        // A peer that has gone need not be told.
        let _ = self.say_goodbye().await;
    }

    /// Like [`Self::close`] for a request that was not read to its end: what the client still sends is
    /// read and dropped for a moment, because closing with unread input resets the connection, and the
    /// reset overtakes the reply.
    pub async fn close_unread(mut self) {
        self.socket.set_deadline(Some(clock::now() + CLOSE_TIME_MAX));
        if self.say_goodbye().await.is_err() {
            return;
        }
        let mut dropped = 0;
        while dropped < CLOSE_BYTES_MAX {
            match self.socket.receive(Buffer::unallocated()).await {
                (Ok(1..), ignored) => dropped += ignored.len(),
                _ => return,
            }
        }
    }

    async fn say_goodbye(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.end_sending();
        }
        self.send_records().await?;
        self.flush().await?;
        self.socket.end_sending();
        Ok(())
    }

    /// Ends the connection at once with a reset; what was written last may not arrive.
    pub fn abort(self) {
        self.socket.reset_on_close();
    }

    /// From now on every operation fails that is still pending at `at`; `None` lifts it. Late by up to
    /// two ticks ([`crate::TICK`]). A read from a client that has failed so allows no other read until
    /// this is called again, and takes the deadline with it.
    pub fn set_deadline(&self, at: Option<Tick>) {
        self.socket.set_deadline(at);
    }

    /// Says that the connection waits for its next request, or that one has come. While the process
    /// drains, a client connection idle for a second or more reads the end of its stream.
    pub fn set_idle(&self, is_idle: bool) {
        self.socket.set_idle(is_idle);
    }

    /// Whether the peer hung up (or shut its sending half down, which is taken for the same).
    pub fn is_gone(&self) -> bool {
        self.socket.is_gone()
    }

    /// Starts to read although nobody waits, so that it is noticed when the peer says something unasked
    /// or closes.
    pub(crate) fn read_ahead(&mut self) {
        self.socket.read_ahead();
    }

    /// Whether a connection that was left to [`Self::read_ahead`] can be used: the peer is there and has
    /// said nothing.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_clean() && self.socket.is_reading()
    }

    /// Whether nothing is left of the last exchange.
    pub(crate) fn is_clean(&self) -> bool {
        self.input.is_empty() && self.socket.is_sound()
    }
}

/// Two connected ends in this worker. The second is taken for a client's, so that it can be served.
pub fn loopback() -> io::Result<(Connection, Connection)> {
    let (near, far) = UnixStream::pair()?;
    let near = Connection::new(near.into(), None)?;
    let far = Connection::new(far.into(), None)?;
    far.socket.set_client();
    Ok((near, far))
}

/// Ties an upstream to the client it works for; see [`pair`].
pub struct Pair {
    _pairing: Pairing,
}

/// While the result lives, a client that hangs up takes the upstream connection with it: a
/// [`Connection::fill`] or [`Connection::write`] of `upstream` that waits for longer than a tick ends
/// with `ConnectionAborted` within a second. Shorter waits cost nothing.
pub fn pair(client: &Connection, upstream: &Connection) -> Pair {
    Pair { _pairing: Pairing::new(&client.socket, &upstream.socket) }
}
