//! What requests say, read without the crate under test.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dialect::Dialect;
use serde_json::{Value, json};

use crate::answer::{sanitize, unmark};
use crate::gemini;
use crate::openai_responses;
use crate::{Facts, bedrock_converse, cohere_chat, ollama_chat, openai_completions};

/// A request taken apart.
#[derive(Default)]
pub(crate) struct Question {
    pub(crate) system: Vec<Value>,
    pub(crate) user: Vec<Value>,
    pub(crate) assistant: Vec<Value>,
    pub(crate) images: Vec<Value>,
    pub(crate) documents: Vec<Value>,
    pub(crate) audio: usize,
    pub(crate) videos: Vec<Value>,
    pub(crate) calls: Vec<Value>,
    pub(crate) call_ids: Vec<Value>,
    pub(crate) results: Vec<Value>,
    pub(crate) result_ids: Vec<Value>,
    pub(crate) errors: usize,
    pub(crate) reasoning: Vec<Value>,
    pub(crate) signatures: Vec<Value>,
    pub(crate) encrypted: Vec<Value>,
    /// Proofs of the calls themselves.
    pub(crate) call_signatures: Vec<Value>,
    pub(crate) tools: Vec<Value>,
    pub(crate) vendor_blocks: usize,
    pub(crate) breakpoints: usize,
}

pub(crate) fn facts(dialect: Dialect, body: &Value) -> Facts {
    let mut question = Question::default();
    match dialect {
        Dialect::OpenAiChat => question.openai(body),
        Dialect::OpenAiResponses => openai_responses::question(body, &mut question),
        Dialect::AnthropicMessages => question.anthropic(body),
        Dialect::BedrockConverse => question.bedrock(body),
        Dialect::CohereChat => question.cohere(body),
        Dialect::OpenAiCompletions => question.completions(body),
        Dialect::OllamaChat => question.ollama(body),
        Dialect::Gemini => question.gemini(body),
        other => unreachable!("{} is checked by operations.rs", other.name()),
    }
    let mut facts = question.into_facts();
    let shared = match dialect {
        Dialect::OpenAiChat => openai_settings(body),
        Dialect::OpenAiResponses => openai_responses::settings(body),
        Dialect::AnthropicMessages => anthropic_settings(body),
        Dialect::BedrockConverse => bedrock_converse::settings(body),
        Dialect::CohereChat => cohere_chat::settings(body),
        Dialect::OpenAiCompletions => openai_completions::settings(body),
        Dialect::OllamaChat => ollama_chat::settings(body),
        Dialect::Gemini => gemini::settings(body),
        other => unreachable!("{} is checked by operations.rs", other.name()),
    };
    facts.extend(shared.into_iter().filter(|(_, value)| !value.is_null()));
    facts
}

