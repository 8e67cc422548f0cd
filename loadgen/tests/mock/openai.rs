//! OpenAI's shapes.

use serde_json::{Value, json};

use crate::client::{CHAT, Mock, Response, chat_body, request, with};

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city"],
    }}})
}

fn streamed(body: Value) -> Value {
    with(with(body, "stream", json!(true)), "stream_options", json!({"include_usage": true}))
}

/// The concatenation of one field of all deltas.
fn joined(events: &[Value], pointer: &str) -> String {
    let parts =
        events.iter().filter_map(|event| event.pointer("/choices/0/delta")?.pointer(pointer));
    parts.filter_map(Value::as_str).collect()
}

fn error(response: &Response) -> (u16, Value) {
    (response.status, response.json()["error"].clone())
}

#[test]
fn text_is_echoed_under_every_prefix() {
    let mock = Mock::start(&[]);
    let paths = [
        CHAT,
        "/chat/completions",
        "/openai/v1/chat/completions",
        "/api/v1/chat/completions",
        "/inference/v1/chat/completions?api-version=1",
    ];
    for path in paths {
        let response = mock.post(path, &[], &chat_body("grüße 👋"));
        let reply = response.json();
        assert_eq!((response.status, &reply["object"]), (200, &json!("chat.completion")), "{path}");
        let choice = &reply["choices"][0];
        assert_eq!(choice["message"]["content"], "mock reply to: grüße 👋");
        assert_eq!(choice["finish_reason"], "stop");
        let usage = &reply["usage"];
        let sum = usage["prompt_tokens"].as_u64().zip(usage["completion_tokens"].as_u64());
        assert_eq!(
            usage["total_tokens"].as_u64(),
            sum.map(|(prompt, completion)| prompt + completion)
        );
    }
}

