//! What the vendors' own parsers insist on.

use dialect::Dialect;
use serde_json::Value;

use crate::bedrock_converse;
use crate::gemini;
use crate::openai_responses;
use crate::sse::Event;
use crate::{cohere_chat, ollama_chat, openai_completions};

pub(crate) type Verdict = Result<(), String>;

/// Ends a check with what is wrong.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}
pub(crate) use ensure;

pub(crate) fn request(dialect: Dialect, body: &Value) -> Verdict {
    match dialect {
        Dialect::OpenAiChat => openai_request(body),
        Dialect::OpenAiResponses => openai_responses::valid_request(body),
        Dialect::AnthropicMessages => anthropic_request(body),
        Dialect::BedrockConverse => bedrock_converse::valid_request(body),
        Dialect::CohereChat => cohere_chat::valid_request(body),
        Dialect::OpenAiCompletions => openai_completions::valid_request(body),
        Dialect::OllamaChat => ollama_chat::valid_request(body),
        Dialect::Gemini => gemini::valid_request(body),
        other => unreachable!("{} is checked by operations.rs", other.name()),
    }
}

pub(crate) fn reply(dialect: Dialect, body: &Value) -> Verdict {
    match dialect {
        Dialect::OpenAiChat => openai_reply(body),
        Dialect::OpenAiResponses => openai_responses::valid_reply(body),
        Dialect::AnthropicMessages => anthropic_reply(body),
        Dialect::BedrockConverse => bedrock_converse::valid_reply(body),
        Dialect::CohereChat => cohere_chat::valid_reply(body),
        Dialect::OpenAiCompletions => openai_completions::valid_reply(body),
        Dialect::OllamaChat => ollama_chat::valid_reply(body),
        Dialect::Gemini => gemini::valid_reply(body),
        other => unreachable!("{} is checked by operations.rs", other.name()),
    }
}

pub(crate) fn stream(dialect: Dialect, events: &[Event]) -> Verdict {
    match dialect {
        Dialect::OpenAiChat => openai_stream(events),
        Dialect::OpenAiResponses => openai_responses::valid_stream(events),
        Dialect::AnthropicMessages => anthropic_stream(events),
        Dialect::BedrockConverse => bedrock_converse::valid_stream(events),
        Dialect::CohereChat => cohere_chat::valid_stream(events),
        Dialect::OpenAiCompletions => openai_completions::valid_stream(events),
        Dialect::OllamaChat => ollama_chat::valid_stream(events),
        Dialect::Gemini => gemini::valid_stream(events),
        other => unreachable!("{} is checked by operations.rs", other.name()),
    }
}

pub(crate) fn error(dialect: Dialect, status: u16, body: &Value) -> Verdict {
    match dialect {
        Dialect::BedrockConverse => return bedrock_converse::valid_error(status, body),
        Dialect::CohereChat => return cohere_chat::valid_error(body),
        Dialect::OllamaChat => return ollama_chat::valid_error(body),
        Dialect::Gemini => return gemini::valid_error(status, body),
        _ => {}
    }
    ensure!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "no message");
    ensure!(body["error"]["type"].is_string(), "no type");
    if dialect == Dialect::AnthropicMessages {
        ensure!(body["type"] == "error", "not an error object");
        let expected = match status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        ensure!(body["error"]["type"] == expected, "{} is no {expected}", body["error"]["type"]);
    }
    Ok(())
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

// --- OpenAI ---

