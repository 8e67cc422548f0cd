//! What a mock model says to a request, before it is put into a provider's shape.

use serde_json::{Value, json};

use super::fault::{Tokens, UsageFault};
use super::{schema, text};

/// What the model needs to know of a request.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub(crate) last: Last,
    /// The tools that may be called, as the provider's tool choice leaves them.
    pub(crate) tools: Vec<Tool>,
    /// More than one tool may be called at once.
    pub(crate) allows_parallel: bool,
    pub(crate) wants_reasoning: bool,
    pub(crate) output: Output,
    pub(crate) tokens_max: Option<u64>,
    pub(crate) stops: Vec<String>,
    /// Bytes of text in the whole prompt.
    pub(crate) prompt_bytes: usize,
    /// Images in the whole prompt.
    pub(crate) images: usize,
    /// The prompt asks to be cached.
    pub(crate) wants_cache: bool,
}

/// The message that is answered.
#[derive(Debug, Default)]
pub(crate) struct Last {
    pub(crate) text: String,
    pub(crate) is_tool_result: bool,
}

/// A tool that can be called.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// JSON schema of the arguments.
    pub(crate) schema: Value,
}

/// The form the text has to take.
#[derive(Debug, Default)]
pub(crate) enum Output {
    #[default]
    Text,
    JsonObject,
    JsonSchema(Value),
}

/// Sizes that flags and faults set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Pad text to this many bytes.
    pub(crate) reply_bytes: usize,
    /// Text deltas of a stream.
    pub(crate) chunks: usize,
    pub(crate) usage: Option<UsageFault>,
}

/// What the model says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reasoning: Option<String>,
    pub(crate) text: String,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) finish: Finish,
    /// `None` when a fault leaves usage out.
    pub(crate) usage: Option<Tokens>,
}

#[derive(Debug)]
pub(crate) struct ToolCall {
    pub(crate) name: String,
    pub(crate) arguments: Value,
}

/// Why the model stopped.
#[derive(Debug, PartialEq)]
pub(crate) enum Finish {
    Stop,
    StopSequence(String),
    Length,
    ToolCalls,
}

impl Answer {
    /// Answers deterministically: a tool call where tools are offered, an echo otherwise.
    pub(crate) fn new(ask: &Ask, size: &Size) -> Self {
        let reasoning =
            ask.wants_reasoning.then(|| format!("mock reasoning about: {}", excerpt(ask)));
        let tool_calls = tool_calls(ask);
        let (text, finish) = if tool_calls.is_empty() {
            bounded(ask, plain_text(ask, size))
        } else {
            (String::new(), Finish::ToolCalls)
        };
        let mut answer = Self { reasoning, text, tool_calls, finish, usage: None };
        answer.usage = match size.usage {
            Some(UsageFault::Missing) => None,
            Some(UsageFault::Tokens(tokens)) => Some(tokens),
            None => Some(answer.count_tokens(ask)),
        };
        answer
    }

    fn count_tokens(&self, ask: &Ask) -> Tokens {
        let reasoning = self.reasoning.as_deref().map_or(0, |text| text::tokens(text.len()));
        let spoken = text::tokens(self.text.len());
        let called: u64 = self
            .tool_calls
            .iter()
            .map(|call| text::tokens(call.name.len() + call.arguments.to_string().len()))
            .sum();
        let prompt = text::tokens(ask.prompt_bytes).max(1);
        Tokens {
            prompt,
            completion: (reasoning + spoken + called).max(1),
            cached: 0,
            cache_written: if ask.wants_cache { prompt / 2 } else { 0 },
            reasoning,
        }
    }
}

fn excerpt(ask: &Ask) -> &str {
    text::excerpt(&ask.last.text)
}

/// Calls the first tool; the first two, or the first one twice, when the text says "parallel".
fn tool_calls(ask: &Ask) -> Vec<ToolCall> {
    let Some(first) = ask.tools.first() else { return Vec::new() };
    if ask.last.is_tool_result {
        return Vec::new();
    }
    let call = |tool: &Tool, variant| ToolCall {
        name: tool.name.clone(),
        arguments: schema::instance(&tool.schema, variant),
    };
    let mut calls = vec![call(first, 0)];
    if ask.allows_parallel && ask.last.text.contains("parallel") {
        calls.push(match ask.tools.get(1) {
            Some(second) => call(second, 0),
            None => call(first, 1),
        });
    }
    calls
}

