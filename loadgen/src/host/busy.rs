//! Is the machine quiet enough to measure on? Asked before anything is started, by watching it for a moment:
//! the load average still remembers the run before this one.

use std::collections::HashMap;
use std::fmt;
use std::thread;
use std::time::Duration;

use procfs::process::all_processes;
use procfs::{CpuTime, CurrentSI, KernelStats, ProcResult};

/// How long the machine is watched.
const WATCHED: Duration = Duration::from_millis(1000);

/// Largest share of all cores that others may use: a core of two that is 10 % busy.
const USED_SHARE_MAX: f64 = 0.05;

/// Largest share of all cores that the hypervisor may give to other machines.
const STEAL_SHARE_MAX: f64 = 0.01;

/// Processes named when the machine is busy.
const NAMED_MAX: usize = 3;

/// What others did while the machine was watched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Activity {
    /// Share of all cores in use, 0 to 1.
    pub(crate) used_share: f64,
    /// Share of all cores that the hypervisor gave away, 0 to 1.
    pub(crate) steal_share: f64,
    /// Who used most, with the share of one core.
    busiest: Vec<(String, f64)>,
}

impl Activity {
    /// Watches the machine for a second.
    pub(crate) fn watch() -> ProcResult<Self> {
        let (before, processes_before) = (KernelStats::current()?.total, process_ticks());
        thread::sleep(WATCHED);
        let (after, processes_after) = (KernelStats::current()?.total, process_ticks());
        let ticks = Ticks::between(&before, &after);
        let mut busiest: Vec<(String, f64)> = processes_after
            .into_iter()
            .filter_map(|(pid, (name, ticks))| {
                let before = processes_before.get(&pid).map_or(0, |(_, before)| *before);
                let seconds =
                    ticks.saturating_sub(before) as f64 / procfs::ticks_per_second() as f64;
                (seconds > 0.0).then(|| (name, seconds / WATCHED.as_secs_f64()))
            })
            .collect();
        busiest.sort_by(|one, other| other.1.total_cmp(&one.1));
        busiest.truncate(NAMED_MAX);
        Ok(Self { used_share: ticks.used_share(), steal_share: ticks.steal_share(), busiest })
    }

    /// Whether numbers taken now would be those of this machine's other work.
    pub(crate) fn is_busy(&self) -> bool {
        self.used_share > USED_SHARE_MAX || self.steal_share > STEAL_SHARE_MAX
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, stolen) = (self.used_share * 100.0, self.steal_share * 100.0);
        write!(formatter, "others used {used:.0} % of the cores, {stolen:.1} % were stolen")?;
        for (name, share) in &self.busiest {
            write!(formatter, "; {name} {:.0} %", share * 100.0)?;
        }
        Ok(())
    }
}

/// Clock ticks of all cores between two readings.
struct Ticks {
    all: u64,
    idle: u64,
    stolen: u64,
}

impl Ticks {
    fn between(before: &CpuTime, after: &CpuTime) -> Self {
        let counts = |time: &CpuTime| {
            let idle = time.idle + time.iowait.unwrap_or(0);
            let stolen = time.steal.unwrap_or(0);
            let used = time.user
                + time.nice
                + time.system
                + time.irq.unwrap_or(0)
                + time.softirq.unwrap_or(0);
            (used + idle + stolen, idle, stolen)
        };
        let (before, after) = (counts(before), counts(after));
        Self {
            all: after.0.saturating_sub(before.0).max(1),
            idle: after.1.saturating_sub(before.1),
            stolen: after.2.saturating_sub(before.2),
        }
    }

    fn used_share(&self) -> f64 {
        self.all.saturating_sub(self.idle + self.stolen) as f64 / self.all as f64
    }

    fn steal_share(&self) -> f64 {
        self.stolen as f64 / self.all as f64
    }
}

/// What each process has used so far, in ticks, with its name.
fn process_ticks() -> HashMap<i32, (String, u64)> {
    let stats = all_processes().into_iter().flatten().flatten();
    let stats = stats.filter_map(|process| process.stat().ok());
    stats.map(|stat| (stat.pid, (stat.comm, stat.utime + stat.stime))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(used_share: f64, steal_share: f64) -> Activity {
        Activity { used_share, steal_share, busiest: vec![("rustc".to_owned(), 0.9)] }
    }

    #[test]
    fn use_and_theft_make_a_machine_busy() {
        assert!(!activity(0.04, 0.0).is_busy());
        assert!(activity(0.06, 0.0).is_busy());
        assert!(activity(0.0, 0.02).is_busy());
        assert!(activity(0.5, 0.0).to_string().ends_with("; rustc 90 %"));
    }

    #[test]
    fn shares_are_of_all_ticks() {
        let ticks = Ticks { all: 200, idle: 150, stolen: 10 };
        assert_eq!((ticks.used_share(), ticks.steal_share()), (0.2, 0.05));
    }

    #[test]
    fn watching_sees_shares() {
        let seen = Activity::watch().unwrap();
        assert!((0.0..=1.0).contains(&seen.used_share), "{seen}");
        assert!((0.0..=1.0).contains(&seen.steal_share), "{seen}");
    }
}
