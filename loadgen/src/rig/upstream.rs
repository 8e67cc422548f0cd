//! The provider the rig plays itself: takes requests, waits as long as it was told, and sends
//! replies rendered beforehand.

mod canned;
mod journal;
mod stream;
mod thread;
mod timers;

use slotmap::{Key, KeyData, SlotMap, new_key_type};

use self::canned::Canned;
pub(crate) use self::journal::Journal;
use self::stream::Stream;
pub(crate) use self::thread::upstream_thread;
use self::timers::{Due, Timers};
use super::body::Malformed;
use super::engine::Io;
use super::error::RigError;
use super::limits::{ACCEPTS_MAX, HEAD_BYTES_MAX, TIMERS_MAX};
use super::message::{Progress, Reader};
use super::number::find_number;
use super::plan::{Listener, UpstreamPlan};
use super::poller::{Poller, Readiness};
use super::recording::UpstreamCounts;
use super::roles::{Requests, Shape, asks_for_stream};
use super::socket::Socket;

/// Set in the tokens of the upstream's sockets. It is the top bit of a slot's version, which
/// a slot would have to be used anew a thousand million times to reach.
const UPSTREAM_TOKEN: u64 = 1 << 63;
/// The listener's token: no slot has this index.
const LISTENER_TOKEN: u64 = u64::MAX;

/// Whether a token is of the upstream's sockets.
#[inline]
pub(crate) fn is_upstream(token: u64) -> bool {
    token & UPSTREAM_TOKEN != 0
}

new_key_type! {
    /// A connection somebody made to the upstream.
    pub(super) struct ConnectionKey;
}

/// A mock provider inside somebody's loop.
pub(crate) struct Upstream {
    listener: Listener,
    connections: SlotMap<ConnectionKey, Connection>,
    canned: Canned,
    timers: Timers,
    pace: Option<stream::Pace>,
    delay_ns: u64,
    counts: UpstreamCounts,
    journal: Option<Journal>,
}

struct Connection {
    socket: Socket,
    reader: Reader<Requests>,
    /// What came after the request in hand.
    ahead: Vec<u8>,
    /// Whether the request in hand is the connection's last.
    closes: bool,
    phase: Phase,
}

enum Phase {
    /// Reads a request.
    Reading,
    /// Waits for the time to answer.
    Waiting { number: u64, shape: Shape },
    /// Sends a stream.
    Streaming(Stream),
    /// Sends what is left, then closes.
    Closing,
}

/// Why a connection ends.
enum End {
    /// The other side closed it, or it broke.
    Gone,
    /// We have said all.
    Done,
    /// What came is no request.
    Malformed,
}

impl From<Malformed> for End {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<std::io::Error> for End {
    fn from(_: std::io::Error) -> Self {
        Self::Gone
    }
}

impl Upstream {
    /// Registers the listener with the poller of the loop that will serve it.
    pub(crate) fn new(plan: &UpstreamPlan, poller: &Poller) -> Result<Self, RigError> {
        let listener = plan.listen.clone();
        poller
            .add_listener(&listener, LISTENER_TOKEN)
            .map_err(RigError::system("cannot watch the upstream's listener"))?;
        Ok(Self {
            listener,
            connections: SlotMap::with_key(),
            canned: Canned::new(plan),
            timers: Timers::default(),
            pace: plan.stream.as_ref().map(stream::Pace::new),
            delay_ns: plan.delay.as_nanos() as u64,
            counts: UpstreamCounts::default(),
            journal: None,
        })
    }

    /// From now on keeps a record of every stream and of every reply nobody waited for.
    pub(crate) fn keep_journal(&mut self) {
        self.journal.get_or_insert_default();
    }

    /// The record since `keep_journal`.
    pub(crate) fn journal(&mut self) -> Option<&mut Journal> {
        self.journal.as_mut()
    }

    /// What it has seen so far.
    pub(crate) fn counts(&self) -> UpstreamCounts {
        self.counts
    }

    /// Replies and streams that wait for nothing but their time.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.timers.len()
    }

    /// When `run_due` has something to do; the end of time if nothing waits.
    #[inline]
    pub(crate) fn due_ns(&self) -> u64 {
        self.timers.due_ns()
    }

    /// Sends what is due.
    #[inline]
    pub(crate) fn run_due(&mut self, io: &mut Io) {
        if self.timers.len() == 0 {
            return;
        }
        let now_ns = io.clock.now();
        for _ in 0..TIMERS_MAX {
            let Some(due) = self.timers.pop(now_ns) else { return };
            match due {
                Due::Reply { key, received_ns } => {
                    self.finish(key, io, |upstream, io| upstream.answer(io, key, received_ns));
                }
                Due::Stream { key } => {
                    self.finish(key, io, |upstream, io| upstream.advance(io, key));
                }
            }
        }
    }

    /// Handles one event of a socket of the upstream.
    #[inline]
    pub(crate) fn serve(&mut self, io: &mut Io, readiness: Readiness) {
        if readiness.token == LISTENER_TOKEN {
            return self.accept(io);
        }
        let key = ConnectionKey::from(KeyData::from_ffi(readiness.token & !UPSTREAM_TOKEN));
        self.finish(key, io, |upstream, io| {
            if readiness.is_writable {
                upstream.write_on(io, key)?;
            }
            if readiness.is_readable { upstream.read(io, key, readiness.is_ended) } else { Ok(()) }
        });
    }

    /// Does something with a connection, and closes it if that was its end.
    #[inline]
    fn finish(
        &mut self,
        key: ConnectionKey,
        io: &mut Io,
        action: impl FnOnce(&mut Self, &mut Io) -> Result<(), End>,
    ) {
        if let Err(end) = action(self, io) {
            self.close(key, end, io.clock.now());
        }
    }

