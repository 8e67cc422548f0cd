//! A client that hangs up takes the upstream's work with it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use net::Connection;

use crate::support::*;

/// A server that waits for an upstream which never answers, and reports how that ended.
fn start_waiting(
    driver: net::Driver,
    upstream: SocketAddr,
    report: Sender<(io::ErrorKind, bool)>,
) -> Rig {
    let endpoint = Arc::new(endpoint(upstream));
    Rig::start(on(driver), move |_| {
        let (endpoint, report) = (Arc::clone(&endpoint), report.clone());
        Serve(move |mut client: Connection| {
            let (endpoint, report) = (Arc::clone(&endpoint), report.clone());
            async move {
                client.fill().await.unwrap();
                let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                let pair = net::pair(&client, &upstream.connection);
                upstream.connection.write(buffer(b"ask!")).await.unwrap();
                let error = upstream.connection.fill().await.unwrap_err();
                drop(pair);
                report.send((error.kind(), client.is_gone())).unwrap();
            }
        })
    })
}

/// A peer that reads until its connection ends and tells when.
fn silent_upstream() -> (SocketAddr, std::thread::JoinHandle<Instant>) {
    peer(|mut stream| {
        let mut sink = [0; 64];
        while let Ok(1..) = stream.read(&mut sink) {}
        Instant::now()
    })
}

#[test]
fn the_upstream_is_cut_within_a_second_of_the_hang_up() {
    for driver in DRIVERS {
        let (address, upstream) = silent_upstream();
        let (report, reports) = channel();
        let rig = start_waiting(driver, address, report);
        let mut client = rig.connect();
        client.write_all(b"ask!").unwrap();
        std::thread::sleep(Duration::from_millis(700));
        assert!(reports.try_recv().is_err(), "{driver:?}: ended while the client was there");
        let hung_up = Instant::now();
        drop(client);
        let (kind, is_gone) = reports.recv_timeout(PATIENCE).unwrap();
        assert_eq!(kind, io::ErrorKind::ConnectionAborted, "{driver:?}");
        assert!(is_gone, "{driver:?}");
        let cut = upstream.join().unwrap().duration_since(hung_up);
        assert!(cut < Duration::from_secs(1), "{driver:?}: after {cut:?}");
    }
}

#[test]
fn a_reset_counts_as_a_hang_up() {
    for driver in DRIVERS {
        let (address, upstream) = silent_upstream();
        let (report, reports) = channel();
        let rig = start_waiting(driver, address, report);
        let mut client = rig.connect();
        client.write_all(b"ask!").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let socket = socket2::SockRef::from(&client);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        let (kind, _) = reports.recv_timeout(PATIENCE).unwrap();
        assert_eq!(kind, io::ErrorKind::ConnectionAborted, "{driver:?}");
        upstream.join().unwrap();
    }
}

#[test]
fn an_untied_upstream_outlives_the_client() {
    for driver in DRIVERS {
        let (address, upstream) = peer(|mut stream| {
            stream.read_exact(&mut [0; 4]).unwrap();
            std::thread::sleep(Duration::from_millis(900));
            stream.write_all(&7_u32.to_be_bytes()).unwrap();
        });
        let endpoint = Arc::new(endpoint(address));
        let (report, reports) = channel();
        let rig = Rig::start(on(driver), move |_| {
            let (endpoint, report) = (Arc::clone(&endpoint), report.clone());
            Serve(move |mut client: Connection| {
                let (endpoint, report) = (Arc::clone(&endpoint), report.clone());
                async move {
                    client.fill().await.unwrap();
                    let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
                    drop(net::pair(&client, &upstream.connection));
                    report.send(exchange(&mut upstream.connection).await.ok()).unwrap();
                }
            })
        });
        let mut client = rig.connect();
        client.write_all(b"x").unwrap();
        drop(client);
        assert_eq!(reports.recv_timeout(PATIENCE).unwrap(), Some(7), "{driver:?}");
        upstream.join().unwrap();
    }
}
