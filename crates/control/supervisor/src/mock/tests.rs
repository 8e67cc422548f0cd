//! The mock as a caller sees it.

use axum::body::Bytes;
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::chat_completions;

const HELLO: &str = r#"{"role":"user","content":[{"type":"text","text":"hi there"}]}"#;

#[tokio::test]
async fn a_plain_answer_says_what_it_is_and_what_to_do_next() {
    let reply = unary(&json!({ "messages": [hello()] })).await;
    let text = reply["choices"][0]["message"]["content"].as_str().expect("text");
    for part in ["mock provider", "hi there", "OPENAI_API_KEY", "config.json"] {
        assert!(text.contains(part), "{part}");
    }
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(reply["usage"]["prompt_tokens"], 2);
    assert_eq!(reply["usage"]["completion_tokens"], text.split_inclusive(' ').count());
}

#[tokio::test]
async fn the_output_limit_cuts_the_answer() {
    for name in ["max_tokens", "max_completion_tokens"] {
        let reply = unary(&json!({ "messages": [hello()], name: 3 })).await;
        assert_eq!(reply["choices"][0]["message"]["content"], "Hello! The gateway ");
        assert_eq!(reply["choices"][0]["finish_reason"], "length");
        assert_eq!(reply["usage"]["completion_tokens"], 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_carries_the_same_words() {
    let request = json!({ "messages": [hello()], "max_tokens": 5 });
    let whole = unary(&request).await;
    let chunks = streamed(&request).await;
    let words: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(words, whole["choices"][0]["message"]["content"]);
    assert_eq!(chunks.len(), 7);
    assert_eq!(chunks[6]["choices"][0]["finish_reason"], "length");
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_usage_when_asked_for() {
    let options = json!({ "include_usage": true });
    let request = json!({ "messages": [hello()], "stream_options": options });
    let chunks = streamed(&request).await;
    let (last, before) = chunks.split_last().expect("chunks");
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["prompt_tokens"], 2);
    assert!(before.iter().all(|chunk| chunk["usage"].is_null()));
}

#[tokio::test(start_paused = true)]
async fn a_forced_tool_is_called_with_arguments_of_its_schema() {
    for choice in [json!("required"), json!({ "function": { "name": "weather" } })] {
        let request = json!({ "messages": [hello()], "tools": [tool()], "tool_choice": choice });
        let reply = unary(&request).await;
        let call = &reply["choices"][0]["message"]["tool_calls"][0];
        assert_eq!(call["function"]["name"], "weather");
        assert_eq!(call["function"]["arguments"], r#"{"city":"example"}"#);
        assert_eq!(reply["choices"][0]["finish_reason"], "tool_calls");

        let deltas = streamed(&request).await;
        let arguments: String = deltas
            .iter()
            .map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]["function"])
            .filter_map(|function| function["arguments"].as_str())
            .collect();
        assert_eq!(arguments, r#"{"city":"example"}"#);
    }
}

#[tokio::test]
async fn tools_without_force_are_answered_in_words() {
    for choice in [json!(null), json!("auto"), json!({ "function": { "name": "unknown" } })] {
        let reply =
            unary(&json!({ "messages": [hello()], "tools": [tool()], "tool_choice": choice }))
                .await;
        assert!(reply["choices"][0]["message"]["content"].is_string());
    }
}

#[tokio::test]
async fn structured_output_is_json() {
    let schema = json!({ "schema": tool()["function"]["parameters"] });
    for (format, expected) in [
        (json!({ "type": "json_schema", "json_schema": schema }), "city"),
        (json!({ "type": "json_object" }), "answer"),
    ] {
        let reply = unary(&json!({ "messages": [hello()], "response_format": format })).await;
        let text = reply["choices"][0]["message"]["content"].as_str().expect("text");
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert!(value[expected].is_string());
    }
}

#[tokio::test]
async fn senseless_requests_are_refused() {
    for body in ["", "{", "[]", r#"{"model":"m"}"#, r#"{"model":"m","messages":[]}"#, "7"] {
        let response = chat_completions(Bytes::copy_from_slice(body.as_bytes())).await;
        assert_eq!(response.status(), 400, "{body}");
        let error: Value = serde_json::from_slice(&bytes(response).await).expect("JSON");
        assert_eq!(error["error"]["type"], "invalid_request_error");
    }
}

fn hello() -> Value {
    serde_json::from_str(HELLO).expect("a literal")
}

fn tool() -> Value {
    let parameters = json!({
        "type": "object",
        "required": ["city"],
        "properties": { "city": { "type": "string" } },
    });
    json!({ "type": "function", "function": { "name": "weather", "parameters": parameters } })
}

async fn unary(request: &Value) -> Value {
    let response = ask(request.clone()).await;
    assert_eq!(response.status(), 200);
    serde_json::from_slice(&bytes(response).await).expect("JSON")
}

/// The data of every event before `[DONE]`.
async fn streamed(request: &Value) -> Vec<Value> {
    let mut request = request.clone();
    request["stream"] = json!(true);
    let response = ask(request).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = String::from_utf8(bytes(response).await.into()).expect("UTF-8");
    let events = text.strip_suffix("data: [DONE]\n\n").expect("the end").split_terminator("\n\n");
    events
        .map(|event| event.strip_prefix("data: ").expect("an event"))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect()
}

async fn ask(mut request: Value) -> Response {
    request["model"] = json!("gpt-4o-mini");
    chat_completions(Bytes::from(request.to_string())).await
}

async fn bytes(response: Response) -> Bytes {
    response.into_body().collect().await.expect("a whole body").to_bytes()
}
