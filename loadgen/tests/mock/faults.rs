//! Every fault, as its victim sees it.

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::{Value, json};

use crate::client::{
    Broken, Connection, MESSAGES, Mock, chat_body, faulty, message_body, post, with,
};

fn send(mock: &Mock, fault: &str) -> Connection {
    let mut connection = mock.connect();
    connection.send(&faulty(fault, &chat_body("hi")));
    connection
}

fn stream(mock: &Mock, fault: &str) -> Connection {
    let mut connection = mock.connect();
    connection.send(&faulty(fault, &with(chat_body("hi"), "stream", json!(true))));
    connection
}

/// The kind of error a response ends with, and the part of it after the head.
fn broken(mut connection: Connection) -> (ErrorKind, String) {
    let Broken { error, received } = connection.response().expect_err("the response is broken");
    let received = String::from_utf8_lossy(&received).into_owned();
    let body = received.split_once("\r\n\r\n").map_or(received.as_str(), |(_, body)| body);
    (error.kind(), body.to_owned())
}

#[test]
fn a_status_comes_in_the_shape_of_the_provider() {
    let mock = Mock::start(&[]);
    for status in [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529] {
        let response = send(&mock, &format!("status={status}")).response().unwrap();
        assert_eq!(response.status, status);
        assert!(response.json()["error"]["type"].is_string());
        let headers = [("anthropic-version", "1"), ("x-mock-fault", &format!("status={status}"))];
        let response = mock.post(MESSAGES, &headers, &message_body("hi"));
        assert_eq!((response.status, &response.json()["type"]), (status, &json!("error")));
    }
    let quota = send(&mock, "status=429,code=insufficient_quota").response().unwrap().json();
    assert_eq!(quota["error"]["code"], "insufficient_quota");
    assert_eq!(send(&mock, "status=202").response().unwrap().status, 202);
}

#[test]
fn a_fault_can_ride_on_the_model_name() {
    let mock = Mock::start(&[]);
    let body = with(chat_body("hi"), "model", json!("gpt-4o@status=429,retry-after=2"));
    let response = mock.chat(&body);
    assert_eq!((response.status, response.header("retry-after")), (429, Some("2")));
    let plain = mock.chat(&with(chat_body("hi"), "model", json!("claude@20240101"))).json();
    assert_eq!(plain["model"], "claude@20240101");
    let named = mock.chat(&with(chat_body("hi"), "model", json!("gpt-4o@usage=1:2"))).json();
    assert_eq!((&named["model"], &named["usage"]["total_tokens"]), (&json!("gpt-4o"), &json!(3)));
    let wrong = mock.chat(&with(chat_body("hi"), "model", json!("gpt-4o@status=fine")));
    assert_eq!(wrong.json()["error"]["code"], "mock_fault_invalid");
}

#[test]
fn retry_after_comes_in_every_form() {
    let mock = Mock::start(&[]);
    let seconds = send(&mock, "status=429,retry-after=7").response().unwrap();
    assert_eq!(seconds.header("retry-after"), Some("7"));
    let milliseconds = send(&mock, "status=429,retry-after-ms=70").response().unwrap();
    assert_eq!(milliseconds.header("retry-after-ms"), Some("70"));
    let date = send(&mock, "status=429,retry-after=date+60").response().unwrap();
    let date = httpdate::parse_http_date(date.header("retry-after").unwrap()).unwrap();
    let wait = date.duration_since(std::time::SystemTime::now()).unwrap();
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
}

#[test]
fn a_body_can_be_another_one() {
    let mock = Mock::start(&[]);
    let html = send(&mock, "status=502,body=html").response().unwrap();
    assert!(html.header("content-type").unwrap().starts_with("text/html"));
    assert!(html.text().starts_with("<html>"));
    assert!(send(&mock, "body=empty").response().unwrap().body().is_empty());
    let text = send(&mock, "status=400,body={\"error\":\"a,b\"}").response().unwrap();
    assert_eq!(text.text(), "{\"error\":\"a,b\"}");
}

#[test]
fn a_connection_ends_where_it_is_told_to() {
    let mock = Mock::start(&[]);
    assert_eq!(
        broken(send(&mock, "disconnect=before-head")),
        (ErrorKind::UnexpectedEof, String::new())
    );
    assert_eq!(
        broken(send(&mock, "disconnect=before-head/rst")),
        (ErrorKind::ConnectionReset, String::new())
    );
    assert_eq!(
        broken(send(&mock, "disconnect=after-head")),
        (ErrorKind::UnexpectedEof, String::new())
    );
    for (fault, kind) in [
        ("disconnect=mid-body", ErrorKind::UnexpectedEof),
        ("disconnect=mid-body/rst", ErrorKind::ConnectionReset),
        ("early-eof", ErrorKind::UnexpectedEof),
    ] {
        let (found, body) = broken(send(&mock, fault));
        assert_eq!(found, kind, "{fault}");
        assert!(body.starts_with("{\"id\"") && !body.ends_with('}'), "{fault}: {body}");
    }
    for (fault, kind) in [
        ("disconnect=mid-stream:3", ErrorKind::UnexpectedEof),
        ("disconnect=mid-stream:3/rst", ErrorKind::ConnectionReset),
    ] {
        let (found, body) = broken(stream(&mock, fault));
        assert_eq!((found, body.matches("data: ").count()), (kind, 3), "{fault}");
    }
}

