//! Makes recordings of sessions whose truth is known.

use fastrand::Rng;
use hdrhistogram::Histogram;

use crate::host::snapshot::{HostSnapshot, ProcessCost};
use crate::rig::recording::{Block, Legs, Outcome, Recording, Sample, UpstreamCounts};

/// CPU that `l4` and `gateway` take for a request in an open loop.
const CPU_NS: u64 = 50_000;
const BLOCK_NS: u64 = 1_000_000_000;
/// What a request takes without anything in between.
const DIRECT_NS: i64 = 14_000;

/// An open loop of `direct`, `l4` and `gateway`, one second per block.
pub(super) struct Scene {
    pub(super) seed: u64,
    pub(super) blocks: u32,
    pub(super) tuples_per_block: u32,
    pub(super) l4_added_ns: i64,
    pub(super) gateway_added_ns: i64,
    /// By how much all targets get slower from the first to the last tuple.
    pub(super) drift_ns: i64,
    /// In the last blocks, as many as this, all requests to the gateway fail.
    pub(super) gateway_lost: u32,
    pub(super) has_stamps: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Scene {
            seed: 0,
            blocks: 8,
            tuples_per_block: 600,
            l4_added_ns: 40_000,
            gateway_added_ns: 42_000,
            drift_ns: 0,
            gateway_lost: 0,
            has_stamps: false,
        }
    }
}

impl Scene {
    pub(super) fn record(&self) -> Recording<HostSnapshot> {
        let mut random = Rng::with_seed(self.seed);
        let mut recording = empty(&["direct", "l4", "gateway"]);
        for block in 0..self.blocks {
            self.record_block(block, &mut random, &mut recording);
        }
        recording
    }

    fn record_block(&self, block: u32, random: &mut Rng, recording: &mut Recording<HostSnapshot>) {
        let start = recording.samples.len();
        let is_lost = block + self.gateway_lost >= self.blocks && self.gateway_lost > 0;
        // What a whole block shares, and what a tuple shares: both drop out of differences.
        let shared = random.i64(-300..=300);
        for tuple in 0..self.tuples_per_block {
            let number = block * self.tuples_per_block + tuple;
            let progress = f64::from(number) / f64::from(self.blocks * self.tuples_per_block);
            let common = DIRECT_NS + shared + (self.drift_ns as f64 * progress) as i64;
            for (target, added) in [0, self.l4_added_ns, self.gateway_added_ns].iter().enumerate() {
                let noise = random.i64(-2_000..=2_000) + random.i64(-2_000..=2_000);
                let outcome = if is_lost && target == 2 { Outcome::Broken } else { Outcome::Ok };
                let sent_ns = u64::from(number) * 1_000_000 + 10_000_000;
                let done_ns = sent_ns + (common + added + noise) as u64;
                recording.samples.push(Sample {
                    tuple: number,
                    target: target as u16,
                    outcome,
                    intended_ns: sent_ns,
                    sent_ns,
                    first_byte_ns: done_ns,
                    done_ns,
                });
                if self.has_stamps {
                    let received_ns = sent_ns + 5_000 + *added as u64 / 4;
                    recording.legs.push(Legs { received_ns, sent_ns: received_ns + 1_000 });
                }
            }
        }
        let tuples = u64::from(self.tuples_per_block);
        let lost = if is_lost { tuples } else { 0 };
        let before = u64::from(block) * BLOCK_NS;
        let edge = |blocks: u64| {
            let used = Some(process(blocks * tuples * CPU_NS, blocks * tuples * 2));
            snapshot(blocks * BLOCK_NS, vec![None, used, used])
        };
        recording.blocks.push(Block {
            target: None,
            started_ns: before,
            ended_ns: before + BLOCK_NS,
            samples: start..recording.samples.len(),
            completed: vec![tuples, tuples, tuples - lost],
            failed: vec![0, 0, lost],
            latency: Vec::new(),
            before: edge(u64::from(block)),
            after: edge(u64::from(block) + 1),
        });
    }
}

/// A closed loop of `nginx` and `gateway` in the order A B B A.
pub(super) struct Closed<'a> {
    /// Requests a second in the first block, by target.
    pub(super) rates: &'a [u64],
    /// CPU per request, by target.
    pub(super) cpu_ns: &'a [u64],
    pub(super) turns: u32,
    /// The machine gets slower by this share of the first rate with each block.
    pub(super) slowdown_per_block: f64,
}

pub(super) fn closed_loop(closed: &Closed<'_>) -> Recording<HostSnapshot> {
    let mut recording = empty(&["nginx", "gateway"]);
    let mut used = [0; 2];
    let order = [0, 1, 1, 0].repeat(closed.turns as usize);
    for (index, target) in order.into_iter().enumerate() {
        let speed = 1.0 - closed.slowdown_per_block * index as f64;
        let completed = (closed.rates[target] as f64 * speed) as u64;
        let mut latency = vec![Histogram::<u64>::new(3).unwrap(); 2];
        latency[target].record_n(1_000_000_000 / completed, completed).unwrap();
        let counts = |target: usize, count: u64| {
            let mut counts = vec![0; 2];
            counts[target] = count;
            counts
        };
        let before = edge(index as u64, used);
        used[target] += completed * closed.cpu_ns[target];
        let after = edge(index as u64 + 1, used);
        recording.blocks.push(Block {
            target: Some(target as u16),
            started_ns: before.at_ns,
            ended_ns: after.at_ns,
            samples: 0..0,
            completed: counts(target, completed),
            failed: counts(target, 0),
            latency,
            before,
            after,
        });
    }
    recording
}

fn edge(blocks: u64, used: [u64; 2]) -> HostSnapshot {
    snapshot(blocks * BLOCK_NS, used.map(|cpu_ns| Some(process(cpu_ns, 0))).to_vec())
}

fn snapshot(at_ns: u64, targets: Vec<Option<ProcessCost>>) -> HostSnapshot {
    HostSnapshot { at_ns, steal_ticks: 7, harness: process(at_ns / 2, 0), targets }
}

fn process(cpu_ns: u64, voluntary_switches: u64) -> ProcessCost {
    ProcessCost {
        cpu_ns,
        voluntary_switches,
        rss_bytes: 10_000_000,
        threads: 1,
        ..ProcessCost::default()
    }
}

fn empty(targets: &[&str]) -> Recording<HostSnapshot> {
    Recording {
        targets: targets.iter().map(|name| (*name).to_owned()).collect(),
        samples: Vec::new(),
        legs: Vec::new(),
        blocks: Vec::new(),
        connects: vec![0; targets.len()],
        upstream: UpstreamCounts::default(),
    }
}
