//! Which blocks were disturbed from outside, and by what. Nothing is dropped silently: each discarded
//! block is listed with its reasons, and a run that lost more than half of them says that it is not to
//! be trusted.

use crate::result::{BlockSummary, DiscardedBlock};

use super::block::{BlockRecord, Session};
use super::percentile::median;

/// What a block may show and still count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NoiseLimits {
    /// Clock ticks of all cores that the hypervisor gave to others.
    pub(crate) steal_ticks: u64,
    /// Times a second that the harness was taken off its core.
    pub(crate) harness_involuntary_per_second: f64,
    /// Times a second that a target under load was taken off its core.
    pub(crate) target_involuntary_per_second: f64,
    /// Share of the block that the harness was ready to run and had to wait for its core.
    pub(crate) harness_run_delay_share: f64,
    /// By which share the baseline's median may differ from that of the session.
    pub(crate) baseline_drift_share: f64,
}

impl Default for NoiseLimits {
    fn default() -> Self {
        NoiseLimits {
            steal_ticks: 0,
            // A real-time thread on its own core is taken off it a few times a second at most, by
            // the kernel's own work.
            harness_involuntary_per_second: 20.0,
            // Targets share one core and at times displace each other.
            target_involuntary_per_second: 50.0,
            harness_run_delay_share: 0.01,
            baseline_drift_share: 0.20,
        }
    }
}

/// Takes the disturbed blocks out. If none would be left, all stay, and the notes say so.
pub(crate) fn sift(
    mut session: Session,
    limits: &NoiseLimits,
) -> (Session, BlockSummary, Vec<String>) {
    let usual_ns = usual_baseline_ns(&session);
    let mut discarded = Vec::new();
    let mut kept = Vec::new();
    for (position, block) in session.blocks.iter().enumerate() {
        let reasons = reasons(&session, block, limits, usual_ns);
        if reasons.is_empty() {
            kept.push(position);
        } else {
            discarded.push(DiscardedBlock { round: block.round, block: block.index, reasons });
        }
    }
    let all = session.blocks.len();
    let is_trustworthy = all > 0 && discarded.len() * 2 <= all;
    let notes = (!is_trustworthy).then(|| distrust(all, kept.len())).into_iter().collect();
    let summary = BlockSummary {
        kept: kept.len() as u64,
        discarded,
        rules: rules(limits, session.baseline.map(|index| session.targets[index].as_str())),
        is_trustworthy,
    };
    if !kept.is_empty() {
        let mut position = 0..;
        session.blocks.retain(|_| {
            position.next().is_some_and(|position| kept.binary_search(&position).is_ok())
        });
    }
    (session, summary, notes)
}

fn distrust(all: usize, kept: usize) -> String {
    match (all, kept) {
        (0, _) => "NOT TRUSTWORTHY: nothing was recorded.".to_owned(),
        (_, 0) => format!(
            "NOT TRUSTWORTHY: all {all} blocks were disturbed. The numbers come from them all the \
             same; repeat the run on a quiet machine."
        ),
        _ => format!(
            "NOT TRUSTWORTHY: only {kept} of {all} blocks were undisturbed. Repeat the run on a \
             quiet machine."
        ),
    }
}

/// The median over all blocks of the baseline's median.
fn usual_baseline_ns(session: &Session) -> Option<f64> {
    let baseline = session.baseline?;
    let blocks = session.blocks.iter();
    let mut medians: Vec<f64> = blocks.filter_map(|block| block.median_ns(baseline)).collect();
    median(&mut medians)
}

fn reasons(
    session: &Session,
    block: &BlockRecord,
    limits: &NoiseLimits,
    usual_ns: Option<f64>,
) -> Vec<String> {
    let cost = &block.cost;
    let mut reasons = Vec::new();
    if cost.steal_ticks > limits.steal_ticks {
        let ticks = cost.steal_ticks;
        reasons.push(format!("the hypervisor took {ticks} ticks of CPU time"));
    }
    if let Some(harness) = &cost.harness {
        let switches = harness.involuntary_switches as f64 / cost.seconds.max(f64::MIN_POSITIVE);
        if switches > limits.harness_involuntary_per_second {
            reasons.push(format!("the harness was displaced {switches:.0} times a second"));
        }
        let delay = harness.run_delay_ns as f64 / 1e9 / cost.seconds.max(f64::MIN_POSITIVE);
        if delay > limits.harness_run_delay_share {
            let percent = delay * 100.0;
            reasons.push(format!("the harness waited for its core {percent:.1} % of the time"));
        }
    }
    for (target, name) in session.targets.iter().enumerate() {
        let Some(cost_of) = block.cost_of(target) else { continue };
        let switches = cost_of.involuntary_switches as f64 / cost.seconds.max(f64::MIN_POSITIVE);
        if switches > limits.target_involuntary_per_second {
            reasons.push(format!("{name} was displaced {switches:.0} times a second"));
        }
    }
    reasons.extend(drift(session, block, limits, usual_ns));
    reasons
}

fn drift(
    session: &Session,
    block: &BlockRecord,
    limits: &NoiseLimits,
    usual_ns: Option<f64>,
) -> Option<String> {
    let baseline = session.baseline?;
    let change = block.median_ns(baseline)? / usual_ns.filter(|usual| *usual > 0.0)? - 1.0;
    (change.abs() > limits.baseline_drift_share).then(|| {
        let name = &session.targets[baseline];
        let percent = change * 100.0;
        format!("the median of {name} was {percent:+.0} % off that of the session")
    })
}

fn rules(limits: &NoiseLimits, baseline: Option<&str>) -> Vec<String> {
    let of_targets = limits.target_involuntary_per_second;
    let of_targets = match of_targets.is_finite() {
        true => format!(", or a target under load more than {of_targets}"),
        false => String::new(),
    };
    let mut rules = vec![
        format!(
            "the hypervisor took more than {} ticks of CPU time of any core",
            limits.steal_ticks
        ),
        format!(
            "the harness was displaced from its core more than {} times a second{of_targets}",
            limits.harness_involuntary_per_second
        ),
        format!(
            "the harness was ready and waited for its core more than {} % of the time",
            limits.harness_run_delay_share * 100.0
        ),
    ];
    rules.extend(baseline.map(|name| {
        let percent = limits.baseline_drift_share * 100.0;
        format!("the median of {name} was more than {percent} % off that of the session")
    }));
    rules
}
