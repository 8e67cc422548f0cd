//! What replies and streams say, read without the crate under test.

use dialect::Dialect;
use serde_json::{Map, Value, json};

use crate::gemini;
use crate::sse::Event;
use crate::{
    Facts, bedrock_converse, cohere_chat, ollama_chat, openai_completions, openai_responses,
};

/// A reply taken apart.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) reasoning: String,
    pub(crate) signatures: Vec<String>,
    pub(crate) encrypted: Vec<String>,
    /// Proofs of the calls themselves, which travel in their ids.
    pub(crate) call_signatures: Vec<String>,
    /// Images and sounds.
    pub(crate) files: Vec<String>,
    pub(crate) calls: Vec<Call>,
    pub(crate) stop: Option<String>,
    pub(crate) usage: Map<String, Value>,
    pub(crate) citations: Vec<String>,
    /// Words of what the request brought along.
    pub(crate) quotes: Vec<String>,
    pub(crate) server_tools: usize,
    pub(crate) vendor_items: usize,
    pub(crate) choices: usize,
    pub(crate) id: String,
}

#[derive(Default)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arguments: String,
    pub(crate) index: Option<u64>,
}

pub(crate) fn reply_facts(dialect: Dialect, body: &Value) -> Facts {
    match dialect {
        Dialect::OpenAiChat => openai_reply(body).into_facts(),
        Dialect::OpenAiResponses => openai_responses::reply(body).into_facts(),
        Dialect::AnthropicMessages => anthropic_reply(body).into_facts(),
        Dialect::BedrockConverse => bedrock_converse::reply(body).into_facts(),
        Dialect::CohereChat => cohere_chat::reply(body).into_facts(),
        Dialect::OpenAiCompletions => openai_completions::reply(body).into_facts(),
        Dialect::OllamaChat => ollama_chat::reply(body).into_facts(),
        Dialect::Gemini => gemini::reply(body).into_facts(),
        other => unreachable!("{} is checked by operations.rs", other.name()),
    }
}

pub(crate) fn stream_facts(dialect: Dialect, events: &[Event]) -> Facts {
    match dialect {
        Dialect::OpenAiChat => openai_stream(events),
        Dialect::OpenAiResponses => openai_responses::stream(events),
        Dialect::AnthropicMessages => anthropic_stream(events),
        Dialect::BedrockConverse => bedrock_converse::stream_facts(events),
        Dialect::CohereChat => cohere_chat::stream(events),
        Dialect::OpenAiCompletions => openai_completions::stream(events),
        Dialect::OllamaChat => ollama_chat::stream(events),
        Dialect::Gemini => gemini::stream(events),
        other => unreachable!("{} is checked by operations.rs", other.name()),
    }
}

impl Answer {
    pub(crate) fn into_facts(self) -> Facts {
        let mut facts = Facts::new();
        let carried = self.calls.iter().filter_map(|call| split(&call.id).1);
        let call_signatures: Vec<String> =
            self.call_signatures.iter().cloned().chain(carried.map(str::to_owned)).collect();
        let mut put = |name: &'static str, value: Value| {
            let is_nothing = match &value {
                Value::Null => true,
                Value::String(text) => text.is_empty(),
                Value::Array(list) => list.is_empty(),
                _ => false,
            };
            if !is_nothing {
                facts.insert(name, value);
            }
        };
        // Structured output is compared by value, since one host gives it as an object.
        put("text", serde_json::from_str(&self.text).unwrap_or(Value::from(self.text)));
        put("reasoning", self.reasoning.into());
        put("signatures", self.signatures.into());
        put("encrypted reasoning", self.encrypted.into());
        put("call signatures", call_signatures.into());
        put("output files", self.files.into());
        put("tool names", self.calls.iter().map(|call| call.name.clone()).collect());
        put("tool ids", self.calls.iter().map(|call| sanitize(&call.id)).collect());
        put(
            "tool arguments",
            self.calls.iter().map(|call| parse_arguments(&call.arguments)).collect(),
        );
        put("finish reason", self.stop.map_or(Value::Null, Value::from));
        put("citations", self.citations.into());
        put("quotes", self.quotes.into());
        put("id", self.id.into());
        put("server tools", Some(self.server_tools).filter(|count| *count > 0).into());
        put("vendor items", Some(self.vendor_items).filter(|count| *count > 0).into());
        put("choices", Some(self.choices).filter(|count| *count > 1).into());
        for (name, usage) in [
            ("usage input", "input"),
            ("usage output", "output"),
            ("usage total", "total"),
            ("usage cached", "cached"),
            ("usage cache writes", "written"),
            ("usage reasoning", "reasoning"),
        ] {
            let count = self.usage.get(usage).filter(|count| **count != 0);
            put(name, count.cloned().unwrap_or(Value::Null));
        }
        facts
    }
}

