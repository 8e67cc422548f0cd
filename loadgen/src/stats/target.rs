//! Each target by itself: its latency, its failures, its rate and what it cost.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::result::{Cost, Latency, TargetResult};

use super::block::{BlockRecord, Session, Times};
use super::cost::TargetCost;
use super::percentile::{latency_of_histogram, latency_of_samples, median, rounded};

/// One result per target, in the plan's order.
pub(crate) fn summarize(session: &Session) -> Vec<TargetResult> {
    let targets = session.targets.iter().enumerate();
    targets.map(|(target, name)| summarize_one(session, target, name)).collect()
}

fn summarize_one(session: &Session, target: usize, name: &str) -> TargetResult {
    let blocks: Vec<&BlockRecord> =
        session.blocks.iter().filter(|block| block.loads(target)).collect();
    let failed = failures(&blocks, target);
    let (from_intended, from_send) = if session.is_closed() {
        (None, histogram_latency(&blocks, target))
    } else {
        let latency = |time: fn(Times) -> i64| {
            let times = blocks.iter().flat_map(|block| block.times(target).map(time));
            latency_of_samples(&mut times.collect::<Vec<i64>>())
        };
        (Some(latency(|times| times.from_intended)), latency(|times| times.from_send))
    };
    let ok = from_send.count;
    let completed: u64 = blocks.iter().filter_map(|block| block.completed.get(target)).sum();
    let seconds: f64 = blocks.iter().map(|block| block.seconds).sum();
    TargetResult {
        name: name.to_owned(),
        requests: ok + failed.values().sum::<u64>(),
        ok,
        failed,
        from_intended,
        from_send,
        requests_per_second: super::ratio(completed as f64, seconds).map_or(0.0, rounded),
        cost: cost(&blocks, target),
        version: None,
    }
}

fn failures(blocks: &[&BlockRecord], target: usize) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for (outcome, count) in blocks.iter().filter_map(|block| block.failed.get(target)).flatten() {
        *all.entry(outcome.clone()).or_insert(0) += count;
    }
    all
}

fn histogram_latency(blocks: &[&BlockRecord], target: usize) -> Latency {
    merged(blocks.iter().filter_map(|block| block.histograms.get(target)))
        .map(|histogram| latency_of_histogram(&histogram))
        .unwrap_or_default()
}

/// All histograms in one; none of none, or if one does not fit the first, which histograms that grow by
/// themselves always do.
pub(crate) fn merged<'a>(
    mut histograms: impl Iterator<Item = &'a Histogram<u64>>,
) -> Option<Histogram<u64>> {
    let mut all = histograms.next()?.clone();
    all.auto(true);
    for histogram in histograms {
        all.add(histogram).ok()?;
    }
    Some(all)
}

fn cost(blocks: &[&BlockRecord], target: usize) -> Option<Cost> {
    let costed: Vec<(&TargetCost, u64)> = blocks
        .iter()
        .filter_map(|block| Some((block.cost_of(target)?, block.ended(target))))
        .filter(|(_, requests)| *requests > 0)
        .collect();
    let requests: u64 = costed.iter().map(|(_, requests)| requests).sum();
    let per_request = |part: fn(&TargetCost) -> u64| {
        let used: u64 = costed.iter().map(|(cost, _)| part(cost)).sum();
        used as f64 / requests as f64
    };
    let last = costed.last()?.0;
    let mut resident: Vec<f64> = costed.iter().map(|(cost, _)| cost.rss_bytes as f64).collect();
    Some(Cost {
        cpu_us_per_request: rounded(per_request(|cost| cost.cpu_ns) / 1e3),
        cpu_us_per_event: None,
        cpu_us_per_request_blocks: costed
            .iter()
            .map(|(cost, requests)| rounded(cost.cpu_ns as f64 / 1e3 / *requests as f64))
            .collect(),
        voluntary_switches_per_request: rounded(per_request(|cost| cost.voluntary_switches)),
        involuntary_switches_per_request: rounded(per_request(|cost| cost.involuntary_switches)),
        rss_bytes: median(&mut resident)? as u64,
        rss_peak_bytes: costed.iter().map(|(cost, _)| cost.rss_bytes).max()?,
        pss_bytes: costed.iter().rev().find_map(|(cost, _)| cost.pss_bytes),
        syscalls_per_request: None,
        threads: last.threads,
    })
}
