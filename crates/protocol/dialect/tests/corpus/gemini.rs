//! What documents of Google's say, read without the crate under test; what its API insists on; and what it has no
//! place for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialect::Dialect;
use serde_json::{Map, Value, json};

use crate::Facts;
use crate::allowed::{
    Allowed, Mismatch, is_refused, is_signed, is_without_arguments, is_wrapped, through,
};
use crate::answer::{Answer, Call, sanitize};
use crate::exchange::Exchange;
use crate::question::{Question, Settings, decode_text};
use crate::report::Direction;
use crate::sse::Event;

/// Names in snake_case become camelCase, except where the caller named things itself.
fn camel(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(camel).collect(),
        Value::Object(object) => {
            let members = object.iter().map(|(name, value)| {
                let is_free = ["args", "response", "properties", "parametersJsonSchema"]
                    .iter()
                    .any(|free| camel_name(name) == **free);
                (camel_name(name), if is_free { value.clone() } else { camel(value) })
            });
            members.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

fn camel_name(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or("").to_owned();
    for word in words {
        let (first, rest) = word.split_at(word.len().min(1));
        camel.push_str(&first.to_uppercase());
        camel.push_str(rest);
    }
    camel
}

/// The elements of a list, or the one value that stands without brackets.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

// --- requests ---

impl Question {
    pub(crate) fn gemini(&mut self, body: &Value) {
        let body = camel(body);
        for part in list(&body["systemInstruction"]["parts"]) {
            self.say("system", &part["text"]);
        }
        for content in list(&body["contents"]) {
            let role = if content["role"] == "model" { "assistant" } else { "user" };
            for part in list(&content["parts"]) {
                self.gemini_part(role, part);
            }
        }
        for tool in list(&body["tools"]) {
            for function in list(&tool["functionDeclarations"]) {
                let schema = match &function["parametersJsonSchema"] {
                    Value::Null => json_schema(&function["parameters"]),
                    schema => schema.clone(),
                };
                self.tool(&function["name"], &function["description"], &schema, &Value::Null);
            }
        }
    }

    fn gemini_part(&mut self, role: &str, part: &Value) {
        let signature = part["thoughtSignature"].as_str().unwrap_or("").to_owned();
        if part["thought"] == true {
            self.reasoning.extend(Some(&part["text"]).filter(|text| **text != "").cloned());
            self.signatures.extend(Some(signature).filter(|it| !it.is_empty()).map(Value::from));
            return;
        }
        if part["functionCall"].is_object() {
            let call = &part["functionCall"];
            let arguments = if call["args"].is_null() { json!({}) } else { call["args"].clone() };
            self.calls.push(json!([call["name"], arguments]));
            self.call_ids.extend(call["id"].as_str().map(|id| sanitize(id).into()));
            self.call_signatures.extend(Some(signature).filter(is_signature).map(Value::from));
            return;
        }
        if is_server_tool(part) {
            self.vendor_blocks += 1;
            return;
        }
        self.encrypted.extend(Some(signature).filter(|it| !it.is_empty()).map(Value::from));
        if part["text"].is_string() {
            self.say(role, &part["text"]);
        } else if part["functionResponse"].is_object() {
            self.gemini_result(&part["functionResponse"]);
        } else if part["inlineData"].is_object() || part["fileData"].is_object() {
            self.gemini_file(part);
        } else if part.as_object().is_some_and(|part| {
            part.keys().any(|name| !["thought", "thoughtSignature"].contains(&name.as_str()))
        }) {
            self.vendor_blocks += 1;
        }
    }

    fn gemini_file(&mut self, part: &Value) {
        let file =
            if part["inlineData"].is_object() { &part["inlineData"] } else { &part["fileData"] };
        let bytes = if file["data"].is_string() { &file["data"] } else { &file["fileUri"] };
        let media_type = file["mimeType"].as_str().unwrap_or("");
        let is_by_reference = file["fileUri"].is_string();
        match media_type.split('/').next().unwrap_or("") {
            "image" => self.images.push(bytes.clone()),
            "video" => self.videos.push(bytes.clone()),
            "audio" if is_by_reference => self.vendor_blocks += 1,
            "audio" => self.audio += 1,
            // Documents that are plain text count as text, as in the other dialects.
            "text" if !is_by_reference => {
                let decoded = decode_text(bytes.as_str().unwrap_or(""));
                self.say("user", &decoded.unwrap_or_default().into());
            }
            _ => self.documents.push(bytes.clone()),
        }
    }

    fn gemini_result(&mut self, result: &Value) {
        let response = &result["response"];
        let alone = response.as_object().filter(|object| object.len() == 1);
        let conventional =
            alone.and_then(|object| object.get("output").or_else(|| object.get("error")));
        let text = match conventional.unwrap_or(response) {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            value => value.to_string(),
        };
        self.errors += usize::from(alone.is_some_and(|object| object.contains_key("error")));
        self.result(&result["id"], text);
        for part in list(&result["parts"]) {
            self.gemini_file(part);
        }
    }
}

/// Whether it proves something: there is a word for calls of which nothing is proved.
fn is_signature(signature: &String) -> bool {
    !signature.is_empty() && signature != "skip_thought_signature_validator"
}

/// Google's schemas as JSON Schema, as far as recordings go.
fn json_schema(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let mut converted = Map::new();
    for (name, value) in members {
        let value = match (name.as_str(), value) {
            ("propertyOrdering" | "nullable", _) => continue,
            ("type", Value::String(kind)) if members.get("nullable") == Some(&json!(true)) => {
                json!([kind.to_lowercase(), "null"])
            }
            ("type", Value::String(kind)) => kind.to_lowercase().into(),
            ("properties" | "$defs" | "defs", Value::Object(properties)) => {
                let properties = properties.iter();
                properties
                    .map(|(name, value)| (name.clone(), json_schema(value)))
                    .collect::<Map<_, _>>()
                    .into()
            }
            ("items" | "additionalProperties", value) => json_schema(value),
            ("anyOf", Value::Array(schemas)) => schemas.iter().map(json_schema).collect(),
            (_, value) => value.clone(),
        };
        converted.insert(name.clone(), value);
    }
    converted.into()
}

pub(crate) fn settings(body: &Value) -> Settings {
    let body = camel(body);
    let config = &body["generationConfig"];
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let has_functions =
        list(&body["tools"]).iter().any(|tool| !list(&tool["functionDeclarations"]).is_empty());
    let names = list(&calling["allowedFunctionNames"]);
    let choice = match calling["mode"].as_str().map(str::to_uppercase).as_deref() {
        Some("AUTO" | "VALIDATED") => json!("auto"),
        Some("NONE") => json!("none"),
        Some("ANY") if names.len() == 1 => json!({ "name": names[0] }),
        Some("ANY") => json!("required"),
        _ => Value::Null,
    };
    let schema = match &config["responseJsonSchema"] {
        Value::Null => json_schema(&config["responseSchema"]),
        schema => schema.clone(),
    };
    let is_json = config["responseMimeType"] == "application/json";
    let flag = |is: bool| if is { json!(true) } else { Value::Null };
    let searches = |tool: &Value| tool["googleSearch"].is_object();
    vec![
        ("web search", flag(list(&body["tools"]).into_iter().any(searches))),
        (
            "token limit",
            config["maxOutputTokens"].as_u64().map_or(Value::Null, |limit| limit.max(16).into()),
        ),
        ("tool choice", if has_functions { choice } else { Value::Null }),
        ("temperature", config["temperature"].clone()),
        ("top_p", config["topP"].clone()),
        ("top_k", config["topK"].clone()),
        ("stop sequences", config["stopSequences"].clone()),
        ("json mode", flag(is_json && schema.is_null())),
        ("output schema", schema),
        ("seed", config["seed"].as_u64().map_or(Value::Null, Value::from)),
        (
            "penalties",
            flag(config["frequencyPenalty"].is_number() || config["presencePenalty"].is_number()),
        ),
        ("logprobs", flag(config["responseLogprobs"] == true)),
        (
            "n",
            config["candidateCount"].as_u64().filter(|n| *n > 1).map_or(Value::Null, Value::from),
        ),
        ("thinking", thinking(&config["thinkingConfig"])),
    ]
}

fn thinking(config: &Value) -> Value {
    let budget = config["thinkingBudget"].as_i64();
    let is_hidden = config["includeThoughts"] == false;
    if budget == Some(0) || (is_hidden && config["thinkingLevel"].is_string()) {
        return json!("off");
    }
    let is_on = budget.is_some()
        || config["thinkingLevel"].is_string()
        || config["includeThoughts"] == true;
    if is_on { json!("on") } else { Value::Null }
}

// --- replies ---

pub(crate) fn reply(body: &Value) -> Answer {
    let mut answer = Answer {
        id: body["responseId"].as_str().unwrap_or("").to_owned(),
        choices: list(&body["candidates"]).len(),
        ..Answer::default()
    };
    let candidate = &body["candidates"][0];
    piece(candidate, &mut answer);
    let reason = if body["candidates"].is_null() {
        body["promptFeedback"]["blockReason"].as_str().map(|_| "SAFETY")
    } else {
        Some(candidate["finishReason"].as_str().unwrap_or("STOP"))
    };
    answer.stop = reason.map(|reason| stop(reason, &answer));
    usage(&body["usageMetadata"], &mut answer.usage);
    answer
}

/// What one piece of an answer adds.
fn piece(candidate: &Value, answer: &mut Answer) {
    for part in list(&candidate["content"]["parts"]) {
        answer_part(part, answer);
    }
    citations(candidate, answer);
}

fn answer_part(part: &Value, answer: &mut Answer) {
    let text = part["text"].as_str().unwrap_or("");
    let signature = part["thoughtSignature"].as_str().unwrap_or("");
    let opened = open(signature);
    match &opened {
        Some(('s', value)) => answer.signatures.push(value.clone()),
        Some((_, value)) => answer.encrypted.push(value.clone()),
        None if signature.is_empty() => {}
        None if part["functionCall"].is_object() => {
            answer.call_signatures.push(bare_signature(signature));
        }
        None if part["thought"] == true => answer.signatures.push(signature.to_owned()),
        // That of what the vendor's own tools did goes with it.
        None if is_server_tool(part) => {}
        None => answer.encrypted.push(signature.to_owned()),
    }
    if part["thought"] == true {
        answer.reasoning.push_str(text);
    } else if part["functionCall"].is_object() {
        answer_call(&part["functionCall"], answer);
    } else if part["inlineData"].is_object() {
        answer.files.push(part["inlineData"]["data"].as_str().unwrap_or("").to_owned());
    } else if is_server_tool(part) {
        answer.server_tools += 1;
    } else {
        answer.text.push_str(text);
    }
}

fn is_server_tool(part: &Value) -> bool {
    ["executableCode", "codeExecutionResult", "toolCall", "toolResponse"]
        .iter()
        .any(|name| part[*name].is_object())
}

/// A signature in the alphabet of ids.
pub(crate) fn bare_signature(signature: &str) -> String {
    signature.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// What a signature holds that another vendor gave, and of which kind it is.
fn open(signature: &str) -> Option<(char, String)> {
    let content = String::from_utf8(STANDARD.decode(signature).ok()?).ok()?;
    let content = content.strip_prefix("bf/sig")?;
    Some((content.chars().next()?, content.splitn(3, '\0').nth(2)?.to_owned()))
}

/// Calls come whole, or name first and then value by value.
fn answer_call(call: &Value, answer: &mut Answer) {
    let is_new = call["name"].is_string();
    if is_new {
        answer.calls.push(Call {
            id: call["id"].as_str().unwrap_or("").to_owned(),
            name: call["name"].as_str().unwrap_or("").to_owned(),
            arguments: if call["args"].is_null() { "{}".into() } else { call["args"].to_string() },
            index: None,
        });
    }
    let Some(last) = answer.calls.last_mut() else { return };
    for value in list(&call["partialArgs"]) {
        let mut arguments: Value = serde_json::from_str(&last.arguments).expect("arguments");
        // The recordings have paths of one step only.
        let name =
            value["jsonPath"].as_str().and_then(|path| path.strip_prefix("$.")).expect("a path");
        let known = arguments[name].as_str().unwrap_or("").to_owned();
        arguments[name] = (known + value["stringValue"].as_str().expect("a string")).into();
        last.arguments = arguments.to_string();
    }
}

fn citations(candidate: &Value, answer: &mut Answer) {
    let grounding = &candidate["groundingMetadata"];
    let chunks = list(&grounding["groundingChunks"]);
    let url = |chunk: &Value| {
        let sources = ["web", "retrievedContext", "maps"];
        let source = sources.iter().map(|name| &chunk[*name]).find(|source| source.is_object());
        source.and_then(|source| source["uri"].as_str()).map(str::to_owned)
    };
    let mut used = vec![false; chunks.len()];
    for support in list(&grounding["groundingSupports"]) {
        for index in list(&support["groundingChunkIndices"]) {
            let index = index.as_u64().expect("an index") as usize;
            used[index] = true;
            answer.citations.extend(url(chunks[index]));
        }
    }
    let unused = chunks.iter().zip(used).filter(|(_, used)| !used);
    answer.citations.extend(unused.filter_map(|(chunk, _)| url(chunk)));
    let metadata = &candidate["citationMetadata"];
    for name in ["citationSources", "citations"] {
        let urls = list(&metadata[name]);
        answer.citations.extend(urls.iter().filter_map(|it| it["uri"].as_str()).map(str::to_owned));
    }
}

fn stop(reason: &str, answer: &Answer) -> String {
    match reason {
        "MAX_TOKENS" => "length",
        "SAFETY" | "RECITATION" => "declined",
        _ if !answer.calls.is_empty() => "tools",
        _ => "end",
    }
    .to_owned()
}

fn usage(usage: &Value, into: &mut Map<String, Value>) {
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    let input = count("promptTokenCount") + count("toolUsePromptTokenCount");
    let output = count("candidatesTokenCount") + count("thoughtsTokenCount");
    let counts = [
        ("input", input),
        ("output", output),
        ("total", count("totalTokenCount")),
        ("cached", count("cachedContentTokenCount")),
        ("reasoning", count("thoughtsTokenCount")),
    ];
    for (name, count) in counts {
        if count > 0 {
            into.insert(name.to_owned(), count.into());
        }
    }
}

pub(crate) fn stream(events: &[Event]) -> Facts {
    let mut answer = Answer::default();
    let mut reason = None;
    for event in events {
        let Ok(body) = serde_json::from_str::<Value>(&event.data) else { continue };
        if body["error"].is_object() {
            let mut facts = answer.into_facts();
            facts.retain(|name, _| !name.starts_with("usage") && *name != "finish reason");
            facts.insert("error", body["error"]["message"].clone());
            return facts;
        }
        if answer.id.is_empty() {
            answer.id = body["responseId"].as_str().unwrap_or("").to_owned();
        }
        for candidate in list(&body["candidates"]) {
            let number = candidate["index"].as_u64().unwrap_or(0) as usize;
            answer.choices = answer.choices.max(number + 1);
            if number == 0 {
                piece(candidate, &mut answer);
                reason = candidate["finishReason"].as_str().map(str::to_owned).or(reason);
            }
        }
        if body["promptFeedback"]["blockReason"].is_string() {
            reason = Some("SAFETY".into());
        }
        usage(&body["usageMetadata"], &mut answer.usage);
    }
    answer.stop = reason.map(|reason| stop(&reason, &answer));
    answer.into_facts()
}

// --- what the API insists on ---

type Verdict = Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err(format!($($message)+));
        }
    };
}