fn openai_request(body: &Value) -> Verdict {
    ensure!(body["model"].is_string(), "no model");
    ensure!(!list(body, "messages").is_empty(), "no messages");
    let mut open: Vec<&str> = Vec::new();
    for (position, message) in list(body, "messages").iter().enumerate() {
        let role = message["role"].as_str().unwrap_or("");
        if role == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or("");
            ensure!(!id.is_empty(), "message {position}: no tool_call_id");
            if let Some(found) = open.iter().position(|open| *open == id) {
                open.remove(found);
            } else {
                return Err(format!("message {position}: {id} answers no call"));
            }
            ensure!(!message["content"].is_null(), "message {position}: no content");
            continue;
        }
        ensure!(open.is_empty(), "message {position}: calls {open:?} are not answered");
        ensure!(
            ["system", "developer", "user", "assistant"].contains(&role),
            "message {position}: role {role}"
        );
        openai_content(message).map_err(|error| format!("message {position}: {error}"))?;
        for call in list(message, "tool_calls") {
            openai_call(call).map_err(|error| format!("message {position}: {error}"))?;
            open.push(call["id"].as_str().unwrap_or(""));
        }
    }
    for tool in list(body, "tools") {
        let is_named = tool["function"]["name"].is_string();
        ensure!(tool["type"] != "function" || is_named, "tool without name");
    }
    ensure!(
        body.get("tool_choice").is_none() || !list(body, "tools").is_empty(),
        "choice without tools"
    );
    if body["stream"] == true {
        ensure!(body["stream_options"]["include_usage"] == true, "usage is not asked for");
    }
    Ok(())
}

fn openai_content(message: &Value) -> Verdict {
    let has_calls = !list(message, "tool_calls").is_empty();
    match &message["content"] {
        Value::String(_) => Ok(()),
        Value::Null => {
            ensure!(has_calls || message["refusal"].is_string(), "no content");
            Ok(())
        }
        Value::Array(parts) => {
            ensure!(!parts.is_empty(), "empty content");
            parts.iter().try_for_each(openai_part)
        }
        _ => Err("content of another type".into()),
    }
}

fn openai_part(part: &Value) -> Verdict {
    let is_sound = match part["type"].as_str().unwrap_or("") {
        "text" => part["text"].is_string(),
        "refusal" => part["refusal"].is_string(),
        "image_url" => part["image_url"]["url"].is_string(),
        "input_audio" => true,
        "video_url" => part["video_url"]["url"].is_string(),
        "file" => part["file"]["file_id"].is_string() || part["file"]["file_data"].is_string(),
        _ => false,
    };
    ensure!(is_sound, "part {part}");
    Ok(())
}

pub(crate) fn openai_call(call: &Value) -> Verdict {
    ensure!(call["id"].as_str().is_some_and(|id| !id.is_empty()), "call without id");
    match call["type"].as_str() {
        Some("function") => {
            ensure!(call["function"]["name"].is_string(), "call without name");
            ensure!(call["function"]["arguments"].is_string(), "arguments are no string");
        }
        Some("custom") => ensure!(call["custom"]["input"].is_string(), "custom call without input"),
        _ => return Err("call without type".into()),
    }
    Ok(())
}

fn openai_reply(body: &Value) -> Verdict {
    ensure!(body["id"].as_str().is_some_and(|id| !id.is_empty()), "no id");
    ensure!(body["object"] == "chat.completion", "object {}", body["object"]);
    ensure!(body["created"].is_u64(), "no created");
    ensure!(body["model"].is_string(), "no model");
    ensure!(!list(body, "choices").is_empty(), "no choices");
    for (index, choice) in list(body, "choices").iter().enumerate() {
        ensure!(choice["index"] == index, "index {}", choice["index"]);
        ensure!(choice["finish_reason"].is_string(), "no finish_reason");
        let message = &choice["message"];
        ensure!(message["role"] == "assistant", "role {}", message["role"]);
        ensure!(
            message["content"].is_string() || message["content"].is_null(),
            "content is no string"
        );
        list(message, "tool_calls").iter().try_for_each(openai_call)?;
    }
    openai_usage(&body["usage"])
}

pub(crate) fn openai_usage(usage: &Value) -> Verdict {
    if usage.is_null() {
        return Ok(());
    }
    for name in ["prompt_tokens", "completion_tokens", "total_tokens"] {
        ensure!(usage[name].is_u64(), "usage without {name}");
    }
    Ok(())
}

