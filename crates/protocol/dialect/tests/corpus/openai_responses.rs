//! The responses dialect: what documents say, what the vendor's parser insists on, and which losses are no mistakes.

use dialect::Dialect;
use serde_json::{Map, Value, json};

use crate::Facts;
use crate::allowed::{Allowed, Mismatch, is_picture, is_refused, through};
use crate::answer::{Answer, Call, error_message, sanitize};
use crate::question::{Question, Settings, plain_source, plain_text};
use crate::sse::Event;
use crate::validate::{Verdict, ensure};

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("")
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Types of items of tools that the vendor runs and others have, too.
const SERVER_TOOLS: &[&str] = &["web_search_call", "code_interpreter_call", "mcp_call"];

// --- requests ---

pub(crate) fn question(body: &Value, question: &mut Question) {
    question.breakpoint(body);
    question.say("system", &body["instructions"]);
    question.say("user", &body["input"]);
    for tool in allowed_tools(body) {
        say_tool(tool, question);
    }
    for item in list(body, "input") {
        say_item(item, question);
    }
}

/// The tools that may be used.
fn allowed_tools(body: &Value) -> Vec<&Value> {
    let choice = &body["tool_choice"];
    let is_allowed = |tool: &&Value| {
        choice["type"] != "allowed_tools"
            || list(choice, "tools").iter().any(|allowed| allowed["name"] == tool["name"])
    };
    list(body, "tools").iter().filter(is_allowed).collect()
}

fn say_tool(tool: &Value, question: &mut Question) {
    if tool["type"] == "namespace" {
        // Elsewhere its tools stand alone.
        return list(tool, "tools").iter().for_each(|tool| say_tool(tool, question));
    }
    let function = if tool["function"].is_object() { &tool["function"] } else { tool };
    if tool["type"].as_str().is_none_or(|kind| kind == "function") {
        question.breakpoint(tool);
        let said = [
            &function["name"],
            &function["description"],
            &function["parameters"],
            &function["strict"],
        ];
        let before = question.tools.len();
        question.tool(said[0], said[1], said[2], said[3]);
        // The same tool again is the same tool.
        let is_known = question.tools[..before].iter().any(|known| known[0] == *said[0]);
        question.tools.truncate(if is_known { before } else { before + 1 });
    }
}

fn say_item(item: &Value, question: &mut Question) {
    question.breakpoint(item);
    match item["type"].as_str().unwrap_or("message") {
        "message" => {
            let role = text(item, "role");
            question.say(role, &item["content"]);
            list(item, "content").iter().for_each(|part| say_part(role, part, question));
        }
        "function_call" => {
            let arguments = text(item, "arguments").trim();
            let arguments = if arguments.is_empty() { "{}" } else { arguments };
            let arguments: Value =
                serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into());
            question.calls.push(json!([item["name"], arguments]));
            question.call_ids.push(sanitize(text(item, "call_id")).into());
        }
        "custom_tool_call" => {
            question.calls.push(json!([item["name"], item["input"]]));
            question.call_ids.push(sanitize(text(item, "call_id")).into());
        }
        "function_call_output" | "custom_tool_call_output" => {
            let mut said = text(item, "output").to_owned();
            for part in list(item, "output") {
                match part["text"].as_str() {
                    Some(part) => said.push_str(part),
                    None => say_part("user", part, question),
                }
            }
            question.result(&item["call_id"], said);
        }
        "reasoning" => say_reasoning(item, question),
        "additional_tools" | "tool_search_output" => {
            list(item, "tools").iter().for_each(|tool| say_tool(tool, question));
            question.vendor_blocks += 1;
        }
        _ => question.vendor_blocks += 1,
    }
}

fn say_reasoning(item: &Value, question: &mut Question) {
    let pieces: Vec<&Value> = list(item, "summary")
        .iter()
        .chain(list(item, "content"))
        .map(|piece| &piece["text"])
        .collect();
    let proof = &item["encrypted_content"];
    if proof.as_str().is_some_and(|proof| !proof.is_empty()) {
        let proofs = if pieces.is_empty() || is_encrypted(item) {
            &mut question.encrypted
        } else {
            &mut question.signatures
        };
        proofs.push(proof.clone());
    }
    let is_filled = |piece: &&Value| piece.as_str().is_some_and(|piece| !piece.is_empty());
    question.reasoning.extend(pieces.into_iter().filter(is_filled).cloned());
}

