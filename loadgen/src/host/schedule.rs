//! Where threads run and with which right: a core of their own, and `SCHED_FIFO` where the system allows it.

use std::fmt;
use std::io;

use procfs::process::Process;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The real-time priority of what is measured and of what measures: above every ordinary thread, and low
/// enough that the kernel's own real-time threads come first.
const REALTIME_PRIORITY: i32 = 50;

/// The right to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// As every program.
    Ordinary,
    /// Before every ordinary thread, until it sleeps.
    Realtime,
    /// Only when nothing else wants the core.
    Idle,
}

impl Policy {
    fn number(self) -> i32 {
        match self {
            Self::Ordinary => libc::SCHED_OTHER,
            Self::Realtime => libc::SCHED_FIFO,
            Self::Idle => libc::SCHED_IDLE,
        }
    }

    fn priority(self) -> i32 {
        match self {
            Self::Realtime => REALTIME_PRIORITY,
            Self::Ordinary | Self::Idle => 0,
        }
    }
}

/// Gives a thread a policy; `None` is the calling one. What it starts inherits it.
pub(crate) fn set_policy(thread: Option<i32>, policy: Policy) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: policy.priority() };
    #[expect(unsafe_code, reason = "neither std nor rustix has an interface for it")]
    // SAFETY: the kernel reads `parameters`, which outlives the call, and writes nothing.
    let result = unsafe {
        libc::sched_setscheduler(thread.unwrap_or(0), policy.number(), &raw const parameters)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps a thread on one core; `None` is the calling one. What it starts inherits it.
pub(crate) fn pin(thread: Option<i32>, core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    if core >= CpuSet::MAX_CPU {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    cores.set(core);
    sched_setaffinity(thread.and_then(Pid::from_raw), &cores).map_err(io::Error::from)
}

/// Where something is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// `None` leaves it to the system.
    pub(crate) core: Option<usize>,
    pub(crate) is_realtime: bool,
}

impl Place {
    /// Moves a thread here as far as the system allows; [`Placement::of`] tells how far that was. `None` is
    /// the calling thread.
    pub(crate) fn take(self, thread: Option<i32>) {
        // Containers may refuse either.
        if let Some(core) = self.core {
            let _ = pin(thread, core);
        }
        if self.is_realtime {
            let _ = set_policy(thread, Policy::Realtime);
        }
    }
}

/// Threads that were moved, until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    threads: Vec<(Option<i32>, Option<CpuSet>)>,
    was_made_realtime: bool,
}

impl Moved {
    /// The calling thread.
    pub(crate) fn this_thread(place: Place) -> Self {
        Self::all(&[None], place)
    }

    /// The threads of other processes that have these ids.
    pub(crate) fn threads(threads: &[i32], place: Place) -> Self {
        let threads: Vec<Option<i32>> = threads.iter().copied().map(Some).collect();
        Self::all(&threads, place)
    }

    fn all(threads: &[Option<i32>], place: Place) -> Self {
        let move_one = |thread: &Option<i32>| {
            let cores = sched_getaffinity(thread.and_then(Pid::from_raw)).ok();
            place.take(*thread);
            (*thread, cores)
        };
        Self {
            threads: threads.iter().map(move_one).collect(),
            was_made_realtime: place.is_realtime,
        }
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        for (thread, cores) in &self.threads {
            // A thread that has ended since needs nothing.
            if self.was_made_realtime {
                let _ = set_policy(*thread, Policy::Ordinary);
            }
            if let Some(cores) = cores {
                let _ = sched_setaffinity(thread.and_then(Pid::from_raw), cores);
            }
        }
    }
}

/// Where a process really runs, as the kernel tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// As in `/proc/PID/status`: `1`, or `0-1`.
    pub(crate) cores: String,
    pub(crate) is_realtime: bool,
}

impl Placement {
    /// That of a process's first thread; `None` when it is gone.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let process = Process::new(pid).ok()?;
        let cores = process.status().ok()?.cpus_allowed_list?;
        let ranges = cores.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        });
        let policy = process.stat().ok()?.policy?;
        Some(Self {
            cores: ranges.collect::<Vec<String>>().join(","),
            is_realtime: policy == libc::SCHED_FIFO as u32,
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = if self.is_realtime { "SCHED_FIFO" } else { "ordinary scheduling" };
        write!(formatter, "core {}, {policy}", self.cores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_thread_is_put_back() {
        // On a thread of its own: tests share theirs with others.
        let (before, during, after) = std::thread::spawn(|| {
            let cores = || sched_getaffinity(None).map(|cores| cores.count()).unwrap();
            let before = cores();
            let moved = Moved::this_thread(Place { core: Some(0), is_realtime: true });
            let during = cores();
            drop(moved);
            (before, during, cores())
        })
        .join()
        .unwrap();
        assert_eq!(during, 1);
        assert_eq!(after, before);
    }

    #[test]
    fn a_core_that_cannot_exist_is_refused() {
        assert!(pin(None, CpuSet::MAX_CPU).is_err());
    }

    #[test]
    fn the_kernel_tells_where_a_process_runs() {
        let placement = Placement::of(std::process::id() as i32).unwrap();
        assert!(!placement.cores.is_empty() && placement.to_string().starts_with("core "));
        assert_eq!(Placement::of(-1), None);
    }
}
