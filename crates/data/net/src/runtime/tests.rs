//! What the ring promises, counted from inside.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use seam::{Stage, Stop, WorkerStats};
use snapshot::{Address, Endpoint};

use super::{Features, Plan, Runtime, yield_now};
use crate::{Connection, Driver, Service, Settings, Workers};

thread_local! {
    /// Times the thread's ring has entered the kernel.
    pub(super) static ENTERS: Cell<u64> = const { Cell::new(0) };

    /// The error code of every following wait of the thread's driver, while it is not 0.
    static INJECTED: Cell<i32> = const { Cell::new(0) };
}

/// What the kernel said, or the error that a test wants.
pub(super) fn injected<T>(outcome: std::io::Result<T>) -> std::io::Result<T> {
    match INJECTED.get() {
        0 => outcome,
        code => Err(std::io::Error::from_raw_os_error(code)),
    }
}

const WARM_UP: usize = 100;
const MEASURED: usize = 1_000;

/// Relays every request to an upstream and reports how often the measured ones entered the kernel.
struct Relay {
    endpoint: Arc<Endpoint>,
    report: Sender<u64>,
}

impl Service for Relay {
    async fn serve(self: Rc<Self>, mut client: Connection) {
        for _ in 0..WARM_UP {
            self.relay(&mut client).await;
        }
        let before = ENTERS.get();
        for _ in 0..MEASURED {
            self.relay(&mut client).await;
        }
        self.report.send(ENTERS.get() - before).unwrap();
    }
}

impl Relay {
    async fn relay(&self, client: &mut Connection) {
        client.fill().await.unwrap();
        let deadline = crate::now() + Duration::from_secs(10);
        let mut upstream = crate::checkout(&self.endpoint, deadline).await.unwrap();
        let pair = crate::pair(client, &upstream.connection);
        upstream.connection.set_deadline(Some(deadline));
        upstream.connection.write(client.take_input()).await.unwrap();
        upstream.connection.fill().await.unwrap();
        client.write(upstream.connection.take_input()).await.unwrap();
        drop(pair);
        upstream.checkin();
    }
}

/// Sends back what comes on one connection.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut message = [0; 512];
        while stream.read_exact(&mut message).is_ok() {
            stream.write_all(&message).unwrap();
        }
    });
    address
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        id: 0x9e37_79b9_7f4a_7c15,
        address: Address::Ip(address),
        tls: None,
        proxy: None,
        authority: String::from("localhost"),
        connections_max: 10,
        connections_open: Arc::default(),
        connect_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(30),
        age_max: Duration::from_secs(300),
    }
}

#[test]
fn a_relayed_exchange_enters_the_kernel_twice() {
    let (report, reports) = channel();
    let endpoint = Arc::new(endpoint(echo_server()));
    let stop = Stop::default();
    let stats: Arc<[WorkerStats]> = Arc::new([WorkerStats::default()]);
    let settings = Settings { driver: Driver::IoUring, ..Settings::default() };
    let workers = Workers::start(settings, stop.clone(), stats, move |_| Relay {
        endpoint: Arc::clone(&endpoint),
        report: report.clone(),
    })
    .unwrap();
    let mut client = TcpStream::connect(workers.addresses()[0]).unwrap();
    client.set_nodelay(true).unwrap();
    let mut message = [7; 512];
    for _ in 0..WARM_UP + MEASURED {
        client.write_all(&message).unwrap();
        client.read_exact(&mut message).unwrap();
    }
    let enters = reports.recv_timeout(Duration::from_secs(30)).unwrap();
    stop.advance(Stage::Closing);
    workers.join().unwrap();
    let each = enters as f64 / MEASURED as f64;
    println!("{each} enters for an exchange");
    // The tick adds a few in a second.
    assert!((1.95..=2.05).contains(&each), "{each}");
}

/// What a runtime can be made with here.
fn plans() -> [Plan; 2] {
    let plan = |ring| Plan { ring, ring_entries: 64, busy_poll: None, sockets: 4 };
    [plan(Some(Features::probe().unwrap())), plan(None)]
}

#[test]
fn a_driver_that_may_not_work_does_not_start() {
    for plan in plans() {
        INJECTED.set(libc::EPERM);
        let started = Runtime::install(plan).map(drop);
        INJECTED.set(0);
        let error = started.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{plan:?}");
        // Nothing is left of it.
        Runtime::install(plan).unwrap();
    }
}

#[test]
fn an_error_that_passes_ends_nothing() {
    let mut passing = vec![libc::EINTR, libc::EAGAIN, libc::EBUSY, libc::ETIME];
    for plan in plans() {
        let runtime = Runtime::install(plan).unwrap();
        for code in passing.drain(..) {
            let main = async move {
                INJECTED.set(code);
                for _ in 0..10 {
                    yield_now().await;
                }
                INJECTED.set(0);
            };
            runtime.run(main).unwrap();
        }
        // The only one that epoll knows.
        passing = vec![libc::EINTR];
    }
}

/// Lets its worker fail when it is told to, and otherwise sends back what comes.
struct Failing;

impl Service for Failing {
    async fn serve(self: Rc<Self>, mut connection: Connection) {
        while let Ok(1..) = connection.fill().await {
            if connection.input() == b"fail" {
                INJECTED.set(libc::EBADF);
            }
            let input = connection.take_input();
            connection.write(input).await.unwrap();
        }
    }
}

#[test]
fn a_worker_that_fails_later_ends_all_with_its_error() {
    for driver in [Driver::IoUring, Driver::Epoll] {
        let stop = Stop::default();
        let stats: Arc<[WorkerStats]> = (0..2).map(|_| WorkerStats::default()).collect();
        let settings = Settings { driver, workers: 2, ..Settings::default() };
        let workers = Workers::start(settings, stop.clone(), stats, |_| Failing).unwrap();
        let mut client = TcpStream::connect(workers.addresses()[0]).unwrap();
        client.write_all(b"fail").unwrap();
        let error = workers.join().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{driver:?}");
        assert_eq!(stop.stage(), Stage::Closing);
    }
}