pub(crate) fn parse_arguments(arguments: &str) -> Value {
    match arguments.trim() {
        "" => json!({}),
        text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
    }
}

/// An id in the characters all vendors take, without the signature it may carry.
pub(crate) fn sanitize(id: &str) -> String {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    split(id).0.chars().map(|c| if fine(c) { c } else { '_' }).collect()
}

/// The id of a call, and the signature behind it.
fn split(id: &str) -> (&str, Option<&str>) {
    match id.split_once("_ts_") {
        Some((id, signature)) if signature.len() >= 16 => (id, Some(signature)),
        _ => (id, None),
    }
}

/// A signature without the mark that says whose it is.
pub(crate) fn unmark(signature: &Value) -> String {
    let signature = signature.as_str().unwrap_or("");
    signature.strip_prefix("google-gemini-v1:").unwrap_or(signature).to_owned()
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or("")
}

pub(crate) fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

// --- OpenAI ---

fn openai_reply(body: &Value) -> Answer {
    let choice = &body["choices"][0];
    let mut answer = Answer {
        id: text(body, "id").to_owned(),
        choices: list(body, "choices").len(),
        ..Answer::default()
    };
    openai_message(&choice["message"], &mut answer);
    answer.stop = Some(openai_stop(choice["finish_reason"].as_str().unwrap_or("")));
    openai_usage(&body["usage"], &mut answer.usage);
    answer
}

fn openai_message(message: &Value, answer: &mut Answer) {
    match &message["content"] {
        Value::String(content) => answer.text.push_str(content),
        Value::Array(parts) => parts.iter().for_each(|part| openai_part(part, answer)),
        Value::Object(_) => answer.text.push_str(&message["content"].to_string()),
        _ => {}
    }
    answer.text.push_str(text(message, "refusal"));
    answer.text.push_str(text(&message["audio"], "transcript"));
    for image in list(message, "images") {
        let url = text(&image["image_url"], "url");
        answer.files.extend(url.split_once(";base64,").map(|(_, data)| data.to_owned()));
    }
    let spoken = text(&message["audio"], "data");
    answer.files.extend(Some(spoken).filter(|data| !data.is_empty()).map(str::to_owned));
    openai_reasoning(message, answer);
    for annotation in list(message, "annotations") {
        let url = text(&annotation["url_citation"], "url");
        answer.citations.extend(Some(url).filter(|url| !url.is_empty()).map(str::to_owned));
    }
    for call in list(message, "tool_calls") {
        openai_call(call, answer);
    }
    let function = &message["function_call"];
    if !text(function, "name").is_empty() {
        answer.calls.push(Call {
            name: text(function, "name").to_owned(),
            arguments: text(function, "arguments").to_owned(),
            ..Call::default()
        });
    } else if function.is_object()
        && let Some(last) = answer.calls.last_mut()
    {
        last.arguments.push_str(text(function, "arguments"));
    }
}

fn openai_part(part: &Value, answer: &mut Answer) {
    match text(part, "type") {
        "text" => answer.text.push_str(text(part, "text")),
        "thinking" => list(part, "thinking")
            .iter()
            .for_each(|part| answer.reasoning.push_str(text(part, "text"))),
        _ => {}
    }
}

