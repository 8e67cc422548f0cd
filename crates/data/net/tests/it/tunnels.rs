//! Two connections joined: everything arrives both ways, and ends when it should.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use net::{Connection, Driver, Settings, Side, TunnelEnd, TunnelRules};
use rustls::{ClientConnection, StreamOwned};
use seam::Stage;
use snapshot::{Address, Endpoint};

use crate::support::*;
use crate::tls::{certificates, tls_peer};

const RULES: TunnelRules = TunnelRules {
    idle_max: PATIENCE,
    send_timeout: PATIENCE,
    ends_at: None,
    allows_half_close: false,
};

const HALVES: TunnelRules = TunnelRules { allows_half_close: true, ..RULES };

/// Joins every client to `endpoint` and reports how that ended.
fn start(
    settings: Settings,
    endpoint: Endpoint,
    rules: impl Fn() -> TunnelRules + Clone + Send + Sync + 'static,
) -> (Rig, Receiver<(TunnelEnd, [usize; 2])>) {
    let endpoint = Arc::new(endpoint);
    let (report, reports) = channel();
    let rig = Rig::start(settings, move |_| {
        let (endpoint, report, rules) = (Arc::clone(&endpoint), report.clone(), rules.clone());
        Serve(move |mut client: Connection| {
            let (endpoint, report, rules) = (Arc::clone(&endpoint), report.clone(), rules());
            async move {
                // As behind a head: the first bytes are in the buffer.
                client.fill().await.unwrap();
                let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                let mut seen = [0, 0];
                let watch =
                    |side, bytes: &[u8]| seen[usize::from(side == Side::Upstream)] += bytes.len();
                let joined = net::tunnel(&mut client, &mut upstream.connection, &rules, watch);
                let end = joined.await;
                client.close().await;
                let _ = report.send((end, seen));
            }
        })
    });
    (rig, reports)
}

/// Writes `count` bytes and meanwhile reads to the end; what was read.
fn talk<S>(mut reader: S, mut writer: impl Write + Send + 'static, count: usize) -> Vec<u8>
where
    S: Read,
{
    let writing = std::thread::spawn(move || writer.write_all(&pattern(count)).unwrap());
    let mut received = vec![0; count];
    reader.read_exact(&mut received).unwrap();
    writing.join().unwrap();
    received
}

const MUCH: usize = 3_000_000;

#[test]
fn both_sides_speak_at_once_and_everything_arrives() {
    for driver in DRIVERS {
        let (address, upstream) = peer(|stream| {
            let writer = stream.try_clone().unwrap();
            talk(stream, writer, MUCH)
        });
        let (rig, reports) = start(on(driver), endpoint(address), || HALVES);
        let client = rig.connect();
        let received = talk(client.try_clone().unwrap(), client.try_clone().unwrap(), MUCH);
        assert!(received == pattern(MUCH), "{driver:?}");
        assert!(upstream.join().unwrap() == pattern(MUCH), "{driver:?}");
        client.shutdown(Shutdown::Write).unwrap();
        let (end, seen) = reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(end, TunnelEnd::Closed(_)), "{driver:?}: {end:?}");
        assert_eq!(seen, [MUCH, MUCH], "{driver:?}");
    }
}

