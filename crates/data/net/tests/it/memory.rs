//! What idle connections cost. Measurements, printed: run with `--ignored --nocapture`, one at a time.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use net::{Connection, Driver, Settings};

use crate::support::*;

/// As many as the limit of descriptors allows, if that is less: both ends are in this process.
const CONNECTIONS_MAX: usize = 10_000;

/// Descriptors left for everything else.
const DESCRIPTORS_RESERVED: usize = 500;

fn resident_kb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn measure(driver: Driver) -> f64 {
    let descriptors = net::raise_limits().unwrap() as usize;
    let count = CONNECTIONS_MAX.min((descriptors - DESCRIPTORS_RESERVED) / 2);
    // As many buffers as connections, so that none comes from the heap, where it would leave a hole.
    let settings = Settings { buffers: count, ..on(driver) };
    let rig = Rig::start(settings, |_| Serve(echo));
    let open = || rig.stats[0].connections_open.load(Ordering::Relaxed) as usize;
    let before = resident_kb();
    let clients: Vec<_> = (0..count)
        .map(|number| {
            // From many addresses, because one has too few ports.
            let source = SocketAddr::from(([127, 0, 1, (number / 1000) as u8], 0));
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.bind(&source.into()).unwrap();
            socket.connect(&rig.address().into()).unwrap();
            let mut client = std::net::TcpStream::from(socket);
            client.write_all(b"once").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
            client
        })
        .collect();
    assert_eq!(open(), count);
    eventually("all parked", || rig.stats[0].buffers_in_use.load(Ordering::Relaxed) == 0);
    // Until the pool has returned the memory of the burst.
    std::thread::sleep(Duration::from_secs(60));
    let after = resident_kb();
    drop(clients);
    (after as f64 - before as f64) / count as f64
}

#[test]
#[ignore = "a measurement of the whole process"]
fn idle_connections_on_io_uring_cost_little() {
    let cost = measure(Driver::IoUring);
    println!("io_uring: {cost:.2} KB per idle connection");
    assert!(cost < 3.0, "{cost:.2} KB");
}

#[test]
#[ignore = "a measurement of the whole process"]
fn idle_connections_on_epoll_cost_little() {
    let cost = measure(Driver::Epoll);
    println!("epoll: {cost:.2} KB per idle connection");
    assert!(cost < 3.0, "{cost:.2} KB");
}

#[test]
fn operations_are_small_futures() {
    let (address, _peer) = peer(|mut stream| stream.read(&mut [0; 1]).unwrap_or(0));
    let endpoint = Arc::new(endpoint(address));
    let sizes = on_worker(on(Driver::Epoll), move || async move {
        let mut upstream = net::checkout(&endpoint, patience()).await.unwrap();
        let fill = size_of_val(&upstream.connection.fill());
        let write = size_of_val(&upstream.connection.write(net::Buffer::unallocated()));
        let checkout = size_of_val(&net::checkout(&endpoint, patience()));
        (fill, write, checkout, size_of::<Connection>())
    });
    println!("bytes of fill, write, checkout, Connection: {sizes:?}");
    // A served stream holds two connections and one operation at a time.
    let (fill, write, checkout, connection) = sizes;
    assert!(fill <= 768 && write <= 768 && checkout <= 512 && connection <= 128, "{sizes:?}");
}
