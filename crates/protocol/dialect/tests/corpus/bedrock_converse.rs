//! Converse in the recorded traffic: what it says, what its own parser insists on, and what it has no place for.

use dialect::Dialect;
use serde_json::{Value, json};

use crate::Facts;
use crate::allowed::{
    Allowed, Mismatch, counts_cache_twice, is_foreign_reasoning, is_picture, is_refused,
    is_without_arguments, is_wrapped, thinks, through,
};
use crate::answer::{Answer, Call, error_message, parse_arguments, sanitize, text, unmark};
use crate::exchange::Exchange;
use crate::question::{Question, Settings, decode_text, list};
use crate::report::Direction;
use crate::sse::Event;
use crate::validate::{Verdict, ensure};

// --- requests ---

impl Question {
    pub(crate) fn bedrock(&mut self, body: &Value) {
        list(&body["system"]).iter().for_each(|block| self.bedrock_block("system", block));
        for message in list(&body["messages"]) {
            let role = message["role"].as_str().unwrap_or("");
            list(&message["content"]).iter().for_each(|block| self.bedrock_block(role, block));
        }
        for tool in list(&body["toolConfig"]["tools"]) {
            self.breakpoints += usize::from(tool["cachePoint"].is_object());
            let spec = &tool["toolSpec"];
            if spec.is_object() {
                let schema = &spec["inputSchema"]["json"];
                self.tool(&spec["name"], &spec["description"], schema, &spec["strict"]);
            }
        }
    }

    fn bedrock_block(&mut self, role: &str, block: &Value) {
        let Some((kind, inner)) = member(block) else { return };
        match kind {
            "text" => self.say(role, inner),
            "guardContent" if inner["text"].is_object() => self.say(role, &inner["text"]["text"]),
            "citationsContent" => {
                let said =
                    list(&inner["content"]).iter().filter_map(|piece| piece["text"].as_str());
                self.say(role, &said.collect::<String>().into());
            }
            "image" if inner["source"]["bytes"].is_string() => {
                self.images.push(inner["source"]["bytes"].clone());
            }
            "document" => self.bedrock_document(role, inner),
            "cachePoint" => self.breakpoints += 1,
            "toolUse" if inner["type"] != "server_tool_use" => {
                self.calls.push(json!([inner["name"], inner["input"]]));
                self.call_ids.push(sanitize(text(inner, "toolUseId")).into());
            }
            "toolResult" if role != "assistant" => self.bedrock_result(inner),
            "reasoningContent" => self.bedrock_reasoning(inner),
            "audio" => self.audio += 1,
            "video" if inner["source"]["bytes"].is_string() => {
                self.videos.push(inner["source"]["bytes"].clone());
            }
            _ => self.vendor_blocks += 1,
        }
    }

    /// Documents that are plain text count as text, as in the other dialects.
    fn bedrock_document(&mut self, role: &str, document: &Value) {
        let source = &document["source"];
        match document_text(document) {
            Some(text) => self.say(role, &text.into()),
            None if source["content"].is_array() => {
                list(&source["content"]).iter().for_each(|piece| self.say(role, &piece["text"]));
            }
            None if source["bytes"].is_string() => self.documents.push(source["bytes"].clone()),
            None => self.vendor_blocks += 1,
        }
    }

    fn bedrock_result(&mut self, result: &Value) {
        let mut said = String::new();
        for block in list(&result["content"]) {
            match member(block) {
                Some(("text", inner)) => said.push_str(inner.as_str().unwrap_or("")),
                Some(("json", inner)) => said.push_str(&inner.to_string()),
                Some(("document", inner)) if document_text(inner).is_some() => {
                    said.push_str(&document_text(inner).unwrap_or_default());
                }
                Some(("searchResult", inner)) => {
                    let texts = list(&inner["content"]).iter().map(|piece| text(piece, "text"));
                    texts.for_each(|text| said.push_str(text));
                }
                _ => self.bedrock_block("user", block),
            }
        }
        self.errors += usize::from(result["status"] == "error");
        self.result(&result["toolUseId"], said);
    }

