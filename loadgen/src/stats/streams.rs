//! Streams: a stream's first event is to it what the reply is to a request, and goes through the same
//! pairing and the same rules for noise; what happens between events is counted beside.

use std::collections::BTreeMap;

use crate::host::snapshot::HostSnapshot;
use crate::result::{BlockSummary, DisconnectResult, PacedResult, PairedResult, VersusResult};
use crate::rig::recording::Outcome;
use crate::rig::streams::disconnects::{Departure, DisconnectRecording};
use crate::rig::streams::pace::{PaceBlock, PaceRecording, PacedStream};

use super::SummaryOptions;
use super::block::{BlockRecord, Session, Times, Tuple, baseline, signed};
use super::bootstrap::ratio;
use super::cost::BlockCost;
use super::percentile::{latency_of_samples, rounded};
use super::{noise, paired, versus};

/// A stream takes as long as a whole block of requests, so that few of them share a disturbance.
const STRETCH_TUPLES_MIN: usize = 4;

/// The parts of a [`Run`](crate::result::Run) that come from paced streams.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StreamSummary {
    /// In the order of the plan.
    pub(crate) paced: Vec<PacedResult>,
    pub(crate) blocks: BlockSummary,
    /// Sentences for the run's notes.
    pub(crate) notes: Vec<String>,
}

/// Summarizes streams with one event per gap.
pub(crate) fn summarize_streams(
    recording: &PaceRecording<HostSnapshot>,
    options: &SummaryOptions,
) -> StreamSummary {
    let (session, blocks, notes) = noise::sift(session(recording, options), &options.noise);
    let kept: Vec<(&BlockRecord, &PaceBlock<HostSnapshot>)> = session
        .blocks
        .iter()
        .filter_map(|block| Some((block, recording.blocks.get(block.index as usize)?)))
        .collect();
    let added = paired::summarize(&session, options.seed);
    let against = versus::compare(&session, options);
    let paced = session
        .targets
        .iter()
        .enumerate()
        .map(|(target, name)| {
            let mut result = between_events(recording, &kept, target, name);
            set_first_event(&mut result, &session, target, &added, &against);
            result
        })
        .collect();
    StreamSummary { paced, blocks, notes }
}

/// Summarizes clients that left, by target.
pub(crate) fn summarize_disconnects(recording: &DisconnectRecording) -> Vec<DisconnectResult> {
    let targets = recording.targets.iter().enumerate();
    targets
        .map(|(target, name)| {
            let departures = recording.departures.iter();
            let departures = departures.filter(|one| usize::from(one.target) == target);
            let (seen, unseen): (Vec<&Departure>, Vec<&Departure>) =
                departures.partition(|departure| departure.seen_ns.is_some());
            let mut until: Vec<i64> = seen
                .iter()
                .filter_map(|one| Some(signed(one.seen_ns?) - signed(one.left_ns)))
                .collect();
            DisconnectResult {
                name: name.clone(),
                closed: seen.len() as u64,
                never_closed: unseen.len() as u64,
                over_before: recording.over_before.get(target).copied().unwrap_or(0).into(),
                until_closed: latency_of_samples(&mut until),
            }
        })
        .collect()
}

/// First events as if they were whole replies.
fn session(recording: &PaceRecording<HostSnapshot>, options: &SummaryOptions) -> Session {
    let width = recording.targets.len();
    let blocks = recording.blocks.iter().enumerate();
    let blocks = blocks.map(|(index, block)| {
        let streams = recording.streams.get(block.streams.clone()).unwrap_or_default();
        let of = |target| streams.iter().filter(move |one| usize::from(one.target) == target);
        let is_ok = |stream: &&PacedStream| stream.outcome == Outcome::Ok;
        BlockRecord {
            round: 0,
            index: index as u32,
            seconds: block.ended_ns.saturating_sub(block.started_ns) as f64 / 1e9,
            target: None,
            tuples: tuples(streams, width),
            histograms: Vec::new(),
            completed: (0..width).map(|target| of(target).filter(is_ok).count() as u64).collect(),
            failed: (0..width).map(|target| failures(of(target))).collect(),
            cost: BlockCost::between(&block.before, &block.after),
        }
    });
    Session {
        targets: recording.targets.clone(),
        baseline: baseline(&recording.targets, options),
        blocks: blocks.collect(),
        stretch_tuples_min: STRETCH_TUPLES_MIN,
    }
}

