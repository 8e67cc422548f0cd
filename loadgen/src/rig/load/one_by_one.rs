//! Closed loop of one request at a time, with every target in its turn.

use super::super::error::RigError;
use super::super::limits::EXPIRE_EVERY;
use super::super::recording::Observe;
use super::session::{Session, UNRECORDED};

/// Warms up and records all blocks.
pub(super) fn run<O: Observe>(session: &mut Session<'_, O>) -> Result<(), RigError> {
    for _ in 0..session.plan.warm_up_requests {
        for target in 0..session.targets() {
            ask_and_wait(session, target, UNRECORDED)?;
            session.all_must_be_ok()?;
        }
    }
    session.end_warm_up();
    for _ in 0..session.plan.blocks {
        run_block(session)?;
    }
    Ok(())
}

fn run_block<O: Observe>(session: &mut Session<'_, O>) -> Result<(), RigError> {
    session.pause();
    let mut order: Vec<u16> = (0..session.targets()).collect();
    let first_sample = session.samples.len();
    let mut begun = session.begin_block(0);
    begun.started_ns = session.now();
    let ends_ns = begun.started_ns + session.plan.block.as_nanos() as u64;
    while session.now() < ends_ns {
        let first = session.samples.len();
        session.add_tuple();
        session.random.shuffle(&mut order);
        for &target in &order {
            let index = first + usize::from(target);
            session.samples[index].intended_ns = session.now();
            ask_and_wait(session, target, index as u64)?;
        }
        session.tell_progress(session.now());
    }
    session.end_block(begun, None, first_sample, Vec::new(), ends_ns);
    Ok(())
}

/// Leaves the one answer in `answers`.
fn ask_and_wait<O: Observe>(
    session: &mut Session<'_, O>,
    target: u16,
    tag: u64,
) -> Result<(), RigError> {
    if let Some(answer) = session.ask(target, tag) {
        session.answers.clear();
        session.answers.push(answer);
        return Ok(());
    }
    while session.pump.callers.in_flight() > 0 {
        session.turn(session.now() + EXPIRE_EVERY.as_nanos() as u64)?;
    }
    Ok(())
}
