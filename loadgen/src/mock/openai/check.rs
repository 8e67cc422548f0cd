//! Checks a chat completion request as OpenAI would, and words the refusal as OpenAI words it.

use serde_json::{Map, Value};

use super::role;
use crate::mock::limits::CHOICES_MAX;
use crate::mock::refusal::Refusal;

type Checked = Result<(), Refusal>;

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];
const CONTENT_PARTS: [&str; 5] = ["text", "image_url", "input_audio", "file", "refusal"];
const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];
const STOPS_MAX: usize = 4;

/// Fields OpenAI documents for this endpoint; others are refused when checking strictly.
const FIELDS: [&str; 37] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Checks a whole request; `strict` refuses undocumented fields too.
pub(super) fn check(request: &Value, strict: bool) -> Checked {
    let fields = request.as_object().ok_or_else(|| {
        Refusal::invalid("We expected the JSON body of your request to be an object.")
    })?;
    if strict {
        check_names(fields)?;
    }
    check_model(fields)?;
    let messages = messages(fields)?;
    for (index, message) in messages.iter().enumerate() {
        check_message(message, &format!("messages[{index}]"))?;
    }
    check_pairing(messages)?;
    check_numbers(fields)?;
    check_stream(fields)?;
    check_stop(fields)?;
    check_tools(fields)?;
    check_response_format(fields, messages)?;
    check_choice_of(fields, "reasoning_effort", &EFFORTS)
}

fn check_names(fields: &Map<String, Value>) -> Checked {
    match fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        Some(name) => {
            let message = format!("Unrecognized request argument supplied: {name}");
            Err(Refusal::invalid(message).param(name))
        }
        None => Ok(()),
    }
}

fn check_model(fields: &Map<String, Value>) -> Checked {
    match fields.get("model") {
        Some(Value::String(model)) if !model.is_empty() => Ok(()),
        Some(Value::String(_)) | None => {
            Err(Refusal::invalid("you must provide a model parameter"))
        }
        Some(other) => Err(wrong_type("model", "a string", other)),
    }
}

fn messages(fields: &Map<String, Value>) -> Result<&[Value], Refusal> {
    match fields.get("messages") {
        None => Err(missing("messages")),
        Some(Value::Array(messages)) if messages.is_empty() => Err(Refusal::invalid(
            "Invalid 'messages': empty array. Expected an array with minimum length 1, \
             but got an empty array instead.",
        )
        .param("messages")
        .code("empty_array")),
        Some(Value::Array(messages)) => Ok(messages),
        Some(other) => Err(wrong_type("messages", "an array of objects", other)),
    }
}

fn check_message(message: &Value, path: &str) -> Checked {
    if !message.is_object() {
        return Err(wrong_type(path, "an object", message));
    }
    let role_path = format!("{path}.role");
    match message.get("role") {
        None => return Err(missing(&role_path)),
        Some(Value::String(role)) => check_value(role, &role_path, &ROLES)?,
        Some(other) => return Err(wrong_type(&role_path, "a string", other)),
    }
    let calls = message.get("tool_calls").filter(|calls| !calls.is_null());
    if let Some(calls) = calls {
        check_tool_calls(calls, &format!("{path}.tool_calls"))?;
    }
    if role(message) == "tool" && !message.get("tool_call_id").is_some_and(Value::is_string) {
        return Err(missing(&format!("{path}.tool_call_id")));
    }
    let other = ["refusal", "audio", "function_call"];
    let may_be_silent = role(message) == "assistant"
        && (calls.is_some() || other.iter().any(|name| message.get(name).is_some()));
    check_content(message, &format!("{path}.content"), may_be_silent)
}

fn check_content(message: &Value, path: &str, may_be_silent: bool) -> Checked {
    match message.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Null) | None if may_be_silent => Ok(()),
        None => Err(missing(path)),
        Some(Value::Array(parts)) if parts.is_empty() => {
            let message = format!(
                "Invalid '{path}': empty array. Expected an array with minimum length 1, \
                 but got an empty array instead."
            );
            Err(Refusal::invalid(message).param(path).code("empty_array"))
        }
        Some(Value::Array(parts)) => parts
            .iter()
            .enumerate()
            .try_for_each(|(index, part)| check_part(part, &format!("{path}[{index}]"))),
        Some(other) => Err(wrong_type(path, "one of a string or array of objects", other)),
    }
}

fn check_part(part: &Value, path: &str) -> Checked {
    let kind_path = format!("{path}.type");
    let kind = match part.get("type") {
        None => return Err(missing(&kind_path)),
        Some(Value::String(kind)) => kind,
        Some(other) => return Err(wrong_type(&kind_path, "a string", other)),
    };
    check_value(kind, &kind_path, &CONTENT_PARTS)?;
    // A part holds its content under its own name.
    let content = part.get(kind);
    let is_right = match kind.as_str() {
        "text" | "refusal" => content.is_some_and(Value::is_string),
        "image_url" => part.pointer("/image_url/url").is_some_and(Value::is_string),
        _ => content.is_some_and(Value::is_object),
    };
    match (is_right, content) {
        (true, _) => Ok(()),
        (false, None) => Err(missing(&format!("{path}.{kind}"))),
        (false, Some(other)) => Err(wrong_type(&format!("{path}.{kind}"), "another type", other)),
    }
}

