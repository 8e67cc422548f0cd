//! Anthropic's shapes.

use serde_json::{Value, json};

use crate::client::{MESSAGES, Mock, Response, message_body, post, request, with};

fn tool(name: &str) -> Value {
    json!({"name": name, "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }})
}

fn streamed(body: Value) -> Value {
    with(body, "stream", json!(true))
}

fn thinking(body: Value) -> Value {
    with(body, "thinking", json!({"type": "enabled", "budget_tokens": 1024}))
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

/// What the deltas of one block add up to.
fn joined(events: &[Value], index: u64, field: &str) -> String {
    let deltas = events.iter().filter(|event| event["index"] == index);
    deltas.filter_map(|event| event["delta"][field].as_str()).collect()
}

fn error(response: &Response) -> (u16, Value) {
    let body = response.json();
    assert_eq!(body["type"], "error");
    (response.status, body["error"].clone())
}

#[test]
fn text_is_echoed_under_every_prefix() {
    let mock = Mock::start(&[]);
    for path in [MESSAGES, "/anthropic/v1/messages", "/api/anthropic/v1/messages?beta=true"] {
        let headers = [("anthropic-version", "2023-06-01"), ("x-api-key", "sk-ant")];
        let response = mock.post(path, &headers, &message_body("hi"));
        let reply = response.json();
        assert_eq!((response.status, &reply["type"]), (200, &json!("message")), "{path}");
        assert_eq!(reply["content"], json!([{"type": "text", "text": "mock reply to: hi"}]));
        assert_eq!(reply["stop_reason"], "end_turn");
        assert_eq!(reply["model"], "claude-sonnet-4-6");
        assert!(reply["usage"]["input_tokens"].as_u64() > Some(0));
        assert_eq!(reply["usage"]["cache_read_input_tokens"], 0);
    }
}

#[test]
fn a_stream_has_every_event_in_order() {
    let mock = Mock::start(&["--stream-chunks", "3"]);
    let events = mock.messages(&streamed(message_body("hello"))).events();
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(events[0]["message"]["usage"]["output_tokens"], 1);
    assert_eq!(joined(&events, 0, "text"), "mock reply to: hello");
    assert_eq!(events[7]["delta"]["stop_reason"], "end_turn");
    assert!(events[7]["usage"]["output_tokens"].as_u64() > Some(1));
}

#[test]
fn an_offered_tool_is_used_and_its_result_quoted() {
    let mock = Mock::start(&[]);
    let body = with(message_body("weather?"), "tools", json!([tool("weather")]));
    let reply = mock.messages(&body).json();
    assert_eq!(reply["stop_reason"], "tool_use");
    let block = &reply["content"][0];
    assert_eq!((&block["type"], &block["name"]), (&json!("tool_use"), &json!("weather")));
    assert_eq!(block["input"], json!({"city": "mock city"}));

    let mut answered = body.clone();
    let result = json!({"type": "tool_result", "tool_use_id": block["id"],
        "content": [{"type": "text", "text": "21 degrees"}]});
    answered["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": reply["content"]}),
        json!({"role": "user", "content": [result]}),
    ]);
    let reply = mock.messages(&answered).json();
    assert_eq!(reply["content"][0]["text"], "mock tool result said: 21 degrees");
    let silent = mock.messages(&with(body, "tool_choice", json!({"type": "none"}))).json();
    assert_eq!(silent["stop_reason"], "end_turn");
}

#[test]
fn tools_are_used_in_parallel_in_a_stream() {
    let mock = Mock::start(&[]);
    let body = with(message_body("in parallel"), "tools", json!([tool("a"), tool("b")]));
    let events = mock.messages(&streamed(body.clone())).events();
    let starts: Vec<&Value> = events
        .iter()
        .filter_map(|event| event["content_block"]["name"].as_str().map(|_| event))
        .collect();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[1]["content_block"]["name"], "b");
    assert_eq!(starts[1]["content_block"]["input"], json!({}));
    assert_eq!(joined(&events, 1, "partial_json"), r#"{"city":"mock city"}"#);
    let alone = json!({"type": "any", "disable_parallel_tool_use": true});
    let reply = mock.messages(&with(body, "tool_choice", alone)).json();
    assert_eq!(reply["content"].as_array().map(Vec::len), Some(1));
}

