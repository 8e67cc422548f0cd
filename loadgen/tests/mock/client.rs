//! The real binary on a free port, and a plain client that sees everything it sends.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Longer than anything these tests wait for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const CHAT: &str = "/v1/chat/completions";
pub(crate) const MESSAGES: &str = "/v1/messages";

/// A running mock; ends with this value.
pub(crate) struct Mock {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    pub(crate) address: String,
}

impl Mock {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, &[])
    }

    pub(crate) fn start_with(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .arg("mock")
            .args(flags)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the ready line can be read");
        let (_, address) = line.trim().split_once("://").expect("the ready line has an address");
        Self { process, output, address: address.to_owned() }
    }

    /// The next line the mock prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line can be read");
        line.trim().to_owned()
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.process.wait().expect("the process can be waited for")
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(&self.address).expect("the mock accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        Connection { stream, buffer: Vec::new() }
    }

    /// A chat completion on a fresh connection.
    pub(crate) fn chat(&self, body: &Value) -> Response {
        self.post(CHAT, &[], body)
    }

    /// An Anthropic message on a fresh connection.
    pub(crate) fn messages(&self, body: &Value) -> Response {
        self.post(MESSAGES, &[("anthropic-version", "2023-06-01")], body)
    }

    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
        let mut connection = self.connect();
        connection.send(&post(path, headers, body));
        connection.response().expect("a whole response")
    }

    /// A request to the API of the mock.
    pub(crate) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut connection = self.connect();
        connection.send(&request(method, path, &[], &body.to_string()));
        let response = connection.response().expect("a whole response");
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    pub(crate) fn script(&self, script: Value) {
        self.control("POST", "/_mock/script", &script);
    }

    pub(crate) fn stats(&self) -> Value {
        self.control("GET", "/_mock/stats", &Value::Null)
    }

    pub(crate) fn requests(&self) -> Vec<Value> {
        let requests = self.control("GET", "/_mock/requests?since=0", &Value::Null);
        requests.as_array().expect("an array").clone()
    }

    /// Asks again until an answer is there.
    pub(crate) fn until<T>(&self, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(Instant::now() < deadline, "the mock never got there: {}", self.stats());
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A minimal chat completion request.
pub(crate) fn chat_body(text: &str) -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": text}]})
}

/// A minimal messages request.
pub(crate) fn message_body(text: &str) -> Value {
    json!({
        "model": "claude-sonnet-4-6",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": text}],
    })
}

/// `body` with one more field.
pub(crate) fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &Value) -> Vec<u8> {
    let mut all = vec![("authorization", "Bearer sk-test")];
    all.extend_from_slice(headers);
    request("POST", path, &all, &body.to_string())
}

/// A chat completion request under a fault.
pub(crate) fn faulty(fault: &str, body: &Value) -> Vec<u8> {
    post(CHAT, &[("x-mock-fault", fault)], body)
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: mock\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request.push_str("content-type: application/json\r\n");
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    request.into_bytes()
}

/// One client connection.
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response as it came.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Heads with a 1xx status before this one.
    pub(crate) informational: usize,
    /// Content of each chunk, or the whole body.
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) trailers: Vec<String>,
}

/// How a response ended early.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) error: io::Error,
    /// Everything received of it, head included.
    pub(crate) received: Vec<u8>,
}

