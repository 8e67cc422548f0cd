//! The provider table: one row of data per provider, one file per row.
//!
//! A provider is an address, a way to authenticate and a list of (operation, path, dialect). Whatever
//! else needs to know which providers exist — configuration, `/v1/models`, the mock, tests — reads
//! [`PROVIDERS`]. A row is only compiled into pre-rendered bytes when a snapshot is built; requests
//! never look at it.
//!
//! ```
//! let row = provider::find("anthropic").expect("anthropic has a row");
//! assert_eq!(row.base_url, provider::BaseUrl::Fixed("https://api.anthropic.com"));
//! assert!(provider::serves_model(row, "claude-sonnet-4-5"));
//! ```
#![forbid(unsafe_code)]

mod body;
mod compatible;
mod pattern;

mod anthropic;
mod cerebras;
mod deepseek;
mod fireworks;
mod groq;
mod mistral;
mod mock;
mod nebius;
mod ollama;
mod openai;
mod opencode_go;
mod opencode_zen;
mod openrouter;
mod parasail;
mod perplexity;
mod sgl;
mod vllm;
mod xai;

#[cfg(test)]
mod tests;

use std::fmt;

use dialect::{Dialect, OpenAiTarget, Operation};

pub use body::{BodyRules, Flatten, ModelRule, Replace, When};
pub use pattern::matches;

/// Every provider with a row, sorted by name.
pub static PROVIDERS: &[&Provider] = &[
    &anthropic::PROVIDER,
    &cerebras::PROVIDER,
    &deepseek::PROVIDER,
    &fireworks::PROVIDER,
    &groq::PROVIDER,
    &mistral::PROVIDER,
    &mock::PROVIDER,
    &nebius::PROVIDER,
    &ollama::PROVIDER,
    &openai::PROVIDER,
    &opencode_go::PROVIDER,
    &opencode_zen::PROVIDER,
    &openrouter::PROVIDER,
    &parasail::PROVIDER,
    &perplexity::PROVIDER,
    &sgl::PROVIDER,
    &vllm::PROVIDER,
    &xai::PROVIDER,
];

/// Standard names that configurations may use and that have no row yet, sorted. They are accepted and
/// reported as not active, and custom providers must not take them.
pub const KNOWN_UNSERVED: &[&str] = &[
    "azure",
    "bedrock",
    "bedrock_mantle",
    "cohere",
    "databricks",
    "elevenlabs",
    "gemini",
    "github-copilot",
    "huggingface",
    "replicate",
    "runware",
    "runway",
    "sarvam",
    "typesafe",
    "vertex",
    "wafer",
];

/// What `custom_provider_config.base_provider_type` may name: rows and standard names, sorted.
pub const CUSTOM_BASES: &[&str] =
    &["anthropic", "bedrock", "cohere", "gemini", "huggingface", "openai", "replicate", "typesafe"];

/// The row of that name; names are case-sensitive.
pub fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().copied().find(|row| row.name == name)
}

/// Whether the name belongs to the product, served or not: custom providers need another one.
pub fn is_standard(name: &str) -> bool {
    find(name).is_some() || KNOWN_UNSERVED.contains(&name)
}

/// Whether a bare model name (without `provider/`) is one that this provider is known to serve.
pub fn serves_model(row: &Provider, model: &str) -> bool {
    row.models.iter().any(|pattern| matches(pattern, model))
}

/// One row of the table.
pub struct Provider {
    /// Name in configuration, in `provider/model` and in metrics.
    pub name: &'static str,
    /// Where it is, unless `network_config.base_url` says otherwise.
    pub base_url: BaseUrl,
    /// How the key is sent.
    pub auth: Auth,
    /// Headers of every request, names in lower case.
    pub headers: &'static [(&'static str, &'static str)],
    /// What it can be asked for. An operation that is not listed does not exist here.
    pub endpoints: &'static [Endpoint],
    /// What is changed in request bodies before they are sent.
    pub body: BodyRules,
    /// What OpenAI-shaped requests to it may say when they are written by a translation.
    pub openai: OpenAiTarget,
    /// Streams tell their usage only when asked to; other hosts may tell it unasked.
    pub tells_usage_when_asked: bool,
    /// Patterns (`*` stands for any characters) of model names that belong to this provider, by which
    /// a bare model name finds it. Empty where every deployment has its own models.
    pub models: &'static [&'static str],
    /// Whether a key without value is usable.
    pub key_optional: bool,
    /// Models that are asked for in another way than the rest; the first that fits counts.
    pub variants: &'static [Variant],
}

/// How some models of a provider differ from its others: partner models on a cloud, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Patterns (see [`matches`]) of model ids on the wire, lower case.
    pub models: &'static [&'static str],
    /// What they can be asked for, instead of the provider's own endpoints.
    pub endpoints: &'static [Endpoint],
    /// Headers of their requests, instead of the provider's own.
    pub headers: &'static [(&'static str, &'static str)],
    /// What is changed in their request bodies, instead of the provider's own rules.
    pub body: BodyRules,
}

impl Provider {
    /// The endpoint for an operation, or none when the provider does not have it.
    pub fn endpoint(&self, operation: Operation) -> Option<&'static Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.operation == operation)
    }

    /// Whether it is called without any key.
    pub fn is_keyless(&self) -> bool {
        self.auth == Auth::None
    }
}

impl fmt::Debug for Provider {
    /// The name alone: the rest of a row never changes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.name)
    }
}

impl PartialEq for Provider {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Where requests go. Paths of endpoints are appended; there is no trailing slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseUrl {
    /// Scheme, host and perhaps a path.
    Fixed(&'static str),
    /// Each key names its own server, in `<provider>_key_config.url`.
    PerKey,
    /// The gateway's own control plane, reached over its socket.
    Internal,
}

/// How a key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer <key>`.
    Bearer,
    /// The same, left out when the key is empty.
    OptionalBearer,
    /// A header of this name (lower case) with the key as its value.
    Header(&'static str),
    /// Nothing is sent.
    None,
}

/// One thing a provider can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What.
    pub operation: Operation,
    /// Path below the base URL, with leading slash and perhaps a query. `{model}` stands for the model
    /// id, percent-encoded.
    pub path: &'static str,
    /// The wire format of request and reply; none where there is no body to translate.
    pub dialect: Option<Dialect>,
}
