//! Paced streams: time to the first event, what is added to the gaps, and whether every byte
//! arrives.

use std::collections::VecDeque;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use flate2::Crc;

use super::super::callers::{Answer, Ask, Piece};
use super::super::error::RigError;
use super::super::limits::{
    BLOCK_PAUSE, COALESCED_FROM, EXPIRE_EVERY, PROGRESS_EVERY, REQUEST_TIMEOUT, STALL_FACTOR,
    TUPLE_SPACING_MAX,
};
use super::super::number::{EventMark, find_event_mark};
use super::super::plan::StreamPlan;
use super::super::pump::Pump;
use super::super::recording::{Observe, Outcome, Progress, UpstreamCounts};
use super::splitter::Splitter;
use super::{StreamSetup, index};

/// Streams of the own upstream, one to each target in a tuple, the tuples one after the other in
/// a number of lanes.
#[derive(Clone, Debug)]
pub(crate) struct PacePlan {
    /// Targets and upstream.
    pub setup: StreamSetup,
    /// Tuples that run at a time; streams are this times the number of targets.
    pub lanes: u32,
    /// Tuples before recording begins. A failure among them ends the run.
    pub warm_up_tuples: u32,
    /// Tuples of one block.
    pub tuples: u32,
    /// Blocks.
    pub blocks: u32,
}

/// One stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PacedStream {
    /// Streams with the same number were started together: one to each target.
    pub tuple: u32,
    /// Index of the target.
    pub target: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// When the request was sent.
    pub sent_ns: u64,
    /// When the first content event had been read whole; zero if none was.
    pub first_event_ns: u64,
    /// When the reply was complete, or the failure was noticed.
    pub done_ns: u64,
    /// Its events in `PaceRecording::events`.
    pub events: Range<usize>,
    /// Events that came in the same read as the one before, though they were sent
    /// `COALESCED_FROM` or more apart.
    pub coalesced: u32,
    /// Gaps of more than `STALL_FACTOR` times the pace.
    pub stalls: u32,
    /// Whether the events came complete and in their order.
    pub is_in_order: bool,
    /// Whether the content is what the upstream sent, byte for byte.
    pub is_identical: bool,
}

/// One content event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacedEvent {
    /// When the upstream sent it.
    pub sent_ns: u64,
    /// When it had been read whole.
    pub received_ns: u64,
}

/// A stretch of the run, with what the observer saw before and after.
#[derive(Clone, Debug)]
pub(crate) struct PaceBlock<A> {
    /// When it began.
    pub started_ns: u64,
    /// When its last stream had ended.
    pub ended_ns: u64,
    /// Its streams, in the order they ended.
    pub streams: Range<usize>,
    /// Content events received per target.
    pub events: Vec<u64>,
    /// What the observer returned at the beginning.
    pub before: A,
    /// What the observer returned at the end.
    pub after: A,
}

/// All of a run.
#[derive(Clone, Debug)]
pub(crate) struct PaceRecording<A> {
    /// The targets' names.
    pub targets: Vec<String>,
    /// All streams that were recorded.
    pub streams: Vec<PacedStream>,
    /// Their events, each stream's together.
    pub events: Vec<PacedEvent>,
    /// In the order they ran.
    pub blocks: Vec<PaceBlock<A>>,
    /// What the upstream saw.
    pub upstream: UpstreamCounts,
}

impl<A> PaceRecording<A> {
    /// How much longer than at the upstream each gap of a stream was, in nanoseconds.
    pub(crate) fn added_gaps_ns(&self, stream: &PacedStream) -> impl Iterator<Item = i64> {
        self.events[stream.events.clone()].windows(2).map(|pair| {
            let received_ns = pair[1].received_ns - pair[0].received_ns;
            let sent_ns = pair[1].sent_ns.saturating_sub(pair[0].sent_ns);
            received_ns.cast_signed() - sent_ns.cast_signed()
        })
    }
}

/// Carries out a plan.
///
/// # Errors
///
/// As `rig::run`.
pub(crate) fn run<O: Observe>(
    plan: &PacePlan,
    observe: &mut O,
) -> Result<PaceRecording<O::Snapshot>, RigError> {
    let mut session = Session::new(plan)?;
    session.run_tuples(plan.warm_up_tuples, observe)?;
    session.end_warm_up()?;
    let mut blocks = Vec::new();
    for _ in 0..plan.blocks {
        if plan.setup.spin {
            thread::sleep(BLOCK_PAUSE);
        }
        let before = observe.snapshot();
        let (first, started_ns) = (session.streams.len(), session.pump.now());
        session.events_per_target.fill(0);
        session.run_tuples(plan.tuples, observe)?;
        let ended_ns = session.pump.now();
        session.blocks_done += 1;
        blocks.push(PaceBlock {
            started_ns,
            ended_ns,
            streams: first..session.streams.len(),
            events: session.events_per_target.clone(),
            before,
            after: observe.snapshot(),
        });
    }
    let upstream = session.pump.engine.upstream.as_ref();
    Ok(PaceRecording {
        targets: plan.setup.targets.iter().map(|target| target.name.clone()).collect(),
        streams: session.streams,
        events: session.events,
        blocks,
        upstream: upstream.map_or_else(UpstreamCounts::default, |upstream| upstream.counts()),
    })
}

