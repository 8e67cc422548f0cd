//! Listening, threads, drivers, TLS, and the end of the process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use crate::client::{CHAT, Mock, chat_body, faulty, post, request, with};

#[test]
fn both_drivers_serve_and_see_the_caller_go() {
    for environment in [&[][..], &[("MONOIO_FORCE_LEGACY_DRIVER", "1")]] {
        let mock = Mock::start_with(&[], environment);
        assert_eq!(mock.chat(&chat_body("hi")).status, 200);
        let mut connection = mock.connect();
        connection.send(&faulty("delay=1m", &chat_body("hi")));
        mock.until(|mock| (mock.stats()["active"] == 1).then_some(()));
        drop(connection);
        mock.until(|mock| (mock.stats()["aborted"] == 1).then_some(()));
    }
}

#[test]
fn threads_share_one_world() {
    let mock = Mock::start(&["--threads", "4"]);
    let mut connections: Vec<_> = (0..32).map(|_| mock.connect()).collect();
    for connection in &mut connections {
        connection.send(&post(CHAT, &[], &chat_body("hi")));
    }
    for connection in &mut connections {
        assert_eq!(connection.response().unwrap().status, 200);
    }
    let stats = mock.stats();
    assert_eq!((&stats["requests"], &stats["connections_open"]), (&json!(32), &json!(32)));
}

#[test]
fn a_unix_socket_serves_too() {
    let path = std::env::temp_dir().join(format!("loadgen-mock-{}.sock", std::process::id()));
    let mut mock = Mock::start(&["--unix", path.to_str().unwrap()]);
    assert_eq!(mock.line(), format!("listening on unix:{}", path.display()));
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(&post(CHAT, &[("connection", "close")], &chat_body("hi"))).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("mock reply to: hi"));
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn tls_is_served_and_ends_in_order() {
    let directory = std::env::temp_dir();
    let file = |name: &str| directory.join(format!("loadgen-{}-{name}", std::process::id()));
    let (certificate_file, key_file) = (file("cert.pem"), file("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate_file, made.cert.pem()).unwrap();
    std::fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
    let flags =
        ["--tls-cert", certificate_file.to_str().unwrap(), "--tls-key", key_file.to_str().unwrap()];
    let mock = Mock::start(&flags);
    std::fs::remove_file(&certificate_file).unwrap();
    std::fs::remove_file(&key_file).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let config = Arc::new(config);
    let exchange = |fault: &str| {
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(&config), name).unwrap();
        let stream = TcpStream::connect(&mock.address).unwrap();
        let mut stream = StreamOwned::new(session, stream);
        let body = with(chat_body("hi"), "stream", json!(true));
        stream.write_all(&post(CHAT, &[("x-mock-fault", fault)], &body)).unwrap();
        let mut response = String::new();
        (stream.read_to_string(&mut response), response)
    };
    let (end, response) = exchange("close,bytes=100000");
    assert!(end.is_ok() && response.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{end:?}");
    let (end, _) = exchange("disconnect=mid-stream:2");
    assert!(end.is_err(), "a disconnect says no farewell");
}

#[test]
fn a_caller_that_waits_to_go_on_is_told_to() {
    let mock = Mock::start(&[]);
    let body = chat_body("hi").to_string();
    let whole =
        request("POST", CHAT, &[("authorization", "Bearer x"), ("expect", "100-continue")], &body);
    let (head, body) = whole.split_at(whole.len() - body.len());
    let mut connection = mock.connect();
    connection.send(head);
    assert!(connection.fill().unwrap());
    connection.send(body);
    let response = connection.response().unwrap();
    assert_eq!((response.informational, response.status), (1, 200));
}

#[test]
fn the_flags_set_latency_and_sizes() {
    let mock = Mock::start(&["--latency", "80ms", "--jitter", "10%", "--reply-bytes", "1400"]);
    let start = Instant::now();
    let reply = mock.chat(&chat_body("hi")).json();
    assert!(start.elapsed() >= Duration::from_millis(72));
    assert_eq!(reply["choices"][0]["message"]["content"].as_str().map(str::len), Some(1400));
}

#[test]
fn prerendered_replies_have_the_same_shapes() {
    let flags = ["--prerendered", "--no-record", "--reply-bytes", "1400", "--stream-chunks", "64"];
    let mock = Mock::start(&flags);
    let reply = mock.chat(&chat_body("hi")).json();
    assert_eq!(reply["choices"][0]["message"]["content"].as_str().map(str::len), Some(1400));
    let events = mock.chat(&with(chat_body("hi"), "stream", json!(true))).events();
    assert_eq!(events.len(), 1 + 64 + 1 + 1);
    let message = mock.messages(&chat_body("hi")).json();
    assert_eq!(message["content"][0]["text"].as_str().map(str::len), Some(1400));
    assert_eq!(mock.stats()["requests"], 3);
    assert!(mock.requests().is_empty());
}

#[test]
fn a_termination_signal_ends_it() {
    let mut mock = Mock::start(&[]);
    let sent = Command::new("kill").arg("-TERM").arg(mock.id().to_string()).status().unwrap();
    assert!(sent.success());
    assert_eq!(mock.wait().signal(), Some(15));
}

#[test]
fn wrong_flags_are_told() {
    for flags in [&["--latency", "soon"][..], &["--tls-cert", "only"], &["--script", "/nowhere"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_loadgen")).arg("mock").args(flags).output();
        let output = output.unwrap();
        assert!(!output.status.success() && !output.stderr.is_empty(), "{flags:?}");
    }
}
