//! Checks a responses request as OpenAI would.

use serde_json::Value;

use super::super::check::{check_decimal, is_tool_name, missing, wrong_type};
use super::super::misfit::refusal;
use crate::mock::conversation::{items, text};
use crate::mock::form::{self, Form, may, must};
use crate::mock::refusal::Refusal;
use crate::mock::signature::is_signature;

type Checked = Result<(), Refusal>;

const FORM: Form = Form::Fields(&[
    must("model", Form::Text),
    may("input", Form::Either(&[Form::Text, Form::List(&ITEM)])),
    may("access_programs", Form::Object),
    may("background", Form::Flag),
    may("context_management", Form::Any),
    may("conversation", Form::Either(&[Form::Text, Form::Object])),
    may("include", Form::List(&Form::Text)),
    may("instructions", Form::Text),
    may("max_output_tokens", Form::Integer),
    may("max_tool_calls", Form::Integer),
    may("metadata", Form::Object),
    may("moderation", Form::Object),
    may("parallel_tool_calls", Form::Flag),
    may("previous_response_id", Form::Text),
    may("prompt", Form::Object),
    may("prompt_cache_key", Form::Text),
    may("prompt_cache_options", Form::Object),
    may("prompt_cache_retention", Form::Text),
    may("reasoning", REASONING),
    may("safety_identifier", Form::Text),
    may("service_tier", Form::Choice(&["auto", "default", "flex", "scale", "priority"])),
    may("store", Form::Flag),
    may("stream", Form::Flag),
    may("stream_options", Form::Object),
    may("temperature", Form::Decimal),
    may("text", TEXT),
    may("tool_choice", TOOL_CHOICE),
    may("tools", Form::List(&TOOL)),
    may("top_logprobs", Form::Integer),
    may("top_p", Form::Decimal),
    may("truncation", Form::Choice(&["auto", "disabled"])),
    may("user", Form::Text),
]);

const REASONING: Form = Form::Fields(&[
    may("context", Form::Text),
    may("effort", Form::Choice(&["none", "minimal", "low", "medium", "high", "xhigh", "max"])),
    may("generate_summary", SUMMARY),
    may("mode", Form::Text),
    may("summary", SUMMARY),
]);

const SUMMARY: Form = Form::Choice(&["auto", "concise", "detailed"]);

const TEXT: Form = Form::Fields(&[
    may("format", FORMAT),
    may("verbosity", Form::Choice(&["low", "medium", "high"])),
]);

const FORMAT: Form = Form::Tagged(
    "type",
    &[
        ("text", Form::Open(&[])),
        ("json_object", Form::Open(&[])),
        (
            "json_schema",
            Form::Fields(&[
                must("type", Form::Text),
                must("name", Form::Text),
                must("schema", Form::Object),
                may("description", Form::Text),
                may("strict", Form::Flag),
            ]),
        ),
    ],
);

const TOOL_CHOICE: Form = Form::Either(&[
    Form::Choice(&["none", "auto", "required"]),
    Form::Open(&[must("type", Form::Text)]),
]);

const TOOL: Form = Form::Open(&[must("type", Form::Text)]);

/// Items of a conversation. What OpenAI has more of is passed.
const ITEM: Form = Form::Open(&[
    may("type", Form::Text),
    may("id", Form::Text),
    may("role", Form::Choice(&["user", "assistant", "system", "developer"])),
]);

const MESSAGE: Form = Form::Open(&[
    must("role", Form::Text),
    must("content", Form::Either(&[Form::Text, Form::List(&PART)])),
]);

const FUNCTION: Form = Form::Fields(&[
    must("type", Form::Text),
    must("name", Form::Text),
    may("parameters", Form::Object),
    may("strict", Form::Flag),
    may("description", Form::Text),
    may("allowed_callers", Form::Any),
    may("async", Form::Flag),
    may("defer_loading", Form::Flag),
    may("output_schema", Form::Object),
]);

const CALL: Form = Form::Open(&[
    must("call_id", Form::Text),
    must("name", Form::Text),
    must("arguments", Form::Text),
]);

const CALL_OUTPUT: Form = Form::Open(&[
    must("call_id", Form::Text),
    must("output", Form::Either(&[Form::Text, Form::List(&PART)])),
]);

const REASONING_ITEM: Form = Form::Open(&[
    must("summary", Form::List(&Form::Open(&[must("text", Form::Text)]))),
    may("encrypted_content", Form::Text),
]);

const PART: Form = Form::Tagged(
    "type",
    &[
        ("input_text", Form::Open(&[must("text", Form::Text)])),
        ("input_image", Form::Open(&[may("image_url", Form::Text), may("file_id", Form::Text)])),
        ("input_file", Form::Open(&[])),
        ("input_audio", Form::Open(&[must("input_audio", Form::Object)])),
        ("output_text", Form::Open(&[must("text", Form::Text)])),
        ("refusal", Form::Open(&[must("refusal", Form::Text)])),
        ("summary_text", Form::Open(&[must("text", Form::Text)])),
        ("reasoning_text", Form::Open(&[must("text", Form::Text)])),
    ],
);

const OUTPUT_TOKENS_MIN: u64 = 16;

