//! Vendor JSON to and from one canonical form: the middle that lets N wire formats talk without N² converters.
//!
//! ```
//! use dialect::{Dialect, RequestOptions, translate_request};
//!
//! let ask = br#"{"model":"x","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}"#;
//! let mut out = Vec::new();
//! let options = RequestOptions::new("gpt-4o-mini");
//! translate_request(Dialect::AnthropicMessages, Dialect::OpenAiChat, ask, &options, &mut out)?;
//! assert!(out.starts_with(br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]"#));
//! # Ok::<(), dialect::Error>(())
//! ```
#![forbid(unsafe_code)]

mod anthropic_messages;
mod canonical;
mod effort;
mod error;
mod error_shape;
mod event_class;
mod fields;
mod format;
mod json;
mod members;
mod openai_chat;
mod operation;
mod options;
mod sse;
mod stream;
mod translate;
mod usage_reader;

pub use canonical::{ErrorReply, Usage};
pub use error::{Error, What};
pub use event_class::{EventClass, event_class};
pub use format::Framing;
pub use json::{DEPTH_MAX, DOCUMENT_BYTES_MAX};
pub use members::{Invalid, Member, Members};
pub use operation::Operation;
pub use options::{
    AnthropicTarget, Notes, OpenAiTarget, ReasoningReplay, ReplyOptions, RequestOptions,
};
pub use stream::StreamTranslator;
pub use translate::{
    read_error, read_stream_error, translate_reply, translate_request, write_error,
    write_stream_error,
};
pub use usage_reader::{UsageReader, is_usage_alone};

/// A wire format: how requests, replies, stream events and errors of one operation family are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST …/chat/completions` as OpenAI defined it and most providers copy it.
    OpenAiChat,
    /// `POST …/v1/messages` of Anthropic.
    AnthropicMessages,
}

impl Dialect {
    /// Every dialect, for tables and tests.
    pub const ALL: [Self; 2] = [Self::OpenAiChat, Self::AnthropicMessages];

    /// The name used in configuration, logs and tables.
    pub fn name(self) -> &'static str {
        self.format().name
    }

    /// How its streams are framed.
    pub fn framing(self) -> Framing {
        self.format().framing
    }

    fn format(self) -> &'static format::Format {
        match self {
            Self::OpenAiChat => &openai_chat::FORMAT,
            Self::AnthropicMessages => &anthropic_messages::FORMAT,
        }
    }
}
