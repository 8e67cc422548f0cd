//! Checks a messages request as Anthropic would, and words the refusal as Anthropic words it.

use serde_json::{Map, Value};

use super::is_type;
use crate::mock::refusal::Refusal;
use crate::mock::signature::signature;

type Checked = Result<(), Refusal>;

const BLOCKS: [&str; 14] = [
    "text",
    "image",
    "document",
    "search_result",
    "thinking",
    "redacted_thinking",
    "tool_use",
    "tool_result",
    "server_tool_use",
    "web_search_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "container_upload",
];
const THINKING_TOKENS_MIN: u64 = 1024;
const TOOL_NAME_CHARS_MAX: usize = 128;

/// Fields Anthropic documents for this endpoint; others are refused when checking strictly.
const FIELDS: [&str; 23] = [
    "cache_control",
    "container",
    "context_management",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "output_format",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "betas",
];

/// What is asked of the mock at this shape.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Purpose {
    /// A reply, which needs `max_tokens`.
    Reply,
    /// A token count.
    Count,
}

/// Checks a whole request; `strict` refuses undocumented fields too.
pub(super) fn check(request: &Value, purpose: Purpose, strict: bool) -> Checked {
    let fields = request.as_object().ok_or_else(|| {
        Refusal::invalid("Input should be a valid dictionary or object to extract fields from")
    })?;
    if strict {
        check_names(fields)?;
    }
    required(fields, "model")?;
    let messages = required(fields, "messages")?;
    if purpose == Purpose::Reply {
        check_max_tokens(required(fields, "max_tokens")?)?;
    }
    if !fields.get("model").is_some_and(Value::is_string) {
        return Err(at("model", "Input should be a valid string"));
    }
    check_messages(messages)?;
    check_system(fields)?;
    check_settings(fields)?;
    check_tools(fields)?;
    check_thinking(fields)
}

fn check_names(fields: &Map<String, Value>) -> Checked {
    match fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        Some(name) => Err(at(name, "Extra inputs are not permitted")),
        None => Ok(()),
    }
}

fn required<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<&'a Value, Refusal> {
    fields.get(name).ok_or_else(|| at(name, "Field required"))
}

fn check_max_tokens(value: &Value) -> Checked {
    match value.as_u64() {
        Some(1..) => Ok(()),
        _ if value.is_number() => {
            Err(at("max_tokens", "Input should be greater than or equal to 1"))
        }
        _ => Err(at("max_tokens", "Input should be a valid integer")),
    }
}

fn check_messages(messages: &Value) -> Checked {
    let messages =
        messages.as_array().ok_or_else(|| at("messages", "Input should be a valid list"))?;
    let Some(first) = messages.first() else {
        return Err(at("messages", "at least one message is required"));
    };
    for (index, message) in messages.iter().enumerate() {
        let may_be_empty = index + 1 == messages.len();
        check_message(message, &format!("messages.{index}"), may_be_empty)?;
    }
    if role(first) != "user" {
        return Err(at("messages", "first message must use the \"user\" role"));
    }
    check_pairing(messages)
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or_default()
}

fn check_message(message: &Value, path: &str, may_be_empty: bool) -> Checked {
    match message.get("role").and_then(Value::as_str) {
        Some("user" | "assistant") => {}
        Some("system") => {
            return Err(at(
                "messages",
                "Unexpected role \"system\". The Messages API accepts a top-level `system` \
                 parameter, not \"system\" as an input message role.",
            ));
        }
        Some(_) => {
            return Err(at(&format!("{path}.role"), "Input should be 'user' or 'assistant'"));
        }
        None => return Err(at(&format!("{path}.role"), "Field required")),
    }
    let content_path = format!("{path}.content");
    match message.get("content") {
        None => Err(at(&content_path, "Field required")),
        Some(Value::String(text)) => check_not_empty(text.is_empty(), message, path, may_be_empty),
        Some(Value::Array(blocks)) => {
            check_not_empty(blocks.is_empty(), message, path, may_be_empty)?;
            blocks.iter().enumerate().try_for_each(|(index, block)| {
                check_block(block, role(message), &format!("{content_path}.{index}"))
            })
        }
        Some(_) => Err(at(&content_path, "Input should be a valid list")),
    }
}

/// Only a last assistant message, which is a prefill, may be empty.
fn check_not_empty(is_empty: bool, message: &Value, path: &str, is_last: bool) -> Checked {
    match is_empty && !(is_last && role(message) == "assistant") {
        true => Err(at(
            path,
            "all messages must have non-empty content except for the optional final assistant \
             message",
        )),
        false => Ok(()),
    }
}