    fn bedrock_reasoning(&mut self, content: &Value) {
        let thought = &content["reasoningText"];
        let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        self.reasoning.extend(Some(&thought["text"]).filter(|text| filled(text)).cloned());
        self.signatures.extend(Some(&thought["signature"]).filter(|text| filled(text)).cloned());
        let data = content["redactedContent"].as_str().filter(|data| !data.is_empty());
        self.encrypted.extend(data.map(|data| encrypted(data).into()));
    }
}

/// Encrypted thinking of another vendor, which is no bytes, stands here in base64.
fn encrypted(data: &str) -> String {
    let text = decode_text(data).filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
    unmark(&text.unwrap_or_else(|| data.to_owned()).into())
}

/// A document that is one text.
fn document_text(document: &Value) -> Option<String> {
    let source = &document["source"];
    let is_text = matches!(text(document, "format"), "txt" | "md" | "csv" | "html");
    let decoded = source["bytes"].as_str().filter(|_| is_text).and_then(decode_text);
    decoded.or_else(|| source["text"].as_str().map(str::to_owned))
}

/// The one member of a block.
fn member(block: &Value) -> Option<(&str, &Value)> {
    let mut members = block.as_object()?.iter().filter(|(name, _)| *name != "type");
    members.next().map(|(name, inner)| (name.as_str(), inner))
}

pub(crate) fn settings(body: &Value) -> Settings {
    let config = &body["inferenceConfig"];
    let fields = &body["additionalModelRequestFields"];
    let choice = &body["toolConfig"]["toolChoice"];
    let choice = match member(choice) {
        Some(("tool", tool)) => json!({ "name": tool["name"] }),
        Some(("any", _)) => json!("required"),
        Some((word, _)) => json!(word),
        None => Value::Null,
    };
    let has_tools =
        list(&body["toolConfig"]["tools"]).iter().any(|tool| tool["toolSpec"].is_object());
    let format = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    let top_k = [&fields["top_k"], &fields["k"], &fields["inferenceConfig"]["topK"]];
    vec![
        (
            "token limit",
            config["maxTokens"].as_u64().map_or(Value::Null, |limit| limit.max(16).into()),
        ),
        ("tool choice", if has_tools { choice } else { Value::Null }),
        ("temperature", config["temperature"].clone()),
        ("top_p", config["topP"].clone()),
        ("top_k", top_k.into_iter().find(|value| value.is_number()).cloned().unwrap_or_default()),
        (
            "stop sequences",
            Some(&config["stopSequences"])
                .filter(|list| list.as_array().is_some_and(|list| !list.is_empty()))
                .cloned()
                .unwrap_or_default(),
        ),
        (
            "output schema",
            format["schema"]
                .as_str()
                .and_then(|schema| serde_json::from_str(schema).ok())
                .unwrap_or_default(),
        ),
        ("thinking", thinking(fields)),
    ]
}

fn thinking(fields: &Value) -> Value {
    let names = ["thinking", "reasoning_config", "reasoningConfig"];
    let kind = names.iter().find_map(|name| fields[*name]["type"].as_str());
    match kind {
        Some("disabled") => json!("off"),
        Some(_) => json!("on"),
        None if fields["reasoning_effort"].is_string() => json!("on"),
        None => Value::Null,
    }
}

// --- replies ---

pub(crate) fn reply(body: &Value) -> Answer {
    let mut answer = Answer { choices: 1, ..Answer::default() };
    let content = &body["output"]["message"]["content"];
    list(content).iter().for_each(|block| reply_block(block, &mut answer));
    answer.stop = body["stopReason"].as_str().map(stop);
    usage(&body["usage"], &mut answer);
    answer
}

fn reply_block(block: &Value, answer: &mut Answer) {
    match member(block) {
        Some(("text", inner)) => answer.text.push_str(inner.as_str().unwrap_or("")),
        Some(("citationsContent", inner)) => {
            list(&inner["content"])
                .iter()
                .for_each(|piece| answer.text.push_str(text(piece, "text")));
            list(&inner["citations"]).iter().for_each(|it| citation(it, answer));
        }
        Some(("reasoningContent", inner)) => {
            let thought = &inner["reasoningText"];
            answer.reasoning.push_str(text(thought, "text"));
            let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            answer.signatures.extend(filled(&unmark(&thought["signature"])));
            answer.encrypted.extend(filled(&encrypted(text(inner, "redactedContent"))));
        }
        Some(("toolUse", inner)) if inner["type"] != "server_tool_use" => answer.calls.push(Call {
            id: text(inner, "toolUseId").to_owned(),
            name: text(inner, "name").to_owned(),
            arguments: inner["input"].to_string(),
            index: None,
        }),
        Some(("image", inner)) if inner["source"]["bytes"].is_string() => {
            answer.files.push(text(&inner["source"], "bytes").to_owned());
        }
        Some(_) => answer.server_tools += 1,
        None => {}
    }
}