/// Streams lie in the order they ended; tuples are put together again, in the order they began.
fn tuples(streams: &[PacedStream], width: usize) -> Vec<Tuple> {
    let mut tuples: BTreeMap<u32, Vec<Option<Times>>> = BTreeMap::new();
    for stream in streams.iter().filter(|stream| stream.first_event_ns > 0) {
        let times = tuples.entry(stream.tuple).or_insert_with(|| vec![None; width]);
        if let Some(slot) = times.get_mut(usize::from(stream.target)) {
            let first = signed(stream.first_event_ns) - signed(stream.sent_ns);
            *slot = Some(Times { from_intended: first, from_send: first, legs: None });
        }
    }
    tuples.into_values().map(|times| Tuple { times }).collect()
}

fn failures<'a>(streams: impl Iterator<Item = &'a PacedStream>) -> BTreeMap<String, u64> {
    let mut failures = BTreeMap::new();
    for stream in streams.filter(|stream| stream.outcome != Outcome::Ok) {
        *failures.entry(stream.outcome.label()).or_insert(0) += 1;
    }
    failures
}

/// What happened to one target's streams after their first event.
fn between_events(
    recording: &PaceRecording<HostSnapshot>,
    kept: &[(&BlockRecord, &PaceBlock<HostSnapshot>)],
    target: usize,
    name: &str,
) -> PacedResult {
    let streams: Vec<&PacedStream> = kept
        .iter()
        .filter_map(|(_, block)| recording.streams.get(block.streams.clone()))
        .flatten()
        .filter(|stream| usize::from(stream.target) == target)
        .collect();
    let mut gaps: Vec<i64> =
        streams.iter().flat_map(|stream| recording.added_gaps_ns(stream)).collect();
    let count = |is: fn(&PacedStream) -> bool| streams.iter().filter(|one| is(one)).count() as u64;
    let sum = |part: fn(&PacedStream) -> u32| -> u64 {
        streams.iter().map(|one| u64::from(part(one))).sum()
    };
    PacedResult {
        name: name.to_owned(),
        streams: streams.len() as u64,
        events: streams.iter().map(|stream| stream.events.len() as u64).sum(),
        added_gap: latency_of_samples(&mut gaps),
        coalesced: sum(|stream| stream.coalesced),
        stalls: sum(|stream| stream.stalls),
        // A stream that broke off is no more complete than it can be.
        altered: count(|stream| {
            stream.outcome == Outcome::Ok && !(stream.is_in_order && stream.is_identical)
        }),
        broken: count(|stream| stream.outcome != Outcome::Ok),
        cpu_us_per_event: cpu_us_per_event(kept, target),
        ..PacedResult::default()
    }
}

fn set_first_event(
    result: &mut PacedResult,
    session: &Session,
    target: usize,
    added: &[PairedResult],
    against: &[VersusResult],
) {
    let blocks = session.blocks.iter();
    let mut first: Vec<i64> = blocks.flat_map(|block| block.latencies(target)).collect();
    result.first_event = latency_of_samples(&mut first);
    let added = added.iter().find(|one| one.target == result.name);
    result.added_first_event = added.map(|one| one.added);
    let against = against.iter().find(|one| one.target == result.name);
    result.added_first_event_ratio = against.and_then(|one| one.added_ratio);
}

fn cpu_us_per_event(
    kept: &[(&BlockRecord, &PaceBlock<HostSnapshot>)],
    target: usize,
) -> Option<f64> {
    let (mut cpu_ns, mut events) = (0, 0);
    for (record, block) in kept {
        cpu_ns += record.cost_of(target)?.cpu_ns;
        events += block.events.get(target)?;
    }
    ratio(cpu_ns as f64 / 1e3, events as f64).map(rounded)
}

#[cfg(test)]
mod tests;
