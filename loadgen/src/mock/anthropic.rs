//! Anthropic's shapes: messages, token counting, the model list, errors.

mod check;
mod write;

use serde_json::{Value, json};

use super::answer::{Answer, Ask, Last, Output, Size, Tool};
use super::refusal::Refusal;
use super::reply::{Reply, named_event};
use super::routes::Call;
use super::text;

use check::{Purpose, check};

const MODELS: [&str; 4] =
    ["claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5", "claude-3-5-haiku-latest"];

/// `POST …/messages`.
pub(crate) fn serve_messages(call: &Call<'_>) -> Result<Reply, Refusal> {
    check_version(call)?;
    check(call.body, Purpose::Reply, call.is_strict)?;
    Ok(messages(call.body, call.model, call.id, &call.size))
}

/// `POST …/messages/count_tokens`.
pub(crate) fn serve_count_tokens(call: &Call<'_>) -> Result<Reply, Refusal> {
    check_version(call)?;
    check(call.body, Purpose::Count, call.is_strict)?;
    Ok(count_tokens(call.body))
}

/// `POST …/publishers/anthropic/models/MODEL:rawPredict`, as Vertex serves it: the path has the model, the body the
/// version. The model `count-tokens` counts.
pub(crate) fn serve_raw_predict(call: &Call<'_>) -> Result<Reply, Refusal> {
    let streams_by_path = call.request.path().ends_with(":streamRawPredict");
    if call.model != "count-tokens" {
        let body = hosted(call, "vertex-2023-10-16", streams_by_path)?;
        return Ok(messages(&body, call.model, call.id, &call.size));
    }
    check(call.body, Purpose::Count, false)?;
    Ok(count_tokens(call.body))
}

/// The messages request inside a body for a platform that hosts the model: the version moves into the body, the model
/// and the stream flag move out of it.
pub(crate) fn hosted(call: &Call<'_>, version: &str, is_stream: bool) -> Result<Value, Refusal> {
    let mut body = call.body.clone();
    let Some(fields) = body.as_object_mut() else {
        return Err(Refusal::invalid("Input should be a valid dictionary"));
    };
    match fields.remove("anthropic_version") {
        None => {
            return Err(
                Refusal::invalid("anthropic_version: Field required").param("anthropic_version")
            );
        }
        Some(found) if found != version => {
            let message = format!("anthropic_version: Input should be '{version}'");
            return Err(Refusal::invalid(message).param("anthropic_version"));
        }
        Some(_) => {}
    }
    if fields.contains_key("model") {
        return Err(Refusal::invalid("model: Extra inputs are not permitted").param("model"));
    }
    fields.remove("anthropic_beta");
    fields.insert("model".to_owned(), json!(call.model));
    fields.insert("stream".to_owned(), json!(is_stream));
    check(&body, Purpose::Reply, call.is_strict)?;
    Ok(body)
}

/// The events a stream of the reply to `request` has, as JSON.
pub(crate) fn stream_events(request: &Value, model: &str, id: u64, size: &Size) -> Vec<Value> {
    let answer = Answer::new(&ask(request), size);
    write::Message { model, id, answer: &answer }.events(size)
}

/// `GET …/models`.
pub(crate) fn serve_models(_: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(models())
}

/// `GET …/models/{id}`.
pub(crate) fn serve_model(call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(model(call.model, call.id))
}

fn check_version(call: &Call<'_>) -> Result<(), Refusal> {
    match call.request.header("anthropic-version") {
        Some(_) => Ok(()),
        None => Err(Refusal::invalid("anthropic-version: header is required")),
    }
}

/// Answers a messages request that [`check`] let pass.
pub(crate) fn messages(request: &Value, model: &str, id: u64, size: &Size) -> Reply {
    let answer = Answer::new(&ask(request), size);
    let message = write::Message { model, id, answer: &answer };
    let reply = match request.get("stream").and_then(Value::as_bool) {
        Some(true) => {
            let events = message.events(size).iter().map(named_event).collect();
            Reply::events(events, error_event)
        }
        _ => Reply::json(200, &message.whole()),
    };
    reply.with_header("request-id", request_id(id))
}

fn count_tokens(request: &Value) -> Reply {
    Reply::json(200, &json!({"input_tokens": text::tokens(ask(request).prompt_bytes).max(1)}))
}

fn models() -> Reply {
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

fn model(id: &str, request: u64) -> Reply {
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
fn error_event(refusal: &Refusal, _: usize) -> Vec<u8> {
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
        images: messages.iter().map(images).sum(),
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

/// Images of a message, those in tool results included.
fn images(message: &Value) -> usize {
    let blocks = message.get("content").and_then(Value::as_array);
    let count = |block: &Value| usize::from(is_type(block, "image")) + images(block);
    blocks.into_iter().flatten().map(count).sum()
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
