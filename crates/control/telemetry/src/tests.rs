//! The page as a whole, against a table of names, labels and buckets written down independently.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dialect::{Operation, Usage};
use seam::{Event, EventQueue, Gaps, Inference, Rotation, StageTimes, WorkerStats};
use snapshot::KeyLabel;

use crate::calls::{CALL_SERIES_MAX, Calls};
use crate::http_requests::HttpRequests;
use crate::keys::Keys;
use crate::{Settings, Telemetry};

/// Labels of every request series.
const B: &str = "alias complexity_mechanism complexity_tier customer_id customer_name \
     fallback_index method model provider routing_engine_used routing_rule_id routing_rule_name \
     selected_key_id selected_key_name team_id team_name virtual_key_id virtual_key_name";

const DEFAULT: &str = "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf";

struct Expected {
    name: &'static str,
    kind: &'static str,
    /// Beside `B` where `is_call`.
    labels: &'static str,
    is_call: bool,
    /// Empty where the product leaves them open.
    buckets: &'static str,
}

const fn http(
    name: &'static str,
    kind: &'static str,
    labels: &'static str,
    buckets: &'static str,
) -> Expected {
    Expected { name, kind, labels, is_call: false, buckets }
}

const fn call(
    name: &'static str,
    kind: &'static str,
    labels: &'static str,
    buckets: &'static str,
) -> Expected {
    Expected { name, kind, labels, is_call: true, buckets }
}

const EXPECTED: &[Expected] = &[
    http("http_requests_total", "counter", "path method status", ""),
    http("http_request_duration_seconds", "histogram", "path method status", DEFAULT),
    http("http_request_size_bytes", "histogram", "path method status", SIZES),
    http("http_response_size_bytes", "histogram", "path method status", SIZES),
    call("bifrost_upstream_requests_total", "counter", "", ""),
    call(
        "bifrost_upstream_latency_seconds",
        "histogram",
        "is_success",
        "0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 15 30 45 60 90 +Inf",
    ),
    call("bifrost_success_requests_total", "counter", "", ""),
    call("bifrost_error_requests_total", "counter", "status_code error_type", ""),
    call("bifrost_input_tokens_total", "counter", "", ""),
    call("bifrost_output_tokens_total", "counter", "", ""),
    call("bifrost_stream_first_token_latency_seconds", "histogram", "", DEFAULT),
    call("bifrost_stream_inter_token_latency_seconds", "histogram", "", DEFAULT),
    call("bifrost_overhead_latency_microseconds", "histogram", "", ""),
    call("bifrost_overhead_component_microseconds", "histogram", "overhead_component", ""),
    call("bifrost_request_retries", "histogram", "", "0 1 2 3 5 10 +Inf"),
    http("bifrost_active_requests", "gauge", "method", ""),
    http("bifrost_provider_key_up", "gauge", "provider key_id key_name", ""),
    http(
        "bifrost_key_rotation_events_total",
        "counter",
        "provider requested_model key_id key_name fail_reason",
        "",
    ),
];

const SIZES: &str = "100 1000 10000 100000 1000000 10000000 100000000 1000000000 +Inf";

#[test]
fn every_metric_has_the_names_labels_and_buckets_of_the_product() {
    let page = full_page();
    for expected in EXPECTED {
        let name = expected.name;
        assert!(page.contains(&format!("\n# TYPE {name} {}\n", expected.kind)), "{name}");
        let samples = samples(&page, name);
        assert!(!samples.is_empty(), "{name} has samples");
        let shared = if expected.is_call { B } else { "" };
        let wanted: BTreeSet<&str> =
            expected.labels.split_whitespace().chain(shared.split_whitespace()).collect();
        for sample in &samples {
            let names: BTreeSet<&str> = sample.keys().map(String::as_str).collect();
            let names: BTreeSet<&str> =
                names.difference(&BTreeSet::from(["le"])).copied().collect();
            assert_eq!(names, wanted, "{name}");
        }
        if !expected.buckets.is_empty() {
            assert_eq!(buckets(&samples), expected.buckets, "{name}");
        }
    }
}

#[test]
fn the_overhead_breakdown_is_off_unless_asked_for() {
    let (_, mut telemetry) = telemetry(Settings::default());
    telemetry.observe(event("gpt-4o", None));
    let page = telemetry.render();
    assert!(page.contains("bifrost_overhead_latency_microseconds_count"));
    assert!(!page.contains("bifrost_overhead_component"));
}

#[test]
fn successes_and_failures_are_told_apart() {
    let (_, mut telemetry) = telemetry(Settings::default());
    telemetry.observe(event("gpt-4o", None));
    telemetry.observe(event("gpt-4o", None));
    telemetry.observe(event("gpt-4o", Some("provider_timeout")));
    let page = telemetry.render();
    assert_eq!(value(&page, "bifrost_upstream_requests_total", ""), 3.0);
    assert_eq!(value(&page, "bifrost_success_requests_total", ""), 2.0);
    assert_eq!(
        value(&page, "bifrost_error_requests_total", "error_type=\"provider_timeout\""),
        1.0
    );
    assert_eq!(value(&page, "bifrost_upstream_latency_seconds_count", "is_success=\"true\""), 2.0);
    assert_eq!(value(&page, "bifrost_input_tokens_total", ""), 36.0);
    assert_eq!(value(&page, "bifrost_output_tokens_total", ""), 15.0);
}