#[test]
fn a_stream_says_the_same_in_pieces() {
    let mock = Mock::start(&["--stream-chunks", "64", "--reply-bytes", "1400"]);
    let whole = mock.chat(&chat_body("hi")).json();
    let events = mock.chat(&streamed(chat_body("hi"))).events();
    assert_eq!(events.len(), 1 + 64 + 1 + 1 + 1);
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(joined(&events, "/content"), whole["choices"][0]["message"]["content"]);
    assert_eq!(events[65]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[66]["choices"], json!([]));
    assert_eq!(events[66]["usage"], whole["usage"]);
    assert_eq!(events[67], "[DONE]");
    assert!(events[..67].iter().all(|event| event["id"] == events[0]["id"]));

    let silent = mock.chat(&with(chat_body("hi"), "stream", json!(true))).events();
    assert!(silent.iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn an_offered_tool_is_called_and_its_result_quoted() {
    let mock = Mock::start(&[]);
    let body = with(chat_body("weather?"), "tools", json!([tool("weather"), tool("time")]));
    let reply = mock.chat(&body).json();
    let message = &reply["choices"][0]["message"];
    assert_eq!(reply["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"].as_array().map(Vec::len), Some(1));
    let call = &message["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weather")));
    assert_eq!(call["function"]["arguments"], r#"{"city":"mock city"}"#);

    let mut answered = body.clone();
    let result = json!({"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"});
    answered["messages"].as_array_mut().unwrap().extend([message.clone(), result]);
    let reply = mock.chat(&answered).json();
    assert_eq!(reply["choices"][0]["message"]["content"], "mock tool result said: 21 degrees");

    let silent = mock.chat(&with(body, "tool_choice", json!("none"))).json();
    assert_eq!(silent["choices"][0]["finish_reason"], "stop");
}

#[test]
fn two_tools_are_called_in_parallel_in_a_stream() {
    let mock = Mock::start(&[]);
    let tools = json!([tool("weather"), tool("time")]);
    let events = mock.chat(&streamed(with(chat_body("parallel"), "tools", tools.clone()))).events();
    let deltas: Vec<&Value> =
        events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0")).collect();
    let call = |index: u64| {
        let parts = deltas.iter().filter(|delta| delta["index"] == index);
        let name: String =
            parts.clone().filter_map(|delta| delta["function"]["name"].as_str()).collect();
        let arguments: String =
            parts.filter_map(|delta| delta["function"]["arguments"].as_str()).collect();
        (name, arguments)
    };
    let arguments = r#"{"city":"mock city"}"#.to_owned();
    assert_eq!(call(0), ("weather".to_owned(), arguments.clone()));
    assert_eq!(call(1), ("time".to_owned(), arguments));
    assert_ne!(deltas[0]["id"], Value::Null);

    let named = json!({"type": "function", "function": {"name": "time"}});
    let body = with(with(chat_body("parallel"), "tools", tools), "tool_choice", named);
    let calls = mock.chat(&with(body, "parallel_tool_calls", json!(false))).json();
    let calls = &calls["choices"][0]["message"]["tool_calls"];
    assert_eq!(
        (calls.as_array().map(Vec::len), &calls[0]["function"]["name"]),
        (Some(1), &json!("time"))
    );
}

#[test]
fn structured_output_fits_its_schema() {
    let mock = Mock::start(&[]);
    let schema = json!({"type": "object", "required": ["n", "kind"], "properties": {
        "n": {"type": "integer", "minimum": 7}, "kind": {"enum": ["a", "b"]}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let reply = mock.chat(&with(chat_body("hi"), "response_format", format)).json();
    assert_eq!(reply["choices"][0]["message"]["content"], r#"{"n":7,"kind":"a"}"#);
    let format = json!({"type": "json_object"});
    let reply = mock.chat(&with(chat_body("as json"), "response_format", format)).json();
    assert_eq!(reply["choices"][0]["message"]["content"], r#"{"reply":"mock reply to: as json"}"#);
}

#[test]
fn reasoning_comes_when_asked_for_and_is_counted() {
    let mock = Mock::start(&[]);
    let body = with(chat_body("why"), "reasoning_effort", json!("low"));
    let reply = mock.chat(&body).json();
    let expected = "mock reasoning about: why";
    assert_eq!(reply["choices"][0]["message"]["reasoning_content"], expected);
    let counted = reply.pointer("/usage/completion_tokens_details/reasoning_tokens");
    assert!(counted.and_then(Value::as_u64) > Some(0));
    assert_eq!(joined(&mock.chat(&streamed(body)).events(), "/reasoning_content"), expected);

    let details = mock.chat(&with(chat_body("why"), "reasoning", json!({"effort": "low"}))).json();
    let message = &details["choices"][0]["message"];
    assert_eq!(
        (&message["reasoning"], &message["reasoning_details"][0]["text"]),
        (&json!(expected), &json!(expected))
    );
    let none = mock.chat(&with(chat_body("why"), "reasoning_effort", json!("none"))).json();
    assert!(none["choices"][0]["message"].get("reasoning_content").is_none());
}

#[test]
fn limits_stops_and_choices_are_kept() {
    let mock = Mock::start(&[]);
    let choice = |body: Value| mock.chat(&body).json()["choices"][0].clone();
    let cut = choice(with(chat_body("hi"), "max_tokens", json!(1)));
    assert_eq!(
        (&cut["message"]["content"], &cut["finish_reason"]),
        (&json!("mock"), &json!("length"))
    );
    let stopped = choice(with(chat_body("hi"), "stop", json!(" to")));
    assert_eq!(
        (&stopped["message"]["content"], &stopped["finish_reason"]),
        (&json!("mock reply"), &json!("stop"))
    );
    let three = mock.chat(&with(chat_body("hi"), "n", json!(3))).json();
    assert_eq!(three["choices"].as_array().map(Vec::len), Some(3));
    assert_eq!(three["choices"][2]["index"], 2);
}

#[test]
fn models_are_listed() {
    let mock = Mock::start(&[]);
    let get = |path: &str| {
        let mut connection = mock.connect();
        connection.send(&request("GET", path, &[("authorization", "Bearer x")], ""));
        connection.response().unwrap()
    };
    let list = get("/openai/v1/models").json();
    assert_eq!(list["object"], "list");
    let first = list["data"][0]["id"].as_str().unwrap();
    assert_eq!(get(&format!("/v1/models/{first}")).json()["object"], "model");
    assert_eq!(error(&get("/v1/models/none")).1["code"], "model_not_found");
    assert_eq!(error(&get("/v1/nowhere")).0, 404);
}

#[test]
fn what_openai_refuses_is_refused() {
    let mock = Mock::start(&["--strict"]);
    let (status, refusal) = error(&mock.chat(&json!({"model": "gpt-4o"})));
    assert_eq!((status, &refusal["param"]), (400, &json!("messages")));
    assert_eq!(refusal["type"], "invalid_request_error");
    assert_eq!(refusal["code"], "missing_required_parameter");
    let (_, refusal) = error(&mock.chat(&with(chat_body("hi"), "fallbacks", json!([]))));
    assert_eq!(refusal["message"], "Unrecognized request argument supplied: fallbacks");

    let send = |headers: &[(&str, &str)], body: &str| {
        let mut connection = mock.connect();
        connection.send(&request("POST", CHAT, headers, body));
        error(&connection.response().unwrap())
    };
    let good = chat_body("hi").to_string();
    assert_eq!(send(&[], &good).1["code"], "invalid_api_key");
    assert_eq!(send(&[("authorization", "Bearer ")], &good).0, 401);
    assert_eq!(send(&[("x-api-key", "x")], &good).0, 401);
    let key = ("authorization", "Bearer x");
    assert_eq!(send(&[key], "{").0, 400);
    assert_eq!(
        send(&[key, ("content-type", "text/plain")], &good).1["code"],
        "unsupported_content_type"
    );
}

#[test]
fn no_key_is_needed_when_told_so() {
    let mock = Mock::start(&["--no-auth"]);
    let mut connection = mock.connect();
    connection.send(&request("POST", CHAT, &[], &chat_body("hi").to_string()));
    assert_eq!(connection.response().unwrap().status, 200);
}
