//! Loading recorded exchanges of the dialects.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dialect::{Dialect, Purpose};
use serde_json::Value;

use crate::frames;

/// One request and what came back.
pub(crate) struct Exchange {
    /// `provider/operation/id.json`.
    pub(crate) path: String,
    pub(crate) provider: String,
    pub(crate) operation: String,
    pub(crate) dialect: Dialect,
    pub(crate) request: Option<Value>,
    pub(crate) status: u16,
    pub(crate) response: Body,
}

pub(crate) enum Body {
    None,
    Json(Value),
    Sse(String),
    Lines(String),
}

impl Exchange {
    /// The dialects it can be taken through.
    pub(crate) fn others(&self) -> impl Iterator<Item = Dialect> + use<> {
        let own = self.dialect;
        // Of what no recording speaks there is nothing to learn what it must look like.
        let is_recorded = |dialect: &Dialect| dialect.purpose() != Purpose::Completion;
        own.peers().filter(move |dialect| *dialect != own && is_recorded(dialect))
    }

    /// Whether the request asks for a stream; Ollama gives one unless told not to.
    pub(crate) fn asks_for_stream(&self, request: &Value) -> bool {
        request["stream"] == true
            || (self.dialect == Dialect::OllamaChat && request["stream"].is_null())
    }

    /// An error reply. One recording has an error's status on a message that is none.
    pub(crate) fn is_error(&self) -> bool {
        match &self.response {
            Body::Json(body) => self.status >= 400 && body["type"] != "message",
            Body::None | Body::Sse(_) | Body::Lines(_) => false,
        }
    }
}

/// An operation that speaks a dialect, at the providers where it does.
struct Operation {
    name: &'static str,
    dialect: Dialect,
    speaks: fn(provider: &str) -> bool,
}

const fn operation(
    name: &'static str,
    dialect: Dialect,
    speaks: fn(provider: &str) -> bool,
) -> Operation {
    Operation { name, dialect, speaks }
}

const OPERATIONS: &[Operation] = &[
    operation("chat", Dialect::OpenAiChat, |provider| provider != "cohere"),
    operation("chat_stream", Dialect::OpenAiChat, |provider| provider != "cohere"),
    operation("responses", Dialect::OpenAiResponses, |_| true),
    operation("responses_stream", Dialect::OpenAiResponses, |_| true),
    operation("messages", Dialect::AnthropicMessages, |provider| provider != "openai"),
    operation("messages_stream", Dialect::AnthropicMessages, |provider| provider != "openai"),
    operation("generate_content", Dialect::Gemini, |_| true),
    operation("generate_content_stream", Dialect::Gemini, |_| true),
    operation("converse", Dialect::BedrockConverse, |_| true),
    operation("converse_stream", Dialect::BedrockConverse, |_| true),
    operation("chat", Dialect::CohereChat, |provider| provider == "cohere"),
    operation("chat_stream", Dialect::CohereChat, |provider| provider == "cohere"),
    operation("text_completion", Dialect::OpenAiCompletions, |_| true),
    // Writer's stream has a shape of its own.
    operation("text_completion_stream", Dialect::OpenAiCompletions, |provider| {
        provider != "writer"
    }),
    operation("native_chat", Dialect::OllamaChat, |provider| provider == "ollama"),
    operation("native_chat_stream", Dialect::OllamaChat, |provider| provider == "ollama"),
];

/// Recordings under an operation's name that speak another dialect: a chat completion that Azure answered with.
const OTHER: &[&str] = &["8db16bd1a8.json"];

/// All exchanges, in the order of their paths; `None` when there are no recordings to be had.
pub(crate) fn load() -> Option<Vec<Exchange>> {
    let Some(root) = std::env::var_os("BIFROST_WIRE_FIXTURES") else {
        eprintln!("SKIPPED: BIFROST_WIRE_FIXTURES names no folder of recorded exchanges");
        return None;
    };
    let mut exchanges = Vec::new();
    for provider in names(Path::new(&root)) {
        for Operation { name: operation, dialect, speaks } in OPERATIONS {
            let folder = Path::new(&root).join(&provider).join(operation);
            if !speaks(&provider) || !folder.is_dir() {
                continue;
            }
            for name in names(&folder).into_iter().filter(|name| !OTHER.contains(&name.as_str())) {
                let text = fs::read_to_string(folder.join(&name)).expect("recording can be read");
                let path = format!("{provider}/{operation}/{name}");
                exchanges.push(parse(path, &provider, operation, *dialect, &text));
            }
        }
    }
    assert!(exchanges.len() > 500, "the folder of recordings is not complete");
    Some(exchanges)
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("folder can be read");
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

pub(crate) fn parse(
    path: String,
    provider: &str,
    operation: &str,
    dialect: Dialect,
    text: &str,
) -> Exchange {
    let mut value: Value = serde_json::from_str(text).expect("recordings are JSON");
    let request = value["request"]["body"].take();
    let response = value["response"]["body"].take();
    Exchange {
        path,
        provider: provider.to_owned(),
        operation: operation.to_owned(),
        dialect,
        request: Some(request).filter(|request| {
            ["messages", "input", "prompt", "contents"]
                .iter()
                .any(|name| request.get(name).is_some())
        }),
        status: value["response"]["status"].as_u64().expect("status") as u16,
        response: match response {
            Value::Null => Body::None,
            // A page of what an organisation used was recorded under the name of an operation.
            Value::Object(body) if body.get("object") == Some(&Value::from("page")) => Body::None,
            Value::Object(mut body) => {
                let texts = ["sse", "ndjson", "base64"].map(|name| body.remove(name));
                match texts {
                    [Some(Value::String(text)), ..] => Body::Sse(text),
                    [_, Some(Value::String(text)), _] => Body::Lines(text),
                    [.., Some(Value::String(base64))] => Body::Sse(event_stream(&base64)),
                    _ => Body::Json(Value::Object(body)),
                }
            }
            Value::Array(pieces) if is_stream(&pieces) => Body::Sse(frame(&pieces)),
            body => Body::Json(body),
        },
    }
}

/// A binary event stream in the form that text would have.
fn event_stream(base64: &str) -> String {
    let bytes = BASE64_STANDARD.decode(base64).expect("recorded bytes are base64");
    let frames = frames::messages(&bytes).into_iter();
    frames
        .map(|(name, data)| format!("event: {}\ndata: {data}\n\n", name.unwrap_or_default()))
        .collect()
}

/// Google sends a stream as an array where events were not asked for.
fn is_stream(pieces: &[Value]) -> bool {
    pieces.first().is_some_and(|piece| piece["candidates"].is_array())
}

fn frame(pieces: &[Value]) -> String {
    pieces.iter().map(|piece| format!("data: {piece}\n\n")).collect()
}
