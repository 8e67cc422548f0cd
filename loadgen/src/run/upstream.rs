//! `loadgen upstream`: the rig's own upstream in a process of its own. It costs the harness the certainty that
//! the upstream is awake when a request comes, and gives it as many open files again.

use std::error::Error;
use std::io::{self, Write};
use std::net::SocketAddr;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::settings::Settings;
use super::time::Time;
use crate::host::limits;
use crate::host::schedule::Place;
use crate::launch::child::Child;
use crate::launch::own_program;
use crate::rig;
use crate::rig::plan::{Listener, StreamPlan, UpstreamPlan};
use crate::rig::recording::UpstreamCounts;

/// Flags of `loadgen upstream`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Address to listen on; port 0 takes a free one
    #[arg(long)]
    listen: SocketAddr,
    /// Time it takes for a reply
    #[arg(long)]
    delay: Time,
    /// Size of the reply body
    #[arg(long)]
    reply_bytes: usize,
    /// Events of a streamed reply
    #[arg(long)]
    events: Option<u32>,
    /// Time between two events
    #[arg(long, default_value = "0ms")]
    gap: Time,
    /// Time for the first event
    #[arg(long, default_value = "0ms")]
    head_delay: Time,
    /// Size of an event
    #[arg(long, default_value_t = 0)]
    event_bytes: usize,
    /// Cut events in the middle
    #[arg(long)]
    split: bool,
    /// Close the connection after each stream
    #[arg(long)]
    close: bool,
}

/// Answers until a signal ends it.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    limits::raise_open_files();
    let listener = Listener::bind(args.listen)?;
    let address = listener.address();
    let stream = args.events.map(|events| StreamPlan {
        events,
        gap: args.gap.0,
        head_delay: args.head_delay.0,
        event_bytes: args.event_bytes,
        split: args.split,
        close: args.close,
    });
    let plan = UpstreamPlan {
        listen: listener,
        delay: args.delay.0,
        reply_bytes: args.reply_bytes,
        stream,
        stamps: false,
    };
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let upstream = rig::upstream_thread(&plan, None)?;
    let mut output = io::stdout().lock();
    writeln!(output, "listening on tcp://{address}")?;
    output.flush()?;
    signals.forever().next();
    let UpstreamCounts { requests, malformed, abandoned, .. } = upstream.stop()?;
    writeln!(output, "{requests} requests, {malformed} not understood, {abandoned} abandoned")?;
    Ok(())
}

/// Starts one as a child and waits until it listens.
pub(super) fn start(
    settings: &Settings,
    stream: Option<StreamPlan>,
    listen: SocketAddr,
    place: Place,
) -> Result<(Child, SocketAddr), String> {
    let mut command = own_program().map_err(|error| error.to_string())?;
    let text = |time| String::from(Time(time));
    let number = |number: usize| number.to_string();
    command.args(["upstream", "--listen", &listen.to_string()]);
    command.args([
        "--delay",
        &text(settings.delay),
        "--reply-bytes",
        &number(settings.reply_bytes),
    ]);
    if let Some(stream) = stream {
        command.args(["--events", &stream.events.to_string(), "--gap", &text(stream.gap)]);
        command.args(["--head-delay", &text(stream.head_delay)]);
        command.args(["--event-bytes", &number(stream.event_bytes)]);
        let switches = [("--split", stream.split), ("--close", stream.close)];
        command.args(switches.iter().filter(|(_, is_on)| *is_on).map(|(flag, _)| flag));
    }
    let mut child = Child::start("upstream", &command, place)?;
    let address = child.wait_until_listening()?;
    Ok((child, address))
}