/// Whether it is of a vendor that encrypts its thinking and does not sign it.
fn is_encrypted(item: &Value) -> bool {
    let format = text(item, "format");
    let is_fernet = text(item, "encrypted_content").starts_with("gAAAA");
    format.starts_with("openai") || format.starts_with("xai") || (format.is_empty() && is_fernet)
}

fn say_part(role: &str, part: &Value, question: &mut Question) {
    question.breakpoint(part);
    match text(part, "type") {
        "input_text" | "output_text" | "text" => question.say(role, &part["text"]),
        "refusal" => question.say(role, &part["refusal"]),
        "input_image" => {
            let source = part["image_url"].as_str().or(part["file_id"].as_str()).unwrap_or("");
            question.images.push(plain_source(source).into());
        }
        "input_file" => {
            let sources = ["file_data", "file_url", "file_id"];
            let source = sources.iter().find_map(|name| part[*name].as_str()).unwrap_or("");
            match plain_text(source) {
                Some(text) => question.say(role, &text.into()),
                None => question.documents.push(plain_source(source).into()),
            }
        }
        "input_audio" => question.audio += 1,
        _ => question.vendor_blocks += 1,
    }
}

pub(crate) fn settings(body: &Value) -> Settings {
    let or_null = |condition: bool, value: Value| if condition { value } else { Value::Null };
    let is_own_tool = |tool: &&Value| {
        tool["type"].as_str().is_none_or(|kind| matches!(kind, "function" | "custom" | "namespace"))
    };
    let has_tools = list(body, "tools").iter().any(|tool| is_own_tool(&tool));
    let choice = &body["tool_choice"];
    let named = choice["name"].as_str().or(choice["function"]["name"].as_str());
    let choice = match (choice.as_str(), choice["type"].as_str(), named) {
        (Some(word), _, _) => json!(word),
        (None, Some("allowed_tools"), _) => choice["mode"].clone(),
        (None, _, Some(name)) => json!({ "name": name }),
        (None, _, None) => Value::Null,
    };
    let format = &body["text"]["format"];
    let includes = |name: &str| list(body, "include").iter().any(|included| *included == name);
    vec![
        (
            "token limit",
            body["max_output_tokens"].as_u64().map_or(Value::Null, |limit| limit.max(16).into()),
        ),
        ("tool choice", or_null(has_tools, choice)),
        (
            "parallel tool calls",
            or_null(has_tools && body["parallel_tool_calls"] == false, json!(false)),
        ),
        ("temperature", body["temperature"].clone()),
        ("top_p", body["top_p"].clone()),
        ("top_k", body["top_k"].clone()),
        ("stop sequences", body["stop"].clone()),
        ("stream", or_null(body["stream"] == true, json!(true))),
        ("output schema", or_null(format["type"] == "json_schema", format["schema"].clone())),
        ("json mode", or_null(format["type"] == "json_object", json!(true))),
        ("user", body["user"].clone()),
        ("seed", body["seed"].as_u64().map_or(Value::Null, Value::from)),
        (
            "penalties",
            or_null(
                body["frequency_penalty"].is_number() || body["presence_penalty"].is_number(),
                json!(true),
            ),
        ),
        ("logprobs", or_null(includes("message.output_text.logprobs"), json!(true))),
        ("verbosity", body["text"]["verbosity"].clone()),
        ("web search", or_null(asks_for_search(body), json!(true))),
        ("server state", or_null(names_state(body).is_some(), json!(true))),
        ("thinking", thinking(&body["reasoning"])),
    ]
}

fn asks_for_search(body: &Value) -> bool {
    list(body, "tools").iter().any(|tool| text(tool, "type").starts_with("web_search"))
}

fn names_state(body: &Value) -> Option<&'static str> {
    ["previous_response_id", "conversation", "prompt"]
        .into_iter()
        .find(|name| body.get(name).is_some_and(|value| !value.is_null()))
}

fn thinking(reasoning: &Value) -> Value {
    match reasoning["effort"].as_str() {
        Some("none") => json!("off"),
        Some(_) => json!("on"),
        None => Value::Null,
    }
}

// --- answers ---

