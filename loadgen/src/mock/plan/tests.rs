//! Plans of small replies under each fault.

use std::time::Duration;

use serde_json::json;

use super::{Manner, Step, plan};
use crate::mock::fault::{Farewell, Fault};
use crate::mock::reply::Reply;

const MANNER: Manner = Manner {
    latency: Duration::ZERO,
    gap: Duration::ZERO,
    keeps_alive: true,
    is_http10: false,
    is_head: false,
};
/// `{"n":1}` is 7 bytes long.
const BODY_BYTES: usize = 7;

fn whole(line: &str) -> Vec<Step> {
    plan_with(Reply::json(200, &json!({"n": 1})), line, MANNER)
}

fn stream(line: &str, manner: Manner) -> Vec<Step> {
    let events = vec![b"1".to_vec(), b"2".to_vec(), b"3".to_vec()];
    plan_with(Reply::events(events, |_, _| Vec::new()), line, manner)
}

fn plan_with(reply: Reply, line: &str, manner: Manner) -> Vec<Step> {
    plan(reply, &Fault::parse(line).unwrap(), manner).unwrap()
}

/// The steps as short words; heads and bodies in full.
fn sketch(steps: &[Step]) -> Vec<String> {
    let word = |step: &Step| match step {
        Step::Write(bytes) if bytes.starts_with(b"HTTP/") => "head".to_owned(),
        Step::Write(bytes) => String::from_utf8_lossy(bytes).escape_debug().to_string(),
        other => format!("{other:?}"),
    };
    steps.iter().map(word).collect()
}

fn written(steps: &[Step]) -> String {
    let bytes = steps.iter().filter_map(|step| match step {
        Step::Write(bytes) => Some(String::from_utf8_lossy(bytes)),
        _ => None,
    });
    bytes.collect()
}

#[test]
fn a_plain_reply_is_one_write() {
    let steps = whole("");
    assert_eq!(steps.len(), 1);
    let text = written(&steps);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"), "{text}");
    assert!(text.ends_with("content-length: 7\r\n\r\n{\"n\":1}"), "{text}");
}

#[test]
fn a_stream_is_one_write_per_event_on_a_schedule() {
    let gap = Duration::from_millis(20);
    let steps = stream("", Manner { gap, ..MANNER });
    let expected = [
        "head",
        "StartClock",
        "1\\r\\n1\\r\\n",
        "Until(20ms)",
        "1\\r\\n2\\r\\n",
        "Until(40ms)",
        "1\\r\\n3\\r\\n",
        "0\\r\\n\\r\\n",
    ];
    assert_eq!(sketch(&steps), expected);
    assert_eq!(sketch(&stream("coalesce", Manner { gap, ..MANNER })), ["head"]);
}

#[test]
fn a_reply_stops_where_the_fault_says() {
    assert_eq!(sketch(&whole("disconnect=before-head/rst")), ["Close(Rst)"]);
    assert_eq!(sketch(&whole("stall=before-head")), ["Stall"]);
    assert_eq!(sketch(&whole("disconnect=after-head")), ["head", "Close(Fin)"]);
    let half = whole("early-eof");
    assert_eq!(half.last(), Some(&Step::Close(Farewell::Fin)));
    let text = written(&half);
    assert!(text.contains("content-length: 7") && text.ends_with("\r\n\r\n{\"n"), "{text}");
    let streamed = stream("disconnect=mid-stream:2", MANNER);
    assert_eq!(sketch(&streamed), ["head", "1\\r\\n1\\r\\n", "1\\r\\n2\\r\\n", "Close(Fin)"]);
    assert_eq!(sketch(&stream("stall=mid-stream:9", MANNER)).last().unwrap(), "Stall");
}

#[test]
fn framing_is_told_wrongly_when_asked() {
    let two = written(&whole("two-lengths"));
    assert!(two.contains("content-length: 7\r\ncontent-length: 8\r\n"), "{two}");
    let both = written(&whole("cl+te"));
    assert!(both.contains("content-length: 7\r\ntransfer-encoding: chunked\r\n"), "{both}");
    assert!(both.ends_with("7\r\n{\"n\":1}\r\n0\r\n\r\n"), "{both}");
    let bad = written(&whole("bad-chunk"));
    assert!(bad.contains("3\r\n{\"n\r\nnot-a-chunk-size\r\n"), "{bad}");
    let endless = whole("no-length");
    assert!(!written(&endless).contains("content-length"));
    assert_eq!(endless.last(), Some(&Step::Finish));
    let trailers = written(&whole("trailers"));
    assert!(trailers.ends_with("0\r\nx-mock-trailer: yes\r\n\r\n"), "{trailers}");
}

#[test]
fn http10_knows_no_chunks() {
    let caller = stream("", Manner { is_http10: true, keeps_alive: false, ..MANNER });
    let text = written(&caller);
    assert!(!text.contains("chunked") && text.ends_with("\r\n\r\n123"), "{text}");
    assert_eq!(caller.last(), Some(&Step::Finish));
    let text = written(&whole("http10"));
    assert!(text.starts_with("HTTP/1.0 200") && text.contains("connection: keep-alive"), "{text}");
}

#[test]
fn heads_can_be_many_or_large_and_tell_when_to_come_back() {
    let text = written(&whole("1xx=3"));
    assert_eq!(text.matches("HTTP/1.1 10").count(), 3);
    assert!(written(&whole("header-bytes=9000")).contains(&"x".repeat(9000)));
    assert!(written(&whole("retry-after=2")).contains("\r\nretry-after: 2\r\n"));
    assert!(written(&whole("retry-after=20ms")).contains("\r\nretry-after-ms: 20\r\n"));
    let text = written(&whole("retry-after=date+2"));
    let (_, date) = text.split_once("retry-after: ").unwrap();
    assert!(httpdate::parse_http_date(date.lines().next().unwrap()).is_ok(), "{date}");
}

#[test]
fn more_may_follow_a_reply() {
    let extra = written(&whole("extra-response-after"));
    assert_eq!(extra.matches("HTTP/1.1 200 OK").count(), 2);
    let late = sketch(&whole("extra-response-after=50"));
    assert_eq!(late, ["head", "Pause(50ms)", "head"]);
    assert_eq!(sketch(&whole("close-silently=5")), ["head", "Pause(5ms)", "Finish"]);
    assert!(written(&whole("close")).contains("connection: close\r\n"));
}

#[test]
fn waits_come_before_the_head_and_before_the_body() {
    let manner = Manner { latency: Duration::from_millis(9), ..MANNER };
    let steps = stream("slow-first-byte=30", manner);
    assert_eq!(sketch(&steps)[..3], ["Pause(9ms)", "head", "Pause(30ms)"]);
    assert_eq!(sketch(&stream("delay=0", manner))[0], "head");
}

#[test]
fn splitting_changes_no_byte() {
    let steps = whole("split=10");
    assert_eq!(written(&steps), written(&whole("")));
    let sizes = steps.iter().filter_map(|step| match step {
        Step::Write(bytes) => Some(bytes.len()),
        _ => None,
    });
    assert!(sizes.max() <= Some(10) && steps.len() > BODY_BYTES);
}

#[test]
fn a_head_request_gets_the_length_and_no_body() {
    let steps =
        plan_with(Reply::json(200, &json!({"n": 1})), "", Manner { is_head: true, ..MANNER });
    assert!(written(&steps).ends_with("content-length: 7\r\n\r\n"));
}
