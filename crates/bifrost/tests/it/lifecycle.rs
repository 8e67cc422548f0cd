//! Reload, restart and end.

use std::io::Read;

use crate::harness::{Directory, Gateway, eventually, free_port};

const STREAMED: &str =
    r#"{"model":"mock/gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

const WITH_OPENAI: &str = r#"{"providers":{"mock":{},"openai":{"keys":[
    {"name":"main","value":"sk-1","models":["gpt-4o"],"weight":1}]}}}"#;

#[test]
fn sigterm_ends_it_cleanly() {
    let directory = Directory::new();
    let mut gateway = Gateway::start(&directory);
    gateway.signal("TERM");
    assert_eq!(gateway.end().code(), Some(0), "{}", gateway.log());
}

#[test]
fn sigterm_lets_a_stream_finish() {
    let directory = Directory::new();
    let mut gateway = Gateway::start(&directory);
    let mut stream = gateway.open_chat(STREAMED);
    let mut first = [0; 1];
    stream.read_exact(&mut first).expect("the stream has begun");
    gateway.signal("TERM");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("text until the end");
    assert!(rest.contains("data: [DONE]"), "{rest}");
    assert_eq!(gateway.end().code(), Some(0), "{}", gateway.log());
}

#[test]
fn a_second_sigint_ends_it_at_once() {
    let directory = Directory::new();
    let mut gateway = Gateway::start(&directory);
    // The mock repeats 200 characters of the question, a word at a time: some seconds of stream.
    let question = "a ".repeat(100);
    let mut stream = gateway.open_chat(&STREAMED.replace("hi", &question));
    stream.read_exact(&mut [0; 1]).expect("the stream has begun");
    gateway.signal("INT");
    eventually("the first signal is noticed", || gateway.log().contains("once more"));
    gateway.signal("INT");
    assert_eq!(gateway.end().code(), Some(0), "{}", gateway.log());
    let mut rest = Vec::new();
    // Cut off: an end or a reset, as the kernel pleases.
    let _ = stream.read_to_end(&mut rest);
    assert!(!String::from_utf8_lossy(&rest).contains("[DONE]"));
}

#[test]
fn sighup_reloads_and_a_bad_file_changes_nothing() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    directory.write("config.json", r#"{"providers":{"openai":{"keyz":[]}}}"#);
    gateway.signal("HUP");
    eventually("the mistake is logged", || gateway.log().contains("providers.openai.keyz"));
    assert!(gateway.get("/v1/models").body.contains("mock/gpt-4o-mini"));
    directory.write("config.json", WITH_OPENAI);
    gateway.signal("HUP");
    eventually("the new model is listed", || {
        gateway.get("/v1/models").body.contains("openai/gpt-4o")
    });
}

#[test]
fn a_second_process_takes_over_and_the_first_ends() {
    let directory = Directory::new();
    let port = free_port();
    let mut first = Gateway::start_with(&directory, &["-port", &port]);
    let mut stream = first.open_chat(STREAMED);
    stream.read_exact(&mut [0; 1]).expect("the stream has begun");
    let second = Gateway::start_with(&directory, &["-port", &port]);
    assert!(second.banner.contains("took the listening sockets over"), "{}", second.banner);
    assert_eq!(second.get("/health").status, 200);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("text until the end");
    assert!(rest.contains("data: [DONE]"), "the first finishes what it began: {rest}");
    assert_eq!(first.end().code(), Some(0), "{}", first.log());
    assert_eq!(second.get("/health").status, 200);
}
