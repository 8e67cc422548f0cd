//! What a plan must be like to be carried out.

use super::super::error::RigError;
use super::super::limits::{CONNECTIONS_MAX, SAMPLES_MAX, TARGETS_MAX};
use super::super::plan::{Load, Plan, TargetPlan};

/// Source addresses end at 127.0.0.254.
const SOURCE_ADDRESSES_MAX: u8 = 253;

/// Refuses what cannot be carried out, with what to change.
pub(super) fn check(plan: &Plan) -> Result<(), RigError> {
    check_targets(&plan.targets)?;
    check_sources(plan.source_addresses)?;
    if plan.block.is_zero() || plan.blocks == 0 {
        return Err(refusal("a run needs at least one block, longer than nothing"));
    }
    let connections = match plan.load {
        Load::Open { connections, in_flight_max, tuples_per_second } => {
            check_rate(plan, tuples_per_second)?;
            if connections > in_flight_max {
                return Err(refusal("more connections are used in turn than may exist"));
            }
            in_flight_max
        }
        Load::Closed { connections } => connections,
        Load::OneByOne => 1,
    };
    if !(1..=CONNECTIONS_MAX).contains(&connections) {
        let problem = format!("{connections} connections: ask for 1 to {CONNECTIONS_MAX}");
        return Err(RigError::Plan(problem));
    }
    Ok(())
}

/// The targets' number.
pub(crate) fn check_targets(targets: &[TargetPlan]) -> Result<(), RigError> {
    if !(1..=TARGETS_MAX).contains(&targets.len()) {
        let problem = format!("{} targets: name 1 to {TARGETS_MAX}", targets.len());
        return Err(RigError::Plan(problem));
    }
    Ok(())
}

/// The number of addresses that client sockets come from.
pub(crate) fn check_sources(source_addresses: u8) -> Result<(), RigError> {
    if source_addresses > SOURCE_ADDRESSES_MAX {
        let problem =
            format!("{source_addresses} source addresses: ask for at most {SOURCE_ADDRESSES_MAX}");
        return Err(RigError::Plan(problem));
    }
    Ok(())
}

fn check_rate(plan: &Plan, tuples_per_second: f64) -> Result<(), RigError> {
    if !tuples_per_second.is_finite() || tuples_per_second <= 0.0 {
        return Err(refusal("the rate must be a number of requests a second above zero"));
    }
    let tuples_a_block = tuples_per_second * plan.block.as_secs_f64();
    if tuples_a_block < 1.0 {
        return Err(refusal("a block is too short for one request: lengthen it or raise the rate"));
    }
    let samples = tuples_a_block * f64::from(plan.blocks) * plan.targets.len() as f64;
    if samples > SAMPLES_MAX as f64 {
        let problem = format!("{samples:.0} requests to record: stay below {SAMPLES_MAX}");
        return Err(RigError::Plan(problem));
    }
    Ok(())
}

fn refusal(problem: &str) -> RigError {
    RigError::Plan(problem.to_owned())
}
