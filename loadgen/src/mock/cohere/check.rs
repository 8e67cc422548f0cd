//! Checks requests as Cohere would, and words the refusal as Cohere words it.

use serde_json::Value;

use crate::mock::conversation::{items, text};
use crate::mock::form::{self, Form, Kind, Misfit, may, must};
use crate::mock::limits::{DIMENSIONS_MAX, INPUTS_MAX};
use crate::mock::refusal::Refusal;

type Checked = Result<(), Refusal>;

const CHAT: Form = Form::Fields(&[
    must("model", Form::Text),
    must("messages", Form::List(&MESSAGE)),
    may("stream", Form::Flag),
    may("tools", Form::List(&TOOL)),
    may("strict_tools", Form::Flag),
    may("documents", Form::List(&Form::Any)),
    may("citation_options", Form::Fields(&[may("mode", Form::Text)])),
    may("response_format", FORMAT),
    may("safety_mode", Form::Choice(&["CONTEXTUAL", "STRICT", "OFF", "NONE"])),
    may("max_tokens", Form::Integer),
    may("stop_sequences", Form::List(&Form::Text)),
    may("temperature", Form::Decimal),
    may("seed", Form::Integer),
    may("frequency_penalty", Form::Decimal),
    may("presence_penalty", Form::Decimal),
    may("k", Form::Integer),
    may("p", Form::Decimal),
    may("logprobs", Form::Flag),
    may("tool_choice", Form::Choice(&["REQUIRED", "NONE"])),
    may(
        "thinking",
        Form::Fields(&[
            must("type", Form::Choice(&["enabled", "disabled"])),
            may("token_budget", Form::Integer),
        ]),
    ),
    may("priority", Form::Integer),
    may("raw_prompting", Form::Flag),
]);

const MESSAGE: Form = Form::Tagged(
    "role",
    &[
        ("user", Form::Fields(&[must("role", Form::Text), must("content", CONTENT)])),
        ("system", Form::Fields(&[must("role", Form::Text), must("content", CONTENT)])),
        (
            "assistant",
            Form::Fields(&[
                must("role", Form::Text),
                may("content", CONTENT),
                may("tool_plan", Form::Text),
                may("tool_calls", Form::List(&CALL)),
                may("citations", Form::List(&Form::Any)),
            ]),
        ),
        (
            "tool",
            Form::Fields(&[
                must("role", Form::Text),
                must("tool_call_id", Form::Text),
                must("content", CONTENT),
            ]),
        ),
    ],
);

const CONTENT: Form = Form::Either(&[Form::Text, Form::List(&BLOCK)]);

const BLOCK: Form = Form::Tagged(
    "type",
    &[
        ("text", Form::Open(&[must("text", Form::Text)])),
        ("thinking", Form::Open(&[must("thinking", Form::Text)])),
        (
            "image_url",
            Form::Open(&[must(
                "image_url",
                Form::Fields(&[
                    must("url", Form::Text),
                    may("detail", Form::Choice(&["auto", "low", "high"])),
                ]),
            )]),
        ),
        ("document", Form::Open(&[must("document", Form::Open(&[must("data", Form::Any)]))])),
    ],
);

const CALL: Form = Form::Fields(&[
    must("id", Form::Text),
    must("type", Form::Choice(&["function"])),
    must("function", Form::Fields(&[must("name", Form::Text), must("arguments", Form::Text)])),
]);

const TOOL: Form = Form::Fields(&[
    must("type", Form::Choice(&["function"])),
    must(
        "function",
        Form::Fields(&[
            must("name", Form::Text),
            may("description", Form::Text),
            may("parameters", Form::Object),
        ]),
    ),
]);

const FORMAT: Form = Form::Tagged(
    "type",
    &[
        ("text", Form::Fields(&[must("type", Form::Text)])),
        (
            "json_object",
            Form::Fields(&[
                must("type", Form::Text),
                may("json_schema", Form::Object),
                may("schema", Form::Object),
            ]),
        ),
    ],
);

const EMBED: Form = Form::Fields(&[
    must("model", Form::Text),
    must(
        "input_type",
        Form::Choice(&["search_document", "search_query", "classification", "clustering", "image"]),
    ),
    may("texts", Form::List(&Form::Text)),
    may("images", Form::List(&Form::Text)),
    may("inputs", Form::List(&Form::Open(&[must("content", Form::List(&BLOCK))]))),
    may("max_tokens", Form::Integer),
    may("output_dimension", Form::Integer),
    may(
        "embedding_types",
        Form::List(&Form::Choice(&["float", "int8", "uint8", "binary", "ubinary", "base64"])),
    ),
    may("truncate", Form::Choice(&["NONE", "START", "END"])),
    may("priority", Form::Integer),
]);

const RERANK: Form = Form::Fields(&[
    must("model", Form::Text),
    must("query", Form::Text),
    must("documents", Form::List(&Form::Text)),
    may("top_n", Form::Integer),
    may("max_tokens_per_doc", Form::Integer),
    may("priority", Form::Integer),
]);