fn citation(citation: &Value, answer: &mut Answer) {
    let url = citation["location"]["web"]["url"]
        .as_str()
        .or_else(|| citation["source"].as_str().filter(|url| url.contains("://")));
    answer.citations.extend(url.map(str::to_owned));
    let places = ["documentChar", "documentPage", "documentChunk", "searchResultLocation"];
    if places.iter().any(|place| citation["location"][*place].is_object()) {
        let words = list(&citation["sourceContent"]).iter().map(|piece| text(piece, "text"));
        answer.quotes.push(words.collect());
    }
}

fn stop(reason: &str) -> String {
    match reason {
        "end_turn" | "stop_sequence" => "end",
        "max_tokens" => "length",
        "tool_use" => "tools",
        "content_filtered" | "guardrail_intervened" => "declined",
        other => other,
    }
    .to_owned()
}

fn usage(usage: &Value, answer: &mut Answer) {
    let count = |name: &str| usage[name].as_u64().unwrap_or(0);
    let (cached, written) = (count("cacheReadInputTokens"), count("cacheWriteInputTokens"));
    for (name, count) in [
        ("input", count("inputTokens") + cached + written),
        ("output", count("outputTokens")),
        ("total", count("totalTokens")),
        ("cached", cached),
        ("written", written),
    ] {
        answer.usage.insert(name.to_owned(), count.into());
    }
}

