//! Targets against references that ran beside them, as ratios. What is compared was sent in the same
//! tuples (open loop) or in the same turn through the targets and back (closed loop).

use crate::result::{Control, Estimate, RoundRatios, VersusResult};

use super::SummaryOptions;
use super::block::{BlockRecord, Session, Tuple};
use super::bootstrap::{Draws, interval_of_median, median_and_range, ratio};
use super::paired::{collect, stretches};
use super::percentile::{median, quantile, rounded};
use super::target::merged;

/// Rounds from which on the p99 ratio is that of the rounds; below, that of the blocks.
const ROUNDS_MIN: usize = 3;
/// Tuples a block needs to have a p99 worth the name: five beyond it.
const P99_TUPLES_MIN: usize = 500;

/// Two targets, by index; the first is measured by the second.
#[derive(Clone, Copy, PartialEq)]
struct Pair {
    target: usize,
    reference: usize,
}

/// Every target against every reference, each two of them once.
pub(crate) fn compare(session: &Session, options: &SummaryOptions) -> Vec<VersusResult> {
    let pairs = pairs(session, options);
    if session.is_closed() {
        let turns = Turns::of(session);
        return pairs.into_iter().map(|pair| turns.compare(session, pair)).collect();
    }
    let stretches = stretches(session);
    let draws = Draws::new(stretches.len(), options.seed);
    let open = OpenLoop { session, stretches, draws };
    pairs.into_iter().map(|pair| open.compare(pair)).collect()
}

/// What the pair of equal targets came out as.
pub(crate) fn control(versus: &[VersusResult], options: &SummaryOptions) -> Option<Control> {
    let (target, reference) = options.null_pair.as_ref()?;
    let found = versus.iter().find(|one| one.target == *target && one.reference == *reference)?;
    let (measure, ratio) = [
        ("added latency", found.added_ratio),
        ("requests a second", found.rate_ratio),
        ("latency", found.latency_ratio),
    ]
    .into_iter()
    .find_map(|(measure, ratio)| Some((measure, ratio?)))?;
    Some(Control {
        target: target.clone(),
        reference: reference.clone(),
        measure: measure.to_owned(),
        ratio,
        // Not just the half-width: an interval that misses 1 shows a bias, which no claim may be
        // smaller than either.
        smallest_claim: rounded((ratio.low - 1.0).abs().max((ratio.high - 1.0).abs())),
    })
}

/// The control as a sentence.
pub(crate) fn describe_control(control: &Control) -> String {
    let Control { target, reference, measure, ratio, smallest_claim } = control;
    format!(
        "Control: {target} against {reference}, which are the same, gives {measure} {:.3} [{:.3}, \
         {:.3}]. The smallest difference this rig can claim is {:.1} %.",
        ratio.value,
        ratio.low,
        ratio.high,
        smallest_claim * 100.0
    )
}

fn pairs(session: &Session, options: &SummaryOptions) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    let null_pair = options.null_pair.as_ref().and_then(|(target, reference)| {
        Some(Pair { target: session.position(target)?, reference: session.position(reference)? })
    });
    let references = options.references.iter().filter_map(|name| session.position(name));
    let named = references.flat_map(|reference| {
        let targets =
            (0..session.targets.len()).filter(move |&target| Some(target) != session.baseline);
        targets.map(move |target| Pair { target, reference })
    });
    for pair in null_pair.into_iter().chain(named) {
        let reversed = Pair { target: pair.reference, reference: pair.target };
        let is_new = !pairs.contains(&pair) && !pairs.contains(&reversed);
        if is_new && pair.target != pair.reference {
            pairs.push(pair);
        }
    }
    pairs
}

/// An open loop, cut up for comparisons.
struct OpenLoop<'a> {
    session: &'a Session,
    stretches: Vec<Vec<&'a Tuple>>,
    draws: Option<Draws>,
}

