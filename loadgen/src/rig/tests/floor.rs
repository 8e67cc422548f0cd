//! What the rig itself costs: the floor of every measurement. Run by hand on a quiet machine:
//! `cargo test --release -p loadgen floor -- --ignored --nocapture --test-threads 1`.

use std::time::Duration;

use super::*;
use crate::rig::run;

#[test]
#[ignore = "measures; needs a release build and a quiet machine"]
fn floor_of_a_closed_loop() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), false)];
    let mut plan = plan(targets, Load::Closed { connections: 64 }, upstream(&listen));
    plan.warm_up_requests = 20_000;
    plan.block = Duration::from_secs(1);
    plan.blocks = 8;
    plan.spin = true;
    let recording = run(&plan, &mut Counter::default()).unwrap();
    let rate = |block: &crate::rig::recording::Block<u32>| {
        block.completed[0] as f64 / ((block.ended_ns - block.started_ns) as f64 / 1e9)
    };
    let best = recording.blocks.iter().map(rate).fold(0.0, f64::max);
    for block in &recording.blocks {
        println!("{:.0} requests a second", rate(block));
    }
    assert!(best >= 90_000.0, "{best:.0} requests a second at best");
}

#[test]
#[ignore = "measures; needs a release build and a quiet machine"]
fn floor_of_one_by_one() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), false)];
    let mut plan = plan(targets, Load::OneByOne, upstream(&listen));
    plan.warm_up_requests = 2_000;
    plan.block = Duration::from_secs(1);
    plan.blocks = 5;
    plan.spin = true;
    let recording = run(&plan, &mut Counter::default()).unwrap();
    let mut best = f64::MAX;
    for block in &recording.blocks {
        let samples = &recording.samples[block.samples.clone()];
        let mut latencies: Vec<u64> =
            samples.iter().map(|sample| sample.done_ns - sample.sent_ns).collect();
        latencies.sort_unstable();
        let at =
            |quantile: f64| latencies[(latencies.len() as f64 * quantile) as usize] as f64 / 1e3;
        println!("p50 {} p99 {} p99.9 {} us of {}", at(0.5), at(0.99), at(0.999), latencies.len());
        best = best.min(at(0.5));
    }
    assert!(best <= 20.0, "p50 {best} us at best");
}

#[test]
#[ignore = "measures; needs a release build and a quiet machine"]
fn floor_of_7500_in_flight() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), false)];
    let mut upstream = upstream(&listen);
    upstream.delay = Duration::from_millis(1_500);
    let load = Load::Open { tuples_per_second: 5_000.0, connections: 0, in_flight_max: 9_000 };
    let mut plan = plan(targets, load, upstream);
    plan.warm_up_requests = 10_000;
    plan.block = Duration::from_secs(4);
    plan.blocks = 2;
    plan.spin = true;
    let recording = run(&plan, &mut Counter::default()).unwrap();
    let mut latencies: Vec<u64> =
        recording.samples.iter().map(|sample| sample.done_ns - sample.intended_ns).collect();
    latencies.sort_unstable();
    let at = |quantile: f64| latencies[(latencies.len() as f64 * quantile) as usize] as f64 / 1e6;
    println!(
        "p50 {} p99 {} p99.9 {} ms, connects {:?}",
        at(0.5),
        at(0.99),
        at(0.999),
        recording.connects
    );
    let failed: u64 = recording.blocks.iter().map(|block| block.failed[0]).sum();
    assert_eq!(failed, 0);
    assert!(recording.upstream.accepted >= 7_400, "{:?}", recording.upstream);
    assert!(at(0.99) < 1_510.0, "p99 {} ms", at(0.99));
}