fn openai_reasoning(message: &Value, answer: &mut Answer) {
    let before = answer.reasoning.len();
    for detail in list(message, "reasoning_details") {
        answer.reasoning.push_str(text(detail, "text"));
        answer.reasoning.push_str(text(detail, "summary"));
        let fill = |list: &mut Vec<String>, name| {
            list.extend(
                Some(text(detail, name)).filter(|text| !text.is_empty()).map(str::to_owned),
            );
        };
        fill(&mut answer.signatures, "signature");
        fill(&mut answer.encrypted, "data");
    }
    if answer.reasoning.len() == before {
        let plain = ["reasoning_content", "reasoning"].map(|name| text(message, name));
        answer.reasoning.push_str(plain.into_iter().find(|text| !text.is_empty()).unwrap_or(""));
    }
}

fn openai_call(call: &Value, answer: &mut Answer) {
    let index = call["index"].as_u64();
    let named = if call["custom"].is_object() { &call["custom"] } else { &call["function"] };
    let (id, name) = (text(call, "id"), text(named, "name"));
    let arguments = match &named["arguments"] {
        Value::String(text) => text.clone(),
        Value::Null => text(named, "input").to_owned(),
        value => value.to_string(),
    };
    let goes_on =
        |known: &Call| known.index == index && index.is_some() && (id.is_empty() || id == known.id);
    match answer.calls.iter_mut().rev().find(|known| goes_on(known)) {
        Some(known) => known.arguments.push_str(&arguments),
        None => {
            answer.calls.push(Call { id: id.to_owned(), name: name.to_owned(), arguments, index })
        }
    }
}

pub(crate) fn openai_stop(reason: &str) -> String {
    match reason {
        "" | "stop" | "eos" => "end",
        "length" => "length",
        "tool_calls" | "tool_call" | "function_call" => "tools",
        "content_filter" | "refusal" => "declined",
        other => other,
    }
    .to_owned()
}

pub(crate) fn openai_usage(usage: &Value, into: &mut Map<String, Value>) {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let written = [
        "/prompt_tokens_details/cached_write_tokens",
        "/prompt_tokens_details/cache_write_tokens",
        "/cache_creation_input_tokens",
    ]
    .iter()
    .find_map(|path| count(path));
    let cached = [
        "/prompt_tokens_details/cached_read_tokens",
        "/prompt_tokens_details/cached_tokens",
        "/prompt_cache_hit_tokens",
        "/cached_tokens",
        "/num_cached_tokens",
        "/cache_read_input_tokens",
    ];
    // Written by ourselves, `cached_tokens` counts both, and stands beside its parts.
    let own_sum = count("/prompt_tokens_details/cached_write_tokens").is_some()
        && count("/prompt_tokens_details/cached_read_tokens").is_none();
    let cached = if own_sum {
        Some(0)
    } else {
        cached.iter().filter_map(|path| count(path)).find(|count| *count > 0)
    };
    let reasoning =
        count("/completion_tokens_details/reasoning_tokens").or_else(|| count("/reasoning_tokens"));
    let counts = [
        ("input", count("/prompt_tokens")),
        ("output", count("/completion_tokens")),
        ("total", count("/total_tokens")),
        ("cached", cached),
        ("written", written),
        ("reasoning", reasoning),
    ];
    for (name, count) in counts {
        if let Some(count) = count.filter(|count| *count > 0) {
            into.insert(name.to_owned(), count.into());
        }
    }
}

fn openai_stream(events: &[Event]) -> Facts {
    let mut answer = Answer::default();
    for event in events {
        let Ok(chunk) = serde_json::from_str::<Value>(&event.data) else { continue };
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            let mut facts = answer.into_facts();
            facts.remove("finish reason");
            facts.retain(|name, _| !name.starts_with("usage"));
            facts.insert("error", error_message(&chunk).into());
            return facts;
        }
        for choice in list(&chunk, "choices") {
            let number = choice["index"].as_u64().unwrap_or(0) as usize;
            answer.choices = answer.choices.max(number + 1);
            if number > 0 {
                continue;
            }
            if answer.id.is_empty() {
                answer.id = text(&chunk, "id").to_owned();
            }
            openai_message(&choice["delta"], &mut answer);
            let reason = text(choice, "finish_reason");
            if !reason.is_empty() {
                answer.stop.get_or_insert(openai_stop(reason));
            }
        }
        openai_usage(&chunk["usage"], &mut answer.usage);
        openai_usage(&chunk["x_groq"]["usage"], &mut answer.usage);
    }
    answer.stop.get_or_insert("end".into());
    answer.into_facts()
}

