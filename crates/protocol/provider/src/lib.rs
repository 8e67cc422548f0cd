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
mod kept;
mod pattern;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use dialect::{Dialect, OpenAiTarget, Operation};

pub use body::{BodyRules, Flatten, MessageRules, ModelRule, Replace, When};
pub use pattern::matches;

/// Each name is a file of this folder with the provider's row. The names stand here alone, so that a provider is one
/// file and one line; `ci/test format` looks at these files by itself, because rustfmt does not find them.
macro_rules! providers {
    ($($name:ident,)*) => {
        $(mod $name;)*

        /// Every provider, sorted by name.
        pub static PROVIDERS: &[&Provider] = &[$(&$name::PROVIDER),*];
    };
}

providers! {
    anthropic,
    azure,
    bedrock,
    bedrock_mantle,
    cerebras,
    cohere,
    databricks,
    deepseek,
    elevenlabs,
    fireworks,
    gemini,
    github_copilot,
    groq,
    huggingface,
    mistral,
    mock,
    nebius,
    ollama,
    openai,
    opencode_go,
    opencode_zen,
    openrouter,
    parasail,
    perplexity,
    replicate,
    runware,
    runway,
    sarvam,
    sgl,
    typesafe,
    vertex,
    vllm,
    wafer,
    xai,
}

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
    /// What it can be asked for without naming a model: things it keeps, and what goes to it as it is.
    pub kept: &'static [Endpoint],
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
        let all = self.endpoints.iter().chain(self.kept);
        all.into_iter().find(|endpoint| endpoint.operation == operation)
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
    /// `Authorization: Bearer <key>`, and a header of this name (lower case) with the key as its value.
    BearerAndHeader(&'static str),
    /// Nothing is sent.
    None,
}

/// One thing a provider can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// What.
    pub operation: Operation,
    /// Method of the request.
    pub method: &'static str,
    /// Path below the root, with leading slash and perhaps a query. `{model}` stands for the model
    /// id, percent-encoded. In requests for what a provider keeps other names stand for what the
    /// caller's path says, `{+name}` with its slashes.
    pub path: &'static str,
    /// The wire format of request and reply; none where there is no body to translate.
    pub dialect: Option<Dialect>,
    /// What stands in front of the path.
    pub root: &'static Root,
    /// What is changed in request bodies, where that is not what the provider wants of chats.
    pub body: Option<&'static BodyRules>,
    /// Headers of its requests besides those of the provider, names in lower case.
    pub headers: &'static [(&'static str, &'static str)],
    /// What of a model's name the provider is told.
    pub model_name: ModelName,
    /// Set where the reply may be the description of a job that is not done yet.
    pub task: Option<&'static Task>,
}

impl Endpoint {
    /// An operation with a body, directly below the base URL.
    pub const fn new(operation: Operation, path: &'static str, dialect: Dialect) -> Self {
        Self {
            operation,
            method: "POST",
            path,
            dialect: Some(dialect),
            root: &Root::PLAIN,
            body: None,
            headers: &[],
            model_name: ModelName::Whole,
            task: None,
        }
    }

    /// The same by another method.
    pub const fn by(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    /// The same with headers of its own.
    pub const fn with_headers(self, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self { headers, ..self }
    }

    /// The list of models.
    pub const fn list(path: &'static str) -> Self {
        Self {
            operation: Operation::ListModels,
            method: "GET",
            path,
            dialect: None,
            root: &Root::PLAIN,
            body: None,
            headers: &[],
            model_name: ModelName::Whole,
            task: None,
        }
    }

    /// The same where models are named in another way.
    pub const fn naming(self, model_name: ModelName) -> Self {
        Self { model_name, ..self }
    }

    /// The same where the reply may be a job.
    pub const fn followed(self, task: &'static Task) -> Self {
        Self { task: Some(task), ..self }
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

/// What of a model's name a provider is told, where names begin with a host's: `host/owner/model`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelName {
    /// All of it.
    #[default]
    Whole,
    /// `owner/model`.
    WithoutHost,
    /// `owner/model:host`.
    HostBehind,
}

impl ModelName {
    /// The name on the wire.
    pub fn of(self, model: &str) -> Cow<'_, str> {
        match (self, model.split_once('/')) {
            (Self::Whole, _) | (_, None) => Cow::Borrowed(model),
            (Self::WithoutHost, Some((_, rest))) => Cow::Borrowed(rest),
            (Self::HostBehind, Some((host, rest))) => Cow::Owned(format!("{rest}:{host}")),
        }
    }
}

/// Where more is to be had about a job that a reply describes. `{model}` stands for the job's id.
#[derive(Debug, PartialEq, Eq)]
pub struct Task {
    /// Path of its description.
    pub path: &'static str,
    /// Path at which it is called off.
    pub cancel_path: &'static str,
    /// Servers, beside the provider's own, that the description may name as those of its stream.
    pub stream_hosts: &'static [&'static str],
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
