//! The flags of a run with every default filled in, checked: what is left is possible.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::flags::{Flags, GatewayFlags, LoadKind, StreamFlags, StreamMeasure};
use super::time::Time;
use crate::rig::plan::{Load, StreamPlan};
use crate::rig::streams::disconnects::Leave;

/// Tuples per second that one thread can be asked for.
const RATE_MAX: f64 = 200_000.0;
/// Connections to one target.
const CONNECTIONS_MAX: u32 = 60_000;
/// Rounds of one run.
const ROUNDS_MAX: u32 = 1000;
/// Seconds of one round.
const SECONDS_MAX: f64 = 7200.0;
/// Blocks of one round: a summary keeps one reading of every process for each.
const BLOCKS_MAX: f64 = 100_000.0;
/// Bytes of a request, a reply or an event.
const BODY_BYTES_MAX: u32 = 16 << 20;
/// Events of a stream.
const EVENTS_MAX: u32 = 1_000_000;
/// Open streams.
const STREAMS_MAX: u32 = 60_000;
/// Warm-up requests to one target.
const WARM_UP_MAX: u32 = 1_000_000;
/// Connections from one source address to one target: the kernel has 28,232 ports for them by default, some
/// of which wait for their end.
const CONNECTIONS_PER_SOURCE: u32 = 20_000;
/// The same where an open loop holds connections. The kernel looks through one half of the ports before the
/// other, so the more are in use, the longer it takes to connect; and those of the run before this one wait for
/// their end for a minute.
const OPEN_CONNECTIONS_PER_SOURCE: f64 = 1000.0;

/// Everything a run needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) about: Option<String>,
    pub(crate) targets: Vec<String>,
    pub(crate) work: Work,
    pub(crate) rounds: u32,
    pub(crate) warm_up: u32,
    pub(crate) body_bytes: usize,
    pub(crate) reply_bytes: usize,
    pub(crate) delay: Duration,
    pub(crate) upstream: Upstream,
    /// 0 leaves the choice to the kernel.
    pub(crate) source_addresses: u8,
    pub(crate) baseline: String,
    pub(crate) forwarder: String,
    pub(crate) peer: Option<String>,
    pub(crate) syscalls: bool,
    pub(crate) pss: bool,
    /// Disturbed blocks count too.
    pub(crate) keep_noisy: bool,
    pub(crate) seed: u64,
    pub(crate) cores: Cores,
    pub(crate) gateway: GatewaySettings,
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// Requests and their replies.
    Load(LoadSettings),
    /// Streams, as such.
    Streams(StreamSettings),
}

/// Requests and their replies.
#[derive(Clone, Debug)]
pub(crate) struct LoadSettings {
    pub(crate) load: Load,
    pub(crate) block: Duration,
    /// Blocks of a round; in a closed loop for each target.
    pub(crate) blocks: u32,
    /// Whether streams are asked for, and what they look like.
    pub(crate) stream: Option<StreamPlan>,
}

/// Streams, as such.
#[derive(Clone, Debug)]
pub(crate) struct StreamSettings {
    pub(crate) measure: StreamMeasure,
    pub(crate) plan: StreamPlan,
    pub(crate) tuples: u32,
    pub(crate) concurrent: u32,
    pub(crate) steps: Vec<u32>,
    pub(crate) per_second: u32,
    pub(crate) hold: Duration,
    pub(crate) clients: u32,
    pub(crate) bytes: u32,
    pub(crate) bytes_per_second: u32,
    pub(crate) leave: Leave,
}

/// Where replies come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upstream {
    /// The rig's own, on this address or a free port.
    Own { listen: SocketAddr, is_apart: bool },
    /// One that runs already.
    Elsewhere(SocketAddr),
}

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    /// Core of the harness.
    pub(crate) harness: usize,
    /// Core of what is measured; `None` leaves it to the system.
    pub(crate) target: Option<usize>,
    /// `SCHED_FIFO` for both, and a loop that keeps both cores awake.
    pub(crate) is_realtime: bool,
    /// The harness polls while requests are in flight.
    pub(crate) spin: bool,
}