#[test]
fn gaps_counted_by_the_worker_land_in_their_buckets() {
    let (_, mut telemetry) = telemetry(Settings::default());
    telemetry.observe(event("gpt-4o", None));
    let page = telemetry.render();
    let name = "bifrost_stream_inter_token_latency_seconds";
    assert_eq!(value(&page, &format!("{name}_bucket"), "le=\"0.01\""), 0.0);
    assert_eq!(value(&page, &format!("{name}_bucket"), "le=\"0.025\""), 2.0);
    assert_eq!(value(&page, &format!("{name}_bucket"), "le=\"+Inf\""), 3.0);
    assert_eq!(value(&page, &format!("{name}_sum"), ""), 20.04);
}

#[test]
fn events_are_taken_from_every_queue_before_a_page_is_written() {
    let (queues, mut telemetry) = telemetry(Settings::default());
    for queue in queues.iter() {
        assert!(queue.push(event("gpt-4o", None)));
    }
    let page = telemetry.render();
    assert_eq!(value(&page, "http_requests_total", ""), queues.len() as f64);
    assert!(queues.iter().all(|queue| queue.pop().is_none()));
}

#[test]
fn made_up_models_end_in_one_series_and_leave_room_for_working_ones() {
    let mut calls = Calls::new(Settings::default());
    for n in 0..3 * CALL_SERIES_MAX {
        calls.observe(400, inference(&format!("made-up-{n}"), Some("caller_model_unknown")));
    }
    calls.observe(200, inference("works", None));
    let mut page = crate::page::Page::default();
    calls.write(&mut page);
    let page = page.into_text();
    let models: BTreeSet<String> = samples(&page, "bifrost_upstream_requests_total")
        .iter()
        .map(|labels| labels["model"].clone())
        .collect();
    assert_eq!(models.len(), CALL_SERIES_MAX / 2 + 2);
    assert!(models.contains("works"));
    let left_over = 3 * CALL_SERIES_MAX - CALL_SERIES_MAX / 2;
    assert_eq!(
        value(&page, "bifrost_upstream_requests_total", "model=\"other\""),
        left_over as f64
    );
}

#[test]
fn even_without_made_up_models_the_number_of_series_ends() {
    let mut calls = Calls::new(Settings::default());
    for n in 0..2 * CALL_SERIES_MAX as u32 {
        calls.observe(200, Inference { fallback_index: n, ..inference("gpt-4o", None) });
    }
    let mut page = crate::page::Page::default();
    calls.write(&mut page);
    let page = page.into_text();
    let series = samples(&page, "bifrost_upstream_requests_total");
    assert_eq!(series.len(), CALL_SERIES_MAX + 100 + 1);
    assert_eq!(
        value(&page, "bifrost_upstream_requests_total", "provider=\"other\""),
        (CALL_SERIES_MAX - 100) as f64
    );
}

#[test]
fn a_provider_that_makes_up_statuses_cannot_grow_the_page() {
    let mut requests = HttpRequests::default();
    for method in ["GET", "PUT", "POST"] {
        for status in 0..1_000 {
            requests.observe(&Event { method, status, ..event("gpt-4o", None) });
        }
    }
    let mut page = crate::page::Page::default();
    requests.write(&mut page);
    let page = page.into_text();
    assert_eq!(samples(&page, "http_requests_total").len(), 2_001);
    assert_eq!(value(&page, "http_requests_total", "path=\"other\""), 1_000.0);
}

#[test]
fn a_refused_key_is_down_until_it_is_accepted_again() {
    let mut keys = Keys::default();
    let refused = rotation("spare", "authentication_error");
    let limited = rotation("busy", "rate_limit_error");
    keys.observe(&Inference { rotations: [refused, limited].into(), ..inference("gpt-4o", None) });
    let mut page = crate::page::Page::default();
    keys.write(&mut page);
    let page = page.into_text();
    assert_eq!(value(&page, "bifrost_provider_key_up", "key_name=\"spare\""), 0.0);
    assert_eq!(value(&page, "bifrost_provider_key_up", "key_name=\"main\""), 1.0);
    assert!(!page.contains("bifrost_provider_key_up{provider=\"openai\",key_id=\"id-busy\""));

    keys.observe(&Inference { key: Some(key("spare")), ..inference("gpt-4o", None) });
    let mut page = crate::page::Page::default();
    keys.write(&mut page);
    assert_eq!(value(&page.into_text(), "bifrost_provider_key_up", "key_name=\"spare\""), 1.0);
}