pub(crate) fn reply(body: &Value) -> Answer {
    let mut answer = Answer { id: text(body, "id").to_owned(), choices: 1, ..Answer::default() };
    list(body, "output").iter().for_each(|item| take_item(item, &mut answer));
    answer.stop = Some(stop(body));
    take_usage(&body["usage"], &mut answer.usage);
    answer
}

fn take_item(item: &Value, answer: &mut Answer) {
    match text(item, "type") {
        "message" => list(item, "content").iter().for_each(|part| take_part(part, answer)),
        "reasoning" => take_reasoning(item, answer),
        "function_call" => take_call(item, "arguments", answer),
        "custom_tool_call" => take_call(item, "input", answer),
        "image_generation_call" if item["result"].is_string() => {
            answer.files.push(text(item, "result").to_owned());
        }
        kind if SERVER_TOOLS.contains(&kind) => answer.server_tools += 1,
        _ => answer.vendor_items += 1,
    }
}

fn take_part(part: &Value, answer: &mut Answer) {
    answer.text.push_str(text(part, "text"));
    answer.text.push_str(text(part, "refusal"));
    let urls = list(part, "annotations").iter().map(|annotation| text(annotation, "url"));
    answer.citations.extend(urls.filter(|url| !url.is_empty()).map(str::to_owned));
}

fn take_reasoning(item: &Value, answer: &mut Answer) {
    let pieces = list(item, "summary").len() + list(item, "content").len();
    for piece in list(item, "summary").iter().chain(list(item, "content")) {
        answer.reasoning.push_str(text(piece, "text"));
    }
    let proof = text(item, "encrypted_content");
    if proof.is_empty() {
        return;
    }
    let proofs = if pieces > 0 && !is_encrypted(item) {
        &mut answer.signatures
    } else {
        &mut answer.encrypted
    };
    proofs.push(proof.to_owned());
}

fn take_call(item: &Value, input: &str, answer: &mut Answer) {
    answer.calls.push(Call {
        id: text(item, "call_id").to_owned(),
        name: text(item, "name").to_owned(),
        arguments: text(item, input).to_owned(),
        index: None,
    });
}

fn stop(body: &Value) -> String {
    let has = |kind: &str| list(body, "output").iter().any(|item| text(item, "type") == kind);
    let refuses = || {
        let mut parts = list(body, "output").iter().flat_map(|item| list(item, "content"));
        parts.any(|part| part["type"] == "refusal")
    };
    match (text(body, "stop_reason"), text(body, "status")) {
        ("refusal", _) => "declined",
        ("" | "stop_sequence" | "end_turn", "completed") if has("function_call") => "tools",
        ("" | "stop_sequence" | "end_turn", "completed") if has("custom_tool_call") => "tools",
        ("" | "stop_sequence" | "end_turn", "completed") if refuses() => "declined",
        ("" | "stop_sequence" | "end_turn", "completed") => "end",
        ("", "incomplete") => match text(&body["incomplete_details"], "reason") {
            "max_output_tokens" => "length",
            "content_filter" => "declined",
            other => other,
        },
        ("", status) => status,
        (reason, _) => reason,
    }
    .to_owned()
}

fn take_usage(usage: &Value, into: &mut Map<String, Value>) {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64).filter(|n| *n > 0);
    let either = count("/input_tokens").zip(count("/output_tokens")).map(|(a, b)| a + b);
    let counts = [
        ("input", count("/input_tokens")),
        ("output", count("/output_tokens")),
        ("total", count("/total_tokens").or(either)),
        ("cached", count("/input_tokens_details/cached_tokens")),
        ("written", count("/input_tokens_details/cache_write_tokens")),
        ("reasoning", count("/output_tokens_details/reasoning_tokens")),
    ];
    for (name, count) in counts {
        if let Some(count) = count {
            into.insert(name.to_owned(), count.into());
        }
    }
}

