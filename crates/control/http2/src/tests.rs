//! The service between a client on one side and a worker played by the test on the other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that panics fails its test")]

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{Reason, RecvStream};
use http::{Request, StatusCode};
use seam::{Arrived, Carried, Intake, Published, Seam};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::Service;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Rig {
    seam: Seam,
    service: Option<Service>,
    worker: Intake<Carried>,
}

impl Rig {
    fn start() -> Self {
        let config = config::parse(b"{}", &|_| None).expect("an empty configuration is sound");
        let snapshot = snapshot::Builder::new("/nonexistent/control.sock".into()).build(&config);
        let seam = Seam::new(Published::new(snapshot), 1);
        let service = Service::start(seam.clone(), None).unwrap();
        let worker = seam.http2.carried[0].open();
        Self { seam, service: Some(service), worker }
    }

    /// A client whose connection a worker has handed over.
    async fn connect(&self) -> SendRequest<Bytes> {
        let listener = StdTcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, peer) = listener.accept().unwrap();
        let received = Vec::new();
        let arrived = Arrived { socket: socket.into(), peer: Some(peer), received, is_tls: false };
        assert!(self.seam.http2.arrivals.put(arrived).is_ok());
        let (client, connection) = client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        client.ready().await.unwrap()
    }

    /// The next connection to the worker.
    async fn carried(&self) -> Worker {
        let next = poll_fn(|context| self.worker.poll_next(context));
        let carried = timeout(PATIENCE, next).await.expect("a stream is carried");
        let stream = std::os::unix::net::UnixStream::from(carried.socket);
        stream.set_nonblocking(true).unwrap();
        let stream = UnixStream::from_std(stream).unwrap();
        Worker { stream, peer: carried.peer, is_secure: carried.is_secure, _token: carried.token }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(service) = self.service.take() {
            service.stop();
        }
        assert_eq!(self.seam.http2.open.load(Ordering::Relaxed), 0, "all connections have ended");
    }
}

/// The worker's end of a connection.
struct Worker {
    stream: UnixStream,
    peer: Option<SocketAddr>,
    is_secure: bool,
    _token: Box<dyn std::any::Any + Send>,
}

impl Worker {
    /// Reads up to and including `end`.
    async fn read(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let byte = timeout(PATIENCE, self.stream.read_u8()).await.expect("in time");
            read.push(byte.unwrap_or_else(|error| panic!("{error} after {read:?}")));
        }
        String::from_utf8(read).unwrap()
    }

    async fn write(&mut self, reply: &str) {
        self.stream.write_all(reply.as_bytes()).await.unwrap();
    }

    /// Whether the other end closes.
    async fn is_left(&mut self) -> bool {
        matches!(timeout(PATIENCE, self.stream.read(&mut [0; 64])).await, Ok(Ok(0) | Err(_)))
    }
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://gateway{path}")).body(()).unwrap()
}

async fn text(mut body: RecvStream) -> Result<String, h2::Error> {
    let mut whole = Vec::new();
    while let Some(data) = timeout(PATIENCE, body.data()).await.expect("in time") {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(String::from_utf8(whole).unwrap())
}

const REPLY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\nok";

#[tokio::test]
async fn a_stream_is_a_request_to_a_worker() {
    let rig = Rig::start();
    let mut client = rig.connect().await;
    let request = Request::post("http://gateway/v1/x?y=z").header("content-length", 4).body(());
    let (reply, mut body) = client.send_request(request.unwrap(), false).unwrap();
    body.send_data(Bytes::from_static(b"ping"), true).unwrap();
    let mut worker = rig.carried().await;
    assert!(worker.peer.is_some_and(|peer| peer.ip().is_loopback()) && !worker.is_secure);
    let head = worker.read("\r\n\r\n").await;
    let mut lines: Vec<_> = head.trim_end().lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["POST /v1/x?y=z HTTP/1.1", "content-length: 4", "host: gateway"]);
    worker.read("ping").await;
    worker.write(REPLY).await;
    let reply = timeout(PATIENCE, reply).await.expect("in time").unwrap();
    assert_eq!((reply.status(), &reply.headers()["x-a"]), (StatusCode::OK, &"b".parse().unwrap()));
    assert_eq!(text(reply.into_body()).await.unwrap(), "ok");

    // The next stream takes the same way.
    let (reply, _) = client.send_request(get("/second"), true).unwrap();
    assert!(worker.read("\r\n\r\n").await.starts_with("GET /second HTTP/1.1\r\n"));
    worker.write(REPLY).await;
    assert_eq!(reply.await.unwrap().status(), StatusCode::OK);
    drop((client, body));
    assert!(worker.is_left().await);
}