struct Session<'run> {
    plan: &'run PacePlan,
    pump: Pump,
    random: Rng,
    /// One for each lane and target, at `lane * targets + target`.
    active: Vec<Active>,
    /// Streams of each lane's tuple that have not ended.
    open: Vec<u32>,
    /// Streams that are to be started, in the order of their time.
    starts: VecDeque<(u64, u64)>,
    answers: Vec<Answer>,
    streams: Vec<PacedStream>,
    events: Vec<PacedEvent>,
    events_per_target: Vec<u64>,
    gap_ns: u64,
    timeout_ns: u64,
    next_tuple: u32,
    next_number: u64,
    blocks_done: u32,
    next_progress_ns: u64,
    next_expire_ns: u64,
}

/// A stream that is being read.
#[derive(Default)]
struct Active {
    tuple: u32,
    splitter: Splitter,
    sum: Crc,
    events: Vec<PacedEvent>,
    coalesced: u32,
    is_in_order: bool,
}

impl<'run> Session<'run> {
    fn new(plan: &'run PacePlan) -> Result<Self, RigError> {
        plan.setup.check_is_stream()?;
        let targets = plan.setup.targets.len();
        if plan.blocks == 0 || plan.tuples == 0 {
            return Err(RigError::Plan("streams need at least one block of one tuple".to_owned()));
        }
        let pump = plan.setup.pump(plan.lanes)?;
        let stream = plan.setup.upstream.stream;
        let length = stream.map_or(Duration::ZERO, stream_length);
        let lanes = plan.lanes as usize;
        Ok(Self {
            plan,
            pump,
            random: Rng::with_seed(plan.setup.seed),
            active: (0..lanes * targets).map(|_| Active::default()).collect(),
            open: vec![0; lanes],
            starts: VecDeque::new(),
            answers: Vec::new(),
            streams: Vec::new(),
            events: Vec::new(),
            events_per_target: vec![0; targets],
            gap_ns: stream.map_or(0, |stream| stream.gap.as_nanos() as u64),
            timeout_ns: (REQUEST_TIMEOUT + length).as_nanos() as u64,
            next_tuple: 0,
            next_number: 1,
            blocks_done: 0,
            next_progress_ns: 0,
            next_expire_ns: 0,
        })
    }

    /// Runs so many tuples, in all lanes, to their end.
    fn run_tuples<O: Observe>(&mut self, tuples: u32, observe: &mut O) -> Result<(), RigError> {
        let begin_ns = self.pump.now();
        let lanes = self.plan.lanes.min(tuples);
        let mut left = tuples - lanes;
        for lane in 0..lanes {
            // Lanes beat in turn, not all at once.
            let offset_ns = self.gap_ns * u64::from(lane) / u64::from(lanes);
            self.plan_tuple(lane as usize, begin_ns + offset_ns);
        }
        while self.pump.callers.in_flight() > 0 || !self.starts.is_empty() {
            self.start_due();
            let until_ns = self.pump.now() + EXPIRE_EVERY.as_nanos() as u64;
            let due_ns = self.starts.front().map_or(until_ns, |(due_ns, _)| *due_ns);
            self.turn(due_ns)?;
            self.settle(&mut left);
            self.tell_progress(observe);
        }
        Ok(())
    }

    fn plan_tuple(&mut self, lane: usize, begin_ns: u64) {
        let targets = self.plan.setup.targets.len();
        let mut order: Vec<usize> = (0..targets).collect();
        self.random.shuffle(&mut order);
        // The streams of a tuple do not beat at the same moment either.
        let share_ns = self.gap_ns / (u64::from(self.plan.lanes) * targets as u64);
        let spacing_ns = share_ns.min(TUPLE_SPACING_MAX.as_nanos() as u64);
        for (position, target) in order.into_iter().enumerate() {
            let slot = lane * targets + target;
            self.active[slot].begin(self.next_tuple);
            self.starts.push_back((begin_ns + position as u64 * spacing_ns, slot as u64));
        }
        self.open[lane] = targets as u32;
        self.next_tuple += 1;
    }

    fn start_due(&mut self) {
        let now_ns = self.pump.now();
        while let Some(&(due_ns, slot)) = self.starts.front() {
            if due_ns > now_ns {
                return;
            }
            self.starts.pop_front();
            let target = index(slot as usize % self.plan.setup.targets.len());
            let ask = Ask { target, number: self.next_number, tag: slot };
            self.next_number += 1;
            if let Err(outcome) = self.pump.callers.start(&self.pump.engine.io, ask) {
                self.answers.push(ask.unsent(outcome, now_ns));
            }
        }
    }

