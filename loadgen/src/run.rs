//! `loadgen run`: measures what targets add to a request, or to a stream, and what that costs them.

mod command;
pub(crate) mod flags;
pub(crate) mod measure;
pub(crate) mod observe;
pub(crate) mod save;
pub(crate) mod scene;
pub(crate) mod settings;
mod streams;
mod syscalls;
pub(crate) mod target_file;
pub(crate) mod time;
pub(crate) mod upstream;

use std::error::Error;
use std::path::PathBuf;

use crate::host::busy::Activity;
use crate::launch::signals;
use crate::result::Run;

use flags::Flags;
use save::OutputFlags;
use scene::{Scene, Wanted};
use settings::{Settings, Work};

/// Flags of `loadgen run`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// File with the same settings; flags win over it
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Measure two bare forwarders against each other: what the rig cannot tell from nothing
    #[arg(long, conflicts_with_all = ["targets", "scenario"])]
    null: bool,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    quiet: QuietFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// Flags about the machine's other work.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct QuietFlags {
    /// Measure even if the machine has other work
    #[arg(long)]
    pub(crate) even_if_busy: bool,
}

/// Measures, prints and writes.
pub(crate) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let flags = match &args.scenario {
        Some(file) => args.flags.over_scenario(file)?,
        None if args.null => null_test(args.flags),
        None => args.flags,
    };
    let settings = Settings::new(flags)?;
    signals::watch()?;
    let note = args.quiet.check()?;
    let mut run = measure(&settings, &Wanted::of(&settings))?;
    run.notes.extend(note);
    args.output.deliver(&run)?;
    Ok(())
}

/// Measures these targets as the settings say.
pub(crate) fn measure(settings: &Settings, wanted: &[Wanted]) -> Result<Run, String> {
    let mut scene = Scene::start(settings, wanted)?;
    match &settings.work {
        Work::Load(load) => measure::measure_load(settings, load, &mut scene),
        Work::Streams(plan) => streams::measure_streams(settings, plan, &mut scene),
    }
}

fn null_test(mut flags: Flags) -> Flags {
    flags.targets = Some(["direct", "l4", "l4-again"].map(str::to_owned).to_vec());
    flags.name = flags.name.or_else(|| Some("null".to_owned()));
    flags
}

impl QuietFlags {
    /// An error when the machine is busy and that was not allowed for; a note when it was.
    pub(crate) fn check(self) -> Result<Option<String>, String> {
        let activity = Activity::watch().map_err(|error| error.to_string())?;
        match (activity.is_busy(), self.even_if_busy) {
            (false, _) => Ok(None),
            (true, true) => Ok(Some(format!("The machine was busy before the run: {activity}."))),
            (true, false) => Err(format!(
                "the machine is busy ({activity}): numbers taken now would be of that; \
                 wait, or measure anyway with --even-if-busy"
            )),
        }
    }
}
