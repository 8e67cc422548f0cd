//! Recordings taken apart: blocks with the latencies of their tuples and what each target cost in them,
//! over all rounds.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::host::snapshot::HostSnapshot;
use crate::rig::recording::{Block, Outcome, Recording, Sample};

use super::SummaryOptions;
use super::cost::{BlockCost, TargetCost};

/// Tuples of single requests follow each other within a millisecond, and a disturbance meets many.
const STRETCH_TUPLES_MIN: usize = 50;

/// All blocks of all rounds of one plan.
pub(crate) struct Session {
    pub(crate) targets: Vec<String>,
    /// Index of the target that the others' latency is compared with.
    pub(crate) baseline: Option<usize>,
    pub(crate) blocks: Vec<BlockRecord>,
    /// Tuples in a stretch that is resampled as one: what disturbs one tuple is over after that many.
    pub(crate) stretch_tuples_min: usize,
}

/// One block.
pub(crate) struct BlockRecord {
    /// Index of the recording it comes from.
    pub(crate) round: u32,
    /// Its index there.
    pub(crate) index: u32,
    pub(crate) seconds: f64,
    /// The one target of a block of a closed loop.
    pub(crate) target: Option<usize>,
    /// Samples of an open loop, tuple by tuple; empty in a closed loop.
    pub(crate) tuples: Vec<Tuple>,
    /// Histograms of a closed loop, one per target, nanoseconds from send; empty in an open loop.
    pub(crate) histograms: Vec<Histogram<u64>>,
    /// Per target: requests that ended well in the block.
    pub(crate) completed: Vec<u64>,
    /// Per target: requests that ended otherwise, by outcome.
    pub(crate) failed: Vec<BTreeMap<String, u64>>,
    pub(crate) cost: BlockCost,
}

/// The requests that were sent together, one per target.
pub(crate) struct Tuple {
    /// By target; none if it failed.
    pub(crate) times: Vec<Option<Times>>,
}

/// The times of one successful request, nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    pub(crate) from_intended: i64,
    /// An open loop waits for no reply, so a slow target doesn't put off what is sent to it next: this
    /// hides nothing of the target and leaves out what the harness itself was late by.
    pub(crate) from_send: i64,
    /// From the send until the upstream had read the request, and from its answer until the reply was
    /// complete, where the reply said so.
    pub(crate) legs: Option<(i64, i64)>,
}

impl Session {
    /// Takes recordings apart. Targets are those of the first one.
    pub(crate) fn of(rounds: &[Recording<HostSnapshot>], options: &SummaryOptions) -> Session {
        let targets = rounds.first().map(|round| round.targets.clone()).unwrap_or_default();
        let baseline = baseline(&targets, options);
        let numbered = rounds.iter().enumerate();
        let blocks = numbered
            .flat_map(|(round, recording)| {
                let blocks = recording.blocks.iter().enumerate();
                blocks.map(move |(index, block)| record(round, index, recording, block))
            })
            .collect();
        Session { targets, baseline, blocks, stretch_tuples_min: STRETCH_TUPLES_MIN }
    }

    /// Index of a target by its name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.targets.iter().position(|target| target == name)
    }

    /// Whether blocks belong to one target each.
    pub(crate) fn is_closed(&self) -> bool {
        self.blocks.iter().any(|block| block.target.is_some())
    }

    /// The rounds there are blocks of, in order.
    pub(crate) fn rounds(&self) -> Vec<Vec<&BlockRecord>> {
        let mut rounds: BTreeMap<u32, Vec<&BlockRecord>> = BTreeMap::new();
        for block in &self.blocks {
            rounds.entry(block.round).or_default().push(block);
        }
        rounds.into_values().collect()
    }
}

impl BlockRecord {
    /// Whether `target` was under load.
    pub(crate) fn loads(&self, target: usize) -> bool {
        self.target.is_none_or(|only| only == target)
    }

    /// What was used for one request to `target`, in microseconds of CPU; none where no process is known
    /// or no request ended.
    pub(crate) fn cpu_us_per_request(&self, target: usize) -> Option<f64> {
        let cost = self.cost_of(target)?;
        let requests = self.ended(target);
        (requests > 0).then(|| cost.cpu_ns as f64 / 1e3 / requests as f64)
    }

    /// What `target` cost in this block; none where it was not under load or no process is known.
    pub(crate) fn cost_of(&self, target: usize) -> Option<&TargetCost> {
        self.cost.targets.get(target)?.as_ref().filter(|_| self.loads(target))
    }

    /// Requests to `target` that ended in the block, well or not: all of them cost something.
    pub(crate) fn ended(&self, target: usize) -> u64 {
        let failed = self.failed.get(target).map_or(0, |failed| failed.values().sum());
        self.completed.get(target).copied().unwrap_or(0) + failed
    }