/// Checks a whole request.
pub(super) fn check(request: &Value) -> Checked {
    fits(request, &FORM)?;
    if ["input", "prompt", "previous_response_id", "conversation"]
        .iter()
        .all(|name| request.get(name).is_none())
    {
        return Err(Refusal::invalid(
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.",
        )
        .param("input")
        .code("missing_required_parameter"));
    }
    let fields = request.as_object().ok_or_else(|| missing("model"))?;
    check_decimal(fields, "temperature", 0.0, 2.0)?;
    check_decimal(fields, "top_p", 0.0, 1.0)?;
    check_output_tokens(request)?;
    for (index, item) in items(request.get("input")).iter().enumerate() {
        check_item(item, &format!("input[{index}]"))?;
    }
    check_pairing(request)?;
    for (index, tool) in items(request.get("tools")).iter().enumerate() {
        check_tool(tool, &format!("tools[{index}]"))?;
    }
    check_tool_choice(request)
}

fn fits(value: &Value, form: &Form) -> Checked {
    form::check(value, form).map_err(|misfit| refusal(&misfit))
}

fn fits_at(value: &Value, form: &Form, place: &str) -> Checked {
    form::check(value, form).map_err(|misfit| refusal(&misfit.inside(place)))
}

fn check_output_tokens(request: &Value) -> Checked {
    match request.get("max_output_tokens").and_then(Value::as_u64) {
        Some(limit) if limit < OUTPUT_TOKENS_MIN => {
            let message = format!(
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= \
                 {OUTPUT_TOKENS_MIN}, but got {limit} instead."
            );
            Err(Refusal::invalid(message)
                .param("max_output_tokens")
                .code("integer_below_min_value"))
        }
        _ => Ok(()),
    }
}

fn check_item(item: &Value, place: &str) -> Checked {
    match text(item, "type") {
        "" | "message" => {
            fits_at(item, &MESSAGE, place)?;
            check_sides(item, place)
        }
        "function_call" => fits_at(item, &CALL, place),
        "function_call_output" => fits_at(item, &CALL_OUTPUT, place),
        "reasoning" => {
            fits_at(item, &REASONING_ITEM, place)?;
            check_encrypted(item, place)
        }
        _ => Ok(()),
    }
}

/// What the model said is output, what others said is input.
fn check_sides(message: &Value, place: &str) -> Checked {
    let is_own = text(message, "role") == "assistant";
    for (index, part) in items(message.get("content")).iter().enumerate() {
        let kind = text(part, "type");
        let is_right = if is_own {
            ["output_text", "refusal"].contains(&kind)
        } else {
            kind.starts_with("input_")
        };
        if !is_right {
            let allowed = if is_own {
                "'output_text' and 'refusal'"
            } else {
                "'input_text', 'input_image', 'input_file' and 'input_audio'"
            };
            let message = format!("Invalid value: '{kind}'. Supported values are: {allowed}.");
            let place = format!("{place}.content[{index}]");
            return Err(Refusal::invalid(message).param(place).code("invalid_value"));
        }
    }
    Ok(())
}

/// Encrypted reasoning comes back as it was sent, or not at all.
fn check_encrypted(item: &Value, place: &str) -> Checked {
    match item.get("encrypted_content").and_then(Value::as_str) {
        Some(encrypted) if !is_signature(encrypted) => {
            let message = "The encrypted content could not be verified. Reason: Encrypted content could not be \
                           decrypted or parsed.";
            let place = format!("{place}.encrypted_content");
            Err(Refusal::invalid(message).param(place).code("invalid_encrypted_content"))
        }
        _ => Ok(()),
    }
}

/// Every call has its output and every output its call, unless the call is in an earlier response.
fn check_pairing(request: &Value) -> Checked {
    let ids = |kind: &str| {
        let items = items(request.get("input")).iter();
        items
            .filter(|item| text(item, "type") == kind)
            .map(|item| text(item, "call_id"))
            .collect::<Vec<_>>()
    };
    let (calls, outputs) = (ids("function_call"), ids("function_call_output"));
    if let Some(id) = calls.iter().find(|id| !outputs.contains(id)) {
        let message = format!("No tool output found for function call {id}.");
        return Err(Refusal::invalid(message).param("input"));
    }
    let goes_on = request.get("previous_response_id").or(request.get("conversation")).is_some();
    match outputs.iter().find(|id| !calls.contains(id)) {
        Some(id) if !goes_on => {
            let message = format!("No tool call found for function call output with call_id {id}.");
            Err(Refusal::invalid(message).param("input"))
        }
        _ => Ok(()),
    }
}

fn check_tool(tool: &Value, place: &str) -> Checked {
    if text(tool, "type") != "function" {
        return Ok(());
    }
    fits_at(tool, &FUNCTION, place)?;
    match is_tool_name(text(tool, "name")) {
        true => Ok(()),
        false => {
            let place = format!("{place}.name");
            let message = format!(
                "Invalid '{place}': string does not match pattern. Expected a string that matches the pattern \
                 '^[a-zA-Z0-9_-]+$'."
            );
            Err(Refusal::invalid(message).param(place).code("invalid_value"))
        }
    }
}

fn check_tool_choice(request: &Value) -> Checked {
    let Some(choice) = request.get("tool_choice").filter(|choice| !choice.is_null()) else {
        return Ok(());
    };
    let tools = items(request.get("tools"));
    if tools.is_empty() && choice.as_str() != Some("none") && choice.as_str() != Some("auto") {
        let message = "Tool choice is only allowed when tools are specified.";
        return Err(Refusal::invalid(message).param("tool_choice"));
    }
    if text(choice, "type") != "function" {
        return Ok(());
    }
    match choice.get("name") {
        None => Err(missing("tool_choice.name")),
        Some(Value::String(name)) if tools.iter().any(|tool| text(tool, "name") == name) => Ok(()),
        Some(Value::String(name)) => {
            let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
            Err(Refusal::invalid(message).param("tool_choice"))
        }
        Some(other) => Err(wrong_type("tool_choice.name", "a string", other)),
    }
}
