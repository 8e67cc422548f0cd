//! Open loop, closed loop and one by one.

use std::time::Duration;

use super::middleman::{Manner, middleman};
use super::*;
use crate::rig::recording::{Outcome, Recording, Sample};
use crate::rig::{RigError, run, upstream_thread};

const OPEN: Load = Load::Open { tuples_per_second: 500.0, connections: 0, in_flight_max: 200 };

fn from_intended_ms(sample: &Sample) -> f64 {
    (sample.done_ns - sample.intended_ns) as f64 / 1e6
}

fn from_send_ms(sample: &Sample) -> f64 {
    (sample.done_ns - sample.sent_ns) as f64 / 1e6
}

fn count(recording: &Recording<u32>, outcome: Outcome) -> usize {
    recording.samples.iter().filter(|sample| sample.outcome == outcome).count()
}

fn quantile(mut values: Vec<f64>, quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * quantile) as usize]
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), false)];
    let mut plan = plan(targets, OPEN, upstream(&listen));
    plan.block = Duration::from_secs(1);
    plan.blocks = 3;
    let recording = run(&plan, &mut Counter::default()).unwrap();
    assert_eq!(recording.samples.len(), 1_500);
    assert_eq!(count(&recording, Outcome::Ok), 1_500);
    let mut late_ms = Vec::new();
    for block in &recording.blocks {
        let samples = &recording.samples[block.samples.clone()];
        let length_ns = samples[499].intended_ns - samples[0].intended_ns;
        assert!((997_000_000..999_000_000).contains(&length_ns), "{length_ns} ns");
        late_ms.extend(
            samples.iter().map(|sample| (sample.sent_ns - sample.intended_ns) as f64 / 1e6),
        );
        assert_eq!(block.completed, [500]);
    }
    let late_ms = quantile(late_ms, 0.5);
    assert!(late_ms < 2.0, "sent {late_ms} ms late");
    assert_eq!(recording.upstream.malformed, 0);
}

#[test]
fn tuples_are_complete_and_shuffled() {
    let listen = listener();
    let names = ["direct", "a", "b"];
    let targets = names.iter().map(|name| target(name, listen.address(), false)).collect();
    let recording = run(&plan(targets, OPEN, upstream(&listen)), &mut Counter::default()).unwrap();
    assert_eq!(recording.samples.len(), 2 * 250 * 3);
    let mut firsts = [0; 3];
    for (tuple, samples) in recording.samples.chunks(3).enumerate() {
        for (index, sample) in samples.iter().enumerate() {
            assert_eq!((sample.tuple as usize, usize::from(sample.target)), (tuple, index));
            assert_eq!(sample.outcome, Outcome::Ok);
            assert!(sample.intended_ns <= sample.sent_ns);
            assert!(sample.sent_ns < sample.first_byte_ns);
            assert!(sample.first_byte_ns <= sample.done_ns);
        }
        let first = samples.iter().min_by_key(|sample| sample.intended_ns).unwrap();
        firsts[usize::from(first.target)] += 1;
    }
    assert!(firsts.iter().all(|&count| count > 100), "{firsts:?}");
    let snapshots: Vec<_> =
        recording.blocks.iter().map(|block| (block.before, block.after)).collect();
    assert_eq!(snapshots, [(1, 2), (3, 4)]);
}

#[test]
fn a_stall_shows_from_the_intended_moment() {
    // With one connection, what is meant for the stall finds it busy: that is recorded as failed,
    // not left out.
    let listen = listener();
    let manner = Manner::Stall { after_reads: 60, time: Duration::from_millis(200) };
    let address = middleman(listen.address(), manner);
    let mut plan = plan(vec![target("stalls", address, false)], OPEN, upstream(&listen));
    plan.load = Load::Open { tuples_per_second: 250.0, connections: 0, in_flight_max: 1 };
    plan.blocks = 1;
    plan.warm_up_requests = 0;
    let recording = run(&plan, &mut Counter::default()).unwrap();
    let refused = count(&recording, Outcome::NoConnection);
    assert!(refused > 20, "{refused} requests found no connection");

    plan.load = Load::Open { tuples_per_second: 250.0, connections: 0, in_flight_max: 200 };
    plan.targets = vec![target("stalls", middleman(listen.address(), manner), false)];
    let recording = run(&plan, &mut Counter::default()).unwrap();
    assert_eq!(count(&recording, Outcome::Ok), 125);
    let worst = recording.samples.iter().map(from_intended_ms).fold(0.0, f64::max);
    assert!(worst > 190.0, "worst from the intended moment: {worst} ms");
}