/// How the gateway is started and asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct GatewaySettings {
    pub(crate) binary: Option<PathBuf>,
    pub(crate) workers: u16,
    pub(crate) profile: Option<String>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) path: String,
    pub(crate) model: String,
    pub(crate) upstream: Option<String>,
    pub(crate) arguments: Vec<String>,
}

impl Settings {
    /// Fills in defaults. The error says which flag to change.
    pub(crate) fn new(flags: Flags) -> Result<Self, String> {
        let body_bytes = within("--body-bytes", flags.body_bytes, 1000, 0, BODY_BYTES_MAX)?;
        let reply_bytes = within("--reply-bytes", flags.reply_bytes, 1400, 0, BODY_BYTES_MAX)?;
        let work = work(&flags)?;
        let gateway = gateway(flags.gateway.clone())?;
        let cores = Cores::new(&flags, gateway.workers)?;
        let default_targets = ["direct", "l4", "gateway"].map(str::to_owned).to_vec();
        let targets = flags.targets.unwrap_or(default_targets);
        let delay = flags.delay.unwrap_or_default().0;
        let settings = Self {
            name: flags.name.unwrap_or_else(|| "run".to_owned()),
            about: flags.about,
            rounds: within("--rounds", flags.rounds, 5, 1, ROUNDS_MAX)?,
            warm_up: within("--warm-up", flags.warm_up, 2000, 0, WARM_UP_MAX)?,
            body_bytes: body_bytes as usize,
            reply_bytes: reply_bytes as usize,
            delay,
            upstream: upstream(flags.upstream, flags.upstream_listen, flags.apart)?,
            source_addresses: flags
                .source_addresses
                .unwrap_or_else(|| source_addresses(&work, delay, targets.len())),
            targets,
            baseline: flags.baseline.unwrap_or_else(|| "direct".to_owned()),
            forwarder: flags.forwarder.unwrap_or_else(|| "l4".to_owned()),
            peer: flags.peer,
            syscalls: flags.syscalls.unwrap_or(false),
            pss: flags.pss.unwrap_or(false),
            keep_noisy: flags.keep_noisy.unwrap_or(false),
            seed: flags.seed.unwrap_or(1),
            cores,
            gateway,
            work,
        };
        settings.check_targets()?;
        Ok(settings)
    }

    /// The streamed reply that requests ask for.
    pub(crate) fn stream_plan(&self) -> Option<StreamPlan> {
        match &self.work {
            Work::Load(load) => load.stream,
            Work::Streams(streams) => Some(streams.plan),
        }
    }

    fn check_targets(&self) -> Result<(), String> {
        let good_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.name.is_empty() || !self.name.chars().all(good_name) {
            return Err(format!(
                "--name {:?} may have letters, digits, `.`, `_` and `-`",
                self.name
            ));
        }
        for (index, target) in self.targets.iter().enumerate() {
            if self.targets.iter().take(index).any(|earlier| earlier == target) {
                let hint = "a second forwarder is l4-again";
                return Err(format!("--targets names {target:?} twice; {hint}"));
            }
        }
        if self.targets.is_empty() {
            return Err("--targets names none".to_owned());
        }
        let is_in_rig = matches!(self.upstream, Upstream::Own { is_apart: false, .. });
        if !is_in_rig && matches!(self.work, Work::Streams(_)) {
            let hint = "leave out --upstream and --apart";
            return Err(format!("streams are measured against the rig's own upstream: {hint}"));
        }
        Ok(())
    }
}