const REQUEST: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
];

pub(crate) fn valid_request(body: &Value) -> Verdict {
    let body = camel(body);
    let members = body.as_object().ok_or("no object")?;
    for name in members.keys() {
        ensure!(REQUEST.contains(&name.as_str()), "unknown member {name}");
    }
    ensure!(!list(&body["contents"]).is_empty(), "no contents");
    let mut open: Vec<&Value> = Vec::new();
    let mut last_role = &Value::Null;
    for (position, content) in list(&body["contents"]).into_iter().enumerate() {
        let role = &content["role"];
        ensure!(
            role.is_null() || ["user", "model"].iter().any(|known| role == known),
            "content {position}: role {role}"
        );
        let is_model = *role == "model";
        ensure!(!(is_model && last_role == role), "content {position}: model again");
        last_role = role;
        ensure!(!list(&content["parts"]).is_empty(), "content {position}: no parts");
        for part in list(&content["parts"]) {
            valid_part(part).map_err(|error| format!("content {position}: {error}"))?;
            if part["functionCall"].is_object() {
                ensure!(is_model, "content {position}: the user calls");
                open.push(&part["functionCall"]["name"]);
            }
            if part["functionResponse"].is_object() {
                let name = &part["functionResponse"]["name"];
                let found = open.iter().position(|open| *open == name);
                let found = found.ok_or(format!("content {position}: {name} answers no call"))?;
                open.remove(found);
            }
        }
        ensure!(is_model || open.is_empty(), "content {position}: {open:?} are not answered");
    }
    for tool in list(&body["tools"]) {
        for function in list(&tool["functionDeclarations"]) {
            ensure!(function["name"].is_string(), "function without name");
            ensure!(
                function["parameters"].is_null() || function["parametersJsonSchema"].is_null(),
                "parameters twice"
            );
        }
    }
    let thinking = &body["generationConfig"]["thinkingConfig"];
    ensure!(
        thinking["thinkingBudget"].is_null() || thinking["thinkingLevel"].is_null(),
        "a budget and a level"
    );
    Ok(())
}

