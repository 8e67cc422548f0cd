//! The inference routes, as data. Everything else is the control plane's.

use dialect::{Dialect, Operation};

/// One inference route.
#[derive(Debug)]
pub(crate) struct Route {
    /// Path as served; also the `path` label of metrics.
    pub(crate) path: &'static str,
    /// What is asked for (the unstreamed form).
    pub(crate) operation: Operation,
    /// How the caller speaks.
    pub(crate) dialect: Dialect,
    /// Whose manners replies have.
    pub(crate) family: Family,
}

/// A family of routes: how bare model names, `extra_fields`, routing headers and errors are
/// handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// `/v1/...`: replies carry `extra_fields`, no routing headers.
    Base,
    /// `/openai/...`: as the OpenAI SDKs expect.
    OpenAi,
    /// `/anthropic/...`: as the Anthropic SDKs expect.
    Anthropic,
}

impl Family {
    /// Drop-in routes answer with `x-bifrost-*` headers and let a fallback inherit the provider.
    pub(crate) fn is_drop_in(self) -> bool {
        match self {
            Self::Base => false,
            Self::OpenAi | Self::Anthropic => true,
        }
    }

    /// The provider a bare model name most likely means on this route.
    pub(crate) fn provider_hint(self) -> Option<&'static str> {
        match self {
            Self::Base => None,
            Self::OpenAi => Some("openai"),
            Self::Anthropic => Some("anthropic"),
        }
    }
}

const fn chat(path: &'static str, family: Family) -> Route {
    Route { path, operation: Operation::ChatCompletion, dialect: Dialect::OpenAiChat, family }
}

const fn messages(path: &'static str) -> Route {
    Route {
        path,
        operation: Operation::ChatCompletion,
        dialect: Dialect::AnthropicMessages,
        family: Family::Anthropic,
    }
}

/// Every inference route. All of them are `POST`.
pub(crate) const ROUTES: &[Route] = &[
    chat("/v1/chat/completions", Family::Base),
    chat("/openai/v1/chat/completions", Family::OpenAi),
    chat("/openai/chat/completions", Family::OpenAi),
    messages("/anthropic/v1/messages"),
];

/// The route of that path.
pub(crate) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.path == path)
}
