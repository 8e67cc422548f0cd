//! Streams: pace, fidelity, memory, slow readers, departures.

use std::time::Duration;

use super::middleman::{Manner, middleman};
use super::*;
use crate::rig::recording::Outcome;
use crate::rig::streams::disconnects::{DisconnectPlan, Leave};
use crate::rig::streams::idle::{IdlePlan, SILENT_GAP};
use crate::rig::streams::pace::{PacePlan, PaceRecording, PacedStream};
use crate::rig::streams::slow_readers::SlowPlan;
use crate::rig::streams::{StreamSetup, disconnects, idle, pace, slow_readers};

const EVENTS: u32 = 12;
const GAP_MS: u64 = 5;

fn setup(listen: &Listener, targets: Vec<TargetPlan>, stream: StreamPlan) -> StreamSetup {
    let upstream = UpstreamPlan { stream: Some(stream), ..upstream(listen) };
    StreamSetup { targets, upstream, spin: false, source_addresses: 0, seed: 1 }
}

fn paced(manners: &[Manner], stream: StreamPlan) -> PaceRecording<u32> {
    let listen = listener();
    let mut targets = vec![target("direct", listen.address(), true)];
    for manner in manners {
        targets.push(target("between", middleman(listen.address(), *manner), true));
    }
    let setup = setup(&listen, targets, stream);
    let plan = PacePlan { setup, lanes: 3, warm_up_tuples: 1, tuples: 6, blocks: 2 };
    pace::run(&plan, &mut Counter::default()).unwrap()
}

fn of_target(recording: &PaceRecording<u32>, target: u16) -> Vec<&PacedStream> {
    recording.streams.iter().filter(|stream| stream.target == target).collect()
}

fn assert_faithful(streams: &[&PacedStream]) {
    assert_eq!(streams.len(), 12);
    for stream in streams {
        assert_eq!(stream.outcome, Outcome::Ok);
        assert!(stream.is_identical && stream.is_in_order, "{stream:?}");
        assert_eq!(stream.events.len(), EVENTS as usize);
    }
}

#[test]
fn a_paced_stream_arrives_whole_and_on_time() {
    let recording = paced(&[Manner::Pass], stream_plan(EVENTS, GAP_MS));
    assert_faithful(&of_target(&recording, 0));
    assert_faithful(&of_target(&recording, 1));
    for stream in &recording.streams {
        let first_event_ms = (stream.first_event_ns - stream.sent_ns) as f64 / 1e6;
        assert!(first_event_ms >= GAP_MS as f64, "first event after {first_event_ms} ms");
        assert_eq!(recording.added_gaps_ns(stream).count(), EVENTS as usize - 1);
        for event in &recording.events[stream.events.clone()] {
            assert!(event.sent_ns < event.received_ns);
        }
    }
    let blocks: Vec<_> = recording.blocks.iter().map(|block| block.events.clone()).collect();
    assert_eq!(blocks, [[6 * u64::from(EVENTS); 2], [6 * u64::from(EVENTS); 2]]);
    // Of a tuple all streams are there.
    for tuple in 0..12 {
        assert_eq!(recording.streams.iter().filter(|stream| stream.tuple == tuple).count(), 2);
    }
}

#[test]
fn the_schedule_of_events_does_not_drift() {
    let recording = paced(&[], stream_plan(EVENTS, GAP_MS));
    let wanted_ns = u64::from(EVENTS - 1) * GAP_MS * 1_000_000;
    let error_ns = |stream: &PacedStream| {
        let events = &recording.events[stream.events.clone()];
        let length_ns = events[events.len() - 1].sent_ns - events[0].sent_ns;
        length_ns.abs_diff(wanted_ns)
    };
    // Each event may be late by itself; what one was late the next is not.
    let mut errors_ns: Vec<u64> = recording.streams.iter().map(error_ns).collect();
    errors_ns.sort_unstable();
    let median_ns = errors_ns[errors_ns.len() / 2];
    assert!(median_ns < GAP_MS * 1_000_000, "{median_ns} ns in {wanted_ns} ns");
}

#[test]
fn a_changed_byte_is_noticed() {
    let recording = paced(&[Manner::Corrupt], stream_plan(EVENTS, GAP_MS));
    assert_faithful(&of_target(&recording, 0));
    for stream in of_target(&recording, 1) {
        assert_eq!(stream.outcome, Outcome::Ok);
        assert!(!stream.is_identical && stream.is_in_order, "{stream:?}");
    }
}

#[test]
fn events_held_back_are_noticed() {
    let hold = Duration::from_millis(4 * GAP_MS);
    let recording = paced(&[Manner::Coalesce(hold)], stream_plan(EVENTS, GAP_MS));
    let sum = |target| -> u32 {
        of_target(&recording, target).iter().map(|stream| stream.coalesced).sum()
    };
    let (direct, between) = (sum(0), sum(1));
    // Three of four events of twelve streams are held back; where a busy machine holds back some
    // itself, fewer were sent apart.
    assert!(between > 12 * EVENTS / 4, "{between} coalesced");
    assert!(direct < between / 2, "{direct} coalesced without anyone between");
    assert!(of_target(&recording, 1).iter().all(|stream| stream.is_identical));
}

#[test]
fn a_stall_is_noticed() {
    let time = Duration::from_millis(15 * GAP_MS);
    let recording = paced(&[Manner::Stall { after_reads: 60, time }], stream_plan(EVENTS, GAP_MS));
    let stalls: u32 = of_target(&recording, 1).iter().map(|stream| stream.stalls).sum();
    assert!(stalls >= 1, "no stall seen");
}

