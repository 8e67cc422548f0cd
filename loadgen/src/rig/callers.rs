//! The side that asks: connections to the targets, each with one request in flight at most.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use slotmap::{Key, KeyData, SlotMap, new_key_type};

use super::engine::Io;
use super::error::RigError;
use super::limits::QUOTE_BYTES_MAX;
use super::message::{Head, Progress, Reader};
use super::number::find_number;
use super::plan::TargetPlan;
use super::poller::Readiness;
use super::recording::{Legs, Outcome};
use super::roles::Replies;
use super::socket::{Origin, Socket};

new_key_type! {
    /// A connection to a target.
    pub(crate) struct CallerKey;
}

/// A request to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    /// Index in the plan's targets.
    pub target: u16,
    /// Written into the request, and to be found in the reply. Not zero: that is what the upstream
    /// answers to a request without a number.
    pub number: u64,
    /// Given back with the answer.
    pub tag: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Answer {
    /// Index in the plan's targets.
    pub target: u16,
    /// As in the request.
    pub number: u64,
    /// As in the request.
    pub tag: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was sent; zero if it never was.
    pub sent_ns: u64,
    /// When the first piece of the reply had been read; zero if none was.
    pub first_byte_ns: u64,
    /// When it was over.
    pub done_ns: u64,
    /// What the upstream stamped.
    pub legs: Legs,
}

impl Ask {
    /// The answer to a request that could not even be sent.
    pub(crate) fn unsent(self, outcome: Outcome, done_ns: u64) -> Answer {
        Exchange::unsent(self).answer(outcome, done_ns, Legs::default())
    }
}

/// A piece of a reply's content, as it came with one read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    /// As in the request.
    pub tag: u64,
    /// When it had been read.
    pub received_ns: u64,
    /// Bytes of the body.
    pub content: &'a [u8],
}

/// All connections to all targets.
pub(crate) struct Callers {
    connections: SlotMap<CallerKey, Caller>,
    pools: Vec<Pool>,
    sources: Sources,
    in_flight: usize,
    problem: Problem,
}

struct Caller {
    socket: Socket,
    target: u16,
    phase: Phase,
    reader: Reader<Replies>,
}

enum Phase {
    /// Will send this once it is connected.
    Connecting { ask: Ask, begun_ns: u64 },
    /// Waits to be used.
    Idle,
    /// Waits for the reply.
    Busy(Exchange),
}

#[derive(Clone, Copy)]
struct Exchange {
    ask: Ask,
    sent_ns: u64,
    first_byte_ns: u64,
}

struct Pool {
    target: TargetPlan,
    /// Free connections, the one used last at the end; may name some that are gone.
    idle: VecDeque<CallerKey>,
    open: usize,
    /// So many are opened before one is used again, and then used in turn.
    open_min: usize,
    open_max: usize,
    connects: u64,
    expects_number: bool,
}

/// How many connections there are to one target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections {
    /// Opened before one is used again, and then used in turn; 0: the one used last is used again.
    pub(crate) in_turn: usize,
    /// At most.
    pub(crate) max: usize,
}

/// The addresses client sockets come from, in turn.
struct Sources {
    count: u8,
    next: u8,
}

/// What was wrong with the last request that failed: told when it ends the run.
#[derive(Debug, Default)]
struct Problem {
    text: &'static str,
    error: Option<std::io::Error>,
    quote: Vec<u8>,
}

impl Callers {
    /// No connection yet. `expects_numbers`: whether a reply without a number is wrong.
    pub(crate) fn new(
        targets: &[TargetPlan],
        connections: Connections,
        source_addresses: u8,
        expects_numbers: bool,
    ) -> Self {
        let pool = |target: &TargetPlan| Pool {
            target: target.clone(),
            idle: VecDeque::new(),
            open: 0,
            open_min: connections.in_turn,
            open_max: connections.max,
            connects: 0,
            expects_number: expects_numbers,
        };
        Self {
            connections: SlotMap::with_key(),
            pools: targets.iter().map(pool).collect(),
            sources: Sources { count: source_addresses, next: 0 },
            in_flight: 0,
            problem: Problem::default(),
        }
    }

    /// Requests without an answer.
    #[inline]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Connections made to each target since the last time this was asked.
    pub(crate) fn take_connects(&mut self) -> Vec<u64> {
        self.pools.iter_mut().map(|pool| std::mem::take(&mut pool.connects)).collect()
    }

