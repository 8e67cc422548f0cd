//! Checks a Converse request by the service's model, and words the refusal as the service does.

use serde_json::Value;

use crate::mock::conversation::{items, text};
use crate::mock::form::{self, Form, Kind, Misfit, may, must};
use crate::mock::refusal::Refusal;
use crate::mock::signature::signature;

type Checked = Result<(), Refusal>;

const FORM: Form = Form::Fields(&[
    must("messages", Form::List(&MESSAGE)),
    may("system", Form::List(&SYSTEM)),
    may("inferenceConfig", INFERENCE),
    may("toolConfig", TOOL_CONFIG),
    may("guardrailConfig", Form::Open(&[])),
    may("additionalModelRequestFields", Form::Any),
    may("promptVariables", Form::Object),
    may("additionalModelResponseFieldPaths", Form::List(&Form::Text)),
    may("requestMetadata", Form::Object),
    may(
        "performanceConfig",
        Form::Fields(&[may("latency", Form::Choice(&["standard", "optimized"]))]),
    ),
    may("serviceTier", Form::Fields(&[must("type", Form::Text)])),
    may("outputConfig", Form::Fields(&[may("textFormat", TEXT_FORMAT), may("effort", Form::Text)])),
]);

const COUNT: Form = Form::Fields(&[must(
    "input",
    Form::Union(&[
        may("invokeModel", Form::Fields(&[must("body", Form::Base64)])),
        may(
            "converse",
            Form::Fields(&[
                may("messages", Form::List(&MESSAGE)),
                may("system", Form::List(&SYSTEM)),
                may("toolConfig", TOOL_CONFIG),
                may("additionalModelRequestFields", Form::Any),
            ]),
        ),
    ]),
)]);

const MESSAGE: Form = Form::Fields(&[
    must("role", Form::Choice(&["user", "assistant"])),
    must("content", Form::List(&BLOCK)),
]);

const BLOCK: Form = Form::Union(&[
    may("text", Form::Text),
    may("image", IMAGE),
    may("document", DOCUMENT),
    may("video", Form::Open(&[must("format", Form::Text), must("source", Form::Object)])),
    may("audio", Form::Open(&[must("format", Form::Text), must("source", Form::Object)])),
    may(
        "toolUse",
        Form::Fields(&[
            must("toolUseId", Form::Text),
            must("name", Form::Text),
            must("input", Form::Any),
            may("type", Form::Text),
        ]),
    ),
    may(
        "toolResult",
        Form::Fields(&[
            must("toolUseId", Form::Text),
            must("content", Form::List(&RESULT)),
            may("status", Form::Choice(&["success", "error"])),
            may("type", Form::Text),
        ]),
    ),
    may("guardContent", Form::Object),
    may("cachePoint", CACHE_POINT),
    may("reasoningContent", REASONING),
    may("citationsContent", Form::Object),
    may("searchResult", Form::Object),
    may("toolAddition", Form::Object),
    may("toolRemoval", Form::Object),
]);

const RESULT: Form = Form::Union(&[
    may("json", Form::Any),
    may("text", Form::Text),
    may("image", IMAGE),
    may("document", DOCUMENT),
    may("video", Form::Object),
    may("searchResult", Form::Object),
]);

const IMAGE: Form = Form::Fields(&[
    must("format", Form::Choice(&["png", "jpeg", "gif", "webp"])),
    must("source", Form::Union(&[may("bytes", Form::Base64), may("s3Location", Form::Object)])),
    may("error", Form::Object),
]);

const DOCUMENT: Form = Form::Fields(&[
    may("format", Form::Choice(&["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"])),
    must("name", Form::Text),
    must(
        "source",
        Form::Union(&[
            may("bytes", Form::Base64),
            may("s3Location", Form::Object),
            may("text", Form::Text),
            may("content", Form::List(&Form::Any)),
        ]),
    ),
    may("context", Form::Text),
    may("citations", Form::Object),
]);

const REASONING: Form = Form::Union(&[
    may("reasoningText", Form::Fields(&[must("text", Form::Text), may("signature", Form::Text)])),
    may("redactedContent", Form::Base64),
]);

const CACHE_POINT: Form =
    Form::Fields(&[must("type", Form::Choice(&["default"])), may("ttl", Form::Text)]);

const SYSTEM: Form = Form::Union(&[
    may("text", Form::Text),
    may("guardContent", Form::Object),
    may("cachePoint", CACHE_POINT),
]);

const INFERENCE: Form = Form::Fields(&[
    may("maxTokens", Form::Integer),
    may("temperature", Form::Decimal),
    may("topP", Form::Decimal),
    may("stopSequences", Form::List(&Form::Text)),
]);

const TOOL_CONFIG: Form = Form::Fields(&[
    must("tools", Form::List(&TOOL)),
    may(
        "toolChoice",
        Form::Union(&[
            may("auto", Form::Fields(&[])),
            may("any", Form::Fields(&[])),
            may("tool", Form::Fields(&[must("name", Form::Text)])),
        ]),
    ),
]);

