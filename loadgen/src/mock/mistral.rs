//! Mistral's shapes, where they differ from OpenAI's: ids of nine characters, thinking as content, errors by field.

mod check;
mod write;

use serde_json::{Value, json};

use super::answer::{Answer, Ask, Output, Tool};
use super::conversation::{Conversation, items, joined_text, text, texts};
use super::openai::{self, object_schema};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;

const MODELS: [&str; 4] =
    ["mistral-small-latest", "mistral-large-latest", "magistral-medium-latest", "mistral-embed"];

/// `POST …/chat/completions`.
pub(crate) fn serve_chat(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::chat(call.body)?;
    let answer = Answer::new(&ask(call.body, call.model), &call.size);
    let completion = write::Completion { call, answer: &answer };
    Ok(match call.body.get("stream").and_then(Value::as_bool) {
        Some(true) => Reply::events(completion.events(), write::break_off),
        _ => Reply::json(200, &completion.whole()),
    })
}

/// `POST …/embeddings`, which takes its dimensions and format under names of its own.
pub(crate) fn serve_embeddings(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::embeddings(call.body)?;
    let mut body =
        json!({"model": call.model, "input": call.body.get("input").or(call.body.get("inputs"))});
    if let Some(dimensions) = call.body.get("output_dimension").filter(|value| !value.is_null()) {
        body["dimensions"] = dimensions.clone();
    }
    if let Some(format) = call.body.get("encoding_format").filter(|value| !value.is_null()) {
        body["encoding_format"] = format.clone();
    }
    let mut reply = openai::embed(&Call { body: &body, ..*call })?;
    reply["id"] = json!(format!("mock{:028}", call.id));
    Ok(Reply::json(200, &reply))
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
        false => Err(Refusal::new(404, "Not Found")),
    }
}

fn model_entry(id: &str) -> Value {
    let is_embedding = id.contains("embed");
    json!({
        "id": id,
        "object": "model",
        "created": 1_767_225_600,
        "owned_by": "mistralai",
        "capabilities": {
            "completion_chat": !is_embedding,
            "completion_fim": false,
            "function_calling": !is_embedding,
            "fine_tuning": false,
            "vision": !is_embedding,
        },
        "name": id,
        "max_context_length": 131_072,
        "aliases": [],
        "type": "base",
    })
}

/// A refusal as an error reply: what is wrong with a field is a list under 422.
pub(crate) fn error(refusal: &Refusal) -> Reply {
    match (refusal.status, &refusal.param) {
        (401, _) => Reply::json(401, &json!({"detail": refusal.message})),
        (400, Some(place)) => Reply::json(422, &json!({"detail": [detail(refusal, place)]})),
        _ => Reply::json(refusal.status, &error_object(refusal)),
    }
}

fn detail(refusal: &Refusal, place: &str) -> Value {
    let location: Vec<&str> = ["body"].into_iter().chain(place.split('.')).collect();
    json!({
        "type": refusal.code.as_deref().unwrap_or("value_error"),
        "loc": location,
        "msg": refusal.message,
        "input": null,
    })
}

fn error_object(refusal: &Refusal) -> Value {
    let (kind, code) = match refusal.status {
        429 => ("rate_limited", "1300"),
        500.. => ("internal_server_error", "1000"),
        404 => ("invalid_model", "1500"),
        _ => ("invalid_request_error", "3051"),
    };
    json!({
        "object": "error",
        "message": refusal.message,
        "type": kind,
        "param": null,
        "code": refusal.code.as_deref().unwrap_or(code),
    })
}

fn ask(request: &Value, model: &str) -> Ask {
    let mut conversation = Conversation::default();
    for message in items(request.get("messages")) {
        listen(&mut conversation, message);
    }
    let mut stops = texts(request.get("stop"));
    stops.extend(request.get("stop").and_then(Value::as_str).map(str::to_owned));
    let effort = request.get("reasoning_effort").and_then(Value::as_str);
    Ask {
        last: conversation.last(),
        tools: tools(request),
        allows_parallel: request.get("parallel_tool_calls") != Some(&Value::Bool(false)),
        wants_reasoning: model.starts_with("magistral")
            || text(request, "prompt_mode") == "reasoning"
            || effort.is_some_and(|effort| effort != "none"),
        output: output(request),
        tokens_max: request.get("max_tokens").and_then(Value::as_u64),
        stops,
        prompt_bytes: conversation.bytes,
        images: conversation.images,
        wants_cache: false,
    }
}

fn listen(conversation: &mut Conversation, message: &Value) {
    let content = message.get("content");
    let said = joined_text(content);
    match text(message, "role") {
        "user" => conversation.user(&said),
        "tool" => conversation.tool_result(&said),
        _ => conversation.other(&said),
    }
    let images = items(content).iter().filter(|part| text(part, "type") == "image_url");
    images.for_each(|_| conversation.image());
}

fn tools(request: &Value) -> Vec<Tool> {
    let choice = request.get("tool_choice");
    if choice.and_then(Value::as_str) == Some("none") {
        return Vec::new();
    }
    let named = choice.and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str);
    let functions = items(request.get("tools")).iter().filter_map(|tool| tool.get("function"));
    let tools = functions.map(|function| Tool {
        name: text(function, "name").to_owned(),
        schema: object_schema(function.get("parameters").cloned().unwrap_or_else(|| json!({}))),
    });
    tools.filter(|tool| named.is_none_or(|named| named == tool.name)).collect()
}

fn output(request: &Value) -> Output {
    let format = request.get("response_format");
    match format.map(|format| text(format, "type")) {
        Some("json_object") => Output::JsonObject,
        Some("json_schema") => {
            let schema = format.and_then(|format| format.pointer("/json_schema/schema"));
            schema.cloned().map_or(Output::JsonObject, Output::JsonSchema)
        }
        _ => Output::Text,
    }
}
