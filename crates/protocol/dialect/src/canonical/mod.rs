//! The form in the middle: what every dialect can say, in one vocabulary, borrowed from the document it was read from.
//!
//! What a vendor says that no other understands is kept beside it (`rest`, `Other`, `Vendor`) and written again to the
//! dialect it came from only.

mod error;
mod event;
mod part;
mod reply;
mod request;
mod usage;

use std::borrow::Cow;

pub use error::ErrorReply;
pub(crate) use event::{Delta, Event, Start};
pub(crate) use part::{
    Arguments, Citation, Page, Part, PartKind, Place, PlaceUnit, Reasoning, ServerCall,
    ServerResult, ServerTool, Source, ToolCall, ToolResult,
};
pub(crate) use reply::{Choice, Reply, Stop};
pub(crate) use request::{
    CustomTool, FunctionTool, Grammar, HostedTool, Message, OutputFormat, ReasoningAsk,
    ReasoningMode, Request, Role, Schema, Tool, ToolChoice,
};
pub use usage::Usage;

use crate::json::Raw;

/// A member of an object that is carried along unread.
pub(crate) type Member<'a> = (Cow<'a, str>, Raw<'a>);
