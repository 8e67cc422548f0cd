//! Requests that are refused, each with the start of the refusal.

use serde_json::{Value, json};

use super::{Purpose, check};
use crate::mock::signature::signature;

fn request() -> Value {
    json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 2000,
        "messages": [{"role": "user", "content": "hi"}],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut request = request();
    request[name] = value;
    request
}

fn refused(request: &Value) -> String {
    check(request, Purpose::Reply, true).expect_err("the request is wrong").message.into_owned()
}

fn tool_turns() -> Value {
    json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "well", "signature": signature("well")},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
            {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "2"},
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1"},
        ]},
    ])
}

#[test]
fn good_requests_pass() {
    assert_eq!(check(&request(), Purpose::Reply, true), Ok(()));
    assert_eq!(check(&with("messages", tool_turns()), Purpose::Reply, true), Ok(()));
    let thinking = json!({"type": "enabled", "budget_tokens": 1024});
    assert_eq!(check(&with("thinking", thinking), Purpose::Reply, true), Ok(()));
    let mut uncounted = request();
    uncounted.as_object_mut().unwrap().remove("max_tokens");
    assert_eq!(check(&uncounted, Purpose::Count, true), Ok(()));
    assert_eq!(refused(&uncounted), "max_tokens: Field required");
}

#[test]
fn each_field_is_checked() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let cases = [
        ("model", json!(1), "model: Input should be a valid string"),
        ("max_tokens", json!(0), "max_tokens: Input should be greater"),
        ("max_tokens", json!("1"), "max_tokens: Input should be a valid integer"),
        ("messages", json!("hi"), "messages: Input should be a valid list"),
        ("messages", json!([]), "messages: at least one message"),
        ("messages", json!([{"role": "system", "content": "x"}]), "messages: Unexpected role"),
        ("messages", json!([{"role": "tool", "content": "x"}]), "messages.0.role: Input should"),
        ("messages", json!([{"role": "assistant", "content": "x"}]), "messages: first message"),
        ("messages", user(json!("")), "messages.0: all messages must have non-empty content"),
        ("messages", user(json!([{"type": "text", "text": ""}])), "messages: text content blocks"),
        ("messages", user(json!([{"type": "image_url"}])), "messages.0.content.0: Input tag"),
        ("messages", user(json!([{"type": "image"}])), "messages.0.content.0.source: Field"),
        ("system", json!([{"type": "image"}]), "system.0.type: Input should be 'text'"),
        ("temperature", json!(1.5), "temperature: Input should be less than or equal to 1"),
        ("stop_sequences", json!("x"), "stop_sequences: Input should be a valid list"),
        ("stream", json!(1), "stream: Input should be a valid boolean"),
        ("tools", json!([{"name": "f"}]), "tools.0.custom.input_schema: Field required"),
        ("tool_choice", json!({"type": "auto"}), "tool_choice may only be specified"),
        ("tool_choice", json!("auto"), "tool_choice: Input tag"),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 100}),
            "thinking.enabled.budget_tokens: Input should be greater",
        ),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 2000}),
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ),
        ("stream_options", json!({}), "stream_options: Extra inputs are not permitted"),
    ];
    for (name, value, start) in cases {
        let request = with(name, value);
        let message = refused(&request);
        assert!(message.starts_with(start), "{request}: {message}");
    }
}

#[test]
fn every_tool_use_needs_its_result_and_every_result_its_use() {
    let mut unanswered = tool_turns();
    unanswered[2]["content"].as_array_mut().unwrap().pop();
    let message = refused(&with("messages", unanswered));
    assert!(message.contains("immediately after: toolu_1."), "{message}");

    let mut unused = tool_turns();
    unused.as_array_mut().unwrap().remove(1);
    let message = refused(&with("messages", unused));
    assert!(message.starts_with("messages.1.content: unexpected `tool_use_id`"), "{message}");
}

#[test]
fn a_thinking_block_that_was_changed_is_refused() {
    let mut changed = tool_turns();
    changed[1]["content"][0]["thinking"] = json!("changed");
    let message = refused(&with("messages", changed));
    assert_eq!(message, "messages.1.content.0: Invalid `signature` in `thinking` block");
}
