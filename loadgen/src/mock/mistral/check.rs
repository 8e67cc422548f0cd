//! Checks requests as Mistral would, and words the refusal as Mistral words it.

use serde_json::Value;

use crate::mock::conversation::{items, text};
use crate::mock::form::{self, Form, Kind, Misfit, may, must};
use crate::mock::refusal::Refusal;

type Checked = Result<(), Refusal>;

const CHAT: Form = Form::Fields(&[
    must("model", Form::Text),
    must("messages", Form::List(&MESSAGE)),
    may("temperature", Form::Decimal),
    may("top_p", Form::Decimal),
    may("max_tokens", Form::Integer),
    may("stream", Form::Flag),
    may("stop", Form::Either(&[Form::Text, Form::List(&Form::Text)])),
    may("random_seed", Form::Integer),
    may("metadata", Form::Object),
    may("response_format", FORMAT),
    may("tools", Form::List(&TOOL)),
    may("tool_choice", TOOL_CHOICE),
    may("presence_penalty", Form::Decimal),
    may("frequency_penalty", Form::Decimal),
    may("min_tokens", Form::Integer),
    may("repetition_penalty", Form::Decimal),
    may("top_k", Form::Integer),
    may("logprobs", Form::Flag),
    may("top_logprobs", Form::Integer),
    may("prompt_logprobs", Form::Flag),
    may("top_prompt_logprobs", Form::Integer),
    may("service_tier", Form::Text),
    may("n", Form::Integer),
    may("prediction", Form::Object),
    may("parallel_tool_calls", Form::Flag),
    may("prompt_mode", Form::Choice(&["reasoning"])),
    may("reasoning_effort", Form::Choice(&["none", "low", "medium", "high"])),
    may("prompt_cache_key", Form::Text),
    may("guardrails", Form::List(&Form::Any)),
    may("safe_prompt", Form::Flag),
]);

const MESSAGE: Form = Form::Tagged(
    "role",
    &[
        ("system", Form::Fields(&[must("role", Form::Text), must("content", CONTENT)])),
        ("user", Form::Fields(&[must("role", Form::Text), must("content", CONTENT)])),
        (
            "assistant",
            Form::Fields(&[
                must("role", Form::Text),
                may("content", CONTENT),
                may("tool_calls", Form::List(&CALL)),
                may("prefix", Form::Flag),
            ]),
        ),
        (
            "tool",
            Form::Fields(&[
                must("role", Form::Text),
                must("content", CONTENT),
                may("tool_call_id", Form::Text),
                may("name", Form::Text),
            ]),
        ),
    ],
);

const CONTENT: Form = Form::Either(&[Form::Text, Form::List(&PART)]);

const PART: Form = Form::Tagged(
    "type",
    &[
        ("text", Form::Fields(&[must("type", Form::Text), must("text", Form::Text)])),
        (
            "image_url",
            Form::Fields(&[
                must("type", Form::Text),
                must(
                    "image_url",
                    Form::Either(&[
                        Form::Text,
                        Form::Fields(&[must("url", Form::Text), may("detail", Form::Text)]),
                    ]),
                ),
            ]),
        ),
        ("document_url", Form::Open(&[must("document_url", Form::Text)])),
        ("file", Form::Open(&[])),
        ("input_audio", Form::Open(&[must("input_audio", Form::Any)])),
        ("reference", Form::Open(&[must("reference_ids", Form::Any)])),
        ("thinking", Form::Open(&[must("thinking", Form::List(&Form::Open(&[])))])),
    ],
);

const CALL: Form = Form::Open(&[
    may("id", Form::Text),
    must(
        "function",
        Form::Fields(&[
            must("name", Form::Text),
            must("arguments", Form::Either(&[Form::Text, Form::Object])),
        ]),
    ),
]);

const TOOL: Form = Form::Fields(&[
    may("type", Form::Choice(&["function"])),
    must(
        "function",
        Form::Fields(&[
            must("name", Form::Text),
            must("parameters", Form::Object),
            may("description", Form::Text),
            may("strict", Form::Flag),
        ]),
    ),
]);

const TOOL_CHOICE: Form = Form::Either(&[
    Form::Choice(&["auto", "none", "any", "required"]),
    Form::Fields(&[
        may("type", Form::Choice(&["function"])),
        must("function", Form::Fields(&[must("name", Form::Text)])),
    ]),
]);