const TOKENIZE: Form = Form::Fields(&[must("text", Form::Text), must("model", Form::Text)]);

/// Checks a chat request.
pub(super) fn chat(request: &Value, is_strict: bool) -> Checked {
    fits(request, &CHAT, is_strict)?;
    let messages = items(request.get("messages"));
    if messages.is_empty() {
        return Err(invalid("messages", "must be at least one message"));
    }
    if let Some(index) = messages.iter().position(is_silent) {
        return Err(invalid(
            &format!("messages[{index}].content"),
            "must have non-empty content or tool calls",
        ));
    }
    check_pairing(messages)?;
    check_range(request, "temperature", 0.0, 1.0)?;
    check_range(request, "p", 0.01, 0.99)?;
    check_range(request, "k", 0.0, 500.0)?;
    check_range(request, "frequency_penalty", 0.0, 1.0)?;
    check_range(request, "presence_penalty", 0.0, 1.0)?;
    match request.get("tool_choice").is_some() && items(request.get("tools")).is_empty() {
        true => Err(invalid("tool_choice", "can only be specified with tools")),
        false => Ok(()),
    }
}

/// Checks an embed request.
pub(super) fn embed(request: &Value, is_strict: bool) -> Checked {
    fits(request, &EMBED, is_strict)?;
    let given = ["texts", "images", "inputs"];
    let count: usize = given.iter().map(|name| items(request.get(*name)).len()).sum();
    if count == 0 || count > INPUTS_MAX {
        return Err(invalid("texts", "provide texts, images or inputs"));
    }
    match request.get("output_dimension").and_then(Value::as_u64) {
        None | Some(1..=DIMENSIONS_MAX) => Ok(()),
        Some(_) => Err(invalid("output_dimension", "is not supported by the model")),
    }
}

/// Checks a rerank request.
pub(super) fn rerank(request: &Value, is_strict: bool) -> Checked {
    fits(request, &RERANK, is_strict)?;
    match items(request.get("documents")).len() {
        1..=INPUTS_MAX => Ok(()),
        _ => Err(invalid("documents", "must have at least one document")),
    }
}

/// Checks a tokenize request.
pub(super) fn tokenize(request: &Value, is_strict: bool) -> Checked {
    fits(request, &TOKENIZE, is_strict)
}

fn fits(request: &Value, form: &Form, is_strict: bool) -> Checked {
    match form::check(request, form) {
        Err(misfit) if is_strict || misfit.kind != Kind::Unknown => Err(worded(&misfit)),
        _ => Ok(()),
    }
}

fn worded(misfit: &Misfit) -> Refusal {
    let place = misfit.bracketed();
    match &misfit.kind {
        Kind::Missing => invalid(&place, "is required"),
        Kind::Unknown => invalid(&place, "is not a valid field"),
        Kind::Type { expected, found } => {
            invalid(&place, &format!("must be of type {expected}, not {found}"))
        }
        Kind::Choice { found, allowed } => {
            invalid(&place, &format!("must be one of [{}], not {found}", allowed.join(", ")))
        }
        Kind::Union | Kind::Base64 => invalid(&place, "is malformed"),
    }
}

fn invalid(place: &str, problem: &str) -> Refusal {
    Refusal::invalid(format!("invalid request: parameter '{place}' {problem}.")).param(place)
}

fn is_silent(message: &Value) -> bool {
    let is_empty = match message.get("content") {
        Some(Value::String(content)) => content.is_empty(),
        content => items(content).is_empty(),
    };
    let calls = items(message.get("tool_calls"));
    is_empty && calls.is_empty() && text(message, "tool_plan").is_empty()
}

/// Tool messages answer the calls right before them, all of them.
fn check_pairing(messages: &[Value]) -> Checked {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if text(message, "role") != "tool" {
            check_none_open(&open, index)?;
            open = items(message.get("tool_calls")).iter().map(|call| text(call, "id")).collect();
            continue;
        }
        let id = text(message, "tool_call_id");
        match open.iter().position(|call| *call == id) {
            Some(position) => drop(open.swap_remove(position)),
            None => {
                let place = format!("messages[{index}].tool_call_id");
                return Err(invalid(&place, &format!("has no matching tool call for '{id}'")));
            }
        }
    }
    check_none_open(&open, messages.len())
}

fn check_none_open(open: &[&str], index: usize) -> Checked {
    match open.is_empty() {
        true => Ok(()),
        false => {
            let place = format!("messages[{index}]");
            Err(invalid(
                &place,
                &format!("must be the result of the tool calls {}", open.join(", ")),
            ))
        }
    }
}

fn check_range(request: &Value, name: &str, least: f64, most: f64) -> Checked {
    match request.get(name).and_then(Value::as_f64) {
        Some(value) if !(least..=most).contains(&value) => {
            Err(invalid(name, &format!("must be between {least} and {most} inclusive")))
        }
        _ => Ok(()),
    }
}