    /// From now on a reply of this target without a number is wrong.
    pub(crate) fn expect_number(&mut self, target: u16) {
        self.pools[usize::from(target)].expects_number = true;
    }

    /// Why the last request that failed, this one of this target, ends the run.
    pub(crate) fn refusal(&self, target: &TargetPlan, outcome: Outcome) -> RigError {
        let problem = self.problem.sentence(outcome);
        RigError::Target { name: target.name.clone(), address: target.address, problem }
    }

    /// Sends a request over a connection that is free, or over a new one. The connection; or why
    /// the request failed at once.
    #[inline]
    pub(crate) fn start(&mut self, io: &Io, ask: Ask) -> Result<CallerKey, Outcome> {
        let pool = &mut self.pools[usize::from(ask.target)];
        while let Some(key) = pool.next_idle() {
            // Closed by the target meanwhile if it is not there; about to be if it cannot send.
            let Some(caller) = self.connections.get_mut(key) else { continue };
            if caller.send(io, pool, ask).is_ok() {
                self.in_flight += 1;
                return Ok(key);
            }
            self.connections.remove(key);
            pool.open -= 1;
        }
        self.connect(io, ask)
    }

    #[cold]
    fn connect(&mut self, io: &Io, ask: Ask) -> Result<CallerKey, Outcome> {
        let pool = &mut self.pools[usize::from(ask.target)];
        if pool.open >= pool.open_max {
            self.problem.set(
                "has no free connection: all that may exist are busy; lower the rate or allow more",
                None,
                &[],
            );
            return Err(Outcome::NoConnection);
        }
        let source = self.sources.next(pool.target.address.ip());
        let origin = Origin { source, receive_buffer_bytes: None };
        let socket = match Socket::connect(pool.target.address, origin) {
            Ok(socket) => socket,
            Err(error) => {
                self.problem.set("cannot be connected to", Some(error), &[]);
                return Err(Outcome::NoConnection);
            }
        };
        let phase = Phase::Connecting { ask, begun_ns: io.clock.now() };
        let caller = Caller { socket, target: ask.target, phase, reader: Reader::new() };
        let key = self.connections.insert(caller);
        if let Err(error) = io.poller.add(&self.connections[key].socket, key.data().as_ffi()) {
            self.connections.remove(key);
            self.problem.set("cannot be watched", Some(error), &[]);
            return Err(Outcome::NoConnection);
        }
        pool.open += 1;
        pool.connects += 1;
        self.in_flight += 1;
        Ok(key)
    }

    /// Handles one event: the answer it completed, if it did. `sink` gets the content of replies
    /// of status 200 as it comes.
    #[inline]
    pub(crate) fn serve(
        &mut self,
        io: &mut Io,
        readiness: Readiness,
        sink: impl FnMut(Piece<'_>),
    ) -> Option<Answer> {
        let key = CallerKey::from(KeyData::from_ffi(readiness.token));
        let caller = self.connections.get_mut(key)?;
        let pool = &mut self.pools[usize::from(caller.target)];
        let served = caller.serve(io, pool, readiness, &mut self.problem, sink);
        let (answer, is_over) = match served {
            Served::Nothing => return None,
            Served::Answered { answer, is_reusable } => (Some(answer), !is_reusable),
            Served::Gone => (None, true),
        };
        if is_over {
            self.connections.remove(key);
            pool.open -= 1;
        } else {
            pool.idle.push_back(key);
        }
        self.in_flight -= usize::from(answer.is_some());
        answer
    }

    /// Closes a connection whatever it is doing. Its request gets no answer.
    pub(crate) fn abandon(&mut self, key: CallerKey) {
        let Some(caller) = self.connections.remove(key) else { return };
        self.pools[usize::from(caller.target)].open -= 1;
        self.in_flight -= usize::from(!matches!(caller.phase, Phase::Idle));
    }

    /// Gives up on requests sent before this moment.
    #[cold]
    pub(crate) fn expire(&mut self, sent_before_ns: u64, now_ns: u64) -> Vec<Answer> {
        let is_late = |caller: &Caller| match &caller.phase {
            Phase::Idle => false,
            Phase::Connecting { begun_ns, .. } => *begun_ns < sent_before_ns,
            Phase::Busy(exchange) => exchange.sent_ns < sent_before_ns,
        };
        let late = self.connections.iter().filter(|(_, caller)| is_late(caller));
        let keys: Vec<CallerKey> = late.map(|(key, _)| key).collect();
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            let phase = self.connections.get(key).map(|caller| &caller.phase);
            let exchange = match phase {
                Some(Phase::Busy(exchange)) => *exchange,
                Some(Phase::Connecting { ask, .. }) => Exchange::unsent(*ask),
                Some(Phase::Idle) | None => continue,
            };
            self.problem.set("did not answer in time", None, &[]);
            answers.push(exchange.answer(Outcome::TimedOut, now_ns, Legs::default()));
            self.abandon(key);
        }
        answers
    }
}

