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

use crate::{Connection, Driver, Service, Settings, Workers};

thread_local! {
    /// Times the thread's ring has entered the kernel.
    pub(super) static ENTERS: Cell<u64> = const { Cell::new(0) };
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
    workers.join();
    let each = enters as f64 / MEASURED as f64;
    println!("{each} enters for an exchange");
    // The tick adds a few in a second.
    assert!((1.95..=2.05).contains(&each), "{each}");
}