fn valid_part(part: &Value) -> Verdict {
    let kinds = [
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
    let kinds = kinds.iter().filter(|kind| !part[**kind].is_null()).count();
    ensure!(kinds <= 1, "part {part}");
    ensure!(kinds == 1 || part["thoughtSignature"].is_string(), "part {part}");
    ensure!(part["thought"].is_null() || part["thought"].is_boolean(), "part {part}");
    let call = &part["functionCall"];
    ensure!(call.is_null() || call["name"].is_string(), "call {call}");
    ensure!(call["args"].is_null() || call["args"].is_object(), "arguments of {call}");
    let result = &part["functionResponse"];
    ensure!(result.is_null() || result["name"].is_string(), "result {result}");
    ensure!(result.is_null() || result["response"].is_object(), "response of {result}");
    let inline = &part["inlineData"];
    ensure!(
        inline.is_null() || (inline["mimeType"].is_string() && inline["data"].is_string()),
        "data {inline}"
    );
    ensure!(part["fileData"].is_null() || part["fileData"]["fileUri"].is_string(), "file {part}");
    Ok(())
}

pub(crate) fn valid_reply(body: &Value) -> Verdict {
    ensure!(body["responseId"].as_str().is_some_and(|id| !id.is_empty()), "no responseId");
    ensure!(body["modelVersion"].is_string(), "no modelVersion");
    ensure!(!list(&body["candidates"]).is_empty(), "no candidates");
    for (index, candidate) in list(&body["candidates"]).into_iter().enumerate() {
        ensure!(candidate["index"] == index, "index {}", candidate["index"]);
        ensure!(candidate["finishReason"].is_string(), "no finishReason");
        valid_candidate(candidate)?;
    }
    valid_usage(&body["usageMetadata"])
}

fn valid_candidate(candidate: &Value) -> Verdict {
    ensure!(candidate["content"]["role"] == "model", "role {}", candidate["content"]["role"]);
    ensure!(candidate["content"]["parts"].is_array(), "no parts");
    list(&candidate["content"]["parts"]).into_iter().try_for_each(valid_part)?;
    let grounding = &candidate["groundingMetadata"];
    let chunks = list(&grounding["groundingChunks"]).len();
    for support in list(&grounding["groundingSupports"]) {
        let indices = list(&support["groundingChunkIndices"]);
        ensure!(!indices.is_empty(), "support without source");
        ensure!(
            indices
                .iter()
                .all(|index| index.as_u64().is_some_and(|index| (index as usize) < chunks)),
            "sources {indices:?} of {chunks}"
        );
        ensure!(support["segment"]["endIndex"].is_u64(), "support without place");
    }
    Ok(())
}

fn valid_usage(usage: &Value) -> Verdict {
    if usage.is_null() {
        return Ok(());
    }
    for name in ["promptTokenCount", "candidatesTokenCount", "totalTokenCount"] {
        ensure!(usage[name].is_u64(), "usage without {name}");
    }
    Ok(())
}

pub(crate) fn valid_stream(events: &[Event]) -> Verdict {
    let mut stopped = false;
    for (position, event) in events.iter().enumerate() {
        ensure!(event.name.is_none(), "event {position} has a name");
        let body: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        if body["error"].is_object() {
            ensure!(position + 1 == events.len(), "something follows the error");
            return Ok(());
        }
        ensure!(body["responseId"].as_str().is_some_and(|id| !id.is_empty()), "no responseId");
        ensure!(body["modelVersion"].is_string(), "no modelVersion");
        ensure!(list(&body["candidates"]).len() == 1, "not one candidate");
        for candidate in list(&body["candidates"]) {
            valid_candidate(candidate)?;
            for part in list(&candidate["content"]["parts"]) {
                let call = &part["functionCall"];
                ensure!(call.is_null() || call["args"].is_object(), "a call in pieces");
            }
            if candidate["index"] == 0 {
                ensure!(!stopped, "goes on after the end");
                stopped = candidate["finishReason"].is_string();
            }
        }
        valid_usage(&body["usageMetadata"])?;
    }
    ensure!(stopped, "no end");
    Ok(())
}

pub(crate) fn valid_error(status: u16, body: &Value) -> Verdict {
    let error = &body["error"];
    ensure!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "no message");
    ensure!(error["code"] == status, "code {}", error["code"]);
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    ensure!(error["status"].as_str().is_some_and(is_name), "status {}", error["status"]);
    Ok(())
}

