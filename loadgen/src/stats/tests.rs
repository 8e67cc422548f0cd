//! Statistics on made-up sessions whose truth is known.

mod scene;

use hdrhistogram::Histogram;

use crate::result::{Estimate, VersusResult};
use crate::rig::recording::Outcome;

use super::*;
use scene::{Closed, Scene, closed_loop};

fn summarize(recording: &Recording<HostSnapshot>, options: &SummaryOptions) -> Summary {
    combine_rounds(std::slice::from_ref(recording), options)
}

fn options() -> SummaryOptions {
    SummaryOptions {
        baseline: Some("direct".to_owned()),
        references: vec!["l4".to_owned()],
        seed: 1,
        ..SummaryOptions::default()
    }
}

fn holds(estimate: Estimate, truth: f64) -> bool {
    estimate.low <= truth && truth <= estimate.high
}

fn versus<'a>(summary: &'a Summary, target: &str, reference: &str) -> &'a VersusResult {
    let found = |one: &&VersusResult| one.target == target && one.reference == reference;
    summary.versus.iter().find(found).expect("the pair was compared")
}

/// Symmetric noise around the shift, so that the true median of the differences is the shift itself.
#[test]
fn intervals_of_a_known_shift_hold_it() {
    let sessions = 20_u64;
    let (mut added, mut ratio) = (0, 0);
    for seed in 0..sessions {
        let scene = Scene { seed, blocks: 4, tuples_per_block: 400, ..Scene::default() };
        let summary = summarize(&scene.record(), &options());
        let gateway = summary.paired.iter().find(|paired| paired.target == "gateway").unwrap();
        added += u64::from(holds(gateway.added, 42.0));
        let measured = versus(&summary, "gateway", "l4").added_ratio.unwrap();
        ratio += u64::from(holds(measured, 1.05));
        assert!((measured.value - 1.05).abs() < 0.02, "{measured:?}");
    }
    // 19 of 20 are to be expected; 17 allow for chance.
    assert!(added >= 17, "{added} of {sessions}");
    assert!(ratio >= 17, "{ratio} of {sessions}");
}

#[test]
fn differences_within_tuples_see_what_drift_hides_from_distributions() {
    let (mut paired_error, mut apart_error) = (0.0_f64, 0.0_f64);
    for seed in 0..3 {
        let scene = Scene {
            seed,
            drift_ns: 30_000,
            gateway_added_ns: 2_000,
            gateway_lost: 3,
            ..Scene::default()
        };
        let mut options = options();
        options.noise.baseline_drift_share = f64::INFINITY;
        let summary = summarize(&scene.record(), &options);
        let paired = summary.paired.iter().find(|paired| paired.target == "gateway").unwrap();
        let median = |target: usize| summary.targets[target].from_send.p50_us;
        paired_error = paired_error.max((paired.added.value - 2.0).abs());
        apart_error = apart_error.max((median(2) - median(0) - 2.0).abs());
    }
    assert!(paired_error < 0.5, "paired {paired_error} us off");
    assert!(apart_error > 4.0 * paired_error, "{apart_error} us apart, {paired_error} us paired");
}

#[test]
fn two_equal_targets_come_out_equal() {
    for seed in 0..3 {
        let scene = Scene {
            seed,
            drift_ns: 3_000,
            l4_added_ns: 42_000,
            gateway_added_ns: 42_000,
            ..Scene::default()
        };
        let options = SummaryOptions {
            null_pair: Some(("gateway".to_owned(), "l4".to_owned())),
            ..options()
        };
        let summary = summarize(&scene.record(), &options);
        let control = summary.control.as_ref().unwrap();
        assert_eq!(control.measure, "added latency");
        assert!((0.98..1.02).contains(&control.ratio.value), "{control:?}");
        assert!(control.smallest_claim >= (control.ratio.high - control.ratio.low) / 2.0);
        assert!(summary.notes.iter().any(|note| note.contains("smallest difference")));
        let cpu = versus(&summary, "gateway", "l4").cpu_ratio;
        assert!((0.98..1.02).contains(&cpu.unwrap().value), "{cpu:?}");
    }
}

#[test]
fn a_quiet_session_keeps_all_blocks() {
    let summary = summarize(&Scene::default().record(), &options());
    assert_eq!(summary.blocks.kept, 8);
    assert_eq!(summary.blocks.discarded, []);
    assert!(summary.blocks.is_trustworthy);
    assert_eq!(summary.blocks.rules.len(), 4);
    assert_eq!(summary.notes, Vec::<String>::new());
}

