//! `loadgen compare`: two set-ups of the gateway in one run, request by request and block by block, so that
//! what the machine does meanwhile happens to both.

mod verdict;

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use crate::launch::signals;
use crate::result::Run;
use crate::run::flags::{Flags, GatewayFlags, LoadKind, StreamFlags, StreamMeasure};
use crate::run::save::OutputFlags;
use crate::run::scene::{Kind, Wanted};
use crate::run::settings::{GatewaySettings, Settings};
use crate::run::{QuietFlags, measure};

/// Open streams at which memory is read.
const IDLE_STEPS: [u32; 3] = [0, 1000, 2000];

/// Flags of `loadgen compare`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Tuning profile of the first gateway: a name or a file
    first: String,
    /// Tuning profile of the second
    second: String,
    /// Times each measurement is repeated [default: 5]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Length of a round [default: 5]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Open loop: so many times a second one request to each [default: 2500]
    #[arg(long, value_name = "TUPLES")]
    rate: Option<f64>,
    /// Closed loop: connections that are always busy [default: 64]
    #[arg(long, value_name = "N")]
    connections: Option<u32>,
    #[command(flatten)]
    gateway: GatewayFlags,
    #[command(flatten)]
    quiet: QuietFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// Three measurements: on a schedule, saturated, and with silent streams.
pub(crate) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let (first, second) = (name_of(&args.first), name_of(&args.second));
    if first == second {
        return Err(format!("both set-ups are called {first:?}: give one file another name").into());
    }
    signals::watch()?;
    let note = args.quiet.check()?;
    let mut runs: Vec<Run> = Vec::new();
    for (suffix, about, flags) in measurements(&args) {
        let flags = Flags {
            name: Some(format!("compare-{first}-{second}-{suffix}")),
            about: Some(about.to_owned()),
            peer: Some(first.clone()),
            ..flags
        };
        let (settings, wanted) = prepare(&args, flags, &[&first, &second])?;
        let mut run = measure(&settings, &wanted)?;
        run.notes.extend(note.clone());
        args.output.deliver(&run)?;
        runs.push(run);
    }
    if !args.output.json {
        let mut output = io::stdout().lock();
        output.write_all(verdict::text(&first, &second, &runs).as_bytes())?;
    }
    Ok(())
}

fn measurements(args: &Args) -> [(&'static str, &'static str, Flags); 3] {
    let common = Flags { rounds: args.rounds, seconds: args.seconds, ..Flags::default() };
    let open = Flags { load: Some(LoadKind::Open), rate: args.rate, ..common.clone() };
    let closed =
        Flags { load: Some(LoadKind::Closed), connections: args.connections, ..common.clone() };
    let streams = StreamFlags {
        measure: Some(StreamMeasure::Idle),
        steps: Some(IDLE_STEPS.to_vec()),
        ..StreamFlags::default()
    };
    let idle = Flags { streams, rounds: Some(1), ..Flags::default() };
    [
        ("open", "Two set-ups on one schedule: latency and its cost.", open),
        ("closed", "Two set-ups as fast as they are, in turns.", closed),
        ("idle", "Two set-ups with open, silent streams: memory.", idle),
    ]
}

/// The settings, with the two gateways in place of the one that they describe.
fn prepare(
    args: &Args,
    flags: Flags,
    names: &[&String; 2],
) -> Result<(Settings, Vec<Wanted>), String> {
    let has_streams = flags.streams.measure.is_some();
    let is_closed = flags.load == Some(LoadKind::Closed);
    // What is compared with the floor is latency at rest; the rest would only wait for the others' turns.
    let floor: &[&str] = if has_streams || is_closed { &[] } else { &["direct", "l4"] };
    let targets = floor.iter().map(|name| (*name).to_owned());
    let targets = targets.chain(names.iter().map(|name| (*name).clone())).collect();
    let flags = Flags { targets: Some(targets), gateway: args.gateway.clone(), ..flags };
    let settings = Settings::new(flags)?;
    let gateway = |name: &str, profile: &str| {
        let gateway =
            GatewaySettings { profile: Some(profile.to_owned()), ..settings.gateway.clone() };
        Wanted { name: name.to_owned(), kind: Kind::Gateway(Box::new(gateway)) }
    };
    let profiles = [&args.first, &args.second];
    let gateways = names.iter().zip(profiles).map(|(name, profile)| gateway(name, profile));
    let plain = |name: &&str| Wanted {
        name: (*name).to_owned(),
        kind: if *name == "direct" { Kind::Direct } else { Kind::Forwarder },
    };
    let wanted = floor.iter().map(plain).chain(gateways).collect();
    Ok((settings, wanted))
}

/// `latency` of `tuning/latency.toml`.
fn name_of(profile: &str) -> String {
    let stem = profile.strip_suffix(".toml").unwrap_or(profile);
    let name = Path::new(stem).file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| profile.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_called_by_its_name_or_that_of_its_file() {
        let names = ["latency", "tuning/t3.medium", "./tuning/t3.medium.toml"].map(name_of);
        assert_eq!(names, ["latency", "t3.medium", "t3.medium"]);
    }
}
