//! Writes an answer as a chat completion of Mistral, whole or streamed.

use serde_json::{Value, json};

use super::error_object;
use crate::mock::answer::{Answer, Finish};
use crate::mock::fault::Tokens;
use crate::mock::limits::SMALL_PIECES_MAX;
use crate::mock::refusal::Refusal;
use crate::mock::reply::data_event;
use crate::mock::routes::Call;
use crate::mock::text::pieces;

const CREATED: u64 = 1_767_225_600;

/// An answer on its way into Mistral's shape.
pub(super) struct Completion<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) answer: &'a Answer,
}

/// A refusal in the middle of a stream.
pub(super) fn break_off(refusal: &Refusal, _: usize) -> Vec<u8> {
    data_event(&error_object(refusal))
}

impl Completion<'_> {
    /// The whole completion.
    pub(super) fn whole(&self) -> Value {
        let mut completion = self.envelope(
            "chat.completion",
            json!([{"index": 0, "message": self.message(), "finish_reason": self.finish_reason()}]),
        );
        if let Some(tokens) = self.answer.usage {
            completion["usage"] = usage(tokens);
        }
        completion
    }

    /// Every event of the stream; calls come whole, usage with the last chunk.
    pub(super) fn events(&self) -> Vec<Vec<u8>> {
        let few = self.call.size.chunks.min(SMALL_PIECES_MAX);
        let reasoning = self.answer.reasoning.as_deref().unwrap_or_default();
        let mut deltas = vec![json!({"role": "assistant", "content": ""})];
        deltas.extend(
            pieces(reasoning, few).into_iter().map(|piece| json!({"content": [thinking(piece)]})),
        );
        let text = pieces(&self.answer.text, self.call.size.chunks).into_iter();
        deltas.extend(text.map(|piece| json!({"content": piece})));
        let last = match self.answer.tool_calls.is_empty() {
            true => json!({"content": ""}),
            false => json!({"content": "", "tool_calls": self.calls()}),
        };
        let mut events: Vec<Vec<u8>> =
            deltas.into_iter().map(|delta| data_event(&self.chunk(delta, None))).collect();
        let mut end = self.chunk(last, Some(self.finish_reason()));
        if let Some(tokens) = self.answer.usage {
            end["usage"] = usage(tokens);
        }
        events.push(data_event(&end));
        events.push(b"data: [DONE]\n\n".to_vec());
        events
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        let choices = json!([{"index": 0, "delta": delta, "finish_reason": finish_reason}]);
        self.envelope("chat.completion.chunk", choices)
    }

    fn envelope(&self, object: &str, choices: Value) -> Value {
        json!({
            "id": format!("mock{:028}", self.call.id),
            "object": object,
            "created": CREATED,
            "model": self.call.model,
            "choices": choices,
        })
    }

    fn message(&self) -> Value {
        let text = &self.answer.text;
        let content = match &self.answer.reasoning {
            None => json!(text),
            Some(reasoning) if text.is_empty() => json!([thinking(reasoning)]),
            Some(reasoning) => json!([thinking(reasoning), {"type": "text", "text": text}]),
        };
        let calls = (!self.answer.tool_calls.is_empty()).then(|| self.calls());
        json!({"role": "assistant", "tool_calls": calls, "content": content})
    }

    fn calls(&self) -> Vec<Value> {
        let calls = self.answer.tool_calls.iter().enumerate();
        let call = |(index, call): (usize, &crate::mock::answer::ToolCall)| {
            json!({
                "id": call_id(self.call.id, index),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments.to_string()},
                "index": index,
            })
        };
        calls.map(call).collect()
    }

    fn finish_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop | Finish::StopSequence(_) => "stop",
            Finish::Length => "length",
            Finish::ToolCalls => "tool_calls",
        }
    }
}

fn thinking(text: &str) -> Value {
    json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]})
}

/// Nine letters and digits.
fn call_id(id: u64, index: usize) -> String {
    format!("m{:06}{:02}", id % 1_000_000, index % 100)
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt.saturating_add(tokens.completion),
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
    })
}
