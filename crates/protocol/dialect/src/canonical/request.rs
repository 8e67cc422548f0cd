//! A request for an answer: messages, tools, and how to answer.

use super::{Member, Part};
use crate::Dialect;
use crate::json::{Raw, Text};

/// A request in the common vocabulary.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The dialect it was read from.
    pub(crate) source: Dialect,
    pub(crate) messages: Vec<Message<'a>>,
    pub(crate) tools: Vec<Tool<'a>>,
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
    /// Members of the source dialect without a common meaning.
    pub(crate) rest: Vec<Member<'a>>,
    /// Members not even the source dialect defines.
    pub(crate) extra: Vec<Member<'a>>,
}

impl Request<'_> {
    pub(crate) fn new(source: Dialect) -> Self {
        Self {
            source,
            messages: Vec::new(),
            tools: Vec::new(),
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
            rest: Vec::new(),
            extra: Vec::new(),
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
        schema: Option<Raw<'a>>,
        strict: Option<bool>,
    },
    /// A format only the source dialect knows.
    Vendor(Raw<'a>),
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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningMode {
    Disabled,
    Enabled,
    /// The model decides.
    Adaptive,
}
