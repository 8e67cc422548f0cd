//! A warm exchange allocates nothing. In a binary of its own, because it counts what the process does.
#![allow(clippy::unwrap_used, reason = "a helper that panics fails its test")]
#![expect(unsafe_code, reason = "an allocator is unsafe to implement")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use net::{Connection, Driver, Service, Settings, Workers};
use seam::{Stage, Stop, WorkerStats};
use snapshot::{Address, Endpoint};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts what its own thread asks for.
struct Counting;

// SAFETY: all is passed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // An error means that the thread is ending.
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: usize = 200;
const MEASURED: usize = 1_000;

/// Relays every request to an upstream and reports the allocations of the measured ones.
struct Relay {
    endpoint: Arc<Endpoint>,
    report: std::sync::mpsc::Sender<u64>,
}

impl Service for Relay {
    async fn serve(self: Rc<Self>, mut client: Connection) {
        for _ in 0..WARM_UP {
            self.relay(&mut client).await.unwrap();
        }
        let before = COUNT.get();
        for _ in 0..MEASURED {
            self.relay(&mut client).await.unwrap();
        }
        self.report.send(COUNT.get() - before).unwrap();
    }
}

impl Relay {
    async fn relay(&self, client: &mut Connection) -> std::io::Result<()> {
        client.set_deadline(Some(net::now() + Duration::from_secs(10)));
        client.fill().await?;
        let deadline = net::now() + Duration::from_secs(10);
        let mut upstream = net::checkout(&self.endpoint, deadline).await.unwrap();
        let pair = net::pair(client, &upstream.connection);
        upstream.connection.set_deadline(Some(deadline));
        upstream.connection.write(client.take_input()).await?;
        upstream.connection.fill().await?;
        client.write(upstream.connection.take_input()).await?;
        drop(pair);
        upstream.checkin();
        Ok(())
    }
}

fn allocations(driver: Driver) -> u64 {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(server.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut message = [0; 1024];
        while stream.read_exact(&mut message).is_ok() {
            stream.write_all(&message).unwrap();
        }
    });
    let (report, reports) = channel();
    let endpoint = Arc::new(endpoint);
    let stop = Stop::default();
    let stats: Arc<[WorkerStats]> = Arc::new([WorkerStats::default()]);
    let settings = Settings { driver, ..Settings::default() };
    let workers = Workers::start(settings, stop.clone(), stats, move |_| Relay {
        endpoint: Arc::clone(&endpoint),
        report: report.clone(),
    });
    let workers = workers.unwrap();
    let mut client = std::net::TcpStream::connect(workers.addresses()[0]).unwrap();
    client.set_nodelay(true).unwrap();
    let mut message = [7; 1024];
    for _ in 0..WARM_UP + MEASURED {
        client.write_all(&message).unwrap();
        client.read_exact(&mut message).unwrap();
    }
    let count = reports.recv_timeout(Duration::from_secs(30)).unwrap();
    stop.advance(Stage::Closing);
    workers.join().unwrap();
    count
}

fn endpoint(address: std::net::SocketAddr) -> Endpoint {
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
fn a_warm_relayed_exchange_allocates_nothing() {
    for driver in [Driver::IoUring, Driver::Epoll] {
        // The tick allocates a few bytes ten times a second when it polls idle connections.
        let count = allocations(driver);
        println!("{driver:?}: {count} allocations in {MEASURED} exchanges");
        assert!(count <= 20, "{driver:?}: {count}");
    }
}