impl Cores {
    fn new(flags: &Flags, workers: u16) -> Result<Self, String> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let is_alone = cores == 1;
        let harness = flags.core.unwrap_or(0);
        // More workers than one need more cores than one, and then the harness must share them fairly.
        let default_target = (workers == 1).then_some(if is_alone { 0 } else { 1 });
        let target = flags.target_core.or(default_target);
        let default_fair = is_alone || workers > 1;
        for (flag, core) in [("--core", Some(harness)), ("--target-core", target)] {
            if core.is_some_and(|core| core >= cores) {
                return Err(format!("{flag}: this machine has the cores 0 to {}", cores - 1));
            }
        }
        let is_realtime = flags.realtime.unwrap_or(!default_fair);
        if is_realtime && target == Some(harness) {
            let hint = "choose another one, or --realtime=false";
            return Err(format!("harness and targets share core {harness}: {hint}"));
        }
        // A harness that polls would keep the upstream from the core they share.
        let is_apart = flags.apart.unwrap_or(false);
        let spin = flags.spin.unwrap_or(!default_fair && !is_apart);
        Ok(Self { harness, target, is_realtime, spin })
    }
}

fn upstream(
    elsewhere: Option<SocketAddr>,
    listen: Option<SocketAddr>,
    is_apart: Option<bool>,
) -> Result<Upstream, String> {
    match (elsewhere, listen, is_apart) {
        (Some(address), None, None | Some(false)) => Ok(Upstream::Elsewhere(address)),
        (Some(_), _, _) => {
            Err("--upstream means one that runs elsewhere: leave out --upstream-listen and --apart"
                .to_owned())
        }
        (None, listen, is_apart) => Ok(Upstream::Own {
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))),
            is_apart: is_apart.unwrap_or(false),
        }),
    }
}

fn work(flags: &Flags) -> Result<Work, String> {
    let streams = &flags.streams;
    if let Some(measure) = streams.measure {
        if flags.load.is_some() || flags.stream.is_some() {
            return Err("--streams takes the place of --load and --stream".to_owned());
        }
        return stream_settings(measure, streams).map(Work::Streams);
    }
    let kind = flags.load.unwrap_or(LoadKind::Open);
    let default_block = match kind {
        LoadKind::Open | LoadKind::OneByOne => Time::milliseconds(1000),
        // Short ones, so that the targets alternate within whatever drifts.
        LoadKind::Closed => Time::milliseconds(200),
    };
    let block = flags.block.unwrap_or(default_block).0;
    let seconds = flags.seconds.unwrap_or(5.0);
    if !(seconds > 0.0 && seconds <= SECONDS_MAX) {
        return Err(format!("--seconds must be more than 0 and at most {SECONDS_MAX}"));
    }
    let blocks = (seconds / block.as_secs_f64()).round();
    if block.is_zero() || !(1.0..=BLOCKS_MAX).contains(&blocks) {
        return Err(format!("--block must fit 1 to {BLOCKS_MAX} times into --seconds {seconds}"));
    }
    let stream = flags.stream.unwrap_or(false).then(|| stream_plan(streams)).transpose()?;
    let load = load(kind, flags)?;
    Ok(Work::Load(LoadSettings { load, block, blocks: blocks as u32, stream }))
}

fn load(kind: LoadKind, flags: &Flags) -> Result<Load, String> {
    let connections = within("--connections", flags.connections, 64, 0, CONNECTIONS_MAX)? as usize;
    Ok(match kind {
        LoadKind::Open => {
            let tuples_per_second = flags.rate.unwrap_or(2500.0);
            if !(tuples_per_second > 0.0 && tuples_per_second <= RATE_MAX) {
                return Err(format!("--rate must be more than 0 and at most {RATE_MAX}"));
            }
            let in_flight_max =
                within("--in-flight-max", flags.in_flight_max, 20_000, 1, CONNECTIONS_MAX)?;
            Load::Open { tuples_per_second, connections, in_flight_max: in_flight_max as usize }
        }
        LoadKind::Closed => Load::Closed { connections },
        LoadKind::OneByOne => Load::OneByOne,
    })
}

fn stream_plan(flags: &StreamFlags) -> Result<StreamPlan, String> {
    let event_bytes = within("--stream-event-bytes", flags.event_bytes, 0, 0, BODY_BYTES_MAX)?;
    Ok(StreamPlan {
        events: within("--stream-events", flags.events, 64, 1, EVENTS_MAX)?,
        gap: flags.gap.unwrap_or(Time::milliseconds(20)).0,
        head_delay: flags.head_delay.unwrap_or_default().0,
        event_bytes: event_bytes as usize,
        split: flags.split.unwrap_or(false),
        close: flags.close.unwrap_or(false),
    })
}

