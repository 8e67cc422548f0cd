//! The pieces of an answer that comes as a stream.

use super::{Citation, ErrorReply, Reasoning, ServerCall, ServerResult, Stop, Usage};
use crate::json::Text;

/// One step of a stream. A vendor's event is read as zero or more of them.
#[derive(Debug)]
pub(crate) enum Event<'a> {
    Start(Start<'a>),
    /// More of an answer; the number tells several answers apart.
    Delta(u32, Delta<'a>),
    /// Why an answer stopped; a later one replaces the one before.
    Stop(u32, Stop<'a>, Option<Text<'a>>),
    /// What was used up to here; each replaces the one before.
    Usage(Usage),
    Error(ErrorReply<'a>),
    /// The vendor said that nothing follows.
    Done,
}

#[derive(Debug, Default)]
pub(crate) struct Start<'a> {
    pub(crate) id: Option<Text<'a>>,
    pub(crate) model: Option<Text<'a>>,
    /// Seconds since 1970.
    pub(crate) created: Option<u64>,
}

/// More of one part. A delta for another part than the last one's moves on to that part.
#[derive(Debug)]
pub(crate) enum Delta<'a> {
    Text(Text<'a>),
    Refusal(Text<'a>),
    /// Thinking; the slot tells several blocks of it apart.
    Reasoning {
        slot: u32,
        reasoning: Reasoning<'a>,
    },
    /// A tool call begins.
    ToolCall {
        slot: u32,
        id: Text<'a>,
        name: Text<'a>,
    },
    /// A call of a tool whose input is free text begins; the text follows as its arguments.
    CustomCall {
        slot: u32,
        id: Text<'a>,
        name: Text<'a>,
    },
    /// More of the JSON text of a call's arguments.
    Arguments {
        slot: u32,
        fragment: Text<'a>,
    },
    /// An image the model made, whole, in base64.
    Image {
        media_type: Text<'a>,
        data: Text<'a>,
    },
    /// More of a spoken answer, in base64.
    Audio {
        data: Text<'a>,
        format: Option<Text<'a>>,
    },
    Citation(Citation<'a>),
    /// The vendor runs a tool of its own; whole.
    ServerCall(ServerCall<'a>),
    /// What that tool gave back; whole.
    ServerResult(ServerResult<'a>),
    /// The current part is complete.
    PartEnd,
}

impl Delta<'_> {
    /// A copy that outlives the document.
    pub(crate) fn into_owned(self) -> Delta<'static> {
        match self {
            Self::Text(text) => Delta::Text(text.into_owned()),
            Self::Refusal(text) => Delta::Refusal(text.into_owned()),
            Self::Reasoning { slot, reasoning } => {
                Delta::Reasoning { slot, reasoning: reasoning.into_owned() }
            }
            Self::ToolCall { slot, id, name } => {
                Delta::ToolCall { slot, id: id.into_owned(), name: name.into_owned() }
            }
            Self::CustomCall { slot, id, name } => {
                Delta::CustomCall { slot, id: id.into_owned(), name: name.into_owned() }
            }
            Self::Arguments { slot, fragment } => {
                Delta::Arguments { slot, fragment: fragment.into_owned() }
            }
            Self::Image { media_type, data } => {
                Delta::Image { media_type: media_type.into_owned(), data: data.into_owned() }
            }
            Self::Audio { data, format } => {
                Delta::Audio { data: data.into_owned(), format: format.map(Text::into_owned) }
            }
            Self::Citation(citation) => Delta::Citation(citation.into_owned()),
            Self::ServerCall(call) => Delta::ServerCall(call.into_owned()),
            Self::ServerResult(result) => Delta::ServerResult(result.into_owned()),
            Self::PartEnd => Delta::PartEnd,
        }
    }
}
