//! The flags of `loadgen run`, which are also the members of a scenario file. What is given on the command
//! line wins over the file, and that over the defaults in [`super::settings`].

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::time::Time;

/// Flags of `loadgen run`; the name of a member in a file has `_` where the flag has `-`.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Flags {
    /// What reports and files are called [default: run, or the scenario's]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A sentence about the run, for its reader
    #[arg(long)]
    pub(crate) about: Option<String>,
    /// direct, l4, l4-again, gateway, and target files or their names, NAME@IP:PORT for another address
    /// [default: direct,l4,gateway]
    #[arg(long, value_delimiter = ',', value_name = "TARGETS")]
    pub(crate) targets: Option<Vec<String>>,
    /// How requests follow each other [default: open]
    #[arg(long)]
    pub(crate) load: Option<LoadKind>,
    /// Open loop: so many times a second one request to each target [default: 2500]
    #[arg(long, value_name = "TUPLES")]
    pub(crate) rate: Option<f64>,
    /// Connections to each target. Closed loop: all always busy. Open loop: at least so many, used in turn;
    /// 0 uses the one used last again [default: 64]
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<u32>,
    /// Open loop: most connections to each target [default: 20000]
    #[arg(long, value_name = "N")]
    pub(crate) in_flight_max: Option<u32>,
    /// Times the whole is repeated, on fresh connections [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<u32>,
    /// Length of a block, the piece that is kept or discarded as noisy [default: 1s; closed: 200ms]
    #[arg(long, value_name = "TIME")]
    pub(crate) block: Option<Time>,
    /// Length of a round; in a closed loop for each target [default: 5]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<f64>,
    /// Requests to each target before anything is recorded [default: 2000]
    #[arg(long, value_name = "REQUESTS")]
    pub(crate) warm_up: Option<u32>,
    /// Size of the request body [default: 1000]
    #[arg(long, value_name = "BYTES")]
    pub(crate) body_bytes: Option<u32>,
    /// Size of the reply body [default: 1400]
    #[arg(long, value_name = "BYTES")]
    pub(crate) reply_bytes: Option<u32>,
    /// Time the upstream takes for a reply [default: 0ms]
    #[arg(long, value_name = "TIME")]
    pub(crate) delay: Option<Time>,
    /// Ask for streams, in the ordinary loads
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) stream: Option<bool>,
    /// An upstream that runs elsewhere, instead of the rig's own
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) upstream: Option<SocketAddr>,
    /// Where the rig's own upstream listens, for peers that are configured with it [default: a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) upstream_listen: Option<SocketAddr>,
    /// The rig's own upstream gets a process of its own, on the harness's core
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) apart: Option<bool>,
    /// Addresses 127.0.0.2 and on that client sockets are spread over [default: as many as it takes]
    #[arg(long, value_name = "N")]
    pub(crate) source_addresses: Option<u8>,
    /// What added latency is measured from [default: direct]
    #[arg(long, value_name = "TARGET")]
    pub(crate) baseline: Option<String>,
    /// The floor that added latency is compared with [default: l4]
    #[arg(long, value_name = "TARGET")]
    pub(crate) forwarder: Option<String>,
    /// A target that all others are compared with too
    #[arg(long, value_name = "TARGET")]
    pub(crate) peer: Option<String>,
    /// Count system calls, in a short run of its own
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) syscalls: Option<bool>,
    /// Read memory with shared pages divided among their users, at the end of the run
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) pss: Option<bool>,
    /// Count blocks that were disturbed too: to try a set-up out, not for numbers
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) keep_noisy: Option<bool>,
    /// Core of the harness [default: 0]
    #[arg(long, value_name = "CORE")]
    pub(crate) core: Option<usize>,
    /// Core of everything that is measured [default: 1]
    #[arg(long, value_name = "CORE")]
    pub(crate) target_core: Option<usize>,
    /// Run harness and targets as SCHED_FIFO where that is allowed [default: true with two cores or more]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) realtime: Option<bool>,
    /// Poll instead of sleeping while requests are in flight [default: true with two cores or more]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) spin: Option<bool>,
    /// Decides the order of requests within tuples [default: 1]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) gateway: GatewayFlags,
    #[command(flatten)]
    pub(crate) streams: StreamFlags,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LoadKind {
    /// On a schedule, whatever the answers do
    Open,
    /// Each connection as fast as it is answered; targets take turns block by block
    Closed,
    /// One request at a time; targets take turns request by request
    OneByOne,
}

