//! A configured provider as the hot path sees it: addresses, bytes and limits, no names to look up.

use std::sync::Arc;
use std::time::Duration;

use dialect::{Dialect, OpenAiTarget, Operation};
use meter::Gate;
use provider::{BodyRules, Listing, ModelName};

use crate::{Endpoint, Key, KeyTable, Path};

/// One provider, compiled from its row in the provider table and its configuration.
#[derive(Debug)]
pub struct Upstream {
    /// Name in the configuration.
    pub name: Arc<str>,
    /// What it can do, by `Operation as usize`; `None` = not supported or not allowed.
    pub services: Services,
    /// Models that are asked for in another way; the first that fits counts.
    pub variants: Vec<Variant>,
    /// Where its list of models is, if it has one that may be asked for.
    pub list: Option<ModelList>,
    /// Where to connect to; `None` when every key brings its own address.
    pub endpoint: Option<Arc<Endpoint>>,
    /// Path in front of every operation's at that address, without a slash at the end.
    pub base_path: Box<str>,
    /// Its keys.
    pub keys: KeyTable,
    /// Requests go out without a key.
    pub is_keyless: bool,
    /// How a caller's own key is sent; see `client.allow_direct_keys`.
    pub direct_key: Option<KeyHeader>,
    /// A model may be named with the region in front that its key must be in.
    pub takes_region: bool,
    /// Header lines of every request: the provider's own and `network_config.extra_headers`.
    pub headers: Arc<[HeaderLine]>,
    /// What its OpenAI-shaped requests may say, for translated ones.
    pub openai: OpenAiTarget,
    /// Its streams tell their usage only when asked to.
    pub tells_usage_when_asked: bool,
    /// Prefixes of `anthropic-beta` values that go out or not, whatever the host is known to take.
    pub beta_overrides: Vec<(Box<str>, bool)>,
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

/// What a provider can do, by `Operation as usize`.
pub type Services = Vec<Option<Service>>;

/// Models of a provider that are asked for in another way than its others.
#[derive(Debug)]
pub struct Variant {
    /// Patterns of model ids on the wire.
    pub models: &'static [&'static str],
    /// What they can do.
    pub services: Services,
}

/// One operation of a provider.
#[derive(Debug)]
pub struct Service {
    /// Wire format.
    pub dialect: Dialect,
    /// Method of its requests.
    pub method: &'static str,
    /// Path below the base path; the whole path where `endpoint` is set.
    pub path: Path,
    /// Header lines of its requests.
    pub headers: Arc<[HeaderLine]>,
    /// What is changed in request bodies before they are sent.
    pub body: &'static BodyRules,
    /// Set when `request_path_overrides` names a full URL.
    pub endpoint: Option<Arc<Endpoint>>,
    /// Which of a key's addresses it is served at; 0 is the provider's own as well.
    pub root: usize,
    /// What of a model's name the provider is told.
    pub model_name: ModelName,
    /// Set where a reply may describe a job that is not done yet.
    pub task: Option<Arc<Task>>,
}

/// Where more is to be had about a job, whose id stands in the place of a model.
#[derive(Debug)]
pub struct Task {
    /// Path of its description below the provider's base path.
    pub path: Path,
    /// Path at which it is called off.
    pub cancel_path: Path,
    /// Servers, beside the provider's own, that it may be streamed from.
    pub stream_hosts: Vec<Arc<Endpoint>>,
}

/// Where a provider lists its models.
#[derive(Debug)]
pub struct ModelList {
    /// Path below the base path; the whole path where `endpoint` is set.
    pub path: Path,
    /// Set when `request_path_overrides` names a full URL.
    pub endpoint: Option<Arc<Endpoint>>,
    /// Which of a key's addresses it is at; 0 is the provider's own as well.
    pub root: usize,
    /// How it is written.
    pub shape: Listing,
}

/// Where a request goes. `base_path` followed by `path` is the whole path.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'s> {
    /// Where to connect to.
    pub endpoint: &'s Arc<Endpoint>,
    /// Path of the server's root; may be empty, and has no slash at the end.
    pub base_path: &'s str,
    /// Path of the operation below it, with leading slash.
    pub path: &'s Path,
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
    /// Both of them.
    BearerAndNamed(&'static str),
}