#[test]
fn thinking_is_signed_and_must_come_back_unchanged() {
    let mock = Mock::start(&[]);
    let reply = mock.messages(&thinking(message_body("why"))).json();
    let block = &reply["content"][0];
    assert_eq!(block["thinking"], "mock reasoning about: why");
    assert_eq!(reply["content"][1]["type"], "text");
    let events = mock.messages(&streamed(thinking(message_body("why")))).events();
    assert_eq!(joined(&events, 0, "thinking"), block["thinking"]);
    assert_eq!(joined(&events, 0, "signature"), block["signature"]);
    assert_eq!(joined(&events, 1, "text"), "mock reply to: why");

    let replay = |block: Value| {
        let turns = json!([
            {"role": "user", "content": "why"},
            {"role": "assistant", "content": [block, {"type": "text", "text": "so"}]},
            {"role": "user", "content": "and"},
        ]);
        mock.messages(&with(message_body(""), "messages", turns))
    };
    assert_eq!(replay(block.clone()).status, 200);
    let refused = replay(with(block.clone(), "thinking", json!("changed")));
    assert!(error(&refused).1["message"].as_str().unwrap().contains("Invalid `signature`"));
}

#[test]
fn structured_output_limits_and_stops_are_kept() {
    let mock = Mock::start(&[]);
    let schema =
        json!({"type": "object", "required": ["ok"], "properties": {"ok": {"type": "boolean"}}});
    let format = json!({"format": {"type": "json_schema", "schema": schema}});
    let reply = mock.messages(&with(message_body("hi"), "output_config", format)).json();
    assert_eq!(reply["content"][0]["text"], r#"{"ok":true}"#);
    let cut = mock.messages(&with(message_body("hi"), "max_tokens", json!(1))).json();
    assert_eq!(
        (&cut["content"][0]["text"], &cut["stop_reason"]),
        (&json!("mock"), &json!("max_tokens"))
    );
    let stopped = mock.messages(&with(message_body("hi"), "stop_sequences", json!([" to"]))).json();
    assert_eq!(
        (&stopped["stop_reason"], &stopped["stop_sequence"]),
        (&json!("stop_sequence"), &json!(" to"))
    );
}

#[test]
fn a_cached_prompt_is_counted_apart() {
    let mock = Mock::start(&[]);
    let system = json!([{"type": "text", "text": "a long system prompt",
        "cache_control": {"type": "ephemeral"}}]);
    let usage = mock.messages(&with(message_body("hi"), "system", system)).json()["usage"].clone();
    assert!(usage["cache_creation_input_tokens"].as_u64() > Some(0));
    let headers = [("anthropic-version", "2023-06-01"), ("x-mock-fault", "usage=100:7:60:0:30")];
    let usage = mock.post(MESSAGES, &headers, &message_body("hi")).json()["usage"].clone();
    let counts =
        ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"];
    assert_eq!(counts.map(|name| usage[name].as_u64()), [Some(10), Some(60), Some(30), Some(7)]);
}

#[test]
fn models_are_listed_and_tokens_counted() {
    let mock = Mock::start(&[]);
    let mut connection = mock.connect();
    let headers = [("anthropic-version", "2023-06-01"), ("x-api-key", "k")];
    connection.send(&request("GET", "/v1/models", &headers, ""));
    let list = connection.response().unwrap().json();
    assert_eq!((&list["has_more"], &list["data"][0]["type"]), (&json!(false), &json!("model")));
    let mut uncounted = message_body("hi there");
    uncounted.as_object_mut().unwrap().remove("max_tokens");
    let count = mock.post("/v1/messages/count_tokens", &headers, &uncounted).json();
    assert_eq!(count, json!({"input_tokens": 2}));
}

#[test]
fn what_anthropic_refuses_is_refused() {
    let mock = Mock::start(&["--strict"]);
    let mut unbounded = message_body("hi");
    unbounded.as_object_mut().unwrap().remove("max_tokens");
    let (status, refusal) = error(&mock.messages(&unbounded));
    assert_eq!((status, &refusal["type"]), (400, &json!("invalid_request_error")));
    assert_eq!(refusal["message"], "max_tokens: Field required");
    let (_, refusal) = error(&mock.messages(&with(message_body("hi"), "n", json!(1))));
    assert_eq!(refusal["message"], "n: Extra inputs are not permitted");

    let send = |bytes: Vec<u8>| {
        let mut connection = mock.connect();
        connection.send(&bytes);
        error(&connection.response().unwrap())
    };
    let body = message_body("hi");
    let unversioned = send(post(MESSAGES, &[], &body));
    assert_eq!(unversioned.1["message"], "anthropic-version: header is required");
    let version = [("anthropic-version", "2023-06-01")];
    let unauthorised = send(request("POST", MESSAGES, &version, &body.to_string()));
    assert_eq!((unauthorised.0, &unauthorised.1["type"]), (401, &json!("authentication_error")));
    let overloaded = [("anthropic-version", "2023-06-01"), ("x-mock-fault", "status=529")];
    assert_eq!(send(post(MESSAGES, &overloaded, &body)).1["type"], "overloaded_error");
}
