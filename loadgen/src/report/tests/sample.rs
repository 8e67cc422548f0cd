//! A made-up run with everything a report can show.

use crate::result::{
    BlockSummary, Control, Cost, DiscardedBlock, DisconnectResult, Estimate, FORMAT, Latency,
    Machine, MemoryAxis, MemoryResult, PacedResult, PairedResult, PublishedRow, RoundRatios, Run,
    SlowReaderResult, StageRow, StreamResult, StreamWorkload, TargetResult, VersusResult, Workload,
};
use crate::stats::memory_series;

/// Direct, l4, the gateway and two proxies in an open loop, with streams, memory, stages and a published
/// table beside.
pub(super) fn complete() -> Run {
    Run {
        format: FORMAT,
        name: "headline".to_owned(),
        started_at: "2026-02-03T04:05:06Z".to_owned(),
        command: ["loadgen", "run", "--scenario", "bench/scenarios/headline.toml"]
            .map(str::to_owned)
            .to_vec(),
        commit: Some("0123abc".to_owned()),
        machine: machine(),
        workload: workload(),
        targets: vec![
            target("direct", 14.2, None),
            target("l4", 57.5, Some((55.9, 6.5))),
            target("gateway", 59.6, Some((51.5, 6.7))),
            target("nginx", 67.6, Some((59.4, 12.2))),
            target("haproxy", 69.8, Some((64.1, 15.4))),
        ],
        paired: vec![
            paired("l4", 43.3, 0.3),
            paired("gateway", 44.1, 0.3),
            paired("nginx", 48.7, 0.5),
            paired("haproxy", 50.1, 0.6),
        ],
        versus: vec![
            versus("gateway", "l4", 1.018, 0.92),
            versus("nginx", "l4", 1.125, 1.06),
            versus("haproxy", "l4", 1.157, 1.15),
            versus("gateway", "nginx", 0.906, 0.867),
        ],
        control: Some(Control {
            target: "l4-again".to_owned(),
            reference: "l4".to_owned(),
            measure: "added latency".to_owned(),
            ratio: around(0.997, 0.003),
            smallest_claim: 0.006,
        }),
        blocks: BlockSummary {
            kept: 24,
            discarded: vec![DiscardedBlock {
                round: 2,
                block: 3,
                reasons: vec![
                    "the hypervisor took 2 ticks of CPU time".to_owned(),
                    "the median of direct was +31 % off that of the session".to_owned(),
                ],
            }],
            rules: vec![
                "the hypervisor took more than 0 ticks of CPU time of any core".to_owned(),
                "the median of direct was more than 20 % off that of the session".to_owned(),
            ],
            is_trustworthy: true,
        },
        streams: Some(streams()),
        memory: Some(memory()),
        stages: stages(),
        published: published(),
        notes: vec!["Control: l4-again against l4 gives 0.997 [0.994, 1.000].".to_owned()],
    }
}

fn machine() -> Machine {
    Machine {
        cpu_model: "Example CPU at 2.9 GHz".to_owned(),
        cores: 2,
        kernel: "Linux 6.18.5".to_owned(),
        memory_bytes: 4_000_000_000,
        is_virtual: Some("kvm".to_owned()),
        thp: "madvise".to_owned(),
        scheduler: "harness on core 0, targets on core 1, SCHED_FIFO 50".to_owned(),
        facts: vec![
            ("governor".to_owned(), "none".to_owned()),
            ("load".to_owned(), "0.02 0.05 0.10".to_owned()),
        ],
    }
}

fn workload() -> Workload {
    Workload {
        mode: Some("open".to_owned()),
        tuples_per_second: Some(2_500.0),
        in_flight_max: Some(20_000),
        rounds: Some(5),
        blocks: Some(5),
        block_ms: Some(1_000.0),
        request_bytes: Some(1_000),
        reply_bytes: Some(1_400),
        upstream_delay_ms: Some(0.0),
        stream: Some(StreamWorkload { streams: 50, events: 64, gap_ms: 20.0, event_bytes: 180 }),
        spin: Some(true),
        ..Workload::default()
    }
}

fn target(name: &str, p50_us: f64, cost: Option<(f64, f64)>) -> TargetResult {
    let failed = match name {
        "haproxy" => [("status 503".to_owned(), 2)].into(),
        _ => std::collections::BTreeMap::new(),
    };
    TargetResult {
        name: name.to_owned(),
        requests: 60_000,
        ok: 60_000 - failed.values().sum::<u64>(),
        failed,
        from_intended: Some(latency(p50_us + 0.8)),
        from_send: latency(p50_us),
        requests_per_second: 2_500.0,
        cost: cost.map(|(cpu_us, resident_mb)| Cost {
            cpu_us_per_request: cpu_us,
            cpu_us_per_event: None,
            cpu_us_per_request_blocks: (0..24)
                .map(|block| short(cpu_us * (1.0 + f64::from(block * block % 13 - 6) / 150.0)))
                .collect(),
            voluntary_switches_per_request: 1.98,
            involuntary_switches_per_request: 0.001,
            rss_bytes: (resident_mb * 1e6) as u64,
            rss_peak_bytes: (resident_mb * 1.04e6) as u64,
            pss_bytes: Some((resident_mb * 0.9e6) as u64),
            syscalls_per_request: Some(4.0),
            threads: 1,
        }),
        version: (name == "nginx").then(|| "nginx/1.26.3".to_owned()),
    }
}

