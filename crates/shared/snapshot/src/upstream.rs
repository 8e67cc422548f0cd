//! A configured provider as the hot path sees it: addresses, bytes and limits, no names to look up.

use std::sync::Arc;
use std::time::Duration;

use dialect::{Dialect, OpenAiTarget, Operation};
use meter::Gate;
use provider::BodyRules;

use crate::{Endpoint, KeyTable};

/// One provider, compiled from its row in the provider table and its configuration.
#[derive(Debug)]
pub struct Upstream {
    /// Name in the configuration.
    pub name: Arc<str>,
    /// What it can do, by `Operation as usize`; `None` = not supported or not allowed.
    pub services: Vec<Option<Service>>,
    /// Where to connect to; `None` when every key brings its own address.
    pub endpoint: Option<Arc<Endpoint>>,
    /// Its keys.
    pub keys: KeyTable,
    /// Requests go out without a key.
    pub is_keyless: bool,
    /// How a caller's own key is sent; see `client.allow_direct_keys`.
    pub direct_key: Option<KeyHeader>,
    /// Header lines of every request: the provider's own and `network_config.extra_headers`.
    pub headers: Vec<HeaderLine>,
    /// What is changed in request bodies before they are sent.
    pub body: &'static BodyRules,
    /// What its OpenAI-shaped requests may say, for translated ones.
    pub openai: OpenAiTarget,
    /// `openai_config.disable_store`: `"store":false` is forced.
    pub disable_store: bool,
    /// Patterns of model names that belong to this provider.
    pub models: &'static [&'static str],
    /// When and how often to try again.
    pub retry: Retry,
    /// Longest wait for a unary reply.
    pub request_timeout: Duration,
    /// Longest silence inside a stream.
    pub stream_idle_timeout: Duration,
    /// Limit on work under way.
    pub gate: Arc<Gate>,
    /// `send_back_raw_request`.
    pub send_back_raw_request: bool,
    /// `send_back_raw_response`.
    pub send_back_raw_response: bool,
}

/// One operation of a provider.
#[derive(Debug)]
pub struct Service {
    /// Wire format.
    pub dialect: Dialect,
    /// Path, with the base path in front unless the address belongs to the key.
    pub path: Box<str>,
    /// Set when `request_path_overrides` names a full URL.
    pub endpoint: Option<Arc<Endpoint>>,
}

/// A header line ready for the wire.
#[derive(Debug)]
pub struct HeaderLine {
    /// Name in lower case.
    pub name: Box<str>,
    /// `name: value` with its CRLF.
    pub line: crate::Secret,
}

/// The header a key travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `authorization: Bearer <key>`.
    Bearer,
    /// The key alone under this name.
    Named(&'static str),
}

impl KeyHeader {
    /// The whole line for `key`, with its CRLF.
    pub fn line(self, key: &str) -> String {
        match self {
            Self::Bearer => format!("authorization: Bearer {key}\r\n"),
            Self::Named(name) => format!("{name}: {key}\r\n"),
        }
    }
}

/// `network_config.max_retries` and the backoff between attempts.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Attempts beyond the first.
    pub max: u32,
    /// Backoff before the first retry; doubles each time.
    pub backoff_initial: Duration,
    /// Upper bound of the backoff.
    pub backoff_max: Duration,
}

impl Retry {
    /// Backoff before retry `n` (1 = first): `min(initial × 2^(n−1), max) × jitter`, at most `max`.
    /// `random` is uniform over all of `u64`; the jitter is uniform in 0.8..1.2.
    pub fn backoff(&self, n: u32, random: u64) -> Duration {
        let doubled =
            self.backoff_initial.saturating_mul(1_u32.checked_shl(n - 1).unwrap_or(u32::MAX));
        let jitter = 0.8 + 0.4 * (random as f64 / u64::MAX as f64);
        doubled.min(self.backoff_max).mul_f64(jitter).min(self.backoff_max)
    }
}

impl Upstream {
    /// How `operation` is served, if it is.
    pub fn service(&self, operation: Operation) -> Option<&Service> {
        self.services.get(operation as usize)?.as_ref()
    }

    /// Whether a model name without a provider belongs here: a key names it, or it looks like one
    /// of the provider's own.
    pub fn lists_model(&self, model: &str) -> bool {
        let lower = model.to_ascii_lowercase();
        self.keys.named_models().any(|named| named == lower)
            || self.keys.keys.iter().any(|key| key.aliases.contains_key(lower.as_str()))
            || self.models.iter().any(|pattern| provider::matches(pattern, model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_with_jitter_up_to_the_maximum() {
        let retry = Retry {
            max: 9,
            backoff_initial: Duration::from_millis(500),
            backoff_max: Duration::from_secs(5),
        };
        assert_eq!(retry.backoff(1, 0), Duration::from_millis(400));
        assert_eq!(retry.backoff(1, u64::MAX), Duration::from_millis(600));
        assert_eq!(retry.backoff(3, 0), Duration::from_millis(1600));
        assert_eq!(retry.backoff(5, u64::MAX), Duration::from_secs(5));
        assert_eq!(retry.backoff(40, 0), Duration::from_secs(4));
    }
}