fn stream_settings(measure: StreamMeasure, flags: &StreamFlags) -> Result<StreamSettings, String> {
    let steps = flags.steps.clone().unwrap_or_else(|| vec![0, 1000, 2500, 5000, 9500]);
    if !steps.is_sorted_by(|one, next| one < next)
        || steps.len() < 2
        || steps.iter().any(|&streams| streams > STREAMS_MAX)
    {
        let form =
            format!("two or more ascending numbers up to {STREAMS_MAX}, such as 0,1000,5000");
        return Err(format!("--stream-steps must be {form}"));
    }
    let default_hold = match measure {
        StreamMeasure::Slow => Time::milliseconds(20_000),
        StreamMeasure::Pace | StreamMeasure::Idle | StreamMeasure::Disconnects => {
            Time::milliseconds(3000)
        }
    };
    Ok(StreamSettings {
        measure,
        plan: stream_plan(flags)?,
        tuples: within("--stream-tuples", flags.tuples, 100, 1, WARM_UP_MAX)?,
        concurrent: within("--stream-concurrent", flags.concurrent, 8, 1, STREAMS_MAX)?,
        steps,
        per_second: within("--stream-per-second", flags.per_second, 500, 1, CONNECTIONS_MAX)?,
        hold: flags.hold.unwrap_or(default_hold).0,
        clients: within("--stream-clients", flags.clients, 32, 1, STREAMS_MAX)?,
        bytes: within("--stream-bytes", flags.bytes, 4_000_000, 1, u32::MAX)?,
        bytes_per_second: within(
            "--stream-bytes-per-second",
            flags.bytes_per_second,
            1000,
            1,
            u32::MAX,
        )?,
        leave: leave(flags)?,
    })
}

fn leave(flags: &StreamFlags) -> Result<Leave, String> {
    match (flags.after, flags.after_events) {
        (Some(_), Some(_)) => {
            Err("--stream-after and --stream-after-events: a client leaves only once".to_owned())
        }
        (Some(after), None) => Ok(Leave::After(after.0)),
        (None, events) => {
            within("--stream-after-events", events, 3, 1, EVENTS_MAX).map(Leave::AfterEvents)
        }
    }
}

fn gateway(flags: GatewayFlags) -> Result<GatewaySettings, String> {
    Ok(GatewaySettings {
        binary: flags.binary,
        workers: flags.workers.map_or(Ok(1), |workers| match workers {
            0 => Err("--gateway-workers must be at least 1".to_owned()),
            workers => Ok(workers),
        })?,
        profile: flags.profile,
        config: flags.config,
        path: flags.path.unwrap_or_else(|| "/v1/chat/completions".to_owned()),
        model: flags.model.unwrap_or_else(|| "openai/gpt-4o-mini".to_owned()),
        upstream: flags.upstream,
        arguments: flags.arguments.unwrap_or_default(),
    })
}

/// None until one address does not have ports enough.
fn source_addresses(work: &Work, delay: Duration, targets: usize) -> u8 {
    let most = match work {
        Work::Load(LoadSettings { load: Load::Closed { connections }, .. }) => *connections as u32,
        Work::Load(LoadSettings { load: Load::Open { tuples_per_second, .. }, .. }) => {
            let open = tuples_per_second * delay.as_secs_f64() * targets as f64;
            let sources = (open / OPEN_CONNECTIONS_PER_SOURCE).ceil().min(f64::from(u8::MAX));
            return if sources > 1.0 { sources as u8 } else { 0 };
        }
        Work::Load(LoadSettings { load: Load::OneByOne, .. }) => 0,
        Work::Streams(streams) => streams.steps.last().copied().unwrap_or(0),
    };
    match most > CONNECTIONS_PER_SOURCE {
        true => u8::try_from(most.div_ceil(CONNECTIONS_PER_SOURCE)).unwrap_or(u8::MAX),
        false => 0,
    }
}

