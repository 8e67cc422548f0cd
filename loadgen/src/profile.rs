//! `loadgen profile`: the runs that the original published, repeated here, with its table and our column beside
//! it. Latency is that of the client, paired with requests that went around the gateway in the same run.

mod parts;
mod published;
mod stages;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::host::limits;
use crate::launch::signals;
use crate::result::{Run, StageRow};
use crate::rig;
use crate::rig::plan::Load;
use crate::run::QuietFlags;
use crate::run::flags::{Flags, GatewayFlags};
use crate::run::measure::{self, measure_load};
use crate::run::observe::{Observer, Screen};
use crate::run::save::OutputFlags;
use crate::run::scene::{Scene, Wanted};
use crate::run::settings::{GatewaySettings, LoadSettings, Settings, Work};

use parts::{Name, Part};
use stages::Stages;

/// Blocks of the short run beside which the gateway's stages are read: seconds.
const STAGE_BLOCKS: u32 = 5;

/// What is in flight at a time, beside what the rate and the upstream's delay keep there.
const IN_FLIGHT_MARGIN: f64 = 1.1;

/// Files that a process has open beside connections under load: listeners, logs, connections of samples.
const OTHER_FILES: u64 = 200;

/// Flags of `loadgen profile`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Which published run
    name: Name,
    /// A form that ends within a minute
    #[arg(long)]
    quick: bool,
    /// Another rate, for machines that are too small for the profile's
    #[arg(long, value_name = "TUPLES")]
    rate: Option<f64>,
    #[command(flatten)]
    gateway: GatewayFlags,
    #[command(flatten)]
    quiet: QuietFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// Repeats the runs of a profile, one after the other.
pub(crate) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    signals::watch()?;
    let note = args.quiet.check()?;
    for part in args.name.parts(args.quick, args.rate) {
        let mut run = run_part(part, &args)?;
        run.notes.extend(note.clone());
        args.output.deliver(&run)?;
    }
    Ok(())
}

fn run_part(part: Part, args: &Args) -> Result<Run, String> {
    let Part { name, about, mut flags } = part;
    let lowered = fit(&mut flags, limits::raise());
    let settings = Settings::new(Flags {
        name: Some(name),
        about: Some(about.to_owned()),
        targets: Some(vec!["direct".to_owned(), "gateway".to_owned()]),
        gateway: args.gateway.clone(),
        ..flags
    })?;
    let Work::Load(load) = &settings.work else { return Err("a profile is a load".to_owned()) };
    let mut scene = Scene::start(&settings, &Wanted::of(&settings))?;
    let mut run = measure_load(&settings, load, &mut scene)?;
    // Users in a closed loop leave no room for requests beside theirs.
    if let Load::Open { .. } = load.load {
        match read_stages(&settings, load, &scene) {
            Ok(stages) => run.stages = stages,
            // What was measured so far does not depend on it.
            Err(problem) => {
                run.notes.push(format!("The gateway's stages were not read: {problem}."))
            }
        }
    }
    run.notes.extend(lowered);
    run.published = published::rows(&run, &run.stages);
    Ok(run)
}

/// Makes a load fit into the files that one process may have open. Harness, upstream and gateway each hold two
/// ends of what is in flight; harness and upstream in one process hold four, so they are taken apart where that
/// is too many. Where two are too many, the rate is lowered; what is to be said of that is given back.
fn fit(flags: &mut Flags, open_files: u64) -> Option<String> {
    let (Some(rate), Some(delay)) = (flags.rate, flags.delay) else { return None };
    let end = rate * delay.0.as_secs_f64() * IN_FLIGHT_MARGIN;
    let room = open_files.saturating_sub(OTHER_FILES) as f64;
    flags.apart = Some(end * 4.0 > room);
    let needed = end * 2.0;
    if needed <= room {
        return None;
    }
    let fitting = (rate * room / needed).floor();
    flags.warm_up = flags.warm_up.map(|requests| (f64::from(requests) * fitting / rate) as u32);
    flags.rate = Some(fitting);
    Some(format!(
        "NOT THE PROFILE'S RATE: {rate} a second take {needed:.0} open files in one process, which may have \
         {open_files}; this ran at {fitting} a second. Raise the limit (ulimit -n) for the profile's own."
    ))
}

/// The same load once more, short, with sampled requests beside it.
fn read_stages(
    settings: &Settings,
    load: &LoadSettings,
    scene: &Scene,
) -> Result<Vec<StageRow>, String> {
    let gateway = scene.targets.iter().find(|target| target.name == "gateway");
    let address = gateway.ok_or("there is no gateway to ask")?.address;
    let (name, value) = stages::HEADER;
    let headers = [(name.to_owned(), value.to_owned())];
    let GatewaySettings { path, model, .. } = &settings.gateway;
    let request = settings.request(&address.to_string(), path, &headers, model)?;
    let mut plan = measure::plan(settings, load, scene, settings.rounds);
    plan.blocks = plan.blocks.min(STAGE_BLOCKS);
    // Nothing is timed here but by the gateway itself, and the sampling shares the harness's core.
    plan.spin = false;
    let title = format!("{}: the gateway's stages", settings.name);
    let mut observer = Observer::new(&scene.groups, Screen::new(title));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sampling = scope.spawn(|| Stages::sample(address, &request, &stop));
        let loaded = rig::run(&plan, &mut observer);
        stop.store(true, Ordering::Release);
        let stages = sampling.join().map_err(|_| "the thread that samples panicked".to_owned())?;
        loaded.map_err(|error| error.to_string())?;
        Ok(stages.rows())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(rate: f64, open_files: u64) -> (Flags, Option<String>) {
        let mut flags = Name::FiveThousand.parts(true, Some(rate)).swap_remove(0).flags;
        let told = fit(&mut flags, open_files);
        (flags, told)
    }

    #[test]
    fn an_upstream_gets_its_own_process_when_files_are_few() {
        for (open_files, is_apart) in [(20_000, true), (200_000, false)] {
            let (flags, told) = fitted(5000.0, open_files);
            assert_eq!((flags.apart, flags.rate, told), (Some(is_apart), Some(5000.0), None));
        }
    }

    #[test]
    fn a_rate_is_lowered_to_what_fits_and_that_is_told() {
        let (flags, told) = fitted(5000.0, 4300);
        assert_eq!((flags.rate, flags.warm_up), (Some(1242.0), Some(3726)));
        assert!(told.is_some_and(|told| told.contains("ran at 1242 a second")));
    }

    #[test]
    fn users_in_a_closed_loop_always_fit() {
        let mut users = Name::FiveHundred.parts(true, None).swap_remove(1).flags;
        assert_eq!((fit(&mut users, 4096), users.apart), (None, None));
    }
}
