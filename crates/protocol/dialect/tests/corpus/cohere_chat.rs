//! Cohere chat: what its documents say, what its parsers insist on, and what it has no place for.

use dialect::Dialect;
use serde_json::{Map, Value, json};

use crate::Facts;
use crate::allowed::{Allowed, Mismatch, is_refused, is_signed, is_wrapped, through};
use crate::answer::{Answer, Call, sanitize, text};
use crate::question::{Question, Settings, list, plain_source};
use crate::report::Direction;
use crate::sse::Event;
use crate::validate::{Verdict, ensure, openai_call};

// --- requests ---

impl Question {
    pub(crate) fn cohere(&mut self, body: &Value) {
        let messages = list(&body["messages"]);
        let last = messages.iter().rposition(|message| message["role"] == "user");
        for (position, message) in messages.iter().enumerate() {
            if Some(position) == last {
                // Documents stand beside the messages; they belong to what the user said last.
                let documents = list(&body["documents"]).iter().map(document_text);
                documents.for_each(|text| self.say("user", &text.into()));
            }
            match message["role"].as_str().unwrap_or("") {
                "tool" => self.cohere_result(message),
                role => self.cohere_message(role, message),
            }
        }
        for tool in list(&body["tools"]) {
            let function = &tool["function"];
            let strict = if body["strict_tools"] == true { json!(true) } else { Value::Null };
            let (name, description) = (&function["name"], &function["description"]);
            self.tool(name, description, &function["parameters"], &strict);
        }
    }

    fn cohere_result(&mut self, message: &Value) {
        let mut result = message["content"].as_str().unwrap_or("").to_owned();
        for block in list(&message["content"]) {
            match block["type"].as_str().unwrap_or("") {
                "document" => result.push_str(&document_text(&block["document"])),
                _ => result.push_str(text(block, "text")),
            }
        }
        self.result(&message["tool_call_id"], result);
    }

    fn cohere_message(&mut self, role: &str, message: &Value) {
        self.say(role, &message["content"]);
        for block in list(&message["content"]) {
            match block["type"].as_str().unwrap_or("") {
                "text" => self.say(role, &block["text"]),
                "thinking" => self.reasoning.push(block["thinking"].clone()),
                "image_url" => {
                    self.images.push(plain_source(text(&block["image_url"], "url")).into());
                }
                _ => self.vendor_blocks += 1,
            }
        }
        if !text(message, "tool_plan").is_empty() {
            self.reasoning.push(message["tool_plan"].clone());
        }
        for call in list(&message["tool_calls"]) {
            let function = &call["function"];
            let arguments = match text(function, "arguments").trim() {
                "" => json!({}),
                arguments => serde_json::from_str(arguments).unwrap_or(arguments.into()),
            };
            self.calls.push(json!([function["name"], arguments]));
            self.call_ids.push(sanitize(text(call, "id")).into());
        }
    }
}

/// A text with a title or an address counts as the text, anything else as JSON.
fn document_text(document: &Value) -> String {
    let data = if document.is_string() { document } else { &document["data"] };
    let known = ["text", "snippet", "title", "url"];
    let members = data.as_object().map(Map::keys).into_iter().flatten();
    let is_plain = members.into_iter().all(|name| known.contains(&name.as_str()));
    let said = data["text"].as_str().or(data["snippet"].as_str()).filter(|_| is_plain);
    data.as_str().or(said).map_or_else(|| data.to_string(), str::to_owned)
}

pub(crate) fn settings(body: &Value) -> Settings {
    let has_tools = !list(&body["tools"]).is_empty();
    let format = &body["response_format"];
    let schema =
        if format["json_schema"].is_object() { &format["json_schema"] } else { &format["schema"] };
    let has_penalty = body["frequency_penalty"].is_number() || body["presence_penalty"].is_number();
    let when = |is: bool, value: Value| if is { value } else { Value::Null };
    vec![
        (
            "token limit",
            body["max_tokens"].as_u64().map_or(Value::Null, |limit| limit.max(16).into()),
        ),
        ("tool choice", when(has_tools, text(body, "tool_choice").to_lowercase().into())),
        ("temperature", body["temperature"].clone()),
        ("top_p", body["p"].clone()),
        ("top_k", body["k"].clone()),
        ("stop sequences", body["stop_sequences"].clone()),
        ("stream", when(body["stream"] == true, true.into())),
        ("output schema", schema.clone()),
        ("json mode", when(format["type"] == "json_object" && schema.is_null(), true.into())),
        ("seed", body["seed"].as_u64().map_or(Value::Null, Value::from)),
        ("penalties", when(has_penalty, true.into())),
        ("logprobs", when(body["logprobs"] == true, true.into())),
        (
            "thinking",
            match text(&body["thinking"], "type") {
                "enabled" => "on".into(),
                "disabled" => "off".into(),
                _ => Value::Null,
            },
        ),
    ]
    .into_iter()
    .filter(|(_, value)| *value != "")
    .collect()
}

