//! One connection from accept to close. Its task has two halves, polled one after the other: one
//! receives all the time, the other reads requests out of what was received and writes replies.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::mem;
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use monoio::io::{AsyncReadRent, AsyncWriteRent, Split, Splitable};
use monoio::time::{Instant, sleep, sleep_until, timeout};
use rustls::ServerConfig;

use super::control;
use super::exchange::{self, Exchange};
use super::fault::Fault;
use super::inbox::Inbox;
use super::limits::{CONNECTION_AGE_MAX, HANDSHAKE_MAX, READ_BYTES};
use super::plan::{Manner, Step, plan};
use super::race::{First, race};
use super::record::{Arrival, Ending};
use super::reply::Reply;
use super::request::{Malformed, Progress, Request, RequestReader};
use super::tls::Session;
use super::websocket::{self, Dialogue};
use super::wire::Wire;
use super::world::{World, add, subtract};

/// Serves one accepted connection until it ends.
pub(crate) async fn serve<S>(world: Arc<World>, mut stream: S, tls: Option<Arc<ServerConfig>>)
where
    S: AsyncReadRent + AsyncWriteRent + Split + AsRawFd,
{
    let presence = Presence::new(&world);
    let inbox = Inbox::default();
    let session = match tls {
        None => None,
        Some(config) => {
            let handshake = timeout(HANDSHAKE_MAX, Session::accept(&mut stream, config)).await;
            // A peer that cannot shake hands has nothing to say that could be recorded.
            let Ok(Ok(session)) = handshake else { return };
            inbox.push(&session.received());
            Some(session)
        }
    };
    let descriptor = stream.as_raw_fd();
    let (reader, writer) = stream.into_split();
    let wire = Wire { stream: writer, descriptor, session: session.as_ref() };
    let talk = Talk { world: &world, presence: &presence, inbox: &inbox, wire };
    let both = beside(&inbox, receive(&inbox, reader, session.as_ref()), talk.run());
    race(both, sleep(CONNECTION_AGE_MAX)).await;
}

/// Polls `receiver` and `talk` in turn until `talk` is done. Whatever one of them changes in the
/// inbox is seen by the other before the task sleeps.
async fn beside(inbox: &Inbox, receiver: impl Future<Output = ()>, talk: impl Future<Output = ()>) {
    let (mut receiver, mut talk) = (pin!(receiver), pin!(talk));
    let mut is_receiving = true;
    poll_fn(|context| {
        loop {
            if is_receiving && receiver.as_mut().poll(context).is_ready() {
                is_receiving = false;
            }
            let seen = inbox.version();
            if talk.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if inbox.version() == seen {
                return Poll::Pending;
            }
        }
    })
    .await;
}

/// Receives until the stream ends.
async fn receive(inbox: &Inbox, mut stream: impl AsyncReadRent, session: Option<&Session>) {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    loop {
        inbox.room().await;
        let result;
        (result, buffer) = stream.read(buffer).await;
        let is_fed = match (result, session) {
            (Ok(0) | Err(_), _) => false,
            (Ok(_), None) => {
                inbox.push(&buffer);
                true
            }
            (Ok(_), Some(session)) => {
                let is_fed = session.feed(&buffer).is_ok();
                inbox.push(&session.received());
                is_fed
            }
        };
        if !is_fed {
            return inbox.end();
        }
    }
}

/// The talking half of a connection.
struct Talk<'a, W> {
    world: &'a World,
    presence: &'a Presence<'a>,
    inbox: &'a Inbox,
    wire: Wire<'a, W>,
}

/// What a connection is after a reply.
#[derive(PartialEq)]
enum Aftermath {
    Open,
    Over,
}

