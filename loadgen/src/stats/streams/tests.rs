//! Streams whose truth is known.

use crate::host::snapshot::ProcessCost;
use crate::rig::recording::UpstreamCounts;
use crate::rig::streams::disconnects::Departure;
use crate::rig::streams::pace::PacedEvent;

use super::*;

const GAP_NS: u64 = 20_000_000;
const EVENTS: u64 = 8;
/// First events come this much later than from direct.
const ADDED_NS: [u64; 3] = [0, 40_000, 44_000];
const CPU_PER_EVENT_NS: u64 = 21_000;

/// Four blocks of ten tuples; each event of the gateway but the first is 500 ns later than the one before.
fn recording() -> PaceRecording<HostSnapshot> {
    let mut recording = PaceRecording {
        targets: ["direct", "l4", "gateway"].map(str::to_owned).to_vec(),
        streams: Vec::new(),
        events: Vec::new(),
        blocks: Vec::new(),
        upstream: UpstreamCounts::default(),
    };
    for block in 0..4_u64 {
        let first = recording.streams.len();
        // Targets end in another order than that of the plan.
        for tuple in block * 10..(block + 1) * 10 {
            for target in [2, 0, 1] {
                add_stream(&mut recording, tuple, target);
            }
        }
        recording.blocks.push(PaceBlock {
            started_ns: block * 2_000_000_000,
            ended_ns: (block + 1) * 2_000_000_000,
            streams: first..recording.streams.len(),
            events: vec![10 * EVENTS; 3],
            before: snapshot(block),
            after: snapshot(block + 1),
        });
    }
    recording
}

fn add_stream(recording: &mut PaceRecording<HostSnapshot>, tuple: u64, target: usize) {
    let first = recording.events.len();
    let sent_ns = 1_000_000 + tuple * 1_000;
    let lateness = if target == 2 { 500 } else { 0 };
    // The same for all targets of a tuple, so that it drops out.
    let wobble = tuple * 37 % 900;
    for event in 0..EVENTS {
        let event_sent_ns = sent_ns + 20_000 + event * GAP_NS;
        recording.events.push(PacedEvent {
            sent_ns: event_sent_ns,
            received_ns: event_sent_ns + 10_000 + wobble + ADDED_NS[target] + event * lateness,
        });
    }
    recording.streams.push(PacedStream {
        tuple: tuple as u32,
        target: target as u16,
        outcome: Outcome::Ok,
        sent_ns,
        first_event_ns: recording.events[first].received_ns,
        done_ns: sent_ns + EVENTS * GAP_NS,
        events: first..recording.events.len(),
        coalesced: 0,
        stalls: 0,
        is_in_order: true,
        is_identical: true,
    });
}

fn snapshot(blocks: u64) -> HostSnapshot {
    let process =
        ProcessCost { cpu_ns: blocks * 10 * EVENTS * CPU_PER_EVENT_NS, ..ProcessCost::default() };
    HostSnapshot {
        at_ns: blocks * 2_000_000_000,
        steal_ticks: 0,
        harness: ProcessCost::default(),
        targets: vec![None, Some(process), Some(process)],
    }
}

fn options() -> SummaryOptions {
    SummaryOptions {
        baseline: Some("direct".to_owned()),
        references: vec!["l4".to_owned()],
        ..SummaryOptions::default()
    }
}

#[test]
fn first_events_are_paired_and_gaps_are_counted() {
    let summary = summarize_streams(&recording(), &options());
    let [direct, l4, gateway] = &summary.paced[..] else { panic!("three targets") };
    assert_eq!((gateway.streams, gateway.events), (40, 320));
    assert_eq!(l4.added_first_event.unwrap().value, 40.0);
    assert_eq!(gateway.added_first_event.unwrap().value, 44.0);
    assert_eq!(gateway.added_first_event_ratio.unwrap().value, 1.1);
    assert_eq!(direct.added_first_event, None);
    assert_eq!((gateway.added_gap.count, gateway.added_gap.p50_us), (40 * 7, 0.5));
    assert_eq!(direct.added_gap.max_us, 0.0);
    assert_eq!(gateway.cpu_us_per_event, Some(21.0));
    assert_eq!(direct.cpu_us_per_event, None);
    assert_eq!(summary.blocks.kept, 4);
}

#[test]
fn streams_that_were_hurt_are_counted_by_what_happened() {
    let mut recording = recording();
    // In this order: gateway, direct, l4.
    recording.streams[0].is_identical = false;
    recording.streams[3].is_in_order = false;
    recording.streams[6].outcome = Outcome::Broken;
    recording.streams[6].is_identical = false;
    recording.streams[9].coalesced = 3;
    recording.streams[9].stalls = 2;
    let summary = summarize_streams(&recording, &options());
    let gateway = &summary.paced[2];
    assert_eq!((gateway.altered, gateway.broken), (2, 1));
    assert_eq!((gateway.coalesced, gateway.stalls), (3, 2));
    let direct = &summary.paced[0];
    assert_eq!((direct.altered, direct.broken, direct.coalesced, direct.stalls), (0, 0, 0, 0));
}

#[test]
fn a_disturbed_block_of_streams_is_left_out() {
    let mut recording = recording();
    recording.blocks[1].after.steal_ticks = 5;
    let first = recording.blocks[1].streams.start;
    recording.streams[first].stalls = 9;
    let summary = summarize_streams(&recording, &options());
    assert_eq!(summary.blocks.kept, 3);
    let gateway = &summary.paced[2];
    assert_eq!((gateway.streams, gateway.stalls), (30, 0));
}

#[test]
fn departures_are_seen_or_not() {
    let departure = |target, seen_ns| Departure { target, left_ns: 1_000, seen_ns };
    let results = summarize_disconnects(&DisconnectRecording {
        targets: vec!["direct".to_owned(), "gateway".to_owned()],
        departures: vec![
            departure(1, Some(181_000)),
            departure(0, Some(11_000)),
            departure(1, None),
        ],
        over_before: vec![0, 4],
    });
    let gateway = &results[1];
    assert_eq!((gateway.closed, gateway.never_closed, gateway.over_before), (1, 1, 4));
    assert_eq!(gateway.until_closed.max_us, 180.0);
    assert_eq!((results[0].closed, results[0].never_closed), (1, 0));
}
