//! Checks a generateContent request as Google would, and words the refusal as Google words it.

use serde_json::{Map, Value};

use crate::mock::conversation::{items, text};
use crate::mock::form::{self, Form, Kind, Misfit, may, must};
use crate::mock::refusal::Refusal;
use crate::mock::signature::is_signature;

type Checked = Result<(), Refusal>;

const FORM: Form = Form::Fields(&[
    may("contents", Form::List(&CONTENT)),
    may("systemInstruction", CONTENT),
    may("tools", Form::List(&TOOL)),
    may("toolConfig", TOOL_CONFIG),
    may("safetySettings", Form::List(&SAFETY)),
    may("generationConfig", GENERATION),
    may("cachedContent", Form::Text),
    may("labels", Form::Object),
    may("model", Form::Text),
    may("modelArmorConfig", Form::Object),
    may("serviceTier", Form::Text),
    may("store", Form::Flag),
]);

const CONTENT: Form = Form::Fields(&[may("role", Form::Text), may("parts", Form::List(&PART))]);

/// A part has exactly one kind of data, which [`check_part`] sees to, and what goes with it.
const PART: Form = Form::Fields(&[
    may("text", Form::Text),
    may("inlineData", BLOB),
    may("fileData", FILE),
    may("functionCall", CALL),
    may("functionResponse", RESULT),
    may("executableCode", Form::Object),
    may("codeExecutionResult", Form::Object),
    may("toolCall", Form::Object),
    may("toolResponse", Form::Object),
    may("thought", Form::Flag),
    may("thoughtSignature", Form::Base64),
    may("videoMetadata", Form::Object),
    may("mediaResolution", Form::Any),
    may("partMetadata", Form::Object),
]);

const DATA: [&str; 9] = [
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

const BLOB: Form = Form::Fields(&[
    may("mimeType", Form::Text),
    may("data", Form::Base64),
    may("displayName", Form::Text),
]);

const FILE: Form = Form::Fields(&[
    may("mimeType", Form::Text),
    must("fileUri", Form::Text),
    may("displayName", Form::Text),
]);

const CALL: Form = Form::Fields(&[
    may("id", Form::Text),
    must("name", Form::Text),
    may("args", Form::Object),
    may("partialArgs", Form::Any),
    may("willContinue", Form::Flag),
]);

const RESULT: Form = Form::Fields(&[
    may("id", Form::Text),
    must("name", Form::Text),
    must("response", Form::Object),
    may("parts", Form::Any),
    may("willContinue", Form::Flag),
    may("scheduling", Form::Text),
]);

const TOOL: Form = Form::Fields(&[
    may("functionDeclarations", Form::List(&FUNCTION)),
    may("googleSearch", Form::Object),
    may("googleSearchRetrieval", Form::Object),
    may("enterpriseWebSearch", Form::Object),
    may("googleMaps", Form::Object),
    may("codeExecution", Form::Object),
    may("urlContext", Form::Object),
    may("computerUse", Form::Object),
    may("fileSearch", Form::Object),
    may("retrieval", Form::Object),
    may("mcpServers", Form::Any),
]);

const FUNCTION: Form = Form::Fields(&[
    must("name", Form::Text),
    may("description", Form::Text),
    may("behavior", Form::Text),
    may("parameters", Form::Object),
    may("parametersJsonSchema", Form::Any),
    may("response", Form::Object),
    may("responseJsonSchema", Form::Any),
]);

const TOOL_CONFIG: Form = Form::Fields(&[
    may(
        "functionCallingConfig",
        Form::Fields(&[
            may("mode", Form::Choice(&["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"])),
            may("allowedFunctionNames", Form::List(&Form::Text)),
            may("streamFunctionCallArguments", Form::Flag),
        ]),
    ),
    may("retrievalConfig", Form::Object),
    may("includeServerSideToolInvocations", Form::Flag),
]);

const SAFETY: Form = Form::Fields(&[
    must("category", Form::Text),
    must("threshold", Form::Text),
    may("method", Form::Text),
]);

const GENERATION: Form = Form::Fields(&[
    may("stopSequences", Form::List(&Form::Text)),
    may("responseMimeType", Form::Text),
    may("responseSchema", Form::Object),
    may("responseJsonSchema", Form::Any),
    may("responseFormat", Form::Any),
    may("responseModalities", Form::List(&Form::Text)),
    may("candidateCount", Form::Integer),
    may("maxOutputTokens", Form::Integer),
    may("temperature", Form::Decimal),
    may("topP", Form::Decimal),
    may("topK", Form::Decimal),
    may("seed", Form::Integer),
    may("presencePenalty", Form::Decimal),
    may("frequencyPenalty", Form::Decimal),
    may("responseLogprobs", Form::Flag),
    may("logprobs", Form::Integer),
    may("enableEnhancedCivicAnswers", Form::Flag),
    may("speechConfig", Form::Object),
    may("audioTimestamp", Form::Flag),
    may("routingConfig", Form::Object),
    may("modelSelectionConfig", Form::Object),
    may("imageConfig", Form::Object),
    may("mediaResolution", Form::Text),
    may("translationConfig", Form::Object),
    may("enableAffectiveDialog", Form::Flag),
    may(
        "thinkingConfig",
        Form::Fields(&[
            may("includeThoughts", Form::Flag),
            may("thinkingBudget", Form::Integer),
            may(
                "thinkingLevel",
                Form::Choice(&[
                    "THINKING_LEVEL_UNSPECIFIED",
                    "MINIMAL",
                    "LOW",
                    "MEDIUM",
                    "HIGH",
                    "minimal",
                    "low",
                    "medium",
                    "high",
                ]),
            ),
        ]),
    ),
]);

const STOPS_MAX: usize = 5;

/// What Google documents for callers that have no signature to give back.
const SKIPPED_SIGNATURES: [&str; 2] =
    ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"];

/// Fields whose content is the caller's, with names that are left alone.
const OPAQUE: [&str; 8] = [
    "args",
    "response",
    "parameters",
    "parametersJsonSchema",
    "responseSchema",
    "responseJsonSchema",
    "labels",
    "partMetadata",
];

/// The same request with the names that Google takes in two spellings in one of them.
pub(super) fn with_camel_case_names(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(with_camel_case_names).collect(),
        Value::Object(fields) => fields.iter().map(renamed).collect::<Map<_, _>>().into(),
        other => other.clone(),
    }
}

