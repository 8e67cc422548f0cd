//! What of the gateway is measured, as one table: criterion takes times of it, `ci/instructions` counts
//! instructions, `tests/allocations.rs` counts allocations.
//!
//! ```
//! let case = bench::case("seam/current-snapshot").expect("the table has it");
//! let mut step = case.start(bench::Pace::Free)?;
//! step()?;
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod allocations;
mod cases;
pub mod fixtures;
pub mod gateway;
mod rest;
#[cfg(feature = "slowed")]
mod slowed;

use std::io;

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Subject, then what it is done with, by slashes.
    pub name: &'static str,
    /// How often it is done where every instruction is counted: enough that some millions are executed.
    pub iterations: u32,
    work: Work,
}

/// Makes everything ready.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// For what the calling thread does.
    Caller(fn() -> io::Result<Step>),
    /// For what a gateway's worker does, at that pace.
    Worker(fn(Pace) -> io::Result<Step>),
}

/// Does what is measured, once.
pub type Step = Box<dyn FnMut() -> io::Result<()>>;

/// A thread whose work is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// The one that calls the step.
    Caller,
    /// The gateway's worker, the first thread that [`Case::start`] starts.
    Worker,
}

/// When the next byte is sent to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As soon as it can be: for times.
    Free,
    /// Once the worker has come to rest, so that it does the same each time: for counts.
    Lockstep,
}

impl Case {
    const fn on_caller(
        name: &'static str,
        iterations: u32,
        prepare: fn() -> io::Result<Step>,
    ) -> Self {
        Self { name, iterations, work: Work::Caller(prepare) }
    }

    const fn on_worker(
        name: &'static str,
        iterations: u32,
        prepare: fn(Pace) -> io::Result<Step>,
    ) -> Self {
        Self { name, iterations, work: Work::Worker(prepare) }
    }

    /// Whose work counts.
    pub fn thread(&self) -> Thread {
        match self.work {
            Work::Caller(_) => Thread::Caller,
            Work::Worker(_) => Thread::Worker,
        }
    }

    /// Makes everything ready; each call of the result is one step.
    ///
    /// # Errors
    /// Whatever keeps the case from beginning.
    pub fn start(&self, pace: Pace) -> io::Result<Step> {
        let step = match self.work {
            Work::Caller(prepare) => prepare(),
            Work::Worker(prepare) => prepare(pace),
        }?;
        #[cfg(feature = "slowed")]
        let step = slowed::slow_down(step);
        Ok(step)
    }
}

/// Every case, subject by subject.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    cases::SUBJECTS.iter().copied().flatten()
}

/// The case of that name.
pub fn case(name: &str) -> Option<&'static Case> {
    cases().find(|case| case.name == name)
}

/// How often a case allocates per step once it is warm.
///
/// # Errors
/// What the case itself reports, and a binary whose allocator does not count.
pub fn allocations_per_step(case: &Case, steps: u32) -> io::Result<f64> {
    /// Steps after which buffers have their size and pools are filled.
    const WARM_UP_STEPS: u32 = 50;

    if !allocations::is_counting() {
        return Err(io::Error::other("the allocator of this program does not count"));
    }
    let mut step = case.start(Pace::Lockstep)?;
    allocations::count_this_thread(case.thread() == Thread::Caller);
    for _ in 0..WARM_UP_STEPS {
        step()?;
    }
    let before = allocations::made();
    for _ in 0..steps {
        step()?;
    }
    let made = allocations::made() - before;
    allocations::count_this_thread(false);
    Ok(made as f64 / f64::from(steps))
}