#[test]
fn split_events_and_closed_connections_are_whole_all_the_same() {
    let stream = StreamPlan { split: true, close: true, ..stream_plan(EVENTS, GAP_MS) };
    let recording = paced(&[Manner::Pass], stream);
    assert_faithful(&of_target(&recording, 0));
    assert_faithful(&of_target(&recording, 1));
}

#[test]
fn a_burst_is_whole_and_no_stall() {
    let recording = paced(&[Manner::Pass], stream_plan(EVENTS, 0));
    assert_faithful(&of_target(&recording, 0));
    assert_faithful(&of_target(&recording, 1));
    assert!(recording.streams.iter().all(|stream| stream.stalls == 0));
}

#[test]
fn idle_streams_are_opened_and_read_step_by_step() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), true)];
    let stream = StreamPlan { gap: SILENT_GAP, head_delay: Duration::ZERO, ..stream_plan(2, 0) };
    let plan = IdlePlan {
        setup: setup(&listen, targets, stream),
        steps: vec![20, 50],
        opens_per_second: 2_000.0,
        settle: Duration::from_millis(10),
        hold: Duration::from_millis(50),
    };
    let recording = idle::run(&plan, &mut Counter::default()).unwrap();
    let points: Vec<_> =
        recording.points.iter().map(|point| (point.streams, point.snapshot)).collect();
    assert_eq!(points, [(0, 1), (20, 2), (50, 3), (50, 4)]);
    assert_eq!((recording.failed, recording.lost), (0, 0));
    let held_ns = recording.points[3].at_ns - recording.points[2].at_ns;
    assert!(held_ns >= 50_000_000, "{held_ns} ns");
}

#[test]
fn idle_streams_that_end_are_lost() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), true)];
    let plan = IdlePlan {
        setup: setup(&listen, targets, stream_plan(2, 20)),
        steps: vec![10],
        opens_per_second: 5_000.0,
        settle: Duration::ZERO,
        hold: Duration::from_millis(200),
    };
    let recording = idle::run(&plan, &mut Counter::default()).unwrap();
    assert_eq!(recording.lost, 10);
    assert_eq!(recording.points.last().map(|point| point.streams), Some(0));
}

#[test]
fn a_slow_reader_holds_the_upstream_back() {
    let listen = listener();
    let targets = vec![target("passes", middleman(listen.address(), Manner::Pass), true)];
    // 64 MB, far more than all buffers on the way.
    let stream = StreamPlan { event_bytes: 64 << 10, ..stream_plan(1_000, 0) };
    let plan = SlowPlan {
        setup: setup(&listen, targets, stream),
        readers: 2,
        bytes_per_second: 10_000,
        receive_buffer_bytes: 4 << 10,
        duration: Duration::from_secs(1),
        read_every: Duration::from_millis(300),
    };
    let recording = slow_readers::run(&plan, &mut Counter::default()).unwrap();
    assert_eq!(recording.ended_early, 0);
    assert_eq!(recording.upstream.streams, 2);
    let received = recording.received_bytes;
    assert!((5_000..=22_000).contains(&received), "{received} bytes read");
    let sent = recording.upstream.sent_bytes;
    assert!(sent < 2 * 32_000_000, "{sent} bytes sent to readers that hardly read");
    assert!(recording.points.len() >= 4, "{:?}", recording.points);
}

fn departures(is_stream: bool, leave: Leave) -> disconnects::DisconnectRecording {
    let listen = listener();
    let targets = vec![
        target("direct", listen.address(), is_stream),
        target("passes", middleman(listen.address(), Manner::Pass), is_stream),
    ];
    let mut setup = setup(&listen, targets, stream_plan(1_000, GAP_MS));
    setup.upstream.delay = Duration::from_secs(20);
    let wait_max = Duration::from_secs(5);
    disconnects::run(&DisconnectPlan { setup, leave, departures: 4, wait_max }).unwrap()
}

#[test]
fn a_client_that_leaves_is_missed_by_the_upstream() {
    for (is_stream, leave) in
        [(true, Leave::AfterEvents(3)), (false, Leave::After(Duration::from_millis(30)))]
    {
        let recording = departures(is_stream, leave);
        assert_eq!(recording.departures.len(), 8);
        assert_eq!(recording.over_before, [0, 0]);
        for departure in &recording.departures {
            let after_ns = departure.seen_ns.unwrap().saturating_sub(departure.left_ns);
            assert!(after_ns < 1_000_000_000, "{after_ns} ns");
        }
    }
}

#[test]
fn who_stays_to_the_end_has_not_left() {
    let listen = listener();
    let targets = vec![target("direct", listen.address(), true)];
    let setup = setup(&listen, targets, stream_plan(2, 1));
    let leave = Leave::AfterEvents(5);
    let wait_max = Duration::from_millis(100);
    let plan = DisconnectPlan { setup, leave, departures: 3, wait_max };
    let recording = disconnects::run(&plan).unwrap();
    assert_eq!((recording.departures.len(), recording.over_before), (0, vec![3]));
}

#[test]
fn streams_that_cannot_be_are_refused() {
    let listen = listener();
    let plain = vec![target("direct", listen.address(), false)];
    let setup = setup(&listen, plain, stream_plan(2, 1));
    let plan = PacePlan { setup, lanes: 1, warm_up_tuples: 0, tuples: 1, blocks: 1 };
    let error = pace::run(&plan, &mut Counter::default()).unwrap_err().to_string();
    assert!(error.contains("asked for a stream"), "{error}");
}