/// Reads the pieces and, at the end, what only the whole response says.
pub(crate) fn stream(events: &[Event]) -> Facts {
    let mut answer = Answer { choices: 1, ..Answer::default() };
    let ended = ended_items(events);
    for event in events {
        let Ok(data) = serde_json::from_str::<Value>(&event.data) else { continue };
        match text(&data, "type") {
            "response.created" => answer.id = text(&data["response"], "id").to_owned(),
            // Items stand in the order in which they end, which is close enough to the other.
            "response.output_item.done" => take_item(&data["item"], &mut answer),
            "response.output_text.delta" | "response.refusal.delta"
                if !ended.contains(&data["output_index"].as_u64()) =>
            {
                answer.text.push_str(text(&data, "delta"));
            }
            "response.reasoning_summary_text.delta"
                if !ended.contains(&data["output_index"].as_u64()) =>
            {
                answer.reasoning.push_str(text(&data, "delta"));
            }
            "response.completed" | "response.incomplete" => {
                let response = &data["response"];
                answer.stop = Some(stop(response));
                take_usage(&response["usage"], &mut answer.usage);
            }
            "error" | "response.failed" => {
                let error = if data["response"].is_object() { &data["response"] } else { &data };
                let mut facts = answer.into_facts();
                facts.retain(|name, _| !name.starts_with("usage") && *name != "finish reason");
                facts.insert("error", error_message(error).into());
                return facts;
            }
            _ => {}
        }
    }
    answer.into_facts()
}

/// The items that end. A stream that breaks leaves some open, of which there are only pieces.
fn ended_items(events: &[Event]) -> Vec<Option<u64>> {
    let ends = events.iter().filter(|event| event.data.contains("response.output_item.done"));
    ends.map(|event| {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        data["output_index"].as_u64()
    })
    .collect()
}

// --- what the vendor insists on ---

pub(crate) fn valid_request(body: &Value) -> Verdict {
    ensure!(body["model"].is_string(), "no model");
    let input = &body["input"];
    let is_asked = input.as_str().is_some_and(|text| !text.is_empty())
        || !list(body, "input").is_empty()
        || names_state(body).is_some();
    ensure!(is_asked, "no input");
    let mut open: Vec<&str> = Vec::new();
    for (position, item) in list(body, "input").iter().enumerate() {
        valid_input_item(item, &mut open).map_err(|error| format!("item {position}: {error}"))?;
    }
    for tool in list(body, "tools") {
        ensure!(tool["type"].is_string(), "tool without type");
        let is_function = tool["type"] == "function";
        let is_nested = tool["function"]["name"].is_string();
        ensure!(!is_function || tool["name"].is_string() || is_nested, "tool without name");
    }
    let limit = &body["max_output_tokens"];
    ensure!(limit.as_u64().is_none_or(|limit| limit >= 16), "limit {limit}");
    ensure!(body.get("messages").is_none(), "messages of the elder dialect");
    Ok(())
}

fn valid_input_item<'v>(item: &'v Value, open: &mut Vec<&'v str>) -> Verdict {
    let call_id = text(item, "call_id");
    match item["type"].as_str().unwrap_or("message") {
        "message" => {
            let role = text(item, "role");
            ensure!(["system", "developer", "user", "assistant"].contains(&role), "role {role}");
            let is_said = item["content"].is_string() || item["content"].is_array();
            ensure!(is_said, "no content");
            let allowed: &[&str] = match role {
                "assistant" => &["output_text", "refusal", "input_text"],
                _ => &["input_text", "input_image", "input_file", "input_audio"],
            };
            for part in list(item, "content") {
                ensure!(allowed.contains(&text(part, "type")), "{role} says {part}");
            }
        }
        kind @ ("function_call" | "custom_tool_call") => {
            let input = if kind == "function_call" { "arguments" } else { "input" };
            ensure!(!call_id.is_empty() && item["name"].is_string(), "{kind} without id or name");
            ensure!(item[input].is_string(), "{kind} without {input}");
            open.push(call_id);
        }
        kind @ ("function_call_output" | "custom_tool_call_output") => {
            let found = open.iter().position(|open| *open == call_id);
            ensure!(item["output"].is_string() || item["output"].is_array(), "no output");
            let found = found.ok_or(format!("{kind} {call_id} answers no call"))?;
            open.remove(found);
        }
        "reasoning" => ensure!(item["summary"].is_array(), "reasoning without summary"),
        _ => {}
    }
    Ok(())
}

pub(crate) fn valid_reply(body: &Value) -> Verdict {
    valid_response(body)?;
    ensure!(["completed", "incomplete"].contains(&text(body, "status")), "status");
    list(body, "output").iter().try_for_each(valid_item)
}

