//! Writes an answer as a chat reply of Cohere, whole or streamed.

use serde_json::{Value, json};

use super::id;
use crate::mock::answer::{Answer, Finish, ToolCall};
use crate::mock::fault::Tokens;
use crate::mock::limits::SMALL_PIECES_MAX;
use crate::mock::refusal::Refusal;
use crate::mock::reply::named_event;
use crate::mock::routes::Call;
use crate::mock::text::pieces;

/// An answer on its way into Cohere's shape.
pub(super) struct Message<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) answer: &'a Answer,
}

/// What a stream of Cohere ends with when it fails.
pub(super) fn break_off(refusal: &Refusal, _: usize) -> Vec<u8> {
    let delta = json!({"finish_reason": "ERROR", "error": refusal.message});
    named_event(&json!({"type": "message-end", "delta": delta}))
}

impl Message<'_> {
    /// The whole reply.
    pub(super) fn whole(&self) -> Value {
        let mut message = json!({"role": "assistant"});
        let thinking = self.answer.reasoning.iter();
        let mut content: Vec<Value> =
            thinking.map(|thinking| json!({"type": "thinking", "thinking": thinking})).collect();
        match self.answer.tool_calls.is_empty() {
            true => content.push(json!({"type": "text", "text": self.answer.text})),
            false => {
                message["tool_plan"] = json!(self.plan());
                message["tool_calls"] = self
                    .answer
                    .tool_calls
                    .iter()
                    .enumerate()
                    .map(|(index, call)| self.tool_call(index, call, &call.arguments.to_string()))
                    .collect();
            }
        }
        if !content.is_empty() {
            message["content"] = json!(content);
        }
        let mut reply = json!({
            "id": id(self.call.id),
            "message": message,
            "finish_reason": self.finish_reason(),
        });
        if let Some(tokens) = self.answer.usage {
            reply["usage"] = usage(tokens);
        }
        reply
    }

    /// Every event of the stream.
    pub(super) fn events(&self) -> Vec<Vec<u8>> {
        let start = json!({"message": {
            "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": [],
        }});
        let first = json!({"id": id(self.call.id), "type": "message-start", "delta": start});
        let mut events = vec![named_event(&first)];
        let few = self.call.size.chunks.min(SMALL_PIECES_MAX);
        let mut index = 0;
        if let Some(thinking) = &self.answer.reasoning {
            push_content(&mut events, index, "thinking", &pieces(thinking, few));
            index += 1;
        }
        if self.answer.tool_calls.is_empty() {
            push_content(
                &mut events,
                index,
                "text",
                &pieces(&self.answer.text, self.call.size.chunks),
            );
        } else {
            self.push_calls(&mut events, few);
        }
        let mut delta = json!({"finish_reason": self.finish_reason()});
        if let Some(tokens) = self.answer.usage {
            delta["usage"] = usage(tokens);
        }
        events.push(named_event(&json!({"type": "message-end", "delta": delta})));
        events.push(b"data: [DONE]\n\n".to_vec());
        events
    }

    fn push_calls(&self, events: &mut Vec<Vec<u8>>, few: usize) {
        for piece in pieces(&self.plan(), few) {
            let delta = json!({"message": {"tool_plan": piece}});
            events.push(named_event(&json!({"type": "tool-plan-delta", "delta": delta})));
        }
        for (index, call) in self.answer.tool_calls.iter().enumerate() {
            let delta = json!({"message": {"tool_calls": self.tool_call(index, call, "")}});
            events.push(named_event(
                &json!({"type": "tool-call-start", "index": index, "delta": delta}),
            ));
            for piece in pieces(&call.arguments.to_string(), few) {
                let delta = json!({"message": {"tool_calls": {"function": {"arguments": piece}}}});
                events.push(named_event(
                    &json!({"type": "tool-call-delta", "index": index, "delta": delta}),
                ));
            }
            events.push(named_event(&json!({"type": "tool-call-end", "index": index})));
        }
    }

    fn plan(&self) -> String {
        let names: Vec<&str> =
            self.answer.tool_calls.iter().map(|call| call.name.as_str()).collect();
        format!("I will use {}.", names.join(" and "))
    }

    fn tool_call(&self, index: usize, call: &ToolCall, arguments: &str) -> Value {
        json!({
            "id": format!("{}_mock{:08}_{index}", call.name, self.call.id),
            "type": "function",
            "function": {"name": call.name, "arguments": arguments},
        })
    }

    fn finish_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop => "COMPLETE",
            Finish::StopSequence(_) => "STOP_SEQUENCE",
            Finish::Length => "MAX_TOKENS",
            Finish::ToolCalls => "TOOL_CALL",
        }
    }
}

fn push_content(events: &mut Vec<Vec<u8>>, index: usize, kind: &str, pieces: &[&str]) {
    let start = json!({"message": {"content": {"type": kind, (kind): ""}}});
    events.push(named_event(&json!({"type": "content-start", "index": index, "delta": start})));
    for piece in pieces {
        let delta = json!({"message": {"content": {(kind): piece}}});
        events.push(named_event(&json!({"type": "content-delta", "index": index, "delta": delta})));
    }
    events.push(named_event(&json!({"type": "content-end", "index": index})));
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "billed_units": {"input_tokens": tokens.prompt, "output_tokens": tokens.completion},
        "tokens": {"input_tokens": tokens.prompt, "output_tokens": tokens.completion},
        "cached_tokens": tokens.cached,
    })
}