// --- Anthropic ---

fn anthropic_reply(body: &Value) -> Answer {
    let mut answer = Answer { id: text(body, "id").to_owned(), choices: 1, ..Answer::default() };
    list(body, "content").iter().for_each(|block| anthropic_block(block, &mut answer));
    answer.stop = body["stop_reason"].as_str().map(anthropic_stop);
    anthropic_usage(&body["usage"], &mut answer.usage);
    answer
}

fn anthropic_block(block: &Value, answer: &mut Answer) {
    match text(block, "type") {
        "text" => {
            answer.text.push_str(text(block, "text"));
            list(block, "citations")
                .iter()
                .for_each(|citation| anthropic_citation(citation, answer));
        }
        "thinking" => {
            answer.reasoning.push_str(text(block, "thinking"));
            answer.signatures.extend(Some(unmark(&block["signature"])).filter(|s| !s.is_empty()));
        }
        "redacted_thinking" => answer.encrypted.push(unmark(&block["data"])),
        "tool_use" => answer.calls.push(Call {
            id: text(block, "id").to_owned(),
            name: text(block, "name").to_owned(),
            arguments: match &block["input"] {
                Value::Object(input) if input.is_empty() => String::new(),
                input => input.to_string(),
            },
            index: None,
        }),
        "mcp_tool_use" => answer.server_tools += 1,
        "server_tool_use" if SERVER_TOOLS.contains(&text(block, "name")) => {
            answer.server_tools += 1;
        }
        // The results of those.
        "web_search_tool_result"
        | "web_fetch_tool_result"
        | "code_execution_tool_result"
        | "bash_code_execution_tool_result"
        | "mcp_tool_result" => {}
        _ => answer.vendor_items += 1,
    }
}

/// The vendor's own tools that other vendors have, too.
const SERVER_TOOLS: &[&str] = &["web_search", "web_fetch", "code_execution", "bash_code_execution"];

fn anthropic_citation(citation: &Value, answer: &mut Answer) {
    let url = citation["url"]
        .as_str()
        .or_else(|| citation["source"].as_str().filter(|url| url.contains("://")));
    answer.citations.extend(url.map(str::to_owned));
    let has_place =
        ["char_location", "page_location", "content_block_location", "search_result_location"]
            .contains(&text(citation, "type"));
    answer.quotes.extend(has_place.then(|| text(citation, "cited_text").to_owned()));
}

fn anthropic_stop(reason: &str) -> String {
    match reason {
        "end_turn" | "stop_sequence" => "end",
        "max_tokens" => "length",
        "tool_use" => "tools",
        "refusal" => "declined",
        other => other,
    }
    .to_owned()
}

fn anthropic_usage(usage: &Value, into: &mut Map<String, Value>) {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64);
    let known =
        |into: &Map<String, Value>, name: &str| into.get(name).and_then(Value::as_u64).unwrap_or(0);
    let uncached = count("/input_tokens").filter(|count| *count > 0);
    let uncached = uncached.unwrap_or_else(|| {
        known(into, "input").saturating_sub(known(into, "cached") + known(into, "written"))
    });
    for (name, path) in [
        ("cached", "/cache_read_input_tokens"),
        ("written", "/cache_creation_input_tokens"),
        ("output", "/output_tokens"),
        ("reasoning", "/output_tokens_details/thinking_tokens"),
    ] {
        if let Some(count) = count(path).filter(|count| *count > 0) {
            into.insert(name.to_owned(), count.into());
        }
    }
    let input = uncached + known(into, "cached") + known(into, "written");
    into.insert("input".into(), input.into());
    into.insert("total".into(), (input + known(into, "output")).into());
}