#[test]
fn a_stall_lasts_until_the_caller_goes() {
    let mock = Mock::start(&[]);
    for (fault, events) in
        [("stall=before-head", 0), ("stall=mid-body", 0), ("stall=mid-stream:2", 2)]
    {
        let is_stream = events > 0;
        let mut connection = if is_stream { stream(&mock, fault) } else { send(&mock, fault) };
        if fault != "stall=before-head" {
            assert!(connection.fill().unwrap());
        }
        while !connection.is_silent() {}
        assert_eq!(mock.stats()["active"], 1, "{fault}");
        drop(connection);
        mock.until(|mock| (mock.stats()["active"] == 0).then_some(()));
        let requests = mock.requests();
        let last = requests.last().unwrap();
        assert!(last["aborted_at_us"].as_u64() > last["at_us"].as_u64(), "{last}");
        assert_eq!(last["ended_at_us"], Value::Null);
    }
    assert_eq!(mock.stats()["aborted"], 3);
}

#[test]
fn waits_are_kept() {
    let mock = Mock::start(&[]);
    let timed = |fault: &str| {
        let start = Instant::now();
        send(&mock, fault).response().unwrap();
        start.elapsed()
    };
    assert!(timed("delay=60ms") >= Duration::from_millis(60));
    assert!(timed("slow-first-byte=60") >= Duration::from_millis(60));
    let start = Instant::now();
    let response = stream(&mock, "gap=10ms,chunks=2").response().unwrap();
    // Role, two deltas, finish, [DONE]: four gaps.
    assert_eq!(response.events().len(), 5);
    assert!(start.elapsed() >= Duration::from_millis(40));

    let mut connection = stream(&mock, "slow-first-byte=200");
    assert!(connection.fill().unwrap());
    assert!(connection.is_silent(), "the head comes before the wait");
    assert_eq!(connection.response().unwrap().events().last(), Some(&json!("[DONE]")));
}

#[test]
fn garbage_is_no_response() {
    let mock = Mock::start(&[]);
    let mut connection = send(&mock, "garbage");
    assert!(!connection.rest().unwrap().starts_with(b"HTTP"));
}

#[test]
fn an_error_can_come_under_status_200() {
    let mock = Mock::start(&[]);
    for after in [0, 2] {
        let response = stream(&mock, &format!("error-in-stream:{after}")).response().unwrap();
        let events = response.events();
        assert_eq!((response.status, events.len()), (200, after + 1));
        assert!(events[after]["error"]["message"].is_string());

        let fault = format!("error-in-stream:{after}");
        let headers = [("anthropic-version", "1"), ("x-mock-fault", fault.as_str())];
        let body = with(message_body("hi"), "stream", json!(true));
        let events = mock.post(MESSAGES, &headers, &body).events();
        assert_eq!(
            (events.len(), &events[after]["error"]["type"]),
            (after + 1, &json!("overloaded_error"))
        );
    }
    let whole = send(&mock, "error-in-stream:0").response().unwrap();
    assert_eq!(whole.status, 200);
    assert!(whole.json()["error"].is_object());
}

#[test]
fn compressed_bodies_can_be_read_again() {
    let mock = Mock::start(&[]);
    let plain = send(&mock, "usage=1:1").response().unwrap().json();
    let gzip = send(&mock, "gzip,usage=1:1").response().unwrap();
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let unpacked: Value = serde_json::from_reader(GzDecoder::new(gzip.body().as_slice())).unwrap();
    assert_eq!(unpacked["choices"], plain["choices"]);
    let deflate = send(&mock, "deflate").response().unwrap();
    let unpacked: Value =
        serde_json::from_reader(ZlibDecoder::new(deflate.body().as_slice())).unwrap();
    assert_eq!(unpacked["choices"], plain["choices"]);
    let mut text = String::new();
    let streamed = stream(&mock, "gzip").response().unwrap();
    GzDecoder::new(streamed.body().as_slice()).read_to_string(&mut text).unwrap();
    assert!(text.ends_with("data: [DONE]\n\n") && streamed.pieces.len() > 3);
}

