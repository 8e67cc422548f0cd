//! OpenAI's responses: what a request asks, and the reply whole or streamed.

mod check;
mod write;

use serde_json::{Value, json};

use super::{object_schema, with_headers};
use crate::mock::answer::{Answer, Ask, Output, Tool};
use crate::mock::conversation::{Conversation, items, joined_text, text};
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;
use crate::mock::routes::Call;
use crate::mock::text::tokens;

/// `POST …/responses`.
pub(crate) fn serve(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::check(call.body)?;
    let answer = Answer::new(&ask(call.body), &call.size);
    let response = write::Response { call, answer: &answer };
    let reply = match call.body.get("stream").and_then(Value::as_bool) {
        Some(true) => Reply::events(response.events(), write::break_off),
        _ => Reply::json(200, &response.whole()),
    };
    Ok(with_headers(reply))
}

/// `POST …/responses/input_tokens`.
pub(crate) fn serve_input_tokens(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::check(call.body)?;
    let count = tokens(ask(call.body).prompt_bytes).max(1);
    Ok(Reply::json(200, &json!({"object": "response.input_tokens", "input_tokens": count})))
}

fn ask(request: &Value) -> Ask {
    let conversation = conversation(request);
    let effort = request.pointer("/reasoning/effort").and_then(Value::as_str);
    Ask {
        last: conversation.last(),
        tools: tools(request),
        allows_parallel: request.get("parallel_tool_calls") != Some(&Value::Bool(false)),
        wants_reasoning: effort.is_some_and(|effort| effort != "none"),
        output: output(request),
        tokens_max: request.get("max_output_tokens").and_then(Value::as_u64),
        prompt_bytes: conversation.bytes,
        images: conversation.images,
        ..Ask::default()
    }
}

fn conversation(request: &Value) -> Conversation {
    let mut conversation = Conversation::default();
    conversation.other(text(request, "instructions"));
    match request.get("input") {
        Some(Value::String(text)) => conversation.user(text),
        input => items(input).iter().for_each(|item| listen(&mut conversation, item)),
    }
    conversation
}

fn listen(conversation: &mut Conversation, item: &Value) {
    match text(item, "type") {
        "function_call_output" => conversation.tool_result(&joined_text(item.get("output"))),
        "" | "message" => {
            let content = item.get("content");
            let is_image = |part: &&Value| text(part, "type") == "input_image";
            items(content).iter().filter(is_image).for_each(|_| conversation.image());
            let said = joined_text(content);
            match text(item, "role") {
                "user" => conversation.user(&said),
                _ => conversation.other(&said),
            }
        }
        _ => conversation.other(""),
    }
}

fn tools(request: &Value) -> Vec<Tool> {
    let choice = request.get("tool_choice");
    if choice.and_then(Value::as_str) == Some("none") {
        return Vec::new();
    }
    let named = choice.and_then(|choice| choice.get("name")).and_then(Value::as_str);
    let offered = items(request.get("tools")).iter();
    let functions = offered.filter(|tool| text(tool, "type") == "function").map(|tool| Tool {
        name: text(tool, "name").to_owned(),
        schema: object_schema(tool.get("parameters").cloned().unwrap_or_else(|| json!({}))),
    });
    functions.filter(|tool| named.is_none_or(|named| named == tool.name)).collect()
}

fn output(request: &Value) -> Output {
    let format = request.pointer("/text/format");
    match format.map(|format| text(format, "type")) {
        Some("json_object") => Output::JsonObject,
        Some("json_schema") => {
            let schema = format.and_then(|format| format.get("schema"));
            schema.cloned().map_or(Output::JsonObject, Output::JsonSchema)
        }
        _ => Output::Text,
    }
}
