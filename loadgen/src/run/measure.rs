//! Runs the rounds of a load and puts the parts of the result together.

use std::process::Command;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::command;
use super::observe::{Observer, Screen};
use super::scene::Scene;
use super::settings::{LoadSettings, Settings, Upstream, Work};
use super::syscalls::count_syscalls;
use crate::host::processes::Group;
use crate::host::schedule::{Moved, Placement};
use crate::host::snapshot::HostSnapshot;
use crate::host::{limits, machine};
use crate::result::{
    FORMAT, MemoryAxis, MemoryResult, MemorySeries, Run, StreamWorkload, TargetResult, Workload,
};
use crate::rig;
use crate::rig::plan::{Load, Plan, UpstreamPlan};
use crate::rig::recording::{Recording, UpstreamCounts};
use crate::stats::{self, NoiseLimits, Summary, SummaryOptions};

/// A run of at least this length shows memory over time.
const MEMORY_OVER: Duration = Duration::from_secs(20);

/// Most points of a curve of memory over time.
const MEMORY_POINTS_MAX: usize = 600;

/// No block is too disturbed.
const NO_LIMITS: NoiseLimits = NoiseLimits {
    steal_ticks: u64::MAX,
    harness_involuntary_per_second: f64::INFINITY,
    target_involuntary_per_second: f64::INFINITY,
    harness_run_delay_share: f64::INFINITY,
    baseline_drift_share: f64::INFINITY,
};

/// An upstream in a process of its own has the harness's core too, so one waits for the other: at 5,000
/// requests a second up to 18 % of the time. More than this is somebody else.
const SHARED_CORE_DELAY_SHARE: f64 = 0.25;

/// In a closed loop the two are always ready, and half of the time it is the other's turn.
const SHARED_CORE_DELAY_SHARE_CLOSED: f64 = 0.75;

/// Measures a load; the scene's targets are compared as the settings say.
pub(crate) fn measure_load(
    settings: &Settings,
    load: &LoadSettings,
    scene: &mut Scene,
) -> Result<Run, String> {
    check_open_files(settings, load, scene)?;
    let mut run = begin(settings);
    let groups = scene.groups.clone();
    let mut recordings = Vec::new();
    let mut last = None;
    {
        let _moved = Moved::this_thread(settings.harness_place());
        run.machine.scheduler = scene.placement(Placement::of(own_pid()));
        for round in 0..settings.rounds {
            let plan = plan(settings, load, scene, round);
            let title = format!("{} {}/{}", settings.name, round + 1, settings.rounds);
            let mut observer = Observer::new(&groups, Screen::new(title));
            let recording = rig::run(&plan, &mut observer);
            // A child that ended explains more than the connections that broke with it.
            scene.check()?;
            recordings.push(recording.map_err(|error| error.to_string())?);
            last = Some(observer.read(settings.pss));
        }
    }
    let summary = stats::combine_rounds(&recordings, &options(settings));
    fill(&mut run, summary);
    if settings.keep_noisy {
        run.blocks.rules.clear();
        run.notes.push("Disturbed blocks were kept: this is no measurement.".to_owned());
    }
    let of_upstream = recordings.iter().map(|recording| &recording.upstream);
    run.notes.extend(of_upstream.filter_map(upstream_note));
    if let Some(last) = &last {
        fill_costs(&mut run.targets, &groups, last);
    }
    if let Some(stream) = load.stream {
        fill_event_costs(&mut run.targets, stream.events);
    }
    run.memory = memory_over_time(&recordings);
    run.workload = workload(settings, load, scene);
    set_versions(&mut run.targets, &scene.versions);
    if settings.syscalls {
        let counted = count_syscalls(settings, load, scene);
        for (target, counted) in run.targets.iter_mut().zip(counted) {
            match (counted, &mut target.cost) {
                (Ok(per_request), Some(cost)) => cost.syscalls_per_request = Some(per_request),
                (Err(reason), Some(_)) => {
                    run.notes
                        .push(format!("System calls of {} not measured: {reason}.", target.name));
                }
                (_, None) => {}
            }
        }
    }
    Ok(run)
}

/// Refuses a load that has more connections open than this process may have files.
fn check_open_files(settings: &Settings, load: &LoadSettings, scene: &Scene) -> Result<(), String> {
    let Load::Open { tuples_per_second, .. } = load.load else { return Ok(()) };
    let in_flight = tuples_per_second * settings.delay.as_secs_f64();
    let sides = if scene.listener.is_some() { 2.0 } else { 1.0 };
    let needed = in_flight * scene.targets.len() as f64 * sides;
    let allowed = limits::open_files();
    if needed <= allowed as f64 {
        return Ok(());
    }
    let hint = if sides > 1.0 { ", set --apart for two processes of that many" } else { "" };
    Err(format!(
        "{needed:.0} connections would be open at a time, and this process may have {allowed} open \
         files: raise that (ulimit -n), lower --rate{hint}"
    ))
}

