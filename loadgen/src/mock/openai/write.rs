//! Writes an answer as a chat completion, whole or streamed.

use serde_json::{Map, Value, json};

use super::{CREATED, Chat, ReasoningField};
use crate::mock::answer::{Answer, Finish, Size, ToolCall};
use crate::mock::fault::Tokens;
use crate::mock::limits::SMALL_PIECES_MAX;
use crate::mock::reply::data_event;
use crate::mock::text::pieces;

const FINGERPRINT: &str = "fp_mock";

/// The whole completion.
pub(super) fn completion(chat: &Chat<'_>, answer: &Answer, id: u64) -> Value {
    let choice = |index| {
        json!({
            "index": index,
            "message": message(chat, answer, id, index),
            "logprobs": null,
            "finish_reason": finish_reason(&answer.finish),
        })
    };
    let choices: Vec<Value> = (0..chat.choices).map(choice).collect();
    let mut completion = json!({
        "id": completion_id(id),
        "object": "chat.completion",
        "created": CREATED,
        "model": chat.model,
        "choices": choices,
    });
    if let Some(tokens) = answer.usage {
        completion["usage"] = usage(tokens);
    }
    completion["service_tier"] = json!("default");
    completion["system_fingerprint"] = json!(FINGERPRINT);
    completion
}

fn message(chat: &Chat<'_>, answer: &Answer, id: u64, choice: u64) -> Value {
    let has_calls = !answer.tool_calls.is_empty();
    let mut message = Map::new();
    message.insert("role".to_owned(), json!("assistant"));
    let content = if has_calls { Value::Null } else { json!(answer.text) };
    message.insert("content".to_owned(), content);
    if let Some(reasoning) = &answer.reasoning {
        message.extend(reasoning_fields(chat.reasoning, reasoning));
    }
    message.insert("refusal".to_owned(), Value::Null);
    message.insert("annotations".to_owned(), json!([]));
    if has_calls {
        let calls = answer.tool_calls.iter().enumerate();
        let calls = calls.map(|(index, call)| {
            json!({
                "id": call_id(id, choice, index),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.to_string()},
            })
        });
        message.insert("tool_calls".to_owned(), calls.collect());
    }
    Value::Object(message)
}

fn reasoning_fields(field: ReasoningField, text: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    match field {
        ReasoningField::Content => {
            fields.insert("reasoning_content".to_owned(), json!(text));
        }
        ReasoningField::Details => {
            let detail =
                json!({"type": "reasoning.text", "text": text, "index": 0, "format": "unknown"});
            fields.insert("reasoning".to_owned(), json!(text));
            fields.insert("reasoning_details".to_owned(), json!([detail]));
        }
    }
    fields
}

/// Every event of the stream, the closing `[DONE]` included.
pub(super) fn events(chat: &Chat<'_>, answer: &Answer, id: u64, size: &Size) -> Vec<Vec<u8>> {
    let stream = Stream { chat, id };
    let mut events = Vec::with_capacity(size.chunks + 8);
    for choice in 0..chat.choices {
        stream.push_choice(&mut events, answer, choice, size);
    }
    if chat.include_usage
        && let Some(tokens) = answer.usage
    {
        let mut chunk = stream.chunk(json!([]));
        chunk["usage"] = usage(tokens);
        events.push(data_event(&chunk));
    }
    events.push(b"data: [DONE]\n\n".to_vec());
    events
}

/// What every chunk of one stream has in common.
struct Stream<'a> {
    chat: &'a Chat<'a>,
    id: u64,
}

impl Stream<'_> {
    fn push_choice(&self, events: &mut Vec<Vec<u8>>, answer: &Answer, choice: u64, size: &Size) {
        let mut delta = |delta: Value| events.push(self.delta(choice, delta, None));
        let content = if answer.tool_calls.is_empty() { json!("") } else { Value::Null };
        delta(json!({"role": "assistant", "content": content, "refusal": null}));
        let reasoning = answer.reasoning.as_deref().unwrap_or_default();
        for piece in pieces(reasoning, size.chunks.min(SMALL_PIECES_MAX)) {
            delta(Value::Object(reasoning_fields(self.chat.reasoning, piece)));
        }
        for piece in pieces(&answer.text, size.chunks) {
            delta(json!({"content": piece}));
        }
        for (index, call) in answer.tool_calls.iter().enumerate() {
            delta(json!({"tool_calls": [{
                "index": index,
                "id": call_id(self.id, choice, index),
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }]}));
            for piece in argument_pieces(call, size) {
                let function = json!({"arguments": piece});
                delta(json!({"tool_calls": [{"index": index, "function": function}]}));
            }
        }
        events.push(self.delta(choice, json!({}), Some(finish_reason(&answer.finish))));
    }

    fn delta(&self, choice: u64, delta: Value, finish_reason: Option<&str>) -> Vec<u8> {
        data_event(&self.chunk(json!([{
            "index": choice,
            "delta": delta,
            "logprobs": null,
            "finish_reason": finish_reason,
        }])))
    }

    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": completion_id(self.id),
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.chat.model,
            "service_tier": "default",
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        });
        if self.chat.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }
}

fn argument_pieces(call: &ToolCall, size: &Size) -> Vec<String> {
    let arguments = call.arguments.to_string();
    let pieces = pieces(&arguments, size.chunks.min(SMALL_PIECES_MAX));
    pieces.into_iter().map(str::to_owned).collect()
}

fn completion_id(id: u64) -> String {
    format!("chatcmpl-mock{id:08}")
}

fn call_id(id: u64, choice: u64, index: usize) -> String {
    match choice {
        0 => format!("call_mock{id:08}_{index}"),
        choice => format!("call_mock{id:08}_{choice}_{index}"),
    }
}

fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopSequence(_) => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
    }
}

pub(super) fn usage(tokens: Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt.saturating_add(tokens.completion),
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}