pub(crate) fn stream_facts(events: &[Event]) -> Facts {
    let mut answer = Answer { choices: 1, ..Answer::default() };
    let mut blocks: Vec<(u64, Value)> = Vec::new();
    for event in events {
        let data: Value = serde_json::from_str(&event.data).expect("payloads are JSON");
        let number = data["contentBlockIndex"].as_u64().unwrap_or(0);
        match event.name.as_deref().unwrap_or("") {
            "contentBlockStart" => {
                let mut block = data["start"].clone();
                if block["toolUse"].is_object() {
                    block["toolUse"]["partial"] = "".into();
                }
                blocks.push((number, block));
            }
            "contentBlockDelta" => {
                if !blocks.iter().any(|(open, _)| *open == number) {
                    blocks.push((number, json!({})));
                }
                let open = blocks.iter_mut().find(|(open, _)| *open == number);
                grow(&data["delta"], &mut open.expect("a block is open").1);
            }
            "contentBlockStop" => {
                if let Some(open) = blocks.iter().position(|(open, _)| *open == number) {
                    streamed_block(blocks.remove(open).1, &mut answer);
                }
            }
            "messageStop" => answer.stop = data["stopReason"].as_str().map(stop),
            "metadata" => usage(&data["usage"], &mut answer),
            name if name.ends_with("Exception") => {
                blocks.drain(..).for_each(|(_, block)| streamed_block(block, &mut answer));
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

fn grow(delta: &Value, block: &mut Value) {
    let append = |place: &mut Value, more: &Value| {
        let joined = place.as_str().unwrap_or("").to_owned() + more.as_str().unwrap_or("");
        *place = joined.into();
    };
    match member(delta) {
        Some(("text", more)) => append(&mut block["text"], more),
        Some(("toolUse", more)) => append(&mut block["toolUse"]["partial"], &more["input"]),
        Some(("citation", citation)) => match &mut block["citations"] {
            Value::Array(citations) => citations.push(citation.clone()),
            citations => *citations = json!([citation]),
        },
        Some(("reasoningContent", more)) => match member(more) {
            Some(("redactedContent", data)) => {
                append(&mut block["reasoningContent"]["redactedContent"], data);
            }
            Some((name, more)) => {
                append(&mut block["reasoningContent"]["reasoningText"][name], more)
            }
            None => {}
        },
        _ => {}
    }
}

/// A block that was put together counts like one that came whole.
fn streamed_block(mut block: Value, answer: &mut Answer) {
    let call = block.get("toolUse").unwrap_or(&Value::Null);
    if let Some(input) = call["partial"].as_str().map(parse_arguments) {
        block["toolUse"]["input"] = input;
    }
    for place in ["text", "toolUse", "toolResult", "reasoningContent"] {
        if block.get(place).is_some_and(|inner| !inner.is_null()) {
            reply_block(&json!({ place: block[place] }), answer);
        }
    }
    list(&block["citations"]).iter().for_each(|it| citation(it, answer));
}

// --- validity ---

pub(crate) fn valid_request(body: &Value) -> Verdict {
    let known = [
        "messages",
        "system",
        "inferenceConfig",
        "toolConfig",
        "guardrailConfig",
        "additionalModelRequestFields",
        "promptVariables",
        "additionalModelResponseFieldPaths",
        "requestMetadata",
        "performanceConfig",
        "serviceTier",
        "outputConfig",
    ];
    for (name, _) in body.as_object().ok_or("no object")? {
        ensure!(known.contains(&name.as_str()), "unknown member {name}");
    }
    ensure!(!list(&body["messages"]).is_empty(), "no messages");
    for block in list(&body["system"]) {
        let (kind, inner) = member(block).ok_or("empty system block")?;
        ensure!(["text", "cachePoint", "guardContent"].contains(&kind), "system block {kind}");
        ensure!(
            kind != "text" || inner.as_str().is_some_and(|text| !text.is_empty()),
            "empty text"
        );
    }
    let mut documents = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let mut calls = 0;
    for (position, message) in list(&body["messages"]).iter().enumerate() {
        let role = message["role"].as_str().unwrap_or("");
        ensure!(["user", "assistant", "system"].contains(&role), "message {position}: role {role}");
        let content = list(&message["content"]);
        ensure!(!content.is_empty(), "message {position}: no content");
        for result in content.iter().map(|block| &block["toolResult"]).filter(|it| it.is_object()) {
            let id = text(result, "toolUseId");
            if let Some(found) = open.iter().position(|open| *open == id) {
                open.remove(found);
            }
        }
        ensure!(open.is_empty(), "message {position}: calls {open:?} are not answered");
        for block in content {
            valid_block(block).map_err(|error| format!("message {position}: {error}"))?;
            documents.extend(block["document"]["name"].as_str());
            let call = &block["toolUse"];
            if call.is_object() && call["type"] != "server_tool_use" {
                open.push(text(call, "toolUseId"));
                calls += 1;
            }
        }
    }
    let count = documents.len();
    documents.sort_unstable();
    documents.dedup();
    ensure!(documents.len() == count, "two documents of one name");
    valid_tools(&body["toolConfig"], calls)
}

fn valid_tools(config: &Value, calls: usize) -> Verdict {
    if config.is_null() {
        ensure!(calls == 0, "calls without tools");
        return Ok(());
    }
    ensure!(!list(&config["tools"]).is_empty(), "no tools");
    for tool in list(&config["tools"]) {
        let (kind, inner) = member(tool).ok_or("empty tool")?;
        ensure!(["toolSpec", "systemTool", "cachePoint"].contains(&kind), "tool {kind}");
        if kind == "toolSpec" {
            ensure!(is_name(&inner["name"], ""), "tool name {}", inner["name"]);
            ensure!(inner["inputSchema"]["json"]["type"] == "object", "schema of no object");
            ensure!(inner["description"] != "", "empty description");
        }
    }
    let choice = &config["toolChoice"];
    let is_known = choice.is_null()
        || member(choice).is_some_and(|(kind, _)| ["auto", "any", "tool"].contains(&kind));
    ensure!(is_known, "choice {choice}");
    Ok(())
}

fn valid_block(block: &Value) -> Verdict {
    let (kind, inner) = member(block).ok_or("empty block")?;
    ensure!(block.as_object().is_some_and(|members| members.len() == 1), "block {block}");
    let has_source = || inner["source"].as_object().is_some_and(|source| source.len() == 1);
    let is_sound = match kind {
        "text" => inner.as_str().is_some_and(|text| !text.is_empty()),
        "image" => inner["format"].is_string() && has_source(),
        "document" => has_source() && is_document_name(text(inner, "name")),
        "audio" | "video" => inner["format"].is_string() && has_source(),
        "toolUse" => {
            is_name(&inner["toolUseId"], ".:")
                && is_name(&inner["name"], "")
                && inner["input"].is_object()
        }
        "toolResult" => is_name(&inner["toolUseId"], ".:") && inner["content"].is_array(),
        "reasoningContent" => {
            inner["reasoningText"]["text"].is_string() || inner["redactedContent"].is_string()
        }
        "cachePoint" => inner["type"] == "default",
        "citationsContent" | "searchResult" | "guardContent" => inner.is_object(),
        _ => false,
    };
    ensure!(is_sound, "block {block}");
    Ok(())
}

fn is_name(value: &Value, others: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || others.contains(c);
    value.as_str().is_some_and(|text| (1..=64).contains(&text.len()) && text.chars().all(fine))
}

fn is_document_name(name: &str) -> bool {
    // What callers of this dialect wrote themselves is theirs: some have underscores.
    let fine = |c: char| c.is_ascii_alphanumeric() || " -()[]_".contains(c);
    (1..=200).contains(&name.len()) && name.chars().all(fine) && !name.contains("  ")
}

pub(crate) fn valid_reply(body: &Value) -> Verdict {
    let message = &body["output"]["message"];
    ensure!(message["role"] == "assistant", "role {}", message["role"]);
    ensure!(message["content"].is_array(), "no content");
    list(&message["content"]).iter().try_for_each(valid_reply_block)?;
    ensure!(body["stopReason"].is_string(), "no stopReason");
    ensure!(body["metrics"]["latencyMs"].is_u64(), "no metrics");
    valid_usage(&body["usage"])
}

/// Names and ids are those the caller knows.
fn valid_reply_block(block: &Value) -> Verdict {
    match member(block) {
        Some(("toolUse", call)) => {
            let is_sound = !text(call, "toolUseId").is_empty() && call["input"].is_object();
            ensure!(is_sound && call["name"].is_string(), "block {block}");
            Ok(())
        }
        _ => valid_block(block),
    }
}

fn valid_usage(usage: &Value) -> Verdict {
    for name in ["inputTokens", "outputTokens", "totalTokens"] {
        ensure!(usage[name].is_u64(), "usage without {name}");
    }
    Ok(())
}

/// Where a stream stands.
#[derive(PartialEq)]
enum Stage {
    Begin,
    Between,
    Block(String),
    Stopped,
    Over,
}

pub(crate) fn valid_stream(events: &[Event]) -> Verdict {
    let mut stage = Stage::Begin;
    let mut next = 0;
    for event in events {
        let data: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        let name = event.name.as_deref().unwrap_or("");
        let number = &data["contentBlockIndex"];
        let delta = member(&data["delta"]).map_or("", |(kind, _)| kind).to_owned();
        stage = match (stage, name) {
            (Stage::Over, _) => return Err("something follows the end".into()),
            (_, name) if name.ends_with("Exception") => {
                ensure!(data["message"].is_string(), "no message");
                Stage::Over
            }
            (Stage::Begin, "messageStart") => {
                ensure!(data["role"] == "assistant", "no role");
                Stage::Between
            }
            (Stage::Between, "contentBlockStart") => {
                let call = &data["start"]["toolUse"];
                ensure!(call["toolUseId"].is_string() && call["name"].is_string(), "start {data}");
                ensure!(*number == next, "block {number} instead of {next}");
                Stage::Block("toolUse".into())
            }
            (Stage::Between, "contentBlockDelta") => {
                ensure!(*number == next, "block {number} instead of {next}");
                ensure!(
                    ["text", "citation", "reasoningContent"].contains(&&*delta),
                    "{delta} begins"
                );
                Stage::Block(delta)
            }
            (Stage::Block(block), "contentBlockDelta") => {
                ensure!(*number == next, "delta for block {number}");
                let is_text = |kind: &str| kind == "text" || kind == "citation";
                ensure!(
                    delta == block || (is_text(&delta) && is_text(&block)),
                    "{delta} in {block}"
                );
                Stage::Block(block)
            }
            (Stage::Block(_), "contentBlockStop") => {
                ensure!(*number == next, "stop of block {number}");
                next += 1;
                Stage::Between
            }
            (Stage::Between, "messageStop") => {
                ensure!(data["stopReason"].is_string(), "no stopReason");
                Stage::Stopped
            }
            (Stage::Stopped, "metadata") => {
                valid_usage(&data["usage"])?;
                ensure!(data["metrics"]["latencyMs"].is_u64(), "no metrics");
                Stage::Over
            }
            (_, name) => return Err(format!("{name} in the wrong place")),
        };
    }
    ensure!(stage == Stage::Over, "no end");
    Ok(())
}

pub(crate) fn valid_error(status: u16, body: &Value) -> Verdict {
    ensure!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "no message");
    let expected = match status {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        504 => "ModelTimeoutException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    };
    ensure!(body["__type"] == expected, "{} is no {expected}", body["__type"]);
    Ok(())
}

// --- losses ---

pub(crate) const ALLOWED: &[Allowed] = &[
    Allowed {
        feature: "stream",
        applies: |loss| is_there(loss) && loss.actual.is_null(),
        reason: "Converse says in its path whether the answer is a stream",
    },
    Allowed { feature: "id", applies: through_converse, reason: "Converse replies have no id" },
    Allowed {
        feature: "error code",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Bedrock's errors have no code",
    },
    Allowed {
        feature: "error type",
        applies: through_converse,
        reason: "Bedrock's types are a closed list, chosen by the status",
    },
    Allowed {
        feature: "error type",
        applies: |loss| is_converse(loss) && loss.expected.is_null(),
        reason: "Bedrock names the type in a header; without one it is chosen by the status",
    },
    Allowed {
        feature: "usage reasoning",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse does not count thinking apart",
    },
    Allowed {
        feature: "usage input",
        applies: |loss| through_converse(loss) && counts_cache_twice(loss.exchange),
        reason: "the host reports more cached tokens than prompt tokens, which Bedrock's sum cannot say",
    },
    Allowed {
        feature: "choices",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse gives one answer; the first is kept",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through_converse(loss)
                && *loss.expected == "end"
                && (*loss.actual == "tools" || *loss.actual == "declined")
        },
        reason: "hosts report `stop` beside tool calls and refusals; clients of Bedrock go on only at `tool_use`",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through_converse(loss)
                && (*loss.expected == "pause_turn" || *loss.expected == "compaction")
                && *loss.actual == "end"
        },
        reason: "Converse has no word for a turn that may go on",
    },
    Allowed {
        feature: "quotes",
        applies: |loss| through(loss, Dialect::OpenAiChat) && loss.actual.is_null(),
        reason: "chat completions cite web pages only",
    },
    Allowed {
        feature: "server tools",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no place for what another vendor's own tools did",
    },
    Allowed {
        feature: "server tools",
        applies: |loss| is_converse(loss) && loss.actual.is_null(),
        reason: "other dialects have no place for what Nova's own tools did",
    },
    Allowed {
        feature: "server tool history",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no place for what another vendor's own tools did",
    },
    Allowed {
        feature: "tool arguments",
        applies: |loss| through_converse(loss) && (is_without_arguments(loss) || is_wrapped(loss)),
        reason: "Bedrock's input is an object: none is `{}`, and what is no object is kept in its member `arguments`",
    },
    Allowed {
        feature: "tool calls",
        applies: |loss| through_converse(loss) && is_without_arguments(loss),
        reason: "Bedrock's input is an object: none is `{}`",
    },
    Allowed {
        feature: "tools",
        applies: |loss| through_converse(loss) && loss.expected.is_null(),
        reason: "Bedrock refuses calls in a conversation without tools, so they are made up from the calls",
    },
    Allowed {
        feature: "tools",
        applies: |loss| {
            let null = loss.expected.to_string().replace(r#","","#, ",null,");
            through_converse(loss) && is_json_of(&null, loss.actual)
        },
        reason: "Bedrock refuses an empty description",
    },
    Allowed {
        feature: "tools",
        applies: |loss| {
            let typed = loss.expected.to_string().replace(",{},", r#",{"type":"object"},"#);
            through_converse(loss) && is_json_of(&typed, loss.actual)
        },
        reason: "Bedrock refuses a schema that does not say that it is one of an object",
    },
    Allowed {
        feature: "tool choice",
        applies: |loss| through_converse(loss) && *loss.expected == "none" && loss.actual.is_null(),
        reason: "Converse cannot forbid tools, and a conversation with calls must keep them",
    },
    Allowed {
        feature: "tool errors",
        applies: |loss| through(loss, Dialect::OpenAiChat) && loss.actual.is_null(),
        reason: "chat completions have no place for whether a tool failed",
    },
    Allowed {
        feature: "thinking",
        applies: |loss| {
            through(loss, Dialect::OpenAiChat)
                && loss.actual.is_null()
                && is_adaptive(loss.exchange)
        },
        reason: "adaptive thinking leaves the effort to the model, as chat does when none is named",
    },
    Allowed {
        feature: "parallel tool calls",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no such knob",
    },
    Allowed {
        feature: "user",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no place for the end user",
    },
    Allowed {
        feature: "json mode",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse knows JSON with a schema only",
    },
    Allowed {
        feature: "logprobs",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no such knob",
    },
    Allowed {
        feature: "penalties",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no such knob",
    },
    Allowed {
        feature: "web search",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no word for a search by the model",
    },
    Allowed {
        feature: "output files",
        applies: |loss| {
            through_converse(loss) && loss.actual.is_null() && !is_picture(loss.expected)
        },
        reason: "Converse's answers hold images, and no sound",
    },
    Allowed {
        feature: "output files",
        applies: |loss| {
            through_converse(loss)
                && loss.actual.is_null()
                && loss.exchange.operation.ends_with("_stream")
        },
        reason: "Converse's streams are read and written without images",
    },
    Allowed {
        feature: "seed",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse has no such knob",
    },
    Allowed {
        feature: "n",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Converse gives one answer",
    },
    Allowed {
        feature: "temperature",
        applies: |loss| through_converse(loss) && loss.actual.is_null() && thinks(loss.exchange),
        reason: "Claude refuses a temperature together with thinking",
    },
    Allowed {
        feature: "earlier reasoning",
        applies: |loss| through_converse(loss) && loss.actual.is_null(),
        reason: "Claude refuses thinking that it did not sign",
    },
    Allowed {
        feature: "earlier encrypted reasoning",
        applies: |loss| {
            through_converse(loss) && loss.actual.is_null() && is_foreign_reasoning(loss.exchange)
        },
        reason: "encrypted by another vendor; Claude refuses it",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::BedrockConverse, "messages[", ".source.url"),
        reason: "refused: images and documents by URL, which Bedrock does not fetch",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::BedrockConverse, "messages[", ".source"),
        reason: "refused: files of another vendor",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            is_refused(loss, Dialect::BedrockConverse, "messages[", ".input_audio.format")
        },
        reason: "refused: audio without a format",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::BedrockConverse, "messages[", ".type"),
        reason: "refused: content blocks of another vendor (containers, video)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::BedrockConverse, "tools[", ".type"),
        reason: "refused: tools of another vendor that the caller runs (computer, memory)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            through_converse(loss)
                && loss.actual.as_str().is_some_and(|error| {
                    error.starts_with("reasoning") && error.contains("needs a token limit")
                })
        },
        reason: "refused: an effort with a token limit that leaves no room for thinking",
    },
];

fn is_json_of(text: &str, value: &Value) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|read| read == *value)
}

fn through_converse(loss: &Mismatch<'_>) -> bool {
    through(loss, Dialect::BedrockConverse)
}

fn is_there(loss: &Mismatch<'_>) -> bool {
    through_converse(loss) && loss.direction == Direction::There
}

/// Whether it was said in this dialect.
fn is_converse(loss: &Mismatch<'_>) -> bool {
    loss.direction != Direction::Same && loss.exchange.dialect == Dialect::BedrockConverse
}

fn is_adaptive(exchange: &Exchange) -> bool {
    exchange.request.as_ref().is_some_and(|request| {
        request["additionalModelRequestFields"]["thinking"]["type"] == "adaptive"
    })
}