#[test]
fn writes_can_be_split_or_joined() {
    let mock = Mock::start(&[]);
    let plain = stream(&mock, "").response().unwrap().events().len();
    let mut connection = stream(&mock, "split=7");
    let mut reads = 0;
    while !connection.is_silent() {
        reads += 1;
    }
    assert!(reads > 20, "{reads} reads");
    assert_eq!(connection.response().unwrap().events().len(), plain);

    let mut connection = stream(&mock, "coalesce,gap=10s");
    assert_eq!(connection.response().unwrap().events().len(), plain);
}

#[test]
fn framing_can_be_unusual() {
    let mock = Mock::start(&[]);
    let text = "mock reply to: hi";
    let said = |body: Value| body["choices"][0]["message"]["content"] == text;
    let endless = send(&mock, "no-length").response().unwrap();
    assert!(endless.header("content-length").is_none() && said(endless.json()));
    let chunked = send(&mock, "chunked").response().unwrap();
    assert!(chunked.header("transfer-encoding") == Some("chunked") && said(chunked.json()));
    let trailers = send(&mock, "trailers").response().unwrap();
    assert_eq!(trailers.trailers, ["x-mock-trailer: yes"]);
    let length = stream(&mock, "length").response().unwrap();
    assert!(length.header("content-length").is_some() && length.text().ends_with("[DONE]\n\n"));
    let old = send(&mock, "http10").response().unwrap();
    assert_eq!((old.version.as_str(), said(old.json())), ("HTTP/1.0", true));
    let old = stream(&mock, "http10").response().unwrap();
    assert!(old.header("transfer-encoding").is_none() && old.text().ends_with("[DONE]\n\n"));
}

#[test]
fn framing_can_be_hostile() {
    let mock = Mock::start(&[]);
    let named = |fault: &str, name: &str| {
        let response = send(&mock, fault).response().unwrap();
        response.headers.iter().filter(|(found, _)| found == name).count()
    };
    assert_eq!(named("two-lengths", "content-length"), 2);
    assert_eq!(named("cl+te", "content-length"), 1);
    assert_eq!(named("cl+te", "transfer-encoding"), 1);
    let (kind, body) = broken(send(&mock, "bad-chunk"));
    assert_eq!(kind, ErrorKind::Other);
    assert!(body.contains("\r\nnot-a-chunk-size\r\n"), "{body}");
    let mut unasked = send(&mock, "extra-response-after,close");
    unasked.response().unwrap();
    assert!(unasked.rest().unwrap().starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[test]
fn heads_can_be_many_or_large() {
    let mock = Mock::start(&[]);
    let informed = send(&mock, "1xx=5").response().unwrap();
    assert_eq!((informed.informational, informed.status), (5, 200));
    let large = send(&mock, "header-bytes=100000").response().unwrap();
    assert_eq!(large.header("x-mock-fill").map(str::len), Some(100_000));
}

#[test]
fn a_connection_closes_with_or_without_a_word() {
    let mock = Mock::start(&[]);
    let mut told = send(&mock, "close");
    assert_eq!(told.response().unwrap().header("connection"), Some("close"));
    assert!(told.rest().unwrap().is_empty());
    let mut untold = send(&mock, "close-silently=20ms");
    assert_eq!(untold.response().unwrap().header("connection"), None);
    assert!(untold.rest().unwrap().is_empty());
}

#[test]
fn sizes_and_usage_can_be_set() {
    let mock = Mock::start(&[]);
    let large = send(&mock, "bytes=5000").response().unwrap().json();
    let text = large["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(text.len(), 5000);
    assert_eq!(stream(&mock, "chunks=3").response().unwrap().events().len(), 1 + 3 + 1 + 1);
    let usage = send(&mock, "usage=100:50:40:20").response().unwrap().json()["usage"].clone();
    assert_eq!((&usage["prompt_tokens"], &usage["completion_tokens"]), (&json!(100), &json!(50)));
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 40);
    assert_eq!(usage["completion_tokens_details"]["reasoning_tokens"], 20);
    assert!(send(&mock, "usage=none").response().unwrap().json().get("usage").is_none());
}

#[test]
fn a_fault_nobody_knows_is_an_error() {
    let mock = Mock::start(&[]);
    let response = send(&mock, "statsu=500").response().unwrap();
    assert_eq!(
        (response.status, &response.json()["error"]["code"]),
        (400, &json!("mock_fault_invalid"))
    );
    let headers = [("anthropic-version", "1"), ("x-mock-fault", "x")];
    let mut connection = mock.connect();
    connection.send(&post(MESSAGES, &headers, &message_body("hi")));
    assert_eq!(connection.response().unwrap().json()["error"]["type"], "mock_fault_invalid");
}