fn within(flag: &str, given: Option<u32>, default: u32, min: u32, max: u32) -> Result<u32, String> {
    let value = given.unwrap_or(default);
    match (min..=max).contains(&value) {
        true => Ok(value),
        false => Err(format!("{flag} is {value}; it must be from {min} to {max}")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_run_without_flags_is_the_headline() {
        let settings = Settings::new(Flags::default()).unwrap();
        assert_eq!(settings.targets, ["direct", "l4", "gateway"]);
        let Work::Load(load) = &settings.work else { panic!("{:?}", settings.work) };
        let open = Load::Open { tuples_per_second: 2500.0, connections: 64, in_flight_max: 20_000 };
        assert_eq!((load.load, load.block, load.blocks), (open, Duration::from_secs(1), 5));
        assert_eq!((settings.rounds, settings.source_addresses), (5, 0));
    }

    #[test]
    fn a_closed_loop_has_short_blocks() {
        let flags = Flags { load: Some(LoadKind::Closed), ..Flags::default() };
        let Work::Load(load) = Settings::new(flags).unwrap().work else { panic!("a load") };
        assert_eq!((load.load, load.blocks), (Load::Closed { connections: 64 }, 25));
    }

    #[test]
    fn many_idle_streams_need_many_sources() {
        let mut flags = Flags::default();
        flags.streams.measure = Some(StreamMeasure::Idle);
        flags.streams.steps = Some(vec![0, 50_000]);
        assert_eq!(Settings::new(flags).unwrap().source_addresses, 3);
    }

    #[test]
    fn many_requests_in_flight_need_many_sources() {
        let sources = |rate| {
            let flags = Flags {
                rate: Some(rate),
                delay: Some(Time::milliseconds(1500)),
                ..Flags::default()
            };
            Settings::new(flags).unwrap().source_addresses
        };
        assert_eq!([200.0, 5000.0].map(sources), [0, 23]);
    }

    #[test]
    fn every_ready_made_scenario_is_possible() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/scenarios");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let flags =
                Flags::default().over_scenario(&path).unwrap_or_else(|error| panic!("{error}"));
            let settings = Settings::new(flags);
            let settings = settings.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(path.file_stem().unwrap().to_str(), Some(settings.name.as_str()));
        }
    }

    #[test]
    fn nonsense_is_told_by_its_flag() {
        let with = |change: &dyn Fn(&mut Flags)| {
            let mut flags = Flags::default();
            change(&mut flags);
            Settings::new(flags).unwrap_err()
        };
        for (error, flag) in [
            (with(&|flags| flags.rate = Some(0.0)), "--rate"),
            (with(&|flags| flags.rate = Some(f64::NAN)), "--rate"),
            (with(&|flags| flags.rounds = Some(0)), "--rounds"),
            (with(&|flags| flags.seconds = Some(-1.0)), "--seconds"),
            (with(&|flags| flags.block = Some(Time::milliseconds(0))), "--block"),
            (with(&|flags| flags.block = Some(Time::milliseconds(60_000))), "--block"),
            (with(&|flags| flags.body_bytes = Some(u32::MAX)), "--body-bytes"),
            (with(&|flags| flags.core = Some(100_000)), "--core"),
            (with(&|flags| flags.name = Some("a/b".to_owned())), "--name"),
            (with(&|flags| flags.gateway.workers = Some(0)), "--gateway-workers"),
            (with(&|flags| flags.targets = Some(vec!["l4".to_owned(); 2])), "l4-again"),
            (with(&|flags| flags.targets = Some(Vec::new())), "--targets"),
            (
                with(&|flags| {
                    flags.upstream = Some(([127, 0, 0, 1], 1).into());
                    flags.apart = Some(true);
                }),
                "--apart",
            ),
            (
                with(&|flags| {
                    flags.streams.measure = Some(StreamMeasure::Idle);
                    flags.streams.steps = Some(vec![5, 1]);
                }),
                "--stream-steps",
            ),
        ] {
            assert!(error.contains(flag), "{error}");
        }
    }
}
