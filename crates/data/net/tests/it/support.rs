//! Starts workers, runs scenarios on them, and plays the peers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use net::{Buffer, Connection, Driver, Service, Settings, Workers};
use seam::{Stage, Stop, WorkerStats};
use snapshot::{Address, Endpoint};

pub(crate) const DRIVERS: [Driver; 2] = [Driver::IoUring, Driver::Epoll];

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Workers that are closed when the test ends.
pub(crate) struct Rig {
    workers: Option<Workers>,
    pub(crate) stop: Stop,
    pub(crate) stats: Arc<[WorkerStats]>,
}

impl Rig {
    pub(crate) fn start<S: Service>(
        settings: Settings,
        make: impl Fn(usize) -> S + Send + Sync + 'static,
    ) -> Self {
        let (stop, stats) = (Stop::default(), stats(settings.workers));
        let workers = Workers::start(settings, stop.clone(), Arc::clone(&stats), make).unwrap();
        Self { workers: Some(workers), stop, stats }
    }

    pub(crate) fn workers(&self) -> &Workers {
        self.workers.as_ref().unwrap()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.workers().addresses()[0]
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address())
    }

    pub(crate) fn join(&mut self) {
        if let Some(workers) = self.workers.take() {
            workers.join().unwrap();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.advance(Stage::Closing);
        self.join();
    }
}

pub(crate) fn stats(workers: usize) -> Arc<[WorkerStats]> {
    (0..workers).map(|_| WorkerStats::default()).collect()
}

pub(crate) fn on(driver: Driver) -> Settings {
    Settings { driver, ..Settings::default() }
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A service that calls a function.
pub(crate) struct Serve<F>(pub F);

impl<F, T> Service for Serve<F>
where
    F: Fn(Connection) -> T + 'static,
    T: Future<Output = ()> + 'static,
{
    fn serve(self: Rc<Self>, connection: Connection) -> impl Future<Output = ()> + 'static {
        (self.0)(connection)
    }
}

/// Reads for half a second, and says that it was too slow.
pub(crate) async fn refuse_late(mut connection: Connection) {
    connection.set_deadline(Some(net::now() + Duration::from_millis(500)));
    let error = loop {
        if let Err(error) = connection.fill().await {
            break error;
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    let again = connection.fill().await.unwrap_err();
    assert_eq!(again.kind(), std::io::ErrorKind::TimedOut);
    connection.set_deadline(Some(patience()));
    connection.write(buffer(b"too slow")).await.unwrap();
    connection.close_unread().await;
}

/// Sends back what comes until the client has sent everything.
pub(crate) async fn echo(mut connection: Connection) {
    while let Ok(1..) = connection.fill().await {
        let input = connection.take_input();
        if connection.write(input).await.is_err() {
            return;
        }
    }
    connection.close().await;
}

/// Runs `scenario` on a worker of its own and returns what it came to.
pub(crate) fn on_worker<T, F, S>(settings: Settings, scenario: S) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
    S: FnOnce() -> F + Send + 'static,
{
    let (send, receive) = channel();
    let scenario = Mutex::new(Some((scenario, send)));
    let _rig = Rig::start(settings, move |_| {
        if let Some((scenario, send)) = scenario.lock().unwrap().take() {
            net::spawn(async move {
                let outcome = scenario().await;
                let _ = send.send(outcome);
            });
        }
        Serve(echo)
    });
    receive.recv_timeout(PATIENCE).expect("the scenario ends without a panic")
}

/// A peer that accepts once and runs `script`.
pub(crate) fn peer<T: Send + 'static>(
    script: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        script(stream)
    });
    (address, thread)
}

/// A peer that answers every 4 bytes with the number of the connection (from 0) they came on, and
/// accepts for as long as the process lives.
pub(crate) fn counting_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut request = [0; 4];
                while stream.read_exact(&mut request).is_ok() {
                    if stream.write_all(&(number as u32).to_be_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// An endpoint with an id of its own.
pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    endpoint_at(Address::Ip(address))
}

pub(crate) fn endpoint_at(address: Address) -> Endpoint {
    static IDS: AtomicUsize = AtomicUsize::new(1);
    let number = IDS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as u64;
    Endpoint {
        id: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        address,
        tls: None,
        proxy: None,
        authority: String::from("localhost"),
        connections_max: 100,
        connections_open: Arc::default(),
        connect_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(30),
        age_max: Duration::from_secs(300),
    }
}

/// Sends four bytes and waits for four, which are a number.
pub(crate) async fn exchange(connection: &mut Connection) -> std::io::Result<u32> {
    connection.write(buffer(b"ping")).await?;
    while connection.input().len() < 4 {
        if connection.fill().await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let answer = u32::from_be_bytes(connection.input()[..4].try_into().unwrap());
    connection.consume(4);
    Ok(answer)
}

pub(crate) fn buffer(bytes: &[u8]) -> Buffer {
    let mut buffer = Buffer::new();
    buffer.extend_from_slice(bytes);
    buffer
}

/// A deadline that is not part of what is tested.
pub(crate) fn patience() -> net::Tick {
    net::now() + PATIENCE
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `count` bytes in which any missing, repeated or swapped piece shows.
pub(crate) fn pattern(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index.wrapping_mul(31) ^ (index >> 8)) as u8).collect()
}