/// A body that rises slowly and a tail that rises with the logarithm of what remains.
fn latency(p50_us: f64) -> Latency {
    let at = |remaining: f64| {
        let tail = (0.5 / remaining).ln();
        short(p50_us * (1.0 + 0.07 * tail + 0.0011 * tail.powi(4)))
    };
    let shares = (0..=5).map(|tenth| f64::from(tenth) / 10.0);
    let tail = (7..=92).map(|step| 1.0 - 10_f64.powf(-f64::from(step) / 20.0));
    Latency {
        count: 60_000,
        mean_us: short(p50_us * 1.13),
        p50_us: short(p50_us),
        p90_us: at(0.1),
        p99_us: at(0.01),
        p999_us: at(0.001),
        max_us: at(1.0 / 60_000.0),
        curve: shares
            .chain(tail)
            .map(|share| {
                let body = short(p50_us * (0.9 + share / 5.0));
                (short(share * 100.0), if share < 0.5 { body } else { at(1.0 - share) })
            })
            .collect(),
    }
}

pub(super) fn around(value: f64, half_width: f64) -> Estimate {
    let [value, low, high] = [value, value - half_width, value + half_width].map(short);
    Estimate { value, low, high }
}

/// As short as what is measured, which reads back exactly.
fn short(number: f64) -> f64 {
    (number * 1e5).round() / 1e5
}

fn paired(name: &str, added_us: f64, half_width: f64) -> PairedResult {
    PairedResult {
        target: name.to_owned(),
        baseline: "direct".to_owned(),
        tuples: 60_000,
        added: around(added_us, half_width),
        added_p90: around(added_us * 1.4, half_width * 3.0),
        added_p99: around(added_us * 2.9, half_width * 20.0),
        added_there: Some(around(added_us * 0.55, half_width)),
        added_back: Some(around(added_us * 0.45, half_width)),
        rounds: (0..5).map(|round| short(added_us + f64::from(round) / 10.0)).collect(),
    }
}

fn versus(target: &str, reference: &str, added: f64, cpu: f64) -> VersusResult {
    VersusResult {
        target: target.to_owned(),
        reference: reference.to_owned(),
        difference: Some(around((added - 1.0) * 43.3, 0.3)),
        latency_ratio: Some(around(1.0 + (added - 1.0) * 0.75, 0.004)),
        added_ratio: Some(around(added, 0.007)),
        p99_ratio: Some(around(added * 1.05, 0.12)),
        cpu_ratio: Some(around(cpu, 0.013)),
        rate_ratio: None,
        memory_ratio: None,
        rounds: (0..5)
            .map(|round| RoundRatios {
                latency_ratio: Some(short(1.0 + (added - 1.0) * 0.75)),
                added_ratio: Some(short(added + f64::from(round - 2) / 500.0)),
                p99_ratio: Some(short(added * 1.05 + f64::from(round - 2) / 17.0)),
                cpu_ratio: Some(cpu),
                rate_ratio: None,
                memory_ratio: None,
            })
            .collect(),
    }
}

fn streams() -> StreamResult {
    let paced = |name: &str, first_us: f64| PacedResult {
        name: name.to_owned(),
        streams: 50,
        events: 3_200,
        first_event: latency(first_us),
        added_first_event: (name != "direct").then(|| around(first_us - 31.0, 1.5)),
        added_first_event_ratio: (name == "gateway").then(|| around(1.03, 0.02)),
        added_gap: latency(1.2),
        cpu_us_per_event: (name != "direct").then_some(21.4),
        ..PacedResult::default()
    };
    StreamResult {
        paced: vec![paced("direct", 31.0), paced("l4", 77.0), paced("gateway", 79.0)],
        disconnects: vec![DisconnectResult {
            name: "gateway".to_owned(),
            closed: 32,
            never_closed: 0,
            over_before: 0,
            until_closed: latency(180.0),
        }],
        slow_readers: vec![SlowReaderResult {
            name: "gateway".to_owned(),
            readers: 32,
            rss_before_bytes: 7_000_000,
            rss_peak_bytes: 9_600_000,
            points: vec![(0.0, 7_000_000), (5.0, 9_600_000)],
        }],
    }
}

fn memory() -> MemoryResult {
    let steps = [0_u64, 1_000, 2_500, 5_000, 9_500];
    let series = |name: &str, start: u64, per_stream: u64| {
        let wobble = |step: u64| step * 131 % 700_000;
        let points: Vec<(f64, u64)> = steps
            .iter()
            .map(|step| (*step as f64, start + step * per_stream + wobble(*step)))
            .collect();
        memory_series(name, &points)
    };
    MemoryResult {
        axis: MemoryAxis::Streams,
        series: vec![
            series("gateway", 6_700_000, 3_540),
            series("nginx", 12_200_000, 18_300),
            series("haproxy", 15_500_000, 4_730),
        ],
    }
}

fn stages() -> Vec<StageRow> {
    [
        ("queue wait", 0.31),
        ("key selection", 0.006),
        ("body preparation", 0.42),
        ("request setup", 1.7),
        ("HTTP request", 38.0),
        ("response parsing", 0.9),
    ]
    .map(|(name, mean_us)| StageRow { name: name.to_owned(), mean_us, count: 1_000 })
    .to_vec()
}

fn published() -> Vec<PublishedRow> {
    let row = |name: &str, medium: &str, xlarge: &str, ours: &str, note: &str| PublishedRow {
        name: name.to_owned(),
        published: vec![
            ("t3.medium".to_owned(), medium.to_owned()),
            ("t3.xlarge".to_owned(), xlarge.to_owned()),
        ],
        ours: ours.to_owned(),
        note: note.to_owned(),
    };
    vec![
        row("success", "100 %", "100 %", "100 %", ""),
        row("queue wait", "47.13 µs", "1.67 µs", "0.31 µs", "from accepted to chosen"),
        row(
            "overhead",
            "59 µs",
            "11 µs",
            "2.4 µs",
            "the sum of the stages, as it was published; end to end see added latency, which also \
             has the network and the kernel in it",
        ),
    ]
}
