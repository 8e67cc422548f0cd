//! Sending plain requests and recording how they end: what the kinds of load have in common.

mod check;
mod closed;
mod one_by_one;
mod open;
mod schedule;
mod session;

use std::time::Duration;

use self::session::Session;
use super::error::RigError;
use super::limits::REQUEST_TIMEOUT;
use super::plan::{Load, Plan};
use super::recording::{Observe, Recording};

pub(crate) use self::check::{check_sources, check_targets};
pub(crate) use self::session::let_sleep_exactly;

/// Carries out a plan: asks each target once, warms up, then records block by block.
///
/// # Errors
///
/// A plan that cannot be carried out, a target that does not answer as it must before recording
/// begins, or a system that refuses sockets. What fails later is part of the recording.
pub(crate) fn run<O: Observe>(
    plan: &Plan,
    observe: &mut O,
) -> Result<Recording<O::Snapshot>, RigError> {
    check::check(plan)?;
    let mut session = Session::new(plan, observe)?;
    session.probe()?;
    match plan.load {
        Load::Open { tuples_per_second, .. } => open::run(&mut session, tuples_per_second)?,
        Load::Closed { connections } => closed::run(&mut session, connections)?,
        Load::OneByOne => one_by_one::run(&mut session)?,
    }
    Ok(session.into_recording())
}

/// How long a request may take: what the own upstream takes does not count.
pub(crate) fn request_timeout(upstream_delay: Option<Duration>) -> Duration {
    REQUEST_TIMEOUT + upstream_delay.unwrap_or_default()
}