/// How the target `gateway` is started; `[gateway]` in a file.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GatewayFlags {
    /// Binary of the gateway [default: beside loadgen, target/release, PATH]
    #[arg(id = "gateway", long, value_name = "PATH")]
    pub(crate) binary: Option<PathBuf>,
    /// Threads of its data plane [default: 1]
    #[arg(id = "gateway-workers", long, value_name = "N")]
    pub(crate) workers: Option<u16>,
    /// Tuning profile it is started with: a name or a file
    #[arg(id = "gateway-profile", long, value_name = "PROFILE")]
    pub(crate) profile: Option<String>,
    /// Configuration file it is started with, instead of a generated one that leads to the upstream
    #[arg(id = "gateway-config", long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Path of requests to it [default: by dialect]
    #[arg(id = "gateway-path", long, value_name = "PATH")]
    pub(crate) path: Option<String>,
    /// Model that requests to it name [default: openai/gpt-4o-mini]
    #[arg(id = "gateway-model", long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Where the generated configuration sends requests, e.g. https://127.0.0.1:9443 [default: the upstream]
    #[arg(id = "gateway-upstream", long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Further argument of the gateway; may be given several times
    #[arg(id = "gateway-arg", long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    #[serde(rename = "args")]
    pub(crate) arguments: Option<Vec<String>>,
}

/// What is measured of streams instead of a load; `[streams]` in a file.
#[derive(Clone, Debug, Default, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StreamFlags {
    /// Measure streams instead of a load
    #[arg(id = "streams", long, value_name = "WHAT")]
    pub(crate) measure: Option<StreamMeasure>,
    /// Events of a stream [default: 64]
    #[arg(id = "stream-events", long, value_name = "N")]
    pub(crate) events: Option<u32>,
    /// Time between two events of a stream [default: 20ms]
    #[arg(id = "stream-gap", long, value_name = "TIME")]
    pub(crate) gap: Option<Time>,
    /// Time the upstream takes for the first event [default: 0ms]
    #[arg(id = "stream-head-delay", long, value_name = "TIME")]
    pub(crate) head_delay: Option<Time>,
    /// Size of an event [default: the smallest]
    #[arg(id = "stream-event-bytes", long, value_name = "BYTES")]
    pub(crate) event_bytes: Option<u32>,
    /// Cut events in the middle, into two segments
    #[arg(id = "stream-split", long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) split: Option<bool>,
    /// The upstream closes the connection after each stream, as the original's mock does
    #[arg(id = "stream-close", long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) close: Option<bool>,
    /// pace: streams to each target [default: 100]
    #[arg(id = "stream-tuples", long, value_name = "N")]
    pub(crate) tuples: Option<u32>,
    /// pace: streams to each target at a time [default: 8]
    #[arg(id = "stream-concurrent", long, value_name = "N")]
    pub(crate) concurrent: Option<u32>,
    /// idle: numbers of open streams at which memory is read [default: 0,1000,2500,5000,9500]
    #[arg(id = "stream-steps", long, value_delimiter = ',', value_name = "N")]
    pub(crate) steps: Option<Vec<u32>>,
    /// idle: streams opened per second [default: 500]
    #[arg(id = "stream-per-second", long, value_name = "N")]
    pub(crate) per_second: Option<u32>,
    /// idle: time the streams stay silent before memory is read; slow: length [default: 3s; slow: 20s]
    #[arg(id = "stream-hold", long, value_name = "TIME")]
    pub(crate) hold: Option<Time>,
    /// slow, disconnects: clients [default: 32]
    #[arg(id = "stream-clients", long, value_name = "N")]
    pub(crate) clients: Option<u32>,
    /// slow: bytes of each stream [default: 4000000]
    #[arg(id = "stream-bytes", long, value_name = "BYTES")]
    pub(crate) bytes: Option<u32>,
    /// slow: bytes each client reads in a second [default: 1000]
    #[arg(id = "stream-bytes-per-second", long, value_name = "BYTES")]
    pub(crate) bytes_per_second: Option<u32>,
    /// disconnects: events after which a client leaves [default: 3]
    #[arg(id = "stream-after-events", long, value_name = "N")]
    pub(crate) after_events: Option<u32>,
    /// disconnects: time after which a client leaves, whatever it has received
    #[arg(id = "stream-after", long, value_name = "TIME")]
    pub(crate) after: Option<Time>,
}

