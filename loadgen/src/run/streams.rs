//! Measures streams as such: their pace, their memory, and what happens when clients are slow or leave.

use std::time::Duration;

use super::flags::StreamMeasure;
use super::measure::{begin, facts, options, upstream_note};
use super::observe::{Observer, Screen};
use super::scene::Scene;
use super::settings::{Settings, StreamSettings};
use crate::host::processes::Group;
use crate::host::schedule::{Moved, Placement};
use crate::host::snapshot::HostSnapshot;
use crate::result::{
    DisconnectResult, MemoryAxis, MemoryResult, MemorySeries, Run, SlowReaderResult, StreamResult,
    StreamWorkload, Workload,
};
use crate::rig::plan::{StreamPlan, TargetPlan, UpstreamPlan};
use crate::rig::streams::{StreamSetup, disconnects, idle, pace, slow_readers};
use crate::stats::{self, StreamSummary};

/// Tuples of paced streams before recording begins.
const WARM_UP_TUPLES: u32 = 8;

/// Bytes of one event of a stream that comes as fast as it is taken.
const FAST_EVENT_BYTES: u32 = 4096;

/// Receive buffer of a slow reader: small, so that the kernel hides little of what is not read.
const SLOW_RECEIVE_BYTES: usize = 4096;

/// Time between two readings of memory beside slow readers.
const SLOW_READ_EVERY: Duration = Duration::from_millis(500);

/// Events of a stream that nobody hears to its end, and the time between them. A client that leaves shall
/// not be told by the stream's own end.
const ENDLESS_EVENTS: u32 = 1_000_000;

/// How long the upstream is watched after a client has left.
const NEWS_MAX: Duration = Duration::from_secs(10);

/// Measures what the settings name.
pub(crate) fn measure_streams(
    settings: &Settings,
    streams: &StreamSettings,
    scene: &mut Scene,
) -> Result<Run, String> {
    let mut run = begin(settings);
    run.workload = workload(settings, streams, scene);
    // Only paced streams come in blocks that noise could be found in.
    run.blocks.is_trustworthy = true;
    {
        let _moved = Moved::this_thread(settings.harness_place());
        run.machine.scheduler = scene.placement(Placement::of(std::process::id().cast_signed()));
        let measured = measure(settings, streams, scene, &mut run);
        // A child that ended explains more than the streams that broke with it.
        scene.check()?;
        measured?;
    }
    Ok(run)
}

fn measure(
    settings: &Settings,
    streams: &StreamSettings,
    scene: &Scene,
    run: &mut Run,
) -> Result<(), String> {
    match streams.measure {
        StreamMeasure::Pace => {
            let StreamSummary { paced, blocks, notes } = measure_pace(settings, streams, scene)?;
            run.streams = Some(StreamResult { paced, ..StreamResult::default() });
            run.blocks = blocks;
            run.notes.extend(notes);
        }
        StreamMeasure::Disconnects => {
            let disconnects = measure_disconnects(settings, streams, scene)?;
            run.streams = Some(StreamResult { disconnects, ..StreamResult::default() });
        }
        StreamMeasure::Idle => {
            let mut series = Vec::new();
            for (target, group) in processes(scene)? {
                series.push(measure_idle(settings, streams, scene, target, group, &mut run.notes)?);
            }
            run.memory = Some(MemoryResult { axis: MemoryAxis::Streams, series });
        }
        StreamMeasure::Slow => {
            let mut slow_readers = Vec::new();
            for (target, group) in processes(scene)? {
                slow_readers.push(measure_slow(
                    settings,
                    streams,
                    scene,
                    target,
                    group,
                    &mut run.notes,
                )?);
            }
            run.streams = Some(StreamResult { slow_readers, ..StreamResult::default() });
        }
    }
    Ok(())
}

/// The targets whose memory can be read.
fn processes(scene: &Scene) -> Result<Vec<(&TargetPlan, &Group)>, String> {
    let targets = scene.targets.iter().zip(&scene.groups);
    let found: Vec<_> =
        targets.filter_map(|(target, group)| Some((target, group.as_ref()?))).collect();
    match found.is_empty() {
        true => {
            Err("--targets names none with a process here whose memory could be read".to_owned())
        }
        false => Ok(found),
    }
}

