//! Ending: what is under way ends in peace, and a successor takes over without a gap.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use net::handover::{self, Guard};
use net::{Connection, Driver, Settings};
use seam::Stage;

use crate::support::*;

/// Answers with its name, one byte for each byte, and waits idly in between.
async fn sign(mut connection: Connection, name: u8) {
    loop {
        connection.set_idle(true);
        match connection.fill().await {
            Ok(1..) => {}
            _ => return connection.close().await,
        }
        connection.set_idle(false);
        let mut answer = connection.take_input();
        answer.as_mut_slice().fill(name);
        if connection.write(answer).await.is_err() {
            return;
        }
    }
}

fn start(settings: Settings, name: u8) -> Rig {
    Rig::start(settings, move |_| Serve(move |connection| sign(connection, name)))
}

fn ask(stream: &mut TcpStream) -> std::io::Result<u8> {
    stream.write_all(b"?")?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer[0])
}

#[test]
fn idle_clients_are_closed_and_busy_ones_finish() {
    async fn slow(mut connection: Connection) {
        connection.fill().await.unwrap();
        net::sleep(Duration::from_millis(2500)).await;
        connection.write(buffer(b"done")).await.unwrap();
    }
    for driver in DRIVERS {
        let mut rig = Rig::start(on(driver), |_| {
            Serve(|mut connection: Connection| async move {
                connection.set_idle(true);
                connection.fill().await.unwrap();
                connection.set_idle(false);
                match connection.take_input().as_slice() {
                    b"slow" => {
                        connection.write(buffer(b"wait")).await.unwrap();
                        slow(connection).await;
                    }
                    _ => {
                        connection.write(buffer(b"here")).await.unwrap();
                        sign(connection, b'!').await;
                    }
                }
            })
        });
        let mut busy = rig.connect();
        busy.write_all(b"slow").unwrap();
        busy.read_exact(&mut [0; 4]).unwrap();
        busy.write_all(b"go").unwrap();
        let mut idle = rig.connect();
        idle.write_all(b"warm").unwrap();
        idle.read_exact(&mut [0; 4]).unwrap();
        let start = Instant::now();
        rig.stop.advance(Stage::Draining);
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).unwrap();
        let idle_for = start.elapsed();
        assert!(idle_for >= Duration::from_millis(700), "{driver:?}: {idle_for:?}");
        assert!(idle_for < Duration::from_millis(2400), "{driver:?}: {idle_for:?}");
        assert_eq!(
            TcpStream::connect(rig.address()).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        let mut answer = [0; 4];
        busy.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"done", "{driver:?}");
        drop(busy);
        rig.join();
    }
}

#[test]
fn closing_cuts_off_what_is_left() {
    for driver in DRIVERS {
        let mut rig = start(on(driver), b'x');
        let mut client = rig.connect();
        ask(&mut client).unwrap();
        let start = Instant::now();
        rig.stop.advance(Stage::Closing);
        rig.join();
        assert!(start.elapsed() < Duration::from_secs(3), "{driver:?}: {:?}", start.elapsed());
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
    }
}

#[test]
fn a_service_that_never_ends_does_not_hold_its_worker() {
    for driver in DRIVERS {
        let mut rig = Rig::start(on(driver), |_| {
            Serve(|connection: Connection| async move {
                let _held = connection;
                net::sleep(Duration::from_secs(3600)).await;
            })
        });
        let mut sleeping = rig.connect();
        eventually("accepted", || rig.stats[0].connections_open.load(Ordering::Relaxed) == 1);
        rig.stop.advance(Stage::Closing);
        rig.join();
        assert_eq!(sleeping.read(&mut [0; 1]).unwrap_or(0), 0, "{driver:?}");
    }
}

#[test]
fn connections_queued_at_the_drain_are_served() {
    for driver in DRIVERS {
        let rig = start(on(driver), b'q');
        rig.stop.advance(Stage::Leaving);
        let clients: Vec<_> = (0..100).map(|_| rig.connect()).collect();
        rig.stop.advance(Stage::Draining);
        for mut client in clients {
            assert_eq!(ask(&mut client).unwrap(), b'q', "{driver:?}");
        }
    }
}

fn socket_path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("net-test-{name}-{}.sock", std::process::id()))
}

/// Offers the sockets of `rig`, which drains once they are taken.
fn offer(rig: &Rig, path: &std::path::Path) -> Guard {
    let stop = rig.stop.clone();
    handover::serve(path, rig.workers().listeners(), move || stop.advance(Stage::Draining)).unwrap()
}

fn successor_settings(driver: Driver, address: SocketAddr, inherited: Vec<OwnedFd>) -> Settings {
    Settings { listen: vec![address], inherited, ..on(driver) }
}