/// What is measured of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StreamMeasure {
    /// Time to the first event, gaps between events, events held back, bytes unchanged
    Pace,
    /// Memory per stream that is open and silent
    Idle,
    /// Memory while clients read slower than the upstream sends
    Slow,
    /// Time until the upstream is closed after a client has left
    Disconnects,
}

impl Flags {
    /// These flags, with those of a scenario file where these say nothing. Paths in the file are relative
    /// to its folder.
    pub(crate) fn over_scenario(&self, file: &Path) -> Result<Self, ScenarioError> {
        let wrong = |problem: String| ScenarioError { file: file.to_owned(), problem };
        let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
        // Read as flags first, so that a mistake is told with its line.
        let of_file: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let of_file = of_file.relative_to(file.parent().unwrap_or(Path::new("")));
        self.over(&of_file).map_err(|error| wrong(error.to_string()))
    }

    fn over(&self, other: &Self) -> Result<Self, Box<dyn std::error::Error>> {
        let mut merged = Table::try_from(other)?;
        lay_over(&mut merged, Table::try_from(self)?);
        Ok(merged.try_into()?)
    }

    fn relative_to(mut self, folder: &Path) -> Self {
        let gateway = &mut self.gateway;
        for path in [&mut gateway.binary, &mut gateway.config].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        for target in self.targets.iter_mut().flatten() {
            if target.contains('/') {
                *target = folder.join(&*target).to_string_lossy().into_owned();
            }
        }
        self
    }
}

/// What `upper` has replaces what `lower` has, table by table.
fn lay_over(lower: &mut Table, upper: Table) {
    for (name, value) in upper {
        match (lower.get_mut(&name), value) {
            (Some(Value::Table(lower)), Value::Table(upper)) => lay_over(lower, upper),
            (_, value) => {
                lower.insert(name, value);
            }
        }
    }
}

/// A scenario file that cannot be used.
#[derive(Debug)]
pub(crate) struct ScenarioError {
    file: PathBuf,
    problem: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "scenario {}: {}", self.file.display(), self.problem.trim_end())
    }
}

impl std::error::Error for ScenarioError {}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;

    fn scenario(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_scenario_member_by_member() {
        let file = scenario(
            "name = \"headline\"\nrate = 2500\nblock = \"500ms\"\nload = \"one-by-one\"\n\
             [gateway]\nworkers = 2\nprofile = \"latency\"\n[streams]\nsteps = [0, 10]\n",
        );
        let mut flags = Flags { rate: Some(100.0), ..Flags::default() };
        flags.gateway.workers = Some(1);
        let merged = flags.over_scenario(file.path()).unwrap();
        assert_eq!(merged.name.as_deref(), Some("headline"));
        assert_eq!((merged.rate, merged.block), (Some(100.0), Some(Time::milliseconds(500))));
        assert_eq!(merged.load, Some(LoadKind::OneByOne));
        assert_eq!(merged.gateway.workers, Some(1));
        assert_eq!(merged.gateway.profile.as_deref(), Some("latency"));
        assert_eq!(merged.streams.steps, Some(vec![0, 10]));
    }

    #[test]
    fn paths_are_relative_to_the_scenario() {
        let file =
            scenario("targets = [\"direct\", \"own/one.toml\"]\n[gateway]\nconfig = \"c.json\"\n");
        let folder = file.path().parent().unwrap();
        let merged = Flags::default().over_scenario(file.path()).unwrap();
        assert_eq!(merged.gateway.config, Some(folder.join("c.json")));
        let own = folder.join("own/one.toml").to_str().unwrap().to_owned();
        assert_eq!(merged.targets, Some(vec!["direct".to_owned(), own]));
    }

    #[test]
    fn mistakes_are_told_with_file_and_place() {
        for (text, expected) in [
            ("rat = 1\n", "unknown field `rat`"),
            ("rate = \"fast\"\n", "line 1"),
            ("block = \"soon\"\n", "unknown unit"),
            ("load = \"ajar\"\n", "unknown variant `ajar`"),
        ] {
            let file = scenario(text);
            let error = Flags::default().over_scenario(file.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(file.path().to_str().unwrap()), "{error}");
        }
        let missing = Flags::default().over_scenario(Path::new("/nowhere.toml")).unwrap_err();
        assert!(missing.to_string().starts_with("scenario /nowhere.toml: "));
    }
}