// --- what has no place ---

pub(crate) const ALLOWED: &[Allowed] = &[
    Allowed {
        feature: "stream",
        applies: |loss| through(loss, Dialect::Gemini) && loss.actual.is_null(),
        reason: "in Google's API the path says whether the answer streams",
    },
    Allowed {
        feature: "cache breakpoints",
        applies: |loss| through(loss, Dialect::Gemini) && loss.actual.is_null(),
        reason: "Google caches by itself, or what was stored before under a name",
    },
    Allowed {
        feature: "parallel tool calls",
        applies: |loss| through(loss, Dialect::Gemini) && loss.actual.is_null(),
        reason: "Google's models cannot be kept from calling several functions",
    },
    Allowed {
        feature: "user",
        applies: |loss| through(loss, Dialect::Gemini) && loss.actual.is_null(),
        reason: "Google has no such member",
    },
    Allowed {
        feature: "tools",
        applies: |loss| through(loss, Dialect::Gemini) && is_strictness(loss.expected, loss.actual),
        reason: "Google has no strictness for one function",
    },
    Allowed {
        feature: "server tools",
        applies: |loss| {
            (through(loss, Dialect::Gemini) || is_own(loss.exchange)) && loss.actual.is_null()
        },
        reason: "what one vendor's own tools did has no place at another's",
    },
    Allowed {
        feature: "server tool history",
        applies: |loss| {
            (through(loss, Dialect::Gemini) || is_own(loss.exchange)) && loss.actual.is_null()
        },
        reason: "what one vendor's own tools did has no place at another's",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            is_refused(loss, Dialect::Gemini, "tools[", ".type")
                || is_refused(loss, Dialect::Gemini, "messages[", ".type")
        },
        reason: "refused: tools that the caller runs by a schema of another vendor's, and content blocks of theirs",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::Gemini, "messages[", ".source"),
        reason: "refused: files another vendor keeps",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, loss.there, "cachedContent", ""),
        reason: "refused: a part of the conversation lies with Google",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::AnthropicMessages, "messages[", ".video_url"),
        reason: "refused: Anthropic takes no films",
    },
    Allowed {
        feature: "web search",
        applies: |loss| {
            let comes_back = is_own(loss.exchange) && loss.direction == Direction::Back;
            (comes_back || through(loss, Dialect::Gemini))
                && loss.actual.is_null()
                && has_functions(loss.exchange)
        },
        reason: "Google's older models do not search beside functions",
    },
    Allowed {
        feature: "quotes",
        applies: |loss| through(loss, Dialect::Gemini) && loss.actual.is_null(),
        reason: "Google names where an answer comes from, and not the words there",
    },
    Allowed {
        feature: "error code",
        applies: |loss| {
            is_own(loss.exchange)
                && loss.direction == Direction::Back
                && loss.actual.as_str().and_then(|code| code.parse().ok())
                    == Some(loss.exchange.status)
        },
        reason: "where the other dialect has no place for Google's reason, the status stands for it",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            is_own(loss.exchange)
                && is_to_claude(loss)
                && loss.actual.as_str().is_some_and(|error| {
                    error == "reasoning.max_tokens: must be at least 1024 for this provider"
                })
        },
        reason: "refused: a budget for thinking below Anthropic's smallest",
    },
    Allowed {
        feature: "temperature",
        applies: |loss| {
            is_own(loss.exchange)
                && is_to_claude(loss)
                && loss.actual.is_null()
                && loss.exchange.request.as_ref().is_some_and(|request| {
                    camel(request)["generationConfig"]["thinkingConfig"].is_object()
                })
        },
        reason: "Anthropic refuses a temperature together with thinking",
    },
    Allowed {
        feature: "thinking",
        applies: |loss| is_own(loss.exchange) && loss.actual.is_null(),
        reason: "asking to see thoughts, or for as many as the model likes, is the default elsewhere",
    },
    Allowed {
        feature: "thinking",
        applies: |loss| {
            through(loss, Dialect::Gemini)
                && loss.direction == Direction::Back
                && loss.actual.is_null()
        },
        reason: "thinking without an effort or a budget is the default of the models that can",
    },
    Allowed {
        feature: "earlier call signatures",
        applies: |loss| loss.actual.is_null() || loss.direction == Direction::Back,
        reason: "Google's proof that it made a call; others have no use for it, and limit ids",
    },
    Allowed {
        feature: "earlier call signatures",
        applies: |loss| through(loss, Dialect::Gemini) && loss.expected.is_null(),
        reason: "encrypted reasoning that names a call goes to that call",
    },
    Allowed {
        feature: "signatures",
        applies: |loss| through(loss, Dialect::Gemini) && loss.actual.is_null(),
        reason: "Google's signature without a thought goes to the text, as encrypted reasoning does",
    },
    Allowed {
        feature: "encrypted reasoning",
        applies: |loss| through(loss, Dialect::Gemini) && loss.expected.is_null(),
        reason: "Google's signature without a thought goes to the text, as encrypted reasoning does",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::Gemini) && *loss.expected == "end" && *loss.actual == "tools"
        },
        reason: "hosts report `stop` beside tool calls, and Google always does",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::Gemini) && *loss.expected == "end" && *loss.actual == "declined"
        },
        reason: "OpenAI reports `stop` beside a refusal; Google says `SAFETY`",
    },
    Allowed {
        feature: "tool calls",
        applies: |loss| through(loss, Dialect::Gemini) && is_without_arguments(loss),
        reason: "arguments `null` mean none, which Google spells `{}`",
    },
    Allowed {
        feature: "tool arguments",
        applies: |loss| {
            through(loss, Dialect::Gemini) && (is_without_arguments(loss) || is_wrapped(loss))
        },
        reason: "Google's arguments are an object: what is none is kept in its member `arguments`",
    },
    Allowed {
        feature: "usage output",
        applies: |loss| {
            through(loss, Dialect::Gemini) && loss.actual.as_u64() > loss.expected.as_u64()
        },
        reason: "the host counts thinking beside the answer; both together are what Google reports",
    },
    Allowed {
        feature: "error code",
        applies: |loss| through(loss, Dialect::Gemini) && loss.expected.is_null(),
        reason: "Google's errors always have a code, the status",
    },
    Allowed {
        feature: "earlier signatures",
        applies: |loss| is_foreign(loss),
        reason: "signed by another vendor, which refuses it back from nobody else",
    },
    Allowed {
        feature: "earlier encrypted reasoning",
        applies: |loss| is_foreign(loss),
        reason: "encrypted by another vendor",
    },
    Allowed {
        feature: "earlier reasoning",
        applies: |loss| {
            through(loss, Dialect::Gemini)
                && loss.direction == Direction::Back
                && is_signed(loss.exchange)
                && loss.actual.is_null()
        },
        reason: "Claude refuses thinking whose signature is gone",
    },
    Allowed {
        feature: "tool results",
        applies: |loss| {
            through(loss, Dialect::Gemini)
                && without_spaces(loss.actual) == without_spaces(loss.expected)
        },
        reason: "several texts of one result are joined by line breaks, and JSON is a value",
    },
    Allowed {
        feature: "tool errors",
        applies: |loss| {
            is_own(loss.exchange) && through(loss, Dialect::OpenAiChat) && loss.actual.is_null()
        },
        reason: "chat completions cannot say that a tool failed; its words say it",
    },
    Allowed {
        feature: "output files",
        applies: |loss| loss.there == Dialect::AnthropicMessages && loss.actual.is_null(),
        reason: "Anthropic's answers hold no images and no sound",
    },
    Allowed {
        feature: "usage cache writes",
        applies: |loss| through(loss, Dialect::Gemini) && loss.actual.is_null(),
        reason: "Google does not count what is written to a cache",
    },
    Allowed {
        feature: "usage total",
        applies: |loss| loss.expected.is_null(),
        reason: "a total that was not reported is the sum",
    },
    Allowed {
        feature: "error type",
        applies: |loss| through(loss, Dialect::AnthropicMessages) || loss.expected.is_null(),
        reason: "errors without a type get the name their status has",
    },
];