impl Pool {
    #[inline]
    fn next_idle(&mut self) -> Option<CallerKey> {
        if self.open_min == 0 {
            return self.idle.pop_back();
        }
        (self.open >= self.open_min).then(|| self.idle.pop_front()).flatten()
    }
}

enum Served {
    Nothing,
    Answered { answer: Answer, is_reusable: bool },
    Gone,
}

impl Caller {
    /// Fails if the connection turns out to be closed.
    #[inline]
    fn send(&mut self, io: &Io, pool: &mut Pool, ask: Ask) -> std::io::Result<()> {
        let bytes = pool.target.request.numbered(ask.number);
        let sent_ns = io.clock.now();
        self.socket.send(bytes)?;
        self.phase = Phase::Busy(Exchange { ask, sent_ns, first_byte_ns: 0 });
        Ok(())
    }

    #[inline]
    fn serve(
        &mut self,
        io: &mut Io,
        pool: &mut Pool,
        readiness: Readiness,
        problem: &mut Problem,
        sink: impl FnMut(Piece<'_>),
    ) -> Served {
        if readiness.is_writable {
            if let Phase::Connecting { ask, .. } = self.phase {
                return self.connected(io, pool, ask, problem);
            }
            if self.socket.is_blocked()
                && let Err(error) = self.socket.flush()
            {
                return self.broken(io, error, problem);
            }
        }
        if readiness.is_readable {
            return self.read(io, pool, readiness.is_ended, problem, sink);
        }
        Served::Nothing
    }

    #[cold]
    fn connected(&mut self, io: &Io, pool: &mut Pool, ask: Ask, problem: &mut Problem) -> Served {
        let outcome = self.socket.failure().and_then(|()| self.send(io, pool, ask));
        let Err(error) = outcome else { return Served::Nothing };
        problem.set("cannot be connected to", Some(error), &[]);
        let now_ns = io.clock.now();
        let answer = Exchange::unsent(ask).answer(Outcome::NoConnection, now_ns, Legs::default());
        Served::Answered { answer, is_reusable: false }
    }

    #[inline]
    fn read(
        &mut self,
        io: &mut Io,
        pool: &Pool,
        is_ended: bool,
        problem: &mut Problem,
        mut sink: impl FnMut(Piece<'_>),
    ) -> Served {
        loop {
            let count = match self.socket.receive(&mut io.buffer) {
                Ok(None) => return Served::Nothing,
                Ok(Some(0)) => return self.ended(io, pool, problem),
                Ok(Some(count)) => count,
                Err(error) => return self.broken(io, error, problem),
            };
            let received_ns = io.clock.now();
            // Nobody asked: the target is about to close, or is confused.
            let Phase::Busy(exchange) = &mut self.phase else { return Served::Gone };
            if exchange.first_byte_ns == 0 {
                exchange.first_byte_ns = received_ns;
            }
            let tag = exchange.ask.tag;
            let progress = self
                .reader
                .feed(&io.buffer[..count], |content| sink(Piece { tag, received_ns, content }));
            match progress {
                Ok(Progress::Partial) => {}
                Ok(Progress::Whole { used }) if used == count => {
                    return self.complete(pool, received_ns, problem);
                }
                Ok(Progress::Whole { .. }) | Err(_) => {
                    problem.set("sent what is not one HTTP reply", None, &io.buffer[..count]);
                    return self.fail(received_ns);
                }
            }
            // A short read has emptied the socket, unless its end is still to be seen.
            if count < io.buffer.len() && !is_ended {
                return Served::Nothing;
            }
        }
    }

    #[inline]
    fn complete(&mut self, pool: &Pool, done_ns: u64, problem: &mut Problem) -> Served {
        let (Phase::Busy(exchange), Some(head)) = (&self.phase, self.reader.head()) else {
            return Served::Gone;
        };
        let exchange = *exchange;
        let Head { line: status, closes, received_ns, sent_ns } = *head;
        let outcome = if status == 200 {
            pool.judge(find_number(self.reader.kept()), exchange.ask.number)
        } else {
            Outcome::Status(status)
        };
        if outcome != Outcome::Ok {
            problem.set("did not answer as it must", None, self.reader.kept());
        }
        let answer = exchange.answer(outcome, done_ns, Legs { received_ns, sent_ns });
        // A target that answers before it has the whole request may not want the rest.
        let is_reusable =
            !closes && !self.reader.ends_with_connection() && !self.socket.is_blocked();
        self.phase = Phase::Idle;
        self.reader.reset();
        Served::Answered { answer, is_reusable }
    }

    #[cold]
    fn ended(&mut self, io: &Io, pool: &Pool, problem: &mut Problem) -> Served {
        let now_ns = io.clock.now();
        if self.reader.ends_with_connection() {
            return self.complete(pool, now_ns, problem);
        }
        if matches!(self.phase, Phase::Busy(_)) {
            problem.set("closed the connection before its answer was complete", None, &[]);
        }
        self.fail(now_ns)
    }

    #[cold]
    fn broken(&mut self, io: &Io, error: std::io::Error, problem: &mut Problem) -> Served {
        problem.set("broke the connection", Some(error), &[]);
        self.fail(io.clock.now())
    }

    #[cold]
    fn fail(&mut self, now_ns: u64) -> Served {
        let Phase::Busy(exchange) = &self.phase else { return Served::Gone };
        let answer = exchange.answer(Outcome::Broken, now_ns, Legs::default());
        Served::Answered { answer, is_reusable: false }
    }
}

impl Exchange {
    fn unsent(ask: Ask) -> Self {
        Self { ask, sent_ns: 0, first_byte_ns: 0 }
    }

    #[inline]
    fn answer(&self, outcome: Outcome, done_ns: u64, legs: Legs) -> Answer {
        let Self { ask: Ask { target, number, tag }, sent_ns, first_byte_ns } = *self;
        Answer { target, number, tag, outcome, sent_ns, first_byte_ns, done_ns, legs }
    }
}

impl Pool {
    #[inline]
    fn judge(&self, found: Option<u64>, number: u64) -> Outcome {
        match found {
            Some(found) if found == number => Outcome::Ok,
            None if !self.expects_number => Outcome::Ok,
            Some(_) | None => Outcome::WrongBody,
        }
    }
}

impl Sources {
    /// The address for the next connection to `target`: 127.0.0.2 and on, for targets on
    /// loopback.
    fn next(&mut self, target: IpAddr) -> Option<Ipv4Addr> {
        if self.count == 0 || !matches!(target, IpAddr::V4(address) if address.is_loopback()) {
            return None;
        }
        // The plan's check keeps the sum below 255.
        let source = Ipv4Addr::new(127, 0, 0, 2 + self.next);
        self.next = (self.next + 1) % self.count;
        Some(source)
    }
}

impl Problem {
    #[cold]
    fn set(&mut self, text: &'static str, error: Option<std::io::Error>, quote: &[u8]) {
        self.text = text;
        self.error = error;
        self.quote.clear();
        self.quote.extend_from_slice(&quote[..quote.len().min(QUOTE_BYTES_MAX)]);
    }

    /// The whole sentence, for a request that ended like this.
    fn sentence(&self, outcome: Outcome) -> String {
        let mut sentence = match outcome {
            Outcome::Status(status) => format!("answered with status {status}"),
            Outcome::WrongBody => {
                "answered without the request's number: it does not pass on what upstream says"
                    .to_owned()
            }
            Outcome::Ok | Outcome::Broken | Outcome::TimedOut | Outcome::NoConnection => {
                self.text.to_owned()
            }
        };
        if let Some(error) = &self.error {
            sentence.push_str(&format!(": {error}"));
        }
        if !self.quote.is_empty() {
            sentence.push_str(&format!(": {}", String::from_utf8_lossy(&self.quote)));
        }
        sentence
    }
}
