//! Writes an answer as a response, whole or streamed. The response repeats the settings it was made with.

use serde_json::{Value, json};

use crate::mock::answer::{Answer, Finish};
use crate::mock::conversation::{items, text};
use crate::mock::fault::Tokens;
use crate::mock::limits::SMALL_PIECES_MAX;
use crate::mock::openai::CREATED;
use crate::mock::refusal::Refusal;
use crate::mock::reply::named_event;
use crate::mock::routes::Call;
use crate::mock::signature::signature;
use crate::mock::text::pieces;

/// An answer on its way into a response.
pub(super) struct Response<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) answer: &'a Answer,
}

/// One item of the output.
enum Item<'a> {
    Reasoning(&'a str),
    Message(&'a str),
    Call { name: &'a str, arguments: String },
}

/// The events of a stream, numbered as they are added.
#[derive(Default)]
struct Events(Vec<Vec<u8>>);

/// A refusal in the middle of a stream.
pub(super) fn break_off(refusal: &Refusal, after: usize) -> Vec<u8> {
    named_event(&json!({
        "type": "error",
        "sequence_number": after,
        "code": refusal.code.as_deref().unwrap_or("server_error"),
        "message": refusal.message,
        "param": refusal.param,
    }))
}

impl Response<'_> {
    /// The whole response.
    pub(super) fn whole(&self) -> Value {
        let items = self.items();
        let output =
            items.iter().enumerate().map(|(index, item)| self.item(index, item, Stage::Done));
        self.envelope(self.status(), output.collect())
    }

    /// Every event of the stream.
    pub(super) fn events(&self) -> Vec<Vec<u8>> {
        let mut events = Events::default();
        let started = self.envelope("in_progress", Vec::new());
        events.push("response.created", json!({"response": started}));
        events.push("response.in_progress", json!({"response": started}));
        for (index, item) in self.items().iter().enumerate() {
            let added = self.item(index, item, Stage::Added);
            events
                .push("response.output_item.added", json!({"output_index": index, "item": added}));
            self.push_content(&mut events, index, item);
            let done = self.item(index, item, Stage::Done);
            events.push("response.output_item.done", json!({"output_index": index, "item": done}));
        }
        let last = match self.answer.finish {
            Finish::Length => "response.incomplete",
            Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "response.completed",
        };
        events.push(last, json!({"response": self.whole()}));
        events.0
    }

    fn push_content(&self, events: &mut Events, index: usize, item: &Item<'_>) {
        let few = self.call.size.chunks.min(SMALL_PIECES_MAX);
        let place = json!({"output_index": index, "item_id": self.item_id(index, item)});
        match item {
            Item::Reasoning(reasoning) => {
                let place = joined(&place, json!({"summary_index": 0}));
                events.push(
                    "response.reasoning_summary_part.added",
                    joined(&place, json!({"part": summary("")})),
                );
                for piece in pieces(reasoning, few) {
                    events.push(
                        "response.reasoning_summary_text.delta",
                        joined(&place, json!({"delta": piece})),
                    );
                }
                events.push(
                    "response.reasoning_summary_text.done",
                    joined(&place, json!({"text": reasoning})),
                );
                events.push(
                    "response.reasoning_summary_part.done",
                    joined(&place, json!({"part": summary(reasoning)})),
                );
            }
            Item::Message(said) => {
                let place = joined(&place, json!({"content_index": 0}));
                events.push(
                    "response.content_part.added",
                    joined(&place, json!({"part": output_text("")})),
                );
                for piece in pieces(said, self.call.size.chunks) {
                    let delta = json!({"delta": piece, "logprobs": [], "obfuscation": "mock"});
                    events.push("response.output_text.delta", joined(&place, delta));
                }
                let done = json!({"text": said, "logprobs": []});
                events.push("response.output_text.done", joined(&place, done));
                events.push(
                    "response.content_part.done",
                    joined(&place, json!({"part": output_text(said)})),
                );
            }
            Item::Call { arguments, .. } => {
                for piece in pieces(arguments, few) {
                    let delta = json!({"delta": piece, "obfuscation": "mock"});
                    events.push("response.function_call_arguments.delta", joined(&place, delta));
                }
                let done = json!({"arguments": arguments});
                events.push("response.function_call_arguments.done", joined(&place, done));
            }
        }
    }

    fn items(&self) -> Vec<Item<'_>> {
        let reasoning = self.answer.reasoning.as_deref().map(Item::Reasoning);
        let calls = self
            .answer
            .tool_calls
            .iter()
            .map(|call| Item::Call { name: &call.name, arguments: call.arguments.to_string() });
        let mut items: Vec<Item<'_>> = reasoning.into_iter().chain(calls).collect();
        if self.answer.tool_calls.is_empty() {
            items.push(Item::Message(&self.answer.text));
        }
        items
    }

    fn item_id(&self, index: usize, item: &Item<'_>) -> String {
        let kind = match item {
            Item::Reasoning(_) => "rs",
            Item::Message(_) => "msg",
            Item::Call { .. } => "fc",
        };
        format!("{kind}_mock{:08}_{index}", self.call.id)
    }

    fn item(&self, index: usize, item: &Item<'_>, stage: Stage) -> Value {
        let id = self.item_id(index, item);
        let is_done = stage == Stage::Done;
        let status = match (stage, &self.answer.finish) {
            (Stage::Added, _) => "in_progress",
            (Stage::Done, Finish::Length) => "incomplete",
            (Stage::Done, Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls) => {
                "completed"
            }
        };
        match item {
            Item::Reasoning(reasoning) => {
                let summaries = if is_done { vec![summary(reasoning)] } else { Vec::new() };
                let mut item = json!({"id": id, "type": "reasoning", "summary": summaries});
                if self.wants_encrypted() {
                    let encrypted = if is_done { signature(reasoning) } else { signature("") };
                    item["encrypted_content"] = json!(encrypted);
                }
                item
            }
            Item::Message(said) => {
                let content = if is_done { vec![output_text(said)] } else { Vec::new() };
                json!({"id": id, "type": "message", "status": status, "content": content, "role": "assistant"})
            }
            Item::Call { name, arguments } => json!({
                "id": id,
                "type": "function_call",
                "status": status,
                "arguments": if is_done { arguments } else { "" },
                "call_id": format!("call_mock{:08}_{index}", self.call.id),
                "name": name,
            }),
        }
    }

    fn wants_encrypted(&self) -> bool {
        let included = items(self.call.body.get("include")).iter();
        included.filter_map(Value::as_str).any(|name| name == "reasoning.encrypted_content")
    }

    fn status(&self) -> &'static str {
        match self.answer.finish {
            Finish::Length => "incomplete",
            Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "completed",
        }
    }

    fn envelope(&self, status: &str, output: Vec<Value>) -> Value {
        let request = self.call.body;
        let setting = |name: &str, default: Value| match request.get(name) {
            Some(value) if !value.is_null() => value.clone(),
            _ => default,
        };
        let is_done = status != "in_progress";
        let incomplete = (status == "incomplete").then(|| json!({"reason": "max_output_tokens"}));
        json!({
            "id": format!("resp_mock{:08}", self.call.id),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": false,
            "completed_at": (status == "completed").then_some(CREATED),
            "error": null,
            "incomplete_details": incomplete,
            "instructions": setting("instructions", Value::Null),
            "max_output_tokens": setting("max_output_tokens", Value::Null),
            "max_tool_calls": setting("max_tool_calls", Value::Null),
            "model": self.call.model,
            "output": output,
            "parallel_tool_calls": setting("parallel_tool_calls", json!(true)),
            "previous_response_id": setting("previous_response_id", Value::Null),
            "prompt_cache_key": setting("prompt_cache_key", Value::Null),
            "reasoning": self.reasoning_setting(),
            "safety_identifier": setting("safety_identifier", Value::Null),
            "service_tier": "default",
            "store": setting("store", json!(true)),
            "temperature": setting("temperature", json!(1.0)),
            "text": self.text_setting(),
            "tool_choice": setting("tool_choice", json!("auto")),
            "tools": self.tools_setting(),
            "top_logprobs": setting("top_logprobs", json!(0)),
            "top_p": setting("top_p", json!(1.0)),
            "truncation": setting("truncation", json!("disabled")),
            "usage": self.answer.usage.filter(|_| is_done).map(usage),
            "user": setting("user", Value::Null),
            "metadata": setting("metadata", json!({})),
        })
    }

    fn reasoning_setting(&self) -> Value {
        let given =
            |name: &str| self.call.body.get("reasoning").and_then(|reasoning| reasoning.get(name));
        json!({"effort": given("effort"), "summary": given("summary")})
    }

    fn text_setting(&self) -> Value {
        let given = |pointer: &str| self.call.body.pointer(pointer).cloned();
        json!({
            "format": given("/text/format").unwrap_or_else(|| json!({"type": "text"})),
            "verbosity": given("/text/verbosity").unwrap_or_else(|| json!("medium")),
        })
    }

    /// Functions come back with what was left out of them.
    fn tools_setting(&self) -> Value {
        let complete = |tool: &Value| {
            let mut tool = tool.clone();
            let is_function = text(&tool, "type") == "function";
            if let Some(fields) = tool.as_object_mut().filter(|_| is_function) {
                for (name, default) in [
                    ("description", Value::Null),
                    ("parameters", Value::Null),
                    ("strict", json!(true)),
                ] {
                    fields.entry(name).or_insert(default);
                }
            }
            tool
        };
        items(self.call.body.get("tools")).iter().map(complete).collect()
    }
}

/// How far an item is when it is shown.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Added,
    Done,
}

impl Events {
    fn push(&mut self, kind: &str, fields: Value) {
        let event = json!({"type": kind, "sequence_number": self.0.len()});
        self.0.push(named_event(&joined(&event, fields)));
    }
}

/// The fields of both objects.
fn joined(first: &Value, second: Value) -> Value {
    let fields = |value: Value| match value {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    Value::Object(fields(first.clone()).into_iter().chain(fields(second)).collect())
}

fn summary(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

fn output_text(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.prompt,
        "input_tokens_details": {
            "cached_tokens": tokens.cached,
            "cache_write_tokens": tokens.cache_written,
        },
        "output_tokens": tokens.completion,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.prompt.saturating_add(tokens.completion),
    })
}
