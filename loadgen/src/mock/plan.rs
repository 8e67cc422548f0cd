//! Turns a reply and its fault into the writes, waits and endings that carry it out. Pure, so that
//! every fault can be read off a list of steps.

use std::io;
use std::mem;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::encode;
use super::fault::{Farewell, Fault, Framing, Place, RetryAfter};
use super::limits::{SPLIT_PAUSE, SPLIT_PAUSES_MAX, SPLIT_PIECES_MAX};
use super::reply::{Body, Reply};
use super::request::Request;

/// One thing to do on the connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    Write(Bytes),
    Pause(Duration),
    /// From here on [`Step::Until`] counts.
    StartClock,
    /// Waits for a moment after [`Step::StartClock`], so that late steps do not delay later ones.
    Until(Duration),
    /// Waits for the peer to go away.
    Stall,
    /// Ends the connection in order.
    Finish,
    /// Gives the connection up.
    Close(Farewell),
}

/// What a plan depends on beside the reply and its fault.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Wait before the head.
    pub(crate) latency: Duration,
    /// Time between pieces of the body.
    pub(crate) gap: Duration,
    pub(crate) keeps_alive: bool,
    /// The request was HTTP/1.0.
    pub(crate) is_http10: bool,
    /// The request was HEAD.
    pub(crate) is_head: bool,
}

impl Manner {
    /// The manner a request asks for, without any waiting.
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            keeps_alive: request.keeps_alive(),
            is_http10: request.is_http10(),
            is_head: request.method() == "HEAD",
            ..Self::default()
        }
    }
}

/// Bytes no HTTP parser accepts.
const GARBAGE: &[u8] = b"\x16\x03\x01\x00\xff\x00not http\xfe\xff\r\n\r\n\x00\x01\x02";
const BAD_CHUNK_LINE: &[u8] = b"not-a-chunk-size\r\n";
const TRAILER: &str = "x-mock-trailer";

/// The steps for one reply. Unless the last one ends the connection, it stays open.
pub(crate) fn plan(reply: Reply, fault: &Fault, manner: Manner) -> io::Result<Vec<Step>> {
    let mut steps = vec![Step::Pause(fault.delay.unwrap_or(manner.latency))];
    let stop = Stop::of(fault);
    if let Some(stop) = stop.as_ref().filter(|stop| stop.place == Place::BeforeHead) {
        steps.push(stop.step.clone());
    } else if fault.garbage {
        steps.extend([Step::Write(Bytes::from_static(GARBAGE)), Step::Close(Farewell::Fin)]);
    } else {
        steps.extend(Message::new(reply, fault, manner, stop)?.steps());
    }
    steps.retain(|step| *step != Step::Pause(Duration::ZERO));
    match fault.split_bytes {
        Some(size) => Ok(split(steps, size)),
        None => Ok(steps),
    }
}

/// Where a plan is cut short, and what happens there.
#[derive(Clone, Debug)]
struct Stop {
    place: Place,
    step: Step,
}

impl Stop {
    fn of(fault: &Fault) -> Option<Self> {
        let disconnect = fault.disconnect.map(|disconnect| Self {
            place: disconnect.place,
            step: Step::Close(disconnect.farewell),
        });
        disconnect.or(fault.stall.map(|place| Self { place, step: Step::Stall }))
    }
}

/// A reply whose framing is decided.
struct Message<'a> {
    fault: &'a Fault,
    manner: Manner,
    status: u16,
    headers: Vec<(String, String)>,
    pieces: Vec<Vec<u8>>,
    /// The pieces have to be written apart.
    is_stream: bool,
    framing: Framing,
    /// Pieces written before the stop.
    stop: Option<(usize, Step)>,
}

impl<'a> Message<'a> {
    fn new(reply: Reply, fault: &'a Fault, manner: Manner, stop: Option<Stop>) -> io::Result<Self> {
        let is_stream = matches!(reply.body, Body::Pieces(_));
        let halved = fault.framing == Some(Framing::BadChunk) || stop.is_some();
        let pieces = match reply.body {
            Body::Pieces(pieces) => pieces,
            Body::Whole(body) if halved => halves(body),
            Body::Whole(body) => vec![body],
        };
        let is_http10 = manner.is_http10 || fault.http10;
        let natural = match (is_stream, is_http10) {
            (false, _) => Framing::Length,
            (true, false) => Framing::Chunked,
            (true, true) => Framing::UntilClose,
        };
        let stop = stop.map(|stop| (pieces_before(stop.place, pieces.len(), is_stream), stop.step));
        Ok(Self {
            fault,
            manner,
            status: reply.status,
            headers: reply.headers,
            pieces: match fault.encoding {
                Some(encoding) => encode::encode(encoding, pieces)?,
                None => pieces,
            },
            is_stream,
            framing: fault.framing.unwrap_or(natural),
            stop,
        })
    }