/// What is known of a run before it begins.
pub(crate) fn begin(settings: &Settings) -> Run {
    Run {
        format: FORMAT,
        name: settings.name.clone(),
        started_at: now(),
        command: command::told(),
        commit: commit(),
        machine: machine::describe(),
        notes: settings.about.iter().cloned().collect(),
        ..Run::default()
    }
}

fn now() -> String {
    let now = OffsetDateTime::from(SystemTime::now());
    // Whole seconds; the format can express every year a clock of today shows.
    let now = now.replace_nanosecond(0).unwrap_or(now);
    now.format(&Rfc3339).unwrap_or_default()
}

/// The commit of the working directory, with `+` for one that has been changed since.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]);
    Some(if is_changed.is_some_and(|changes| !changes.is_empty()) { commit + "+" } else { commit })
}

fn own_pid() -> i32 {
    std::process::id().cast_signed()
}

/// The upstream that the rig plays itself, if it does.
fn upstream_plan(settings: &Settings, load: &LoadSettings, scene: &Scene) -> Option<UpstreamPlan> {
    Some(UpstreamPlan {
        listen: scene.listener.clone()?,
        delay: settings.delay,
        reply_bytes: settings.reply_bytes,
        stream: load.stream,
        stamps: false,
    })
}

/// What the rig is to do in this round.
pub(crate) fn plan(settings: &Settings, load: &LoadSettings, scene: &Scene, round: u32) -> Plan {
    Plan {
        targets: scene.targets.clone(),
        load: load.load,
        warm_up_requests: settings.warm_up,
        block: load.block,
        blocks: load.blocks,
        upstream: upstream_plan(settings, load, scene),
        upstream_delay: settings.delay,
        checks_numbers: matches!(settings.upstream, Upstream::Own { .. }),
        spin: settings.cores.spin,
        source_addresses: settings.source_addresses,
        seed: settings.seed + u64::from(round),
    }
}

/// Which target means what.
pub(crate) fn options(settings: &Settings) -> SummaryOptions {
    let has = |name: &str| settings.targets.iter().any(|target| target == name);
    let references = [Some(&settings.forwarder), settings.peer.as_ref()];
    let references = references.into_iter().flatten().filter(|name| has(name)).cloned();
    let null_pair =
        (has("l4") && has("l4-again")).then(|| ("l4-again".to_owned(), "l4".to_owned()));
    SummaryOptions {
        baseline: has(&settings.baseline).then(|| settings.baseline.clone()),
        references: references.collect(),
        null_pair,
        noise: noise_limits(settings),
        seed: settings.seed,
    }
}

fn noise_limits(settings: &Settings) -> NoiseLimits {
    let mut limits = if settings.keep_noisy { NO_LIMITS } else { NoiseLimits::default() };
    if !settings.cores.is_realtime {
        // The threads of one target take turns on its core.
        limits.target_involuntary_per_second = f64::INFINITY;
    }
    let is_shared = match settings.upstream {
        Upstream::Own { is_apart, .. } => is_apart,
        Upstream::Elsewhere(address) => address.ip().is_loopback(),
    };
    if !is_shared {
        return limits;
    }
    let share = match &settings.work {
        Work::Load(LoadSettings { load: Load::Closed { .. }, .. }) => {
            SHARED_CORE_DELAY_SHARE_CLOSED
        }
        Work::Load(_) | Work::Streams(_) => SHARED_CORE_DELAY_SHARE,
    };
    NoiseLimits { harness_run_delay_share: limits.harness_run_delay_share.max(share), ..limits }
}

fn fill(run: &mut Run, summary: Summary) {
    let Summary { targets, paired, versus, control, blocks, notes } = summary;
    run.targets = targets;
    run.paired = paired;
    run.versus = versus;
    run.control = control;
    run.blocks = blocks;
    run.notes.extend(notes);
}

/// What was wrong with the requests as the rig's own upstream saw them.
pub(crate) fn upstream_note(counts: &UpstreamCounts) -> Option<String> {
    let UpstreamCounts { requests, malformed, abandoned, .. } = counts;
    (malformed + abandoned > 0).then(|| {
        format!(
            "Of {requests} requests the upstream could not read {malformed}, and {abandoned} were \
             given up by whoever had sent them."
        )
    })
}

/// The peak the kernel kept, which no reading at a block's edge sees, and the slow reading of memory.
fn fill_costs(targets: &mut [TargetResult], groups: &[Option<Group>], last: &HostSnapshot) {
    for ((target, group), last) in targets.iter_mut().zip(groups).zip(&last.targets) {
        let (Some(cost), Some(group)) = (&mut target.cost, group) else { continue };
        cost.rss_peak_bytes = cost.rss_peak_bytes.max(group.peak_rss_bytes());
        cost.pss_bytes = last.as_ref().and_then(|last| last.pss_bytes);
    }
}

