//! What the caller of a translation decides: names, limits, and what the target host can take.

/// How a request is to be written.
#[derive(Clone, Copy, Debug)]
pub struct RequestOptions<'a> {
    /// The model name to write.
    pub model: &'a str,
    /// Limit on answer tokens where the target needs one and the caller gave none.
    pub max_tokens_default: u32,
    /// Write members unknown to the source dialect to any target (`x-bf-passthrough-extra-params`).
    pub pass_extra: bool,
    /// Whether the answer shall be a stream; on OpenAI streams usage is asked for then.
    pub stream: bool,
    /// What an OpenAI-like target takes.
    pub openai: OpenAiTarget,
    /// What an Anthropic-like target takes.
    pub anthropic: AnthropicTarget,
}

impl<'a> RequestOptions<'a> {
    /// Options for the vendors themselves, answer in one piece.
    pub fn new(model: &'a str) -> Self {
        Self {
            model,
            max_tokens_default: 4096,
            pass_extra: false,
            stream: false,
            openai: OpenAiTarget::ORIGINAL,
            anthropic: AnthropicTarget::ORIGINAL,
        }
    }
}

/// What a host of the OpenAI chat dialect takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenAiTarget {
    /// OpenAI itself or Azure: `prediction`, `store`, `verbosity` … are kept and `top_k` is not.
    pub is_original: bool,
    /// Write `max_tokens` and not `max_completion_tokens`.
    pub old_max_tokens: bool,
    /// Write `cache_control` where the caller set it.
    pub cache_control: bool,
    /// Takes only words as `tool_choice`, and `any` for `required` (Mistral).
    pub tool_choice_any: bool,
    /// Write the object `reasoning` and not `reasoning_effort`.
    pub reasoning_object: bool,
    /// How reasoning of earlier turns is written.
    pub reasoning_replay: ReasoningReplay,
}

impl OpenAiTarget {
    /// OpenAI itself: strict, so nothing it does not define is written.
    pub const ORIGINAL: Self = Self {
        is_original: true,
        old_max_tokens: false,
        cache_control: false,
        tool_choice_any: false,
        reasoning_object: false,
        reasoning_replay: ReasoningReplay::Omit,
    };

    /// A host that took the dialect over.
    pub const COMPATIBLE: Self =
        Self { is_original: false, reasoning_replay: ReasoningReplay::Details, ..Self::ORIGINAL };
}

/// The member of an assistant message that carries its reasoning back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningReplay {
    /// None: the host refuses it.
    Omit,
    /// `reasoning_content` (DeepSeek and many others).
    ReasoningContent,
    /// `reasoning` (Groq, Cerebras).
    Reasoning,
    /// `reasoning` and `reasoning_details`, signatures included (OpenRouter and the gateway's own routes).
    Details,
}

/// What a host of the Anthropic messages dialect takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnthropicTarget {
    /// The model decides how much to think: no token budget, no `temperature`, `top_p` or `top_k`.
    pub adaptive_thinking_only: bool,
    /// Takes `output_config.format`; where it does not, a forced tool stands in.
    pub output_format: bool,
    /// Takes thinking back that carries no signature.
    pub unsigned_thinking: bool,
}

impl AnthropicTarget {
    /// Anthropic itself, with a model that takes a thinking budget.
    pub const ORIGINAL: Self =
        Self { adaptive_thinking_only: false, output_format: true, unsigned_thinking: false };
}

/// What the reply side must know about the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// The tool that stands in for structured output (`bf_so_…`): its input is the answer's text.
    pub structured_tool: Option<String>,
    /// Whether the caller asked for usage at the end of a stream.
    pub include_usage: bool,
    /// What the target has no place for and can be left out without changing the question, by name.
    pub dropped: Vec<String>,
}

impl Notes {
    /// Notes, once, that something was left out.
    pub(crate) fn drop(&mut self, name: &str) {
        if !self.dropped.iter().any(|dropped| dropped == name) {
            self.dropped.push(name.to_owned());
        }
    }
}

/// How a reply is to be written.
#[derive(Clone, Copy, Debug)]
pub struct ReplyOptions<'a> {
    /// What the request side noted.
    pub notes: &'a Notes,
    /// The model name to report; the upstream's own when `None`.
    pub model: Option<&'a str>,
    /// Raw members, without brackets, appended to an OpenAI reply object (`"extra_fields":{…}`).
    pub trailer: &'a [u8],
    /// The id of a reply that came without one.
    pub id: &'a str,
    /// The time, in seconds since 1970, of a reply that came without one.
    pub created: u64,
}
