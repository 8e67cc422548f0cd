//! Clients that leave: how long it takes until the upstream is told, which goes on generating, and
//! billing, until then.

use std::time::Duration;

use fastrand::Rng;

use super::super::callers::{Ask, Piece};
use super::super::error::RigError;
use super::super::limits::REQUEST_TIMEOUT;
use super::super::number::find_event_mark;
use super::super::pump::Pump;
use super::super::recording::Outcome;
use super::splitter::Splitter;
use super::{StreamSetup, index};

/// Clients that leave one after the other, the targets in shuffled order.
#[derive(Clone, Debug)]
pub(crate) struct DisconnectPlan {
    /// Targets and upstream, whose replies must take longer than clients stay.
    pub setup: StreamSetup,
    /// When a client leaves.
    pub leave: Leave,
    /// Clients per target.
    pub departures: u32,
    /// How long the upstream is watched for the news.
    pub wait_max: Duration,
}

/// When a client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// So many content events were received.
    AfterEvents(u32),
    /// So long after the request was sent; also for replies that are not streams.
    After(Duration),
}

/// One client that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    /// Index of the target.
    pub target: u16,
    /// When the client had closed its connection.
    pub left_ns: u64,
    /// When the upstream saw its own connection closed; `None`: not within `wait_max`.
    pub seen_ns: Option<u64>,
}

/// All of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DisconnectRecording {
    /// The targets' names.
    pub targets: Vec<String>,
    /// In the order they happened.
    pub departures: Vec<Departure>,
    /// Per target: replies that were over before the client left.
    pub over_before: Vec<u32>,
}

/// Carries out a plan.
///
/// # Errors
///
/// As `rig::run`; also a target that passes on no event within `REQUEST_TIMEOUT`.
pub(crate) fn run(plan: &DisconnectPlan) -> Result<DisconnectRecording, RigError> {
    if let Leave::AfterEvents(_) = plan.leave {
        plan.setup.check_is_stream()?;
    }
    let mut pump = plan.setup.pump(1)?;
    let mut random = Rng::with_seed(plan.setup.seed);
    let targets = plan.setup.targets.len();
    let mut order: Vec<u16> = (0..targets).map(index).collect();
    let mut recording = DisconnectRecording {
        targets: plan.setup.targets.iter().map(|target| target.name.clone()).collect(),
        departures: Vec::new(),
        over_before: vec![0; targets],
    };
    let mut number = 1;
    for _ in 0..plan.departures {
        random.shuffle(&mut order);
        for &target in &order {
            let ask = Ask { target, number, tag: 0 };
            number += 1;
            match depart(plan, &mut pump, ask)? {
                Some(departure) => recording.departures.push(departure),
                None => recording.over_before[usize::from(target)] += 1,
            }
        }
    }
    Ok(recording)
}

/// `None`: the reply was over before the client left.
fn depart(plan: &DisconnectPlan, pump: &mut Pump, ask: Ask) -> Result<Option<Departure>, RigError> {
    let target = &plan.setup.targets[usize::from(ask.target)];
    let key = match pump.callers.start(&pump.engine.io, ask) {
        Ok(key) => key,
        Err(outcome) => return Err(pump.callers.refusal(target, outcome)),
    };
    match stay(plan, pump)? {
        Stayed::Long => {}
        Stayed::TooLong => {
            pump.callers.abandon(key);
            return Err(pump.callers.refusal(target, Outcome::TimedOut));
        }
        Stayed::ToTheEnd(Outcome::Ok) => return Ok(None),
        Stayed::ToTheEnd(outcome) => return Err(pump.callers.refusal(target, outcome)),
    }
    pump.callers.abandon(key);
    let left_ns = pump.now();
    let seen_ns = watch(pump, ask.number, left_ns + plan.wait_max.as_nanos() as u64)?;
    Ok(Some(Departure { target: ask.target, left_ns, seen_ns }))
}

enum Stayed {
    /// As long as it wanted to.
    Long,
    /// The events it waited for did not come.
    TooLong,
    /// The reply was over first.
    ToTheEnd(Outcome),
}

fn stay(plan: &DisconnectPlan, pump: &mut Pump) -> Result<Stayed, RigError> {
    let (time, wanted) = match plan.leave {
        Leave::AfterEvents(events) => (REQUEST_TIMEOUT, events),
        Leave::After(time) => (time, u32::MAX),
    };
    let leave_ns = pump.now() + time.as_nanos() as u64;
    let mut answers = Vec::new();
    let mut splitter = Splitter::default();
    let mut events = 0;
    while events < wanted && answers.is_empty() && pump.now() < leave_ns {
        pump.turn(leave_ns, &mut answers, |piece: Piece<'_>| {
            splitter.feed(piece.content, |event| {
                events += u32::from(find_event_mark(event).is_some());
            });
        })?;
    }
    Ok(match (answers.first(), plan.leave) {
        (Some(answer), _) => Stayed::ToTheEnd(answer.outcome),
        (None, Leave::AfterEvents(_)) if events < wanted => Stayed::TooLong,
        (None, Leave::AfterEvents(_) | Leave::After(_)) => Stayed::Long,
    })
}

/// When the upstream saw that the client of this request is gone.
fn watch(pump: &mut Pump, number: u64, until_ns: u64) -> Result<Option<u64>, RigError> {
    let mut answers = Vec::new();
    loop {
        let upstream = pump.engine.upstream.as_mut();
        let seen_ns = upstream
            .and_then(|upstream| upstream.journal())
            .and_then(|journal| journal.abandoned_ns(number));
        if seen_ns.is_some() || pump.now() >= until_ns {
            return Ok(seen_ns);
        }
        pump.turn(until_ns, &mut answers, |_| ())?;
    }
}
