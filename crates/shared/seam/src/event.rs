//! What the data plane tells the control plane about each request: exactly one event, by value.

use std::sync::Arc;

use dialect::{Operation, Usage};
use snapshot::KeyLabel;

/// Upper bounds in seconds of the first-token and inter-token histograms; the last bucket is open.
pub const GAP_BUCKETS_S: [f64; 11] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// One finished request.
#[derive(Clone, Debug)]
pub struct Event {
    /// HTTP method as sent, for example `POST`.
    pub method: &'static str,
    /// Route template, for example `/v1/chat/completions`; never the raw path.
    pub route: &'static str,
    /// Status sent to the caller; 499 when the caller left before one was sent.
    pub status: u16,
    /// Bytes of the caller's body.
    pub request_bytes: u64,
    /// Bytes of the reply's body as sent.
    pub response_bytes: u64,
    /// From the first byte of the request head to the last byte of the reply.
    pub total_us: u64,
    /// Set for inference requests that reached the choice of a target.
    pub inference: Option<Inference>,
}

/// What is known about a request that was meant for a provider.
#[derive(Clone, Debug)]
pub struct Inference {
    /// What was asked for.
    pub operation: Operation,
    /// Provider of the last attempt.
    pub provider: Arc<str>,
    /// Model as the caller named it, without the provider prefix.
    pub model: Arc<str>,
    /// Alias that was resolved, where the selected key has one for the model.
    pub alias: Option<Arc<str>>,
    /// Key of the last attempt.
    pub key: Option<Arc<KeyLabel>>,
    /// How the provider was found: comma list in the product's vocabulary.
    pub routing_engine: &'static str,
    /// Retries over all targets.
    pub retries: u32,
    /// 0 for the primary, i for the i-th fallback.
    pub fallback_index: u32,
    /// Word of the closed `error_type` vocabulary; `None` on success.
    pub error_type: Option<&'static str>,
    /// Time waiting for the provider, all attempts together.
    pub upstream_us: u64,
    /// What the gateway itself added: total without upstream time and without backoff.
    pub overhead_us: u64,
    /// Own time by stage.
    pub stages: StageTimes,
    /// Set for streams: time to the first output frame.
    pub first_token_us: Option<u64>,
    /// Gaps between output frames; boxed because most requests have none.
    pub gaps: Option<Box<Gaps>>,
    /// What the provider counted.
    pub usage: Usage,
    /// Keys that were given up on the way.
    pub rotations: Box<[Rotation]>,
}

/// One key given up during a request.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The provider it belongs to, which need not be the one of the last attempt.
    pub provider: Arc<str>,
    /// Model as the caller named it for that provider.
    pub model: Arc<str>,
    /// The key that failed.
    pub key: Arc<KeyLabel>,
    /// Why, in the vocabulary of the attempt trail.
    pub reason: &'static str,
}

/// Gaps between frames of one stream, counted into [`GAP_BUCKETS_S`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Gaps {
    /// Count per bucket; the last is everything above the highest bound.
    pub counts: [u32; GAP_BUCKETS_S.len() + 1],
    /// Sum of all gaps.
    pub sum_us: u64,
}

impl Gaps {
    /// Adds one gap.
    pub fn add(&mut self, gap_us: u64) {
        let gap_s = gap_us as f64 / 1e6;
        let bucket = GAP_BUCKETS_S.iter().position(|bound| gap_s <= *bound);
        self.counts[bucket.unwrap_or(GAP_BUCKETS_S.len())] += 1;
        self.sum_us += gap_us;
    }

    /// How many gaps there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Own time of the stages in nanoseconds. The names are ours; `telemetry` maps them to the
/// components of `bifrost_overhead_component_microseconds`.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimes {
    /// Head parsed, route found, caller identified, body peeked.
    pub receive_ns: u64,
    /// Target and key chosen, permit taken.
    pub choose_ns: u64,
    /// Waiting for a permit.
    pub wait_ns: u64,
    /// Outbound request written down (splice or translation).
    pub prepare_ns: u64,
    /// Reply parsed, translated and handed to the socket.
    pub reply_ns: u64,
}
