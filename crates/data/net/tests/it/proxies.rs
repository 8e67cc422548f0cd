//! Tunnels through HTTP and SOCKS5 proxies.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use net::ConnectError;
use rustls::{ServerConnection, StreamOwned};
use snapshot::{Address, Endpoint, ProxyHop, ProxyKind, Secret};

use crate::support::*;
use crate::tls::{Certificates, certificates, tls_peer};

fn through(kind: ProxyKind, proxy: SocketAddr, login: Option<(&str, &str)>) -> ProxyHop {
    ProxyHop {
        kind,
        address: Address::Ip(proxy),
        username: login.map(|(username, _)| username.to_owned()),
        password: login.map(|(_, password)| Secret::new(password)),
        tls: None,
    }
}

/// A name that nobody here resolves: that is the proxy's part.
fn target() -> Address {
    Address::Name { host: "models.test".to_owned(), port: 8443, resolved: Arc::default() }
}

fn proxied(proxy: ProxyHop) -> Endpoint {
    Endpoint { proxy: Some(proxy), ..endpoint_at(target()) }
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Plays the upstream at the far end of a tunnel.
fn answer_once(stream: &mut (impl Read + Write)) {
    stream.read_exact(&mut [0; 4]).unwrap();
    stream.write_all(&42_u32.to_be_bytes()).unwrap();
    stream.flush().unwrap();
}

fn exchange_through(driver: net::Driver, endpoint: Endpoint) {
    let endpoint = Arc::new(endpoint);
    on_worker(on(driver), move || async move {
        let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
        assert_eq!(exchange(&mut upstream.connection).await.unwrap(), 42);
    });
}

fn error_through(driver: net::Driver, endpoint: Endpoint) -> ConnectError {
    let endpoint = Arc::new(endpoint);
    on_worker(on(driver), move || async move {
        net::checkout(&endpoint, patience()).await.err().expect("the proxy refuses")
    })
}

#[test]
fn http_connect_carries_the_name_and_the_login() {
    for driver in DRIVERS {
        let (address, proxy) = peer(|mut stream| {
            let head = read_head(&mut stream);
            // In pieces, to be put together.
            for piece in [&b"HTTP/1.1 20"[..], b"0 OK\r\nX: y\r", b"\n\r\n"] {
                stream.write_all(piece).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
            answer_once(&mut stream);
            head
        });
        let hop = through(ProxyKind::HttpConnect, address, Some(("alice", "s3cret")));
        exchange_through(driver, proxied(hop));
        let expected = "CONNECT models.test:8443 HTTP/1.1\r\nHost: models.test:8443\r\n\
                        Proxy-Authorization: Basic YWxpY2U6czNjcmV0\r\n\r\n";
        assert_eq!(proxy.join().unwrap(), expected, "{driver:?}");
    }
}

#[test]
fn refusals_of_an_http_proxy_name_the_proxy_and_no_secret() {
    let replies: [(&[u8], &str); 4] = [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nunasked", "data of its own"),
        (b"", "hung up"),
    ];
    for driver in DRIVERS {
        for (reply, expected) in replies {
            let (address, proxy) = peer(move |mut stream| {
                read_head(&mut stream);
                stream.write_all(reply).unwrap();
            });
            let hop = through(ProxyKind::HttpConnect, address, Some(("alice", "s3cret")));
            let error = error_through(driver, proxied(hop));
            assert!(matches!(error, ConnectError::Proxy(_)), "{driver:?}: {error:?}");
            let text = error.to_string();
            assert!(text.contains(expected) && text.contains(&address.to_string()), "{text}");
            assert!(!text.contains("s3cret") && !text.contains("alice"), "{text}");
            proxy.join().unwrap();
        }
    }
}

#[test]
fn an_endless_reply_head_is_refused() {
    for driver in DRIVERS {
        let (address, proxy) = peer(|mut stream| {
            read_head(&mut stream);
            stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
            while stream.write_all(b"X-Filler: and on and on and on\r\n").is_ok() {}
        });
        let error = error_through(driver, proxied(through(ProxyKind::HttpConnect, address, None)));
        assert!(error.to_string().contains("no end"), "{driver:?}: {error}");
        proxy.join().unwrap();
    }
}

#[test]
fn socks5_carries_the_name_and_the_login() {
    for driver in DRIVERS {
        let (address, proxy) = peer(|mut stream| {
            assert_eq!(read_bytes(&mut stream, 4), [5, 2, 0, 2]);
            stream.write_all(&[5, 2]).unwrap();
            assert_eq!(read_bytes(&mut stream, 2 + 5 + 1 + 6), *b"\x01\x05alice\x06s3cret");
            stream.write_all(&[1, 0]).unwrap();
            let request = read_bytes(&mut stream, 4 + 1 + 11 + 2);
            assert_eq!(request, *b"\x05\x01\x00\x03\x0bmodels.test\x20\xfb");
            stream.write_all(&[5, 0, 0, 3, 4, b'h', b'o', b's', b't', 0, 1]).unwrap();
            answer_once(&mut stream);
        });
        let hop = through(ProxyKind::Socks5, address, Some(("alice", "s3cret")));
        exchange_through(driver, proxied(hop));
        proxy.join().unwrap();
    }
}

#[test]
fn socks5_carries_addresses_as_addresses() {
    for driver in DRIVERS {
        let (address, proxy) = peer(|mut stream| {
            assert_eq!(read_bytes(&mut stream, 3), [5, 1, 0]);
            stream.write_all(&[5, 0]).unwrap();
            assert_eq!(read_bytes(&mut stream, 10), [5, 1, 0, 1, 192, 0, 2, 7, 0, 80]);
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
            answer_once(&mut stream);
        });
        let hop = through(ProxyKind::Socks5, address, None);
        let target = Address::Ip("192.0.2.7:80".parse().unwrap());
        let endpoint = Endpoint { proxy: Some(hop), ..endpoint_at(target) };
        exchange_through(driver, endpoint);
        proxy.join().unwrap();
    }
}

#[test]
fn refusals_of_a_socks5_proxy_are_told() {
    let replies: [(&[u8], &str); 5] = [
        (&[5, 0xff], "none of our logins"),
        (b"HT", "does not speak SOCKS5"),
        (&[5, 0, 5, 5, 0, 1], "connection refused"),
        (&[5, 0, 5, 0, 0, 9], "makes no sense"),
        (&[5, 0, 5], "hung up"),
    ];
    for driver in DRIVERS {
        for (reply, expected) in replies {
            let (address, proxy) = peer(move |mut stream| {
                read_bytes(&mut stream, 3);
                stream.write_all(reply).unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                while let Ok(1..) = stream.read(&mut [0; 64]) {}
            });
            let error = error_through(driver, proxied(through(ProxyKind::Socks5, address, None)));
            assert!(error.to_string().contains(expected), "{driver:?}: {error}");
            proxy.join().unwrap();
        }
    }
}

#[test]
fn a_silent_proxy_times_out() {
    for driver in DRIVERS {
        for kind in [ProxyKind::HttpConnect, ProxyKind::Socks5] {
            let (address, proxy) = peer(|mut stream| {
                let mut sink = [0; 512];
                while let Ok(1..) = stream.read(&mut sink) {}
            });
            let connect_timeout = Duration::from_millis(300);
            let endpoint = Endpoint { connect_timeout, ..proxied(through(kind, address, None)) };
            let error = error_through(driver, endpoint);
            assert!(matches!(error, ConnectError::TimedOut(_)), "{driver:?} {kind:?}: {error:?}");
            proxy.join().unwrap();
        }
    }
}

/// One port that plays proxy and upstream: TLS to the proxy, CONNECT, and TLS to the upstream inside.
#[test]
fn tls_to_the_upstream_runs_inside_tls_to_the_proxy() {
    let (proxy_certificates, upstream_certificates) = (certificates(), certificates());
    for driver in DRIVERS {
        let inner = upstream_certificates.server(&[&rustls::version::TLS13]);
        let outer = proxy_certificates.server(&[&rustls::version::TLS13]);
        let (address, server) = tls_peer(outer, move |mut proxy| {
            let head = read_head(&mut proxy);
            proxy.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
            proxy.flush().unwrap();
            let mut upstream = StreamOwned::new(ServerConnection::new(inner).unwrap(), proxy);
            let mut body = vec![0; 100_000];
            upstream.read_exact(&mut body).unwrap();
            upstream.write_all(&body).unwrap();
            upstream.flush().unwrap();
            head
        });
        let endpoint =
            Arc::new(doubly_encrypted(address, &proxy_certificates, &upstream_certificates));
        let echoed = on_worker(on(driver), move || async move {
            let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
            upstream.connection.write(pattern(100_000).into()).await.unwrap();
            while upstream.connection.input().len() < 100_000 {
                assert_ne!(upstream.connection.fill().await.unwrap(), 0);
            }
            upstream.connection.input().to_vec()
        });
        assert!(echoed == pattern(100_000), "{driver:?}");
        assert!(server.join().unwrap().starts_with("CONNECT models.test:8443 "));
    }
}

fn doubly_encrypted(proxy: SocketAddr, outer: &Certificates, inner: &Certificates) -> Endpoint {
    let mut hop = through(ProxyKind::HttpConnect, proxy, None);
    hop.tls = Some(outer.tls("localhost"));
    Endpoint { tls: Some(inner.tls("localhost")), ..proxied(hop) }
}

fn read_bytes(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}