impl Question {
    fn into_facts(self) -> Facts {
        let lists = [
            ("system prompts", self.system),
            ("user texts", self.user),
            ("assistant texts", self.assistant),
            ("images", self.images),
            ("documents", self.documents),
            ("tool calls", self.calls),
            ("tool call ids", self.call_ids),
            ("tool results", self.results),
            ("tool result ids", self.result_ids),
            ("earlier reasoning", self.reasoning),
            ("earlier signatures", self.signatures),
            ("earlier encrypted reasoning", self.encrypted),
            ("earlier call signatures", self.call_signatures),
            ("videos", self.videos),
            ("tools", self.tools),
        ];
        let counts = [
            ("audio", self.audio),
            ("tool errors", self.errors),
            ("server tool history", self.vendor_blocks),
            ("cache breakpoints", self.breakpoints),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        lists
            .map(|(name, list)| (name, Value::from(list)))
            .chain(counts.map(|(name, count)| (name, Value::from(count))))
            .collect()
    }

    pub(crate) fn say(&mut self, role: &str, text: &Value) {
        if text.as_str().is_none_or(str::is_empty) {
            return;
        }
        match role {
            "system" | "developer" => self.system.push(text.clone()),
            "assistant" => self.assistant.push(text.clone()),
            _ => self.user.push(text.clone()),
        }
    }

    pub(crate) fn breakpoint(&mut self, value: &Value) {
        self.breakpoints += usize::from(value["cache_control"].is_object());
    }

    // --- OpenAI ---

    fn openai(&mut self, body: &Value) {
        self.breakpoint(body);
        for (position, message) in list(&body["messages"]).iter().enumerate() {
            self.breakpoint(message);
            let role = message["role"].as_str().unwrap_or("");
            match role {
                "tool" | "function" => self.openai_result(message),
                _ => self.openai_content(role, &message["content"]),
            }
            self.openai_assistant(position, message);
        }
        for tool in list(&body["tools"]) {
            self.breakpoint(tool);
            let function = &tool["function"];
            if function.is_object() {
                self.tool(
                    &function["name"],
                    &function["description"],
                    &function["parameters"],
                    &function["strict"],
                );
            }
        }
        for function in list(&body["functions"]) {
            self.tool(
                &function["name"],
                &function["description"],
                &function["parameters"],
                &function["strict"],
            );
        }
    }

    pub(crate) fn tool(
        &mut self,
        name: &Value,
        description: &Value,
        schema: &Value,
        strict: &Value,
    ) {
        let empty = json!({"type": "object", "properties": {}});
        let schema = if schema.is_object() { schema } else { &empty };
        // Not being strict is what leaving it out means in most dialects.
        let strict = if *strict == false { &Value::Null } else { strict };
        self.tools.push(json!([name, description, schema, strict]));
    }

    fn openai_result(&mut self, message: &Value) {
        let mut text = String::new();
        match &message["content"] {
            Value::String(content) => text.push_str(content),
            content => {
                for part in list(content) {
                    match part["text"].as_str() {
                        Some(part) => text.push_str(part),
                        None => self.openai_part("user", part),
                    }
                }
            }
        }
        self.result(&message["tool_call_id"], text);
    }

    pub(crate) fn result(&mut self, id: &Value, text: String) {
        self.results.push(text.into());
        if let Some(id) = id.as_str().filter(|id| !id.is_empty()) {
            self.result_ids.push(sanitize(id).into());
        }
    }

    fn openai_assistant(&mut self, _position: usize, message: &Value) {
        if message["role"] != "assistant" {
            return;
        }
        self.say("assistant", &message["refusal"]);
        let mut has_text = false;
        for detail in list(&message["reasoning_details"]) {
            for (name, kind) in [("text", 0), ("summary", 0), ("signature", 1), ("data", 2)] {
                if detail[name].as_str().is_none_or(str::is_empty) {
                    continue;
                }
                has_text |= kind == 0;
                [&mut self.reasoning, &mut self.signatures, &mut self.encrypted][kind]
                    .push(detail[name].clone());
            }
        }
        let plain = [&message["reasoning_content"], &message["reasoning"]];
        let plain =
            plain.into_iter().find(|text| text.as_str().is_some_and(|text| !text.is_empty()));
        self.reasoning.extend(plain.filter(|_| !has_text).cloned());
        for call in list(&message["tool_calls"]) {
            self.breakpoint(call);
            let function = &call["function"];
            let arguments = function["arguments"].as_str().unwrap_or("").trim();
            let arguments = if arguments.is_empty() { "{}" } else { arguments };
            let arguments =
                serde_json::from_str(arguments).unwrap_or_else(|_| Value::from(arguments));
            self.calls.push(json!([function["name"], arguments]));
            self.call_ids.extend(
                call["id"].as_str().filter(|id| !id.is_empty()).map(|id| sanitize(id).into()),
            );
        }
    }

    fn openai_content(&mut self, role: &str, content: &Value) {
        if content.is_string() {
            self.say(role, content);
        }
        for part in list(content) {
            self.openai_part(role, part);
        }
    }

    fn openai_part(&mut self, role: &str, part: &Value) {
        self.breakpoint(part);
        match part["type"].as_str().unwrap_or("") {
            "text" => self.say(role, &part["text"]),
            "refusal" => self.say(role, &part["refusal"]),
            "thinking" => {
                let texts: String = list(&part["thinking"])
                    .iter()
                    .filter_map(|part| part["text"].as_str())
                    .collect();
                self.reasoning.push(texts.into());
            }
            "image_url" => {
                let url =
                    part["image_url"]["url"].as_str().or(part["image_url"].as_str()).unwrap_or("");
                self.images.push(plain_source(url).into());
            }
            "file" => {
                let file = &part["file"];
                let data = file["file_data"].as_str().or(file["file_id"].as_str()).unwrap_or("");
                match plain_text(data) {
                    Some(text) => self.say(role, &text.into()),
                    None => self.documents.push(plain_source(data).into()),
                }
            }
            "document_url" => {
                let url = part["document_url"].as_str().unwrap_or("");
                self.documents.push(plain_source(url).into());
            }
            "input_audio" => self.audio += 1,
            "video_url" => {
                let url = part["video_url"]["url"].as_str().unwrap_or("");
                self.videos.push(plain_source(url).into());
            }
            _ => self.vendor_blocks += 1,
        }
    }

    // --- Anthropic ---

    fn anthropic(&mut self, body: &Value) {
        self.breakpoint(body);
        self.say("system", &body["system"]);
        list(&body["system"]).iter().for_each(|block| self.anthropic_block("system", block));
        for message in list(&body["messages"]) {
            let role = message["role"].as_str().unwrap_or("");
            self.say(role, &message["content"]);
            list(&message["content"]).iter().for_each(|block| self.anthropic_block(role, block));
        }
        for tool in list(&body["tools"]) {
            let kind = tool["type"].as_str().unwrap_or("custom");
            if kind == "custom" {
                self.breakpoint(tool);
                self.tool(
                    &tool["name"],
                    &tool["description"],
                    &tool["input_schema"],
                    &tool["strict"],
                );
            }
        }
    }

    fn anthropic_block(&mut self, role: &str, block: &Value) {
        self.breakpoint(block);
        match block["type"].as_str().unwrap_or("") {
            "text" => self.say(role, &block["text"]),
            "image" => self.images.push(source(&block["source"])),
            "document" => self.anthropic_document(role, block),
            "tool_use" => {
                self.calls.push(json!([block["name"], block["input"]]));
                self.call_ids.push(sanitize(block["id"].as_str().unwrap_or("")).into());
            }
            "tool_result" => self.anthropic_result(block),
            "thinking" => {
                if block["thinking"] != "" {
                    self.reasoning.push(block["thinking"].clone());
                }
                if block["signature"].as_str().is_some_and(|signature| !signature.is_empty()) {
                    self.signatures.push(unmark(&block["signature"]).into());
                }
            }
            "redacted_thinking" => self.encrypted.push(unmark(&block["data"]).into()),
            _ => self.vendor_blocks += 1,
        }
    }

    /// Documents that are plain text count as text: the chat dialect has no other place for them.
    fn anthropic_document(&mut self, role: &str, block: &Value) {
        match block["source"]["type"].as_str().unwrap_or("") {
            "text" => self.say(role, &block["source"]["data"]),
            "content" => list(&block["source"]["content"])
                .iter()
                .for_each(|block| self.anthropic_block(role, block)),
            _ => self.documents.push(source(&block["source"])),
        }
    }

    fn anthropic_result(&mut self, block: &Value) {
        let mut text = block["content"].as_str().unwrap_or("").to_owned();
        for part in list(&block["content"]) {
            match part["type"].as_str().unwrap_or("") {
                "text" => text.push_str(part["text"].as_str().unwrap_or("")),
                "search_result" => {
                    let texts =
                        list(&part["content"]).iter().filter_map(|part| part["text"].as_str());
                    texts.for_each(|part| text.push_str(part));
                }
                "document" if part["source"]["type"] == "text" => {
                    text.push_str(part["source"]["data"].as_str().unwrap_or(""));
                }
                _ => self.anthropic_block("user", part),
            }
        }
        self.errors += usize::from(block["is_error"] == true);
        self.result(&block["tool_use_id"], text);
    }
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The bytes of a `data:` URL, or the URL.
pub(crate) fn plain_source(url: &str) -> String {
    url.split_once(";base64,").map_or(url, |(_, data)| data).to_owned()
}

/// The text of a `data:` URL that is one: other dialects have places for texts that are no files.
pub(crate) fn plain_text(url: &str) -> Option<String> {
    let (_, data) = url.strip_prefix("data:text/")?.split_once(";base64,")?;
    decode_text(data)
}

pub(crate) fn decode_text(base64: &str) -> Option<String> {
    String::from_utf8(BASE64_STANDARD.decode(base64).ok()?).ok()
}

fn source(source: &Value) -> Value {
    ["data", "url", "file_id"]
        .iter()
        .map(|name| &source[*name])
        .find(|value| value.is_string())
        .cloned()
        .unwrap_or_default()
}

pub(crate) type Settings = Vec<(&'static str, Value)>;

fn openai_settings(body: &Value) -> Settings {
    let limit = body["max_completion_tokens"].as_u64().or(body["max_tokens"].as_u64());
    let choice = body.get("tool_choice").or(body.get("function_call")).cloned().unwrap_or_default();
    let named = choice["function"]["name"].as_str().or(choice["name"].as_str());
    let choice = match (choice.as_str(), named) {
        (Some("any" | "required"), _) => json!("required"),
        (Some(word), _) => json!(word),
        (None, Some(name)) => json!({ "name": name }),
        (None, None) => Value::Null,
    };
    let has_tools = !list(&body["tools"]).is_empty() || !list(&body["functions"]).is_empty();
    let format = &body["response_format"];
    vec![
        // Fewer than 16 are raised to what OpenAI takes.
        ("token limit", limit.map_or(Value::Null, |limit| limit.max(16).into())),
        ("tool choice", if has_tools { choice } else { Value::Null }),
        (
            "parallel tool calls",
            if has_tools && body["parallel_tool_calls"] == false {
                json!(false)
            } else {
                Value::Null
            },
        ),
        ("temperature", body["temperature"].clone()),
        ("top_p", body["top_p"].clone()),
        ("top_k", body["top_k"].clone()),
        (
            "stop sequences",
            match &body["stop"] {
                Value::String(one) => json!([one]),
                many => many.clone(),
            },
        ),
        ("stream", if body["stream"] == true { json!(true) } else { Value::Null }),
        (
            "output schema",
            if format["type"] == "json_schema" {
                format["json_schema"]["schema"].clone()
            } else {
                Value::Null
            },
        ),
        ("json mode", if format["type"] == "json_object" { json!(true) } else { Value::Null }),
        ("user", body["user"].clone()),
        (
            "seed",
            body["seed"].as_u64().or(body["random_seed"].as_u64()).map_or(Value::Null, Value::from),
        ),
        (
            "penalties",
            if body["frequency_penalty"].is_number() || body["presence_penalty"].is_number() {
                json!(true)
            } else {
                Value::Null
            },
        ),
        ("logprobs", if body["logprobs"] == true { json!(true) } else { Value::Null }),
        (
            "n",
            if body["n"].as_u64().is_some_and(|n| n > 1) { body["n"].clone() } else { Value::Null },
        ),
        ("web search", is_object(&body["web_search_options"])),
        ("verbosity", body["verbosity"].clone()),
        ("thinking", thinking_of_openai(body)),
    ]
}

fn is_object(value: &Value) -> Value {
    if value.is_object() { json!(true) } else { Value::Null }
}

fn thinking_of_openai(body: &Value) -> Value {
    let effort = body["reasoning_effort"].as_str().or(body["reasoning"]["effort"].as_str());
    let is_off = effort == Some("none")
        || body["thinking"]["type"] == "disabled"
        || body["reasoning"]["enabled"] == false;
    let is_on =
        effort.is_some() || body["reasoning"].is_object() || body["thinking"]["type"] == "enabled";
    match (is_off, is_on) {
        (true, _) => json!("off"),
        (false, true) => json!("on"),
        (false, false) => Value::Null,
    }
}

fn anthropic_settings(body: &Value) -> Settings {
    let choice = &body["tool_choice"];
    let choice_word = match choice["type"].as_str() {
        Some("tool") => json!({ "name": choice["name"] }),
        Some("any") => json!("required"),
        Some(word) => json!(word),
        None => Value::Null,
    };
    let has_tools = list(&body["tools"])
        .iter()
        .any(|tool| tool["type"].as_str().is_none_or(|kind| kind == "custom"));
    let format = if body["output_config"]["format"].is_object() {
        &body["output_config"]["format"]
    } else {
        &body["output_format"]
    };
    vec![
        (
            "token limit",
            body["max_tokens"].as_u64().map_or(Value::Null, |limit| limit.max(16).into()),
        ),
        ("tool choice", if has_tools { choice_word } else { Value::Null }),
        (
            "parallel tool calls",
            if has_tools && choice["disable_parallel_tool_use"] == true {
                json!(false)
            } else {
                Value::Null
            },
        ),
        ("temperature", body["temperature"].clone()),
        ("top_p", body["top_p"].clone()),
        ("top_k", body["top_k"].clone()),
        ("stop sequences", body["stop_sequences"].clone()),
        ("stream", if body["stream"] == true { json!(true) } else { Value::Null }),
        ("output schema", format["schema"].clone()),
        ("user", body["metadata"]["user_id"].clone()),
        (
            "web search",
            if list(&body["tools"]).iter().any(|tool| {
                tool["type"].as_str().is_some_and(|kind| kind.starts_with("web_search_"))
            }) {
                json!(true)
            } else {
                Value::Null
            },
        ),
        (
            "thinking",
            match body["thinking"]["type"].as_str() {
                Some("disabled") => json!("off"),
                Some("enabled" | "adaptive") => json!("on"),
                _ => Value::Null,
            },
        ),
    ]
}
