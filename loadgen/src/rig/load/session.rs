//! What all kinds of load share: the engine, the connections, the counts, the recording.

use std::num::NonZeroU64;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use hdrhistogram::Histogram;
use rustix::thread::set_current_timer_slack;

use super::super::callers::{Answer, Ask, Callers, Connections, Piece};
use super::super::engine::Engine;
use super::super::error::RigError;
use super::super::limits::{BLOCK_LEAD, BLOCK_PAUSE, EXPIRE_EVERY, PROGRESS_EVERY};
use super::super::number::find_number;
use super::super::plan::{Load, Plan, TargetPlan};
use super::super::pump::Pump;
use super::super::recording::{
    Block, Legs, Observe, Outcome, Progress, Recording, Sample, UpstreamCounts,
};
use super::request_timeout;

/// The tag of a request that is not recorded.
pub(super) const UNRECORDED: u64 = u64::MAX;

/// A run in progress.
pub(super) struct Session<'run, O: Observe> {
    pub plan: &'run Plan,
    pub pump: Pump,
    pub random: Rng,
    /// What `turn` found, for the load to look at.
    pub answers: Vec<Answer>,
    pub samples: Vec<Sample>,
    legs: Vec<Legs>,
    pub blocks: Vec<Block<O::Snapshot>>,
    observe: &'run mut O,
    /// Of the block in hand, per target.
    completed: Vec<u64>,
    failed: Vec<u64>,
    /// Of all blocks before it.
    completed_before: u64,
    failed_before: u64,
    number: u64,
    blocks_planned: u32,
    timeout_ns: u64,
    next_progress_ns: u64,
    next_expire_ns: u64,
}

/// A block that has begun.
pub(super) struct Begun<A> {
    pub started_ns: u64,
    pub before: A,
}

impl<'run, O: Observe> Session<'run, O> {
    pub(super) fn new(plan: &'run Plan, observe: &'run mut O) -> Result<Self, RigError> {
        let_sleep_exactly();
        let engine = Engine::new(plan.upstream.as_ref(), plan.spin)?;
        let targets = plan.targets.len();
        let connections = match plan.load {
            Load::Open { connections, in_flight_max, .. } => {
                Connections { in_turn: connections, max: in_flight_max }
            }
            Load::Closed { connections } => Connections { in_turn: 0, max: connections },
            Load::OneByOne => Connections { in_turn: 0, max: 1 },
        };
        let callers =
            Callers::new(&plan.targets, connections, plan.source_addresses, plan.checks_numbers);
        let blocks_planned = match plan.load {
            Load::Closed { .. } => plan.blocks * targets as u32,
            Load::Open { .. } | Load::OneByOne => plan.blocks,
        };
        let timeout = request_timeout(Some(plan.upstream_delay));
        Ok(Self {
            plan,
            pump: Pump { engine, callers },
            random: Rng::with_seed(plan.seed),
            answers: Vec::new(),
            samples: Vec::new(),
            legs: Vec::new(),
            blocks: Vec::new(),
            observe,
            completed: vec![0; targets],
            failed: vec![0; targets],
            completed_before: 0,
            failed_before: 0,
            number: 0,
            blocks_planned,
            timeout_ns: timeout.as_nanos() as u64,
            next_progress_ns: 0,
            next_expire_ns: 0,
        })
    }

