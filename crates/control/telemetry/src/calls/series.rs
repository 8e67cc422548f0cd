//! What is counted for one label set, and the table of metric families made of it.

use std::collections::BTreeMap;

use seam::{Gaps, Inference, StageTimes};

use super::labels::Labels;
use crate::histogram::Histogram;
use crate::http_requests::DEFAULT_BUCKETS_S;
use crate::page::{Family, Kind, Page, label};

/// Providers think for seconds to minutes.
const UPSTREAM_BUCKETS_S: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 45.0, 60.0, 90.0];

const RETRY_BUCKETS: &[f64] = &[0.0, 1.0, 2.0, 3.0, 5.0, 10.0];

/// From the cost of a warm relayed request (some 10 µs) to a wait for a free slot.
const OVERHEAD_BUCKETS_US: &[f64] = &[
    5.0, 10.0, 15.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 2.5e4, 5e4, 1e5,
    1e6,
];

type Write = fn(&Series, &mut Page);

/// Every family, in the order of the page.
pub(super) const FAMILIES: &[(Family, Write)] = &[
    (
        counter("bifrost_upstream_requests_total", "Requests meant for a provider."),
        |series, page| series.write_count(page, series.requests),
    ),
    (
        histogram("bifrost_upstream_latency_seconds", "Time waiting for the provider."),
        |series, page| {
            for (is_success, latency_s) in [("true", &series.success_s), ("false", &series.error_s)]
            {
                let mut labels = series.labels.clone();
                label(&mut labels, "is_success", is_success);
                page.histogram(&labels, latency_s);
            }
        },
    ),
    (counter("bifrost_success_requests_total", "Requests that ended well."), |series, page| {
        series.write_count(page, series.requests - series.failures())
    }),
    (
        counter("bifrost_error_requests_total", "Requests that failed, by status and cause."),
        |series, page| {
            for ((status, error_type), count) in &series.errors {
                let mut labels = series.labels.clone();
                label(&mut labels, "status_code", itoa::Buffer::new().format(*status));
                label(&mut labels, "error_type", error_type);
                page.integer(&labels, *count);
            }
        },
    ),
    (
        counter("bifrost_input_tokens_total", "Tokens of prompts, as providers counted them."),
        |series, page| series.write_count(page, series.input_tokens),
    ),
    (
        counter("bifrost_output_tokens_total", "Tokens of answers, as providers counted them."),
        |series, page| series.write_count(page, series.output_tokens),
    ),
    (
        histogram("bifrost_stream_first_token_latency_seconds", "Time to the first output frame."),
        |series, page| page.histogram(&series.labels, &series.first_token_s),
    ),
    (
        histogram("bifrost_stream_inter_token_latency_seconds", "Time between output frames."),
        |series, page| page.histogram(&series.labels, &series.gaps_s),
    ),
    (
        histogram("bifrost_overhead_latency_microseconds", "Time that the gateway itself added."),
        |series, page| page.histogram(&series.labels, &series.overhead_us),
    ),
    (
        histogram("bifrost_overhead_component_microseconds", "That time by part of the gateway."),
        |series, page| {
            for (component, component_us) in &series.components_us {
                let mut labels = series.labels.clone();
                label(&mut labels, "overhead_component", component);
                page.histogram(&labels, component_us);
            }
        },
    ),
    (
        histogram("bifrost_request_retries", "Retries per request, over all targets."),
        |series, page| page.histogram(&series.labels, &series.retries),
    ),
];

const fn counter(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: Kind::Counter }
}

const fn histogram(name: &'static str, help: &'static str) -> Family {
    Family { name, help, kind: Kind::Histogram }
}

