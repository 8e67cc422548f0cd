//! Accepting through panics, shortages and limits.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;

use net::{Connection, Driver, Settings, Workers};
use seam::Stop;

use crate::support::*;

fn is_served(address: SocketAddr) -> bool {
    let mut client = connect(address);
    client.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).is_ok() && &answer == b"ping"
}

#[test]
fn a_panic_ends_one_connection_only() {
    async fn touchy(mut connection: Connection) {
        while let Ok(1..) = connection.fill().await {
            assert_ne!(connection.input(), b"boom", "as asked");
            let input = connection.take_input();
            connection.write(input).await.unwrap();
        }
    }
    for driver in DRIVERS {
        let rig = Rig::start(on(driver), |_| Serve(touchy));
        let mut bystander = rig.connect();
        let mut victim = rig.connect();
        victim.write_all(b"boom").unwrap();
        assert_eq!(victim.read(&mut [0; 1]).unwrap_or(0), 0, "{driver:?}");
        bystander.write_all(b"ping").unwrap();
        bystander.read_exact(&mut [0; 4]).unwrap();
        assert!(is_served(rig.address()), "{driver:?}");
        assert_eq!(rig.stats[0].panics.load(Ordering::Relaxed), 1, "{driver:?}");
        drop(bystander);
        let open = || rig.stats[0].connections_open.load(Ordering::Relaxed);
        eventually("all counted out", || open() == 0);
        assert_eq!(rig.stats[0].connections_accepted.load(Ordering::Relaxed), 3);
    }
}

#[test]
fn connections_above_the_limit_are_closed_at_once() {
    for driver in DRIVERS {
        let rig = Rig::start(Settings { connections_max: 2, ..on(driver) }, |_| Serve(echo));
        let mut served = [rig.connect(), rig.connect()];
        for client in &mut served {
            client.write_all(b"ping").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
        }
        let mut refused = rig.connect();
        assert_eq!(refused.read(&mut [0; 1]).unwrap_or(0), 0, "{driver:?}");
        assert_eq!(rig.stats[0].connections_refused.load(Ordering::Relaxed), 1);
        drop(served);
        let open = || rig.stats[0].connections_open.load(Ordering::Relaxed);
        eventually("room again", || open() == 0);
        assert!(is_served(rig.address()), "{driver:?}");
    }
}

/// Runs in a process of its own: the descriptors it uses up are everyone's.
#[test]
fn running_out_of_descriptors_is_survived() {
    const MARK: &str = "NET_TEST_DESCRIPTORS";
    if std::env::var_os(MARK).is_some() {
        return DRIVERS.into_iter().for_each(use_up_descriptors);
    }
    let script = "ulimit -n 256; \
                  exec \"$0\" --exact accepting::running_out_of_descriptors_is_survived";
    let child = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(MARK, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

fn use_up_descriptors(driver: Driver) {
    let rig = Rig::start(on(driver), |_| Serve(echo));
    assert!(is_served(rig.address()));
    let mut waiting = rig.connect();
    waiting.write_all(b"before").unwrap();
    waiting.read_exact(&mut [0; 6]).unwrap();
    // Connected while there are descriptors, accepted when there are none: only the client's end is
    // opened before the rest is used up.
    let client = socket2::Socket::new(
        socket2::Domain::IPV4,
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )
    .unwrap();
    let mut hoard = Vec::new();
    while let Ok(copy) = std::io::stdin().as_fd().try_clone_to_owned() {
        hoard.push(copy);
    }
    client.connect(&rig.address().into()).unwrap();
    let failures = || rig.stats[0].accept_failures.load(Ordering::Relaxed);
    eventually("the shortage is noticed", || failures() > 0);
    // Those who are connected notice nothing.
    waiting.write_all(b"during").unwrap();
    waiting.read_exact(&mut [0; 6]).unwrap();
    drop(hoard);
    let mut client = std::net::TcpStream::from(client);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"after").unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
}

#[test]
fn every_worker_listens_and_the_real_port_is_told() {
    for driver in DRIVERS {
        let listen = vec!["127.0.0.1:0".parse().unwrap(), "[::]:0".parse().unwrap()];
        let settings = Settings { workers: 3, listen, ..on(driver) };
        let rig = Rig::start(settings, |_| Serve(echo));
        assert_eq!(rig.workers().driver(), driver);
        let [first, second] = rig.workers().addresses() else { panic!("two addresses") };
        assert_ne!(first.port(), 0);
        assert_ne!(second.port(), 0);
        for _ in 0..60 {
            assert!(is_served(*first));
        }
        // `[::]` serves IPv4 as well.
        assert!(is_served(SocketAddr::from(([127, 0, 0, 1], second.port()))));
        let accepted =
            |worker: usize| rig.stats[worker].connections_accepted.load(Ordering::Relaxed);
        // The kernel spreads by hash: that one of three gets none of 60 happens once in 10^10.
        assert!((0..3).all(|worker| accepted(worker) > 0), "{driver:?}");
    }
}

#[test]
fn peers_are_told_as_they_are() {
    async fn tell(mut connection: Connection) {
        let peer = connection.peer().unwrap().to_string();
        connection.write(buffer(peer.as_bytes())).await.unwrap();
    }
    for driver in DRIVERS {
        let listen = vec!["[::]:0".parse().unwrap()];
        let rig = Rig::start(Settings { listen, ..on(driver) }, |_| Serve(tell));
        let mut client = connect(SocketAddr::from(([127, 0, 0, 1], rig.address().port())));
        let mut told = String::new();
        client.read_to_string(&mut told).unwrap();
        assert_eq!(told, client.local_addr().unwrap().to_string(), "{driver:?}");
    }
}

#[test]
fn an_address_in_use_is_an_error_at_the_start() {
    for driver in DRIVERS {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = vec![taken.local_addr().unwrap()];
        let settings = Settings { workers: 2, listen, ..on(driver) };
        let error =
            Workers::start(settings, Stop::default(), stats(2), |_| Serve(echo)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse, "{driver:?}");
    }
}

#[test]
fn a_core_that_does_not_exist_is_an_error_at_the_start() {
    for driver in DRIVERS {
        let settings = Settings { workers: 2, pin_cores: Some(vec![0, 900]), ..on(driver) };
        let started = Workers::start(settings, Stop::default(), stats(2), |_| Serve(echo));
        assert!(started.is_err(), "{driver:?}");
    }
    let settings = Settings { pin_cores: Some(vec![0]), ..on(Driver::Epoll) };
    let rig = Rig::start(settings, |_| Serve(echo));
    assert!(is_served(rig.address()));
}

#[test]
fn the_driver_is_chosen_where_it_is_not_given() {
    let rig = Rig::start(on(Driver::Auto), |_| Serve(echo));
    match rig.workers().driver() {
        Driver::IoUring => {}
        Driver::Epoll => assert!(rig.workers().driver_note().is_some()),
        Driver::Auto => panic!("not decided"),
    }
    assert!(is_served(rig.address()));
}