    /// The successful times from send of one target, as the samples tell.
    pub(crate) fn latencies(&self, target: usize) -> impl Iterator<Item = i64> {
        self.times(target).map(|times| times.from_send)
    }

    /// The successful requests to one target.
    pub(crate) fn times(&self, target: usize) -> impl Iterator<Item = Times> {
        self.tuples.iter().filter_map(move |tuple| tuple.times(target))
    }

    /// The median latency of a target, nanoseconds from send.
    pub(crate) fn median_ns(&self, target: usize) -> Option<f64> {
        if let Some(histogram) = self.histograms.get(target).filter(|one| !one.is_empty()) {
            return Some(histogram.value_at_quantile(0.5) as f64);
        }
        let mut times: Vec<i64> = self.latencies(target).collect();
        times.sort_unstable();
        super::percentile::quantile(&times, 0.5).map(|median| median as f64)
    }
}

impl Tuple {
    /// The times of one target, if its request succeeded.
    pub(crate) fn times(&self, target: usize) -> Option<Times> {
        self.times.get(target).copied().flatten()
    }

    /// How much longer `target` took than `other`, nanoseconds from send; none if one of them failed.
    pub(crate) fn difference(&self, target: usize, other: usize) -> Option<i64> {
        Some(self.times(target)?.from_send - self.times(other)?.from_send)
    }
}

/// Where the baseline is among the targets.
pub(crate) fn baseline(targets: &[String], options: &SummaryOptions) -> Option<usize> {
    let name = options.baseline.as_ref()?;
    targets.iter().position(|target| target == name)
}

fn record(
    round: usize,
    index: usize,
    recording: &Recording<HostSnapshot>,
    block: &Block<HostSnapshot>,
) -> BlockRecord {
    let is_closed = block.target.is_some();
    BlockRecord {
        round: round as u32,
        index: index as u32,
        seconds: block.ended_ns.saturating_sub(block.started_ns) as f64 / 1e9,
        target: block.target.map(usize::from),
        tuples: if is_closed { Vec::new() } else { tuples(recording, block) },
        histograms: if is_closed { block.latency.clone() } else { Vec::new() },
        completed: block.completed.clone(),
        failed: failures(recording, block),
        cost: BlockCost::between(&block.before, &block.after),
    }
}

/// Samples lie tuple by tuple, one for each target.
fn tuples(recording: &Recording<HostSnapshot>, block: &Block<HostSnapshot>) -> Vec<Tuple> {
    let width = recording.targets.len().max(1);
    let samples = recording.samples.get(block.samples.clone()).unwrap_or_default();
    let starts = (block.samples.start..).step_by(width);
    samples
        .chunk_by(|left, right| left.tuple == right.tuple)
        .zip(starts)
        .map(|(chunk, start)| {
            let mut times = vec![None; width];
            for (offset, sample) in chunk.iter().enumerate() {
                if let Some(slot) = times.get_mut(usize::from(sample.target)) {
                    *slot = times_of(recording, sample, start + offset);
                }
            }
            Tuple { times }
        })
        .collect()
}

fn times_of(recording: &Recording<HostSnapshot>, sample: &Sample, index: usize) -> Option<Times> {
    let since = |moment: u64| signed(sample.done_ns) - signed(moment);
    let legs = recording.legs.get(index).filter(|legs| legs.received_ns > 0 && legs.sent_ns > 0);
    (sample.outcome == Outcome::Ok).then(|| Times {
        from_intended: since(sample.intended_ns),
        from_send: since(sample.sent_ns),
        legs: legs
            .map(|legs| (signed(legs.received_ns) - signed(sample.sent_ns), since(legs.sent_ns))),
    })
}

/// A clock that started with the run doesn't reach the sign bit for three centuries.
pub(crate) fn signed(nanoseconds: u64) -> i64 {
    i64::try_from(nanoseconds).unwrap_or(i64::MAX)
}

/// Failures per target by outcome. A closed loop counts them without saying which.
fn failures(
    recording: &Recording<HostSnapshot>,
    block: &Block<HostSnapshot>,
) -> Vec<BTreeMap<String, u64>> {
    let mut failed = vec![BTreeMap::new(); recording.targets.len()];
    let samples = recording.samples.get(block.samples.clone()).unwrap_or_default();
    for sample in samples.iter().filter(|sample| sample.outcome != Outcome::Ok) {
        if let Some(failed) = failed.get_mut(usize::from(sample.target)) {
            *failed.entry(sample.outcome.label()).or_insert(0) += 1;
        }
    }
    if block.target.is_some() {
        for (failed, &count) in failed.iter_mut().zip(&block.failed) {
            if count > 0 {
                failed.insert("failed".to_owned(), count);
            }
        }
    }
    failed
}
