//! TLS over a byte stream, once, or twice when the proxy is spoken to by TLS too. Bytes in, bytes out, no
//! I/O.

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConnection};

use super::hello::{Hello, Offer};
use super::{ServerTls, protocol_error};
use crate::Buffer;

/// What a record adds to its contents at most, with room to spare: 5 bytes of header, 1 of type and 16 of
/// tag in TLS 1.3; header, nonce and tag in TLS 1.2.
const RECORD_OVERHEAD_BYTES: usize = 64;

/// Most data in one record.
const RECORD_DATA_MAX: usize = 16 * 1024;

/// One or two TLS sessions on a connection.
pub(crate) struct Layers {
    inner: Layer,
    /// The session with the proxy, which carries the records of `inner`.
    outer: Option<Box<Layer>>,
    /// What the client began with, until it is clear that `inner` will speak with it.
    hello: Option<Box<Hello>>,
}

/// One session, and the records it has not taken yet.
struct Layer {
    session: Connection,
    records: Buffer,
    is_ended: bool,
}

/// What decrypting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decrypted {
    /// So many bytes of data were appended.
    Bytes(usize),
    /// The peer said that it has sent everything.
    Closed,
    /// More records are needed.
    Starved,
}

impl Layers {
    /// The client's side of a session.
    pub(crate) fn client(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, rustls::Error> {
        let session = ClientConnection::new(config, name)?;
        Ok(Self { inner: Layer::new(session.into()), outer: None, hello: None })
    }

    /// The server's side of a session.
    pub(crate) fn server(tls: &ServerTls) -> Result<Self, rustls::Error> {
        let session = ServerConnection::new(Arc::clone(&tls.config))?;
        let hello = tls.leaves_http2.then(Box::default);
        Ok(Self { inner: Layer::new(session.into()), outer: None, hello })
    }

    /// Carries this session's records inside the one of `carrier`.
    pub(crate) fn carried_by(self, carrier: Self) -> Self {
        debug_assert!(carrier.outer.is_none(), "a proxy is reached over one session");
        Self { inner: self.inner, outer: Some(Box::new(carrier.inner)), hello: None }
    }

    /// Whether the innermost handshake is still going on.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.inner.session.is_handshaking()
    }

    /// Whether the client has begun by offering HTTP/2.
    pub(crate) fn offers_http2(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.offer() == Offer::Http2)
    }

    /// The records of a client that offers HTTP/2.
    pub(crate) fn into_hello(self) -> Buffer {
        self.hello.map_or_else(Buffer::unallocated, |hello| hello.into_records())
    }

    /// Hands in what was read from the socket.
    pub(crate) fn feed(&mut self, records: Buffer) {
        let Some(mut hello) = self.hello.take() else { return self.feed_session(records) };
        hello.add(records);
        match hello.offer() {
            Offer::Unclear | Offer::Http2 => self.hello = Some(hello),
            Offer::Other => self.feed_session(hello.into_records()),
        }
    }

    fn feed_session(&mut self, records: Buffer) {
        let outermost = self.outer.as_deref_mut().unwrap_or(&mut self.inner);
        if outermost.records.is_empty() {
            outermost.records = records;
        } else {
            outermost.records.extend_from_slice(records.as_slice());
        }
    }

    /// Says that nothing more comes from the socket.
    pub(crate) fn feed_end(&mut self) {
        self.outer.as_deref_mut().unwrap_or(&mut self.inner).is_ended = true;
    }

    /// Appends to `data` what can be decrypted, as far as there is room. An end of the stream that the
    /// peer did not announce is the error `UnexpectedEof`: something may be missing.
    pub(crate) fn decrypt(&mut self, data: &mut Buffer) -> io::Result<Decrypted> {
        loop {
            let found = self.inner.decrypt(data)?;
            if found != Decrypted::Starved {
                return Ok(found);
            }
            let Some(outer) = &mut self.outer else {
                return Ok(Decrypted::Starved);
            };
            match outer.decrypt(&mut self.inner.records)? {
                Decrypted::Bytes(_) => {}
                Decrypted::Closed => self.inner.is_ended = true,
                Decrypted::Starved => return Ok(Decrypted::Starved),
            }
        }
    }

    /// Encrypts data from the front of `data`, at most a record, and counts what it took.
    pub(crate) fn encrypt(&mut self, data: &[u8], record_bytes: usize) -> io::Result<usize> {
        let room = record_bytes.saturating_sub(2 * RECORD_OVERHEAD_BYTES);
        let piece = data.get(..room.min(RECORD_DATA_MAX)).unwrap_or(data);
        self.inner.session.writer().write(piece)
    }

    /// Appends to `records` all that waits to be sent to the socket.
    pub(crate) fn take_outgoing(&mut self, records: &mut Buffer) -> io::Result<()> {
        let Some(outer) = &mut self.outer else {
            return self.inner.take_outgoing(records);
        };
        let mut carried = Buffer::unallocated();
        self.inner.take_outgoing(&mut carried)?;
        while !carried.is_empty() {
            let taken = outer.session.writer().write(carried.as_slice())?;
            carried.consume(taken);
            outer.take_outgoing(records)?;
        }
        outer.take_outgoing(records)
    }

    /// Queues the announcement that nothing more will be sent.
    pub(crate) fn end_sending(&mut self) {
        self.inner.session.send_close_notify();
    }
}

impl Layer {
    fn new(session: Connection) -> Self {
        Self { session, records: Buffer::unallocated(), is_ended: false }
    }

    fn decrypt(&mut self, data: &mut Buffer) -> io::Result<Decrypted> {
        let state = self.process_records()?;
        if state.plaintext_bytes_to_read() == 0 {
            return self.nothing_to_read(state.peer_has_closed());
        }
        if data.spare() == 0 {
            data.try_grow().map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        }
        let count = self.session.reader().read(data.spare_mut())?;
        data.advance(count);
        Ok(Decrypted::Bytes(count))
    }

    /// Works through the records until there is data or nothing left.
    fn process_records(&mut self) -> io::Result<rustls::IoState> {
        loop {
            let state = self.session.process_new_packets().map_err(protocol_error)?;
            if state.plaintext_bytes_to_read() > 0 || self.records.is_empty() {
                self.drop_empty_records();
                return Ok(state);
            }
            let taken = self.session.read_tls(&mut self.records.as_slice())?;
            if taken == 0 {
                // After the end that the peer announced nothing more is taken.
                self.records.clear();
            }
            self.records.consume(taken);
        }
    }

    /// An idle session holds no buffer.
    fn drop_empty_records(&mut self) {
        if self.records.is_empty() {
            self.records = Buffer::unallocated();
        }
    }

    fn nothing_to_read(&self, peer_has_closed: bool) -> io::Result<Decrypted> {
        if peer_has_closed {
            return Ok(Decrypted::Closed);
        }
        if self.is_ended {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(Decrypted::Starved)
    }

    fn take_outgoing(&mut self, records: &mut Buffer) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(records)?;
        }
        Ok(())
    }
}
