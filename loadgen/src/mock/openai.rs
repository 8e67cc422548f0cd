//! OpenAI's shapes: chat completions, responses, text completions, embeddings, the model list, errors.

mod audio;
mod check;
mod completions;
mod embeddings;
mod images;
mod misfit;
mod responses;
mod write;

use serde_json::{Value, json};

use super::answer::{Answer, Ask, Last, Output, Size, Tool};
use super::refusal::Refusal;
use super::reply::{Reply, data_event};
use super::routes::Call;

pub(crate) use audio::{bytes, serve_speech, serve_transcription, sound, transcript};
pub(crate) use completions::serve as serve_completions;
pub(crate) use embeddings::{embed, serve as serve_embeddings};
pub(crate) use images::{PIXEL, serve_edit, serve_generation, serve_variation};
pub(crate) use responses::{serve as serve_responses, serve_input_tokens};

/// Every reply says it was made then, so that replies are equal from run to run.
const CREATED: u64 = 1_767_225_600;

const MODELS: [&str; 5] = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "o4-mini", "gpt-5"];

/// `POST …/chat/completions`.
pub(crate) fn serve_chat(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::check(call.body, call.is_strict)?;
    Ok(chat(call.body, call.model, call.id, &call.size))
}

/// `GET …/models`.
pub(crate) fn serve_models(_: &Call<'_>) -> Result<Reply, Refusal> {
    let models: Vec<Value> = MODELS.iter().map(|id| model_entry(id)).collect();
    Ok(Reply::json(200, &json!({"object": "list", "data": models})))
}

/// `GET …/models/{id}`.
pub(crate) fn serve_model(call: &Call<'_>) -> Result<Reply, Refusal> {
    match MODELS.contains(&call.model) {
        true => Ok(Reply::json(200, &model_entry(call.model))),
        false => Err(Refusal::new(404, format!("The model '{}' does not exist", call.model))
            .param("model")
            .code("model_not_found")),
    }
}

/// A checked chat completion request.
struct Chat<'a> {
    model: &'a str,
    ask: Ask,
    is_stream: bool,
    include_usage: bool,
    choices: u64,
    reasoning: ReasoningField,
}

/// Providers of this shape disagree on where reasoning goes; the way it was asked for decides.
#[derive(Clone, Copy)]
enum ReasoningField {
    /// `reasoning_effort` was given: `reasoning_content`.
    Content,
    /// A `reasoning` object was given: `reasoning` and `reasoning_details`.
    Details,
}

/// Answers a chat completion that was checked.
pub(crate) fn chat(request: &Value, model: &str, id: u64, size: &Size) -> Reply {
    let chat = Chat::read(request, model);
    let answer = Answer::new(&chat.ask, size);
    let reply = if chat.is_stream {
        Reply::events(write::events(&chat, &answer, id, size), error_event)
    } else {
        Reply::json(200, &write::completion(&chat, &answer, id))
    };
    with_headers(reply)
}

/// The headers all replies have.
fn with_headers(reply: Reply) -> Reply {
    reply.with_header("openai-version", "2020-10-01").with_header("openai-processing-ms", "1")
}

fn model_entry(id: &str) -> Value {
    json!({"id": id, "object": "model", "created": CREATED, "owned_by": "mock"})
}

/// A refusal as an error reply.
pub(crate) fn error(refusal: &Refusal) -> Reply {
    Reply::json(refusal.status, &error_object(refusal))
}

/// A refusal in the middle of a stream.
fn error_event(refusal: &Refusal, _: usize) -> Vec<u8> {
    data_event(&error_object(refusal))
}

