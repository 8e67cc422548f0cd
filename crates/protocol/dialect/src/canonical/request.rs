//! A request for an answer: messages, tools, and how to answer.

use std::borrow::Cow;

use super::{Member, Part, ServerTool};
use crate::Dialect;
use crate::error::Error;
use crate::json::{Raw, Text};
use crate::options::GroupedTool;

/// A request in the common vocabulary.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The dialect it was read from.
    pub(crate) source: Dialect,
    /// The body as it was spelt, where its dialect copies most of it.
    pub(crate) raw: Option<Raw<'a>>,
    /// What the source dialect calls its list of messages, for error paths.
    pub(crate) messages_name: &'static str,
    /// What the source dialect calls what stands outside of that list, for error paths.
    pub(crate) system_name: &'static str,
    /// The places of what no other dialect can say and without which the question would be another one.
    pub(crate) own_only: Vec<String>,
    pub(crate) messages: Vec<Message<'a>>,
    pub(crate) tools: Vec<Tool<'a>>,
    /// Which of them stand in a namespace.
    pub(crate) grouped_tools: Vec<GroupedTool>,
    pub(crate) tool_choice: Option<ToolChoice<'a>>,
    pub(crate) parallel_tool_calls: Option<bool>,
    /// Most tokens the answer may have, thinking included.
    pub(crate) output_tokens_max: Option<u64>,
    pub(crate) sampling: Sampling<'a>,
    pub(crate) stop: Vec<Text<'a>>,
    pub(crate) stream: Option<bool>,
    /// Whether the caller asked for usage at the end of a stream.
    pub(crate) include_usage: bool,
    pub(crate) user: Option<Text<'a>>,
    pub(crate) service_tier: Option<Text<'a>>,
    pub(crate) output_format: Option<OutputFormat<'a>>,
    pub(crate) reasoning: Option<ReasoningAsk<'a>>,
    /// A cache breakpoint for the request as a whole.
    pub(crate) cache_control: Option<Raw<'a>>,
    /// Its schemas are in Google's dialect of OpenAPI and become JSON Schema on the way to another one.
    pub(crate) has_openapi_schemas: bool,
    /// Members of the source dialect without a common meaning.
    pub(crate) rest: Vec<Member<'a>>,
    /// Members not even the source dialect defines.
    pub(crate) extra: Vec<Member<'a>>,
    /// Members whose meaning was read, as they were spelt, for the source dialect to write again.
    pub(crate) spelt: Vec<Member<'a>>,
}

impl Request<'_> {
    pub(crate) fn new(source: Dialect) -> Self {
        Self {
            source,
            raw: None,
            messages_name: "messages",
            system_name: "system",
            own_only: Vec::new(),
            messages: Vec::new(),
            tools: Vec::new(),
            grouped_tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            output_tokens_max: None,
            sampling: Sampling::default(),
            stop: Vec::new(),
            stream: None,
            include_usage: false,
            user: None,
            service_tier: None,
            output_format: None,
            reasoning: None,
            cache_control: None,
            has_openapi_schemas: false,
            rest: Vec::new(),
            extra: Vec::new(),
            spelt: Vec::new(),
        }
    }

    /// An error in a message, seen from the request: by the name and the number the caller knows the message by.
    #[cold]
    pub(crate) fn in_message(&self, error: Error, position: Option<usize>) -> Error {
        match position {
            Some(position) => error.in_element(position).in_member(self.messages_name),
            None => error.in_member(self.system_name),
        }
    }
}

/// Knobs of sampling; numbers stay as they were spelt.
#[derive(Debug, Default)]
pub(crate) struct Sampling<'a> {
    pub(crate) temperature: Option<Raw<'a>>,
    pub(crate) top_p: Option<Raw<'a>>,
    pub(crate) top_k: Option<Raw<'a>>,
    pub(crate) seed: Option<Raw<'a>>,
    pub(crate) frequency_penalty: Option<Raw<'a>>,
    pub(crate) presence_penalty: Option<Raw<'a>>,
    pub(crate) logprobs: Option<Raw<'a>>,
    /// Whether log probabilities are wanted, where the source dialect says so in another way.
    pub(crate) wants_logprobs: bool,
    pub(crate) top_logprobs: Option<Raw<'a>>,
    /// How many answers are wanted.
    pub(crate) choices: Option<Raw<'a>>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    System,
    Developer,
    User,
    Assistant,
    /// Results of tools; every part is a tool result.
    Tool,
}

