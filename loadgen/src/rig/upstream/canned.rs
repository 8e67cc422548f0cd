//! Replies rendered beforehand, with slots for what differs from one to the next.

use std::ops::Range;

use memchr::memmem;
use serde_json::{Value, json};

use super::super::limits::EVENT_BYTES_MAX;
use super::super::message::{RECEIVED_HEADER, SENT_HEADER};
use super::super::number::{
    EVENT_TEXT, EventMark, MARK, NUMBER_DIGITS, NUMBER_TEXT, SENT_AT, SEQUENCE_AT, SEQUENCE_DIGITS,
    TIME_DIGITS, write_digits,
};
use super::super::plan::{StreamPlan, UpstreamPlan};
use super::super::roles::Shape;
use super::super::text::{filler, fitted};

/// Every reply an upstream gives.
#[derive(Debug)]
pub(super) struct Canned {
    chat: Set,
    messages: Set,
    unknown: Vec<u8>,
    no_streams: Vec<u8>,
}

#[derive(Debug)]
struct Set {
    whole: Whole,
    stream: Option<StreamPieces>,
}

/// A reply that is not a stream.
#[derive(Debug)]
pub(super) struct Whole {
    bytes: Vec<u8>,
    number_at: Option<usize>,
    received_at: Option<usize>,
    sent_at: Option<usize>,
}

/// The pieces of a stream.
#[derive(Debug)]
pub(super) struct StreamPieces {
    /// Head and the events before the first content.
    pub opening: Piece,
    /// One content event.
    pub event: Piece,
    /// The events after the last content, and the end of the body.
    pub closing: Piece,
}

/// Bytes sent in one go.
#[derive(Debug)]
pub(super) struct Piece {
    /// As they go on the wire.
    bytes: Vec<u8>,
    /// The part that is the body's content.
    content: Range<usize>,
    mark_at: Option<usize>,
}

impl Canned {
    pub(super) fn new(plan: &UpstreamPlan) -> Self {
        Self {
            chat: Set::new(plan, &CHAT),
            messages: Set::new(plan, &MESSAGES),
            unknown: refusal(
                "404 Not Found",
                "this upstream knows /chat/completions and /messages",
            ),
            no_streams: refusal("400 Bad Request", "this upstream was started without streams"),
        }
    }

    /// The whole reply to a request of this shape.
    #[inline]
    pub(super) fn whole(&mut self, shape: Shape) -> Option<&mut Whole> {
        self.set(shape).map(|set| &mut set.whole)
    }

    /// The streamed reply to a request of this shape.
    #[inline]
    pub(super) fn stream(&mut self, shape: Shape) -> Option<&mut StreamPieces> {
        self.set(shape).and_then(|set| set.stream.as_mut())
    }

    /// The answer to a path this upstream does not know.
    pub(super) fn unknown(&self) -> &[u8] {
        &self.unknown
    }

    /// The answer to who wants a stream of an upstream that has none.
    pub(super) fn no_streams(&self) -> &[u8] {
        &self.no_streams
    }

    fn set(&mut self, shape: Shape) -> Option<&mut Set> {
        match shape {
            Shape::Chat => Some(&mut self.chat),
            Shape::Messages => Some(&mut self.messages),
            Shape::Unknown => None,
        }
    }
}

impl Set {
    fn new(plan: &UpstreamPlan, wire: &Wire) -> Self {
        let body = fitted(plan.reply_bytes, |filler_bytes| {
            (wire.reply)(&format!("{NUMBER_TEXT}{}", filler(filler_bytes))).to_string()
        });
        Self {
            whole: Whole::new(&body, plan.stamps),
            stream: plan.stream.map(|stream| StreamPieces::new(&stream, wire)),
        }
    }
}

impl Whole {
    fn new(body: &str, has_stamps: bool) -> Self {
        let stamps = match has_stamps {
            true => {
                format!("{RECEIVED_HEADER}: {0:01$}\r\n{SENT_HEADER}: {0:01$}\r\n", 0, TIME_DIGITS)
            }
            false => String::new(),
        };
        let bytes = plain("200 OK", &stamps, body);
        let after =
            |needle: &str| memmem::find(&bytes, needle.as_bytes()).map(|at| at + needle.len());
        let number_at = after(MARK);
        let received_at = after(&format!("{RECEIVED_HEADER}: "));
        let sent_at = after(&format!("{SENT_HEADER}: "));
        Self { bytes, number_at, received_at, sent_at }
    }

    /// The reply to this request, with the two stamps if it has room for them.
    #[inline]
    pub(super) fn rendered(&mut self, number: u64, received_ns: u64, sent_ns: u64) -> &[u8] {
        let slots = [
            (self.number_at, NUMBER_DIGITS, number),
            (self.received_at, TIME_DIGITS, received_ns),
            (self.sent_at, TIME_DIGITS, sent_ns),
        ];
        for (at, digits, value) in slots {
            if let Some(at) = at {
                write_digits(&mut self.bytes[at..at + digits], value);
            }
        }
        &self.bytes
    }
}