fn plain_text(ask: &Ask, size: &Size) -> String {
    match &ask.output {
        Output::JsonSchema(schema) => schema::instance(schema, 0).to_string(),
        Output::JsonObject => json!({"reply": echo(ask)}).to_string(),
        Output::Text => {
            // Padding is filler: it must not be what drives a reply over its token limit.
            let fitting = ask.tokens_max.map_or(usize::MAX, text::bytes_of_tokens);
            text::pad(echo(ask), size.reply_bytes.min(fitting))
        }
    }
}

fn echo(ask: &Ask) -> String {
    let kind = if ask.last.is_tool_result { "tool result" } else { "reply" };
    let link = if ask.last.is_tool_result { "said" } else { "to" };
    let seen = match ask.images {
        0 => String::new(),
        1 => " (1 image seen)".to_owned(),
        images => format!(" ({images} images seen)"),
    };
    format!("mock {kind} {link}: {}{seen}", excerpt(ask))
}

/// Applies stop sequences and the token limit.
fn bounded(ask: &Ask, mut text: String) -> (String, Finish) {
    let mut finish = Finish::Stop;
    let found = ask.stops.iter().filter(|stop| !stop.is_empty());
    let found = found.filter_map(|stop| text.find(stop.as_str()).map(|at| (at, stop)));
    if let Some((at, stop)) = found.min_by_key(|(at, _)| *at) {
        finish = Finish::StopSequence(stop.clone());
        text.truncate(at);
    }
    let fitting = ask.tokens_max.map_or(usize::MAX, text::bytes_of_tokens);
    if text.len() > fitting {
        finish = Finish::Length;
        text.truncate(text::cut(&text, fitting).len());
    }
    (text, finish)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { reply_bytes: 0, chunks: 8, usage: None };

    fn ask(text: &str) -> Ask {
        Ask { last: Last { text: text.to_owned(), is_tool_result: false }, ..Ask::default() }
    }

    fn with_tools(text: &str, names: &[&str]) -> Ask {
        let schema = || json!({"type": "object", "properties": {}, "required": ["city"]});
        let tools = names.iter().map(|name| Tool { name: name.to_string(), schema: schema() });
        Ask { tools: tools.collect(), allows_parallel: true, ..ask(text) }
    }

    #[test]
    fn text_is_echoed_and_padded() {
        assert_eq!(Answer::new(&ask("hi"), &SIZE).text, "mock reply to: hi");
        let padded = Answer::new(&ask("hi"), &Size { reply_bytes: 1400, ..SIZE });
        assert_eq!((padded.text.len(), padded.finish), (1400, Finish::Stop));
    }

    #[test]
    fn a_small_token_limit_cuts_the_echo_but_never_the_padding() {
        let cut = Answer::new(&Ask { tokens_max: Some(2), ..ask("hi") }, &SIZE);
        assert_eq!((cut.text.as_str(), cut.finish), ("mock rep", Finish::Length));
        let large = Size { reply_bytes: 1400, ..SIZE };
        let fitting = Answer::new(&Ask { tokens_max: Some(20), ..ask("hi") }, &large);
        assert_eq!((fitting.text.len(), fitting.finish), (80, Finish::Stop));
    }

    #[test]
    fn the_first_stop_sequence_in_the_text_ends_it() {
        let stops = vec!["to".to_owned(), "reply".to_owned(), "absent".to_owned()];
        let answer = Answer::new(&Ask { stops, ..ask("hi") }, &SIZE);
        assert_eq!(answer.text, "mock ");
        assert_eq!(answer.finish, Finish::StopSequence("reply".to_owned()));
    }

    #[test]
    fn tools_are_called_until_their_result_is_there() {
        let names = |ask: &Ask| {
            let calls = Answer::new(ask, &SIZE).tool_calls;
            calls.into_iter().map(|call| (call.name, call.arguments)).collect::<Vec<_>>()
        };
        let city = |text: &str| json!({"city": text});
        let one = with_tools("weather", &["a", "b"]);
        assert_eq!(names(&one), [("a".to_owned(), city("mock city"))]);
        let two = with_tools("in parallel", &["a", "b"]);
        assert_eq!(names(&two).iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "b"]);
        let mut same = with_tools("in parallel", &["a"]);
        same.allows_parallel = false;
        assert_eq!(names(&same).len(), 1);
        let mut after = with_tools("21 degrees", &["a"]);
        after.last.is_tool_result = true;
        assert_eq!(Answer::new(&after, &SIZE).text, "mock tool result said: 21 degrees");
    }
}