    fn accept(&mut self, io: &Io) {
        for _ in 0..ACCEPTS_MAX {
            // Out of descriptors, say: the other side sees a connection nobody serves, and the
            // run counts its requests as failed.
            let Ok(Some(socket)) = Socket::accept(&self.listener) else { return };
            self.counts.accepted += 1;
            let connection = Connection {
                socket,
                reader: Reader::new(),
                ahead: Vec::new(),
                closes: false,
                phase: Phase::Reading,
            };
            let key = self.connections.insert(connection);
            let token = key.data().as_ffi();
            debug_assert!(!is_upstream(token), "a slot was used too often");
            if io.poller.add(&self.connections[key].socket, token | UPSTREAM_TOKEN).is_err() {
                self.connections.remove(key);
            }
        }
    }

    #[inline]
    fn read(&mut self, io: &mut Io, key: ConnectionKey, is_ended: bool) -> Result<(), End> {
        loop {
            let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
            let count = match connection.socket.receive(&mut io.buffer)? {
                None => return Ok(()),
                Some(0) => return Err(End::Gone),
                Some(count) => count,
            };
            // The buffer is the loop's; taking it out lets the rest of `io` be used meanwhile.
            let buffer = std::mem::take(&mut io.buffer);
            let taken = self.take(io, key, &buffer[..count]);
            let was_full = count == buffer.len();
            io.buffer = buffer;
            taken?;
            // A short read has emptied the socket, unless its end is still to be seen.
            if !was_full && !is_ended {
                return Ok(());
            }
        }
    }

    fn take(&mut self, io: &mut Io, key: ConnectionKey, input: &[u8]) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if !matches!(connection.phase, Phase::Reading) {
            if connection.ahead.len() + input.len() > HEAD_BYTES_MAX {
                return Err(End::Malformed);
            }
            connection.ahead.extend_from_slice(input);
            return Ok(());
        }
        let Progress::Whole { used } = connection.reader.feed(input, |_| ())? else {
            return Ok(());
        };
        connection.ahead.extend_from_slice(&input[used..]);
        self.begin(io, key)
    }

    /// A request is complete: answers at once, or waits for the time.
    #[inline]
    fn begin(&mut self, io: &mut Io, key: ConnectionKey) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let Some(head) = connection.reader.head() else { return Ok(()) };
        let received_ns = io.clock.now();
        let shape = head.line;
        connection.closes = head.closes;
        let body = connection.reader.kept();
        let number = find_number(body).unwrap_or(0);
        let is_stream = shape != Shape::Unknown && asks_for_stream(body);
        connection.reader.reset();
        self.counts.requests += 1;
        if let (true, Some(pace)) = (is_stream, &self.pace) {
            let stream = Stream::new(number, shape, received_ns + pace.head_delay_ns);
            connection.phase = Phase::Streaming(stream);
            self.counts.streams += 1;
            return self.advance(io, key);
        }
        if is_stream {
            connection.socket.send(self.canned.no_streams())?;
            return self.go_on(io, key);
        }
        connection.phase = Phase::Waiting { number, shape };
        if self.delay_ns > 0 {
            self.timers.reply_at(received_ns + self.delay_ns, key, received_ns);
            return Ok(());
        }
        self.answer(io, key, received_ns)
    }

    #[inline]
    fn answer(&mut self, io: &mut Io, key: ConnectionKey, received_ns: u64) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let Phase::Waiting { number, shape } = connection.phase else { return Ok(()) };
        let reply = match self.canned.whole(shape) {
            Some(whole) => whole.rendered(number, received_ns, io.clock.now()),
            None => self.canned.unknown(),
        };
        self.counts.sent_bytes += reply.len() as u64;
        connection.socket.send(reply)?;
        self.go_on(io, key)
    }

    /// After a reply: the next request, or the end.
    #[inline]
    fn go_on(&mut self, io: &mut Io, key: ConnectionKey) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if connection.closes {
            connection.phase = Phase::Closing;
            return if connection.socket.is_blocked() { Ok(()) } else { Err(End::Done) };
        }
        connection.phase = Phase::Reading;
        if connection.ahead.is_empty() {
            return Ok(());
        }
        let ahead = std::mem::take(&mut connection.ahead);
        self.take(io, key, &ahead)
    }

    /// Room for writing: sends what was kept, and goes on with a stream that was held up.
    fn write_on(&mut self, io: &mut Io, key: ConnectionKey) -> Result<(), End> {
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        if !connection.socket.is_blocked() || !connection.socket.flush()? {
            return Ok(());
        }
        match connection.phase {
            Phase::Closing => Err(End::Done),
            Phase::Streaming(_) => self.advance(io, key),
            Phase::Reading | Phase::Waiting { .. } => Ok(()),
        }
    }

    #[cold]
    fn close(&mut self, key: ConnectionKey, end: End, now_ns: u64) {
        let Some(connection) = self.connections.remove(key) else { return };
        match end {
            End::Done => {}
            End::Malformed => self.counts.malformed += 1,
            End::Gone => self.note_abandoned(&connection, now_ns),
        }
    }

    fn note_abandoned(&mut self, connection: &Connection, now_ns: u64) {
        let number = match &connection.phase {
            Phase::Reading | Phase::Closing => return,
            Phase::Waiting { number, .. } => *number,
            Phase::Streaming(stream) => stream.number(),
        };
        self.counts.abandoned += 1;
        if let Some(journal) = &mut self.journal {
            journal.abandoned(number, now_ns);
        }
    }
}