impl<W: AsyncWriteRent> Talk<'_, W> {
    async fn run(mut self) {
        let mut reader = RequestReader::default();
        while let Some(request) = self.next_request(&mut reader).await {
            if self.answer(request).await == Aftermath::Over {
                return;
            }
        }
        // The peer ended the connection or is refused; it need not hear us out.
        let _ = self.wire.finish().await;
    }

    /// The next request; `None` when there will not be one.
    async fn next_request(&mut self, reader: &mut RequestReader) -> Option<Request> {
        loop {
            match self.inbox.with_bytes(|bytes| reader.next(bytes)) {
                Ok(Progress::Request(request)) => return Some(request),
                Ok(Progress::More { expects_continue }) => {
                    // Taken before any waiting: what arrives meanwhile is news.
                    let seen = self.inbox.version();
                    if expects_continue {
                        let go_on = Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n");
                        self.wire.write(go_on).await.ok()?;
                    }
                    if !self.inbox.news(seen).await {
                        self.record_leftover();
                        return None;
                    }
                }
                Err(malformed) => {
                    self.refuse(malformed).await;
                    return None;
                }
            }
        }
    }

    fn record_leftover(&self) {
        let bytes = self.inbox.with_bytes(mem::take);
        if !bytes.is_empty() {
            let seq = self.world.record(self.presence.id, Arrival::Leftover(bytes));
            self.world.record_end(seq, Ending::Aborted);
        }
    }

    async fn refuse(&mut self, malformed: Malformed) {
        let bytes = self.inbox.with_bytes(mem::take);
        let seq = self.world.record(self.presence.id, Arrival::Refused(bytes, malformed));
        let reply = exchange::malformed(&malformed.to_string());
        let manner = Manner { keeps_alive: false, ..Manner::default() };
        if let Ok(steps) = plan(reply, &Fault::default(), manner) {
            self.carry_out(&steps).await;
        }
        self.world.record_end(seq, Ending::Written);
    }

    async fn answer(&mut self, request: Request) -> Aftermath {
        let is_control = control::is_control(&request);
        self.presence.count(!is_control);
        if is_control {
            return self.answer_control(&request).await;
        }
        let _active = Active::new(self.world);
        let request = Arc::new(request);
        let arrival = Arrival::Request(Arc::clone(&request));
        let seq = self.world.record(self.presence.id, arrival);
        let (ending, aftermath) = self.answer_model(&request).await;
        if ending == Ending::Aborted {
            add(&self.world.counters.aborted);
        }
        self.world.record_end(seq, ending);
        aftermath
    }

    async fn answer_control(&mut self, request: &Request) -> Aftermath {
        let reply = control::control(self.world, request);
        let steps = plan(reply, &Fault::default(), Manner::of(request));
        self.carry_out(&steps.unwrap_or_default()).await.1
    }

    async fn answer_model(&mut self, request: &Request) -> (Ending, Aftermath) {
        if let Some(steps) = self.world.prerendered.as_ref().and_then(|all| all.steps(request)) {
            let latency = self.world.latency(self.world.next_reply_id());
            return match self.wait_until(Instant::now() + latency).await {
                Stepped::On => self.carry_out(steps).await,
                Stepped::Over | Stepped::PeerGone => (Ending::Aborted, Aftermath::Over),
            };
        }
        let Exchange { reply, fault, gap, id } = exchange::exchange(self.world, request);
        if reply.status == 101 {
            return (self.converse(request, &reply).await, Aftermath::Over);
        }
        let manner = Manner { latency: self.world.latency(id), gap, ..Manner::of(request) };
        match plan(reply, &fault, manner) {
            Ok(steps) => self.carry_out(&steps).await,
            Err(_) => (Ending::Written, Aftermath::Over),
        }
    }

    /// Switches to a WebSocket, and speaks until either side ends it.
    async fn converse(&mut self, request: &Request, reply: &Reply) -> Ending {
        let mut dialogue = Dialogue::new(self.world, request);
        if self.wire.write(websocket::head(reply).into()).await.is_err() {
            return Ending::Aborted;
        }
        let mut goes_on = true;
        loop {
            let outgoing = dialogue.take_outgoing();
            if !outgoing.is_empty() && self.wire.write(outgoing.into()).await.is_err() {
                return Ending::Aborted;
            }
            if !goes_on {
                // A peer that is gone already does not miss an ending.
                let _ = self.wire.finish().await;
                return Ending::Written;
            }
            // Taken before any waiting: what arrives meanwhile is news.
            let seen = self.inbox.version();
            let received = self.inbox.with_bytes(mem::take);
            if !received.is_empty() {
                goes_on = dialogue.take(received);
            } else if !self.inbox.news(seen + 1).await {
                return Ending::Aborted;
            }
        }
    }

    /// Does one step after the other, until the last one or until the peer is gone.
    async fn carry_out(&mut self, steps: &[Step]) -> (Ending, Aftermath) {
        let mut clock = Instant::now();
        for step in steps {
            if *step == Step::StartClock {
                clock = Instant::now();
            }
            match self.step(step, clock).await {
                Stepped::On => {}
                Stepped::Over => return (Ending::Written, Aftermath::Over),
                Stepped::PeerGone => return (Ending::Aborted, Aftermath::Over),
            }
        }
        (Ending::Written, Aftermath::Open)
    }

    async fn step(&mut self, step: &Step, clock: Instant) -> Stepped {
        match step {
            Step::StartClock => return Stepped::On,
            Step::Write(bytes) => return self.write(bytes.clone()).await,
            Step::Pause(time) => return self.wait_until(Instant::now() + *time).await,
            Step::Until(time) => return self.wait_until(clock + *time).await,
            Step::Stall => {
                self.inbox.ended().await;
                return Stepped::PeerGone;
            }
            // A peer that is gone already does not miss an ending.
            Step::Finish => self.wire.finish().await.unwrap_or_default(),
            Step::Close(farewell) => self.wire.abandon(*farewell).await.unwrap_or_default(),
        }
        Stepped::Over
    }

    async fn write(&mut self, bytes: Bytes) -> Stepped {
        // A peer that sends no more is taken to be gone, as most providers take it.
        if self.inbox.has_ended() {
            return Stepped::PeerGone;
        }
        match race(self.wire.write(bytes), self.inbox.ended()).await {
            First::Left(Ok(())) => Stepped::On,
            First::Left(Err(_)) | First::Right(()) => Stepped::PeerGone,
        }
    }

    async fn wait_until(&mut self, moment: Instant) -> Stepped {
        // A timer of the runtime takes a millisecond at the least.
        if moment <= Instant::now() {
            return Stepped::On;
        }
        match race(sleep_until(moment), self.inbox.ended()).await {
            First::Left(()) => Stepped::On,
            First::Right(()) => Stepped::PeerGone,
        }
    }
}

/// What a step left behind.
enum Stepped {
    On,
    Over,
    PeerGone,
}

/// Counts a connection while it is there. One that carries only control requests does not count.
struct Presence<'a> {
    world: &'a World,
    id: u64,
    is_counted: Cell<bool>,
}

impl<'a> Presence<'a> {
    fn new(world: &'a World) -> Self {
        let presence = Self { world, id: world.next_connection_id(), is_counted: Cell::new(false) };
        presence.count(true);
        presence
    }

    fn count(&self, is_counted: bool) {
        let counters = &self.world.counters;
        match (self.is_counted.replace(is_counted), is_counted) {
            (false, true) => {
                add(&counters.connections_open);
                add(&counters.connections_total);
            }
            (true, false) => {
                subtract(&counters.connections_open);
                subtract(&counters.connections_total);
            }
            (true, true) | (false, false) => {}
        }
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if self.is_counted.get() {
            subtract(&self.world.counters.connections_open);
        }
    }
}

/// Counts a request while it is answered.
struct Active<'a>(&'a World);

impl<'a> Active<'a> {
    fn new(world: &'a World) -> Self {
        add(&world.counters.requests);
        add(&world.counters.active);
        Self(world)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        subtract(&self.0.counters.active);
    }
}
