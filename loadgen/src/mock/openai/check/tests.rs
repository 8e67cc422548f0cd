//! Requests that are refused, each with the field and code of the refusal.

use serde_json::{Value, json};

use super::check;

fn request() -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
}

fn with(name: &str, value: Value) -> Value {
    let mut request = request();
    request[name] = value;
    request
}

/// The (param, code) of a refusal.
fn refused(request: &Value) -> (String, String) {
    let refusal = check(request, true).expect_err("the request is wrong");
    assert_eq!(refusal.status, 400);
    (refusal.param.unwrap_or_default(), refusal.code.unwrap_or_default().into_owned())
}

fn tool_turns() -> Vec<Value> {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    vec![
        json!({"role": "user", "content": [{"type": "text", "text": "hi"},
            {"type": "image_url", "image_url": {"url": "data:,"}}]}),
        json!({"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]}),
        json!({"role": "tool", "tool_call_id": "b", "content": "2"}),
        json!({"role": "tool", "tool_call_id": "a", "content": "1"}),
    ]
}

#[test]
fn good_requests_pass() {
    assert_eq!(check(&request(), true), Ok(()));
    assert_eq!(check(&with("messages", json!(tool_turns())), true), Ok(()));
    assert_eq!(check(&with("temperature", Value::Null), true), Ok(()));
    assert_eq!(check(&with("unheard_of", json!(1)), false), Ok(()));
}

#[test]
fn each_field_is_checked() {
    let cases = [
        ("messages", json!([]), "messages", "empty_array"),
        ("messages", json!("hi"), "messages", "invalid_type"),
        ("messages", json!(["hi"]), "messages[0]", "invalid_type"),
        ("messages", json!([{"content": "hi"}]), "messages[0].role", "missing_required_parameter"),
        (
            "messages",
            json!([{"role": "robot", "content": ""}]),
            "messages[0].role",
            "invalid_value",
        ),
        (
            "messages",
            json!([{"role": "user"}]),
            "messages[0].content",
            "missing_required_parameter",
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "tool_use"}]}]),
            "messages[0].content[0].type",
            "invalid_value",
        ),
        ("model", json!(5), "model", "invalid_type"),
        ("temperature", json!(3), "temperature", "decimal_above_max_value"),
        ("max_tokens", json!(0), "max_tokens", "integer_below_min_value"),
        ("max_tokens", json!("9"), "max_tokens", "invalid_type"),
        ("n", json!(129), "n", "integer_above_max_value"),
        ("stream", json!("true"), "stream", "invalid_type"),
        ("stream_options", json!({}), "stream_options", ""),
        ("stop", json!(["1", "2", "3", "4", "5"]), "stop", "array_above_max_length"),
        ("tools", json!([]), "tools", "empty_array"),
        ("tools", json!([{"name": "f"}]), "tools[0].type", "missing_required_parameter"),
        ("tool_choice", json!("auto"), "tool_choice", ""),
        ("response_format", json!({"type": "xml"}), "response_format.type", "invalid_value"),
        ("response_format", json!({"type": "json_object"}), "messages", ""),
        ("reasoning_effort", json!("extreme"), "reasoning_effort", "invalid_value"),
        ("fallbacks", json!([]), "fallbacks", ""),
    ];
    for (name, value, param, code) in cases {
        let request = with(name, value);
        assert_eq!(refused(&request), (param.to_owned(), code.to_owned()), "{request}");
    }
}

#[test]
fn every_call_needs_its_result_and_every_result_its_call() {
    let mut unanswered = tool_turns();
    unanswered.pop();
    let refusal = check(&with("messages", json!(unanswered)), true).unwrap_err();
    assert!(refusal.message.ends_with("response messages: a"), "{}", refusal.message);

    let mut uncalled = tool_turns();
    uncalled.remove(1);
    assert_eq!(refused(&with("messages", json!(uncalled))).0, "messages.[1].role");

    let mut mistaken = tool_turns();
    mistaken[3]["tool_call_id"] = json!("c");
    assert_eq!(refused(&with("messages", json!(mistaken))).0, "messages.[3].tool_call_id");
}