#[test]
fn a_restart_under_load_refuses_nobody() {
    for (from, to) in [
        (Driver::IoUring, Driver::IoUring),
        (Driver::Epoll, Driver::IoUring),
        (Driver::IoUring, Driver::Epoll),
    ] {
        let path = socket_path(&format!("load-{from:?}-{to:?}"));
        let mut old = start(Settings { workers: 2, ..on(from) }, b'1');
        let address = old.address();
        let guard = offer(&old, &path);
        let is_over = Arc::new(AtomicBool::new(false));
        let failures = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let (is_over, failures) = (Arc::clone(&is_over), Arc::clone(&failures));
                std::thread::spawn(move || {
                    let mut served = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        match TcpStream::connect(address).and_then(|mut stream| ask(&mut stream)) {
                            Ok(name) => served.push(name),
                            Err(_) => drop(failures.fetch_add(1, Ordering::Relaxed)),
                        }
                        // Closed connections keep their ports for a minute, and there are 28,000.
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    served
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(200));
        let (inherited, successor) = handover::take(&path).unwrap().expect("someone serves");
        assert_eq!(inherited.len(), 2);
        // One worker more than sockets: it gets a new socket of its own.
        let settings = Settings { workers: 3, ..successor_settings(to, address, inherited) };
        let new = start(settings, b'2');
        successor.ready().unwrap();
        old.join();
        drop(guard);
        std::thread::sleep(Duration::from_millis(300));
        is_over.store(true, Ordering::Relaxed);
        let served: Vec<u8> =
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        assert_eq!(failures.load(Ordering::Relaxed), 0, "{from:?} to {to:?} of {}", served.len());
        assert!(served.contains(&b'1') && served.contains(&b'2'), "{from:?} to {to:?}");
        drop(new);
    }
}

#[test]
fn a_successor_that_dies_changes_nothing() {
    let path = socket_path("dies");
    let rig = start(on(Driver::Epoll), b'1');
    let _guard = offer(&rig, &path);
    drop(handover::take(&path).unwrap().expect("someone serves"));
    assert_eq!(ask(&mut rig.connect()).unwrap(), b'1');
    // And the next one can try.
    assert!(handover::take(&path).unwrap().is_some());
    assert_eq!(rig.stop.stage(), Stage::Running);
}

#[test]
fn a_successor_that_hangs_does_not_hold_the_end_up() {
    let path = socket_path("hangs");
    let rig = start(on(Driver::Epoll), b'1');
    let guard = offer(&rig, &path);
    let _hanging = handover::take(&path).unwrap().expect("someone serves");
    let start = Instant::now();
    drop(guard);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// The sockets of a service manager have the numbers from 3 on, which a shell arranges here.
#[test]
fn sockets_of_a_service_manager_are_taken_once() {
    const MARK: &str = "NET_TEST_SERVICE_MANAGER";
    if let Ok(port) = std::env::var(MARK) {
        let inherited = handover::from_service_manager();
        assert_eq!(inherited.len(), 1);
        assert!(handover::from_service_manager().is_empty());
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        let rig = start(successor_settings(Driver::Epoll, address, inherited), b'm');
        assert_eq!(rig.address(), address);
        assert_eq!(ask(&mut connect(address)).unwrap(), b'm');
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; \
                  exec \"$0\" --exact drains::sockets_of_a_service_manager_are_taken_once 3<&0";
    let child = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(MARK, port.to_string())
        .stdin(OwnedFd::from(listener))
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
fn the_handover_socket_is_private_and_cleaned_up() {
    let path = socket_path("private");
    assert!(handover::take(&path).unwrap().is_none());
    let rig = start(on(Driver::Epoll), b'1');
    let guard = offer(&rig, &path);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A second one takes the place, and the first leaves it there.
    let second = offer(&rig, &path);
    drop(guard);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn descriptors_arrive_in_batches() {
    let path = socket_path("batches");
    let settings = Settings { workers: 1, ..on(Driver::Epoll) };
    let listen = (0..300).map(|_| SocketAddr::from(([127, 0, 0, 1], 0))).collect();
    let rig = start(Settings { listen, ..settings }, b'1');
    let _guard = offer(&rig, &path);
    let (inherited, _successor) = handover::take(&path).unwrap().expect("someone serves");
    let mut ports: Vec<u16> = inherited
        .iter()
        .map(|fd| socket2::SockRef::from(fd).local_addr().unwrap().as_socket().unwrap().port())
        .collect();
    let mut expected: Vec<u16> = rig.workers().addresses().iter().map(SocketAddr::port).collect();
    ports.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ports, expected);
}

#[test]
fn a_foreign_socket_without_sharing_is_used_by_all_workers() {
    for driver in DRIVERS {
        let foreign = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = foreign.local_addr().unwrap();
        let settings = successor_settings(driver, address, vec![foreign.into()]);
        let rig = start(Settings { workers: 2, ..settings }, b'f');
        for _ in 0..20 {
            assert_eq!(ask(&mut connect(address)).unwrap(), b'f', "{driver:?}");
        }
        drop(rig);
        assert!(TcpStream::connect(address).is_err(), "{driver:?}");
    }
}