/// Whether it was said in Google's dialect.
fn is_own(exchange: &Exchange) -> bool {
    exchange.dialect == Dialect::Gemini
}

/// Whether a proof was lost because it went to another vendor than the one that gave it.
fn is_foreign(loss: &Mismatch<'_>) -> bool {
    let leaves = is_own(loss.exchange) && is_to_claude(loss);
    loss.direction != Direction::Same && (leaves || loss.there == Dialect::Gemini)
}

/// Whether it went through a dialect in which a Claude was asked.
fn is_to_claude(loss: &Mismatch<'_>) -> bool {
    through(loss, Dialect::AnthropicMessages) || through(loss, Dialect::BedrockConverse)
}

fn has_functions(exchange: &Exchange) -> bool {
    let request = exchange.request.as_ref();
    request.is_some_and(|request| {
        list(&request["tools"]).into_iter().any(|tool| {
            camel(tool)["functionDeclarations"].is_array()
                || tool["input_schema"].is_object()
                || tool["type"] == "function"
                || tool["type"] == "custom"
        })
    })
}

/// Whether tools differ in nothing but being strict.
fn is_strictness(expected: &Value, actual: &Value) -> bool {
    let without = |tools: &Value| -> Vec<Value> {
        let tools = list(tools).into_iter();
        tools.map(|tool| json!([tool[0], tool[1], tool[2]])).collect()
    };
    without(expected) == without(actual)
}

fn without_spaces(value: &Value) -> String {
    value.to_string().replace("\\n", "").replace(' ', "")
}