impl OpenLoop<'_> {
    fn compare(&self, pair: Pair) -> VersusResult {
        let rounds = self.session.rounds();
        let rounds: Vec<RoundRatios> =
            rounds.iter().map(|blocks| self.round(blocks, pair)).collect();
        VersusResult {
            target: self.session.targets[pair.target].clone(),
            reference: self.session.targets[pair.reference].clone(),
            difference: self.difference(pair),
            latency_ratio: self.median_ratio(|tuple| latencies(tuple, pair)),
            added_ratio: self.median_ratio(|tuple| self.added(tuple, pair)),
            p99_ratio: self.p99_ratio(&rounds, pair),
            cpu_ratio: self.by_blocks(|block| block_cpu_ratio(block, pair)),
            rate_ratio: None,
            memory_ratio: self.by_blocks(|block| block_memory_ratio(block, pair)),
            rounds,
        }
    }

    fn difference(&self, pair: Pair) -> Option<Estimate> {
        let difference = |tuple: &Tuple| tuple.difference(pair.target, pair.reference);
        let differences = collect(&self.stretches, difference);
        Some(self.draws.as_ref()?.quantile(&differences, 0.5)?.scaled(1e-3).estimate())
    }

    /// The ratio of the medians of two numbers that every counted tuple has both of.
    fn median_ratio(&self, numbers: impl Fn(&Tuple) -> Option<(i64, i64)>) -> Option<Estimate> {
        let draws = self.draws.as_ref()?;
        let target = collect(&self.stretches, |tuple| Some(numbers(tuple)?.0));
        let reference = collect(&self.stretches, |tuple| Some(numbers(tuple)?.1));
        let (target, reference) = (draws.quantile(&target, 0.5)?, draws.quantile(&reference, 0.5)?);
        Some(target.by(&reference)?.estimate())
    }

    /// What both add to the baseline; none if one of the three failed, or is the baseline.
    fn added(&self, tuple: &Tuple, pair: Pair) -> Option<(i64, i64)> {
        let baseline = self.session.baseline?;
        let is_apart = baseline != pair.target && baseline != pair.reference;
        let added = |target| tuple.difference(target, baseline);
        is_apart.then(|| Some((added(pair.target)?, added(pair.reference)?)))?
    }

    fn round(&self, blocks: &[&BlockRecord], pair: Pair) -> RoundRatios {
        RoundRatios {
            latency_ratio: quantile_ratio(blocks, 0.5, |tuple| latencies(tuple, pair)),
            added_ratio: quantile_ratio(blocks, 0.5, |tuple| self.added(tuple, pair)),
            p99_ratio: self.p99_of(blocks, pair),
            cpu_ratio: median_of(blocks, |block| block_cpu_ratio(block, pair)),
            rate_ratio: None,
            memory_ratio: median_of(blocks, |block| block_memory_ratio(block, pair)),
        }
    }

    /// Of added latency where there is a baseline.
    fn p99_of(&self, blocks: &[&BlockRecord], pair: Pair) -> Option<f64> {
        let tuples: usize = blocks.iter().map(|block| block.tuples.len()).sum();
        if tuples < P99_TUPLES_MIN {
            return None;
        }
        quantile_ratio(blocks, 0.99, |tuple| self.added(tuple, pair))
            .or_else(|| quantile_ratio(blocks, 0.99, |tuple| latencies(tuple, pair)))
    }

    fn p99_ratio(&self, rounds: &[RoundRatios], pair: Pair) -> Option<Estimate> {
        if rounds.len() >= ROUNDS_MIN {
            return median_and_range(&all(rounds, |round| round.p99_ratio));
        }
        let blocks = self.session.blocks.iter();
        let ratios: Vec<f64> = blocks.filter_map(|block| self.p99_of(&[block], pair)).collect();
        median_and_range(&ratios)
    }

    /// The processes of a block ran side by side, so each block gives a ratio.
    fn by_blocks(&self, ratio: impl Fn(&BlockRecord) -> Option<f64>) -> Option<Estimate> {
        let ratios: Vec<f64> = self.session.blocks.iter().filter_map(ratio).collect();
        interval_of_median(&ratios)
    }
}

/// A closed loop, by turns: once through all targets and back, so that each target's two blocks lie
/// around the same moment. Where there are fewer than two turns, each way is taken for one.
struct Turns<'a> {
    turns: Vec<Vec<&'a BlockRecord>>,
}

/// One target within one turn.
struct Share {
    requests_per_second: Option<f64>,
    cpu_us_per_request: Option<f64>,
    p50_ns: Option<f64>,
    p99_ns: Option<f64>,
    /// The most at the end of one of its blocks.
    rss_bytes: Option<f64>,
}

