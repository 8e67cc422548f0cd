//! `providers.<name>.network_config`: where requests go and how long that may take.

use std::collections::HashSet;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use crate::key_block::read_url;
use crate::member::{ANY_OBJECT, Fallback, Member, Object, Shape, member, switch};
use crate::secret::Secret;
use crate::url::Url;
use crate::view::{Context, View};

/// How a provider is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Replaces the provider's own address.
    pub base_url: Option<Url>,
    /// Added to every request unless already there; names in lower case.
    pub extra_headers: Vec<(String, Secret)>,
    /// Longest time for a reply that is not streamed, and for the first byte of one that is.
    pub request_timeout: Duration,
    /// Longest silence of a stream.
    pub stream_idle_timeout: Duration,
    /// Attempts after the first.
    pub max_retries: u32,
    /// Wait before the first retry, at most `backoff_max`; it doubles with each.
    pub backoff_initial: Duration,
    /// Longest wait.
    pub backoff_max: Duration,
    /// Whether certificates are taken as they come.
    pub insecure_skip_verify: bool,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca_cert_pem: Option<String>,
    /// Whether addresses of private ranges may be called.
    pub allow_private_network: bool,
    /// Most connections of the process to one server.
    pub connections_max: u32,
    /// Beta features (prefixes of `anthropic-beta` values) that are forwarded or not, whatever the
    /// table says.
    pub beta_header_overrides: Vec<(String, bool)>,
}

pub(crate) const NETWORK: Object = Object::closed("How a provider is called.", MEMBERS);

const MEMBERS: &[Member] = &[
    member("base_url", Shape::Reference, "Replaces the provider's own address."),
    member("extra_headers", Shape::Map(&Shape::Secret), "Headers added to every request."),
    member(
        "default_request_timeout_in_seconds",
        Shape::Integer { min: 1, max: DAY_SECONDS },
        "Longest time for a reply that is not streamed.",
    )
    .or(Fallback::Integer(300)),
    member(
        "stream_idle_timeout_in_seconds",
        Shape::Integer { min: 5, max: 3600 },
        "Longest silence of a stream.",
    )
    .or(Fallback::Integer(120)),
    member("max_retries", Shape::Integer { min: 0, max: 1000 }, "Attempts after the first.")
        .or(Fallback::Integer(0)),
    member(
        "retry_backoff_initial",
        Shape::Milliseconds { min: 100 },
        "Wait before the first retry; it doubles with each.",
    )
    .or(Fallback::Integer(500)),
    member("retry_backoff_max", Shape::Milliseconds { min: 100 }, "Longest wait between retries.")
        .or(Fallback::Integer(5000)),
    member(
        "max_conns_per_host",
        Shape::Integer { min: 1, max: 10_000 },
        "Most connections to one server.",
    )
    .or(Fallback::Integer(5000)),
    switch("insecure_skip_verify", "Take certificates as they come."),
    member("ca_cert_pem", Shape::Secret, "Certificates (PEM) trusted beside the system's."),
    switch("allow_private_network", "Allow addresses of private ranges."),
    member(
        "beta_header_overrides",
        Shape::Map(&Shape::Boolean),
        "Beta features (prefixes) that are forwarded or not.",
    ),
    switch("enforce_http2", "Use HTTP/2 only.").later("providers are called by HTTP/1.1 so far"),
    member("stream_throughput_guard", ANY_OBJECT, "Gives up streams that are too slow.")
        .later("the speed of streams is not measured yet"),
];

const DAY_SECONDS: u64 = 86_400;

/// Headers that decide framing, routing or identity and are therefore never taken from
/// `extra_headers`.
const NEVER_EXTRA: &[&str] = &[
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "proxy-authorization",
    "host",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
];

/// Reads the section.
pub(crate) fn read(view: &View<'_>, context: &mut Context<'_>) -> Network {
    let backoff_initial = view.milliseconds("retry_backoff_initial");
    let backoff_max = view.milliseconds("retry_backoff_max");
    let are_both_given = view.has("retry_backoff_initial") && view.has("retry_backoff_max");
    if are_both_given && backoff_initial > backoff_max {
        let message = format!("must be at most `retry_backoff_max`, {backoff_max:?}");
        context.problem(view.at("retry_backoff_initial"), message);
    }
    Network {
        base_url: if view.text("base_url") == Some("") {
            None
        } else {
            read_url(view, "base_url", context)
        },
        extra_headers: read_extra_headers(view, context),
        request_timeout: view.seconds("default_request_timeout_in_seconds"),
        stream_idle_timeout: view.seconds("stream_idle_timeout_in_seconds"),
        max_retries: view.count("max_retries"),
        backoff_initial: backoff_initial.min(backoff_max),
        backoff_max,
        insecure_skip_verify: view.boolean("insecure_skip_verify"),
        ca_cert_pem: read_certificates(view, context),
        allow_private_network: view.boolean("allow_private_network"),
        connections_max: view.count("max_conns_per_host"),
        beta_header_overrides: read_beta_overrides(view),
    }
}

fn read_extra_headers(view: &View<'_>, context: &mut Context<'_>) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    let mut seen = HashSet::new();
    for (name, node, spot) in view.entries("extra_headers") {
        let lower = name.to_ascii_lowercase();
        let value = context.resolve(node, || spot.clone());
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            context.problem(spot, "is not the name of a header");
        } else if HeaderValue::from_str(&value).is_err() {
            context.problem(spot, "the value must not contain line breaks or control characters");
        } else if NEVER_EXTRA.contains(&lower.as_str()) {
            context.warn(spot, "the gateway sets this header itself; this one is not sent");
        } else if !seen.insert(lower.clone()) {
            context.problem(spot, "this header stands here a second time");
        } else {
            headers.push((lower, Secret::new(value)));
        }
    }
    headers
}

fn read_beta_overrides(view: &View<'_>) -> Vec<(String, bool)> {
    let entries = view.entries("beta_header_overrides").into_iter();
    entries.filter_map(|(prefix, node, _)| Some((prefix.to_owned(), node.boolean()?))).collect()
}

/// PEM text; what is no certificate at all is found here, the rest when it is loaded.
pub(crate) fn read_certificates(view: &View<'_>, context: &mut Context<'_>) -> Option<String> {
    let text = view.reference("ca_cert_pem", context)?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        context.problem(view.at("ca_cert_pem"), "holds no certificate in PEM form");
        return None;
    }
    Some(text)
}