fn check_block(block: &Value, role: &str, path: &str) -> Checked {
    let kind = match block.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        _ => return Err(at(&format!("{path}.type"), "Field required")),
    };
    if !BLOCKS.contains(&kind) {
        let tags: Vec<String> = BLOCKS.iter().map(|name| format!("'{name}'")).collect();
        let message = format!(
            "Input tag '{kind}' found using 'type' does not match any of the expected tags: {}",
            tags.join(", ")
        );
        return Err(at(path, &message));
    }
    match (kind, role) {
        ("text", _) => check_text(block, path),
        ("image", _) => check_source(block, path),
        ("tool_use", "assistant") => check_tool_use(block, path),
        ("tool_result", "user") => check_string(block, "tool_use_id", path),
        ("tool_use", _) => Err(wrong_side("tool_use", "assistant")),
        ("tool_result", _) => Err(wrong_side("tool_result", "user")),
        ("thinking", _) => check_thinking_block(block, path),
        _ => Ok(()),
    }
}

fn wrong_side(block: &str, role: &str) -> Refusal {
    Refusal::invalid(format!("messages: `{block}` blocks can only be in `{role}` messages"))
}

fn check_text(block: &Value, path: &str) -> Checked {
    check_string(block, "text", path)?;
    match block.get("text").and_then(Value::as_str) {
        Some("") => Err(at("messages", "text content blocks must be non-empty")),
        _ => Ok(()),
    }
}

fn check_source(block: &Value, path: &str) -> Checked {
    let source = block.get("source");
    let source = source.ok_or_else(|| at(&format!("{path}.source"), "Field required"))?;
    let path = format!("{path}.source");
    match source.get("type").and_then(Value::as_str) {
        Some("base64") => {
            check_string(source, "media_type", &path)?;
            check_string(source, "data", &path)
        }
        Some("url") => check_string(source, "url", &path),
        Some("file") => check_string(source, "file_id", &path),
        _ => Err(at(&path, "Input tag found using 'type' does not match any of the expected tags")),
    }
}

fn check_tool_use(block: &Value, path: &str) -> Checked {
    check_string(block, "id", path)?;
    check_string(block, "name", path)?;
    let id = block.get("id").and_then(Value::as_str).unwrap_or_default();
    if !is_identifier(id) {
        let message = "String should match pattern '^[a-zA-Z0-9_-]+$'";
        return Err(at(&format!("{path}.id"), message));
    }
    match block.get("input") {
        Some(Value::Object(_)) => Ok(()),
        Some(_) => Err(at(&format!("{path}.input"), "Input should be a valid dictionary")),
        None => Err(at(&format!("{path}.input"), "Field required")),
    }
}

/// A thinking block comes back as it was sent, or not at all.
fn check_thinking_block(block: &Value, path: &str) -> Checked {
    check_string(block, "thinking", path)?;
    check_string(block, "signature", path)?;
    let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("signature") == signature(text("thinking")) {
        true => Ok(()),
        false => Err(at(path, "Invalid `signature` in `thinking` block")),
    }
}

fn check_string(object: &Value, name: &str, path: &str) -> Checked {
    match object.get(name) {
        Some(Value::String(_)) => Ok(()),
        Some(_) => Err(at(&format!("{path}.{name}"), "Input should be a valid string")),
        None => Err(at(&format!("{path}.{name}"), "Field required")),
    }
}

fn is_identifier(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !id.is_empty() && id.bytes().all(is_allowed)
}

/// Every tool use has its result in the next message, and every result its use in the one before.
fn check_pairing(messages: &[Value]) -> Checked {
    let mut used: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let results = ids(message, "tool_result", "tool_use_id");
        if let Some(id) = results.iter().find(|id| !used.contains(id)) {
            return Err(Refusal::invalid(format!(
                "messages.{index}.content: unexpected `tool_use_id` found in `tool_result` \
                 blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` \
                 block in the previous message."
            )));
        }
        check_all_answered(&used, &results, index)?;
        used = ids(message, "tool_use", "id");
    }
    check_all_answered(&used, &[], messages.len())
}

fn check_all_answered(used: &[&str], results: &[&str], index: usize) -> Checked {
    let missing: Vec<&str> = used.iter().copied().filter(|id| !results.contains(id)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: \
         {}. Each `tool_use` block must have a corresponding `tool_result` block in the next \
         message.",
        index.saturating_sub(1),
        missing.join(", ")
    )))
}

fn ids<'a>(message: &'a Value, kind: &str, name: &str) -> Vec<&'a str> {
    let blocks = message.get("content").and_then(Value::as_array);
    let blocks = blocks.into_iter().flatten().filter(|block| is_type(block, kind));
    blocks.filter_map(|block| block.get(name)?.as_str()).collect()
}

fn check_system(fields: &Map<String, Value>) -> Checked {
    match fields.get("system") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => blocks.iter().enumerate().try_for_each(|(index, block)| {
            let path = format!("system.{index}");
            match is_type(block, "text") {
                true => check_string(block, "text", &path),
                false => Err(at(&format!("{path}.type"), "Input should be 'text'")),
            }
        }),
        Some(_) => Err(at("system", "Input should be a valid list")),
    }
}