#[test]
fn each_disturbance_discards_its_block() {
    type Disturb = fn(&mut Recording<HostSnapshot>);
    let disturbances: [(&str, Disturb); 5] = [
        ("hypervisor took 1 ticks", |recording| recording.blocks[3].after.steal_ticks += 1),
        ("harness was displaced 30 times", |recording| {
            recording.blocks[3].after.harness.involuntary_switches += 30;
        }),
        ("harness waited for its core 2.0 %", |recording| {
            recording.blocks[3].after.harness.run_delay_ns += 20_000_000;
        }),
        ("gateway was displaced 60 times", |recording| {
            recording.blocks[3].after.targets[2].as_mut().unwrap().involuntary_switches += 60;
        }),
        ("median of direct was", |recording| {
            let samples = recording.blocks[3].samples.clone();
            for sample in &mut recording.samples[samples] {
                sample.done_ns += 5_000;
            }
        }),
    ];
    for (reason, disturb) in disturbances {
        let mut recording = Scene::default().record();
        disturb(&mut recording);
        let summary = summarize(&recording, &options());
        assert_eq!(summary.blocks.kept, 7, "{reason}");
        let discarded = &summary.blocks.discarded[..];
        assert!(
            matches!(discarded, [one] if one.block == 3 && one.round == 0
                && one.reasons.len() == 1 && one.reasons[0].contains(reason)),
            "{reason}: {discarded:?}"
        );
        assert!(summary.blocks.is_trustworthy);
        let ended = summary.targets[0].requests;
        assert_eq!(ended, 7 * u64::from(Scene::default().tuples_per_block), "{reason}");
    }
}

#[test]
fn what_just_keeps_a_limit_counts() {
    let mut recording = Scene::default().record();
    let block = &mut recording.blocks[3];
    block.after.harness.involuntary_switches += 20;
    block.after.harness.run_delay_ns += 10_000_000;
    block.after.targets[2].as_mut().unwrap().involuntary_switches += 50;
    assert_eq!(summarize(&recording, &options()).blocks.discarded, []);
}

#[test]
fn a_mostly_disturbed_run_says_that_it_is_not_to_be_trusted() {
    for (disturbed, is_trustworthy) in [(4, true), (5, false), (8, false)] {
        let mut recording = Scene::default().record();
        for block in &mut recording.blocks[..disturbed] {
            block.after.steal_ticks += 1;
        }
        let summary = summarize(&recording, &options());
        assert_eq!(summary.blocks.is_trustworthy, is_trustworthy, "{disturbed} blocks");
        let says_so = summary.notes.iter().any(|note| note.starts_with("NOT TRUSTWORTHY"));
        assert_eq!(says_so, !is_trustworthy, "{disturbed} blocks");
        assert!(summary.targets[0].requests > 0);
    }
}

#[test]
fn nothing_recorded_is_not_trustworthy_and_no_panic() {
    let summary = combine_rounds(&[], &options());
    assert!(!summary.blocks.is_trustworthy);
    assert!(summary.targets.is_empty() && summary.paired.is_empty() && summary.versus.is_empty());
}

#[test]
fn a_failed_request_is_counted_and_takes_its_tuple_out_of_the_pairs() {
    let mut recording = Scene::default().record();
    recording.samples[2].outcome = Outcome::Status(503);
    recording.samples[5].outcome = Outcome::TimedOut;
    let summary = summarize(&recording, &options());
    let gateway = &summary.targets[2];
    let all = 8 * u64::from(Scene::default().tuples_per_block);
    assert_eq!((gateway.requests, gateway.ok), (all, all - 2));
    assert_eq!(gateway.failed["status 503"], 1);
    assert_eq!(gateway.failed["timed out"], 1);
    let paired =
        |name: &str| summary.paired.iter().find(|paired| paired.target == name).unwrap().tuples;
    assert_eq!((paired("gateway"), paired("l4")), (all - 2, all));
}

#[test]
fn lateness_of_the_harness_counts_from_the_intended_moment_only() {
    let mut recording = Scene::default().record();
    for sample in &mut recording.samples {
        sample.intended_ns -= 1_000_000;
    }
    let summary = summarize(&recording, &options());
    for target in &summary.targets {
        let intended = target.from_intended.as_ref().unwrap();
        let gap = intended.p50_us - target.from_send.p50_us;
        assert!((gap - 1_000.0).abs() < 1.0, "{gap}");
    }
}

#[test]
fn stamps_tell_which_way_the_time_was_added() {
    let scene = Scene { gateway_added_ns: 40_000, has_stamps: true, ..Scene::default() };
    let summary = summarize(&scene.record(), &options());
    let gateway = summary.paired.iter().find(|paired| paired.target == "gateway").unwrap();
    let (there, back) = (gateway.added_there.unwrap(), gateway.added_back.unwrap());
    // The scene puts a quarter of what is added on the way there.
    assert!((there.value - 10.0).abs() < 1.0, "{there:?}");
    assert!((back.value - 30.0).abs() < 1.0, "{back:?}");
    let unstamped = summarize(&Scene::default().record(), &options());
    assert!(unstamped.paired.iter().all(|paired| paired.added_there.is_none()));
}