fn openai_stream(events: &[Event]) -> Verdict {
    let mut id = Value::Null;
    let mut has_stopped = false;
    let mut calls = 0;
    for (position, event) in events.iter().enumerate() {
        ensure!(event.name.is_none(), "event {position} has a name");
        if event.data == "[DONE]" {
            ensure!(position + 1 == events.len(), "something follows the end");
            ensure!(has_stopped, "ended without a reason");
            return Ok(());
        }
        let chunk: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        if chunk["error"].is_object() {
            ensure!(position + 1 == events.len(), "something follows the error");
            return Ok(());
        }
        ensure!(chunk["object"] == "chat.completion.chunk", "object {}", chunk["object"]);
        ensure!(chunk["created"].is_u64() && chunk["model"].is_string(), "chunk without head");
        ensure!(chunk["id"].as_str().is_some_and(|id| !id.is_empty()), "chunk without id");
        ensure!(id.is_null() || id == chunk["id"], "the id changes");
        id = chunk["id"].clone();
        openai_usage(&chunk["usage"])?;
        for choice in list(&chunk, "choices") {
            ensure!(choice["index"].is_u64() && choice["delta"].is_object(), "choice {choice}");
            ensure!(position > 0 || choice["delta"]["role"] == "assistant", "no role");
            for call in list(&choice["delta"], "tool_calls") {
                let index = call["index"].as_u64().ok_or("call without index")?;
                ensure!(index <= calls, "call {index} out of order");
                if index == calls {
                    openai_call(call)?;
                    calls += 1;
                }
            }
            let stops = choice["finish_reason"].is_string();
            if choice["index"] == 0 {
                ensure!(!has_stopped, "goes on after the end");
                has_stopped = stops;
            }
        }
    }
    Err("no end marker".into())
}

// --- Anthropic ---

fn anthropic_request(body: &Value) -> Verdict {
    ensure!(body["model"].is_string(), "no model");
    let limit = body["max_tokens"].as_u64().ok_or("no max_tokens")?;
    ensure!(limit > 0, "max_tokens is 0");
    ensure!(!list(body, "messages").is_empty(), "no messages");
    let mut last_role = "";
    let mut open: Vec<&str> = Vec::new();
    for (position, message) in list(body, "messages").iter().enumerate() {
        let role = message["role"].as_str().unwrap_or("");
        ensure!(["user", "assistant", "system"].contains(&role), "message {position}: role {role}");
        ensure!(role != last_role, "message {position}: {role} again");
        last_role = role;
        let content = &message["content"];
        let is_text = content.as_str().is_some_and(|text| !text.is_empty());
        ensure!(is_text || !list(message, "content").is_empty(), "message {position}: no content");
        anthropic_results(message, &mut open)
            .map_err(|error| format!("message {position}: {error}"))?;
        for block in list(message, "content") {
            anthropic_block(block).map_err(|error| format!("message {position}: {error}"))?;
            if block["type"] == "tool_use" {
                open.push(block["id"].as_str().unwrap_or(""));
            }
        }
    }
    for tool in list(body, "tools") {
        let is_own = tool["type"].is_string() && tool["type"] != "custom";
        ensure!(tool["name"].is_string(), "tool without name");
        ensure!(is_own || tool["input_schema"].is_object(), "tool without schema");
    }
    if body["thinking"]["type"] == "enabled" {
        let budget = body["thinking"]["budget_tokens"].as_u64().unwrap_or(0);
        ensure!((1024..limit).contains(&budget), "budget {budget} of {limit}");
    }
    Ok(())
}

/// Results of all calls of the turn before must come first in a user's turn.
fn anthropic_results(message: &Value, open: &mut Vec<&str>) -> Verdict {
    let mut is_over = message["content"].is_string();
    for block in list(message, "content") {
        if block["type"] != "tool_result" {
            is_over = true;
            continue;
        }
        ensure!(!is_over, "a tool_result behind other content");
        let id = block["tool_use_id"].as_str().unwrap_or("");
        let found =
            open.iter().position(|open| *open == id).ok_or(format!("{id} answers no call"))?;
        open.remove(found);
    }
    ensure!(open.is_empty(), "calls {open:?} are not answered");
    Ok(())
}