/// What all these measurements share, for some of the targets.
fn setup(
    settings: &Settings,
    scene: &Scene,
    targets: &[TargetPlan],
    stream: StreamPlan,
) -> Result<StreamSetup, String> {
    let listen = scene.listener.clone().ok_or("the upstream must be the rig's own")?;
    Ok(StreamSetup {
        targets: targets.to_vec(),
        upstream: UpstreamPlan {
            listen,
            delay: settings.delay,
            reply_bytes: settings.reply_bytes,
            stream: Some(stream),
            stamps: false,
        },
        spin: settings.cores.spin,
        source_addresses: settings.source_addresses,
        seed: settings.seed,
    })
}

fn screen(settings: &Settings, target: Option<&TargetPlan>) -> Screen {
    let target = target.map(|target| format!(" {}", target.name)).unwrap_or_default();
    Screen::new(format!("{}{target}", settings.name))
}

fn measure_pace(
    settings: &Settings,
    streams: &StreamSettings,
    scene: &Scene,
) -> Result<StreamSummary, String> {
    let plan = pace::PacePlan {
        setup: setup(settings, scene, &scene.targets, streams.plan)?,
        lanes: streams.concurrent,
        warm_up_tuples: WARM_UP_TUPLES,
        tuples: streams.tuples.div_ceil(settings.rounds),
        blocks: settings.rounds,
    };
    let mut observer = Observer::new(&scene.groups, screen(settings, None));
    let recording = pace::run(&plan, &mut observer).map_err(|error| error.to_string())?;
    let mut summary = stats::summarize_streams(&recording, &options(settings));
    summary.notes.extend(upstream_note(&recording.upstream));
    Ok(summary)
}

fn measure_disconnects(
    settings: &Settings,
    streams: &StreamSettings,
    scene: &Scene,
) -> Result<Vec<DisconnectResult>, String> {
    let stream = StreamPlan { events: ENDLESS_EVENTS, ..streams.plan };
    let plan = disconnects::DisconnectPlan {
        setup: setup(settings, scene, &scene.targets, stream)?,
        leave: streams.leave,
        departures: streams.clients,
        wait_max: NEWS_MAX,
    };
    let recording = disconnects::run(&plan).map_err(|error| error.to_string())?;
    Ok(stats::summarize_disconnects(&recording))
}

fn measure_idle(
    settings: &Settings,
    streams: &StreamSettings,
    scene: &Scene,
    target: &TargetPlan,
    group: &Group,
    notes: &mut Vec<String>,
) -> Result<MemorySeries, String> {
    let stream = StreamPlan { events: ENDLESS_EVENTS, gap: idle::SILENT_GAP, ..streams.plan };
    let plan = idle::IdlePlan {
        setup: setup(settings, scene, std::slice::from_ref(target), stream)?,
        // The reading without a stream is made in any case.
        steps: streams.steps.iter().copied().filter(|&step| step > 0).collect(),
        opens_per_second: f64::from(streams.per_second),
        settle: streams.hold,
        hold: Duration::ZERO,
    };
    let groups = [Some(group.clone())];
    let mut observer = Observer::new(&groups, screen(settings, Some(target)));
    let recording = idle::run(&plan, &mut observer).map_err(|error| error.to_string())?;
    if let [first, .., last] = recording.points.as_slice() {
        let seconds = (last.at_ns - first.at_ns) as f64 / 1e9;
        notes.push(format!("{}: streams were opened and held for {seconds:.0} s.", target.name));
    }
    if recording.failed + recording.lost > 0 {
        let (failed, lost) = (recording.failed, recording.lost);
        notes.push(format!(
            "{}: {failed} streams were never opened, {lost} ended too early.",
            target.name
        ));
    }
    let points: Vec<(f64, u64)> = recording
        .points
        .iter()
        .filter_map(|point| {
            let cost = point.snapshot.targets.first()?.as_ref()?;
            Some((f64::from(point.streams), cost.rss_bytes))
        })
        .collect();
    Ok(stats::memory_series(&target.name, &points))
}

