//! Vendor JSON to and from one canonical form: the middle that lets N wire formats talk without N² converters.
#![forbid(unsafe_code)]

mod operation;

pub use operation::Operation;

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
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::AnthropicMessages => "anthropic_messages",
        }
    }
}