    fn turn(&mut self, due_ns: u64) -> Result<(), RigError> {
        let Self { pump, active, answers, .. } = self;
        // The tag is an index of `active`.
        pump.turn(due_ns, answers, |piece| active[piece.tag as usize].take(piece))?;
        let now_ns = pump.now();
        if now_ns >= self.next_expire_ns {
            self.next_expire_ns = now_ns + EXPIRE_EVERY.as_nanos() as u64;
            answers.extend(pump.callers.expire(now_ns.saturating_sub(self.timeout_ns), now_ns));
        }
        Ok(())
    }

    /// Keeps the streams that have ended, and begins a lane's next tuple.
    fn settle(&mut self, left: &mut u32) {
        let targets = self.plan.setup.targets.len();
        let mut answers = std::mem::take(&mut self.answers);
        for answer in answers.drain(..) {
            self.keep(&answer);
            let lane = answer.tag as usize / targets;
            self.open[lane] -= 1;
            if self.open[lane] == 0 && *left > 0 {
                *left -= 1;
                self.plan_tuple(lane, answer.done_ns);
            }
        }
        self.answers = answers;
    }

    fn keep(&mut self, answer: &Answer) {
        let active = &self.active[answer.tag as usize];
        let upstream = self.pump.engine.upstream.as_mut();
        let sent = upstream
            .and_then(|upstream| upstream.journal())
            .and_then(|journal| journal.take_sent(answer.number));
        let first = self.events.len();
        self.events.extend_from_slice(&active.events);
        let count = active.events.len() as u64;
        self.events_per_target[usize::from(answer.target)] += count;
        self.streams.push(PacedStream {
            tuple: active.tuple,
            target: answer.target,
            outcome: answer.outcome,
            sent_ns: answer.sent_ns,
            first_event_ns: active.events.first().map_or(0, |event| event.received_ns),
            done_ns: answer.done_ns,
            events: first..self.events.len(),
            coalesced: active.coalesced,
            stalls: self.stalls(active),
            is_in_order: active.is_in_order && sent.is_some_and(|sent| sent.events == count),
            is_identical: sent.is_some_and(|sent| {
                sent.sum == active.sum.sum() && sent.content_bytes == u64::from(active.sum.amount())
            }),
        });
    }

    fn stalls(&self, active: &Active) -> u32 {
        let gaps = active.events.windows(2);
        let is_stall = |pair: &&[PacedEvent]| {
            self.gap_ns > 0
                && pair[1].received_ns - pair[0].received_ns > STALL_FACTOR * self.gap_ns
        };
        // Fewer than events, which are counted with 32 bits.
        gaps.filter(is_stall).count() as u32
    }

    /// Ends the run if a stream of the warm-up failed, and forgets them all.
    fn end_warm_up(&mut self) -> Result<(), RigError> {
        if let Some(failed) = self.streams.iter().find(|stream| stream.outcome != Outcome::Ok) {
            let target = &self.plan.setup.targets[usize::from(failed.target)];
            return Err(self.pump.callers.refusal(target, failed.outcome));
        }
        self.streams.clear();
        self.events.clear();
        self.next_tuple = 0;
        Ok(())
    }

    fn tell_progress<O: Observe>(&mut self, observe: &mut O) {
        let now_ns = self.pump.now();
        if now_ns < self.next_progress_ns {
            return;
        }
        self.next_progress_ns = now_ns + PROGRESS_EVERY.as_nanos() as u64;
        let is_ok = |stream: &&PacedStream| stream.outcome == Outcome::Ok;
        let completed = self.streams.iter().filter(is_ok).count() as u64;
        observe.progress(&Progress {
            blocks_done: self.blocks_done,
            blocks: self.plan.blocks,
            elapsed: Duration::from_nanos(now_ns),
            completed,
            failed: self.streams.len() as u64 - completed,
            in_flight: self.pump.callers.in_flight() as u64,
        });
    }
}

impl Active {
    fn begin(&mut self, tuple: u32) {
        self.tuple = tuple;
        self.splitter.reset();
        self.sum = Crc::new();
        self.events.clear();
        self.coalesced = 0;
        self.is_in_order = true;
    }

    fn take(&mut self, piece: Piece<'_>) {
        let Self { splitter, sum, events, coalesced, is_in_order, .. } = self;
        let received_ns = piece.received_ns;
        sum.update(piece.content);
        splitter.feed(piece.content, |event| {
            let Some(EventMark { sequence, sent_ns, .. }) = find_event_mark(event) else { return };
            *is_in_order &= sequence == events.len() as u64;
            if let Some(last) = events.last() {
                let is_same_read = last.received_ns == received_ns;
                let apart_ns = sent_ns.saturating_sub(last.sent_ns);
                let was_apart = apart_ns >= COALESCED_FROM.as_nanos() as u64;
                *coalesced += u32::from(is_same_read && was_apart);
            }
            events.push(PacedEvent { sent_ns, received_ns });
        });
    }
}

fn stream_length(plan: StreamPlan) -> Duration {
    plan.head_delay.saturating_add(plan.gap.saturating_mul(plan.events))
}
