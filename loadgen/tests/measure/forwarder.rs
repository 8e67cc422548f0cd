//! The bare forwarder: every byte, in both directions, and every end.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::process::Forwarder;

/// Bytes that no buffer holds at once.
const LONG: usize = 10 << 20;

/// Nobody listens on the first port.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// Both drivers.
const ENVIRONMENTS: [&[(&str, &str)]; 2] = [&[], &[("MONOIO_FORCE_LEGACY_DRIVER", "1")]];

/// A forwarder, a client connected to it, and the upstream's end of that connection.
fn connected(environment: &[(&str, &str)]) -> (Forwarder, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let forwarder = Forwarder::start(listener.local_addr().unwrap(), environment);
    let client = TcpStream::connect(forwarder.address).unwrap();
    let (upstream, _) = listener.accept().unwrap();
    (forwarder, client, upstream)
}

fn pattern(seed: usize) -> Vec<u8> {
    (0..LONG).map(|index| (index.wrapping_mul(31).wrapping_add(seed) >> 3) as u8).collect()
}

#[test]
fn long_messages_pass_unchanged_in_both_directions_at_once() {
    for environment in ENVIRONMENTS {
        let (_forwarder, mut client, mut upstream) = connected(environment);
        let (question, answer) = (pattern(1), pattern(2));
        let (mut seen_answer, mut seen_question) = (vec![0; LONG], vec![0; LONG]);
        let mut client_writer = client.try_clone().unwrap();
        let mut upstream_writer = upstream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| client_writer.write_all(&question).unwrap());
            scope.spawn(|| upstream_writer.write_all(&answer).unwrap());
            scope.spawn(|| upstream.read_exact(&mut seen_question).unwrap());
            client.read_exact(&mut seen_answer).unwrap();
        });
        assert!(seen_question == question && seen_answer == answer);
    }
}

#[test]
fn the_end_of_one_direction_leaves_the_other_open() {
    for environment in ENVIRONMENTS {
        let (_forwarder, mut client, mut upstream) = connected(environment);
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        upstream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "question");
        upstream.write_all(b"answer").unwrap();
        drop(upstream);
        text.clear();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "answer");
    }
}

#[test]
fn a_client_that_leaves_is_passed_on() {
    let (_forwarder, client, mut upstream) = connected(&[]);
    drop(client);
    assert_eq!(upstream.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_client_is_closed_when_the_upstream_refuses() {
    let forwarder = Forwarder::start(NOBODY, &[]);
    let mut client = TcpStream::connect(forwarder.address).unwrap();
    // Closed in order or reset, as the system has it.
    assert!(matches!(client.read(&mut [0; 1]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(forwarder.address).is_ok(), "the others are still served");
}
