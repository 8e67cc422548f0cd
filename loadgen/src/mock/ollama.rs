//! Ollama's own shapes: chat, generate, embed and tags. Streams are lines of JSON, and the default.

use serde_json::{Value, json};

use super::answer::{Answer, Ask, Finish, Last, Output, Tool};
use super::conversation::{Conversation, items, text, texts};
use super::form::{self, Form, Kind, may, must};
use super::limits::SMALL_PIECES_MAX;
use super::openai::object_schema;
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;
use super::text::{pieces, tokens};
use super::vectors::{floats, vector};

const MODELS: [&str; 2] = ["llama3.2:latest", "qwen3:latest"];
const MADE_AT: &str = "2026-01-01T00:00:00Z";
const DIMENSIONS: usize = 768;

/// Ollama looks at nothing it does not know.
const CHAT: Form = Form::Open(&[
    must("model", Form::Text),
    may("messages", Form::List(&MESSAGE)),
    may(
        "tools",
        Form::List(&Form::Open(&[must("function", Form::Open(&[must("name", Form::Text)]))])),
    ),
    may("format", Form::Either(&[Form::Text, Form::Object])),
    may("options", OPTIONS),
    may("stream", Form::Flag),
    may("think", Form::Either(&[Form::Flag, Form::Text])),
    may("keep_alive", Form::Either(&[Form::Text, Form::Decimal])),
]);

const MESSAGE: Form = Form::Open(&[
    must("role", Form::Choice(&["system", "user", "assistant", "tool"])),
    may("content", Form::Text),
    may("thinking", Form::Text),
    may("images", Form::List(&Form::Base64)),
    may(
        "tool_calls",
        Form::List(&Form::Open(&[must(
            "function",
            Form::Open(&[must("name", Form::Text), may("arguments", Form::Object)]),
        )])),
    ),
]);

const OPTIONS: Form = Form::Open(&[
    may("num_predict", Form::Integer),
    may("temperature", Form::Decimal),
    may("top_p", Form::Decimal),
    may("top_k", Form::Integer),
    may("seed", Form::Integer),
    may("stop", Form::List(&Form::Text)),
]);

const GENERATE: Form = Form::Open(&[
    must("model", Form::Text),
    may("prompt", Form::Text),
    may("options", OPTIONS),
    may("stream", Form::Flag),
]);

const EMBED: Form = Form::Open(&[
    must("model", Form::Text),
    must("input", Form::Either(&[Form::Text, Form::List(&Form::Text)])),
]);

/// `POST …/api/chat`.
pub(crate) fn serve_chat(call: &Call<'_>) -> Result<Reply, Refusal> {
    fits(call.body, &CHAT)?;
    let answer = Answer::new(&ask(call.body), &call.size);
    let few = call.size.chunks.min(SMALL_PIECES_MAX);
    let says = |message: Value| json!({"message": joined(json!({"role": "assistant"}), message)});
    let mut deltas: Vec<Value> = Vec::new();
    let reasoning = pieces(answer.reasoning.as_deref().unwrap_or_default(), few).into_iter();
    deltas.extend(reasoning.map(|piece| says(json!({"content": "", "thinking": piece}))));
    deltas.extend(
        answer
            .tool_calls
            .first()
            .map(|_| says(json!({"content": "", "tool_calls": calls(&answer)}))),
    );
    let text = pieces(&answer.text, call.size.chunks).into_iter();
    deltas.extend(text.map(|piece| says(json!({"content": piece}))));
    let mut whole = json!({"content": answer.text});
    if let Some(reasoning) = &answer.reasoning {
        whole["thinking"] = json!(reasoning);
    }
    if !answer.tool_calls.is_empty() {
        whole["tool_calls"] = calls(&answer);
    }
    Ok(reply(call, &answer, deltas, says(json!({"content": ""})), says(whole)))
}

/// `POST …/api/generate`.
pub(crate) fn serve_generate(call: &Call<'_>) -> Result<Reply, Refusal> {
    fits(call.body, &GENERATE)?;
    let prompt = text(call.body, "prompt");
    let last = Last { text: prompt.to_owned(), is_tool_result: false };
    let answer =
        Answer::new(&Ask { last, prompt_bytes: prompt.len(), ..settings(call.body) }, &call.size);
    let says = |text: &str| json!({"response": text});
    let deltas = pieces(&answer.text, call.size.chunks).into_iter().map(says).collect();
    Ok(reply(call, &answer, deltas, says(""), says(&answer.text)))
}

/// `POST …/api/embed`.
pub(crate) fn serve_embed(call: &Call<'_>) -> Result<Reply, Refusal> {
    fits(call.body, &EMBED)?;
    let mut inputs = texts(call.body.get("input"));
    inputs.extend(call.body.get("input").and_then(Value::as_str).map(str::to_owned));
    let embeddings: Vec<Value> =
        inputs.iter().map(|input| floats(&vector(input, DIMENSIONS))).collect();
    let count = tokens(inputs.iter().map(String::len).sum());
    Ok(Reply::json(
        200,
        &json!({
            "model": call.model,
            "embeddings": embeddings,
            "total_duration": 1_000_000,
            "load_duration": 1000,
            "prompt_eval_count": count,
        }),
    ))
}