#[test]
fn a_late_generator_is_seen_in_what_was_intended_only() {
    struct Sleeper(Duration);
    impl Observe for Sleeper {
        type Snapshot = ();
        fn snapshot(&mut self) {}
        fn progress(&mut self, progress: &Progress) {
            // Within a block: the generator itself stands still.
            if progress.blocks_done == 0 && progress.completed > 50 {
                std::thread::sleep(std::mem::take(&mut self.0));
            }
        }
    }
    let listen = listener();
    let targets = vec![target("direct", listen.address(), false)];
    let mut plan = plan(targets, OPEN, upstream(&listen));
    plan.block = Duration::from_secs(2);
    plan.blocks = 1;
    let recording = run(&plan, &mut Sleeper(Duration::from_millis(200))).unwrap();
    assert_eq!(recording.samples.len(), 1_000);
    let late: Vec<_> =
        recording.samples.iter().filter(|sample| from_intended_ms(sample) > 50.0).collect();
    assert!(late.len() > 50, "{} late requests", late.len());
    let is_quick = |sample: &&&Sample| from_send_ms(sample) < from_intended_ms(sample) / 2.0;
    let quick = late.iter().filter(is_quick).count();
    assert!(quick > late.len() / 2, "{quick} of {} were quick once they were sent", late.len());
}

#[test]
fn a_mixed_up_reply_is_a_wrong_body() {
    let listen = listener();
    let address = middleman(listen.address(), Manner::Renumber);
    let mut plan = plan(vec![target("mixes", address, false)], Load::OneByOne, upstream(&listen));
    plan.warm_up_requests = 0;
    plan.blocks = 1;
    let recording = run(&plan, &mut Counter::default()).unwrap();
    assert!(!recording.samples.is_empty());
    assert_eq!(count(&recording, Outcome::WrongBody), recording.samples.len());
    assert_eq!(recording.blocks[0].failed, [recording.samples.len() as u64]);

    plan.warm_up_requests = 2;
    let error = run(&plan, &mut Counter::default()).unwrap_err().to_string();
    assert!(error.contains("target mixes at 127.0.0.1"), "{error}");
    assert!(error.contains("number"), "{error}");
}

#[test]
fn a_target_that_refuses_ends_the_run_in_its_words() {
    let listen = listener();
    let reply = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 20\r\n\r\n{\"error\":\"no key\"}  ";
    let address = middleman(listen.address(), Manner::Refuse(reply));
    let refusing = plan(vec![target("gateway", address, false)], OPEN, upstream(&listen));
    let error = run(&refusing, &mut Counter::default()).unwrap_err().to_string();
    assert!(error.contains("status 401"), "{error}");
    assert!(error.contains("{\"error\":\"no key\"}"), "{error}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let absent = plan(vec![target("gateway", closed, false)], OPEN, upstream(&listen));
    let error = run(&absent, &mut Counter::default()).unwrap_err();
    assert!(matches!(error, RigError::Target { .. }));
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_closed_loop_alternates_and_counts() {
    let listen = listener();
    let targets =
        vec![target("direct", listen.address(), false), target("again", listen.address(), false)];
    let mut plan = plan(targets, Load::Closed { connections: 8 }, upstream(&listen));
    plan.block = Duration::from_millis(100);
    let mut counter = Counter::default();
    let recording = run(&plan, &mut counter).unwrap();
    let order: Vec<_> = recording.blocks.iter().map(|block| block.target.unwrap()).collect();
    assert_eq!(order, [0, 1, 1, 0]);
    for block in &recording.blocks {
        let target = usize::from(block.target.unwrap());
        let completed = block.completed[target];
        assert!(completed > 100, "{completed} in {:?}", plan.block);
        assert_eq!((block.completed[1 - target], block.failed.as_slice()), (0, &[0, 0][..]));
        assert_eq!(block.latency[target].len(), completed);
        assert_eq!(block.latency[1 - target].len(), 0);
        assert!(block.ended_ns - block.started_ns >= 100_000_000);
    }
    assert_eq!(recording.connects, [0, 0]);
    assert_eq!(recording.upstream.accepted, 16);
    assert_eq!(counter.progress.last().map(|progress| progress.blocks), Some(4));
}

#[test]
fn one_by_one_has_one_request_in_flight() {
    let listen = listener();
    let targets = vec![
        target("direct", listen.address(), false),
        target("passes", middleman(listen.address(), Manner::Pass), false),
    ];
    let mut plan = plan(targets, Load::OneByOne, upstream(&listen));
    plan.spin = true;
    plan.block = Duration::from_millis(200);
    let recording = run(&plan, &mut Counter::default()).unwrap();
    assert_eq!(count(&recording, Outcome::Ok), recording.samples.len());
    assert_eq!(recording.blocks[1].samples.end, recording.samples.len());
    let mut in_time: Vec<&Sample> = recording.samples.iter().collect();
    in_time.sort_by_key(|sample| sample.sent_ns);
    assert!(in_time.windows(2).all(|pair| pair[0].done_ns <= pair[1].sent_ns));
    assert!(in_time.windows(2).any(|pair| pair[0].target == pair[1].target), "never shuffled");
}

#[test]
fn a_delayed_upstream_holds_many_requests() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), false)];
    let mut upstream = upstream(&listen);
    upstream.delay = Duration::from_millis(300);
    let load = Load::Open { tuples_per_second: 2_000.0, connections: 0, in_flight_max: 2_000 };
    let mut plan = plan(targets, load, upstream);
    plan.warm_up_requests = 800;
    plan.source_addresses = 3;
    let mut counter = Counter::default();
    let recording = run(&plan, &mut counter).unwrap();
    assert_eq!(count(&recording, Outcome::Ok), 2_000);
    let latencies: Vec<f64> = recording.samples.iter().map(from_send_ms).collect();
    let median = quantile(latencies.clone(), 0.5);
    assert!((300.0..400.0).contains(&median), "{median} ms");
    assert!(quantile(latencies, 0.0) >= 300.0);
    // No pause between blocks: the second begins while the first one's requests are in flight.
    let gap_ns = recording.blocks[1].started_ns - recording.blocks[0].ended_ns;
    assert!(gap_ns < 100_000_000, "{gap_ns} ns");
    assert!(recording.upstream.accepted >= 500, "{}", recording.upstream.accepted);
}

