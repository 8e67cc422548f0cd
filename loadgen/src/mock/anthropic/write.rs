//! Writes an answer as an Anthropic message, whole or streamed.

use serde_json::{Value, json};

use crate::mock::answer::{Answer, Finish, Size};
use crate::mock::fault::Tokens;
use crate::mock::limits::SMALL_PIECES_MAX;
use crate::mock::signature::signature;
use crate::mock::text::pieces;

/// An answer on its way into Anthropic's shape.
pub(super) struct Message<'a> {
    pub(super) model: &'a str,
    pub(super) id: u64,
    pub(super) answer: &'a Answer,
}

impl Message<'_> {
    /// The whole message.
    pub(super) fn whole(&self) -> Value {
        let mut message = self.envelope();
        message["content"] = self.blocks().iter().map(Block::whole).collect();
        message["stop_reason"] = json!(self.stop_reason());
        message["stop_sequence"] = json!(self.stop_sequence());
        if let Some(tokens) = self.answer.usage {
            message["usage"] = usage(tokens, tokens.completion);
        }
        message
    }

    /// Every event of the stream.
    pub(super) fn events(&self, size: &Size) -> Vec<Value> {
        let mut start = self.envelope();
        if let Some(tokens) = self.answer.usage {
            start["usage"] = usage(tokens, 1);
        }
        let mut events = Vec::with_capacity(size.chunks + 8);
        events.push(json!({"type": "message_start", "message": start}));
        for (index, block) in self.blocks().iter().enumerate() {
            block.push_events(&mut events, index, size);
        }
        events.push(self.message_delta());
        events.push(json!({"type": "message_stop"}));
        events
    }

    fn message_delta(&self) -> Value {
        let mut event = json!({
            "type": "message_delta",
            "delta": {"stop_reason": self.stop_reason(), "stop_sequence": self.stop_sequence()},
        });
        if let Some(tokens) = self.answer.usage {
            event["usage"] = final_usage(tokens);
        }
        event
    }

    fn envelope(&self) -> Value {
        json!({
            "id": format!("msg_mock{:08}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
        })
    }

    fn blocks(&self) -> Vec<Block> {
        let thinking = self.answer.reasoning.iter().cloned().map(Block::Thinking);
        let calls = self.answer.tool_calls.iter().enumerate().map(|(index, call)| Block::ToolUse {
            id: format!("toolu_mock{:08}_{index}", self.id),
            name: call.name.clone(),
            input: call.arguments.clone(),
        });
        let mut blocks: Vec<Block> = thinking.chain(calls).collect();
        if self.answer.tool_calls.is_empty() {
            blocks.push(Block::Text(self.answer.text.clone()));
        }
        blocks
    }

    fn stop_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop => "end_turn",
            Finish::StopSequence(_) => "stop_sequence",
            Finish::Length => "max_tokens",
            Finish::ToolCalls => "tool_use",
        }
    }

    fn stop_sequence(&self) -> Option<&str> {
        match &self.answer.finish {
            Finish::StopSequence(stop) => Some(stop),
            Finish::Stop | Finish::Length | Finish::ToolCalls => None,
        }
    }
}

enum Block {
    Thinking(String),
    Text(String),
    ToolUse { id: String, name: String, input: Value },
}

impl Block {
    fn whole(&self) -> Value {
        match self {
            Self::Thinking(thinking) => json!({
                "type": "thinking",
                "thinking": thinking,
                "signature": signature(thinking),
            }),
            Self::Text(text) => json!({"type": "text", "text": text}),
            Self::ToolUse { id, name, input } => {
                json!({"type": "tool_use", "id": id, "name": name, "input": input})
            }
        }
    }

    fn push_events(&self, events: &mut Vec<Value>, index: usize, size: &Size) {
        let start = json!({
            "type": "content_block_start",
            "index": index,
            "content_block": self.empty(),
        });
        events.push(start);
        if index == 0 {
            events.push(json!({"type": "ping"}));
        }
        for delta in self.deltas(size) {
            let event = json!({"type": "content_block_delta", "index": index, "delta": delta});
            events.push(event);
        }
        events.push(json!({"type": "content_block_stop", "index": index}));
    }

    fn empty(&self) -> Value {
        match self {
            Self::Thinking(_) => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Self::Text(_) => json!({"type": "text", "text": ""}),
            Self::ToolUse { id, name, .. } => {
                json!({"type": "tool_use", "id": id, "name": name, "input": {}})
            }
        }
    }

    fn deltas(&self, size: &Size) -> Vec<Value> {
        let few = size.chunks.min(SMALL_PIECES_MAX);
        match self {
            Self::Thinking(thinking) => {
                let text = pieces(thinking, few).into_iter();
                let text = text.map(|piece| json!({"type": "thinking_delta", "thinking": piece}));
                let signature = signature(thinking);
                text.chain([json!({"type": "signature_delta", "signature": signature})]).collect()
            }
            Self::Text(text) => {
                let text = pieces(text, size.chunks).into_iter();
                text.map(|piece| json!({"type": "text_delta", "text": piece})).collect()
            }
            Self::ToolUse { input, .. } => {
                let input = input.to_string();
                let first = std::iter::once("");
                let parts = first.chain(pieces(&input, few));
                parts
                    .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
                    .collect()
            }
        }
    }
}

/// Anthropic counts cached input apart from `input_tokens`.
fn usage(tokens: Tokens, output: u64) -> Value {
    json!({
        "input_tokens": fresh_input(tokens),
        "cache_creation_input_tokens": tokens.cache_written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_written,
            "ephemeral_1h_input_tokens": 0,
        },
        "output_tokens": output,
        "service_tier": "standard",
    })
}

fn final_usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": fresh_input(tokens),
        "cache_creation_input_tokens": tokens.cache_written,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.completion,
    })
}

fn fresh_input(tokens: Tokens) -> u64 {
    tokens.prompt.saturating_sub(tokens.cached).saturating_sub(tokens.cache_written)
}
