//! Starts the gateway as an operator would, with a configuration that leads to the upstream of the run, and
//! waits until it answers.

use std::env;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::child::Child;
use crate::host::schedule::Place;

/// Requests that may be under way, and wait in line, per provider, where neither a profile nor a
/// configuration file says how many: more than any run here has in flight, so that the line is not what is
/// measured.
const CONCURRENCY: u32 = 20_000;

/// Connections to the upstream: the most the configuration allows.
const UPSTREAM_CONNECTIONS: u32 = 10_000;

/// Longest silence of a stream, in seconds, likewise: silent streams are what one measurement is about.
const STREAM_IDLE_SECONDS: u32 = 3600;

/// How long an answer of `/health` may take.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// How the gateway is started.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct GatewayPlan {
    /// The binary; see [`find_binary`].
    pub(crate) binary: PathBuf,
    /// Threads of its data plane.
    pub(crate) workers: u16,
    pub(crate) place: Place,
    /// A tuning profile: a name, or a file.
    pub(crate) profile: Option<String>,
    /// A configuration file of the user's own, used as it is.
    pub(crate) config: Option<PathBuf>,
    /// Where the generated configuration sends requests, e.g. `http://127.0.0.1:9000`.
    pub(crate) upstream: String,
    /// Further arguments, last.
    pub(crate) arguments: Vec<String>,
}

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    /// What `--version` says.
    pub(crate) version: Option<String>,
}

impl Gateway {
    /// Starts one and waits until `/health` answers. `name` is what messages call it.
    pub(crate) fn start(name: &str, plan: &GatewayPlan) -> Result<Self, String> {
        let folder = TempDir::with_prefix("loadgen-").map_err(|error| error.to_string())?;
        let config = match &plan.config {
            Some(file) => fs::canonicalize(file)
                .map_err(|error| format!("configuration {}: {error}", file.display()))?,
            None => write_config(folder.path(), plan).map_err(|error| error.to_string())?,
        };
        let command = command(plan, folder.path(), &config);
        let mut child = Child::start_in(name, &command, plan.place, folder)?;
        let address = child.wait_until_listening()?;
        child.wait_for("answer /health with status 200", |_| is_healthy(address).then_some(()))?;
        Ok(Self { child, address, version: version_of(&plan.binary) })
    }
}

fn command(plan: &GatewayPlan, folder: &Path, config: &Path) -> Command {
    let mut command = Command::new(&plan.binary);
    command.arg("--app-dir").arg(folder).arg("--config").arg(config);
    command.args(["--host", "127.0.0.1", "--port", "0", "--log-level", "warn", "--workers"]);
    command.arg(plan.workers.to_string());
    if let Some(profile) = &plan.profile {
        command.args(["--profile", profile]);
    }
    command.args(&plan.arguments);
    command
}

fn write_config(folder: &Path, plan: &GatewayPlan) -> std::io::Result<PathBuf> {
    let path = folder.join("config.json");
    fs::write(&path, config(plan).to_string())?;
    Ok(path)
}

/// Two providers, one for each dialect of clients, with one key each. Limits are raised as far as it takes that
/// they are not what is measured; everything else is the default.
fn config(plan: &GatewayPlan) -> Value {
    let is_tls = plan.upstream.starts_with("https://");
    let mut provider = json!({
        "keys": [{"name": "loadgen", "value": "sk-loadgen", "models": ["*"], "weight": 1}],
        "network_config": {
            "base_url": plan.upstream,
            "max_conns_per_host": UPSTREAM_CONNECTIONS,
            "stream_idle_timeout_in_seconds": STREAM_IDLE_SECONDS,
        },
    });
    if is_tls {
        // The certificate of a mock is its own.
        provider["network_config"]["insecure_skip_verify"] = true.into();
    }
    if plan.profile.is_none() {
        let limits = json!({"concurrency": CONCURRENCY, "buffer_size": CONCURRENCY});
        provider["concurrency_and_buffer_size"] = limits;
    }
    json!({"providers": {"openai": provider, "anthropic": provider}})
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, HEALTH_TIMEOUT)?;
        stream.set_read_timeout(Some(HEALTH_TIMEOUT))?;
        write!(stream, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    };
    ask().is_ok_and(|reply| reply.starts_with("HTTP/1.1 200"))
}

fn version_of(binary: &Path) -> Option<String> {
    let output = Command::new(binary).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The binary that was named, or else the gateway beside this program, in a release build of this workspace
/// below the current folder, or on the PATH, in that order.
pub(crate) fn find_binary(named: Option<&Path>) -> Result<PathBuf, NoBinary> {
    if let Some(path) = named {
        // A child is started in the same folder, but a bare name would be looked for on the PATH.
        return fs::canonicalize(path).map_err(|_| NoBinary { named: Some(path.to_owned()) });
    }
    let beside = env::current_exe().ok().and_then(|path| Some(path.parent()?.join(NAME)));
    let built = ["measure", "release"].map(|profile| Path::new("target").join(profile).join(NAME));
    let on_path = env::var_os("PATH");
    let on_path = on_path.iter().flat_map(env::split_paths).map(|folder| folder.join(NAME));
    let mut candidates = beside.into_iter().chain(built).chain(on_path);
    let found = candidates.find(|path| path.is_file());
    let found = found.and_then(|path| fs::canonicalize(path).ok());
    found.ok_or(NoBinary { named: None })
}

const NAME: &str = "bifrost";

/// There is no gateway to start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoBinary {
    named: Option<PathBuf>,
}

impl fmt::Display for NoBinary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.named {
            Some(path) => write!(formatter, "there is no gateway at {}", path.display()),
            None => formatter.write_str(
                "no gateway was found beside loadgen, in target/release or on the PATH: build one with \
                 `cargo build --release` or name it with --gateway PATH",
            ),
        }
    }
}

impl std::error::Error for NoBinary {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_configuration_leads_to_the_upstream() {
        let plan =
            GatewayPlan { upstream: "http://127.0.0.1:9".to_owned(), ..GatewayPlan::default() };
        let written = config(&plan);
        let openai = &written["providers"]["openai"];
        assert_eq!(openai["network_config"]["base_url"], "http://127.0.0.1:9");
        assert_eq!(openai["concurrency_and_buffer_size"]["concurrency"], CONCURRENCY);
        assert_eq!(written["providers"]["anthropic"], *openai);
    }

    #[test]
    fn a_profile_decides_the_limits_and_tls_is_not_verified() {
        let plan = GatewayPlan {
            upstream: "https://127.0.0.1:9".to_owned(),
            profile: Some("memory".to_owned()),
            ..GatewayPlan::default()
        };
        let openai = &config(&plan)["providers"]["openai"];
        assert_eq!(openai["network_config"]["insecure_skip_verify"], true);
        assert_eq!(openai.get("concurrency_and_buffer_size"), None);
    }

    #[test]
    fn a_binary_that_is_not_there_is_named() {
        let error = find_binary(Some(Path::new("/nowhere/bifrost"))).unwrap_err();
        assert_eq!(error.to_string(), "there is no gateway at /nowhere/bifrost");
    }
}
