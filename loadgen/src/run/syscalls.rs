//! System calls per request: the same load once more, short, with each target by itself and watched.

use std::time::Duration;

use super::measure::plan;
use super::scene::Scene;
use super::settings::{LoadSettings, Settings};
use crate::host::processes::Group;
use crate::host::syscalls::Counter;
use crate::rig;
use crate::rig::plan::{Load, Plan};
use crate::rig::recording::{Observe, Progress};

/// Length of the short run.
const WATCHED: Duration = Duration::from_secs(2);

/// Largest rate of the short run: tracing by `strace` takes tens of microseconds of each call.
const RATE_MAX: f64 = 2500.0;

/// System calls per request of each target, or why they are not known.
pub(crate) fn count_syscalls(
    settings: &Settings,
    load: &LoadSettings,
    scene: &Scene,
) -> Vec<Result<f64, String>> {
    let whole = plan(settings, load, scene, 0);
    let count = |(index, group): (usize, &Option<Group>)| match group {
        Some(group) => count_one(alone(&whole, index), group),
        None => Err("it has no process here".to_owned()),
    };
    scene.groups.iter().enumerate().map(count).collect()
}

/// The same plan for one target, as one short block.
fn alone(whole: &Plan, index: usize) -> Plan {
    let mut plan = whole.clone();
    plan.targets = whole.targets.get(index).cloned().into_iter().collect();
    (plan.block, plan.blocks) = (WATCHED, 1);
    if let Load::Open { tuples_per_second, .. } = &mut plan.load {
        *tuples_per_second = tuples_per_second.min(RATE_MAX);
    }
    plan
}

fn count_one(plan: Plan, group: &Group) -> Result<f64, String> {
    let mut watch = Watch { pids: group.pids(), state: State::Waiting };
    let recording = rig::run(&plan, &mut watch).map_err(|error| error.to_string())?;
    let State::Done(counted) = watch.state else { return Err("nothing was recorded".to_owned()) };
    let calls = counted?;
    let blocks = recording.blocks.iter();
    let requests: u64 = blocks.flat_map(|block| block.completed.iter().chain(&block.failed)).sum();
    match requests {
        0 => Err("no request was answered".to_owned()),
        requests => Ok(calls as f64 / requests as f64),
    }
}

/// Watches processes from the beginning of the one block to its end.
struct Watch<'a> {
    pids: &'a [i32],
    state: State,
}

enum State {
    Waiting,
    Counting(Result<Counter, String>),
    Done(Result<u64, String>),
}

impl Observe for Watch<'_> {
    type Snapshot = ();

    fn snapshot(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Waiting) {
            State::Waiting => State::Counting(Counter::attach(self.pids)),
            State::Counting(counter) => State::Done(counter.and_then(|counter| {
                counter.finish().ok_or_else(|| "the tool's report could not be read".to_owned())
            })),
            State::Done(counted) => State::Done(counted),
        };
    }

    fn progress(&mut self, _: &Progress) {}
}