fn valid_response(body: &Value) -> Verdict {
    ensure!(!text(body, "id").is_empty(), "no id");
    ensure!(body["object"] == "response", "object {}", body["object"]);
    ensure!(body["created_at"].is_u64(), "no created_at");
    ensure!(body["model"].is_string(), "no model");
    ensure!(body["output"].is_array() && body["tools"].is_array(), "no output or tools");
    ensure!(body["parallel_tool_calls"].is_boolean(), "no parallel_tool_calls");
    for name in ["error", "incomplete_details", "instructions", "metadata", "temperature", "top_p"]
    {
        ensure!(body.get(name).is_some(), "no {name}");
    }
    let is_incomplete = body["status"] == "incomplete";
    ensure!(body["incomplete_details"].is_object() == is_incomplete, "incomplete_details");
    let usage = &body["usage"];
    if usage.is_null() {
        return Ok(());
    }
    for path in [
        "/input_tokens",
        "/input_tokens_details/cached_tokens",
        "/input_tokens_details/cache_write_tokens",
        "/output_tokens",
        "/output_tokens_details/reasoning_tokens",
        "/total_tokens",
    ] {
        ensure!(usage.pointer(path).is_some_and(Value::is_u64), "usage without {path}");
    }
    Ok(())
}

fn valid_item(item: &Value) -> Verdict {
    let has_text = |name: &str| !text(item, name).is_empty();
    ensure!(has_text("id"), "item without id: {item}");
    let is_sound = match text(item, "type") {
        "message" => {
            list(item, "content").iter().try_for_each(valid_part)?;
            item["role"] == "assistant" && item["content"].is_array() && has_text("status")
        }
        "reasoning" => item["summary"].is_array(),
        "function_call" => {
            has_text("call_id") && item["name"].is_string() && item["arguments"].is_string()
        }
        "custom_tool_call" => {
            has_text("call_id") && item["name"].is_string() && item["input"].is_string()
        }
        "image_generation_call" => item["result"].is_string() && has_text("status"),
        "web_search_call" => item["action"]["type"].is_string(),
        "code_interpreter_call" => item["code"].is_string() && item["outputs"].is_array(),
        "mcp_call" => item["arguments"].is_string() && item["server_label"].is_string(),
        "file_search_call" => item["queries"].is_array(),
        _ => false,
    };
    ensure!(is_sound, "item {item}");
    Ok(())
}

fn valid_part(part: &Value) -> Verdict {
    let is_sound = match text(part, "type") {
        "output_text" => {
            let is_range = |annotation: &Value| {
                annotation["start_index"].as_u64() <= annotation["end_index"].as_u64()
            };
            part["text"].is_string()
                && part["logprobs"].is_array()
                && part["annotations"].is_array()
                && list(part, "annotations").iter().all(is_range)
        }
        "refusal" => part["refusal"].is_string(),
        _ => false,
    };
    ensure!(is_sound, "part {part}");
    Ok(())
}

/// What a stream has said of an item.
#[derive(Default)]
struct Said {
    id: String,
    kind: String,
    parts: u64,
    is_part_open: bool,
    said: String,
    is_done: bool,
}

pub(crate) fn valid_stream(events: &[Event]) -> Verdict {
    let mut items: Vec<Said> = Vec::new();
    let mut whole = Vec::new();
    let mut is_over = false;
    for (position, event) in events.iter().enumerate() {
        let data: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        let kind = text(&data, "type");
        ensure!(event.name.as_deref() == Some(kind), "{:?} named {kind}", event.name);
        ensure!(data["sequence_number"] == position, "number {}", data["sequence_number"]);
        ensure!(!is_over, "{kind} follows the end");
        match kind {
            "response.created" | "response.in_progress" => {
                ensure!(position < 2, "{kind} out of place");
                valid_response(&data["response"])?;
            }
            "response.completed" | "response.incomplete" => {
                valid_response(&data["response"])?;
                list(&data["response"], "output").iter().try_for_each(valid_item)?;
                ensure!(items.iter().all(|item| item.is_done), "an item is not done");
                let mut done: Vec<&(u64, Value)> = whole.iter().collect();
                done.sort_by_key(|(index, _)| *index);
                let done: Vec<&Value> = done.into_iter().map(|(_, item)| item).collect();
                let output: Vec<&Value> = list(&data["response"], "output").iter().collect();
                ensure!(done == output, "the output is not what was said");
                is_over = true;
            }
            "error" => {
                ensure!(!text(&data, "message").is_empty(), "no message");
                let next = events.get(position + 1);
                is_over = next.is_none();
            }
            "response.failed" => {
                ensure!(data["response"]["error"]["code"].is_string(), "no code");
                is_over = true;
            }
            kind => valid_item_event(kind, &data, &mut items, &mut whole)?,
        }
    }
    ensure!(is_over, "no end");
    Ok(())
}