#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Part<'a>>,
    /// A cache breakpoint after the whole message.
    pub(crate) cache_control: Option<Raw<'a>>,
    /// Members only the source dialect knows.
    pub(crate) rest: Vec<Member<'a>>,
    /// Where it stood among the messages, for error paths; `None` when it stood outside of them.
    pub(crate) position: Option<usize>,
}

/// Something the model may call.
#[derive(Debug)]
pub(crate) enum Tool<'a> {
    Function(FunctionTool<'a>),
    Custom(CustomTool<'a>),
    Hosted(HostedTool<'a>),
    /// A tool only the source dialect knows.
    Vendor {
        kind: Text<'a>,
        raw: Raw<'a>,
    },
}

#[derive(Debug, Default)]
pub(crate) struct FunctionTool<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) description: Option<Text<'a>>,
    /// JSON Schema of the arguments.
    pub(crate) parameters: Option<Raw<'a>>,
    pub(crate) strict: Option<bool>,
    pub(crate) cache_control: Option<Raw<'a>>,
    /// Members only the source dialect knows.
    pub(crate) rest: Vec<Member<'a>>,
}

/// A tool that takes free text.
#[derive(Debug)]
pub(crate) struct CustomTool<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) description: Option<Text<'a>>,
    /// What the text must look like.
    pub(crate) grammar: Option<Grammar<'a>>,
    /// As it was spelt.
    pub(crate) raw: Raw<'a>,
}

#[derive(Debug)]
pub(crate) struct Grammar<'a> {
    /// `lark` or `regex`.
    pub(crate) syntax: Text<'a>,
    pub(crate) definition: Text<'a>,
}

/// A tool that the vendor runs itself, and that other vendors have, too.
#[derive(Debug)]
pub(crate) struct HostedTool<'a> {
    pub(crate) tool: ServerTool,
    /// What the source dialect calls it.
    pub(crate) kind: Text<'a>,
    /// A list of the only domains to search.
    pub(crate) allowed_domains: Option<Raw<'a>>,
    /// A list of domains not to search.
    pub(crate) blocked_domains: Option<Raw<'a>>,
    /// Where the user is: `{type: "approximate", city, country, region, timezone}`.
    pub(crate) user_location: Option<Raw<'a>>,
    /// As it was spelt.
    pub(crate) raw: Raw<'a>,
}

#[derive(Debug)]
pub(crate) enum ToolChoice<'a> {
    Auto,
    None,
    /// Some tool, whichever.
    Required,
    Named(Text<'a>),
    /// A choice only the source dialect knows.
    Vendor(Raw<'a>),
}

/// What the answer must look like.
#[derive(Debug)]
pub(crate) enum OutputFormat<'a> {
    Text,
    JsonObject,
    JsonSchema {
        name: Option<Text<'a>>,
        description: Option<Text<'a>>,
        schema: Option<Schema<'a>>,
        strict: Option<bool>,
    },
    /// A format only the source dialect knows.
    Vendor(Raw<'a>),
}

/// A JSON Schema.
#[derive(Debug)]
pub(crate) enum Schema<'a> {
    /// As a value inside the document.
    Value(Raw<'a>),
    /// As a string that was found to hold JSON.
    Text(Cow<'a, str>),
}

impl Schema<'_> {
    /// The JSON text.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Value(value) => value.text(),
            Self::Text(text) => text,
        }
    }
}

/// How much thinking is wanted.
#[derive(Debug, Default)]
pub(crate) struct ReasoningAsk<'a> {
    pub(crate) mode: Option<ReasoningMode>,
    pub(crate) effort: Option<Text<'a>>,
    /// Tokens for thinking; -1 leaves it to the vendor.
    pub(crate) budget: Option<i64>,
    /// How thinking is shown: `summarized`, `omitted` ….
    pub(crate) display: Option<Text<'a>>,
    /// How thinking is retold: `auto`, `concise`, `detailed`.
    pub(crate) summary: Option<Text<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningMode {
    Disabled,
    Enabled,
    /// The model decides.
    Adaptive,
}
