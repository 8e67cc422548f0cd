//! What the mock says to a request.

use serde_json::{Value, json};

use super::sample::sample;

/// Characters of the question that are repeated in the answer.
const ECHO_CHARACTERS_MAX: usize = 200;

/// Rough size of a token, for usage numbers that look right.
const CHARACTERS_PER_TOKEN: usize = 4;

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content: Content,
    pub(super) finish_reason: &'static str,
    input_tokens: usize,
    output_tokens: usize,
}

/// Text, or a call of a tool that the request insists on.
#[derive(Debug)]
pub(super) enum Content {
    /// In pieces of a word with the space after it; each counts as a token.
    Text(Vec<String>),
    /// As in `tool_calls[]`.
    ToolCall(Value),
}

impl Answer {
    /// The answer to a checked request.
    pub(super) fn to(request: &Value) -> Self {
        let input_tokens = prompt_tokens(request);
        if let Some(function) = forced_function(request) {
            let call = tool_call(function);
            let output_tokens = call.to_string().len().div_ceil(CHARACTERS_PER_TOKEN);
            let content = Content::ToolCall(call);
            return Self { content, finish_reason: "tool_calls", input_tokens, output_tokens };
        }
        let mut words: Vec<String> =
            text(request).split_inclusive(' ').map(str::to_owned).collect();
        let output_max = output_tokens_max(request).unwrap_or(words.len());
        let finish_reason = if words.len() > output_max { "length" } else { "stop" };
        words.truncate(output_max);
        let output_tokens = words.len();
        Self { content: Content::Text(words), finish_reason, input_tokens, output_tokens }
    }

    /// The `usage` object.
    pub(super) fn usage(&self) -> Value {
        json!({
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.input_tokens + self.output_tokens,
        })
    }
}

fn text(request: &Value) -> String {
    let format = &request["response_format"];
    match format["type"].as_str() {
        Some("json_schema") => sample(&format["json_schema"]["schema"]).to_string(),
        Some("json_object") => json!({ "answer": greeting(request) }).to_string(),
        _ => greeting(request),
    }
}

fn greeting(request: &Value) -> String {
    let question: String = question(request).chars().take(ECHO_CHARACTERS_MAX).collect();
    format!(
        "Hello! The gateway works. This answer comes from its built-in mock provider; no model was \
         asked. You said: \"{question}\". To reach a real model, set OPENAI_API_KEY or \
         ANTHROPIC_API_KEY and start again, or put keys into config.json (`bifrost schema` \
         describes it), and ask for a model like openai/gpt-4o-mini."
    )
}

/// The text of the last message of the user.
fn question(request: &Value) -> String {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let last = messages.iter().rev().find(|message| message["role"] == "user");
    last.map(message_text).unwrap_or_default()
}

fn message_text(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

fn prompt_tokens(request: &Value) -> usize {
    let messages = request["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let characters: usize = messages.iter().map(|message| message_text(message).len()).sum();
    characters.div_ceil(CHARACTERS_PER_TOKEN).max(1)
}

fn output_tokens_max(request: &Value) -> Option<usize> {
    let limit = request["max_completion_tokens"].as_u64().or(request["max_tokens"].as_u64())?;
    usize::try_from(limit).ok()
}

/// The function that `tool_choice` demands.
fn forced_function(request: &Value) -> Option<&Value> {
    let functions = || request["tools"].as_array().into_iter().flatten().map(|t| &t["function"]);
    match &request["tool_choice"] {
        Value::String(choice) if choice == "required" => functions().next(),
        choice => {
            let name = choice["function"]["name"].as_str()?;
            functions().find(|function| function["name"] == name)
        }
    }
}

fn tool_call(function: &Value) -> Value {
    json!({
        "id": "call_mock_1",
        "type": "function",
        "function": {
            "name": function["name"],
            "arguments": sample(&function["parameters"]).to_string(),
        },
    })
}