impl Connection {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the mock reads");
    }

    /// Reads one response; on an error everything of it that came is handed over.
    pub(crate) fn response(&mut self) -> Result<Response, Broken> {
        let mut used = 0;
        match self.read_response(&mut used) {
            Ok(response) => {
                self.buffer.drain(..used);
                Ok(response)
            }
            Err(error) => Err(Broken { error, received: std::mem::take(&mut self.buffer) }),
        }
    }

    /// Everything until the end of the stream.
    pub(crate) fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill()? {}
        Ok(std::mem::take(&mut self.buffer))
    }

    /// Whether the mock keeps silent for a short while.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let result = self.fill();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        result.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock))
    }

    /// Reads once; `false` at the end of the stream.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 64 << 10];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }

    fn read_response(&mut self, used: &mut usize) -> io::Result<Response> {
        let mut informational = 0;
        loop {
            let head = self.head(used)?;
            let mut lines = head.lines();
            let mut status_line = lines.next().unwrap_or_default().splitn(3, ' ');
            let version = status_line.next().unwrap_or_default().to_owned();
            let status = status_line.next().and_then(|status| status.parse().ok());
            let status = status.ok_or_else(|| io::Error::other("not a status line"))?;
            if (100..200).contains(&status) {
                informational += 1;
                continue;
            }
            let headers = lines.filter_map(|line| line.split_once(": "));
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let mut response = Response {
                version,
                status,
                headers: headers.collect(),
                informational,
                pieces: Vec::new(),
                trailers: Vec::new(),
            };
            self.read_body(&mut response, used)?;
            return Ok(response);
        }
    }

    fn read_body(&mut self, response: &mut Response, used: &mut usize) -> io::Result<()> {
        if response.header("transfer-encoding") == Some("chunked") {
            return self.read_chunks(response, used);
        }
        let body = match response.header("content-length") {
            Some(length) => self.bytes(used, length.parse().map_err(io::Error::other)?)?,
            None => {
                while self.fill()? {}
                self.bytes(used, self.buffer.len() - *used)?
            }
        };
        response.pieces.push(body);
        Ok(())
    }

    fn read_chunks(&mut self, response: &mut Response, used: &mut usize) -> io::Result<()> {
        loop {
            let size = self.text_line(used)?;
            let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
            if size == 0 {
                break;
            }
            response.pieces.push(self.bytes(used, size)?);
            assert_eq!(self.text_line(used)?, "");
        }
        loop {
            match self.text_line(used)? {
                line if line.is_empty() => return Ok(()),
                line => response.trailers.push(line),
            }
        }
    }

    fn head(&mut self, used: &mut usize) -> io::Result<String> {
        let mut head = String::new();
        loop {
            match self.text_line(used)? {
                line if line.is_empty() => return Ok(head),
                line => head.extend([&line, "\r\n"]),
            }
        }
    }

    fn text_line(&mut self, used: &mut usize) -> io::Result<String> {
        loop {
            let rest = &self.buffer[*used..];
            if let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
                let line = String::from_utf8(rest[..end].to_vec()).map_err(io::Error::other)?;
                *used += end + 2;
                return Ok(line);
            }
            self.fill_or_end()?;
        }
    }

    fn bytes(&mut self, used: &mut usize, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() < *used + count {
            self.fill_or_end()?;
        }
        let bytes = self.buffer[*used..*used + count].to_vec();
        *used += count;
        Ok(bytes)
    }

    fn fill_or_end(&mut self) -> io::Result<()> {
        match self.fill()? {
            true => Ok(()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body()).expect("the body is text")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body()).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    /// The data of each event, checked to come one per chunk; `[DONE]` is a string.
    pub(crate) fn events(&self) -> Vec<Value> {
        assert!(
            self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
        );
        self.pieces.iter().map(|piece| event_data(std::str::from_utf8(piece).unwrap())).collect()
    }
}

fn event_data(event: &str) -> Value {
    let event = event.strip_suffix("\n\n").expect("an event ends in an empty line");
    let (name, data) = match event.split_once('\n') {
        Some((name, data)) => (name.strip_prefix("event: "), data),
        None => (None, event),
    };
    let data = data.strip_prefix("data: ").expect("an event has data");
    let data = serde_json::from_str(data).unwrap_or_else(|_| json!(data));
    if let Some(name) = name {
        assert_eq!(data["type"], name, "an event is named after its type");
    }
    data
}

/// The raw bytes of a recorded entry.
pub(crate) fn raw(entry: &Value) -> Vec<u8> {
    STANDARD.decode(entry["raw_base64"].as_str().unwrap()).expect("raw bytes are base64")
}