fn valid_item_event(
    kind: &str,
    data: &Value,
    items: &mut Vec<Said>,
    whole: &mut Vec<(u64, Value)>,
) -> Verdict {
    let index = data["output_index"].as_u64().ok_or("no output_index")?;
    if kind == "response.output_item.added" {
        ensure!(index as usize == items.len(), "item {index} out of order");
        let item = &data["item"];
        items.push(Said {
            id: text(item, "id").to_owned(),
            kind: text(item, "type").to_owned(),
            ..Said::default()
        });
        return Ok(());
    }
    let item = items.get_mut(index as usize).ok_or(format!("item {index} was not added"))?;
    ensure!(!item.is_done, "{kind} behind the end of its item");
    if kind == "response.output_item.done" {
        ensure!(data["item"]["id"] == *item.id, "the id changes");
        ensure!(!item.is_part_open, "a part is open");
        valid_item(&data["item"])?;
        item.is_done = true;
        whole.push((index, data["item"].clone()));
        return Ok(());
    }
    ensure!(data["item_id"] == *item.id, "{kind} of {}", data["item_id"]);
    let belongs = match kind.trim_start_matches("response.").split('.').next().unwrap_or("") {
        "content_part" | "output_text" | "refusal" => "message",
        "reasoning_summary_part" | "reasoning_summary_text" => "reasoning",
        "function_call_arguments" => "function_call",
        "custom_tool_call_input" => "custom_tool_call",
        "code_interpreter_call_code" => "code_interpreter_call",
        "mcp_call_arguments" => "mcp_call",
        other => other,
    };
    ensure!(belongs == item.kind, "{kind} in {}", item.kind);
    let part = data["content_index"].as_u64().or(data["summary_index"].as_u64());
    ensure!(part.is_none_or(|part| part == item.parts), "part {part:?} of {}", item.parts);
    match kind {
        "response.content_part.added" | "response.reasoning_summary_part.added" => {
            ensure!(!item.is_part_open, "a part in a part");
            item.is_part_open = true;
            item.said.clear();
        }
        "response.content_part.done" | "response.reasoning_summary_part.done" => {
            ensure!(item.is_part_open, "no part is open");
            item.is_part_open = false;
            item.parts += 1;
        }
        kind if kind.ends_with(".delta") => item.said.push_str(text(data, "delta")),
        kind if kind.ends_with(".done") => {
            let names = ["text", "refusal", "arguments", "input", "code"];
            let said = names.iter().find_map(|name| data[*name].as_str()).unwrap_or("");
            ensure!(said == item.said, "{kind} says {said} instead of {}", item.said);
        }
        _ => {}
    }
    Ok(())
}

// --- losses ---

const HERE: Dialect = Dialect::OpenAiResponses;

/// Lost on the way through this dialect.
fn here(loss: &Mismatch<'_>) -> bool {
    through(loss, HERE)
}

/// Said in this dialect and lost on the way through the other.
fn elsewhere(loss: &Mismatch<'_>) -> bool {
    loss.exchange.dialect == HERE && through(loss, loss.there)
}

fn is_gone(loss: &Mismatch<'_>) -> bool {
    loss.actual.is_null()
}

/// Whether a request in this dialect was refused by another at such a place.
fn is_refused_elsewhere(loss: &Mismatch<'_>, head: &str, tail: &str) -> bool {
    elsewhere(loss) && is_refused(loss, loss.there, head, tail)
}

/// Whether all of the signatures that are missing are OpenAI's.
fn are_openai(loss: &Mismatch<'_>) -> bool {
    let proofs = loss.expected.as_array().map_or(&[][..], Vec::as_slice);
    proofs.iter().all(|proof| proof.as_str().is_some_and(|proof| proof.starts_with("gAAAA")))
}