/// Own stage times in the product's words for components.
type Component = (&'static str, fn(&StageTimes) -> u64);

const COMPONENTS: &[Component] = &[
    ("middleware", |stages| stages.receive_ns),
    ("routing", |stages| stages.choose_ns),
    ("processing", |stages| stages.wait_ns),
    ("conversion", |stages| stages.prepare_ns),
    ("networking", |stages| stages.reply_ns),
];

/// What no stage accounts for.
const REST: &str = "other";

/// One finished request without its labels.
#[derive(Debug)]
pub(super) struct Outcome {
    status: u16,
    error_type: Option<&'static str>,
    upstream_us: u64,
    overhead_us: u64,
    stages: StageTimes,
    first_token_us: Option<u64>,
    gaps: Option<Box<Gaps>>,
    input_tokens: u64,
    output_tokens: u64,
    retries: u32,
}

/// Takes a report apart into what tells series apart and what is counted.
pub(super) fn split(status: u16, inference: Inference) -> (Labels, Outcome) {
    let labels = Labels {
        provider: inference.provider,
        model: inference.model,
        alias: inference.alias,
        operation: inference.operation,
        key: inference.key,
        routing_engine: inference.routing_engine,
        fallback_index: inference.fallback_index,
    };
    let outcome = Outcome {
        status,
        error_type: inference.error_type,
        upstream_us: inference.upstream_us,
        overhead_us: inference.overhead_us,
        stages: inference.stages,
        first_token_us: inference.first_token_us,
        gaps: inference.gaps,
        input_tokens: inference.usage.input,
        output_tokens: inference.usage.output,
        retries: inference.retries,
    };
    (labels, outcome)
}

/// All that is counted for one label set.
#[derive(Debug)]
pub(super) struct Series {
    labels: String,
    requests: u64,
    errors: BTreeMap<(u16, &'static str), u64>,
    success_s: Histogram,
    error_s: Histogram,
    input_tokens: u64,
    output_tokens: u64,
    first_token_s: Histogram,
    gaps_s: Histogram,
    overhead_us: Histogram,
    /// Empty unless the breakdown is switched on.
    components_us: Vec<(&'static str, Histogram)>,
    retries: Histogram,
}

impl Series {
    /// An empty series. `is_detailed` adds the overhead by component.
    pub(super) fn new(labels: String, is_detailed: bool) -> Self {
        let names = COMPONENTS.iter().map(|(name, _)| *name).chain([REST]);
        let components = names.map(|name| (name, Histogram::new(OVERHEAD_BUCKETS_US)));
        Self {
            labels,
            requests: 0,
            errors: BTreeMap::new(),
            success_s: Histogram::new(UPSTREAM_BUCKETS_S),
            error_s: Histogram::new(UPSTREAM_BUCKETS_S),
            input_tokens: 0,
            output_tokens: 0,
            first_token_s: Histogram::new(DEFAULT_BUCKETS_S),
            gaps_s: Histogram::new(DEFAULT_BUCKETS_S),
            overhead_us: Histogram::new(OVERHEAD_BUCKETS_US),
            components_us: if is_detailed { components.collect() } else { Vec::new() },
            retries: Histogram::new(RETRY_BUCKETS),
        }
    }

    /// The labels as text.
    pub(super) fn labels(&self) -> &str {
        &self.labels
    }

    /// Counts one request.
    pub(super) fn observe(&mut self, outcome: &Outcome) {
        self.requests += 1;
        self.input_tokens += outcome.input_tokens;
        self.output_tokens += outcome.output_tokens;
        self.overhead_us.observe(outcome.overhead_us as f64);
        self.retries.observe(f64::from(outcome.retries));
        if let Some(gaps) = &outcome.gaps {
            self.gaps_s.add(&gaps.counts, gaps.sum_us as f64 / 1e6);
        }
        if let Some(first_token_us) = outcome.first_token_us {
            self.first_token_s.observe(first_token_us as f64 / 1e6);
        }
        self.observe_end(outcome);
        self.observe_components(outcome);
    }

    fn observe_end(&mut self, outcome: &Outcome) {
        let upstream_s = outcome.upstream_us as f64 / 1e6;
        match outcome.error_type {
            None => self.success_s.observe(upstream_s),
            Some(error_type) => {
                self.error_s.observe(upstream_s);
                *self.errors.entry((outcome.status, error_type)).or_default() += 1;
            }
        }
    }

    fn observe_components(&mut self, outcome: &Outcome) {
        let times = COMPONENTS.iter().map(|(_, time)| time(&outcome.stages) as f64 / 1e3);
        let known: f64 = times.clone().sum();
        let rest = (outcome.overhead_us as f64 - known).max(0.0);
        for ((_, component_us), time_us) in self.components_us.iter_mut().zip(times.chain([rest])) {
            component_us.observe(time_us);
        }
    }

    fn failures(&self) -> u64 {
        self.errors.values().sum()
    }

    fn write_count(&self, page: &mut Page, count: u64) {
        if count > 0 {
            page.integer(&self.labels, count);
        }
    }
}
