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
    let apart = needs_apart(&part.flags, limits::raise());
    let settings = Settings::new(Flags {
        apart: Some(apart),
        name: Some(part.name),
        about: Some(part.about.to_owned()),
        targets: Some(vec!["direct".to_owned(), "gateway".to_owned()]),
        gateway: args.gateway.clone(),
        ..part.flags
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
    run.published = published::rows(&run, &run.stages);
    Ok(run)
}

/// Whether one process may not have open files enough for both ends of both targets' connections. What is in
/// flight beyond the average is a tenth at most.
fn needs_apart(flags: &Flags, open_files: u64) -> bool {
    let delay = flags.delay.unwrap_or_default().0.as_secs_f64();
    let in_flight = flags.rate.unwrap_or(0.0) * delay;
    in_flight * 4.0 * 1.1 > open_files as f64
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

    #[test]
    fn an_upstream_gets_its_own_process_when_files_are_few() {
        let flags = Name::FiveThousand.parts(true, None).swap_remove(0).flags;
        assert!(needs_apart(&flags, 20_000));
        assert!(!needs_apart(&flags, 200_000));
        assert!(!needs_apart(&Flags::default(), 1024));
    }
}
