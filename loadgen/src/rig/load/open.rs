//! Open loop: requests leave when the schedule says so, whatever became of those before.

use super::super::error::RigError;
use super::super::limits::{DRAIN_DELAY_MAX, SENDS_MAX};
use super::super::recording::Observe;
use super::schedule::Schedule;
use super::session::{Session, UNRECORDED};

/// Warms up and records all blocks.
pub(super) fn run<O: Observe>(
    session: &mut Session<'_, O>,
    tuples_per_second: f64,
) -> Result<(), RigError> {
    let plan = session.plan;
    let drains = plan.upstream_delay <= DRAIN_DELAY_MAX;
    let block_ns = plan.block.as_nanos() as u64;
    // At least one and few enough: the plan was checked.
    let tuples = (tuples_per_second * plan.block.as_secs_f64()) as u32;

    warm_up(session, tuples_per_second)?;
    for _ in 0..plan.blocks {
        if drains {
            session.drain()?;
            session.pause();
        }
        let first_sample = session.samples.len();
        let begun = session.begin_block(tuples);
        let ended_ns = begun.started_ns + block_ns;
        let mut schedule =
            Schedule::new(begun.started_ns, tuples_per_second, tuples, session.targets());
        while session.now() < ended_ns {
            send_due(session, &mut schedule, Some(first_sample));
            session.turn(schedule.due_ns().min(ended_ns))?;
        }
        // A late generator owes nothing: what its time did not suffice for is sent, and late.
        while schedule.due_ns() != u64::MAX {
            send_due(session, &mut schedule, Some(first_sample));
            session.turn(schedule.due_ns())?;
        }
        if drains {
            session.drain()?;
        }
        session.end_block(begun, None, first_sample, Vec::new(), ended_ns);
    }
    session.drain()
}

/// The same load, not recorded, so that connections are open and caches warm at its plateau.
fn warm_up<O: Observe>(
    session: &mut Session<'_, O>,
    tuples_per_second: f64,
) -> Result<(), RigError> {
    let tuples = session.plan.warm_up_requests;
    let begin_ns = session.now();
    let mut schedule = Schedule::new(begin_ns, tuples_per_second, tuples, session.targets());
    while schedule.due_ns() != u64::MAX {
        send_due(session, &mut schedule, None);
        session.all_must_be_ok()?;
        session.turn(schedule.due_ns())?;
        session.all_must_be_ok()?;
    }
    session.end_warm_up();
    Ok(())
}

/// Sends what is due. `first_sample`: the index of the schedule's first sample if it is recorded.
#[inline]
fn send_due<O: Observe>(
    session: &mut Session<'_, O>,
    schedule: &mut Schedule,
    first_sample: Option<usize>,
) {
    session.answers.clear();
    let now_ns = session.now();
    session.tell_progress(now_ns);
    for _ in 0..SENDS_MAX {
        let Some(due) = schedule.next(now_ns, &mut session.random) else { return };
        let tag = match first_sample {
            Some(first) => {
                let offset = due.tuple as usize * usize::from(session.targets());
                let index = first + offset + usize::from(due.target);
                session.samples[index].intended_ns = due.intended_ns;
                index as u64
            }
            None => UNRECORDED,
        };
        if let Some(answer) = session.ask(due.target, tag) {
            session.answers.push(answer);
        }
    }
}
