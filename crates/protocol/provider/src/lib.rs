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
mod azure;
mod bedrock;
mod bedrock_mantle;
mod cerebras;
mod cohere;
mod databricks;
mod deepseek;
mod elevenlabs;
mod fireworks;
mod gemini;
mod github_copilot;
mod groq;
mod huggingface;
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
mod replicate;
mod runware;
mod runway;
mod sarvam;
mod sgl;
mod typesafe;
mod vertex;
mod vllm;
mod wafer;
mod xai;

#[cfg(test)]
mod tests;

use std::fmt;

use dialect::{Dialect, OpenAiTarget, Operation};

pub use body::{BodyRules, Flatten, ModelRule, Replace, When};
pub use pattern::matches;

/// Every provider, sorted by name.
pub static PROVIDERS: &[&Provider] = &[
    &anthropic::PROVIDER,
    &azure::PROVIDER,
    &bedrock::PROVIDER,
    &bedrock_mantle::PROVIDER,
    &cerebras::PROVIDER,
    &cohere::PROVIDER,
    &databricks::PROVIDER,
    &deepseek::PROVIDER,
    &elevenlabs::PROVIDER,
    &fireworks::PROVIDER,
    &gemini::PROVIDER,
    &github_copilot::PROVIDER,
    &groq::PROVIDER,
    &huggingface::PROVIDER,
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
    &replicate::PROVIDER,
    &runware::PROVIDER,
    &runway::PROVIDER,
    &sarvam::PROVIDER,
    &sgl::PROVIDER,
    &typesafe::PROVIDER,
    &vertex::PROVIDER,
    &vllm::PROVIDER,
    &wafer::PROVIDER,
    &xai::PROVIDER,
];

/// What `custom_provider_config.base_provider_type` may name, sorted.
pub const CUSTOM_BASES: &[&str] =
    &["anthropic", "bedrock", "cohere", "gemini", "huggingface", "openai", "replicate", "typesafe"];

/// The row of that name; names are case-sensitive.
pub fn find(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().copied().find(|row| row.name == name)
}

/// Whether the name belongs to the product: custom providers need another one.
pub fn is_standard(name: &str) -> bool {
    find(name).is_some()
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
    /// How its list of models is written.
    pub listing: Listing,
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
    /// Each key names its own server.
    PerKey,
    /// Each key says enough to know its server: a URL with names in braces, each of which stands for
    /// something of the key (`{region}`).
    Template(&'static str),
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
    /// Path below the root, with leading slash and perhaps a query. `{model}` stands for the model
    /// id, percent-encoded.
    pub path: &'static str,
    /// The wire format of request and reply; none where there is no body to translate.
    pub dialect: Option<Dialect>,
    /// What stands in front of the path.
    pub root: &'static Root,
    /// What is changed in request bodies, where that is not what the provider wants of chats.
    pub body: Option<&'static BodyRules>,
}

impl Endpoint {
    /// An operation with a body, directly below the base URL.
    pub const fn new(operation: Operation, path: &'static str, dialect: Dialect) -> Self {
        Self { operation, path, dialect: Some(dialect), root: &Root::PLAIN, body: None }
    }

    /// The list of models.
    pub const fn list(path: &'static str) -> Self {
        let operation = Operation::ListModels;
        Self { operation, path, dialect: None, root: &Root::PLAIN, body: None }
    }

    /// The same with other rules for bodies.
    pub const fn with_body(self, body: &'static BodyRules) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same below another root.
    pub const fn below(self, root: &'static Root) -> Self {
        Self { root, ..self }
    }
}

/// What stands in front of an endpoint's path. Names in braces stand for something of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Root {
    /// Another server than the provider's base URL; `network_config.base_url` takes its place too.
    pub url: Option<&'static str>,
    /// Path between base URL and the endpoint's own, without a slash at the end.
    pub path: &'static str,
}

impl Root {
    /// Nothing.
    pub const PLAIN: Self = Self { url: None, path: "" };
}

/// How a provider writes its list of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Member that is the list; none where the whole reply is.
    pub member: Option<&'static str>,
    /// Members of an entry that make the model id, joined by slashes.
    pub id: &'static [&'static str],
    /// What stands in front of the id and does not belong to it, up to and with its last occurrence.
    pub prefix: &'static str,
}

impl Listing {
    /// As OpenAI and most others do.
    pub const DATA: Self = Self { member: Some("data"), id: &["id"], prefix: "" };

    /// A list in `member`, each entry with its id in `id`.
    pub const fn of(member: &'static str, id: &'static [&'static str]) -> Self {
        Self { member: Some(member), id, prefix: "" }
    }
}