#[test]
fn stamps_tell_the_way_there_from_the_way_back() {
    let listen = listener();
    let targets = vec![
        target("direct", listen.address(), false),
        target("passes", middleman(listen.address(), Manner::Pass), false),
    ];
    let mut upstream = upstream(&listen);
    upstream.stamps = true;
    let recording = run(&plan(targets, OPEN, upstream), &mut Counter::default()).unwrap();
    assert_eq!(recording.legs.len(), recording.samples.len());
    for (sample, legs) in recording.samples.iter().zip(&recording.legs) {
        assert!(sample.sent_ns < legs.received_ns, "{sample:?} {legs:?}");
        assert!(legs.received_ns <= legs.sent_ns, "{sample:?} {legs:?}");
        assert!(legs.sent_ns < sample.done_ns, "{sample:?} {legs:?}");
    }
}

#[test]
fn the_upstream_can_have_a_thread_of_its_own() {
    let listen = listener();
    let mut upstream = upstream(&listen);
    upstream.stamps = true;
    let thread = upstream_thread(&upstream, Some(0)).unwrap();
    let mut plan = plan(vec![target("direct", listen.address(), false)], OPEN, upstream);
    plan.upstream = None;
    let recording = run(&plan, &mut Counter::default()).unwrap();
    assert_eq!(count(&recording, Outcome::Ok), recording.samples.len());
    let counts = thread.stop().unwrap();
    assert_eq!(counts.requests, 1 + 20 + recording.samples.len() as u64);
    assert!(upstream_thread(&self::upstream(&listen), Some(100_000)).is_err());
}

#[test]
fn streams_and_large_bodies_pass_as_plain_load() {
    let listen = listener();
    let mut upstream = upstream(&listen);
    upstream.reply_bytes = 300_000;
    upstream.stream = Some(StreamPlan { close: true, split: true, ..stream_plan(3, 1) });
    let large = RequestTemplate::chat("h", "/v1/messages", &[], "claude", 300_000, false);
    let mut large_target = target("large", listen.address(), false);
    large_target.request = large.unwrap();
    let targets = vec![large_target, target("stream", listen.address(), true)];
    let recording = run(&plan(targets, Load::OneByOne, upstream), &mut Counter::default()).unwrap();
    assert_eq!(count(&recording, Outcome::Ok), recording.samples.len());
    assert!(recording.upstream.streams > 20);
    assert_eq!(recording.upstream.events, 3 * recording.upstream.streams);
    // The upstream closes after each stream.
    assert!(recording.connects[1] * 3 >= recording.samples.len() as u64);
    assert_eq!(recording.connects[0], 0);
}

#[test]
fn a_plan_that_cannot_be_carried_out_is_refused() {
    let listen = listener();
    let direct = target("direct", listen.address(), false);
    let good = plan(vec![direct], OPEN, upstream(&listen));
    let load = |load| Plan { load, ..good.clone() };
    for (plan, word) in [
        (Plan { targets: Vec::new(), ..good.clone() }, "0 targets"),
        (Plan { blocks: 0, ..good.clone() }, "block"),
        (Plan { source_addresses: 254, ..good.clone() }, "source addresses"),
        (load(Load::Open { tuples_per_second: 0.0, connections: 0, in_flight_max: 1 }), "rate"),
        (
            load(Load::Open { tuples_per_second: 1.0, connections: 0, in_flight_max: 1 }),
            "too short",
        ),
        (
            load(Load::Open { tuples_per_second: 1e9, connections: 0, in_flight_max: 1 }),
            "to record",
        ),
        (load(Load::Closed { connections: 0 }), "connections"),
    ] {
        let error = run(&plan, &mut Counter::default()).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