const TOOL: Form = Form::Union(&[
    may(
        "toolSpec",
        Form::Fields(&[
            must("name", Form::Text),
            may("description", Form::Text),
            must("inputSchema", Form::Union(&[may("json", Form::Any)])),
            may("strict", Form::Flag),
        ]),
    ),
    may("systemTool", Form::Object),
    may("cachePoint", CACHE_POINT),
]);

const TEXT_FORMAT: Form = Form::Fields(&[
    must("type", Form::Choice(&["json_schema"])),
    must(
        "structure",
        Form::Union(&[may(
            "jsonSchema",
            Form::Fields(&[
                must("schema", Form::Text),
                may("name", Form::Text),
                may("description", Form::Text),
            ]),
        )]),
    ),
]);

const NAME_CHARS_MAX: usize = 64;
const DOCUMENT_NAME_CHARS_MAX: usize = 200;

/// Checks a whole request.
pub(super) fn check(request: &Value) -> Checked {
    fits(request, &FORM)?;
    let messages = items(request.get("messages"));
    check_turns(messages)?;
    for (index, message) in messages.iter().enumerate() {
        check_blocks(message, index)?;
    }
    check_pairing(messages)?;
    check_settings(request)?;
    check_tools(request, messages)
}

/// Checks a request to count tokens.
pub(super) fn check_count(request: &Value) -> Checked {
    fits(request, &COUNT)
}

fn fits(value: &Value, form: &Form) -> Checked {
    form::check(value, form).map_err(|misfit| worded(&misfit))
}

fn worded(misfit: &Misfit) -> Refusal {
    let place = misfit.dotted();
    let problem = match &misfit.kind {
        Kind::Missing => format!(
            "1 validation error detected: Value at '{place}' failed to satisfy constraint: Member must not be null"
        ),
        Kind::Unknown => {
            let (_, name) = misfit.parent_and_name();
            format!(
                "The model returned the following errors: {place}: extraneous key [{name}] is not permitted"
            )
        }
        Kind::Type { expected, found } => {
            format!(
                "Malformed input request: {place}: expected {expected}, found {found}, please reformat your input and try again."
            )
        }
        Kind::Choice { found, allowed } => format!(
            "1 validation error detected: Value '{found}' at '{place}' failed to satisfy constraint: Member must \
             satisfy enum value set: [{}]",
            allowed.join(", ")
        ),
        Kind::Union => format!(
            "The format of the value at {place} is invalid. Provide exactly one of the members of the union."
        ),
        Kind::Base64 => format!("The value at {place} is not valid base64."),
    };
    at(&place, problem)
}

fn at(place: &str, message: impl Into<String>) -> Refusal {
    Refusal::invalid(message.into()).param(place)
}

