//! Starts the binary in a directory of its own and speaks plain HTTP to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway; killed with the test.
pub(crate) struct Gateway {
    pub(crate) banner: String,
    pub(crate) address: SocketAddr,
    child: Child,
    log: PathBuf,
}

impl Gateway {
    /// Starts on a free port.
    pub(crate) fn start(directory: &Directory) -> Self {
        Self::start_with(directory, &["-port", "0"])
    }

    pub(crate) fn start_with(directory: &Directory, arguments: &[&str]) -> Self {
        Self::start_in(directory, arguments, &[])
    }

    /// Starts with `variables` in its environment.
    pub(crate) fn start_in(
        directory: &Directory,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let log = directory.path().join(format!("log-{}", unique()));
        let mut child = bifrost(directory)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).expect("a log file"))
            .spawn()
            .expect("the binary starts");
        let banner = read_banner(&mut child, &log);
        let address = listening(&banner);
        Self { banner, address, child, log }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    }

    pub(crate) fn chat(&self, body: &str) -> Reply {
        self.exchange(&chat_request(body))
    }

    /// A chat with further header lines, each with its line break.
    pub(crate) fn chat_with(&self, body: &str, lines: &str) -> Reply {
        self.exchange(&chat_request(body).replacen(
            "host: x\r\n",
            &format!("host: x\r\n{lines}"),
            1,
        ))
    }

    /// A connection that has sent a chat request and not read anything.
    pub(crate) fn open_chat(&self, body: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(chat_request(body).as_bytes()).expect("the gateway reads");
        stream
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
        assert!(status.success());
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the gateway ends", || {
            status = self.child.try_wait().expect("our child");
            status.is_some()
        });
        status.expect("eventually() saw it")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log file")
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the gateway listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    /// Sends `request`, which ends the connection, and reads all that comes back.
    pub(crate) fn exchange(&self, request: &str) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).expect("the gateway reads");
        Reply::read(stream)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary with nothing in its environment but its directory.
fn bifrost(directory: &Directory) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bifrost"));
    command.env_clear().env("APP_DIR", directory.path());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let directory = Directory::new();
    bifrost(&directory).args(arguments).output().expect("the binary starts")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Up to the line after `Try:`, which is the last.
fn read_banner(child: &mut Child, log: &Path) -> String {
    let mut lines = BufReader::new(child.stdout.take().expect("piped"));
    let mut banner = String::new();
    loop {
        let is_last = banner.ends_with("Try:\n");
        let length = lines.read_line(&mut banner).expect("text");
        let log = || fs::read_to_string(log).unwrap_or_default();
        assert!(length > 0, "it ended after {banner:?} and {}", log());
        if is_last {
            return banner;
        }
    }
}

fn listening(banner: &str) -> SocketAddr {
    let line = banner.lines().find(|line| line.contains("listening on")).expect("an address");
    let (_, addresses) = line.split_once('(').expect("addresses in brackets");
    let first = addresses.split([',', ')']).next().expect("one address");
    first.parse().expect("an address")
}

fn chat_request(body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// Reads until the gateway closes.
    fn read(mut stream: TcpStream) -> Self {
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("the gateway answers and closes");
        let reply = text(&reply);
        let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let head = head.to_ascii_lowercase();
        let is_chunked = head.contains("transfer-encoding: chunked");
        let body = if is_chunked { unchunk(body) } else { body.to_owned() };
        Self { status, head, body }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").expect("a chunk size");
        let size = usize::from_str_radix(size, 16).expect("a hexadecimal size");
        if size == 0 {
            return whole;
        }
        whole.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
}

/// Looks again and again until it is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A port that was free a moment ago, for tests that need the same one twice.
pub(crate) fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port().to_string()
}

/// Removed with everything in it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("bifrost-test-{}", unique()));
        fs::create_dir_all(&path).expect("a new directory");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Puts a file into place in one go.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        let new = path.with_extension("new");
        fs::write(&new, content).expect("a new file");
        fs::rename(&new, &path).expect("renamed");
        path.to_str().expect("an ASCII path").to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unique() -> String {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}
