//! Writes an answer as a reply of Converse, whole or as an event stream. The framing is the gateway's own writer; that
//! its checksums and headers are right is shown by botocore, which reads them straight from here.

use serde_json::{Value, json};
use wire::write_event_message;

use crate::mock::answer::{Answer, Finish};
use crate::mock::fault::Tokens;
use crate::mock::limits::SMALL_PIECES_MAX;
use crate::mock::routes::Call;
use crate::mock::signature::signature;
use crate::mock::text::pieces;

/// An answer on its way into the shape of Converse.
pub(super) struct Message<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) answer: &'a Answer,
}

enum Block<'a> {
    Reasoning(&'a str),
    Text(&'a str),
    ToolUse { id: String, name: &'a str, input: &'a Value },
}

/// One message of an event stream.
pub(super) fn event(kind: &str, payload: &Value) -> Vec<u8> {
    let payload = payload.to_string();
    let mut message = Vec::new();
    write_event_message(kind, &mut message, |out| out.extend_from_slice(payload.as_bytes()));
    message
}

impl Message<'_> {
    /// The whole reply.
    pub(super) fn whole(&self) -> Value {
        let content: Vec<Value> = self.blocks().iter().map(Block::whole).collect();
        let mut reply = json!({
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.stop_reason(),
            "metrics": {"latencyMs": 1},
        });
        if let Some(tokens) = self.answer.usage {
            reply["usage"] = usage(tokens);
        }
        reply
    }

    /// Every message of the stream.
    pub(super) fn stream(&self) -> Vec<Vec<u8>> {
        let mut messages = vec![event("messageStart", &json!({"role": "assistant"}))];
        for (index, block) in self.blocks().iter().enumerate() {
            // Only tool uses have something to start with; a union may not be empty.
            if let Block::ToolUse { id, name, .. } = block {
                let start = json!({"toolUse": {"toolUseId": id, "name": name}});
                messages.push(event(
                    "contentBlockStart",
                    &json!({"contentBlockIndex": index, "start": start}),
                ));
            }
            for delta in block.deltas(self.call.size.chunks) {
                messages.push(event(
                    "contentBlockDelta",
                    &json!({"contentBlockIndex": index, "delta": delta}),
                ));
            }
            messages.push(event("contentBlockStop", &json!({"contentBlockIndex": index})));
        }
        messages.push(event("messageStop", &json!({"stopReason": self.stop_reason()})));
        let mut metadata = json!({"metrics": {"latencyMs": 1}});
        if let Some(tokens) = self.answer.usage {
            metadata["usage"] = usage(tokens);
        }
        messages.push(event("metadata", &metadata));
        messages
    }

    fn blocks(&self) -> Vec<Block<'_>> {
        let reasoning = self.answer.reasoning.as_deref().map(Block::Reasoning);
        let uses = self.answer.tool_calls.iter().enumerate().map(|(index, call)| Block::ToolUse {
            id: format!("tooluse_mock{:08}_{index}", self.call.id),
            name: &call.name,
            input: &call.arguments,
        });
        let mut blocks: Vec<Block<'_>> = reasoning.into_iter().chain(uses).collect();
        if self.answer.tool_calls.is_empty() {
            blocks.push(Block::Text(&self.answer.text));
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
}

impl Block<'_> {
    fn whole(&self) -> Value {
        match self {
            Self::Reasoning(text) => {
                json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature(text)}}})
            }
            Self::Text(text) => json!({"text": text}),
            Self::ToolUse { id, name, input } => {
                json!({"toolUse": {"toolUseId": id, "name": name, "input": input}})
            }
        }
    }

    fn deltas(&self, chunks: usize) -> Vec<Value> {
        let few = chunks.min(SMALL_PIECES_MAX);
        match self {
            Self::Reasoning(text) => {
                let signature = json!({"reasoningContent": {"signature": signature(text)}});
                let text = pieces(text, few).into_iter();
                text.map(|piece| json!({"reasoningContent": {"text": piece}}))
                    .chain([signature])
                    .collect()
            }
            Self::Text(text) => {
                pieces(text, chunks).into_iter().map(|piece| json!({"text": piece})).collect()
            }
            Self::ToolUse { input, .. } => {
                let input = input.to_string();
                pieces(&input, few)
                    .into_iter()
                    .map(|piece| json!({"toolUse": {"input": piece}}))
                    .collect()
            }
        }
    }
}

/// Cached input is counted apart from `inputTokens`.
fn usage(tokens: Tokens) -> Value {
    let fresh = tokens.prompt.saturating_sub(tokens.cached).saturating_sub(tokens.cache_written);
    json!({
        "inputTokens": fresh,
        "outputTokens": tokens.completion,
        "totalTokens": tokens.prompt.saturating_add(tokens.completion),
        "cacheReadInputTokens": tokens.cached,
        "cacheWriteInputTokens": tokens.cache_written,
    })
}