const FORMAT: Form = Form::Fields(&[
    must("type", Form::Choice(&["text", "json_object", "json_schema"])),
    may(
        "json_schema",
        Form::Fields(&[
            must("name", Form::Text),
            must("schema", Form::Object),
            may("description", Form::Text),
            may("strict", Form::Flag),
        ]),
    ),
]);

const EMBEDDINGS: Form = Form::Fields(&[
    must("model", Form::Text),
    must("input", Form::Either(&[Form::Text, Form::List(&Form::Text)])),
    may("metadata", Form::Object),
    may("output_dimension", Form::Integer),
    may("output_dtype", Form::Text),
    may("encoding_format", Form::Choice(&["float", "base64"])),
]);

const ID_CHARS: usize = 9;

/// Checks a chat request.
pub(super) fn chat(request: &Value) -> Checked {
    fits(request, &CHAT)?;
    let messages = items(request.get("messages"));
    let Some(last) = messages.last() else {
        return Err(at(
            "messages",
            "List should have at least 1 item after validation, not 0",
            "too_short",
        ));
    };
    for (index, message) in messages.iter().enumerate() {
        check_ids(message, index)?;
    }
    check_order(messages)?;
    let may_go_on = last.get("prefix") == Some(&Value::Bool(true));
    if text(last, "role") == "assistant" && !may_go_on
        || text(last, "role") == "system" && messages.len() > 1
    {
        let role = text(last, "role");
        return Err(Refusal::invalid(format!(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got {role}"
        )));
    }
    check_range(request, "temperature", 1.5)?;
    check_range(request, "top_p", 1.0)
}

/// Checks an embeddings request.
pub(super) fn embeddings(request: &Value) -> Checked {
    fits(request, &EMBEDDINGS)
}

fn fits(request: &Value, form: &Form) -> Checked {
    form::check(request, form).map_err(|misfit| worded(&misfit))
}

fn worded(misfit: &Misfit) -> Refusal {
    let (message, code) = match &misfit.kind {
        Kind::Missing => ("Field required".to_owned(), "missing"),
        Kind::Unknown => ("Extra inputs are not permitted".to_owned(), "extra_forbidden"),
        Kind::Type { expected, .. } => {
            (format!("Input should be a valid {expected}"), "type_error")
        }
        Kind::Choice { allowed, .. } => {
            let allowed: Vec<String> = allowed.iter().map(|value| format!("'{value}'")).collect();
            (format!("Input should be {}", allowed.join(" or ")), "enum")
        }
        Kind::Union | Kind::Base64 => ("Input is malformed".to_owned(), "value_error"),
    };
    at(&misfit.dotted(), &message, code)
}

fn at(place: &str, message: &str, code: &'static str) -> Refusal {
    Refusal::invalid(message.to_owned()).param(place).code(code)
}

fn check_ids(message: &Value, index: usize) -> Checked {
    let calls = items(message.get("tool_calls")).iter().filter_map(|call| call.get("id"));
    let ids = calls.chain(message.get("tool_call_id")).filter_map(Value::as_str);
    let is_good =
        |id: &&str| id.len() == ID_CHARS && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match ids.into_iter().find(|id| !is_good(id)) {
        Some(id) => Err(at(
            &format!("messages.{index}.tool_call_id"),
            &format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9."),
            "invalid_function_call",
        )),
        None => Ok(()),
    }
}

/// Each call has its result right after it, each result its call, and no user speaks in between.
fn check_order(messages: &[Value]) -> Checked {
    let mut open = 0_usize;
    let mut before = "";
    for message in messages {
        let role = text(message, "role");
        match role {
            "tool" if open == 0 => {
                return Err(Refusal::invalid(format!(
                    "Unexpected role 'tool' after role '{before}'"
                )));
            }
            "tool" => open -= 1,
            _ if open > 0 => {
                return Err(Refusal::invalid(
                    "Not the same number of function calls and responses",
                ));
            }
            "user" if before == "tool" => {
                return Err(Refusal::invalid("Unexpected role 'user' after role 'tool'"));
            }
            _ => open = items(message.get("tool_calls")).len(),
        }
        before = role;
    }
    match open {
        0 => Ok(()),
        _ => Err(Refusal::invalid("Not the same number of function calls and responses")),
    }
}

fn check_range(request: &Value, name: &str, most: f64) -> Checked {
    match request.get(name).and_then(Value::as_f64) {
        Some(value) if !(0.0..=most).contains(&value) => Err(at(
            name,
            &format!("Input should be less than or equal to {most}"),
            "less_than_equal",
        )),
        _ => Ok(()),
    }
}
