//! Loading recorded exchanges of the two dialects.

use std::fs;
use std::path::Path;

use dialect::Dialect;
use serde_json::Value;

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
}

impl Exchange {
    /// The dialects it can be taken through.
    pub(crate) fn others(&self) -> impl Iterator<Item = Dialect> + use<> {
        let own = self.dialect;
        Dialect::ALL.into_iter().filter(move |dialect| *dialect != own)
    }

    /// An error reply. One recording has an error's status on a message that is none.
    pub(crate) fn is_error(&self) -> bool {
        match &self.response {
            Body::Json(body) => self.status >= 400 && body["type"] != "message",
            Body::None | Body::Sse(_) => false,
        }
    }
}

/// The operations that speak one of the two dialects, and the providers whose operation of that name does not.
const OPERATIONS: &[(&str, Dialect, &[&str])] = &[
    ("chat", Dialect::OpenAiChat, &["cohere"]),
    ("chat_stream", Dialect::OpenAiChat, &["cohere"]),
    ("messages", Dialect::AnthropicMessages, &["openai"]),
    ("messages_stream", Dialect::AnthropicMessages, &["openai"]),
];

/// All exchanges, in the order of their paths; `None` when there are no recordings to be had.
pub(crate) fn load() -> Option<Vec<Exchange>> {
    let Some(root) = std::env::var_os("BIFROST_WIRE_FIXTURES") else {
        eprintln!("SKIPPED: BIFROST_WIRE_FIXTURES names no folder of recorded exchanges");
        return None;
    };
    let mut exchanges = Vec::new();
    for provider in names(Path::new(&root)) {
        for (operation, dialect, others) in OPERATIONS {
            let folder = Path::new(&root).join(&provider).join(operation);
            if others.contains(&provider.as_str()) || !folder.is_dir() {
                continue;
            }
            for name in names(&folder) {
                let text = fs::read_to_string(folder.join(&name)).expect("recording can be read");
                let path = format!("{provider}/{operation}/{name}");
                exchanges.push(parse(path, &provider, operation, *dialect, &text));
            }
        }
    }
    assert!(exchanges.len() > 500, "the folder of recordings is not complete");
    Some(exchanges)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("folder can be read");
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn parse(path: String, provider: &str, operation: &str, dialect: Dialect, text: &str) -> Exchange {
    let mut value: Value = serde_json::from_str(text).expect("recordings are JSON");
    let request = value["request"]["body"].take();
    let response = value["response"]["body"].take();
    Exchange {
        path,
        provider: provider.to_owned(),
        operation: operation.to_owned(),
        dialect,
        request: Some(request).filter(|request| request.get("messages").is_some()),
        status: value["response"]["status"].as_u64().expect("status") as u16,
        response: match response {
            Value::Null => Body::None,
            Value::Object(mut body) => match body.remove("sse") {
                Some(Value::String(text)) => Body::Sse(text),
                _ => Body::Json(Value::Object(body)),
            },
            body => Body::Json(body),
        },
    }
}
