//! How often each case allocates once it is warm, against the committed baseline.

use std::collections::BTreeMap;

use bench::allocations::Counting;
use bench::{Thread, allocations_per_step, cases};
use mimalloc::MiMalloc;
use serde_json::Value;

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting(MiMalloc);

/// One more per step is a failure; a buffer that grows once in a hundred steps is not.
const SLACK: f64 = 0.5;

const STEPS: u32 = 200;

/// What a relayed request may do, whatever the baseline says.
const RELAYED_MAX: f64 = 4.0;

/// What an event of a stream may do when it is translated. Relayed it may do nothing.
const TRANSLATED_EVENT_MAX: f64 = 10.0;

#[test]
fn no_case_allocates_more_than_its_baseline() {
    let baseline = baseline();
    // One test, one case after the other: the count is the process's.
    for case in cases() {
        let made = allocations_per_step(case, STEPS).expect("every case runs");
        let allowed = baseline.get(case.name).copied();
        let allowed = allowed.expect("every case has a baseline: `ci/instructions --update`");
        println!("{}: {made} allocations per step, {allowed} in the baseline", case.name);
        assert!(made <= allowed + SLACK, "{}: {made} allocations, {allowed} before", case.name);
        let is_relayed = case.thread() == Thread::Worker && !case.name.contains("translated");
        assert!(!is_relayed || made <= RELAYED_MAX, "{}: {made} allocations", case.name);
        if let Some(allowed) = allowed_to_an_event(case.name) {
            assert!(made < allowed + SLACK, "{}: {made} allocations for one event", case.name);
        }
    }
}

/// What is allowed to a case that is one event of a stream.
fn allowed_to_an_event(case: &str) -> Option<f64> {
    match case {
        "event/translated" => Some(TRANSLATED_EVENT_MAX),
        case if case.starts_with("translate/event/") => Some(TRANSLATED_EVENT_MAX),
        case if case.starts_with("event/") => Some(0.0),
        _ => None,
    }
}

/// Allocations per step by case.
fn baseline() -> BTreeMap<String, f64> {
    let file: Value = serde_json::from_str(include_str!("../baseline.json")).expect("JSON");
    let cases = file["cases"].as_object().expect("`cases` by name");
    let allocations = |counts: &Value| counts["allocations"].as_f64().expect("a number");
    cases.iter().map(|(name, counts)| (name.clone(), allocations(counts))).collect()
}
