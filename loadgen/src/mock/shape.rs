//! The providers the mock plays: how each is told from the others, names its callers, and words its errors.

use std::borrow::Cow;

use super::refusal::Refusal;
use super::reply::Reply;
use super::request::Request;
use super::{anthropic, bedrock, cohere, elevenlabs, gemini, mistral, ollama, openai};

/// The provider whose shapes a path speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shape {
    OpenAi,
    Anthropic,
    Gemini,
    Bedrock,
    Cohere,
    Mistral,
    Ollama,
    ElevenLabs,
}

/// First parts of a path that settle which provider is meant.
const PREFIXES: [(&str, Shape); 10] = [
    ("openai", Shape::OpenAi),
    ("anthropic", Shape::Anthropic),
    ("gemini", Shape::Gemini),
    ("genai", Shape::Gemini),
    ("vertex", Shape::Gemini),
    ("bedrock", Shape::Bedrock),
    ("cohere", Shape::Cohere),
    ("mistral", Shape::Mistral),
    ("ollama", Shape::Ollama),
    ("elevenlabs", Shape::ElevenLabs),
];

impl Shape {
    /// The provider that the start of the path names, or that a header gives away.
    pub(crate) fn hinted(request: &Request) -> Option<Self> {
        let first = request.path().trim_start_matches('/').split('/').next().unwrap_or_default();
        let named = PREFIXES.iter().find(|(prefix, _)| *prefix == first).map(|(_, shape)| *shape);
        let has = |name: &str| request.header(name).is_some();
        match named {
            Some(shape) => Some(shape),
            // Shared paths are told apart by the headers that only clients of one provider send.
            None if has("anthropic-version") => Some(Self::Anthropic),
            None if has("x-goog-api-key") => Some(Self::Gemini),
            None => None,
        }
    }

    /// The credential, where this provider looks for it.
    pub(crate) fn credential(self, request: &Request) -> Option<Cow<'_, str>> {
        let header = |name: &str| request.header(name).map(Cow::Borrowed);
        let authorization = request.header("authorization").unwrap_or_default();
        let bearer = || authorization.strip_prefix("Bearer ").map(Cow::Borrowed);
        let credential = match self {
            Self::OpenAi => bearer().or_else(|| header("api-key")),
            Self::Anthropic => header("x-api-key").or_else(bearer),
            Self::Gemini => {
                header("x-goog-api-key").or_else(bearer).or_else(|| request.query("key"))
            }
            Self::Bedrock => {
                bearer().or_else(|| bedrock::access_key(authorization).map(Cow::Borrowed))
            }
            Self::Cohere | Self::Mistral | Self::Ollama => bearer(),
            Self::ElevenLabs => header("xi-api-key"),
        };
        let trimmed: Option<Cow<'_, str>> =
            credential.map(|credential| Cow::Owned(credential.trim().to_owned()));
        trimmed.filter(|credential| !credential.is_empty())
    }

    /// What this provider says to a request without a credential; `None` where it asks for none.
    pub(crate) fn no_credential(self) -> Option<Refusal> {
        let (status, message) = match self {
            Self::OpenAi => (
                401,
                "You didn't provide an API key. You need to provide your API key in an \
                 Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            ),
            Self::Anthropic => (401, "x-api-key header is required"),
            Self::Gemini => (
                403,
                "Method doesn't allow unregistered callers (callers without established \
                 identity). Please use API Key or other form of API consumer identity to call \
                 this API.",
            ),
            Self::Bedrock => (403, "Missing Authentication Token"),
            Self::Cohere => (401, "no api key supplied"),
            Self::Mistral => (401, "Unauthorized"),
            Self::ElevenLabs => (401, "Invalid API key"),
            Self::Ollama => return None,
        };
        Some(Refusal::new(status, message))
    }

    /// A refusal as an error reply.
    pub(crate) fn error(self, refusal: &Refusal, id: u64) -> Reply {
        match self {
            Self::OpenAi => openai::error(refusal),
            Self::Anthropic => anthropic::error(refusal, id),
            Self::Gemini => gemini::error(refusal),
            Self::Bedrock => bedrock::error(refusal, id),
            Self::Cohere => cohere::error(refusal, id),
            Self::Mistral => mistral::error(refusal),
            Self::Ollama => ollama::error(refusal),
            Self::ElevenLabs => elevenlabs::error(refusal),
        }
    }
}
