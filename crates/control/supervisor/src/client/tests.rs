//! Questions to real sockets: plain, over TLS, through proxies.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use snapshot::{ProxyHop, ProxyKind, Secret, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"data\":[]}";

#[tokio::test]
async fn an_answer_is_read_whole() {
    let address = serve(ANSWER).await;
    assert_eq!(ask(&question(address)).await, Ok(serde_json::json!({ "data": [] })));
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_secrets() {
    for (answer, expected) in [
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n", "answered 401"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno", "not JSON"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", "broke off"),
        ("garbage\r\n\r\n", ""),
    ] {
        let error = ask(&question(serve(answer).await)).await.expect_err(answer);
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("sk-1"), "{error}");
    }
}

#[tokio::test]
async fn link_local_addresses_are_refused() {
    let address = "169.254.169.254:80".parse().expect("an address");
    let error = ask(&question(address)).await.expect_err("refused");
    assert!(error.contains("local link"), "{error}");
}

#[tokio::test]
async fn only_trusted_certificates_are_taken_unless_all_are() {
    let (address, ca_pem) = serve_tls().await;
    let tls = |verify, ca_pem| Tls { server_name: "localhost".to_owned(), verify, ca_pem };
    for (tls, is_answered) in [
        (tls(true, Some(ca_pem.clone())), true),
        (tls(false, None), true),
        (tls(true, None), false),
        (Tls { server_name: "elsewhere.example".to_owned(), ..tls(true, Some(ca_pem)) }, false),
    ] {
        let endpoint = Endpoint { tls: Some(tls), ..endpoint(address) };
        let question = Question { endpoint: Arc::new(endpoint), ..question(address) };
        assert_eq!(ask(&question).await.is_ok(), is_answered);
    }
}

#[tokio::test]
async fn an_http_proxy_is_asked_to_connect() {
    let target = serve(ANSWER).await;
    let proxy = serve_proxy(target, http_proxy).await;
    let question = proxied(target, proxy, ProxyKind::HttpConnect, "right");
    assert!(ask(&question).await.is_ok());
    let question = proxied(target, proxy, ProxyKind::HttpConnect, "wrong");
    let error = ask(&question).await.expect_err("refused");
    assert!(error.contains("the proxy answered 407"), "{error}");
}

#[tokio::test]
async fn a_socks_proxy_is_asked_to_connect() {
    let target = serve(ANSWER).await;
    let proxy = serve_proxy(target, socks_proxy).await;
    assert!(ask(&proxied(target, proxy, ProxyKind::Socks5, "right")).await.is_ok());
    let error =
        ask(&proxied(target, proxy, ProxyKind::Socks5, "wrong")).await.expect_err("refused");
    assert!(error.contains("refused the login"), "{error}");
}

fn question(address: SocketAddr) -> Question {
    Question {
        endpoint: Arc::new(endpoint(address)),
        path: "/v1/models".to_owned(),
        header_lines: vec![Secret::new("authorization: Bearer sk-1\r\n")],
    }
}

fn proxied(target: SocketAddr, proxy: SocketAddr, kind: ProxyKind, password: &str) -> Question {
    let hop = ProxyHop {
        kind,
        address: Address::Ip(proxy),
        username: Some("user".to_owned()),
        password: Some(Secret::new(password)),
        tls: None,
    };
    let endpoint = Endpoint { proxy: Some(hop), ..endpoint(target) };
    Question { endpoint: Arc::new(endpoint), ..question(target) }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        id: 1,
        address: Address::Ip(address),
        tls: None,
        proxy: None,
        authority: address.to_string(),
        connections_max: 1,
        connections_open: Arc::new(AtomicUsize::new(0)),
        connect_timeout: QUESTION_MAX,
        idle_timeout: QUESTION_MAX,
        age_max: QUESTION_MAX,
    }
}

/// Answers every request head with `answer` and closes.
async fn serve(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            respond(Box::new(stream), answer).await;
        }
    });
    address
}

async fn serve_tls() -> (SocketAddr, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of the provider")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.into())
        .expect("a key that fits");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                respond(Box::new(stream), ANSWER).await;
            }
        }
    });
    (address, cert.pem())
}

async fn respond(mut stream: Box<dyn Stream>, answer: &str) {
    if read_until_blank(&mut stream).await.is_some() {
        // The asking side may have given up.
        let _ = stream.write_all(answer.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

async fn read_until_blank(stream: &mut Box<dyn Stream>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

/// Negotiates with everyone who connects and, where that succeeds, relays to `target`.
async fn serve_proxy<F>(target: SocketAddr, negotiate: fn(Box<dyn Stream>, u16) -> F) -> SocketAddr
where
    F: Future<Output = Option<Box<dyn Stream>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Some(mut stream) = negotiate(Box::new(stream), target.port()).await
                && let Ok(mut onward) = TcpStream::connect(target).await
            {
                // Ends with either side.
                let _ = copy_bidirectional(&mut stream, &mut onward).await;
            }
        }
    });
    address
}

async fn http_proxy(mut stream: Box<dyn Stream>, port: u16) -> Option<Box<dyn Stream>> {
    let head = read_until_blank(&mut stream).await?;
    assert!(head.starts_with(&format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")), "{head}");
    // "user:right"
    let is_right = head.contains("proxy-authorization: Basic dXNlcjpyaWdodA==\r\n");
    let answer: &[u8] = match is_right {
        true => b"HTTP/1.1 200 OK\r\n\r\n",
        false => b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
    };
    stream.write_all(answer).await.ok()?;
    is_right.then_some(stream)
}

async fn socks_proxy(mut stream: Box<dyn Stream>, port: u16) -> Option<Box<dyn Stream>> {
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting).await.ok()?;
    assert_eq!(greeting, [5, 1, 2]);
    stream.write_all(&[5, 2]).await.ok()?;
    let mut login = [0; 12];
    stream.read_exact(&mut login).await.ok()?;
    if login != *b"\x01\x04user\x05right" {
        stream.write_all(&[1, 1]).await.ok()?;
        return None;
    }
    stream.write_all(&[1, 0]).await.ok()?;
    let mut request = [0; 16];
    stream.read_exact(&mut request).await.ok()?;
    assert_eq!(request[..14], *b"\x05\x01\x00\x03\x09127.0.0.1");
    assert_eq!(request[14..], port.to_be_bytes());
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
    Some(stream)
}