fn measure_slow(
    settings: &Settings,
    streams: &StreamSettings,
    scene: &Scene,
    target: &TargetPlan,
    group: &Group,
    notes: &mut Vec<String>,
) -> Result<SlowReaderResult, String> {
    let stream = StreamPlan {
        events: fast_events(streams),
        event_bytes: FAST_EVENT_BYTES as usize,
        gap: Duration::ZERO,
        ..streams.plan
    };
    let plan = slow_readers::SlowPlan {
        setup: setup(settings, scene, std::slice::from_ref(target), stream)?,
        readers: streams.clients,
        bytes_per_second: streams.bytes_per_second,
        receive_buffer_bytes: SLOW_RECEIVE_BYTES,
        duration: streams.hold,
        read_every: SLOW_READ_EVERY,
    };
    let groups = [Some(group.clone())];
    let mut observer = Observer::new(&groups, screen(settings, Some(target)));
    let recording = slow_readers::run(&plan, &mut observer).map_err(|error| error.to_string())?;
    notes.push(format!(
        "{}: of {} MB that the upstream sent, the readers read {} MB; the rest was held on the way.",
        target.name,
        recording.upstream.sent_bytes / 1_000_000,
        recording.received_bytes / 1_000_000
    ));
    if recording.ended_early > 0 {
        notes
            .push(format!("{}: {} readers lost their stream.", target.name, recording.ended_early));
    }
    Ok(slow_result(&target.name, streams.clients, &recording))
}

/// Events of a stream of the wanted size.
fn fast_events(streams: &StreamSettings) -> u32 {
    streams.bytes.div_ceil(FAST_EVENT_BYTES)
}

/// The memory of the one target of a run with slow readers.
fn slow_result(
    name: &str,
    readers: u32,
    recording: &slow_readers::SlowRecording<HostSnapshot>,
) -> SlowReaderResult {
    let began_ns = recording.points.first().map_or(0, |(at_ns, _)| *at_ns);
    let points: Vec<(f64, u64)> = recording
        .points
        .iter()
        .filter_map(|(at_ns, snapshot)| {
            let cost = snapshot.targets.first()?.as_ref()?;
            Some((at_ns.saturating_sub(began_ns) as f64 / 1e9, cost.rss_bytes))
        })
        .collect();
    SlowReaderResult {
        name: name.to_owned(),
        readers: u64::from(readers),
        rss_before_bytes: points.first().map_or(0, |(_, bytes)| *bytes),
        rss_peak_bytes: points.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0),
        points,
    }
}

fn workload(settings: &Settings, streams: &StreamSettings, scene: &Scene) -> Workload {
    let plan = streams.plan;
    let (count, events, gap) = match streams.measure {
        StreamMeasure::Pace => (streams.tuples, plan.events, plan.gap),
        StreamMeasure::Idle => {
            (streams.steps.last().copied().unwrap_or_default(), 1, Duration::ZERO)
        }
        StreamMeasure::Slow => (streams.clients, fast_events(streams), Duration::ZERO),
        StreamMeasure::Disconnects => (streams.clients, ENDLESS_EVENTS, plan.gap),
    };
    let mut facts = facts(settings);
    let names = scene.targets.iter().map(|target| &target.name);
    let versions = names.zip(&scene.versions);
    facts.extend(versions.filter_map(|(name, version)| Some((name.clone(), version.clone()?))));
    Workload {
        mode: Some("streams".to_owned()),
        request_bytes: scene.targets.first().map(|target| target.request.body_bytes() as u64),
        stream: Some(StreamWorkload {
            streams: u64::from(count),
            events: u64::from(events),
            gap_ms: gap.as_secs_f64() * 1e3,
            event_bytes: plan.event_bytes as u64,
        }),
        spin: Some(settings.cores.spin),
        facts,
        ..Workload::default()
    }
}