fn check_settings(fields: &Map<String, Value>) -> Checked {
    for name in ["temperature", "top_p"] {
        match fields.get(name) {
            None => {}
            Some(value) => check_share(name, value)?,
        }
    }
    if fields.get("top_k").is_some_and(|value| !value.is_u64()) {
        return Err(at("top_k", "Input should be a valid integer"));
    }
    if fields.get("stream").is_some_and(|value| !value.is_boolean()) {
        return Err(at("stream", "Input should be a valid boolean"));
    }
    match fields.get("stop_sequences") {
        None => Ok(()),
        Some(Value::Array(stops)) if stops.iter().all(Value::is_string) => Ok(()),
        Some(_) => Err(at("stop_sequences", "Input should be a valid list")),
    }
}

fn check_share(name: &str, value: &Value) -> Checked {
    match value.as_f64() {
        None => Err(at(name, "Input should be a valid number")),
        Some(number) if number < 0.0 => Err(at(name, "Input should be greater than or equal to 0")),
        Some(number) if number > 1.0 => Err(at(name, "Input should be less than or equal to 1")),
        Some(_) => Ok(()),
    }
}

fn check_tools(fields: &Map<String, Value>) -> Checked {
    let tools = match fields.get("tools") {
        None => &[],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(_) => return Err(at("tools", "Input should be a valid list")),
    };
    for (index, tool) in tools.iter().enumerate() {
        check_tool(tool, &format!("tools.{index}"))?;
    }
    check_tool_choice(fields, tools)
}

fn check_tool(tool: &Value, path: &str) -> Checked {
    let is_custom = tool.get("type").is_none_or(|kind| kind.is_null() || kind == "custom");
    if !is_custom {
        return check_string(tool, "type", path);
    }
    let path = format!("{path}.custom");
    check_string(tool, "name", &path)?;
    let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
    if !is_identifier(name) || name.len() > TOOL_NAME_CHARS_MAX {
        let message = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'";
        return Err(at(&format!("{path}.name"), message));
    }
    let schema_path = format!("{path}.input_schema");
    match tool.get("input_schema") {
        None => Err(at(&schema_path, "Field required")),
        Some(schema) if is_type(schema, "object") => Ok(()),
        Some(Value::Object(_)) => Err(at(&format!("{schema_path}.type"), "Field required")),
        Some(_) => Err(at(&schema_path, "Input should be a valid dictionary")),
    }
}

fn check_tool_choice(fields: &Map<String, Value>, tools: &[Value]) -> Checked {
    let Some(choice) = fields.get("tool_choice") else { return Ok(()) };
    let kind = choice.get("type").and_then(Value::as_str).unwrap_or_default();
    if !["auto", "any", "tool", "none"].contains(&kind) {
        let message = "Input tag found using 'type' does not match any of the expected tags: \
                       'auto', 'any', 'tool', 'none'";
        return Err(at("tool_choice", message));
    }
    if tools.is_empty() && kind != "none" {
        return Err(Refusal::invalid("tool_choice may only be specified while providing tools."));
    }
    let name = choice.get("name");
    if kind == "tool" && !tools.iter().any(|tool| tool.get("name") == name) {
        return Err(Refusal::invalid("Tool named in tool_choice not found in provided tools"));
    }
    Ok(())
}

fn check_thinking(fields: &Map<String, Value>) -> Checked {
    let Some(thinking) = fields.get("thinking") else { return Ok(()) };
    match thinking.get("type").and_then(Value::as_str) {
        Some("disabled" | "adaptive") => return Ok(()),
        Some("enabled") => {}
        _ => {
            let message = "Input tag found using 'type' does not match any of the expected tags: \
                           'adaptive', 'disabled', 'enabled'";
            return Err(at("thinking", message));
        }
    }
    let budget = thinking.get("budget_tokens");
    let path = "thinking.enabled.budget_tokens";
    let budget = budget.ok_or_else(|| at(path, "Field required"))?;
    let Some(budget) = budget.as_u64() else {
        return Err(at(path, "Input should be a valid integer"));
    };
    if budget < THINKING_TOKENS_MIN {
        return Err(at(path, "Input should be greater than or equal to 1024"));
    }
    if fields.get("max_tokens").and_then(Value::as_u64).is_some_and(|max| max <= budget) {
        return Err(Refusal::invalid(
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ));
    }
    check_thinking_company(fields)
}

/// What cannot be set together with thinking.
fn check_thinking_company(fields: &Map<String, Value>) -> Checked {
    if fields.get("temperature").and_then(Value::as_f64).is_some_and(|value| value != 1.0) {
        return Err(Refusal::invalid(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    let choice = fields.get("tool_choice");
    if choice.is_some_and(|choice| is_type(choice, "any") || is_type(choice, "tool")) {
        return Err(Refusal::invalid(
            "Thinking may not be enabled when tool_choice forces tool use.",
        ));
    }
    Ok(())
}

fn at(path: &str, message: &str) -> Refusal {
    Refusal::invalid(format!("{path}: {message}")).param(path)
}

#[cfg(test)]
mod tests;
