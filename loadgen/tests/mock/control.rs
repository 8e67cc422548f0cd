//! Scripts, fixtures, the record of requests, and the counters.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{CHAT, Mock, chat_body, faulty, post, raw, request, with};

fn statuses(mock: &Mock, count: usize) -> Vec<u16> {
    (0..count).map(|_| mock.chat(&chat_body("hi")).status).collect()
}

#[test]
fn a_script_gives_each_request_its_fault() {
    let mock = Mock::start(&[]);
    mock.script(
        json!({"steps": [{"fault": "status=500"}, {"fault": "status=429,retry-after=1"}, {}]}),
    );
    assert_eq!(statuses(&mock, 4), [500, 429, 200, 200]);
    mock.script(json!({"steps": [{}, {"fault": "status=503"}], "then": "repeat_last"}));
    assert_eq!(statuses(&mock, 4), [200, 503, 503, 503]);
    mock.control("DELETE", "/_mock/script", &Value::Null);
    assert_eq!(statuses(&mock, 1), [200]);
}

#[test]
fn a_script_can_be_for_one_key_or_model() {
    let mock = Mock::start(&[]);
    let always = |matcher: Value, status: u16| json!({"match": matcher, "steps": [{"fault": format!("status={status}")}], "then": "repeat_last"});
    mock.script(always(json!({"key": "sk-bad"}), 401));
    mock.script(always(json!({"model": "gpt-5", "path": "/openai/*"}), 404));
    let with_key = |key: &str| {
        let mut connection = mock.connect();
        let headers = [("authorization", key)];
        connection.send(&request("POST", CHAT, &headers, &chat_body("hi").to_string()));
        connection.response().unwrap().status
    };
    assert_eq!((with_key("Bearer sk-bad"), with_key("Bearer sk-good")), (401, 200));
    let body = with(chat_body("hi"), "model", json!("gpt-5"));
    assert_eq!(mock.post("/openai/v1/chat/completions", &[], &body).status, 404);
    assert_eq!(mock.post(CHAT, &[], &body).status, 200);
}