#[test]
fn cost_is_per_request_and_from_kept_blocks() {
    let mut recording = Scene::default().record();
    let disturbed = &mut recording.blocks[0].after;
    disturbed.steal_ticks += 1;
    disturbed.targets[2].as_mut().unwrap().cpu_ns += 1_000_000_000;
    let summary = summarize(&recording, &options());
    let cost = summary.targets[2].cost.as_ref().unwrap();
    assert!((cost.cpu_us_per_request - 50.0).abs() < 0.5, "{cost:?}");
    assert_eq!(cost.cpu_us_per_request_blocks.len(), 7);
    assert!((cost.voluntary_switches_per_request - 2.0).abs() < 1e-9);
    assert_eq!(cost.rss_bytes, 10_000_000);
    assert!(summary.targets[0].cost.is_none());
}

#[test]
fn a_process_that_was_replaced_has_no_cost_in_that_block() {
    let mut recording = Scene::default().record();
    recording.blocks[2].after.targets[2].as_mut().unwrap().cpu_ns = 0;
    let summary = summarize(&recording, &options());
    assert_eq!(summary.targets[2].cost.as_ref().unwrap().cpu_us_per_request_blocks.len(), 7);
}

#[test]
fn rounds_are_summed_up_together_and_shown_apart() {
    let rounds: Vec<_> = (0..3)
        .map(|seed| Scene { seed, gateway_added_ns: 44_000, ..Scene::default() }.record())
        .collect();
    let summary = combine_rounds(&rounds, &options());
    let gateway = summary.paired.iter().find(|paired| paired.target == "gateway").unwrap();
    assert_eq!(gateway.rounds.len(), 3);
    let measured = versus(&summary, "gateway", "l4");
    assert_eq!(measured.rounds.len(), 3);
    let p99s: Vec<f64> = measured.rounds.iter().filter_map(|round| round.p99_ratio).collect();
    let p99 = measured.p99_ratio.unwrap();
    assert_eq!(p99.low, p99s.iter().copied().fold(f64::INFINITY, f64::min));
    assert_eq!(p99.high, p99s.iter().copied().fold(0.0, f64::max));
    assert_eq!(summary.blocks.kept, 24);
}

#[test]
fn each_two_targets_are_compared_once() {
    let options =
        SummaryOptions { references: vec!["l4".to_owned(), "gateway".to_owned()], ..options() };
    let summary = summarize(&Scene::default().record(), &options);
    let pairs: Vec<(&str, &str)> =
        summary.versus.iter().map(|one| (one.target.as_str(), one.reference.as_str())).collect();
    assert_eq!(pairs, [("gateway", "l4")]);
}

#[test]
fn turns_of_a_closed_loop_give_the_ratio_of_rates_in_spite_of_drift() {
    let recording = closed_loop(&Closed {
        rates: &[10_000, 13_000],
        cpu_ns: &[20_000, 15_000],
        turns: 6,
        slowdown_per_block: 0.02,
    });
    let options = SummaryOptions {
        baseline: None,
        references: vec!["nginx".to_owned()],
        ..SummaryOptions::default()
    };
    let summary = summarize(&recording, &options);
    let measured = versus(&summary, "gateway", "nginx");
    let rate = measured.rate_ratio.unwrap();
    assert!((rate.value - 1.3).abs() < 0.005, "{rate:?}");
    assert!((measured.cpu_ratio.unwrap().value - 0.75).abs() < 0.005);
    assert_eq!(measured.rounds.len(), 6);
    assert!(summary.paired.is_empty());
    let gateway = &summary.targets[1];
    assert!(gateway.from_intended.is_none());
    assert!(gateway.requests_per_second > 9_000.0 && gateway.requests_per_second < 13_000.0);
    assert!(gateway.from_send.p50_us > 1e6 / 13_000.0 && gateway.from_send.p50_us < 1e6 / 9_000.0);
}

#[test]
fn a_turn_that_lost_all_blocks_of_one_target_gives_no_ratio() {
    let mut recording = closed_loop(&Closed {
        rates: &[10_000, 13_000],
        cpu_ns: &[20_000, 15_000],
        turns: 4,
        slowdown_per_block: 0.0,
    });
    for index in [1, 2] {
        recording.blocks[index].after.steal_ticks += 1;
    }
    let options =
        SummaryOptions { references: vec!["nginx".to_owned()], ..SummaryOptions::default() };
    let summary = summarize(&recording, &options);
    assert_eq!(versus(&summary, "gateway", "nginx").rounds.len(), 3);
}

#[test]
fn histograms_of_different_ranges_are_merged() {
    let mut small = Histogram::<u64>::new_with_bounds(1, 1_000, 3).unwrap();
    let mut large = Histogram::<u64>::new_with_bounds(1, 10_000_000, 3).unwrap();
    small.record(500).unwrap();
    large.record(5_000_000).unwrap();
    let merged = target::merged([&small, &large].into_iter()).unwrap();
    assert_eq!(merged.len(), 2);
}