// --- answers ---

pub(crate) fn reply(body: &Value) -> Answer {
    let mut answer = Answer { id: text(body, "id").to_owned(), choices: 1, ..Answer::default() };
    let message = &body["message"];
    for block in list(&message["content"]) {
        answer.text.push_str(text(block, "text"));
        answer.reasoning.push_str(text(block, "thinking"));
    }
    answer.reasoning.push_str(text(message, "tool_plan"));
    answer.calls = list(&message["tool_calls"]).iter().map(call).collect();
    list(&message["citations"]).iter().for_each(|citation| cite(citation, &mut answer));
    answer.stop = body["finish_reason"].as_str().map(stop);
    usage(&body["usage"], &mut answer.usage);
    answer
}

fn call(call: &Value) -> Call {
    Call {
        id: text(call, "id").to_owned(),
        name: text(&call["function"], "name").to_owned(),
        arguments: text(&call["function"], "arguments").to_owned(),
        index: None,
    }
}

fn cite(citation: &Value, answer: &mut Answer) {
    for source in list(&citation["sources"]) {
        let cited = if source["document"].is_object() {
            &source["document"]
        } else {
            &source["tool_output"]
        };
        // Results of tools have no address, but a number.
        let url = cited["url"].as_str().or(source["id"].as_str());
        answer.citations.extend(url.map(str::to_owned));
    }
}

fn stop(reason: &str) -> String {
    match reason {
        "COMPLETE" | "STOP_SEQUENCE" => "end",
        "MAX_TOKENS" => "length",
        "TOOL_CALL" => "tools",
        "ERROR_TOXIC" => "declined",
        other => other,
    }
    .to_owned()
}

fn usage(usage: &Value, into: &mut Map<String, Value>) {
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let (input, output) = (count("/tokens/input_tokens"), count("/tokens/output_tokens"));
    let counts = [
        ("input", input),
        ("output", output),
        ("total", input + output),
        ("cached", count("/cached_tokens")),
        ("reasoning", count("/tokens/reasoning_tokens")),
    ];
    into.extend(counts.map(|(name, count)| (name.to_owned(), count.into())));
}

pub(crate) fn stream(events: &[Event]) -> Facts {
    let mut answer = Answer { choices: 1, ..Answer::default() };
    for event in events {
        let Ok(data) = serde_json::from_str::<Value>(&event.data) else { continue };
        let message = &data["delta"]["message"];
        match text(&data, "type") {
            "message-start" => answer.id = text(&data, "id").to_owned(),
            "content-start" | "content-delta" => {
                answer.text.push_str(text(&message["content"], "text"));
                answer.reasoning.push_str(text(&message["content"], "thinking"));
            }
            "tool-plan-delta" => answer.reasoning.push_str(text(message, "tool_plan")),
            "tool-call-start" => answer.calls.push(call(&message["tool_calls"])),
            "tool-call-delta" => {
                let arguments = text(&message["tool_calls"]["function"], "arguments");
                answer.calls.last_mut().expect("a call").arguments.push_str(arguments);
            }
            "citation-start" => cite(&message["citations"], &mut answer),
            "message-end" if data["delta"]["finish_reason"] == "ERROR" => {
                let mut facts = answer.into_facts();
                facts.insert("error", data["delta"]["error"].clone());
                return facts;
            }
            "message-end" => {
                answer.stop = data["delta"]["finish_reason"].as_str().map(stop);
                usage(&data["delta"]["usage"], &mut answer.usage);
            }
            _ => {}
        }
    }
    answer.into_facts()
}

// --- what the vendor's parsers insist on ---