#[test]
fn tls_on_both_sides_carries_as_much() {
    for driver in DRIVERS {
        let certificates = certificates();
        let (address, upstream) =
            tls_peer(certificates.server(rustls::ALL_VERSIONS), |mut stream| {
                // One thread for both directions: a session cannot be split.
                let mut received = vec![0; MUCH];
                for (piece, sent) in received.chunks_mut(10_000).zip(pattern(MUCH).chunks(10_000)) {
                    stream.read_exact(piece).unwrap();
                    stream.write_all(sent).unwrap();
                }
                stream.conn.send_close_notify();
                stream.flush().unwrap();
                received
            });
        let upstream_endpoint =
            Endpoint { tls: Some(certificates.tls("localhost")), ..endpoint(address) };
        let tls = net::ServerTls::from_pem(
            certificates.certificate_pem.as_bytes(),
            certificates.key_pem.as_bytes(),
        )
        .unwrap();
        let settings = Settings { tls: Some(tls), ..on(driver) };
        let (rig, reports) = start(settings, upstream_endpoint, || RULES);
        let session = ClientConnection::new(
            certificates.client(rustls::ALL_VERSIONS),
            "localhost".try_into().unwrap(),
        );
        let mut client = StreamOwned::new(session.unwrap(), rig.connect());
        let mut received = vec![0; MUCH];
        for (piece, sent) in received.chunks_mut(10_000).zip(pattern(MUCH).chunks(10_000)) {
            client.write_all(sent).unwrap();
            client.read_exact(piece).unwrap();
        }
        assert!(received == pattern(MUCH), "{driver:?}");
        assert!(upstream.join().unwrap() == pattern(MUCH), "{driver:?}");
        let (end, seen) = reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(end, TunnelEnd::Closed(Side::Upstream)), "{driver:?}: {end:?}");
        assert_eq!(seen, [MUCH, MUCH], "{driver:?}");
    }
}

#[test]
fn a_unix_socket_is_the_other_side_too() {
    for driver in DRIVERS {
        let path =
            std::env::temp_dir().join(format!("net-tunnel-{driver:?}-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let upstream = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let writer = stream.try_clone().unwrap();
            talk(stream, writer, MUCH)
        });
        let endpoint = endpoint_at(Address::Unix(path.clone()));
        let (rig, _reports) = start(on(driver), endpoint, || HALVES);
        let client = rig.connect();
        let received = talk(client.try_clone().unwrap(), client, MUCH);
        assert!(received == pattern(MUCH), "{driver:?}");
        assert!(upstream.join().unwrap() == pattern(MUCH), "{driver:?}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_client_that_has_said_everything_is_still_answered() {
    for driver in DRIVERS {
        let (address, upstream) = peer(|mut stream| {
            let mut question = Vec::new();
            stream.read_to_end(&mut question).unwrap();
            stream.write_all(&pattern(MUCH)).unwrap();
            question
        });
        let (rig, reports) = start(on(driver), endpoint(address), || HALVES);
        let mut client = rig.connect();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert!(answer == pattern(MUCH), "{driver:?}: {} bytes", answer.len());
        assert_eq!(upstream.join().unwrap(), b"question");
        let (end, _) = reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(end, TunnelEnd::Closed(Side::Client)), "{driver:?}: {end:?}");
    }
}

#[test]
fn without_half_closing_the_first_end_is_the_end_of_both() {
    for driver in DRIVERS {
        let (address, upstream) = peer(|mut stream| {
            let mut question = Vec::new();
            stream.read_to_end(&mut question).unwrap();
            question
        });
        let (rig, reports) = start(on(driver), endpoint(address), || RULES);
        let mut client = rig.connect();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "{driver:?}");
        assert_eq!(upstream.join().unwrap(), b"question");
        let (end, seen) = reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(end, TunnelEnd::Closed(Side::Client)), "{driver:?}: {end:?}");
        assert_eq!(seen, [8, 0]);
    }
}

#[test]
fn what_the_upstream_said_last_arrives_before_the_end() {
    for driver in DRIVERS {
        let (address, upstream) = peer(|mut stream| {
            stream.read_exact(&mut [0; 1]).unwrap();
            stream.write_all(&pattern(MUCH)).unwrap();
        });
        let (rig, reports) = start(on(driver), endpoint(address), || RULES);
        let mut client = rig.connect();
        client.write_all(b"?").unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert!(answer == pattern(MUCH), "{driver:?}: {} bytes", answer.len());
        upstream.join().unwrap();
        let (end, _) = reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(end, TunnelEnd::Closed(Side::Upstream)), "{driver:?}: {end:?}");
    }
}