#[tokio::test]
async fn streams_under_way_have_ways_of_their_own() {
    let rig = Rig::start();
    let mut client = rig.connect().await;
    let (first, _) = client.send_request(get("/1"), true).unwrap();
    let (second, _) = client.send_request(get("/2"), true).unwrap();
    let (mut one, mut other) = (rig.carried().await, rig.carried().await);
    one.read("\r\n\r\n").await;
    other.read("\r\n\r\n").await;
    other.write(REPLY).await;
    one.write(REPLY).await;
    assert_eq!(first.await.unwrap().status(), StatusCode::OK);
    assert_eq!(second.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_resets_has_left_the_worker() {
    let rig = Rig::start();
    let mut client = rig.connect().await;
    for begins in ["", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n"] {
        let (reply, mut stream) = client.send_request(get("/"), false).unwrap();
        stream.send_data(Bytes::new(), true).unwrap();
        let mut worker = rig.carried().await;
        worker.read("\r\n\r\n").await;
        worker.write(begins).await;
        if begins.is_empty() {
            stream.send_reset(Reason::CANCEL);
            assert!(reply.await.is_err());
        } else {
            assert_eq!(reply.await.unwrap().status(), StatusCode::OK);
            stream.send_reset(Reason::CANCEL);
        }
        assert!(worker.is_left().await);
    }
}

#[tokio::test]
async fn a_reply_that_is_cut_off_is_an_error_of_its_stream() {
    let rig = Rig::start();
    let mut client = rig.connect().await;
    for begins in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", "no reply at all\r\n\r\n"]
    {
        let (reply, _) = client.send_request(get("/"), true).unwrap();
        let mut worker = rig.carried().await;
        worker.read("\r\n\r\n").await;
        worker.write(begins).await;
        drop(worker);
        let ended = match reply.await {
            Ok(reply) => text(reply.into_body()).await.map(|_| ()),
            Err(error) => Err(error),
        };
        assert_eq!(ended.unwrap_err().reason(), Some(Reason::INTERNAL_ERROR), "{begins:?}");
    }
    // The connection goes on.
    let (reply, _) = client.send_request(get("/"), true).unwrap();
    rig.carried().await.write(REPLY).await;
    assert_eq!(reply.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn without_a_worker_a_stream_can_be_sent_again() {
    let mut rig = Rig::start();
    rig.worker = Seam::new(rig.seam.published.clone(), 1).http2.carried[0].open();
    let mut client = rig.connect().await;
    let (reply, _) = client.send_request(get("/"), true).unwrap();
    assert_eq!(reply.await.unwrap_err().reason(), Some(Reason::REFUSED_STREAM));
}

#[tokio::test]
async fn who_leaves_finishes_what_is_under_way() {
    let rig = Rig::start();
    let mut client = rig.connect().await;
    let (reply, _) = client.send_request(get("/"), true).unwrap();
    let mut worker = rig.carried().await;
    worker.read("\r\n\r\n").await;
    rig.service.as_ref().unwrap().handle().leave();
    // The client hears of it, and opens no more.
    let refused = timeout(PATIENCE, async {
        loop {
            match client.clone().ready().await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        }
    });
    assert!(refused.await.expect("in time").is_go_away());
    worker.write(REPLY).await;
    assert_eq!(text(reply.await.unwrap().into_body()).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_tunnel_goes_to_no_worker() {
    let rig = Rig::start();
    let mut client = rig.connect().await;
    let tunnel = Request::connect("gateway:443").body(()).unwrap();
    let (reply, _stream) = client.send_request(tunnel, true).unwrap();
    let reply = reply.await.unwrap();
    assert_eq!(reply.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(text(reply.into_body()).await.unwrap().contains("\"status_code\":405"));
}
