//! Keys given up on the way, as the metrics tell.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::harness::{Directory, Gateway};

#[test]
fn keys_given_up_before_a_fallback_are_those_of_the_provider_that_refused_them() {
    let directory = Directory::new();
    let address = refusing_provider();
    directory.write(
        "config.json",
        &format!(
            r#"{{"providers":{{"mock":{{}},"openai":{{"network_config":{{"base_url":"http://{address}","max_retries":1}},
                "keys":[{{"id":"k-1","name":"first","value":"sk-1","models":["*"],"weight":1}},
                        {{"id":"k-2","name":"second","value":"sk-2","models":["*"],"weight":1}}]}}}}}}"#
        ),
    );
    let gateway = Gateway::start(&directory);
    let reply = gateway.chat(
        r#"{"model":"openai/gpt-asked","fallbacks":["mock/gpt-4o-mini"],
            "messages":[{"role":"user","content":"hi"}]}"#,
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    let page = gateway.get("/metrics").body;
    let rotations: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("bifrost_key_rotation_events_total{"))
        .collect();
    assert!(!rotations.is_empty(), "{page}");
    for line in rotations {
        let labels = "{provider=\"openai\",requested_model=\"gpt-asked\",key_id=\"k-";
        assert!(
            line.contains(labels) && line.ends_with("fail_reason=\"authentication_error\"} 1"),
            "{line}"
        );
    }
    let is_down = |line: &str| {
        line.starts_with("bifrost_provider_key_up{provider=\"openai\",key_id=\"k-")
            && line.ends_with(" 0")
    };
    assert!(page.lines().any(is_down), "{page}");
    assert!(!page.contains("bifrost_provider_key_up{provider=\"mock\""), "{page}");
}

/// A provider that accepts no key.
fn refusing_provider() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || listener.incoming().flatten().for_each(refuse));
    address
}

/// Reads one request, whose body is JSON, and refuses it.
fn refuse(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.ends_with(b"}") {
        match stream.read(&mut chunk) {
            Ok(length @ 1..) => request.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    let body = r#"{"error":{"message":"Incorrect API key provided"}}"#;
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    // A gateway that went away is the test's end, not its failure.
    let _ = stream.write_all(reply.as_bytes());
}