    pub(super) fn targets(&self) -> u16 {
        // At most `TARGETS_MAX`.
        self.plan.targets.len() as u16
    }

    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.pump.now()
    }

    /// Asks each target once and ends the run where one does not answer as it must.
    pub(super) fn probe(&mut self) -> Result<(), RigError> {
        probe(&mut self.pump, &self.plan.targets, self.timeout_ns)?;
        // The probes have used the numbers up to here.
        self.number = u64::from(self.targets()) + 1;
        Ok(())
    }

    /// Sends one request. `tag` is its sample's index, or `UNRECORDED`. The answer of one that
    /// cannot even be sent is given back here.
    #[inline]
    pub(super) fn ask(&mut self, target: u16, tag: u64) -> Option<Answer> {
        let ask = Ask { target, number: self.number, tag };
        self.number += 1;
        match self.pump.callers.start(&self.pump.engine.io, ask) {
            Ok(_) => None,
            Err(outcome) => Some(self.unsent(ask, outcome)),
        }
    }

    #[cold]
    fn unsent(&mut self, ask: Ask, outcome: Outcome) -> Answer {
        let answer = ask.unsent(outcome, self.now());
        self.note(&answer);
        answer
    }

    /// Waits until `due_ns` or until something happens, and handles it: `answers` are the requests
    /// that ended by it.
    #[inline]
    pub(super) fn turn(&mut self, due_ns: u64) -> Result<(), RigError> {
        let mut answers = std::mem::take(&mut self.answers);
        answers.clear();
        self.pump.turn(due_ns, &mut answers, |_| ())?;
        let now_ns = self.now();
        if now_ns >= self.next_expire_ns {
            self.expire(now_ns, &mut answers);
        }
        for answer in &answers {
            self.note(answer);
        }
        self.answers = answers;
        Ok(())
    }

    /// Counts an answer and completes its sample.
    #[inline]
    fn note(&mut self, answer: &Answer) {
        let target = usize::from(answer.target);
        match answer.outcome {
            Outcome::Ok => self.completed[target] += 1,
            _ => self.failed[target] += 1,
        }
        if answer.tag == UNRECORDED {
            return;
        }
        // The tag is an index given by `ask`.
        let index = answer.tag as usize;
        let sample = &mut self.samples[index];
        sample.outcome = answer.outcome;
        sample.sent_ns = answer.sent_ns;
        sample.first_byte_ns = answer.first_byte_ns;
        sample.done_ns = answer.done_ns;
        if let Some(legs) = self.legs.get_mut(index) {
            *legs = answer.legs;
        }
    }

    /// Ends the run if a request of the warm-up failed.
    pub(super) fn must_be_ok(&self, answer: &Answer) -> Result<(), RigError> {
        if answer.outcome == Outcome::Ok {
            return Ok(());
        }
        let target = &self.plan.targets[usize::from(answer.target)];
        Err(self.pump.callers.refusal(target, answer.outcome))
    }

    /// The same for all answers of the last turn.
    pub(super) fn all_must_be_ok(&self) -> Result<(), RigError> {
        self.answers.iter().try_for_each(|answer| self.must_be_ok(answer))
    }

    /// Lets all requests in flight end, or gives up on them when their time is over.
    pub(super) fn drain(&mut self) -> Result<(), RigError> {
        while self.pump.callers.in_flight() > 0 {
            let now_ns = self.now();
            self.tell_progress(now_ns);
            self.turn(now_ns + EXPIRE_EVERY.as_nanos() as u64)?;
        }
        self.answers.clear();
        Ok(())
    }

    #[cold]
    fn expire(&mut self, now_ns: u64, answers: &mut Vec<Answer>) {
        self.next_expire_ns = now_ns + EXPIRE_EVERY.as_nanos() as u64;
        let sent_before_ns = now_ns.saturating_sub(self.timeout_ns);
        answers.extend(self.pump.callers.expire(sent_before_ns, now_ns));
    }

    /// Once in a while: tells the observer how far the run is.
    #[inline]
    pub(super) fn tell_progress(&mut self, now_ns: u64) {
        if now_ns >= self.next_progress_ns {
            self.next_progress_ns = now_ns + PROGRESS_EVERY.as_nanos() as u64;
            let progress = self.progress(now_ns);
            self.observe.progress(&progress);
        }
    }

    fn progress(&self, now_ns: u64) -> Progress {
        Progress {
            // At most `blocks_planned`.
            blocks_done: self.blocks.len() as u32,
            blocks: self.blocks_planned,
            elapsed: Duration::from_nanos(now_ns),
            completed: self.completed_before + self.completed.iter().sum::<u64>(),
            failed: self.failed_before + self.failed.iter().sum::<u64>(),
            in_flight: self.pump.callers.in_flight() as u64,
        }
    }

    /// Recording begins: what was counted so far was warm-up.
    pub(super) fn end_warm_up(&mut self) {
        self.completed.fill(0);
        self.failed.fill(0);
        self.pump.callers.take_connects();
    }

    /// Sleeps a moment: see `BLOCK_PAUSE`.
    pub(super) fn pause(&self) {
        if self.plan.spin {
            thread::sleep(BLOCK_PAUSE);
        }
    }

    /// Makes room for the samples of `tuples` tuples, and takes the snapshot before a block.
    pub(super) fn begin_block(&mut self, tuples: u32) -> Begun<O::Snapshot> {
        for _ in 0..tuples {
            self.add_tuple();
        }
        let before = self.observe.snapshot();
        self.completed_before += self.completed.iter().sum::<u64>();
        self.failed_before += self.failed.iter().sum::<u64>();
        self.completed.fill(0);
        self.failed.fill(0);
        let started_ns = self.now() + BLOCK_LEAD.as_nanos() as u64;
        Begun { started_ns, before }
    }

    /// Adds the samples of one tuple, to be completed by their answers.
    pub(super) fn add_tuple(&mut self) {
        let targets = self.targets();
        // `SAMPLES_MAX` is far below.
        let tuple = (self.samples.len() / usize::from(targets)) as u32;
        self.samples.extend((0..targets).map(|target| Sample {
            tuple,
            target,
            outcome: Outcome::TimedOut,
            intended_ns: 0,
            sent_ns: 0,
            first_byte_ns: 0,
            done_ns: 0,
        }));
        if self.plan.upstream.as_ref().is_some_and(|upstream| upstream.stamps) {
            self.legs.resize(self.samples.len(), Legs::default());
        }
    }

    /// Takes the snapshot after a block, and keeps the block.
    pub(super) fn end_block(
        &mut self,
        begun: Begun<O::Snapshot>,
        target: Option<u16>,
        first_sample: usize,
        latency: Vec<Histogram<u64>>,
        ended_ns: u64,
    ) {
        let after = self.observe.snapshot();
        self.blocks.push(Block {
            target,
            started_ns: begun.started_ns,
            ended_ns,
            samples: first_sample..self.samples.len(),
            completed: self.completed.clone(),
            failed: self.failed.clone(),
            latency,
            before: begun.before,
            after,
        });
        self.tell_progress(self.now());
    }

    pub(super) fn into_recording(mut self) -> Recording<O::Snapshot> {
        let upstream = self.pump.engine.upstream.as_ref();
        Recording {
            targets: self.plan.targets.iter().map(|target| target.name.clone()).collect(),
            samples: self.samples,
            legs: self.legs,
            blocks: self.blocks,
            connects: self.pump.callers.take_connects(),
            upstream: upstream.map_or_else(UpstreamCounts::default, |upstream| upstream.counts()),
        }
    }
}

