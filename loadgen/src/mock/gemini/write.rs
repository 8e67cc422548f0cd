//! Writes an answer as a response of generateContent, whole or in chunks.

use serde_json::{Value, json};

use super::error_object;
use crate::mock::answer::{Answer, Finish};
use crate::mock::fault::Tokens;
use crate::mock::limits::SMALL_PIECES_MAX;
use crate::mock::refusal::Refusal;
use crate::mock::routes::Call;
use crate::mock::signature::signature;
use crate::mock::text::pieces;

/// An answer on its way into Google's shape.
pub(super) struct Response<'a> {
    call: &'a Call<'a>,
    request: &'a Value,
    answer: &'a Answer,
}

/// An event. Google ends its lines with a carriage return too.
pub(super) fn event(chunk: &Value) -> Vec<u8> {
    format!("data: {chunk}\r\n\r\n").into_bytes()
}

/// The pieces of one array.
pub(super) fn array(chunks: &[Value]) -> Vec<Vec<u8>> {
    let pieces = chunks.iter().enumerate().map(|(index, chunk)| {
        let start = if index == 0 { "[" } else { ",\r\n" };
        format!("{start}{chunk}").into_bytes()
    });
    pieces.chain([b"]".to_vec()]).collect()
}

/// A refusal in the middle of events.
pub(super) fn break_off_events(refusal: &Refusal, _: usize) -> Vec<u8> {
    event(&error_object(refusal))
}

/// A refusal in the middle of an array.
pub(super) fn break_off_array(refusal: &Refusal, after: usize) -> Vec<u8> {
    let start = if after == 0 { "[" } else { ",\r\n" };
    format!("{start}{}]", error_object(refusal)).into_bytes()
}

impl<'a> Response<'a> {
    pub(super) fn new(call: &'a Call<'a>, request: &'a Value, answer: &'a Answer) -> Self {
        Self { call, request, answer }
    }

    /// The whole response.
    pub(super) fn whole(&self) -> Value {
        let thoughts = self.answer.reasoning.iter().map(|reasoning| thought(reasoning));
        let mut parts: Vec<Value> = thoughts.collect();
        match self.answer.tool_calls.is_empty() {
            true => parts.push(self.signed(json!({"text": self.answer.text}))),
            false => parts.extend(self.calls()),
        }
        self.envelope(&parts, Some(self.finish_reason()), self.answer.usage.map(usage))
    }

    /// The chunks of a stream. The last one tells why it ends; each tells the tokens so far.
    pub(super) fn chunks(&self) -> Vec<Value> {
        let reasoning = self.answer.reasoning.as_deref().unwrap_or_default();
        let few = self.call.size.chunks.min(SMALL_PIECES_MAX);
        let mut chunks: Vec<Vec<Value>> =
            pieces(reasoning, few).into_iter().map(|piece| vec![thought(piece)]).collect();
        match self.answer.tool_calls.is_empty() {
            true => {
                let text = pieces(&self.answer.text, self.call.size.chunks).into_iter();
                chunks.extend(text.map(|piece| vec![json!({"text": piece})]));
                chunks.push(vec![self.signed(json!({"text": ""}))]);
            }
            false => chunks.extend(self.calls().into_iter().map(|call| vec![call])),
        }
        let last = chunks.len().saturating_sub(1);
        let chunks = chunks.iter().enumerate().map(|(index, parts)| match index == last {
            true => self.envelope(parts, Some(self.finish_reason()), self.answer.usage.map(usage)),
            false => self.envelope(parts, None, self.answer.usage.map(usage_so_far)),
        });
        chunks.collect()
    }

    /// The calls; the first one carries the signature of what led to them.
    fn calls(&self) -> Vec<Value> {
        let calls = self.answer.tool_calls.iter().enumerate();
        let calls = calls.map(|(index, call)| {
            let part = json!({"functionCall": {"name": call.name, "args": call.arguments}});
            if index == 0 { self.signed(part) } else { part }
        });
        calls.collect()
    }

    /// Models of the third generation sign always, others what they thought about.
    fn signed(&self, mut part: Value) -> Value {
        let reasoning = self.answer.reasoning.as_deref();
        let signs = reasoning.is_some() || self.call.model.contains("gemini-3");
        if signs {
            part["thoughtSignature"] = json!(signature(reasoning.unwrap_or_default()));
        }
        part
    }

    fn finish_reason(&self) -> &'static str {
        match self.answer.finish {
            Finish::Stop | Finish::StopSequence(_) | Finish::ToolCalls => "STOP",
            Finish::Length => "MAX_TOKENS",
        }
    }

    fn envelope(
        &self,
        parts: &[Value],
        finish_reason: Option<&str>,
        usage: Option<Value>,
    ) -> Value {
        let count =
            self.request.pointer("/generationConfig/candidateCount").and_then(Value::as_u64);
        let candidate = |index: u64| {
            let mut candidate =
                json!({"content": {"parts": parts, "role": "model"}, "index": index});
            if let Some(reason) = finish_reason {
                candidate["finishReason"] = json!(reason);
            }
            candidate
        };
        let candidates: Vec<Value> = (0..count.unwrap_or(1).clamp(1, 8)).map(candidate).collect();
        let mut response = json!({"candidates": candidates});
        if let Some(usage) = usage {
            response["usageMetadata"] = usage;
        }
        response["modelVersion"] = json!(self.call.model);
        response["responseId"] = json!(format!("mock{:08}", self.call.id));
        response
    }
}

fn thought(text: &str) -> Value {
    json!({"text": text, "thought": true})
}

/// Google counts thoughts apart from candidates, and cached tokens with the prompt.
fn usage(tokens: Tokens) -> Value {
    let mut usage = usage_so_far(tokens);
    usage["candidatesTokenCount"] = json!(tokens.completion.saturating_sub(tokens.reasoning));
    usage["totalTokenCount"] = json!(tokens.prompt.saturating_add(tokens.completion));
    if tokens.reasoning > 0 {
        usage["thoughtsTokenCount"] = json!(tokens.reasoning);
    }
    usage
}

fn usage_so_far(tokens: Tokens) -> Value {
    let mut usage = json!({
        "promptTokenCount": tokens.prompt,
        "totalTokenCount": tokens.prompt,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.prompt}],
    });
    if tokens.cached > 0 {
        usage["cachedContentTokenCount"] = json!(tokens.cached);
    }
    usage
}