fn check_tool_calls(calls: &Value, path: &str) -> Checked {
    let calls = calls.as_array().ok_or_else(|| wrong_type(path, "an array of objects", calls))?;
    for (index, call) in calls.iter().enumerate() {
        let required = ["/id", "/type", "/function/name", "/function/arguments"];
        if call.get("type").and_then(Value::as_str) == Some("custom") {
            continue;
        }
        for pointer in required {
            let place = || format!("{path}[{index}]{}", pointer.replace('/', "."));
            match call.pointer(pointer) {
                Some(Value::String(_)) => {}
                None => return Err(missing(&place())),
                Some(other) => return Err(wrong_type(&place(), "a string", other)),
            }
        }
    }
    Ok(())
}

/// Every tool call is answered right after it, and only tool calls are answered.
fn check_pairing(messages: &[Value]) -> Checked {
    let mut open: Vec<&str> = Vec::new();
    let mut has_calls = false;
    for (index, message) in messages.iter().enumerate() {
        if role(message) == "tool" {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            check_answered_call(has_calls, &mut open, id, index)?;
            continue;
        }
        check_none_open(&open, index)?;
        let calls = message.get("tool_calls").and_then(Value::as_array);
        open = calls.into_iter().flatten().filter_map(|call| call.get("id")?.as_str()).collect();
        has_calls = !open.is_empty();
    }
    check_none_open(&open, messages.len())
}

fn check_answered_call(has_calls: bool, open: &mut Vec<&str>, id: &str, index: usize) -> Checked {
    if !has_calls {
        return Err(Refusal::invalid(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding \
             message with 'tool_calls'.",
        )
        .param(format!("messages.[{index}].role")));
    }
    match open.iter().position(|call| *call == id) {
        Some(position) => {
            open.swap_remove(position);
            Ok(())
        }
        None => Err(Refusal::invalid(format!(
            "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous \
             message."
        ))
        .param(format!("messages.[{index}].tool_call_id"))),
    }
}

fn check_none_open(open: &[&str], index: usize) -> Checked {
    if open.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to \
         each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
    .param(format!("messages.[{index}].role")))
}

fn check_numbers(fields: &Map<String, Value>) -> Checked {
    check_decimal(fields, "temperature", 0.0, 2.0)?;
    check_decimal(fields, "top_p", 0.0, 1.0)?;
    check_decimal(fields, "presence_penalty", -2.0, 2.0)?;
    check_decimal(fields, "frequency_penalty", -2.0, 2.0)?;
    check_integer(fields, "max_tokens", u64::MAX)?;
    check_integer(fields, "max_completion_tokens", u64::MAX)?;
    check_integer(fields, "n", CHOICES_MAX)
}

pub(super) fn check_decimal(
    fields: &Map<String, Value>,
    name: &str,
    least: f64,
    most: f64,
) -> Checked {
    let Some(value) = present(fields, name) else { return Ok(()) };
    let number = value.as_f64().ok_or_else(|| wrong_type(name, "a decimal", value))?;
    if (least..=most).contains(&number) {
        return Ok(());
    }
    let (bound, code) = match number < least {
        true => (format!(">= {least}"), "decimal_below_min_value"),
        false => (format!("<= {most}"), "decimal_above_max_value"),
    };
    let message = format!(
        "Invalid '{name}': decimal out of range. Expected a value {bound}, but got {number} \
         instead."
    );
    Err(Refusal::invalid(message).param(name).code(code))
}

fn check_integer(fields: &Map<String, Value>, name: &str, most: u64) -> Checked {
    let Some(value) = present(fields, name) else { return Ok(()) };
    if !value.is_i64() && !value.is_u64() {
        return Err(wrong_type(name, "an integer", value));
    }
    let (bound, code) = match value.as_u64() {
        Some(number) if number > most => (format!("<= {most}"), "integer_above_max_value"),
        Some(1..) => return Ok(()),
        _ => (">= 1".to_owned(), "integer_below_min_value"),
    };
    let message = format!(
        "Invalid '{name}': integer out of range. Expected a value {bound}, but got {value} instead."
    );
    Err(Refusal::invalid(message).param(name).code(code))
}

fn check_stream(fields: &Map<String, Value>) -> Checked {
    let stream = present(fields, "stream");
    if let Some(other) = stream.filter(|stream| !stream.is_boolean()) {
        return Err(wrong_type("stream", "a boolean", other));
    }
    let Some(options) = present(fields, "stream_options") else { return Ok(()) };
    if !options.is_object() {
        return Err(wrong_type("stream_options", "an object", options));
    }
    match stream {
        Some(Value::Bool(true)) => Ok(()),
        _ => Err(Refusal::invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        )
        .param("stream_options")),
    }
}