fn renamed((name, value): (&String, &Value)) -> (String, Value) {
    let name = camel_case(name);
    let value = match OPAQUE.contains(&name.as_str()) {
        true => value.clone(),
        false => with_camel_case_names(value),
    };
    (name, value)
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        result.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        result.push_str(letters.as_str());
    }
    result
}

/// Checks a whole request, names in camel case.
pub(super) fn check(request: &Value, model: &str) -> Checked {
    fits(request, &FORM)?;
    let contents = items(request.get("contents"));
    if contents.is_empty() {
        return Err(at(
            "contents",
            "* GenerateContentRequest.contents: contents is not specified\n",
        ));
    }
    for (index, content) in contents.iter().enumerate() {
        check_content(content, index)?;
    }
    check_turns(contents)?;
    check_signatures(contents, model)?;
    check_generation(request)?;
    check_functions(request)
}

/// Checks against a form and words what does not fit.
pub(super) fn fits(value: &Value, form: &Form) -> Checked {
    form::check(value, form).map_err(|misfit| worded(&misfit))
}

fn worded(misfit: &Misfit) -> Refusal {
    let place = misfit.bracketed();
    let message = match &misfit.kind {
        Kind::Unknown => {
            let (parent, name) = misfit.parent_and_name();
            let parent = if parent.is_empty() { String::new() } else { format!(" at '{parent}'") };
            format!(
                "Invalid JSON payload received. Unknown name \"{name}\"{parent}: Cannot find field."
            )
        }
        Kind::Missing => format!("* GenerateContentRequest.{place}: must be specified\n"),
        Kind::Type { expected, found } => {
            format!("Invalid value at '{place}' (TYPE_{}), found {found}", expected.to_uppercase())
        }
        Kind::Choice { found, .. } => {
            format!("Invalid value at '{place}' (TYPE_ENUM), \"{found}\"")
        }
        Kind::Union => {
            format!("* {place}: required oneof field 'data' must have one initialized field\n")
        }
        Kind::Base64 => format!("Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed"),
    };
    at(&place, &message)
}

fn at(field: &str, message: &str) -> Refusal {
    Refusal::invalid(message.to_owned()).param(field)
}

fn check_content(content: &Value, index: usize) -> Checked {
    let place = format!("contents[{index}]");
    if !["", "user", "model", "function"].contains(&text(content, "role")) {
        return Err(at(&format!("{place}.role"), "Please use a valid role: user, model."));
    }
    let parts = items(content.get("parts"));
    if parts.is_empty() {
        let message =
            format!("* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n");
        return Err(at(&format!("{place}.parts"), &message));
    }
    parts.iter().enumerate().try_for_each(|(part_index, part)| {
        check_part(part, &format!("{place}.parts[{part_index}]"))
    })
}

fn check_part(part: &Value, place: &str) -> Checked {
    let has = |name: &&&str| part.get(**name).is_some_and(|value| !value.is_null());
    if DATA.iter().filter(has).count() != 1 {
        let message = format!(
            "* GenerateContentRequest.{place}.data: required oneof field 'data' must have one initialized field\n"
        );
        return Err(at(place, &message));
    }
    let without_type = ["inlineData", "fileData"].iter().find(|name| {
        part.get(**name)
            .is_some_and(|data| **name == "inlineData" && text(data, "mimeType").is_empty())
    });
    match without_type {
        Some(name) => Err(at(
            &format!("{place}.{name}.mimeType"),
            "Unable to process input: mimeType is required.",
        )),
        None => Ok(()),
    }
}