fn anthropic_block(block: &Value) -> Verdict {
    let is_sound = match block["type"].as_str().unwrap_or("") {
        "text" => block["text"].as_str().is_some_and(|text| !text.is_empty()),
        "image" | "document" => block["source"]["type"].is_string(),
        "tool_use" => {
            is_id(&block["id"]) && block["name"].is_string() && block["input"].is_object()
        }
        "tool_result" => is_id(&block["tool_use_id"]),
        "thinking" => block["thinking"].is_string() && block["signature"].is_string(),
        "redacted_thinking" => block["data"].is_string(),
        // Blocks of the vendor's own tools, which only ever pass through.
        kind => !kind.is_empty(),
    };
    ensure!(is_sound, "block {block}");
    Ok(())
}

fn is_id(id: &Value) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    id.as_str().is_some_and(|id| !id.is_empty() && id.chars().all(fine))
}

fn anthropic_reply(body: &Value) -> Verdict {
    ensure!(body["id"].as_str().is_some_and(|id| !id.is_empty()), "no id");
    ensure!(body["type"] == "message" && body["role"] == "assistant", "not a message");
    ensure!(body["model"].is_string(), "no model");
    ensure!(body["content"].is_array(), "no content");
    list(body, "content").iter().try_for_each(anthropic_block)?;
    ensure!(body["stop_reason"].is_string(), "no stop_reason");
    ensure!(body.get("stop_sequence").is_some(), "no stop_sequence");
    anthropic_usage(&body["usage"])
}

fn anthropic_usage(usage: &Value) -> Verdict {
    for name in
        ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
    {
        ensure!(usage[name].is_u64(), "usage without {name}");
    }
    Ok(())
}

/// Where a message stream stands.
#[derive(PartialEq)]
enum Stage {
    Begin,
    Between,
    Block(String),
    Stopped,
    Over,
}

fn anthropic_stream(events: &[Event]) -> Verdict {
    let mut stage = Stage::Begin;
    let mut next = 0;
    for event in events {
        let data: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        let kind = data["type"].as_str().unwrap_or("");
        ensure!(event.name.as_deref() == Some(kind), "{:?} named {kind}", event.name);
        stage = match (stage, kind) {
            (Stage::Over, _) => return Err("something follows the end".into()),
            (_, "error") => Stage::Over,
            (Stage::Begin, "message_start") => {
                let message = &data["message"];
                ensure!(message["id"].as_str().is_some_and(|id| !id.is_empty()), "no id");
                ensure!(
                    message["content"].as_array().is_some_and(Vec::is_empty),
                    "content is not empty"
                );
                anthropic_usage(&message["usage"])?;
                Stage::Between
            }
            (Stage::Between, "content_block_start") => {
                ensure!(data["index"] == next, "block {} instead of {next}", data["index"]);
                next += 1;
                Stage::Block(data["content_block"]["type"].as_str().unwrap_or("").to_owned())
            }
            (Stage::Block(block), "content_block_delta") => {
                ensure!(data["index"] == next - 1, "delta for block {}", data["index"]);
                let delta = data["delta"]["type"].as_str().unwrap_or("");
                let belongs = match block.as_str() {
                    "text" => ["text_delta", "citations_delta"].contains(&delta),
                    "thinking" => ["thinking_delta", "signature_delta"].contains(&delta),
                    "tool_use" | "server_tool_use" | "mcp_tool_use" => delta == "input_json_delta",
                    _ => false,
                };
                ensure!(belongs, "{delta} in {block}");
                Stage::Block(block)
            }
            (Stage::Block(_), "content_block_stop") => {
                ensure!(data["index"] == next - 1, "stop of block {}", data["index"]);
                Stage::Between
            }
            (Stage::Between, "message_delta") => {
                ensure!(data["delta"]["stop_reason"].is_string(), "no stop_reason");
                anthropic_usage(&data["usage"])?;
                Stage::Stopped
            }
            (Stage::Stopped, "message_stop") => Stage::Over,
            (_, kind) => return Err(format!("{kind} out of place")),
        };
    }
    ensure!(stage == Stage::Over, "no end");
    Ok(())
}