    fn steps(mut self) -> Vec<Step> {
        let mut head = Vec::new();
        for number in 0..self.fault.informational {
            head.extend_from_slice(informational(number));
        }
        self.push_head(&mut head);
        let mut steps = vec![Step::Write(head.into())];
        steps.extend(self.fault.slow_first_byte.map(Step::Pause));
        if self.has_body() {
            self.push_body(&mut steps);
        } else if let Some((_, stop)) = &self.stop {
            steps.push(stop.clone());
        }
        if self.stop.is_none() {
            self.push_ending(&mut steps);
        }
        let is_coalesced = self.fault.coalesce || !self.is_stream;
        if is_coalesced { coalesce(steps) } else { steps }
    }

    fn has_body(&self) -> bool {
        !self.manner.is_head && self.status != 204 && self.status != 304
    }

    /// Whether the connection is announced to end with this reply.
    fn closes(&self) -> bool {
        self.fault.close || !self.manner.keeps_alive || self.framing == Framing::UntilClose
    }

    fn push_head(&self, head: &mut Vec<u8>) {
        let version = if self.fault.http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let status = self.status;
        head.extend_from_slice(format!("{version} {status} {}\r\n", reason(status)).as_bytes());
        for (name, value) in &self.headers {
            push_header(head, name, value);
        }
        for (name, value) in self.fault_headers() {
            push_header(head, name, &value);
        }
        for (name, value) in self.framing_headers() {
            push_header(head, name, &value);
        }
        head.extend_from_slice(b"\r\n");
    }

    fn fault_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        headers.extend(self.fault.retry_after.map(retry_after));
        if let Some(encoding) = self.fault.encoding {
            headers.push(("content-encoding", encode::name(encoding).to_owned()));
        }
        if self.fault.header_bytes > 0 {
            headers.push(("x-mock-fill", "x".repeat(self.fault.header_bytes)));
        }
        if self.fault.trailers {
            headers.push(("trailer", TRAILER.to_owned()));
        }
        headers
    }

    fn framing_headers(&self) -> Vec<(&'static str, String)> {
        let bytes: usize = self.pieces.iter().map(Vec::len).sum();
        let length = || ("content-length", bytes.to_string());
        let chunked = || ("transfer-encoding", "chunked".to_owned());
        let mut headers = match self.framing {
            _ if self.status == 204 => Vec::new(),
            Framing::Length => vec![length()],
            Framing::Chunked | Framing::BadChunk => vec![chunked()],
            Framing::UntilClose => Vec::new(),
            Framing::TwoLengths => vec![length(), ("content-length", (bytes + 1).to_string())],
            Framing::LengthAndChunked => vec![length(), chunked()],
        };
        if self.closes() {
            headers.push(("connection", "close".to_owned()));
        } else if self.manner.is_http10 || self.fault.http10 {
            headers.push(("connection", "keep-alive".to_owned()));
        }
        headers
    }

    fn push_body(&mut self, steps: &mut Vec<Step>) {
        let pieces = mem::take(&mut self.pieces);
        let is_paced = self.is_stream && !self.fault.coalesce && !self.manner.gap.is_zero();
        let bad_chunk_at = (self.framing == Framing::BadChunk).then_some(pieces.len() / 2);
        if is_paced {
            steps.push(Step::StartClock);
        }
        let mut due = Duration::ZERO;
        for (index, piece) in pieces.into_iter().enumerate() {
            if let Some((_, stop)) = self.stop.as_ref().filter(|(before, _)| *before == index) {
                return steps.push(stop.clone());
            }
            if bad_chunk_at == Some(index) {
                steps.push(Step::Write(Bytes::from_static(BAD_CHUNK_LINE)));
            }
            if is_paced && index > 0 {
                due += self.manner.gap;
                steps.push(Step::Until(due));
            }
            steps.push(Step::Write(self.frame(piece)));
        }
        match &self.stop {
            Some((_, stop)) => steps.push(stop.clone()),
            None => steps.extend(self.body_end().map(Step::Write)),
        }
    }

    fn is_chunked(&self) -> bool {
        match self.framing {
            Framing::Chunked | Framing::BadChunk | Framing::LengthAndChunked => true,
            Framing::Length | Framing::UntilClose | Framing::TwoLengths => false,
        }
    }

    fn frame(&self, piece: Vec<u8>) -> Bytes {
        // An empty chunk would end the body.
        if !self.is_chunked() || piece.is_empty() {
            return piece.into();
        }
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(&piece);
        chunk.extend_from_slice(b"\r\n");
        chunk.into()
    }

    fn body_end(&self) -> Option<Bytes> {
        match (self.is_chunked(), self.fault.trailers) {
            (false, _) => None,
            (true, false) => Some(Bytes::from_static(b"0\r\n\r\n")),
            (true, true) => Some(format!("0\r\n{TRAILER}: yes\r\n\r\n").into()),
        }
    }

    /// What follows a reply that was not cut short.
    fn push_ending(&self, steps: &mut Vec<Step>) {
        if let Some(delay) = self.fault.extra_response {
            steps.push(Step::Pause(delay));
            steps.push(Step::Write(unsolicited_response()));
        }
        if self.closes() {
            steps.push(Step::Finish);
        } else if let Some(delay) = self.fault.close_silently {
            steps.extend([Step::Pause(delay), Step::Finish]);
        }
    }
}