#[test]
fn a_key_given_up_before_a_fallback_counts_for_its_own_provider() {
    let mut keys = Keys::default();
    keys.observe(&Inference {
        provider: Arc::from("anthropic"),
        key: Some(key("other")),
        fallback_index: 1,
        rotations: [rotation("spare", "authentication_error")].into(),
        ..inference("claude-x", None)
    });
    let mut page = crate::page::Page::default();
    keys.write(&mut page);
    let page = page.into_text();
    let given_up = "bifrost_key_rotation_events_total{provider=\"openai\",requested_model=\"gpt-4o\",\
                    key_id=\"id-spare\",key_name=\"spare\",fail_reason=\"authentication_error\"} 1";
    assert!(page.contains(given_up), "{page}");
    let of_keys = |provider: &str| format!("bifrost_provider_key_up{{provider=\"{provider}\"");
    assert!(
        page.contains(&format!("{},key_id=\"id-spare\",key_name=\"spare\"}} 0", of_keys("openai")))
    );
    assert!(
        page.contains(&format!(
            "{},key_id=\"id-other\",key_name=\"other\"}} 1",
            of_keys("anthropic")
        ))
    );
}

#[test]
fn a_request_without_gaps_adds_none() {
    let (_, mut telemetry) = telemetry(Settings::default());
    let mut event = event("gpt-4o", None);
    event.inference.as_mut().expect("set by event()").gaps = None;
    telemetry.observe(event);
    assert!(!telemetry.render().contains("bifrost_stream_inter_token_latency_seconds"));
}

fn telemetry(settings: Settings) -> (Arc<[EventQueue]>, Telemetry) {
    let queues: Arc<[EventQueue]> = (0..2).map(|_| EventQueue::default()).collect();
    let telemetry = Telemetry {
        events: Arc::clone(&queues),
        stats: (0..2).map(|_| WorkerStats::default()).collect(),
        http_requests: HttpRequests::default(),
        calls: Calls::new(settings),
        keys: Keys::default(),
    };
    (queues, telemetry)
}

fn full_page() -> String {
    let (_, mut telemetry) = telemetry(Settings { overhead_breakdown: true });
    let mut success = event("gpt-4o", None);
    let rotations = [rotation("spare", "authentication_error")].into();
    success.inference.as_mut().expect("set by event()").rotations = rotations;
    telemetry.observe(success);
    telemetry.observe(event("gpt-4o", Some("provider_rate_limited")));
    telemetry.render()
}

fn event(model: &str, error_type: Option<&'static str>) -> Event {
    Event {
        method: "POST",
        route: "/v1/chat/completions",
        status: if error_type.is_none() { 200 } else { 429 },
        request_bytes: 130,
        response_bytes: 10_320,
        total_us: 1_500_000,
        inference: Some(inference(model, error_type)),
    }
}

fn inference(model: &str, error_type: Option<&'static str>) -> Inference {
    let mut gaps = Gaps::default();
    for gap_us in [20_000, 20_000, 20_000_000] {
        gaps.add(gap_us);
    }
    Inference {
        operation: Operation::ChatCompletionStream,
        provider: Arc::from("openai"),
        model: Arc::from(model),
        alias: None,
        key: Some(key("main")),
        routing_engine: "core",
        retries: 1,
        fallback_index: 0,
        error_type,
        upstream_us: 1_400_000,
        overhead_us: 40,
        stages: StageTimes { receive_ns: 5_000, ..StageTimes::default() },
        first_token_us: Some(300_000),
        gaps: Some(Box::new(gaps)),
        usage: Usage { input: 12, output: 5, ..Usage::default() },
        rotations: Box::default(),
    }
}

fn rotation(name: &str, reason: &'static str) -> Rotation {
    let (provider, model) = (Arc::from("openai"), Arc::from("gpt-4o"));
    Rotation { provider, model, key: key(name), reason }
}

fn key(name: &str) -> Arc<KeyLabel> {
    Arc::new(KeyLabel { id: format!("id-{name}"), name: name.to_owned() })
}

/// Labels of every sample of a metric, the parts of histograms included.
fn samples(page: &str, name: &str) -> Vec<BTreeMap<String, String>> {
    page.lines().filter_map(|line| sample(line, name)).collect()
}

fn sample(line: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let (labels, _) = line.strip_prefix(name)?.split_once('{')?.1.split_once('}')?;
    let pairs = labels.split("\",").map(|pair| {
        let (name, value) = pair.split_once("=\"").expect("label=\"value\"");
        (name.to_owned(), value.trim_end_matches('"').to_owned())
    });
    Some(pairs.collect())
}

/// Bounds in the order of the page, each once.
fn buckets(samples: &[BTreeMap<String, String>]) -> String {
    let mut bounds: Vec<&str> = Vec::new();
    for bound in samples.iter().filter_map(|sample| sample.get("le")) {
        if !bounds.contains(&bound.as_str()) {
            bounds.push(bound);
        }
    }
    bounds.join(" ")
}

/// The value of the first sample of exactly this name whose labels contain `part`.
fn value(page: &str, name: &str, part: &str) -> f64 {
    let line = page
        .lines()
        .find(|line| line.starts_with(&format!("{name}{{")) && line.contains(part))
        .unwrap_or_else(|| panic!("{name} with {part}"));
    line.rsplit_once(' ').expect("labels and value").1.parse().expect("a number")
}