/// Calls are answered in the next turn, each by one response.
fn check_turns(contents: &[Value]) -> Checked {
    let count = |content: Option<&Value>, name: &str| {
        let parts = content.map(|content| items(content.get("parts"))).unwrap_or_default();
        parts.iter().filter(|part| part.get(name).is_some()).count()
    };
    for (index, content) in contents.iter().enumerate() {
        let calls = count(Some(content), "functionCall");
        let before = index.checked_sub(1).and_then(|index| contents.get(index));
        if calls > 0 && before.is_none_or(|before| text(before, "role") == "model") {
            return Err(at(
                &format!("contents[{index}]"),
                "Please ensure that function call turn comes immediately after a user turn or after a function \
                 response turn.",
            ));
        }
        let results = count(contents.get(index + 1), "functionResponse");
        if calls > 0 && results != calls || calls == 0 && results > 0 {
            return Err(at(
                &format!("contents[{}]", index + 1),
                "Please ensure that the number of function response parts is equal to the number of function call \
                 parts of the function call turn.",
            ));
        }
    }
    match count(contents.first(), "functionResponse") {
        0 => Ok(()),
        _ => Err(at(
            "contents[0]",
            "Please ensure that function response turn comes immediately after a function call turn.",
        )),
    }
}

/// Models of the third generation want the signature back that came with the first call of a turn.
fn check_signatures(contents: &[Value], model: &str) -> Checked {
    if !model.contains("gemini-3") {
        return Ok(());
    }
    for (index, content) in contents.iter().enumerate() {
        let parts = items(content.get("parts")).iter().enumerate();
        let mut calls = parts.filter(|(_, part)| part.get("functionCall").is_some());
        let Some((part_index, first)) = calls.next() else { continue };
        let signature = text(first, "thoughtSignature");
        let is_good = SKIPPED_SIGNATURES.contains(&signature) || is_signature(signature);
        if !is_good {
            let name =
                first.pointer("/functionCall/name").and_then(Value::as_str).unwrap_or_default();
            let message = format!(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to \
                 work correctly. Function call `{name}`, position {}.",
                index + 1
            );
            return Err(at(
                &format!("contents[{index}].parts[{part_index}].thoughtSignature"),
                &message,
            ));
        }
    }
    Ok(())
}

fn check_generation(request: &Value) -> Checked {
    let setting = |name: &str| request.pointer(&format!("/generationConfig/{name}"));
    for (name, most) in [("temperature", 2.0), ("topP", 1.0)] {
        let is_outside = |value: f64| !(0.0..=most).contains(&value);
        if setting(name).and_then(Value::as_f64).is_some_and(is_outside) {
            let message = format!(
                "* GenerateContentRequest.generation_config.{name}: must be in the range [0.0, {most:.1}].\n"
            );
            return Err(at(&format!("generationConfig.{name}"), &message));
        }
    }
    if setting("maxOutputTokens").is_some_and(|value| value.as_i64().is_some_and(|value| value < 1))
    {
        return Err(at("generationConfig.maxOutputTokens", "max_output_tokens must be positive."));
    }
    if items(setting("stopSequences")).len() > STOPS_MAX {
        return Err(at(
            "generationConfig.stopSequences",
            "The number of stop sequences exceeds the limit of 5.",
        ));
    }
    let has_schema = setting("responseSchema").or(setting("responseJsonSchema")).is_some();
    let kind = setting("responseMimeType").and_then(Value::as_str).unwrap_or_default();
    match has_schema && kind != "application/json" && kind != "text/x.enum" {
        true => Err(at(
            "generationConfig.responseMimeType",
            "Function calling with a response mime type other than application/json is unsupported: a response \
             schema needs response_mime_type application/json.",
        )),
        false => Ok(()),
    }
}

fn check_functions(request: &Value) -> Checked {
    let declared: Vec<&Value> = items(request.get("tools"))
        .iter()
        .flat_map(|tool| items(tool.get("functionDeclarations")))
        .collect();
    for (index, function) in declared.iter().enumerate() {
        if !is_function_name(text(function, "name")) {
            let place = format!("tools[0].functionDeclarations[{index}].name");
            let message = format!(
                "* GenerateContentRequest.{place}: Invalid function name. Must start with a letter or an underscore. \
                 Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a \
                 maximum length of 64.\n"
            );
            return Err(at(&place, &message));
        }
    }
    let setting = request.pointer("/toolConfig/functionCallingConfig");
    let Some(setting) = setting else { return Ok(()) };
    let allowed = items(setting.get("allowedFunctionNames"));
    let is_declared =
        |name: &Value| declared.iter().any(|function| function.get("name") == Some(name));
    let place = "toolConfig.functionCallingConfig.allowedFunctionNames";
    if !allowed.is_empty() && !["ANY", "VALIDATED"].contains(&text(setting, "mode")) {
        return Err(at(
            place,
            "Function calling mode must be ANY or VALIDATED to set allowed_function_names.",
        ));
    }
    match allowed.iter().all(is_declared) {
        true => Ok(()),
        false => {
            Err(at(place, "allowed_function_names should be a subset of the declared functions."))
        }
    }
}

fn is_function_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    let starts_well = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.len() <= 64
        && name.as_bytes().first().is_some_and(starts_well)
        && name.bytes().all(is_allowed)
}
