//! An answer that came in one piece.

use super::{Part, Usage};
use crate::json::{Raw, Text};

#[derive(Debug, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) id: Option<Text<'a>>,
    pub(crate) model: Option<Text<'a>>,
    /// Seconds since 1970.
    pub(crate) created: Option<u64>,
    pub(crate) choices: Vec<Choice<'a>>,
    pub(crate) usage: Usage,
    pub(crate) service_tier: Option<Text<'a>>,
}

#[derive(Debug, Default)]
pub(crate) struct Choice<'a> {
    pub(crate) parts: Vec<Part<'a>>,
    pub(crate) stop: Option<Stop<'a>>,
    /// The sequence that stopped it.
    pub(crate) stop_sequence: Option<Text<'a>>,
    pub(crate) logprobs: Option<Raw<'a>>,
    /// A spoken answer: `{id, data, transcript, expires_at}`.
    pub(crate) audio: Option<Raw<'a>>,
}

/// Why the model stopped.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stop<'a> {
    EndTurn,
    Sequence,
    MaxTokens,
    ToolUse,
    /// The model, or a classifier watching it, declined.
    Refusal,
    /// A filter cut the answer.
    ContentFilter,
    /// A long turn is paused; the caller may continue it.
    PauseTurn,
    Compaction,
    ContextWindow,
    /// Not mapped; passed through.
    Other(Text<'a>),
}

impl Stop<'_> {
    /// A copy that outlives the document.
    pub(crate) fn into_owned(self) -> Stop<'static> {
        match self {
            Self::EndTurn => Stop::EndTurn,
            Self::Sequence => Stop::Sequence,
            Self::MaxTokens => Stop::MaxTokens,
            Self::ToolUse => Stop::ToolUse,
            Self::Refusal => Stop::Refusal,
            Self::ContentFilter => Stop::ContentFilter,
            Self::PauseTurn => Stop::PauseTurn,
            Self::Compaction => Stop::Compaction,
            Self::ContextWindow => Stop::ContextWindow,
            Self::Other(name) => Stop::Other(name.into_owned()),
        }
    }
}
