//! What a new user sees: no configuration, no key, an answer.

use std::fs;

use serde_json::Value;

use crate::harness::{Directory, Gateway};

const ASK: &str = r#"{"model":"mock/gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}"#;
const ASK_STREAMED: &str =
    r#"{"model":"mock/gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn without_any_configuration_the_mock_answers() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    let reply = gateway.chat(ASK);
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    let text = answer["choices"][0]["message"]["content"].as_str().expect("text");
    assert!(text.contains("mock provider") && text.contains("\"hi\""), "{text}");
}

#[test]
fn without_any_configuration_the_mock_streams() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    let reply = gateway.chat(ASK_STREAMED);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.head.contains("content-type: text/event-stream"), "{}", reply.head);
    let data: Vec<&str> =
        reply.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let (last, chunks) = data.split_last().expect("events");
    assert_eq!(*last, "[DONE]");
    let words: String = chunks
        .iter()
        .map(|chunk| serde_json::from_str::<Value>(chunk).expect("JSON"))
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert!(words.contains("mock provider"), "{words}");
}

#[test]
fn the_control_plane_is_reached_through_the_same_port() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    assert_eq!(gateway.get("/health").json()["status"], "ok");
    assert!(gateway.get("/v1/models").body.contains("mock/gpt-4o-mini"));
    assert!(gateway.get("/").body.contains("Bifrost"));
    let missing = gateway.get("/nothing/here");
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["error"]["message"], "Route not found: /nothing/here");
    assert!(missing.head.contains("x-frame-options: deny"), "{}", missing.head);
}

#[test]
fn metrics_count_the_answers() {
    let directory = Directory::new();
    let gateway = Gateway::start(&directory);
    assert_eq!(gateway.chat(ASK).status, 200);
    let page = gateway.get("/metrics").body;
    let line = page
        .lines()
        .find(|line| line.starts_with("bifrost_success_requests_total{provider=\"mock\""))
        .unwrap_or_else(|| panic!("{page}"));
    assert!(line.contains("model=\"gpt-4o-mini\"") && line.ends_with(" 1"), "{line}");
    assert!(page.contains(
        "http_requests_total{path=\"/v1/chat/completions\",method=\"POST\",status=\"200\"} 1"
    ));
}

#[test]
fn the_banner_says_where_what_and_what_next() {
    let directory = Directory::new();
    let gateway = Gateway::start_with(&directory, &["-port", "0", "--workers", "1"]);
    let banner = &gateway.banner;
    let port = gateway.address.port();
    for part in [
        "ready in ",
        &format!("http://localhost:{port}"),
        "1 on ",
        "from the environment",
        "mock (no key needed)",
        "\"model\":\"mock/gpt-4o-mini\"",
    ] {
        assert!(banner.contains(part), "{part} in {banner}");
    }
}

#[test]
fn the_banner_lists_providers_and_what_is_not_active_and_no_secret() {
    let directory = Directory::new();
    directory.write(
        "config.json",
        r#"{"mcp":{},"providers":{"openai":{"keys":[
            {"name":"a","value":"sk-very-secret","models":["gpt-4o"],"weight":1},
            {"name":"b","value":"sk-more-secret","models":["*"],"weight":1}]}}}"#,
    );
    let gateway = Gateway::start(&directory);
    for part in ["openai (2 keys)", "not active yet", "mcp: ", "openai/gpt-4o", "config.json"] {
        assert!(gateway.banner.contains(part), "{part} in {}", gateway.banner);
    }
    assert!(!gateway.banner.contains("secret") && !gateway.log().contains("secret"));
}

#[test]
fn an_app_directory_that_cannot_be_made_is_no_obstacle() {
    let directory = Directory::new();
    let blocked = directory.path().join("file/below");
    fs::write(directory.path().join("file"), "").expect("a new file");
    let blocked = blocked.to_str().expect("an ASCII path");
    let gateway = Gateway::start_with(&directory, &["-port", "0", "-app-dir", blocked]);
    assert_eq!(gateway.chat(ASK).status, 200);
    assert!(gateway.log().contains("app directory"), "{}", gateway.log());
}
