//! An answer as server-sent events, a word at a time.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame};
use serde_json::{Value, json};
use tokio::time::{Instant, Sleep, sleep};

use super::Head;
use super::answer::{Answer, Content};

/// Between two events: slow enough to be seen, fast enough not to bore.
const PACE: Duration = Duration::from_millis(15);

/// The whole stream, `[DONE]` included.
pub(super) fn body(head: &Head, answer: &Answer, wants_usage: bool) -> Body {
    let mut frames: Vec<Bytes> = deltas(answer)
        .into_iter()
        .map(|(delta, finish_reason)| chunk(head, delta, finish_reason, wants_usage))
        .collect();
    if wants_usage {
        let rest = json!({ "choices": [], "usage": answer.usage() });
        frames.push(event(&head.with(OBJECT, rest)));
    }
    frames.push(Bytes::from_static(b"data: [DONE]\n\n"));
    Body::new(Paced { frames: frames.into_iter(), pause: Box::pin(sleep(Duration::ZERO)) })
}

const OBJECT: &str = "chat.completion.chunk";

fn deltas(answer: &Answer) -> Vec<(Value, Option<&'static str>)> {
    let opening = (json!({ "role": "assistant", "content": "" }), None);
    let middle: Vec<Value> = match &answer.content {
        Content::Text(words) => words.iter().map(|word| json!({ "content": word })).collect(),
        Content::ToolCall(call) => tool_call_deltas(call),
    };
    let middle = middle.into_iter().map(|delta| (delta, None));
    let closing = (json!({}), Some(answer.finish_reason));
    [opening].into_iter().chain(middle).chain([closing]).collect()
}

/// The call without its arguments, then the arguments.
fn tool_call_deltas(call: &Value) -> Vec<Value> {
    let arguments = call["function"]["arguments"].clone();
    let mut opening = call.clone();
    opening["index"] = json!(0);
    opening["function"]["arguments"] = json!("");
    let rest = json!({ "index": 0, "function": { "arguments": arguments } });
    vec![json!({ "tool_calls": [opening] }), json!({ "tool_calls": [rest] })]
}

fn chunk(head: &Head, delta: Value, finish_reason: Option<&str>, wants_usage: bool) -> Bytes {
    let choice = json!({
        "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason,
    });
    let mut rest = json!({ "choices": [choice] });
    if wants_usage {
        rest["usage"] = Value::Null;
    }
    event(&head.with(OBJECT, rest))
}

fn event(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// A body that gives a frame away every [`PACE`].
struct Paced {
    frames: std::vec::IntoIter<Bytes>,
    pause: Pin<Box<Sleep>>,
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.frames.len() == 0 {
            return Poll::Ready(None);
        }
        ready!(self.pause.as_mut().poll(context));
        self.pause.as_mut().reset(Instant::now() + PACE);
        Poll::Ready(self.frames.next().map(|frame| Ok(Frame::data(frame))))
    }
}