/// The user begins, and the two take turns.
fn check_turns(messages: &[Value]) -> Checked {
    let Some(first) = messages.first() else {
        return Err(at(
            "messages",
            "A conversation must have at least one message. Try again with a conversation that has at least one message.",
        ));
    };
    if text(first, "role") != "user" {
        return Err(at(
            "messages.0.role",
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    let repeated = messages
        .windows(2)
        .position(|pair| matches!(pair, [one, next] if one.get("role") == next.get("role")));
    match repeated {
        Some(index) => Err(at(
            &format!("messages.{}.role", index + 1),
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates \
             between user and assistant roles and try again.",
        )),
        None => Ok(()),
    }
}

fn check_blocks(message: &Value, index: usize) -> Checked {
    let blocks = items(message.get("content"));
    if blocks.is_empty() {
        let message = format!(
            "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
        );
        return Err(at(&format!("messages.{index}.content"), message));
    }
    blocks.iter().enumerate().try_for_each(|(block_index, block)| {
        check_block(
            block,
            text(message, "role"),
            &format!("messages.{index}.content.{block_index}"),
        )
    })
}

fn check_block(block: &Value, role: &str, place: &str) -> Checked {
    if block.get("text").and_then(Value::as_str) == Some("") {
        let message = format!(
            "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
        );
        return Err(at(place, message));
    }
    for (member, side) in
        [("toolUse", "assistant"), ("reasoningContent", "assistant"), ("toolResult", "user")]
    {
        if block.get(member).is_some() && role != side {
            let message = format!(
                "The member {member} at {place} can only be in messages of the {side} role."
            );
            return Err(at(place, message));
        }
    }
    for (member, name) in
        [("toolUse", "toolUseId"), ("toolUse", "name"), ("toolResult", "toolUseId")]
    {
        if let Some(value) = block.pointer(&format!("/{member}/{name}")).and_then(Value::as_str) {
            check_name(value, &format!("{place}.{member}.{name}"), name == "toolUseId")?;
        }
    }
    if block.pointer("/toolUse/input").is_some_and(|input| !input.is_object()) {
        let place = format!("{place}.toolUse.input");
        let message = format!(
            "The format of the value at {place} is invalid. Provide a json object for the field and try again."
        );
        return Err(at(&place, message));
    }
    check_document(block, place)?;
    check_reasoning(block, place)
}

/// Names take letters, digits, `_` and `-`; ids also `.` and `:`.
fn check_name(name: &str, place: &str, is_id: bool) -> Checked {
    let is_allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || byte == b'_'
            || byte == b'-'
            || is_id && (byte == b'.' || byte == b':')
    };
    if (1..=NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
        return Ok(());
    }
    let pattern = if is_id { "[a-zA-Z0-9_.:-]+" } else { "[a-zA-Z0-9_-]+" };
    Err(at(
        place,
        format!(
            "1 validation error detected: Value '{name}' at '{place}' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: {pattern} and have length from 1 to {NAME_CHARS_MAX}"
        ),
    ))
}

fn check_document(block: &Value, place: &str) -> Checked {
    let Some(document) = block.get("document") else { return Ok(()) };
    let name = text(document, "name");
    let is_allowed = |character: char| character.is_alphanumeric() || " -()[]".contains(character);
    let is_good = (1..=DOCUMENT_NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(is_allowed)
        && !name.contains("  ");
    match is_good {
        true => Ok(()),
        false => Err(at(
            &format!("{place}.document.name"),
            "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
        )),
    }
}

/// Reasoning comes back as it was sent, or not at all.
fn check_reasoning(block: &Value, place: &str) -> Checked {
    let Some(reasoning) = block.pointer("/reasoningContent/reasoningText") else { return Ok(()) };
    match text(reasoning, "signature") == signature(text(reasoning, "text")) {
        true => Ok(()),
        false => {
            let place = format!("{place}.reasoningContent.reasoningText.signature");
            let message = format!(
                "The model returned the following errors: {place}: Invalid `signature` in `thinking` block"
            );
            Err(at(&place, message))
        }
    }
}

/// The results of a turn are for the uses of the turn before, all of them.
fn check_pairing(messages: &[Value]) -> Checked {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let results = ids(message, "toolResult");
        if results.iter().any(|id| !open.contains(id)) {
            let message = format!(
                "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of previous turn."
            );
            return Err(at(&format!("messages.{index}.content"), message));
        }
        check_answered(&open, &results, index)?;
        open = ids(message, "toolUse");
    }
    check_answered(&open, &[], messages.len())
}

fn check_answered(open: &[&str], results: &[&str], index: usize) -> Checked {
    let missing: Vec<&str> = open.iter().copied().filter(|id| !results.contains(id)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(at(
            &format!("messages.{index}.content"),
            format!(
                "Expected toolResult blocks at messages.{index}.content for the following Ids: {}",
                missing.join(", ")
            ),
        )),
    }
}

fn ids<'a>(message: &'a Value, member: &str) -> Vec<&'a str> {
    let blocks = items(message.get("content")).iter();
    blocks.filter_map(|block| block.get(member)).map(|block| text(block, "toolUseId")).collect()
}

fn check_settings(request: &Value) -> Checked {
    for name in ["temperature", "topP"] {
        let place = format!("inferenceConfig.{name}");
        let value = request.pointer(&format!("/inferenceConfig/{name}")).and_then(Value::as_f64);
        if let Some(value) = value.filter(|value| !(0.0..=1.0).contains(value)) {
            let message = format!(
                "1 validation error detected: Value '{value}' at '{place}' failed to satisfy constraint: Member must have value less than or equal to 1"
            );
            return Err(at(&place, message));
        }
    }
    match request.pointer("/inferenceConfig/maxTokens").and_then(Value::as_i64) {
        Some(..=0) => Err(at(
            "inferenceConfig.maxTokens",
            "1 validation error detected: Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1",
        )),
        _ => Ok(()),
    }
}

fn check_tools(request: &Value, messages: &[Value]) -> Checked {
    let Some(config) = request.get("toolConfig") else {
        let mentions = |message: &Value| {
            !ids(message, "toolUse").is_empty() || !ids(message, "toolResult").is_empty()
        };
        return match messages.iter().any(mentions) {
            true => Err(at(
                "toolConfig",
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            )),
            false => Ok(()),
        };
    };
    let tools = items(config.get("tools"));
    if tools.is_empty() {
        return Err(at(
            "toolConfig.tools",
            "1 validation error detected: Value '[]' at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    for (index, spec) in
        tools.iter().enumerate().filter_map(|(index, tool)| Some((index, tool.get("toolSpec")?)))
    {
        check_name(
            text(spec, "name"),
            &format!("toolConfig.tools.{index}.member.toolSpec.name"),
            false,
        )?;
        if spec.pointer("/inputSchema/json/type").and_then(Value::as_str) != Some("object") {
            let place = format!("toolConfig.tools.{index}.toolSpec.inputSchema.json.type");
            let message = format!("The value at {place} must be one of the following: object.");
            return Err(at(&place, message));
        }
    }
    let name = config.pointer("/toolChoice/tool/name");
    let is_offered =
        |name: &Value| tools.iter().any(|tool| tool.pointer("/toolSpec/name") == Some(name));
    match name.is_none_or(is_offered) {
        true => Ok(()),
        false => Err(at(
            "toolConfig.toolChoice.tool.name",
            "The tool named in toolConfig.toolChoice is not among toolConfig.tools.",
        )),
    }
}
