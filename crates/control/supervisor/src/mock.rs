//! The provider `mock`: a first answer without any account, OpenAI chat completions shaped.
//!
//! It says plainly what it is and what to set up next. Nothing here is for measuring with.

mod answer;
pub(crate) mod media;
mod sample;
mod stream;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use answer::{Answer, Content};

/// Model names that are listed; any other name is answered too.
const MODELS: [&str; 3] = ["gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5"];

/// `GET /mock/v1/models`.
pub(crate) async fn models() -> Json<Value> {
    let models = MODELS.map(|id| json!({ "id": id, "object": "model", "owned_by": "mock" }));
    Json(json!({ "object": "list", "data": models }))
}

/// `POST /mock/v1/chat/completions`.
pub(crate) async fn chat_completions(body: Bytes) -> Response {
    let request = match parse(&body) {
        Ok(request) => request,
        Err(message) => return refuse(&message),
    };
    let answer = Answer::to(&request);
    let head = Head::of(&request);
    if request["stream"] != true {
        return Json(unary(&head, &answer)).into_response();
    }
    let wants_usage = request["stream_options"]["include_usage"] == true;
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, stream::body(&head, &answer, wants_usage)).into_response()
}

fn parse(body: &[u8]) -> Result<Value, String> {
    let request: Value = serde_json::from_slice(body)
        .map_err(|error| format!("The body is not valid JSON: {error}."))?;
    if !request["model"].is_string() {
        return Err("`model` must be a string.".to_owned());
    }
    match request["messages"].as_array() {
        Some(messages) if !messages.is_empty() => Ok(request),
        _ => Err("`messages` must be an array with at least one message.".to_owned()),
    }
}

fn refuse(message: &str) -> Response {
    let error = json!({ "message": message, "type": "invalid_request_error", "code": null });
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

/// What a reply and all chunks of a stream have in common.
#[derive(Debug)]
struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn of(request: &Value) -> Self {
        static ANSWERS: AtomicU64 = AtomicU64::new(1);
        let number = ANSWERS.fetch_add(1, Ordering::Relaxed);
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let model = request["model"].as_str().unwrap_or_default().to_owned();
        Self { id: format!("chatcmpl-mock-{created:x}-{number}"), created, model }
    }

    /// A reply or chunk: the common members and those of `rest`.
    fn with(&self, object: &str, rest: Value) -> Value {
        let mut whole = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
        });
        if let (Value::Object(whole), Value::Object(rest)) = (&mut whole, rest) {
            whole.extend(rest);
        }
        whole
    }
}

fn unary(head: &Head, answer: &Answer) -> Value {
    let message = match &answer.content {
        Content::Text(words) => json!({ "role": "assistant", "content": words.concat() }),
        Content::ToolCall(call) => {
            json!({ "role": "assistant", "content": null, "tool_calls": [call] })
        }
    };
    let choice = json!({
        "index": 0,
        "message": message,
        "logprobs": null,
        "finish_reason": answer.finish_reason,
    });
    head.with("chat.completion", json!({ "choices": [choice], "usage": answer.usage() }))
}
