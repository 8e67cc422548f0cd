//! What requests to count tokens, and the counts, say.

use dialect::Dialect;
use serde_json::Value;

use super::{Verdict, ensure, list};

pub(super) fn request_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    let mut text = String::new();
    let mut collect_all = |body: &Value, names: &[&str]| {
        names.iter().for_each(|name| collect(&body[*name], &mut text));
    };
    let tools: Vec<Value> = match dialect {
        Dialect::CohereTokenize => {
            collect_all(body, &["text"]);
            Vec::new()
        }
        Dialect::OpenAiInputTokens => {
            collect_all(body, &["instructions", "input"]);
            names(list(body, "tools"))
        }
        Dialect::GeminiCountTokens | Dialect::VertexCountTokens => {
            let nested = &body["generateContentRequest"];
            let body = if nested.is_object() { nested } else { body };
            collect_all(body, &["systemInstruction", "contents"]);
            list(body, "tools")
                .iter()
                .flat_map(|tool| names(list(tool, "functionDeclarations")))
                .collect()
        }
        Dialect::BedrockCountTokens => {
            let converse = &body["input"]["converse"];
            collect_all(converse, &["system", "messages"]);
            let tools = list(&converse["toolConfig"], "tools");
            tools.iter().map(|tool| tool["toolSpec"]["name"].clone()).collect()
        }
        _ => {
            collect_all(body, &["system", "messages"]);
            names(list(body, "tools"))
        }
    };
    text.retain(|c| !c.is_whitespace());
    vec![("counted text", text.into()), ("counted tools", tools.into())]
}

fn names(tools: &[Value]) -> Vec<Value> {
    tools.iter().map(|tool| tool["name"].clone()).collect()
}

/// Adds what is said in a content of any shape.
fn collect(content: &Value, text: &mut String) {
    match content {
        Value::String(said) => text.push_str(said),
        Value::Array(parts) => parts.iter().for_each(|part| collect(part, text)),
        Value::Object(part) => {
            let call = ["toolUse", "functionCall"].iter().find_map(|name| part.get(*name));
            let call = call.unwrap_or(content);
            let arguments = ["input", "args"].iter().find_map(|name| call.get(*name));
            if let Some(arguments) = arguments {
                collect(&call["name"], text);
                text.push_str(&arguments.to_string());
            }
            const INSIDE: &[&str] = &["text", "content", "parts", "toolResult", "output"];
            INSIDE.iter().filter_map(|name| part.get(*name)).for_each(|it| collect(it, text));
        }
        _ => {}
    }
}

pub(super) fn reply_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    match dialect {
        Dialect::CohereTokenize => {
            vec![
                ("counted tokens", list(body, "tokens").len().into()),
                ("tokens", body["tokens"].clone()),
            ]
        }
        _ => vec![("counted tokens", body[count_name(dialect)].clone())],
    }
}

fn count_name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::GeminiCountTokens | Dialect::VertexCountTokens => "totalTokens",
        Dialect::BedrockCountTokens => "inputTokens",
        _ => "input_tokens",
    }
}

/// Members that Anthropic's endpoint refuses.
const REFUSED: &[&str] = &["max_tokens", "temperature", "top_p", "top_k", "stream", "metadata"];

pub(super) fn valid_request(dialect: Dialect, body: &Value) -> Verdict {
    match dialect {
        Dialect::CohereTokenize => {
            ensure(body["model"].is_string(), "no model")?;
            ensure(body["text"].is_string(), "no text")
        }
        Dialect::OpenAiInputTokens => {
            ensure(body["model"].is_string(), "no model")?;
            ensure(!body["input"].is_null(), "no input")
        }
        Dialect::GeminiCountTokens => {
            let nested = &body["generateContentRequest"];
            let is_alone = body["contents"].is_array() && nested.is_null();
            ensure(is_alone || nested["contents"].is_array(), "no contents, or twice")?;
            ensure(nested.is_null() || nested["model"].is_string(), "no model")
        }
        Dialect::VertexCountTokens => ensure(body["contents"].is_array(), "no contents"),
        Dialect::BedrockCountTokens => {
            let converse = &body["input"]["converse"];
            ensure(converse["messages"].is_array(), "no messages")
        }
        _ => {
            ensure(body["model"].is_string(), "no model")?;
            ensure(!list(body, "messages").is_empty(), "no messages")?;
            ensure(REFUSED.iter().all(|name| body[*name].is_null()), "a member that is refused")
        }
    }
}

pub(super) fn valid_reply(dialect: Dialect, body: &Value) -> Verdict {
    match dialect {
        Dialect::CohereTokenize => ensure(body["tokens"].is_array(), "no tokens"),
        _ => ensure(body[count_name(dialect)].is_u64(), "no count"),
    }
}
