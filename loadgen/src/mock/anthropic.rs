//! Anthropic's shapes: messages, token counting, the model list, errors.

mod check;
mod write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::answer::{Answer, Ask, Last, Output, Size, Tool};
use super::refusal::Refusal;
use super::reply::{Reply, named_event};
use super::text;

pub(crate) use check::{Purpose, check};

const MODELS: [&str; 4] =
    ["claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5", "claude-3-5-haiku-latest"];

/// Answers a messages request that [`check`] let pass.
pub(crate) fn messages(request: &Value, model: &str, id: u64, size: &Size) -> Reply {
    let answer = Answer::new(&ask(request), size);
    let message = write::Message { model, id, answer: &answer };
    let reply = match request.get("stream").and_then(Value::as_bool) {
        Some(true) => Reply::events(message.events(size)),
        _ => Reply::json(200, &message.whole()),
    };
    reply.with_header("request-id", request_id(id))
}

/// `POST …/messages/count_tokens`.
pub(crate) fn count_tokens(request: &Value) -> Reply {
    Reply::json(200, &json!({"input_tokens": text::tokens(ask(request).prompt_bytes).max(1)}))
}

/// `GET …/models`.
pub(crate) fn models() -> Reply {
    let models: Vec<Value> = MODELS.iter().map(|id| model_entry(id)).collect();
    Reply::json(
        200,
        &json!({
            "data": models,
            "has_more": false,
            "first_id": MODELS.first(),
            "last_id": MODELS.last(),
        }),
    )
}

/// `GET …/models/{id}`.
pub(crate) fn model(id: &str, request: u64) -> Reply {
    match MODELS.contains(&id) {
        true => Reply::json(200, &model_entry(id)),
        false => error(&Refusal::new(404, format!("model: {id}")), request),
    }
}

fn model_entry(id: &str) -> Value {
    json!({
        "type": "model",
        "id": id,
        "display_name": id,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
    })
}

/// A refusal as an error reply.
pub(crate) fn error(refusal: &Refusal, id: u64) -> Reply {
    let mut object = error_object(refusal);
    object["request_id"] = json!(request_id(id));
    Reply::json(refusal.status, &object).with_header("request-id", request_id(id))
}

/// A refusal in the middle of a stream.
pub(crate) fn error_event(refusal: &Refusal) -> Vec<u8> {
    named_event(&error_object(refusal))
}

fn error_object(refusal: &Refusal) -> Value {
    let kind = match refusal.status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    let kind = refusal.code.as_deref().unwrap_or(kind);
    json!({"type": "error", "error": {"type": kind, "message": refusal.message}})
}

fn request_id(id: u64) -> String {
    format!("req_mock{id:08}")
}

/// The signature of a thinking block. It depends on the text, so a block that comes back changed,
/// or with the signature of another, is found out.
fn signature(thinking: &str) -> String {
    let hash = thinking.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    STANDARD.encode(format!("mock-signature:{hash:016x}"))
}

fn ask(request: &Value) -> Ask {
    let messages = request.get("messages").and_then(Value::as_array);
    let messages = messages.map(Vec::as_slice).unwrap_or_default();
    let thinking = request.pointer("/thinking/type").and_then(Value::as_str);
    let choice = request.get("tool_choice");
    let alone = choice.and_then(|choice| choice.get("disable_parallel_tool_use"));
    let system_bytes = request.get("system").map_or(0, |system| joined_text(system).len());
    Ask {
        last: last(messages),
        tools: tools(request),
        allows_parallel: alone.and_then(Value::as_bool) != Some(true),
        wants_reasoning: thinking.is_some_and(|kind| kind != "disabled"),
        output: output(request),
        tokens_max: request.get("max_tokens").and_then(Value::as_u64),
        stops: stops(request),
        prompt_bytes: messages.iter().map(|message| content_text(message).len()).sum::<usize>()
            + system_bytes,
        wants_cache: mentions(request, "cache_control"),
    }
}

/// The text of the last message, or of the tool results in it.
fn last(messages: &[Value]) -> Last {
    let user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let Some(message) = messages.iter().rev().find(user) else { return Last::default() };
    let blocks = message.get("content").and_then(Value::as_array);
    let results: Vec<String> = blocks
        .into_iter()
        .flatten()
        .filter(|block| is_type(block, "tool_result"))
        .map(content_text)
        .collect();
    match results.is_empty() {
        true => Last { text: content_text(message), is_tool_result: false },
        false => Last { text: results.join(" | "), is_tool_result: true },
    }
}

fn is_type(block: &Value, name: &str) -> bool {
    block.get("type").and_then(Value::as_str) == Some(name)
}

fn content_text(message: &Value) -> String {
    message.get("content").map(joined_text).unwrap_or_default()
}

/// A string, or the text blocks of an array.
fn joined_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter(|block| is_type(block, "text"))
            .filter_map(|block| block.get("text")?.as_str())
            .collect(),
        _ => String::new(),
    }
}

/// The client tools that may be called; the one a tool choice names comes alone.
fn tools(request: &Value) -> Vec<Tool> {
    let choice = request.get("tool_choice");
    if choice.is_some_and(|choice| is_type(choice, "none")) {
        return Vec::new();
    }
    let named = choice.and_then(|choice| choice.get("name")).and_then(Value::as_str);
    let offered = request.get("tools").and_then(Value::as_array);
    let tools = offered.into_iter().flatten().filter_map(|tool| {
        let name = tool.get("name")?.as_str()?.to_owned();
        let schema = tool.get("input_schema")?.clone();
        Some(Tool { name, schema })
    });
    tools.filter(|tool| named.is_none_or(|named| named == tool.name)).collect()
}

fn output(request: &Value) -> Output {
    let format = request.pointer("/output_config/format").or_else(|| request.get("output_format"));
    match format.and_then(|format| format.get("schema")) {
        Some(schema) => Output::JsonSchema(schema.clone()),
        None => Output::Text,
    }
}

fn stops(request: &Value) -> Vec<String> {
    let stops = request.get("stop_sequences").and_then(Value::as_array);
    stops.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Whether an object anywhere in `value` has the field `name`. The depth of parsed JSON is bounded
/// by its parser.
fn mentions(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get(name).is_some_and(|field| !field.is_null())
                || fields.values().any(|field| mentions(field, name))
        }
        Value::Array(items) => items.iter().any(|item| mentions(item, name)),
        _ => false,
    }
}