/// `GET …/api/tags`.
pub(crate) fn serve_tags(_: &Call<'_>) -> Result<Reply, Refusal> {
    let entry = |name: &&str| {
        json!({
            "name": name,
            "model": name,
            "modified_at": MADE_AT,
            "size": 1_000_000,
            "digest": "0".repeat(64),
            "details": {"format": "gguf", "family": "mock", "parameter_size": "1B", "quantization_level": "Q4_0"},
        })
    };
    Ok(Reply::json(200, &json!({"models": MODELS.iter().map(entry).collect::<Vec<_>>()})))
}

/// A refusal as an error reply.
pub(crate) fn error(refusal: &Refusal) -> Reply {
    Reply::json(refusal.status, &json!({"error": refusal.message}))
}

fn break_off(refusal: &Refusal, _: usize) -> Vec<u8> {
    line(&json!({"error": refusal.message}))
}

/// A stream of `deltas` and an ending unless the request asks for the whole.
fn reply(call: &Call<'_>, answer: &Answer, deltas: Vec<Value>, last: Value, whole: Value) -> Reply {
    let envelope =
        |fields: Value| joined(json!({"model": call.model, "created_at": MADE_AT}), fields);
    let ending = |fields: Value| envelope(joined(fields, end(answer)));
    if call.body.get("stream") == Some(&Value::Bool(false)) {
        return Reply::json(200, &ending(whole));
    }
    let delta = |fields: Value| line(&envelope(joined(fields, json!({"done": false}))));
    let lines = deltas.into_iter().map(delta).chain([line(&ending(last))]).collect();
    Reply::stream("application/x-ndjson", lines, break_off)
}

fn end(answer: &Answer) -> Value {
    let reason = match answer.finish {
        Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "stop",
        Finish::Length => "length",
    };
    let mut end = json!({"done": true, "done_reason": reason, "total_duration": 1_000_000, "load_duration": 1000});
    if let Some(tokens) = answer.usage {
        end["prompt_eval_count"] = json!(tokens.prompt);
        end["prompt_eval_duration"] = json!(1000);
        end["eval_count"] = json!(tokens.completion);
        end["eval_duration"] = json!(1000);
    }
    end
}

fn calls(answer: &Answer) -> Value {
    let call = |call: &super::answer::ToolCall| json!({"function": {"name": call.name, "arguments": call.arguments}});
    answer.tool_calls.iter().map(call).collect()
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

fn joined(first: Value, second: Value) -> Value {
    match (first, second) {
        (Value::Object(mut fields), Value::Object(more)) => {
            fields.extend(more);
            Value::Object(fields)
        }
        (first, _) => first,
    }
}

fn fits(request: &Value, form: &Form) -> Result<(), Refusal> {
    form::check(request, form).map_err(|misfit| {
        let place = misfit.dotted();
        let message = match &misfit.kind {
            Kind::Missing => format!("{place} is required"),
            Kind::Type { expected, found } => {
                format!("json: cannot unmarshal {found} into field {place} of type {expected}")
            }
            Kind::Choice { found, .. } => format!("invalid value {found:?} of {place}"),
            Kind::Base64 => format!("illegal base64 data in {place}"),
            Kind::Unknown | Kind::Union => format!("{place} is malformed"),
        };
        Refusal::invalid(message).param(place)
    })
}

fn ask(request: &Value) -> Ask {
    let mut conversation = Conversation::default();
    for message in items(request.get("messages")) {
        let said = text(message, "content");
        match text(message, "role") {
            "user" => conversation.user(said),
            "tool" => conversation.tool_result(said),
            _ => conversation.other(said),
        }
        items(message.get("images")).iter().for_each(|_| conversation.image());
    }
    Ask {
        last: conversation.last(),
        tools: tools(request),
        prompt_bytes: conversation.bytes,
        images: conversation.images,
        ..settings(request)
    }
}

fn settings(request: &Value) -> Ask {
    let thinks = match request.get("think") {
        Some(Value::Bool(thinks)) => *thinks,
        think => think.is_some_and(Value::is_string),
    };
    Ask {
        allows_parallel: true,
        wants_reasoning: thinks,
        output: match request.get("format") {
            Some(Value::String(name)) if name == "json" => Output::JsonObject,
            Some(schema @ Value::Object(_)) => Output::JsonSchema(schema.clone()),
            _ => Output::Text,
        },
        tokens_max: request.pointer("/options/num_predict").and_then(Value::as_u64),
        stops: texts(request.pointer("/options/stop")),
        ..Ask::default()
    }
}

fn tools(request: &Value) -> Vec<Tool> {
    let functions = items(request.get("tools")).iter().filter_map(|tool| tool.get("function"));
    functions
        .map(|function| Tool {
            name: text(function, "name").to_owned(),
            schema: object_schema(function.get("parameters").cloned().unwrap_or_else(|| json!({}))),
        })
        .collect()
}