pub(crate) const ALLOWED: &[Allowed] = &[
    Allowed {
        feature: "translation",
        applies: |loss| {
            ["previous_response_id", "conversation", "background", "prompt"]
                .iter()
                .any(|name| is_refused_elsewhere(loss, name, name))
        },
        reason: "refused: what OpenAI has kept is known to OpenAI only",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused_elsewhere(loss, "input[", "].type"),
        reason: "refused: items only responses have (compaction, shells, computers)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused_elsewhere(loss, "tools[", "].type"),
        reason: "refused: tools only responses have and that the caller runs",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            let error = loss.actual.as_str().unwrap_or("");
            error.starts_with("input[")
                && error.ends_with("source: cannot be expressed in openai_chat")
        },
        reason: "refused: documents by URL and images by file id, which chat completions do not take",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, HERE, "tools[", ".type"),
        reason: "refused: tools with a schema of Anthropic's that the caller runs (computer, memory)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, HERE, "messages[", ".type"),
        reason: "refused: content blocks of another vendor (containers, video)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, HERE, "messages[", ".input_audio"),
        reason: "refused: audio of which the format is not said, which responses want to know",
    },
    Allowed {
        feature: "vendor items",
        applies: |loss| through(loss, loss.there) && is_gone(loss),
        reason: "of tools only one vendor has (tool search, file search, pictures, shells)",
    },
    Allowed {
        feature: "server tool history",
        applies: |loss| through(loss, loss.there) && is_gone(loss),
        reason: "what one vendor's own tools did earlier is known to no other",
    },
    Allowed {
        feature: "web search",
        applies: |loss| through(loss, Dialect::OpenAiChat) && is_gone(loss),
        reason: "chat completions search only with models made for nothing else",
    },
    Allowed {
        feature: "quotes",
        applies: |loss| here(loss) && is_gone(loss),
        reason: "responses name the file that is cited, and not its words",
    },
    Allowed {
        feature: "tool errors",
        applies: |loss| here(loss) && is_gone(loss),
        reason: "outputs of functions have no place for whether the function failed",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, HERE, "messages[", ".video_url"),
        reason: "refused: responses take no films",
    },
    Allowed {
        feature: "output files",
        applies: |loss| here(loss) && is_gone(loss) && !is_picture(loss.expected),
        reason: "responses hold pictures, and no sound",
    },
    Allowed {
        feature: "web search",
        applies: |loss| loss.exchange.dialect == Dialect::OpenAiChat && is_gone(loss),
        reason: "an option of OpenAI's own; hosts that took chat completions over get none",
    },
    Allowed {
        feature: "verbosity",
        applies: |loss| through(loss, loss.there) && is_gone(loss),
        reason: "a knob of OpenAI's own models only",
    },
    Allowed {
        feature: "n",
        applies: |loss| here(loss) && is_gone(loss),
        reason: "responses give one answer",
    },
    Allowed {
        feature: "choices",
        applies: |loss| here(loss) && is_gone(loss),
        reason: "responses give one answer; the first is kept",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| here(loss) && *loss.expected == "end" && *loss.actual == "tools",
        reason: "a complete response that makes calls is one that waits for their results",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| here(loss) && *loss.expected == "end" && *loss.actual == "declined",
        reason: "a complete response that refuses is one that declined",
    },
    Allowed {
        feature: "error type",
        applies: |loss| loss.expected.is_null() && *loss.actual == "api_error",
        reason: "OpenAI's errors always have a type",
    },
    Allowed {
        feature: "earlier encrypted reasoning",
        applies: |loss| elsewhere(loss) && is_gone(loss) && are_openai(loss),
        reason: "encrypted by another vendor; Anthropic refuses it",
    },
    Allowed {
        feature: "thinking",
        applies: |loss| {
            let request = loss.exchange.request.as_ref();
            here(loss)
                && is_gone(loss)
                && request.is_some_and(|request| {
                    let bedrock = &request["additionalModelRequestFields"];
                    request["thinking"]["type"] == "adaptive"
                        || bedrock["thinking"]["type"] == "adaptive"
                })
        },
        reason: "adaptive thinking leaves the effort to the model, as responses do when none is named",
    },
];
