//! What a block cost: differences between the readings at its two edges.

use crate::host::snapshot::{HostSnapshot, ProcessCost};

/// The differences of one block.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlockCost {
    /// Between the two readings, which lie just outside of the block.
    pub(crate) seconds: f64,
    pub(crate) steal_ticks: u64,
    pub(crate) harness: Option<TargetCost>,
    /// By target; none where no process is known, or it was replaced within the block.
    pub(crate) targets: Vec<Option<TargetCost>>,
}

/// What the processes of one target used in a block, and their memory at its end.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetCost {
    pub(crate) cpu_ns: u64,
    pub(crate) run_delay_ns: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
    pub(crate) rss_bytes: u64,
    pub(crate) pss_bytes: Option<u64>,
    pub(crate) threads: u32,
}

impl BlockCost {
    /// What happened from one reading to the next.
    pub(crate) fn between(before: &HostSnapshot, after: &HostSnapshot) -> BlockCost {
        let targets = before.targets.iter().zip(&after.targets);
        BlockCost {
            seconds: after.at_ns.saturating_sub(before.at_ns) as f64 / 1e9,
            steal_ticks: after.steal_ticks.saturating_sub(before.steal_ticks),
            harness: difference(&before.harness, &after.harness),
            targets: targets
                .map(|(before, after)| difference(before.as_ref()?, after.as_ref()?))
                .collect(),
        }
    }
}

/// None if a counter fell: another process stands behind it than before.
fn difference(before: &ProcessCost, after: &ProcessCost) -> Option<TargetCost> {
    Some(TargetCost {
        cpu_ns: after.cpu_ns.checked_sub(before.cpu_ns)?,
        run_delay_ns: after.run_delay_ns.checked_sub(before.run_delay_ns)?,
        voluntary_switches: after.voluntary_switches.checked_sub(before.voluntary_switches)?,
        involuntary_switches: after
            .involuntary_switches
            .checked_sub(before.involuntary_switches)?,
        rss_bytes: after.rss_bytes,
        pss_bytes: after.pss_bytes,
        threads: after.threads,
    })
}
