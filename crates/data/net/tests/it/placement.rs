//! Connections that all come in on one worker are spread.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;

use net::{Driver, Settings};
use seam::Stage;
use socket2::{Domain, Protocol, Socket, Type};

use crate::support::*;

const CONNECTIONS: usize = 64;

/// The fuller of two workers may have so many of them.
const SHARE_MAX: u64 = 40;

/// A listening socket that receives all connections to its address, whoever else listens there.
fn greedy_listener() -> (OwnedFd, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(1024).unwrap();
    choose_first(&socket);
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (OwnedFd::from(socket), address)
}

/// Puts a program in place of the kernel's hash: "return 0", the first socket of the address.
#[expect(unsafe_code, reason = "the option has no safe wrapper")]
fn choose_first(socket: &Socket) {
    let mut code =
        [libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 }];
    let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    // SAFETY: the kernel copies the program, which lives here with its code.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

fn unevenly(driver: Driver, workers: usize) -> Rig {
    let (listener, address) = greedy_listener();
    let settings =
        Settings { workers, listen: vec![address], inherited: vec![listener], ..on(driver) };
    Rig::start(settings, |_| Serve(echo))
}

fn ping(client: &mut TcpStream) {
    client.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"ping");
}

fn open(rig: &Rig) -> Vec<u64> {
    rig.stats.iter().map(|stats| stats.connections_open.load(Ordering::Relaxed)).collect()
}

#[test]
fn connections_that_come_in_on_one_worker_are_spread_one_by_one() {
    for driver in DRIVERS {
        let rig = unevenly(driver, 2);
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut client = rig.connect();
            ping(&mut client);
            clients.push(client);
        }
        let open = open(&rig);
        println!("{driver:?}: {open:?}");
        assert_eq!(open.iter().sum::<u64>(), CONNECTIONS as u64, "{driver:?}");
        assert!(open.iter().all(|count| *count <= SHARE_MAX), "{driver:?}: {open:?}");
        // Wherever they are, they are served.
        clients.iter_mut().for_each(ping);
    }
}

#[test]
fn connections_that_come_in_at_once_are_spread() {
    for driver in DRIVERS {
        let rig = unevenly(driver, 2);
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| rig.connect()).collect();
        clients.iter_mut().for_each(ping);
        let open = open(&rig);
        println!("{driver:?}: {open:?}");
        assert!(open.iter().all(|count| *count <= SHARE_MAX), "{driver:?}: {open:?}");
    }
}

#[test]
fn a_busy_worker_gets_no_more_however_many_idle_connections_the_other_has() {
    for driver in DRIVERS {
        let rig = unevenly(driver, 2);
        // As if these were long streams: nothing here begins requests.
        rig.stats[0].requests_active.store(CONNECTIONS as u64, Ordering::Relaxed);
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| rig.connect()).collect();
        clients.iter_mut().for_each(ping);
        assert_eq!(open(&rig), [0, CONNECTIONS as u64], "{driver:?}");
    }
}

#[test]
fn none_is_lost_when_the_workers_drain() {
    for driver in DRIVERS {
        let mut rig = unevenly(driver, 3);
        let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| rig.connect()).collect();
        rig.stop.advance(Stage::Draining);
        // All were accepted by the kernel, so all are served, and closed in order when they end.
        for client in &mut clients {
            ping(client);
            client.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "{driver:?}");
        }
        rig.join();
    }
}
