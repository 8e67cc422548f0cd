//! From what was recorded to what can be claimed: distributions, differences within tuples, ratios with
//! their intervals, and which blocks were too disturbed to count.
//!
//! Added latency is never the difference of two distributions: each tuple sends one request to each
//! target at nearly the same moment, and what is added is the difference within the tuple. What the
//! machine does to all of them alike drops out.

mod block;
mod bootstrap;
mod cost;
mod memory;
mod noise;
mod paired;
mod percentile;
mod streams;
mod target;
mod versus;

use crate::host::snapshot::HostSnapshot;
use crate::result::{BlockSummary, Control, PairedResult, TargetResult, VersusResult};
use crate::rig::recording::Recording;

use block::Session;

pub(crate) use bootstrap::{interval_of_median, median_and_range, ratio};
pub(crate) use memory::memory_series;
pub(crate) use noise::NoiseLimits;
pub(crate) use streams::{StreamSummary, summarize_disconnects, summarize_streams};

/// Which target means what, and what counts as noise.
#[derive(Clone, Debug, Default)]
pub(crate) struct SummaryOptions {
    /// The target whose latency is taken off the others': `direct`.
    pub(crate) baseline: Option<String>,
    /// The targets others are compared with, `l4` first when there is one.
    pub(crate) references: Vec<String>,
    /// Two targets known to be the same, for the control.
    pub(crate) null_pair: Option<(String, String)>,
    /// When a block is too disturbed to count.
    pub(crate) noise: NoiseLimits,
    /// Of the bootstrap: the same recording and seed give the same intervals.
    pub(crate) seed: u64,
}

/// The parts of a [`Run`](crate::result::Run) that come from recordings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    /// In the order of the plan.
    pub(crate) targets: Vec<TargetResult>,
    pub(crate) paired: Vec<PairedResult>,
    pub(crate) versus: Vec<VersusResult>,
    pub(crate) control: Option<Control>,
    pub(crate) blocks: BlockSummary,
    /// Sentences for the run's notes.
    pub(crate) notes: Vec<String>,
}

/// Summarizes rounds of the same plan, one recording each, as one session.
pub(crate) fn combine_rounds(
    rounds: &[Recording<HostSnapshot>],
    options: &SummaryOptions,
) -> Summary {
    let recorded = Session::of(rounds, options);
    let (session, blocks, mut notes) = noise::sift(recorded, &options.noise);
    let versus = versus::compare(&session, options);
    let control = versus::control(&versus, options);
    notes.extend(control.as_ref().map(versus::describe_control));
    notes.extend(connect_notes(rounds));
    Summary {
        targets: target::summarize(&session),
        paired: paired::summarize(&session, options.seed),
        versus,
        control,
        blocks,
        notes,
    }
}

/// Says where requests had to wait for new connections.
fn connect_notes(rounds: &[Recording<HostSnapshot>]) -> Vec<String> {
    let Some(first) = rounds.first() else { return Vec::new() };
    let connects = |target: usize| -> u64 {
        rounds.iter().filter_map(|round| round.connects.get(target)).sum()
    };
    first
        .targets
        .iter()
        .enumerate()
        .map(|(target, name)| (name, connects(target)))
        .filter(|(_, connects)| *connects > 0)
        .map(|(name, connects)| {
            format!(
                "{connects} requests to {name} waited for a new connection; that counts from the \
                 intended moment and not from the send."
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
