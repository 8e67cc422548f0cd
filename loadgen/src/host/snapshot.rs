//! What the machine and the processes under measurement had used up at one moment: read at the beginning
//! and at the end of each block, so that the difference is what the block cost.

/// The state of the machine at a block's edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostSnapshot {
    /// When it was read: nanoseconds of `CLOCK_MONOTONIC` (not since the rig's start).
    pub at_ns: u64,
    /// Time the hypervisor gave to others, of all cores, in clock ticks (a hundredth of a second each).
    pub steal_ticks: u64,
    /// What this process has used itself: the side that sends and answers.
    pub harness: ProcessCost,
    /// What each target's processes have used, in the order of the plan's targets; `None` where no process
    /// stands behind the target (direct) or it is not known.
    pub targets: Vec<Option<ProcessCost>>,
}

/// What a process and all its descendants have used since they started. The counters only rise; `rss_bytes`,
/// `pss_bytes` and `threads` are what they are at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessCost {
    /// Time on a core, of all threads, nanoseconds.
    pub cpu_ns: u64,
    /// Time spent runnable and waiting for a core, of all threads, nanoseconds.
    pub run_delay_ns: u64,
    /// Times a thread went to sleep by itself.
    pub voluntary_switches: u64,
    /// Times a thread was taken off its core.
    pub involuntary_switches: u64,
    /// Resident memory; pages shared between processes count in each.
    pub rss_bytes: u64,
    /// Resident memory with shared pages divided among their users; `None` where it was not asked for,
    /// since the kernel takes milliseconds to sum it up.
    pub pss_bytes: Option<u64>,
    /// Threads alive.
    pub threads: u32,
}