pub(crate) fn valid_request(body: &Value) -> Verdict {
    ensure!(body["model"].is_string() && body["stream"].is_boolean(), "no model or stream");
    ensure!(!list(&body["messages"]).is_empty(), "no messages");
    let mut open: Vec<&str> = Vec::new();
    for (position, message) in list(&body["messages"]).iter().enumerate() {
        let (role, content) = (text(message, "role"), &message["content"]);
        let blocks: &[&str] = match role {
            "system" => &["text"],
            "user" => &["text", "image_url"],
            "assistant" => &["text", "thinking"],
            "tool" => &["text", "document"],
            _ => return Err(format!("message {position}: role {role}")),
        };
        let has_calls = !list(&message["tool_calls"]).is_empty();
        let is_fine = content.is_string()
            || (content.is_null() && role == "assistant" && has_calls)
            || list(content).iter().all(|block| valid_block(block, blocks))
                && !list(content).is_empty();
        // What the vendor itself took in its recordings is passed on to it.
        ensure!(is_fine || content == &json!([]), "message {position}: content {content}");
        if role == "tool" {
            let id = text(message, "tool_call_id");
            let found = open.iter().position(|open| *open == id);
            open.remove(found.ok_or(format!("message {position}: {id} answers no call"))?);
            continue;
        }
        ensure!(open.is_empty(), "message {position}: calls {open:?} are not answered");
        for call in list(&message["tool_calls"]) {
            openai_call(call)?;
            ensure!(call["type"] == "function", "call of another type");
            open.push(text(call, "id"));
        }
    }
    for tool in list(&body["tools"]) {
        let function = &tool["function"];
        ensure!(tool["type"] == "function", "tool {tool}");
        ensure!(function["name"].is_string() && function["parameters"].is_object(), "tool {tool}");
    }
    let choice = &body["tool_choice"];
    ensure!(choice.is_null() || *choice == "NONE" || *choice == "REQUIRED", "choice {choice}");
    ensure!(list(&body["documents"]).iter().all(valid_document), "documents");
    let budget = &body["thinking"]["token_budget"];
    ensure!(budget.is_null() || budget.as_u64().is_some_and(|budget| budget > 0), "budget");
    Ok(())
}

fn valid_block(block: &Value, known: &[&str]) -> bool {
    let kind = text(block, "type");
    known.contains(&kind)
        && match kind {
            "text" => block["text"].is_string(),
            "thinking" => block["thinking"].is_string(),
            "image_url" => block["image_url"]["url"].is_string(),
            _ => valid_document(&block["document"]),
        }
}

fn valid_document(document: &Value) -> bool {
    document.is_string() || document["data"].is_object() || document["data"].is_string()
}

pub(crate) fn valid_reply(body: &Value) -> Verdict {
    ensure!(!text(body, "id").is_empty(), "no id");
    ensure!(body["finish_reason"].is_string(), "no finish_reason");
    let message = &body["message"];
    ensure!(message["role"] == "assistant", "role {}", message["role"]);
    for block in list(&message["content"]) {
        ensure!(valid_block(block, &["text", "thinking"]), "block {block}");
    }
    list(&message["tool_calls"]).iter().try_for_each(openai_call)?;
    for citation in list(&message["citations"]) {
        let covered = text(citation, "text").chars().count() as u64;
        let range = citation["start"].as_u64().zip(citation["end"].as_u64());
        let (from, to) = range.ok_or("citation without range")?;
        ensure!(to.checked_sub(from) == Some(covered), "citation {citation}");
    }
    valid_usage(&body["usage"])
}

fn valid_usage(usage: &Value) -> Verdict {
    for part in ["billed_units", "tokens"] {
        for name in ["input_tokens", "output_tokens"] {
            ensure!(usage.is_null() || usage[part][name].is_u64(), "usage without {part}.{name}");
        }
    }
    Ok(())
}

pub(crate) fn valid_error(body: &Value) -> Verdict {
    ensure!(!text(body, "message").is_empty(), "no message");
    Ok(())
}

