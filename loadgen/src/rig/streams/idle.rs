//! Idle streams: how much memory a target needs for each one that is open and says nothing.

use std::time::Duration;

use super::super::callers::{Answer, Ask, Piece};
use super::super::error::RigError;
use super::super::limits::{PROGRESS_EVERY, REQUEST_TIMEOUT};
use super::super::number::find_number;
use super::super::pump::Pump;
use super::super::recording::{Observe, Outcome, Progress};
use super::StreamSetup;

/// Opens streams through one target at a bounded rate, and reads memory at several counts.
#[derive(Clone, Debug)]
pub(crate) struct IdlePlan {
    /// One target. The upstream's gap should be longer than the whole measurement, so that each
    /// stream falls silent after its first event; see `SILENT_GAP`.
    pub setup: StreamSetup,
    /// Streams open at each reading, rising.
    pub steps: Vec<u32>,
    /// How fast they are opened.
    pub opens_per_second: f64,
    /// From the last stream of a step to its reading.
    pub settle: Duration,
    /// From the last reading to one more.
    pub hold: Duration,
}

/// A gap no measurement outlasts.
pub(crate) const SILENT_GAP: Duration = Duration::from_secs(24 * 3600);

/// One reading.
#[derive(Clone, Debug)]
pub(crate) struct IdlePoint<A> {
    /// Streams open, each with its first event received.
    pub streams: u32,
    /// When it was read.
    pub at_ns: u64,
    /// What the observer returned.
    pub snapshot: A,
}

/// All of a run.
#[derive(Clone, Debug)]
pub(crate) struct IdleRecording<A> {
    /// Without a stream, at each step, and after the hold.
    pub points: Vec<IdlePoint<A>>,
    /// Streams that were never opened.
    pub failed: u32,
    /// Streams that ended though nobody had closed them.
    pub lost: u32,
}

/// Carries out a plan. All streams are closed at its end.
///
/// # Errors
///
/// As `rig::run`.
pub(crate) fn run<O: Observe>(
    plan: &IdlePlan,
    observe: &mut O,
) -> Result<IdleRecording<O::Snapshot>, RigError> {
    let mut session = Session::new(plan)?;
    let mut points = vec![session.read(observe)];
    for &streams in &plan.steps {
        session.open_until(streams, observe)?;
        session.wait(plan.settle, observe)?;
        points.push(session.read(observe));
    }
    session.wait(plan.hold, observe)?;
    points.push(session.read(observe));
    let Session { failed, lost, .. } = session;
    Ok(IdleRecording { points, failed, lost })
}

struct Session<'run> {
    plan: &'run IdlePlan,
    pump: Pump,
    /// Of each stream that was asked for, whether its first event has come.
    is_open: Vec<bool>,
    answers: Vec<Answer>,
    open: u32,
    failed: u32,
    /// How the last of them failed.
    failure: Outcome,
    lost: u32,
    steps_done: u32,
    next_progress_ns: u64,
}

impl<'run> Session<'run> {
    fn new(plan: &'run IdlePlan) -> Result<Self, RigError> {
        plan.setup.check_is_stream()?;
        if plan.setup.targets.len() != 1 {
            return Err(RigError::Plan("idle streams are opened to one target".to_owned()));
        }
        if !plan.steps.is_sorted() {
            return Err(RigError::Plan("the steps must rise".to_owned()));
        }
        if !plan.opens_per_second.is_finite() || plan.opens_per_second <= 0.0 {
            return Err(RigError::Plan("streams must be opened at a rate above zero".to_owned()));
        }
        let streams = plan.steps.last().copied().unwrap_or_default();
        Ok(Self {
            plan,
            pump: plan.setup.pump(streams)?,
            is_open: Vec::with_capacity(streams as usize),
            answers: Vec::new(),
            open: 0,
            failed: 0,
            failure: Outcome::Broken,
            lost: 0,
            steps_done: 0,
            next_progress_ns: 0,
        })
    }

    fn read<O: Observe>(&mut self, observe: &mut O) -> IdlePoint<O::Snapshot> {
        let at_ns = self.pump.now();
        IdlePoint { streams: self.open, at_ns, snapshot: observe.snapshot() }
    }

    /// Opens streams until so many have been asked for, and waits for their first events.
    fn open_until<O: Observe>(&mut self, streams: u32, observe: &mut O) -> Result<(), RigError> {
        let interval_ns = (1e9 / self.plan.opens_per_second) as u64;
        let mut due_ns = self.pump.now();
        while self.is_open.len() < streams as usize {
            if due_ns <= self.pump.now() {
                self.ask(due_ns);
                due_ns += interval_ns;
            }
            self.turn(due_ns, observe)?;
            self.first_must_be_ok()?;
        }
        let give_up_ns = self.pump.now() + REQUEST_TIMEOUT.as_nanos() as u64;
        while self.settled() < self.is_open.len() && self.pump.now() < give_up_ns {
            self.turn(give_up_ns, observe)?;
            self.first_must_be_ok()?;
        }
        self.steps_done += 1;
        Ok(())
    }

    fn ask(&mut self, now_ns: u64) {
        let tag = self.is_open.len() as u64;
        self.is_open.push(false);
        let ask = Ask { target: 0, number: tag + 1, tag };
        if let Err(outcome) = self.pump.callers.start(&self.pump.engine.io, ask) {
            self.answers.push(ask.unsent(outcome, now_ns));
        }
    }

    /// Streams of which is known what became of them.
    fn settled(&self) -> usize {
        self.open as usize + self.failed as usize + self.lost as usize
    }

    fn wait<O: Observe>(&mut self, time: Duration, observe: &mut O) -> Result<(), RigError> {
        let until_ns = self.pump.now() + time.as_nanos() as u64;
        while self.pump.now() < until_ns {
            self.turn(until_ns, observe)?;
        }
        Ok(())
    }

    fn turn<O: Observe>(&mut self, due_ns: u64, observe: &mut O) -> Result<(), RigError> {
        let Self { pump, answers, is_open, open, .. } = self;
        let sink = |piece: Piece<'_>| {
            let is_open = &mut is_open[piece.tag as usize];
            // The role-only event comes first and bears no number.
            if !*is_open && find_number(piece.content).is_some() {
                *is_open = true;
                *open += 1;
            }
        };
        let soon_ns = self.next_progress_ns.max(pump.now());
        pump.turn(due_ns.min(soon_ns), answers, sink)?;
        for answer in answers.drain(..) {
            if is_open[answer.tag as usize] {
                *open -= 1;
                self.lost += 1;
            } else {
                self.failed += 1;
                self.failure = answer.outcome;
            }
        }
        self.tell_progress(observe);
        Ok(())
    }

    /// Where not even one stream opens, nothing can be measured.
    fn first_must_be_ok(&self) -> Result<(), RigError> {
        match self.open == 0 && self.failed > 0 {
            true => Err(self.pump.callers.refusal(&self.plan.setup.targets[0], self.failure)),
            false => Ok(()),
        }
    }

    fn tell_progress<O: Observe>(&mut self, observe: &mut O) {
        let now_ns = self.pump.now();
        if now_ns < self.next_progress_ns {
            return;
        }
        self.next_progress_ns = now_ns + PROGRESS_EVERY.as_nanos() as u64;
        observe.progress(&Progress {
            blocks_done: self.steps_done,
            // Bounded by the number of streams.
            blocks: self.plan.steps.len() as u32,
            elapsed: Duration::from_nanos(now_ns),
            completed: u64::from(self.open),
            failed: u64::from(self.failed + self.lost),
            in_flight: self.pump.callers.in_flight() as u64,
        });
    }
}
