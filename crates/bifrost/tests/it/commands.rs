//! Subcommands and flags.

use std::net::TcpListener;

use crate::harness::{Directory, run, text};

const GOOD: &str = r#"{"providers":{"openai":{"keys":[
    {"name":"main","value":"sk-1","models":["*"],"weight":1}]}}}"#;

const BAD: &str = r#"{"client":{"drop_exces_requests":true},"providers":{"openai":{"keys":[
    {"name":"main","value":"sk-1","models":["*"],"weight":-1}]}}}"#;

#[test]
fn check_says_ok_to_a_good_file() {
    let directory = Directory::new();
    let output = run(&["check", &directory.write("good.json", GOOD)]);
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("ok: 1 providers, 1 keys"), "{output:?}");
}

#[test]
fn check_prints_every_problem_with_path_and_hint() {
    let directory = Directory::new();
    let output = run(&["check", &directory.write("bad.json", BAD)]);
    assert_eq!(output.status.code(), Some(1));
    let problems = text(&output.stdout);
    assert!(problems.contains("client.drop_exces_requests"), "{problems}");
    assert!(problems.contains("did you mean `drop_excess_requests`?"), "{problems}");
    assert!(problems.contains("providers.openai.keys[0].weight"), "{problems}");
    let output = run(&["check", "/nonexistent/config.json"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn routes_are_a_line_each() {
    let output = run(&["routes"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.contains(&"POST /v1/chat/completions") && lines.contains(&"* /health"), "{text}");
    assert!(lines.iter().all(|line| line.split(' ').count() == 2), "{text}");
}

#[test]
fn schema_is_json() {
    let output = run(&["schema"]);
    assert!(output.status.success());
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(schema["properties"]["providers"].is_object());
}

#[test]
fn help_and_version_are_there() {
    for (flag, part) in [
        ("--help", "--app-dir"),
        ("-help", "LOG_STYLE"),
        ("--version", env!("CARGO_PKG_VERSION")),
        ("-version", env!("CARGO_PKG_VERSION")),
    ] {
        let output = run(&[flag]);
        assert!(output.status.success(), "{flag}");
        assert!(text(&output.stdout).contains(part), "{flag}: {output:?}");
    }
}

#[test]
fn bad_flags_are_explained() {
    for arguments in [&["-prot", "1"][..], &["-port", "http"], &["--driver", "kqueue"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("error:"), "{output:?}");
    }
}

#[test]
fn a_start_with_mistakes_in_the_file_prints_them_all() {
    let directory = Directory::new();
    let output = run(&["-port", "0", "--config", &directory.write("bad.json", BAD)]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("client.drop_exces_requests") && error.contains("weight"), "{error}");
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let directory = Directory::new();
    let config = r#"{"providers":{"mock":{}},
        "server":{"tls":{"certificate":"/no/such.pem","private_key":"/no/such.key"}}}"#;
    let output = run(&["-port", "0", "--config", &directory.write("tls.json", config)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("server.tls: /no/such.pem"), "{output:?}");
}

#[test]
fn a_configuration_file_that_is_named_must_exist() {
    let output = run(&["-port", "0", "--config", "/nonexistent/config.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent/config.json"), "{output:?}");
}

#[test]
fn a_port_in_use_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let output = run(&["-port", &port]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&format!("port {port} is in use")), "{error}");
    assert!(error.contains("-port"), "{error}");
}