/// What a streamed reply costs, divided among its content events.
fn fill_event_costs(targets: &mut [TargetResult], events: u32) {
    for cost in targets.iter_mut().filter_map(|target| target.cost.as_mut()) {
        cost.cpu_us_per_event = Some(cost.cpu_us_per_request / f64::from(events));
    }
}

pub(crate) fn set_versions(targets: &mut [TargetResult], versions: &[Option<String>]) {
    for (target, version) in targets.iter_mut().zip(versions) {
        target.version.clone_from(version);
    }
}

/// Resident memory at the edges of blocks, for runs long enough to show a trend.
fn memory_over_time(recordings: &[Recording<HostSnapshot>]) -> Option<MemoryResult> {
    let snapshots: Vec<&HostSnapshot> = recordings
        .iter()
        .flat_map(|recording| &recording.blocks)
        .map(|block| &block.after)
        .collect();
    let (first, last) = (snapshots.first()?, snapshots.last()?);
    if Duration::from_nanos(last.at_ns.saturating_sub(first.at_ns)) < MEMORY_OVER {
        return None;
    }
    let step = snapshots.len().div_ceil(MEMORY_POINTS_MAX);
    let names = &recordings.first()?.targets;
    let series = names.iter().enumerate().filter_map(|(index, name)| {
        let points: Vec<(f64, u64)> = snapshots
            .iter()
            .step_by(step)
            .filter_map(|snapshot| {
                let seconds = (snapshot.at_ns - first.at_ns) as f64 / 1e9;
                Some((seconds, snapshot.targets.get(index)?.as_ref()?.rss_bytes))
            })
            .collect();
        (!points.is_empty()).then(|| stats::memory_series(name, &points))
    });
    let series: Vec<MemorySeries> = series.collect();
    (!series.is_empty()).then_some(MemoryResult { axis: MemoryAxis::Seconds, series })
}

fn workload(settings: &Settings, load: &LoadSettings, scene: &Scene) -> Workload {
    let stream = load.stream.map(|plan| StreamWorkload {
        streams: 0,
        events: u64::from(plan.events),
        gap_ms: plan.gap.as_secs_f64() * 1e3,
        event_bytes: plan.event_bytes as u64,
    });
    let mut workload = Workload {
        rounds: Some(u64::from(settings.rounds)),
        blocks: Some(u64::from(load.blocks)),
        block_ms: Some(load.block.as_secs_f64() * 1e3),
        request_bytes: scene.targets.first().map(|target| target.request.body_bytes() as u64),
        reply_bytes: Some(settings.reply_bytes as u64),
        upstream_delay_ms: Some(settings.delay.as_secs_f64() * 1e3),
        stream,
        spin: Some(settings.cores.spin),
        facts: facts(settings),
        ..Workload::default()
    };
    match load.load {
        Load::Open { tuples_per_second, connections, in_flight_max } => {
            workload.mode = Some("open".to_owned());
            workload.connections = Some(connections as u64);
            workload.tuples_per_second = Some(tuples_per_second);
            workload.in_flight_max = Some(in_flight_max as u64);
        }
        Load::Closed { connections } => {
            workload.mode = Some("closed".to_owned());
            workload.connections = Some(connections as u64);
        }
        Load::OneByOne => workload.mode = Some("one-by-one".to_owned()),
    }
    workload
}

/// What else a reader has to know of the gateway and the upstream.
pub(crate) fn facts(settings: &Settings) -> Vec<(String, String)> {
    let gateway = &settings.gateway;
    let upstream = match settings.upstream {
        Upstream::Own { is_apart: false, .. } => "in the harness's thread".to_owned(),
        Upstream::Own { is_apart: true, .. } => "in a process of its own".to_owned(),
        Upstream::Elsewhere(address) => format!("elsewhere, at {address}"),
    };
    let mut facts = vec![("upstream".to_owned(), upstream)];
    if settings.targets.iter().any(|target| target == "gateway") {
        facts.push(("gateway workers".to_owned(), gateway.workers.to_string()));
        facts.push(("gateway path".to_owned(), gateway.path.clone()));
    }
    let arguments: Vec<String> =
        gateway.arguments.iter().map(|word| command::told_word(word)).collect();
    let arguments = (!arguments.is_empty()).then(|| arguments.join(" "));
    let given = [
        ("gateway profile", gateway.profile.as_deref().map(command::told_word)),
        ("gateway upstream", gateway.upstream.clone()),
        ("gateway arguments", arguments),
    ];
    facts.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    facts
}
