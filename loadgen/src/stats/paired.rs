//! What each target adds to the baseline: differences within tuples, and the stretches of tuples that
//! are resampled for their intervals.

use crate::result::{Estimate, PairedResult};

use super::block::{BlockRecord, Session, Tuple};
use super::bootstrap::Draws;
use super::percentile::{quantile, rounded};

/// Stretches that a session is cut into at least, so that few blocks still make an interval.
const STRETCHES_MIN: usize = 30;
/// More than that add time and no precision: neighbours are joined.
const STRETCHES_MAX: usize = 60;

/// One result for each target that is not the baseline; none without a baseline or in a closed loop,
/// where nothing is sent together.
pub(crate) fn summarize(session: &Session, seed: u64) -> Vec<PairedResult> {
    let Some(baseline) = session.baseline.filter(|_| !session.is_closed()) else {
        return Vec::new();
    };
    let stretches = stretches(session);
    let Some(draws) = Draws::new(stretches.len(), seed) else { return Vec::new() };
    let others = (0..session.targets.len()).filter(|&target| target != baseline);
    others
        .filter_map(|target| summarize_one(session, &stretches, &draws, target, baseline))
        .collect()
}

fn summarize_one(
    session: &Session,
    stretches: &[Vec<&Tuple>],
    draws: &Draws,
    target: usize,
    baseline: usize,
) -> Option<PairedResult> {
    let differences = collect(stretches, |tuple| tuple.difference(target, baseline));
    let added = |share| microseconds(draws, &differences, share);
    let leg = |leg: fn((i64, i64)) -> i64| {
        let added = collect(stretches, |tuple| {
            Some(leg(tuple.times(target)?.legs?) - leg(tuple.times(baseline)?.legs?))
        });
        microseconds(draws, &added, 0.5)
    };
    Some(PairedResult {
        target: session.targets[target].clone(),
        baseline: session.targets[baseline].clone(),
        tuples: differences.iter().map(|unit| unit.len() as u64).sum(),
        added: added(0.5)?,
        added_p90: added(0.9)?,
        added_p99: added(0.99)?,
        added_there: leg(|(there, _)| there),
        added_back: leg(|(_, back)| back),
        rounds: session
            .rounds()
            .iter()
            .filter_map(|blocks| added_ns(blocks, target, baseline, 0.5))
            .map(|added| rounded(added / 1e3))
            .collect(),
    })
}

/// The tuples of the session in stretches of neighbours, none of which spans two blocks unless there are
/// more blocks than stretches are of use.
pub(crate) fn stretches(session: &Session) -> Vec<Vec<&Tuple>> {
    let blocks = session.blocks.len().max(1);
    let per_block = STRETCHES_MIN.div_ceil(blocks);
    let joined = blocks.div_ceil(STRETCHES_MAX);
    session
        .blocks
        .chunks(joined)
        .flat_map(|blocks| {
            let tuples: Vec<&Tuple> = blocks.iter().flat_map(|block| &block.tuples).collect();
            cut(&tuples, per_block, session.stretch_tuples_min)
        })
        .collect()
}

/// At most `parts` parts of nearly equal length, none shorter than `length_min` unless all are.
fn cut<'a>(tuples: &[&'a Tuple], parts: usize, length_min: usize) -> Vec<Vec<&'a Tuple>> {
    let parts = parts.min(tuples.len() / length_min.max(1)).max(1);
    let length = tuples.len().div_ceil(parts).max(1);
    tuples.chunks(length).map(<[&Tuple]>::to_vec).collect()
}

/// One number of each tuple that has it, sorted within each stretch.
pub(crate) fn collect(
    stretches: &[Vec<&Tuple>],
    number: impl Fn(&Tuple) -> Option<i64>,
) -> Vec<Vec<i64>> {
    let sorted = |stretch: &Vec<&Tuple>| {
        let mut numbers: Vec<i64> = stretch.iter().filter_map(|tuple| number(tuple)).collect();
        numbers.sort_unstable();
        numbers
    };
    stretches.iter().map(sorted).collect()
}

/// A quantile of the differences in some blocks, nanoseconds.
pub(crate) fn added_ns(
    blocks: &[&BlockRecord],
    target: usize,
    baseline: usize,
    share: f64,
) -> Option<f64> {
    let tuples = blocks.iter().flat_map(|block| &block.tuples);
    let mut differences: Vec<i64> =
        tuples.filter_map(|tuple| tuple.difference(target, baseline)).collect();
    differences.sort_unstable();
    quantile(&differences, share).map(|added| added as f64)
}

fn microseconds(draws: &Draws, differences: &[Vec<i64>], share: f64) -> Option<Estimate> {
    draws.quantile(differences, share).map(|drawn| drawn.scaled(1e-3).estimate())
}
