//! The real data plane in this process, its caller and its provider played in lockstep by the thread that
//! measures, so that what the worker does depends on no timing.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::Duration;

use net::{Driver, Settings, Workers};
use seam::{Published, Seam, Stage};

use crate::rest::Watched;
use crate::{Pace, allocations};

/// A gateway of one worker on epoll (valgrind knows no rings), with one caller's connection and one connection
/// to its provider. Ends when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    seam: Seam,
    workers: Option<Workers>,
    /// The worker's thread, where it is waited for.
    watched: Option<Watched>,
    caller: TcpStream,
    provider: TcpStream,
    received: Vec<u8>,
}

/// Where a message ends: tells whether all of it has been received.
pub type End = fn(&[u8]) -> bool;

/// A message of a case has no more bytes than that.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A case that waits for longer waits for something that never comes. Far above what valgrind takes for a step.
const SILENCE_MAX: Duration = Duration::from_secs(30);

impl Gateway {
    /// Starts a gateway whose provider `openai` has `keys` keys, and lets a first request through it, for
    /// which the provider gives `reply` and the caller gets something that ends at `end`.
    ///
    /// # Errors
    /// Sockets, and an exchange that went otherwise.
    pub fn start(
        pace: Pace,
        keys: usize,
        request: &[u8],
        reply: &[u8],
        end: End,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let seam = Seam::new(Published::new(openai_snapshot(keys, listener.local_addr()?)?), 1);
        let (workers, worker) = start_worker(&seam)?;
        let watched = (pace == Pace::Lockstep).then_some(worker);
        let address = workers.addresses().first().copied();
        let mut caller = TcpStream::connect(address.ok_or(io::ErrorKind::AddrNotAvailable)?)?;
        set_up(&caller)?;
        caller.write_all(request)?;
        let (provider, _) = listener.accept()?;
        set_up(&provider)?;
        let received = Vec::new();
        let mut gateway =
            Self { seam, workers: Some(workers), watched, caller, provider, received };
        gateway.answer(reply, end)?;
        Ok(gateway)
    }

    /// One more request and its reply.
    ///
    /// # Errors
    /// Sockets, and an exchange that went otherwise.
    pub fn exchange(&mut self, request: &[u8], reply: &[u8]) -> io::Result<()> {
        self.await_rest()?;
        self.caller.write_all(request)?;
        self.answer(reply, is_message)
    }

    /// Lets the provider send `bytes`, for which the caller gets something that ends at `end`.
    ///
    /// # Errors
    /// Sockets, and a caller that got something else.
    pub fn provide(&mut self, bytes: &[u8], end: End) -> io::Result<()> {
        self.await_rest()?;
        self.provider.write_all(bytes)?;
        receive(&mut self.caller, &mut self.received, end)?;
        for events in &*self.seam.events {
            while events.pop().is_some() {}
        }
        Ok(())
    }

    /// What the caller received last.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    fn await_rest(&self) -> io::Result<()> {
        self.watched.as_ref().map_or(Ok(()), |worker| worker.await_rest(SILENCE_MAX))
    }

    fn answer(&mut self, reply: &[u8], end: End) -> io::Result<()> {
        receive(&mut self.provider, &mut self.received, is_message)?;
        self.provide(reply, end)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.seam.stop.advance(Stage::Closing);
        if let Some(workers) = self.workers.take() {
            // What could be done about an error here was to be done by the case.
            let _ = workers.join();
        }
    }
}

/// The snapshot of a configuration.
///
/// # Errors
/// A configuration that has mistakes.
pub fn snapshot_of(config: &str) -> io::Result<snapshot::Snapshot> {
    let config = config::parse(config.as_bytes(), &|_| None)
        .map_err(|problems| io::Error::other(format!("{problems:?}")))?;
    Ok(snapshot::Builder::new("unused.sock".into()).build(&config))
}

/// One provider with so many keys of equal weight.
fn openai_snapshot(keys: usize, provider: SocketAddr) -> io::Result<snapshot::Snapshot> {
    let key = |index| {
        format!(r#"{{"name":"key-{index}","value":"sk-{index:032}","models":["*"],"weight":1}}"#)
    };
    let keys: Vec<String> = (0..keys).map(key).collect();
    snapshot_of(&format!(
        r#"{{"providers":{{"openai":{{
            "keys":[{}],"network_config":{{"base_url":"http://{provider}"}}}}}}}}"#,
        keys.join(",")
    ))
}

/// The worker, and what its thread is watched by.
fn start_worker(seam: &Seam) -> io::Result<(Workers, Watched)> {
    let settings = Settings { driver: Driver::Epoll, ..Settings::default() };
    let shared = seam.clone();
    let (report, reports) = channel();
    let stats = seam.stats.clone();
    let workers = Workers::start(settings, seam.stop.clone(), stats, move |index| {
        allocations::count_this_thread(true);
        // Received below, unless the start failed.
        let _ = report.send(Watched::this_thread());
        service(proxy::Worker::new(index, &shared))
    })?;
    let watched = reports.recv().map_err(io::Error::other)??;
    Ok((workers, watched))
}

#[cfg(not(feature = "slowed"))]
fn service(worker: proxy::Worker) -> proxy::Worker {
    worker
}

#[cfg(feature = "slowed")]
fn service(worker: proxy::Worker) -> crate::slowed::Slowed {
    crate::slowed::Slowed(worker.into())
}

fn set_up(connection: &TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(SILENCE_MAX))
}

/// Reads one message into `received`.
fn receive(from: &mut TcpStream, received: &mut Vec<u8>, end: End) -> io::Result<()> {
    received.clear();
    let mut piece = [0; 64 * 1024];
    while !end(received) {
        let count = from.read(&mut piece)?;
        if count == 0 || received.len() > MESSAGE_BYTES_MAX {
            let text = String::from_utf8_lossy(received);
            return Err(io::Error::other(format!("not the message that was expected: {text}")));
        }
        received.extend_from_slice(&piece[..count]);
    }
    Ok(())
}

/// Whether `bytes` is a whole message, the end of which `content-length` tells.
pub fn is_message(bytes: &[u8]) -> bool {
    let Some(head_end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body = length.and_then(|length| length.trim().parse::<usize>().ok()).unwrap_or(0);
    bytes.len() >= head_end + 4 + body
}

/// Whether `bytes` ends with an event that is the end of a chunk.
pub fn is_event(bytes: &[u8]) -> bool {
    bytes.ends_with(b"\n\n\r\n")
}