impl StreamPieces {
    fn new(plan: &StreamPlan, wire: &Wire) -> Self {
        let connection = if plan.close { "Connection: close\r\n" } else { "" };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
             Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n{connection}\r\n"
        );
        let event = fitted(plan.event_bytes.min(EVENT_BYTES_MAX), |filler_bytes| {
            (wire.event)(&format!("{EVENT_TEXT}{}", filler(filler_bytes)))
        });
        Self {
            opening: Piece::new(&head, &(wire.opening)(), ""),
            event: Piece::new("", &event, ""),
            closing: Piece::new("", &(wire.closing)(plan.events), "0\r\n\r\n"),
        }
    }
}

impl Piece {
    /// One chunk with something before and after it.
    fn new(before: &str, content: &str, after: &str) -> Self {
        let mut bytes = format!("{before}{:x}\r\n", content.len()).into_bytes();
        let from = bytes.len();
        bytes.extend_from_slice(content.as_bytes());
        let content = from..bytes.len();
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(after.as_bytes());
        let mark_at = memmem::find(&bytes, MARK.as_bytes());
        Self { bytes, content, mark_at }
    }

    /// Says which event this is, where there is a slot for it.
    #[inline]
    pub(super) fn mark(&mut self, mark: EventMark) {
        let Some(at) = self.mark_at else { return };
        let slots = [
            (at + MARK.len(), NUMBER_DIGITS, mark.number),
            (at + SEQUENCE_AT, SEQUENCE_DIGITS, mark.sequence),
            (at + SENT_AT, TIME_DIGITS, mark.sent_ns),
        ];
        for (at, digits, value) in slots {
            write_digits(&mut self.bytes[at..at + digits], value);
        }
    }

    /// As it goes on the wire.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What of it is the body's content.
    #[inline]
    pub(super) fn content(&self) -> &[u8] {
        &self.bytes[self.content.clone()]
    }
}

fn plain(status: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         {more}\r\n{body}"
    )
    .into_bytes()
}

fn refusal(status: &str, message: &str) -> Vec<u8> {
    let body = json!({"error": {"message": message, "type": "invalid_request_error"}});
    plain(status, "", &body.to_string())
}

/// How a wire format says things.
struct Wire {
    /// A whole reply with this text.
    reply: fn(&str) -> Value,
    /// The events before the first content.
    opening: fn() -> String,
    /// A content event with this text.
    event: fn(&str) -> String,
    /// The events after so many with content.
    closing: fn(u32) -> String,
}

const CHAT: Wire = Wire {
    reply: |text| {
        json!({
            "id": "chatcmpl-rig", "object": "chat.completion", "created": 1_700_000_000,
            "model": "gpt-4o-mini",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": null},
                "logprobs": null, "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": 20, "completion_tokens": 300, "total_tokens": 320},
        })
    },
    opening: || chat_event(json!({"role": "assistant", "content": ""}), Value::Null),
    event: |text| chat_event(json!({"content": text}), Value::Null),
    closing: |_| format!("{}data: [DONE]\n\n", chat_event(json!({}), json!("stop"))),
};

fn chat_event(delta: Value, finish_reason: Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-rig", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    });
    format!("data: {chunk}\n\n")
}

const MESSAGES: Wire = Wire {
    reply: |text| {
        json!({
            "id": "msg_rig", "type": "message", "role": "assistant",
            "model": "claude-haiku-4-5",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 20, "output_tokens": 300},
        })
    },
    opening: || {
        let message = json!({
            "id": "msg_rig", "type": "message", "role": "assistant",
            "model": "claude-haiku-4-5", "content": [],
            "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 20, "output_tokens": 1},
        });
        let block = json!({"type": "text", "text": ""});
        let start = message_event("message_start", json!({"message": message}));
        start + &message_event("content_block_start", json!({"index": 0, "content_block": block}))
    },
    event: |text| {
        let delta = json!({"type": "text_delta", "text": text});
        message_event("content_block_delta", json!({"index": 0, "delta": delta}))
    },
    closing: |events| {
        let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
        let usage = json!({"output_tokens": events});
        message_event("content_block_stop", json!({"index": 0}))
            + &message_event("message_delta", json!({"delta": delta, "usage": usage}))
            + &message_event("message_stop", json!({}))
    },
};

fn message_event(kind: &str, fields: Value) -> String {
    let mut event = json!({"type": kind});
    if let (Some(event), Value::Object(fields)) = (event.as_object_mut(), fields) {
        event.extend(fields);
    }
    format!("event: {kind}\ndata: {event}\n\n")
}
