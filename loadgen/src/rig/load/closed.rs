//! Closed loop: a number of connections that are always busy, one target at a time.

use hdrhistogram::Histogram;

use super::super::callers::Answer;
use super::super::error::RigError;
use super::super::limits::{EXPIRE_EVERY, LATENCY_MAX, REFUSAL_PAUSE};
use super::super::recording::{Observe, Outcome};
use super::session::{Session, UNRECORDED};

/// Warms up and records all blocks: A B B A, so that what drifts meets all targets alike.
pub(super) fn run<O: Observe>(
    session: &mut Session<'_, O>,
    connections: usize,
) -> Result<(), RigError> {
    let targets = session.targets();
    for target in 0..targets {
        warm_up(session, target, connections)?;
    }
    session.end_warm_up();
    for round in 0..session.plan.blocks {
        for position in 0..targets {
            let target = if round % 2 == 0 { position } else { targets - 1 - position };
            run_block(session, target, connections)?;
        }
    }
    Ok(())
}

fn warm_up<O: Observe>(
    session: &mut Session<'_, O>,
    target: u16,
    connections: usize,
) -> Result<(), RigError> {
    let mut left = session.plan.warm_up_requests;
    let at_once = u32::try_from(connections).unwrap_or(u32::MAX).min(left);
    for _ in 0..at_once {
        if let Some(answer) = session.ask(target, UNRECORDED) {
            session.must_be_ok(&answer)?;
        }
    }
    left -= at_once;
    while session.pump.callers.in_flight() > 0 {
        let now_ns = session.now();
        session.tell_progress(now_ns);
        session.turn(now_ns + EXPIRE_EVERY.as_nanos() as u64)?;
        session.all_must_be_ok()?;
        for _ in 0..session.answers.len().min(left as usize) {
            left -= 1;
            if let Some(answer) = session.ask(target, UNRECORDED) {
                session.must_be_ok(&answer)?;
            }
        }
    }
    Ok(())
}

fn run_block<O: Observe>(
    session: &mut Session<'_, O>,
    target: u16,
    connections: usize,
) -> Result<(), RigError> {
    session.pause();
    let mut latency = histogram()?;
    let mut begun = session.begin_block(0);
    begun.started_ns = session.now();
    let ends_ns = begun.started_ns + session.plan.block.as_nanos() as u64;
    // A slot in the loop is a request in flight; those that cannot be sent wait for the next turn.
    let mut free = connections;
    loop {
        let now_ns = session.now();
        if now_ns >= ends_ns {
            break;
        }
        let mut refused = 0;
        for _ in 0..std::mem::take(&mut free) {
            refused += usize::from(session.ask(target, UNRECORDED).is_some());
        }
        let pause_ns = if refused > 0 { REFUSAL_PAUSE.as_nanos() as u64 } else { u64::MAX };
        let due_ns = ends_ns.min(now_ns.saturating_add(pause_ns));
        session.turn(due_ns)?;
        session.answers.iter().for_each(|answer| record(&mut latency, answer));
        free = refused + session.answers.len();
    }
    while session.pump.callers.in_flight() > 0 {
        session.turn(session.now() + EXPIRE_EVERY.as_nanos() as u64)?;
        session.answers.iter().for_each(|answer| record(&mut latency, answer));
    }
    let ended_ns = session.now();
    let latencies = per_target(session.targets(), target, latency)?;
    let first_sample = session.samples.len();
    session.end_block(begun, Some(target), first_sample, latencies, ended_ns);
    Ok(())
}

#[inline]
fn record(latency: &mut Histogram<u64>, answer: &Answer) {
    if answer.outcome == Outcome::Ok {
        latency.saturating_record(answer.done_ns - answer.sent_ns);
    }
}

fn histogram() -> Result<Histogram<u64>, RigError> {
    let longest_ns = LATENCY_MAX.as_nanos() as u64;
    Histogram::new_with_bounds(1, longest_ns, 3).map_err(unmade)
}

fn per_target(
    targets: u16,
    target: u16,
    latency: Histogram<u64>,
) -> Result<Vec<Histogram<u64>>, RigError> {
    let mut all = (0..targets)
        .map(|_| Histogram::new_with_bounds(1, 2, 1).map_err(unmade))
        .collect::<Result<Vec<_>, _>>()?;
    all[usize::from(target)] = latency;
    Ok(all)
}

fn unmade(error: hdrhistogram::CreationError) -> RigError {
    RigError::Plan(format!("cannot make a histogram: {error}"))
}
