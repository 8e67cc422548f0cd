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
    /// What a Gemini model takes.
    pub gemini: GeminiTarget,
    /// The provider's name: it becomes part of the ids of jobs, which are asked for later.
    pub provider: &'a str,
    /// A number that no other request gets, for vendors whose callers name their tasks.
    pub nonce: fn() -> u128,
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
            gemini: GeminiTarget::of_model(model),
            provider: "",
            nonce: || 0,
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
    /// Takes the seed as `random_seed`, and refuses `seed` (Mistral).
    pub random_seed: bool,
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
        random_seed: false,
        reasoning_object: false,
        reasoning_replay: ReasoningReplay::Omit,
    };

    /// A host that took the dialect over.
    pub const COMPATIBLE: Self =
        Self { is_original: false, reasoning_replay: ReasoningReplay::Details, ..Self::ORIGINAL };

    /// Mistral.
    pub const MISTRAL: Self = Self {
        old_max_tokens: true,
        tool_choice_any: true,
        random_seed: true,
        reasoning_replay: ReasoningReplay::Parts,
        ..Self::COMPATIBLE
    };
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
    /// Parts of the content, ahead of the text (Mistral).
    Parts,
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

/// What a model behind the Gemini dialect takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeminiTarget {
    /// An effort goes out as `thinkingLevel` and not as `thinkingBudget`.
    pub thinking_levels: bool,
    /// Calls of earlier turns must be signed; those another vendor made get the value Google names for that.
    pub signed_calls: bool,
    /// Takes images and documents inside of a function's response; else they stand behind it.
    pub media_in_results: bool,
    /// Takes Google's own tools (search, code execution) beside functions.
    pub own_tools_beside_functions: bool,
}

impl GeminiTarget {
    /// The models up to 2.5.
    pub const BUDGETS: Self = Self {
        thinking_levels: false,
        signed_calls: false,
        media_in_results: false,
        own_tools_beside_functions: false,
    };

    /// The models from 3 on.
    pub const LEVELS: Self = Self {
        thinking_levels: true,
        signed_calls: true,
        media_in_results: true,
        own_tools_beside_functions: true,
    };

    /// What the model takes, as its name tells: `gemini-3-pro-preview`, `google/gemini-3.1-flash` ….
    pub fn of_model(model: &str) -> Self {
        let version = model.rsplit_once("gemini-").map_or("", |(_, version)| version);
        let digits = version.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        match digits.parse::<u32>() {
            Ok(major) if major >= 3 => Self::LEVELS,
            _ => Self::BUDGETS,
        }
    }
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
    /// Tools whose names the target does not take: the name that was written, and the caller's own.
    pub renamed_tools: Vec<(String, String)>,
    /// Tools that stand in a namespace, for callers of the responses dialect.
    pub grouped_tools: Vec<GroupedTool>,
    /// The spellings of vectors the caller wants; empty where it leaves that to the vendor.
    pub number_formats: Vec<NumberFormat>,
    /// The provider whose job it is, where ids of jobs name it; empty elsewhere.
    pub provider: String,
    /// Where the request goes, if what it asks for decides that.
    pub path: Option<&'static str>,
    /// What was asked for, as far as the reply does not say it again, in JSON; empty where it does.
    pub asked: String,
    /// The documents to be ranked as the caller spelt them, in JSON, where it wants them back with the scores.
    pub documents: Vec<String>,
    /// The format of sound, or of text made from sound, that the caller wants, where it says so.
    pub reply_format: Option<String>,
    /// The reply is a stream of nothing but bytes.
    pub is_byte_stream: bool,
    /// What stands between the texts of an answer that become one.
    pub text_joint: &'static str,
}

/// A tool of a namespace, which the responses dialect alone has: elsewhere it goes by one word made of both names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupedTool {
    /// The one word.
    pub written: String,
    /// The namespace.
    pub namespace: String,
    /// The name in there.
    pub name: String,
}

/// How the numbers of a vector are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// An array of decimal numbers.
    Float,
    /// 32-bit floats, little endian, in base64.
    Base64,
    /// Whole numbers from -128 to 127.
    Int8,
    /// Whole numbers from 0 to 255.
    Uint8,
    /// Eight signs packed into a whole number from -128 to 127.
    Binary,
    /// Eight signs packed into a whole number from 0 to 255.
    Ubinary,
}

impl Notes {
    /// Notes, once, that something was left out.
    pub(crate) fn drop(&mut self, name: &str) {
        if !self.dropped.iter().any(|dropped| dropped == name) {
            self.dropped.push(name.to_owned());
        }
    }

    /// Notes, once, that a tool goes by another name.
    pub(crate) fn rename_tool(&mut self, written: &str, own: &str) {
        if self.own_tool_name(written).is_none() {
            self.renamed_tools.push((written.to_owned(), own.to_owned()));
        }
    }

    /// The caller's name of a tool that goes by another.
    pub(crate) fn own_tool_name(&self, written: &str) -> Option<&str> {
        self.renamed_tools.iter().find(|(other, _)| other == written).map(|(_, own)| &**own)
    }

    /// The tool of a namespace that goes by that word.
    pub(crate) fn grouped_tool(&self, written: &str) -> Option<&GroupedTool> {
        self.grouped_tools.iter().find(|tool| tool.written == written)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_model_tells_its_generation() {
        for (model, expected) in [
            ("gemini-2.5-flash", GeminiTarget::BUDGETS),
            ("gemini-1.5-pro-002", GeminiTarget::BUDGETS),
            ("gemini-flash-latest", GeminiTarget::BUDGETS),
            ("gemma-3-27b-it", GeminiTarget::BUDGETS),
            ("", GeminiTarget::BUDGETS),
            ("gemini-3-pro-preview", GeminiTarget::LEVELS),
            ("publishers/google/models/gemini-3.1-flash", GeminiTarget::LEVELS),
            ("gemini-10-pro", GeminiTarget::LEVELS),
        ] {
            assert_eq!(GeminiTarget::of_model(model), expected, "{model}");
        }
    }
}