/// Asks each target once. Whether its replies bear numbers is learnt here.
fn probe(pump: &mut Pump, targets: &[TargetPlan], timeout_ns: u64) -> Result<(), RigError> {
    for (index, target) in targets.iter().enumerate() {
        // At most `TARGETS_MAX`.
        let ask = Ask { target: index as u16, number: index as u64 + 1, tag: UNRECORDED };
        let mut bears_number = false;
        let outcome = probe_one(pump, ask, timeout_ns, &mut bears_number)?;
        if outcome != Outcome::Ok {
            return Err(pump.callers.refusal(target, outcome));
        }
        if bears_number {
            pump.callers.expect_number(ask.target);
        }
    }
    Ok(())
}

fn probe_one(
    pump: &mut Pump,
    ask: Ask,
    timeout_ns: u64,
    bears_number: &mut bool,
) -> Result<Outcome, RigError> {
    if let Err(outcome) = pump.callers.start(&pump.engine.io, ask) {
        return Ok(outcome);
    }
    let until_ns = pump.now() + timeout_ns;
    let mut answers = Vec::new();
    loop {
        let sink = |piece: Piece<'_>| *bears_number |= find_number(piece.content).is_some();
        pump.turn(until_ns, &mut answers, sink)?;
        let now_ns = pump.now();
        if now_ns >= until_ns {
            answers.extend(pump.callers.expire(now_ns, now_ns));
        }
        if let Some(answer) = answers.first() {
            return Ok(answer.outcome);
        }
    }
}

/// Lets this thread's sleeps end when they should, not up to 50 us later.
pub(crate) fn let_sleep_exactly() {
    // Where the system refuses, requests are a little late, and recorded so.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
}