fn halves(mut body: Vec<u8>) -> Vec<Vec<u8>> {
    let second = body.split_off(body.len() / 2);
    vec![body, second]
}

/// How many of `count` pieces come before a place in the body.
fn pieces_before(place: Place, count: usize, is_stream: bool) -> usize {
    match place {
        Place::BeforeHead | Place::AfterHead => 0,
        Place::MidBody => count / 2,
        Place::MidStream(events) if is_stream => events.min(count),
        Place::MidStream(events) => events.min(count / 2),
    }
}

/// The informational heads take turns: early hints, processing.
fn informational(number: usize) -> &'static [u8] {
    match number.is_multiple_of(2) {
        true => b"HTTP/1.1 103 Early Hints\r\nlink: </mock>; rel=preload\r\n\r\n",
        false => b"HTTP/1.1 102 Processing\r\n\r\n",
    }
}

fn unsolicited_response() -> Bytes {
    let body = r#"{"mock":"nobody asked for this"}"#;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    (head + body).into()
}

fn push_header(head: &mut Vec<u8>, name: &str, value: &str) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value.as_bytes());
    head.extend_from_slice(b"\r\n");
}

fn retry_after(retry_after: RetryAfter) -> (&'static str, String) {
    match retry_after {
        RetryAfter::Seconds(seconds) => ("retry-after", seconds.to_string()),
        RetryAfter::Milliseconds(milliseconds) => ("retry-after-ms", milliseconds.to_string()),
        RetryAfter::DateInSeconds(seconds) => {
            let now = SystemTime::now();
            let date = now.checked_add(Duration::from_secs(seconds)).unwrap_or(now);
            ("retry-after", httpdate::fmt_http_date(date))
        }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        529 => "Site is overloaded",
        _ => "Mock",
    }
}

/// Makes neighbouring writes one.
fn coalesce(steps: Vec<Step>) -> Vec<Step> {
    let mut merged = Vec::with_capacity(steps.len());
    let mut pending = Vec::new();
    for step in steps {
        match step {
            Step::Write(bytes) => pending.extend_from_slice(&bytes),
            Step::Pause(Duration::ZERO) => {}
            other => {
                flush(&mut pending, &mut merged);
                merged.push(other);
            }
        }
    }
    flush(&mut pending, &mut merged);
    merged
}

fn flush(pending: &mut Vec<u8>, steps: &mut Vec<Step>) {
    if !pending.is_empty() {
        steps.push(Step::Write(mem::take(pending).into()));
    }
}

/// Cuts every write into pieces, the first of them with a pause after each.
fn split(steps: Vec<Step>, size: usize) -> Vec<Step> {
    let mut parts = Vec::with_capacity(steps.len());
    let mut pieces = 0;
    for step in steps {
        let Step::Write(mut bytes) = step else {
            parts.push(step);
            continue;
        };
        while pieces < SPLIT_PIECES_MAX && bytes.len() > size {
            parts.push(Step::Write(bytes.split_to(size)));
            if pieces < SPLIT_PAUSES_MAX {
                parts.push(Step::Pause(SPLIT_PAUSE));
            }
            pieces += 1;
        }
        parts.push(Step::Write(bytes));
    }
    parts
}

#[cfg(test)]
mod tests;