/// A listener whose connections are accepted by the kernel and read by nobody.
fn unread() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Writes until nothing more is taken for half a second; the bytes taken.
fn fill_up(client: &mut TcpStream) -> usize {
    client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let block = vec![7; 64 * 1024];
    let mut taken = 0;
    loop {
        match client.write(&block) {
            Ok(count) => taken += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return taken;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_side_that_does_not_read_stops_the_other_and_a_hang_up_is_still_noticed() {
    for driver in DRIVERS {
        let (_listener, address) = unread();
        let (rig, reports) = start(on(driver), endpoint(address), || RULES);
        let mut client = rig.connect();
        let taken = fill_up(&mut client);
        // The socket buffers of four ends, which grow, and nothing of ours to speak of.
        assert!(taken < 64 << 20, "{driver:?}: {taken} bytes");
        assert!(reports.try_recv().is_err(), "{driver:?}: ended while the client was there");
        let hung_up = Instant::now();
        // A reset: an orderly end would wait behind what nobody reads.
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        let (end, _) = reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(end, TunnelEnd::Failed(Side::Client, _)), "{driver:?}: {end:?}");
        assert!(hung_up.elapsed() < Duration::from_secs(1), "{driver:?}: {:?}", hung_up.elapsed());
    }
}

#[test]
fn a_side_that_does_not_read_for_too_long_ends_it() {
    let rules = || TunnelRules { send_timeout: Duration::from_millis(300), ..RULES };
    for driver in DRIVERS {
        let (_listener, address) = unread();
        let (rig, reports) = start(on(driver), endpoint(address), rules);
        let mut client = rig.connect();
        let writing = std::thread::spawn(move || {
            let block = vec![7; 64 * 1024];
            while client.write_all(&block).is_ok() {}
        });
        let (end, _) = reports.recv_timeout(PATIENCE).unwrap();
        let TunnelEnd::Failed(Side::Upstream, error) = end else { panic!("{driver:?}: {end:?}") };
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{driver:?}");
        writing.join().unwrap();
    }
}

/// How long a tunnel lasts whose client speaks every 50 ms until it cannot, or once.
fn lifetime(
    driver: Driver,
    rules: impl Fn() -> TunnelRules + Clone + Send + Sync + 'static,
    is_talkative: bool,
) -> (TunnelEnd, Duration) {
    let (_listener, address) = unread();
    let (rig, reports) = start(on(driver), endpoint(address), rules);
    let mut client = rig.connect();
    let began = Instant::now();
    client.write_all(b"x").unwrap();
    loop {
        match reports.recv_timeout(Duration::from_millis(50)) {
            Ok((end, _)) => return (end, began.elapsed()),
            Err(_) if is_talkative => drop(client.write_all(b"x")),
            Err(_) => {}
        }
    }
}

#[test]
fn silence_ends_it_and_talk_does_not() {
    let rules = || TunnelRules {
        idle_max: Duration::from_millis(400),
        ends_at: Some(net::now() + Duration::from_millis(1500)),
        ..RULES
    };
    for driver in DRIVERS {
        let (end, lasted) = lifetime(driver, rules, false);
        assert!(matches!(end, TunnelEnd::Idle), "{driver:?}: {end:?}");
        assert!(lasted >= Duration::from_millis(380), "{driver:?}: {lasted:?}");
        let (end, lasted) = lifetime(driver, rules, true);
        assert!(matches!(end, TunnelEnd::Expired), "{driver:?}: {end:?}");
        assert!(lasted >= Duration::from_millis(1480), "{driver:?}: {lasted:?}");
    }
}

#[test]
fn the_end_of_a_shutdown_ends_it() {
    for driver in DRIVERS {
        let (address, upstream) = peer(|mut stream| {
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            all
        });
        let (mut rig, reports) = start(on(driver), endpoint(address), || RULES);
        let mut client = rig.connect();
        client.write_all(b"x").unwrap();
        rig.stop.advance(Stage::Draining);
        // It goes on while the process drains.
        assert!(reports.recv_timeout(Duration::from_millis(500)).is_err(), "{driver:?}");
        rig.stop.advance(Stage::Closing);
        rig.join();
        let (end, _) = reports.recv_timeout(PATIENCE).unwrap();
        assert!(matches!(end, TunnelEnd::Failed(..)), "{driver:?}: {end:?}");
        assert_eq!(upstream.join().unwrap(), b"x");
    }
}