#[test]
fn a_script_can_come_from_a_file() {
    let path = std::env::temp_dir().join(format!("loadgen-script-{}.json", std::process::id()));
    let script = json!([
        {"steps": [{"fault": "status=418"}]},
        {"path": "/recorded", "body": "as recorded"},
    ]);
    std::fs::write(&path, script.to_string()).unwrap();
    let mock = Mock::start(&["--script", path.to_str().unwrap()]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(statuses(&mock, 2), [418, 200]);
    assert_eq!(mock.post("/recorded", &[], &Value::Null).text(), "as recorded");
}

#[test]
fn a_fixture_is_served_to_the_byte() {
    let mock = Mock::start(&[]);
    let bytes: Vec<u8> = (0..=255).collect();
    let fixture = json!({
        "path": CHAT,
        "model": "recorded",
        "status": 207,
        "headers": {"content-type": "application/x-recorded", "x-own": "1"},
        "body_base64": STANDARD.encode(&bytes),
    });
    mock.control("POST", "/_mock/fixture", &fixture);
    let body = json!({"model": "recorded", "anything": true});
    let response = mock.chat(&body);
    assert_eq!((response.status, response.body()), (207, bytes.clone()));
    assert_eq!(response.header("x-own"), Some("1"));
    assert_eq!(response.header("content-type"), Some("application/x-recorded"));
    assert_eq!(mock.chat(&chat_body("hi")).status, 200);

    let mut chunked = fixture;
    chunked["chunk_bytes"] = json!(100);
    mock.control("POST", "/_mock/fixture", &chunked);
    let response = mock.chat(&body);
    let sizes: Vec<usize> = response.pieces.iter().map(Vec::len).collect();
    assert_eq!((sizes, response.body()), (vec![100, 100, 56], bytes));
    let mut broken = mock.connect();
    broken.send(&faulty("disconnect=mid-stream:1", &body));
    let received = broken.response().expect_err("cut").received;
    assert!(String::from_utf8_lossy(&received).contains("\r\n64\r\n"));
    mock.control("DELETE", "/_mock/fixture", &Value::Null);
    assert_eq!(mock.chat(&body).status, 400);
}

#[test]
fn requests_are_recorded_to_the_byte() {
    let mock = Mock::start(&[]);
    let first = post(CHAT, &[("x-odd", "a"), ("X-Odd", "b")], &chat_body("one"));
    let second = b"POST /v1/chat/completions?q=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
        2\r\n{\xff\r\n0\r\n\r\n";
    let mut connection = mock.connect();
    connection.send(&first);
    connection.response().unwrap();
    connection.send(second);
    connection.response().unwrap();
    let entries = mock.requests();
    assert_eq!(entries.len(), 2);
    assert_eq!((raw(&entries[0]), raw(&entries[1])), (first, second.to_vec()));
    assert_eq!(entries[0]["connection"], entries[1]["connection"]);
    assert_eq!(entries[0]["body"], chat_body("one").to_string());
    let headers = entries[0]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-odd", "a"])) && headers.contains(&json!(["X-Odd", "b"])));
    assert_eq!(entries[1]["target"], "/v1/chat/completions?q=1");
    assert_eq!((&entries[1]["body"], &entries[1]["body_base64"]), (&Value::Null, &json!("e/8=")));
    let newer =
        mock.control("GET", &format!("/_mock/requests?since={}", entries[0]["seq"]), &Value::Null);
    assert_eq!(newer[0]["seq"], entries[1]["seq"]);
    assert_eq!(newer.as_array().map(Vec::len), Some(1));
}

#[test]
fn bytes_that_are_no_request_are_recorded_too() {
    let mock = Mock::start(&[]);
    let smuggled =
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let mut hostile = mock.connect();
    hostile.send(smuggled);
    let response = hostile.response().unwrap();
    assert_eq!((response.status, response.header("connection")), (400, Some("close")));
    assert!(hostile.rest().unwrap().is_empty());

    let mut trailing = mock.connect();
    trailing.send(&[&post(CHAT, &[], &chat_body("hi")), b"GET /half".as_slice()].concat());
    trailing.response().unwrap();
    drop(trailing);
    let entries = mock.until(|mock| Some(mock.requests()).filter(|entries| entries.len() == 3));
    let kinds: Vec<&Value> = entries.iter().map(|entry| &entry["kind"]).collect();
    assert_eq!(kinds, ["refused", "request", "leftover"]);
    assert_eq!((raw(&entries[0]), raw(&entries[2])), (smuggled.to_vec(), b"GET /half".to_vec()));
    assert!(entries[0]["error"].is_string());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mock = Mock::start(&[]);
    let mut connection = mock.connect();
    let both = ["one", "two"].map(|text| post(CHAT, &[], &chat_body(text))).concat();
    connection.send(&both);
    for text in ["one", "two"] {
        let reply = connection.response().unwrap().json();
        assert_eq!(reply["choices"][0]["message"]["content"], format!("mock reply to: {text}"));
    }
    assert_eq!(mock.requests().len(), 2);
}

#[test]
fn counters_tell_requests_and_connections() {
    let mock = Mock::start(&[]);
    let mut kept = mock.connect();
    for _ in 0..3 {
        kept.send(&post(CHAT, &[], &chat_body("hi")));
        kept.response().unwrap();
    }
    mock.chat(&chat_body("hi"));
    let stats =
        mock.until(|mock| Some(mock.stats()).filter(|stats| stats["connections_open"] == 1));
    let counts = ["requests", "active", "aborted", "connections_total"];
    assert_eq!(counts.map(|name| stats[name].as_u64()), [Some(4), Some(0), Some(0), Some(2)]);
    mock.control("POST", "/_mock/reset", &Value::Null);
    let stats = mock.stats();
    assert_eq!(counts.map(|name| stats[name].as_u64()), [Some(0), Some(0), Some(0), Some(1)]);
    assert!(mock.requests().is_empty());
    assert_eq!(mock.chat(&chat_body("hi")).json()["id"], "chatcmpl-mock00000001");
}

#[test]
fn a_wrong_script_is_refused() {
    let mock = Mock::start(&[]);
    let mut connection = mock.connect();
    connection.send(&request("POST", "/_mock/script", &[], r#"{"steps":[{"fault":"status=1"}]}"#));
    let response = connection.response().unwrap();
    assert_eq!(response.status, 400);
    assert!(response.json()["error"].as_str().unwrap().contains("from 200 to 599"));
    connection.send(&request("GET", "/_mock/nothing", &[], ""));
    assert_eq!(connection.response().unwrap().status, 404);
    assert!(mock.requests().is_empty());
}