impl KeyHeader {
    /// The whole line for `key`, with its CRLF.
    pub fn line(self, key: &str) -> String {
        match self {
            Self::Bearer => format!("authorization: Bearer {key}\r\n"),
            Self::Named(name) => format!("{name}: {key}\r\n"),
            Self::BearerAndNamed(name) => Self::Bearer.line(key) + &Self::Named(name).line(key),
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
    /// The region that a model's name begins with, and the name behind it.
    pub fn split_region<'m>(&self, model: &'m str) -> Option<(&'m str, &'m str)> {
        model.split_once('/').filter(|(head, _)| self.takes_region && is_region(head))
    }

    /// How `operation` is served for a model, if it is.
    pub fn service(&self, operation: Operation, model: &str) -> Option<&Service> {
        let fits = |variant: &&Variant| {
            variant.models.iter().any(|pattern| provider::matches(pattern, model))
        };
        let variant = self.variants.iter().find(fits);
        let services = variant.map_or(&self.services, |variant| &variant.services);
        services.get(operation as usize)?.as_ref()
    }

    /// The same for the model `id` that an alias stands for, which is like another. A model with a
    /// number for a name is asked as such, whatever it is like.
    pub fn service_like(&self, operation: Operation, id: &str, likeness: &str) -> Option<&Service> {
        let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        self.service(operation, if is_number { id } else { likeness })
    }

    /// Whether `operation` is served for a model as callers name it, be it by an alias of some key.
    pub fn serves(&self, operation: Operation, model: &str) -> bool {
        let is_served_as = |key: &Key| {
            let Some(id) = key.alias(model) else { return false };
            self.service_like(operation, id, key.likeness(model, id)).is_some()
        };
        self.service(operation, model).is_some() || self.keys.keys.iter().any(is_served_as)
    }

    /// How `operation` is served where it has to do with no model, or with all alike.
    pub fn service_for_all(&self, operation: Operation) -> Option<&Service> {
        self.services.get(operation as usize)?.as_ref()
    }

    /// Where a request for `service` with `key` goes: a URL given for the operation comes first, then
    /// the address of the key, then the provider's. None where there is no address.
    pub fn destination<'s>(
        &'s self,
        service: &'s Service,
        key: Option<&'s Key>,
    ) -> Option<Destination<'s>> {
        self.locate(&service.path, service.endpoint.as_ref(), service.root, key)
    }

    /// Where a job of `service` with `key` is asked for.
    pub fn task_destination<'s>(
        &'s self,
        path: &'s Path,
        key: Option<&'s Key>,
    ) -> Option<Destination<'s>> {
        self.locate(path, None, 0, key)
    }

    /// The same for its list of models.
    pub fn list_destination<'s>(
        &'s self,
        list: &'s ModelList,
        key: Option<&'s Key>,
    ) -> Option<Destination<'s>> {
        self.locate(&list.path, list.endpoint.as_ref(), list.root, key)
    }

    fn locate<'s>(
        &'s self,
        path: &'s Path,
        given: Option<&'s Arc<Endpoint>>,
        root: usize,
        key: Option<&'s Key>,
    ) -> Option<Destination<'s>> {
        if let Some(endpoint) = given {
            return Some(Destination { endpoint, base_path: "", path });
        }
        if let Some(own) = key.and_then(|key| key.endpoint(root)) {
            return Some(Destination { endpoint: &own.endpoint, base_path: &own.base_path, path });
        }
        // Other roots are made of what keys say.
        let endpoint = self.endpoint.as_ref().filter(|_| root == 0)?;
        Some(Destination { endpoint, base_path: &self.base_path, path })
    }

    /// Whether a model name without a provider belongs here: a key names it, or it looks like one
    /// of the provider's own.
    pub fn lists_model(&self, model: &str) -> bool {
        self.keys.names_model(model) || self.claims_model(model)
    }

    /// Whether a model name looks like one of the provider's own.
    pub(crate) fn claims_model(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| provider::matches(pattern, model))
    }
}

/// `us-east-1`, `us-gov-west-1` ….
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let country = parts.next().unwrap_or_default();
    let number = parts.next_back().unwrap_or_default();
    country.len() == 2 && is_number(number) && parts.clone().count() > 0 && {
        parts.all(is_word) && is_word(country)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_told_from_other_names() {
        for region in ["us-east-1", "us-gov-west-1", "ap-southeast-2", "mx-central-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in ["", "us", "us-1", "us-east", "meta-llama", "usa-east-1", "us--1", "US-EAST-1"]
        {
            assert!(!is_region(other), "{other}");
        }
    }

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