fn error_object(refusal: &Refusal) -> Value {
    let (kind, code) = match refusal.status {
        401 => ("invalid_request_error", Some("invalid_api_key")),
        403 => ("invalid_request_error", Some("forbidden")),
        404 => ("invalid_request_error", Some("not_found")),
        429 => ("requests", Some("rate_limit_exceeded")),
        500.. => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    let code = refusal.code.as_deref().or(code);
    json!({"error": {
        "message": refusal.message,
        "type": kind,
        "param": refusal.param,
        "code": code,
    }})
}

impl<'a> Chat<'a> {
    fn read(request: &Value, model: &'a str) -> Self {
        let flag = |value: Option<&Value>| value.and_then(Value::as_bool);
        let has_details = request.get("reasoning").is_some_and(Value::is_object);
        Self {
            model,
            ask: ask(request),
            is_stream: flag(request.get("stream")).unwrap_or(false),
            include_usage: flag(request.pointer("/stream_options/include_usage")).unwrap_or(false),
            choices: request.get("n").and_then(Value::as_u64).unwrap_or(1),
            reasoning: if has_details { ReasoningField::Details } else { ReasoningField::Content },
        }
    }
}

fn ask(request: &Value) -> Ask {
    let messages = request.get("messages").and_then(Value::as_array);
    let messages = messages.map(Vec::as_slice).unwrap_or_default();
    let limit = request.get("max_completion_tokens").or_else(|| request.get("max_tokens"));
    Ask {
        last: last(messages),
        tools: tools(request),
        allows_parallel: request.get("parallel_tool_calls") != Some(&Value::Bool(false)),
        wants_reasoning: wants_reasoning(request),
        output: output(request),
        tokens_max: limit.and_then(Value::as_u64),
        stops: stops(request),
        prompt_bytes: messages.iter().map(|message| content_text(message).len()).sum(),
        images: messages.iter().map(images).sum(),
        wants_cache: false,
    }
}

/// The last user text, or the tool results if they come last.
fn last(messages: &[Value]) -> Last {
    let is_tool = |message: &&Value| role(message) == "tool" || role(message) == "function";
    let results: Vec<String> =
        messages.iter().rev().take_while(is_tool).map(content_text).collect();
    if !results.is_empty() {
        let text = results.into_iter().rev().collect::<Vec<_>>().join(" | ");
        return Last { text, is_tool_result: true };
    }
    let user = messages.iter().rev().find(|message| role(message) == "user");
    let text = user.or(messages.last()).map(content_text).unwrap_or_default();
    Last { text, is_tool_result: false }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

/// The text of a message: its string, or its text parts.
fn content_text(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().concat()
        }
        _ => String::new(),
    }
}

fn images(message: &Value) -> usize {
    let parts = message.get("content").and_then(Value::as_array);
    parts.into_iter().flatten().filter(|part| part.get("image_url").is_some()).count()
}

/// The callable tools; the one a tool choice names comes alone.
fn tools(request: &Value) -> Vec<Tool> {
    let choice = request.get("tool_choice");
    if choice.and_then(Value::as_str) == Some("none") {
        return Vec::new();
    }
    let named = choice.and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str);
    let offered = request.get("tools").and_then(Value::as_array);
    let functions = offered.into_iter().flatten().filter_map(|tool| tool.get("function"));
    let tools = functions.filter_map(|function| {
        let name = function.get("name")?.as_str()?.to_owned();
        let schema = function.get("parameters").cloned().unwrap_or_else(|| json!({}));
        Some(Tool { name, schema: object_schema(schema) })
    });
    tools.filter(|tool| named.is_none_or(|named| named == tool.name)).collect()
}

/// Arguments are an object even where the schema does not say so.
pub(crate) fn object_schema(mut schema: Value) -> Value {
    if let Some(keywords) = schema.as_object_mut() {
        keywords.entry("type").or_insert_with(|| json!("object"));
    }
    schema
}

fn wants_reasoning(request: &Value) -> bool {
    let is_on = |effort: Option<&Value>| effort.is_some_and(|effort| !effort.is_null());
    let is_none = |effort: Option<&Value>| effort.and_then(Value::as_str) == Some("none");
    let effort = request.get("reasoning_effort");
    let object = request.get("reasoning").filter(|reasoning| reasoning.is_object());
    let effort_inside = object.and_then(|reasoning| reasoning.get("effort"));
    (is_on(effort) && !is_none(effort)) || (object.is_some() && !is_none(effort_inside))
}

fn output(request: &Value) -> Output {
    let Some(format) = request.get("response_format") else { return Output::Text };
    match format.get("type").and_then(Value::as_str) {
        Some("json_object") => Output::JsonObject,
        Some("json_schema") => match format.pointer("/json_schema/schema") {
            Some(schema) => Output::JsonSchema(schema.clone()),
            None => Output::JsonObject,
        },
        _ => Output::Text,
    }
}

fn stops(request: &Value) -> Vec<String> {
    match request.get("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        Some(Value::Array(stops)) => {
            stops.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