fn anthropic_stream(events: &[Event]) -> Facts {
    let mut answer = Answer { choices: 1, ..Answer::default() };
    let mut blocks: Vec<Value> = Vec::new();
    for event in events {
        let Ok(data) = serde_json::from_str::<Value>(&event.data) else { continue };
        match text(&data, "type") {
            "message_start" => {
                answer.id = text(&data["message"], "id").to_owned();
                anthropic_usage(&data["message"]["usage"], &mut answer.usage);
                list(&data["message"], "content")
                    .iter()
                    .for_each(|block| anthropic_block(block, &mut answer));
                answer.stop = data["message"]["stop_reason"].as_str().map(anthropic_stop);
            }
            "content_block_start" => blocks.push(data["content_block"].clone()),
            "content_block_delta" => {
                let block = blocks.last_mut().expect("a block is open");
                anthropic_delta(&data["delta"], block);
            }
            "content_block_stop" => {
                let mut block = blocks.pop().expect("a block is open");
                let partial = block["partial"].take();
                if let Some(partial) = partial.as_str() {
                    block["input"] = parse_arguments(partial);
                }
                anthropic_block(&block, &mut answer);
            }
            "message_delta" => {
                anthropic_usage(&data["usage"], &mut answer.usage);
                answer.stop =
                    data["delta"]["stop_reason"].as_str().map(anthropic_stop).or(answer.stop);
            }
            "error" => {
                blocks.iter().for_each(|block| anthropic_block(block, &mut answer));
                let mut facts = answer.into_facts();
                facts.retain(|name, _| !name.starts_with("usage") && *name != "finish reason");
                facts.insert("error", error_message(&data).into());
                return facts;
            }
            _ => {}
        }
    }
    answer.into_facts()
}

fn anthropic_delta(delta: &Value, block: &mut Value) {
    let append = |block: &mut Value, name: &str, more: &str| {
        let joined = block[name].as_str().unwrap_or("").to_owned() + more;
        block[name] = joined.into();
    };
    match text(delta, "type") {
        "text_delta" => append(block, "text", text(delta, "text")),
        "thinking_delta" => append(block, "thinking", text(delta, "thinking")),
        "signature_delta" => append(block, "signature", text(delta, "signature")),
        "input_json_delta" => append(block, "partial", text(delta, "partial_json")),
        "citations_delta" => match &mut block["citations"] {
            Value::Array(citations) => citations.push(delta["citation"].clone()),
            citations => *citations = json!([delta["citation"]]),
        },
        _ => {}
    }
}

// --- errors ---

pub(crate) fn error_message(body: &Value) -> String {
    let candidates = [&body["error"]["message"], &body["error"], &body["message"], &body["detail"]];
    candidates.iter().find_map(|value| value.as_str()).unwrap_or("").to_owned()
}

pub(crate) fn error_facts(status: u16, body: &Value) -> Facts {
    let mut facts = Facts::new();
    facts.insert("error", error_message(body).into());
    facts.insert("error status", status.into());
    let kind = body["error"]["status"]
        .as_str()
        .or(body["error"]["type"].as_str())
        .or(body["error_type"].as_str())
        .or(body["type"].as_str().filter(|kind| *kind != "error"))
        .or(body["__type"].as_str());
    if let Some(kind) = kind {
        facts.insert("error type", kind.into());
    }
    let information = body["error"]["details"]
        .as_array()
        .and_then(|details| details.iter().find(|detail| detail["reason"].is_string()));
    if let Some(information) = information {
        if let Some(kind) = information["metadata"]["type"].as_str() {
            facts.insert("error type", kind.into());
        }
        if information["reason"] != body["error"]["status"] {
            facts.insert("error code", information["reason"].clone());
        }
        return facts;
    }
    let code = [&body["error"]["code"], &body["code"]].into_iter().find_map(|code| match code {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    });
    if let Some(code) = code {
        facts.insert("error code", code.into());
    }
    facts
}
