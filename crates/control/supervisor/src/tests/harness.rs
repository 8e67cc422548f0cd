//! A control plane with a configuration file of its own, and a plain HTTP client for its socket.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use seam::{Published, Seam};
use serde_json::Value;

use crate::{ConfigFile, Credentials, Handle, Settings, Socket, Supervisor};

const PATIENCE: Duration = Duration::from_secs(10);

/// Ends with the test.
pub(crate) struct Running {
    pub(crate) seam: Seam,
    pub(crate) file: PathBuf,
    handle: Handle,
    socket: PathBuf,
    supervisor: Option<Supervisor>,
    _directory: Directory,
}

/// A reply, body whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Running {
    /// Starts with `config` in the file, or without a file.
    pub(crate) fn start(config: Option<&str>) -> Self {
        let directory = Directory::new();
        let path = directory.0.join("config.json");
        if let Some(config) = config {
            fs::write(&path, config).expect("a new file");
        }
        let file = ConfigFile { path: path.clone(), is_required: false, profile: None };
        let first = file.load().unwrap_or_else(|error| panic!("{error}"));
        let socket = Socket::bind(std::slice::from_ref(&directory.0)).expect("a socket");
        let socket_path = socket.path().to_owned();
        let mut builder = snapshot::Builder::new(socket_path.clone());
        let seam = Seam::new(Published::new(builder.build(&first.config)), 1);
        let supervisor = Supervisor::start(Settings {
            seam: seam.clone(),
            socket,
            file,
            first,
            builder,
            credentials: Credentials::new(),
            telemetry: telemetry::Settings::default(),
            http2_tls: None,
            drain: PATIENCE,
            signals: false,
        })
        .expect("a control plane");
        Self {
            seam,
            file: path,
            handle: supervisor.handle(),
            socket: socket_path,
            supervisor: Some(supervisor),
            _directory: directory,
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn get(&self, target: &str) -> Reply {
        self.send(&format!("GET {target} HTTP/1.0\r\n\r\n"))
    }

    pub(crate) fn head(&self, target: &str) -> Reply {
        self.send(&format!("HEAD {target} HTTP/1.0\r\n\r\n"))
    }

    pub(crate) fn get_with(&self, target: &str, header: &str) -> Reply {
        self.send(&format!("GET {target} HTTP/1.0\r\n{header}\r\n\r\n"))
    }

    pub(crate) fn post(&self, target: &str, body: &str) -> Reply {
        let length = body.len();
        self.send(&format!("POST {target} HTTP/1.0\r\ncontent-length: {length}\r\n\r\n{body}"))
    }

    /// Names of the providers that the data plane sees.
    pub(crate) fn providers(&self) -> Vec<String> {
        let snapshot = self.seam.published.load();
        snapshot.upstreams.iter().map(|upstream| upstream.name.to_string()).collect()
    }

    fn send(&self, request: &str) -> Reply {
        let mut stream = UnixStream::connect(&self.socket).expect("the control plane listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.write_all(request.as_bytes()).expect("the control plane reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the control plane answers");
        parse(&reply)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.stop();
        }
    }
}

fn parse(reply: &str) -> Reply {
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// Looks again and again until it is so.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A provider that lists models to whoever shows the key `good`.
pub(crate) struct FakeProvider {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl FakeProvider {
    pub(crate) fn start(list: &'static str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                answer(stream, list);
            }
        });
        Self { address, asked }
    }
}

fn answer(mut stream: std::net::TcpStream, list: &str) {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(length @ 1..) => request.extend_from_slice(&chunk[..length]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let is_right = request.starts_with("get /v1/models")
        && (request.contains("authorization: bearer good") || request.contains("x-api-key: good"));
    let (status, body) = if is_right { ("200 OK", list) } else { ("401 Unauthorized", "{}") };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    // A control plane that went away is the test's end, not its failure.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// Removed with everything in it.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("supervisor-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a new directory");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Replaces the file as editors do: a new one is renamed over it.
pub(crate) fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("a new file");
    fs::rename(new, path).expect("renamed");
}