impl<'a> Turns<'a> {
    fn of(session: &'a Session) -> Turns<'a> {
        let width = session.targets.len().max(1) as u32;
        let there_and_back = Turns::by(session, 2 * width);
        if there_and_back.len() >= 2 {
            return Turns { turns: there_and_back };
        }
        Turns { turns: Turns::by(session, width) }
    }

    fn by(session: &'a Session, length: u32) -> Vec<Vec<&'a BlockRecord>> {
        let blocks: Vec<&BlockRecord> = session.blocks.iter().collect();
        let turn = |block: &BlockRecord| (block.round, block.index / length);
        let turns = blocks.chunk_by(|left, right| turn(left) == turn(right));
        turns.map(<[&BlockRecord]>::to_vec).collect()
    }

    fn compare(&self, session: &Session, pair: Pair) -> VersusResult {
        let rounds: Vec<RoundRatios> =
            self.turns.iter().filter_map(|turn| turn_ratios(turn, pair)).collect();
        let estimate =
            |part: fn(&RoundRatios) -> Option<f64>| interval_of_median(&all(&rounds, part));
        VersusResult {
            target: session.targets[pair.target].clone(),
            reference: session.targets[pair.reference].clone(),
            difference: None,
            latency_ratio: estimate(|round| round.latency_ratio),
            added_ratio: None,
            p99_ratio: median_and_range(&all(&rounds, |round| round.p99_ratio)),
            cpu_ratio: estimate(|round| round.cpu_ratio),
            rate_ratio: estimate(|round| round.rate_ratio),
            memory_ratio: estimate(|round| round.memory_ratio),
            rounds,
        }
    }
}

impl Share {
    fn of(turn: &[&BlockRecord], target: usize) -> Option<Share> {
        let blocks: Vec<&BlockRecord> =
            turn.iter().copied().filter(|block| block.target == Some(target)).collect();
        let latency = merged(blocks.iter().filter_map(|block| block.histograms.get(target)))?;
        let at = |share| (!latency.is_empty()).then(|| latency.value_at_quantile(share) as f64);
        let seconds: f64 = blocks.iter().map(|block| block.seconds).sum();
        let costs = blocks.iter().map(|block| block.cost_of(target).map(|cost| cost.cpu_ns));
        let cpu_ns: Option<u64> = costs.sum();
        let ended: u64 = blocks.iter().map(|block| block.ended(target)).sum();
        let costs = blocks.iter().filter_map(|block| block.cost_of(target));
        let rss_bytes = costs.map(|cost| cost.rss_bytes).max();
        Some(Share {
            requests_per_second: ratio(latency.len() as f64, seconds),
            cpu_us_per_request: ratio(cpu_ns.unwrap_or(0) as f64 / 1e3, ended as f64)
                .filter(|used| *used > 0.0),
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            rss_bytes: rss_bytes.map(|bytes| bytes as f64),
        })
    }
}

/// None if one of the two has no block left in the turn.
fn turn_ratios(turn: &[&BlockRecord], pair: Pair) -> Option<RoundRatios> {
    let (target, reference) = (Share::of(turn, pair.target)?, Share::of(turn, pair.reference)?);
    let part =
        |part: fn(&Share) -> Option<f64>| ratio(part(&target)?, part(&reference)?).map(rounded);
    Some(RoundRatios {
        latency_ratio: part(|share| share.p50_ns),
        added_ratio: None,
        p99_ratio: part(|share| share.p99_ns),
        cpu_ratio: part(|share| share.cpu_us_per_request),
        rate_ratio: part(|share| share.requests_per_second),
        memory_ratio: part(|share| share.rss_bytes),
    })
}

fn latencies(tuple: &Tuple, pair: Pair) -> Option<(i64, i64)> {
    let from_send = |target| tuple.times(target).map(|times| times.from_send);
    Some((from_send(pair.target)?, from_send(pair.reference)?))
}

fn quantile_ratio(
    blocks: &[&BlockRecord],
    share: f64,
    numbers: impl Fn(&Tuple) -> Option<(i64, i64)>,
) -> Option<f64> {
    let tuples = blocks.iter().flat_map(|block| &block.tuples);
    let (mut target, mut reference): (Vec<i64>, Vec<i64>) = tuples.filter_map(numbers).unzip();
    target.sort_unstable();
    reference.sort_unstable();
    let (target, reference) = (quantile(&target, share)?, quantile(&reference, share)?);
    ratio(target as f64, reference as f64).map(rounded)
}

fn block_cpu_ratio(block: &BlockRecord, pair: Pair) -> Option<f64> {
    ratio(block.cpu_us_per_request(pair.target)?, block.cpu_us_per_request(pair.reference)?)
}

fn block_memory_ratio(block: &BlockRecord, pair: Pair) -> Option<f64> {
    let bytes = |target| block.cost_of(target).map(|cost| cost.rss_bytes as f64);
    ratio(bytes(pair.target)?, bytes(pair.reference)?)
}

fn median_of(blocks: &[&BlockRecord], ratio: impl Fn(&BlockRecord) -> Option<f64>) -> Option<f64> {
    let ratios = blocks.iter().filter_map(|block| ratio(block));
    median(&mut ratios.collect::<Vec<f64>>()).map(rounded)
}

fn all(rounds: &[RoundRatios], part: impl Fn(&RoundRatios) -> Option<f64>) -> Vec<f64> {
    rounds.iter().filter_map(part).collect()
}