/// Where a stream stands.
#[derive(PartialEq)]
enum Stage {
    Begin,
    Between,
    Block(&'static str, u64),
    Citation,
    Ended,
    Over,
}

pub(crate) fn valid_stream(events: &[Event]) -> Verdict {
    let (mut stage, mut blocks, mut calls) = (Stage::Begin, 0, 0);
    let mut around = None;
    for event in events {
        if event.data == "[DONE]" {
            ensure!(stage == Stage::Ended, "done before the end");
            stage = Stage::Over;
            continue;
        }
        let data: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        let (kind, index) = (text(&data, "type"), data["index"].as_u64());
        ensure!(event.name.as_deref() == Some(kind), "{:?} named {kind}", event.name);
        let message = &data["delta"]["message"];
        stage = match (stage, kind) {
            (_, "message-end") if data["delta"]["finish_reason"] == "ERROR" => Stage::Over,
            (Stage::Begin, "message-start") => {
                ensure!(!text(&data, "id").is_empty(), "no id");
                ensure!(message["role"] == "assistant", "no role");
                Stage::Between
            }
            (Stage::Between, "content-start") => {
                ensure!(index == Some(blocks), "block {index:?} instead of {blocks}");
                blocks += 1;
                match text(&message["content"], "type") {
                    "text" => Stage::Block("text", blocks - 1),
                    "thinking" => Stage::Block("thinking", blocks - 1),
                    other => return Err(format!("block of type {other}")),
                }
            }
            (Stage::Block(block @ ("text" | "thinking"), number), "content-delta") => {
                ensure!(index == Some(number), "delta for block {index:?}");
                ensure!(message["content"][block].is_string(), "no {block}");
                Stage::Block(block, number)
            }
            (Stage::Block("text" | "thinking", number), "content-end") => {
                ensure!(index == Some(number), "end of block {index:?}");
                Stage::Between
            }
            (Stage::Between, "tool-plan-delta") => {
                ensure!(message["tool_plan"].is_string(), "no plan");
                Stage::Between
            }
            (Stage::Between, "tool-call-start") => {
                ensure!(index == Some(calls), "call {index:?} instead of {calls}");
                openai_call(&message["tool_calls"])?;
                calls += 1;
                Stage::Block("call", calls - 1)
            }
            (Stage::Block("call", number), "tool-call-delta") => {
                ensure!(index == Some(number), "delta for call {index:?}");
                ensure!(message["tool_calls"]["function"]["arguments"].is_string(), "no arguments");
                Stage::Block("call", number)
            }
            (Stage::Block("call", number), "tool-call-end") => {
                ensure!(index == Some(number), "end of call {index:?}");
                Stage::Between
            }
            (before @ (Stage::Between | Stage::Block("text", _)), "citation-start") => {
                ensure!(!list(&message["citations"]["sources"]).is_empty(), "no sources");
                around = Some(before);
                Stage::Citation
            }
            (Stage::Citation, "citation-end") => around.take().expect("a citation began"),
            (Stage::Between, "message-end") => {
                ensure!(data["delta"]["finish_reason"].is_string(), "no finish_reason");
                valid_usage(&data["delta"]["usage"])?;
                Stage::Ended
            }
            (_, kind) => return Err(format!("{kind} out of place")),
        };
    }
    ensure!(stage == Stage::Over, "no end");
    Ok(())
}

// --- what the dialect has no place for ---

fn is_lost(loss: &Mismatch<'_>) -> bool {
    through(loss, Dialect::CohereChat) && loss.actual.is_null()
}

pub(crate) const ALLOWED: &[Allowed] = &[
    Allowed {
        feature: "tool choice",
        applies: |loss| is_lost(loss) && *loss.expected == "auto",
        reason: "Cohere has no word for its default, which leaves calls to the model",
    },
    Allowed {
        feature: "tool choice",
        applies: |loss| {
            through(loss, Dialect::CohereChat)
                && loss.expected["name"].is_string()
                && *loss.actual == "required"
        },
        reason: "Cohere can force a call, but not of a certain tool",
    },
    Allowed {
        feature: "tools",
        applies: |loss| through(loss, Dialect::CohereChat) && differs_in_strictness(loss),
        reason: "Cohere is strict about all tools or about none",
    },
    Allowed { feature: "parallel tool calls", applies: is_lost, reason: "Cohere has no such knob" },
    Allowed {
        feature: "logprobs",
        applies: is_lost,
        reason: "Cohere lists probabilities by token number",
    },
    Allowed { feature: "n", applies: is_lost, reason: "Cohere gives one answer" },
    Allowed {
        feature: "choices",
        applies: is_lost,
        reason: "Cohere gives one answer; the first is kept",
    },
    Allowed {
        feature: "citations",
        applies: |loss| loss.exchange.dialect == Dialect::CohereChat && loss.actual.is_null(),
        reason: "results of tools have no address, without which others cannot cite them",
    },
    Allowed {
        feature: "citations",
        applies: |loss| through(loss, Dialect::CohereChat) && loss.expected.is_null(),
        reason: "Cohere cites by title, too, what has no address: the request's own documents",
    },
    Allowed { feature: "quotes", applies: is_lost, reason: "Cohere cites documents as a whole" },
    Allowed {
        feature: "web search",
        applies: is_lost,
        reason: "Cohere's models search nothing themselves",
    },
    Allowed {
        feature: "output files",
        applies: is_lost,
        reason: "Cohere's answers hold no images and no sound",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::CohereChat, "messages[", ".video_url"),
        reason: "refused: Cohere takes no films",
    },
    Allowed { feature: "user", applies: is_lost, reason: "Cohere has no such member" },
    Allowed {
        feature: "cache breakpoints",
        applies: is_lost,
        reason: "Cohere decides itself what it caches",
    },
    Allowed {
        feature: "tool errors",
        applies: is_lost,
        reason: "Cohere's results have no mark for errors",
    },
    Allowed {
        feature: "earlier signatures",
        applies: is_lost,
        reason: "Cohere's thinking has no place for another vendor's signature",
    },
    Allowed {
        feature: "earlier encrypted reasoning",
        applies: is_lost,
        reason: "Cohere's thinking has no place for what another vendor encrypted",
    },
    Allowed {
        feature: "earlier reasoning",
        applies: |loss| {
            is_lost(loss) && is_signed(loss.exchange) && loss.direction == Direction::Back
        },
        reason: "Claude refuses thinking back whose signature was lost",
    },
    Allowed {
        feature: "user texts",
        applies: |loss| through(loss, Dialect::CohereChat) && is_moved(loss),
        reason: "Cohere's documents stand beside the messages",
    },
    Allowed {
        feature: "tool arguments",
        applies: |loss| through(loss, Dialect::CohereChat) && is_wrapped(loss),
        reason: "free text is kept in the member `arguments` of an object",
    },
    Allowed {
        feature: "signatures",
        applies: is_lost,
        reason: "Cohere's thinking has no place for another vendor's signature",
    },
    Allowed {
        feature: "encrypted reasoning",
        applies: is_lost,
        reason: "Cohere's thinking has no place for what another vendor encrypted",
    },
    Allowed {
        feature: "server tools",
        applies: is_lost,
        reason: "Cohere has no place for what the vendor's own tools did",
    },
    Allowed {
        feature: "server tool history",
        applies: is_lost,
        reason: "Cohere has no place for what the vendor's own tools did",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::CohereChat) && *loss.expected == "end" && *loss.actual == "tools"
        },
        reason: "hosts report `stop` beside tool calls; clients of Cohere go on only at `TOOL_CALL`",
    },
    Allowed {
        feature: "finish reason",
        applies: |loss| {
            through(loss, Dialect::CohereChat)
                && *loss.expected == "declined"
                && *loss.actual == "end"
        },
        reason: "a model that declines is a normal end to Cohere",
    },
    Allowed {
        feature: "usage total",
        applies: |loss| through(loss, Dialect::CohereChat) && !loss.actual.is_null(),
        reason: "Cohere reports no total; some hosts count thinking only there",
    },
    Allowed {
        feature: "usage cache writes",
        applies: is_lost,
        reason: "Cohere does not report what it writes to its cache",
    },
    Allowed { feature: "error code", applies: is_lost, reason: "Cohere's errors have no code" },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::CohereChat, "messages[", ".input_audio"),
        reason: "refused: Cohere takes no audio",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::CohereChat, "messages[", ".source"),
        reason: "refused: Cohere takes documents as text only, and no files by id",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::CohereChat, "messages[", ".type"),
        reason: "refused: content blocks of another vendor (containers, video)",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_refused(loss, Dialect::CohereChat, "tools[", ".type"),
        reason: "refused: tools of another vendor that the caller runs (computer, memory, grammars)",
    },
];

fn differs_in_strictness(loss: &Mismatch<'_>) -> bool {
    let without = |tools: &Value| -> Vec<Vec<Value>> {
        let tools = tools.as_array().into_iter().flatten();
        tools.map(|tool| tool.as_array().into_iter().flatten().take(3).cloned().collect()).collect()
    };
    without(loss.expected) == without(loss.actual)
}

/// Whether the same lines are said in another order; a document in pieces becomes one.
fn is_moved(loss: &Mismatch<'_>) -> bool {
    let sorted = |texts: &Value| {
        let texts = list(texts).iter().filter_map(|text| text.as_str().map(str::to_owned));
        let mut lines: Vec<String> = texts
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter(|line| !line.is_empty())
            .collect();
        lines.sort();
        lines
    };
    sorted(loss.expected) == sorted(loss.actual)
}