fn check_stop(fields: &Map<String, Value>) -> Checked {
    match present(fields, "stop") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(stops)) if stops.len() > STOPS_MAX => {
            let message = format!(
                "Invalid 'stop': array too long. Expected an array with maximum length \
                 {STOPS_MAX}, but got an array with length {} instead.",
                stops.len()
            );
            Err(Refusal::invalid(message).param("stop").code("array_above_max_length"))
        }
        Some(Value::Array(stops)) if stops.iter().all(Value::is_string) => Ok(()),
        Some(other) => Err(wrong_type("stop", "one of a string or array of strings", other)),
    }
}

fn check_tools(fields: &Map<String, Value>) -> Checked {
    let tools = match present(fields, "tools") {
        None => &[],
        Some(Value::Array(tools)) if tools.is_empty() => {
            return Err(Refusal::invalid(
                "Invalid 'tools': empty array. Expected an array with minimum length 1, but got \
                 an empty array instead.",
            )
            .param("tools")
            .code("empty_array"));
        }
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(other) => return Err(wrong_type("tools", "an array of objects", other)),
    };
    for (index, tool) in tools.iter().enumerate() {
        check_tool(tool, &format!("tools[{index}]"))?;
    }
    check_tool_choice(fields, tools)
}

fn check_tool(tool: &Value, path: &str) -> Checked {
    let kind_path = format!("{path}.type");
    let kind = tool.get("type").and_then(Value::as_str).ok_or_else(|| missing(&kind_path))?;
    check_value(kind, &kind_path, &["function", "custom"])?;
    if kind == "custom" {
        return Ok(());
    }
    let name_path = format!("{path}.function.name");
    let name = tool.pointer("/function/name").and_then(Value::as_str);
    let name = name.ok_or_else(|| missing(&name_path))?;
    if !is_tool_name(name) {
        let message = format!(
            "Invalid '{name_path}': string does not match pattern. Expected a string that matches \
             the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(Refusal::invalid(message).param(name_path).code("invalid_value"));
    }
    match tool.pointer("/function/parameters") {
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(other) => Err(wrong_type(&format!("{path}.function.parameters"), "an object", other)),
    }
}

pub(super) fn is_tool_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

fn check_tool_choice(fields: &Map<String, Value>, tools: &[Value]) -> Checked {
    let Some(choice) = present(fields, "tool_choice") else { return Ok(()) };
    if tools.is_empty() {
        let message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when \
                       'tools' are specified.";
        return Err(Refusal::invalid(message).param("tool_choice"));
    }
    match choice {
        Value::String(choice) => check_value(choice, "tool_choice", &["none", "auto", "required"]),
        Value::Object(_) => match choice.pointer("/function/name").and_then(Value::as_str) {
            Some(name) => check_chosen_tool(tools, name),
            None => Ok(()),
        },
        other => Err(wrong_type("tool_choice", "one of a string or object", other)),
    }
}

fn check_chosen_tool(tools: &[Value], name: &str) -> Checked {
    let names = tools.iter().filter_map(|tool| tool.pointer("/function/name")?.as_str());
    if names.into_iter().any(|offered| offered == name) {
        return Ok(());
    }
    let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
    Err(Refusal::invalid(message).param("tool_choice"))
}

fn check_response_format(fields: &Map<String, Value>, messages: &[Value]) -> Checked {
    let Some(format) = present(fields, "response_format") else { return Ok(()) };
    let kind = format.get("type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| missing("response_format.type"))?;
    check_value(kind, "response_format.type", &["text", "json_object", "json_schema"])?;
    if kind == "json_schema" {
        let schema = format.get("json_schema");
        let schema = schema.ok_or_else(|| missing("response_format.json_schema"))?;
        if !schema.get("name").is_some_and(Value::is_string) {
            return Err(missing("response_format.json_schema.name"));
        }
    }
    let says_json =
        |message: &Value| super::content_text(message).to_ascii_lowercase().contains("json");
    if kind == "json_object" && !messages.iter().any(says_json) {
        let message = "'messages' must contain the word 'json' in some form, to use \
                       'response_format' of type 'json_object'.";
        return Err(Refusal::invalid(message).param("messages"));
    }
    Ok(())
}

fn check_choice_of(fields: &Map<String, Value>, name: &str, values: &[&str]) -> Checked {
    match present(fields, name) {
        None => Ok(()),
        Some(Value::String(value)) => check_value(value, name, values),
        Some(other) => Err(wrong_type(name, "a string", other)),
    }
}

fn check_value(value: &str, path: &str, values: &[&str]) -> Checked {
    if values.contains(&value) {
        return Ok(());
    }
    let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    let message = format!("Invalid value: '{value}'. Supported values are: {}.", values.join(", "));
    Err(Refusal::invalid(message).param(path).code("invalid_value"))
}

/// A field that is there and not null; null is OpenAI's way to leave a field out.
pub(super) fn present<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

pub(super) fn missing(path: &str) -> Refusal {
    Refusal::invalid(format!("Missing required parameter: '{path}'."))
        .param(path)
        .code("missing_required_parameter")
}

pub(super) fn wrong_type(path: &str, expected: &str, found: &Value) -> Refusal {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    let message =
        format!("Invalid type for '{path}': expected {expected}, but got {found} instead.");
    Refusal::invalid(message).param(path).code("invalid_type")
}

#[cfg(test)]
mod tests;
