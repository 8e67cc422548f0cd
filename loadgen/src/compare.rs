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
use crate::run::time::Time;
use crate::run::{QuietFlags, measure};

/// Open streams at which memory is read, and how they are opened and held.
const IDLE_STEPS: [u32; 3] = [0, 1000, 2000];
const IDLE_PER_SECOND: u32 = 1000;
const IDLE_HOLD: Time = Time::milliseconds(1000);

const ROUNDS: u32 = 3;
const SECONDS: f64 = 4.0;

/// Tuples a second, few enough that a request to one target is over, and the target that polls has gone to
/// sleep, before the next one on their core is asked.
const RATE: f64 = 1000.0;

/// Bodies that fill many buffers, there and back, and how many of them are under way: fewer requests than any
/// profile lets wait in line.
const LONG_BODY_BYTES: u32 = 100_000;
const LONG_CONNECTIONS: u32 = 64;

/// Clients that leave most of their stream in the gateway's buffers, and how long.
const SLOW_CLIENTS: u32 = 200;
const SLOW_BYTES: u32 = 1_000_000;
const SLOW_HOLD: Time = Time::milliseconds(2500);

/// Flags of `loadgen compare`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Tuning profile of the first gateway: a name or a file
    first: String,
    /// Tuning profile of the second
    second: String,
    /// Times each measurement is repeated [default: 3]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Length of a round [default: 4]
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Open loop: so many times a second one request to each [default: 1000]
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

/// Measures on a schedule, saturated, with long bodies, with silent streams, and with slow readers.
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

/// Name, sentence and flags of each, in order.
fn measurements(args: &Args) -> Vec<(&'static str, &'static str, Flags)> {
    let rounds = args.rounds.unwrap_or(ROUNDS);
    let seconds = args.seconds.unwrap_or(SECONDS);
    let open = Flags {
        load: Some(LoadKind::Open),
        rate: Some(args.rate.unwrap_or(RATE)),
        warm_up: Some(1000),
        seconds: Some(seconds),
        rounds: Some(rounds),
        ..Flags::default()
    };
    // The two share the time of a round.
    let closed = Flags {
        load: Some(LoadKind::Closed),
        connections: args.connections,
        seconds: Some(seconds / 2.0),
        rounds: Some(rounds),
        ..Flags::default()
    };
    let long = Flags {
        connections: Some(LONG_CONNECTIONS),
        warm_up: Some(10 * LONG_CONNECTIONS),
        body_bytes: Some(LONG_BODY_BYTES),
        reply_bytes: Some(LONG_BODY_BYTES),
        ..closed.clone()
    };
    let idle = StreamFlags {
        measure: Some(StreamMeasure::Idle),
        steps: Some(IDLE_STEPS.to_vec()),
        per_second: Some(IDLE_PER_SECOND),
        hold: Some(IDLE_HOLD),
        ..StreamFlags::default()
    };
    let slow = StreamFlags {
        measure: Some(StreamMeasure::Slow),
        clients: Some(SLOW_CLIENTS),
        bytes: Some(SLOW_BYTES),
        hold: Some(SLOW_HOLD),
        ..StreamFlags::default()
    };
    let streams = |streams| Flags { streams, rounds: Some(1), ..Flags::default() };
    let mut all = vec![
        ("open", "Two set-ups on one schedule: latency and its cost.", open),
        ("closed", "Two set-ups as fast as they are, in turns.", closed),
        ("long", "Two set-ups with bodies of 100 KB both ways.", long),
        ("idle", "Two set-ups with open, silent streams: memory.", streams(idle)),
    ];
    // Memory that was taken stays: each time begins with fresh gateways.
    let slow = ("slow", "Two set-ups with clients that read slowly: memory.", streams(slow));
    all.extend(std::iter::repeat_n(slow, rounds as usize));
    all
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
