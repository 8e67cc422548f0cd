//! One response of a session: a request of the gateway to itself, so that it passes all stages as any
//! other, and the events of its reply.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Method;
use net::{Buffer, Connection, now};
use sonic_rs::JsonValueTrait;
use wire::{BodyReader, HeadLimits, Progress, RequestHead, ResponseHead, SseReader};

use super::handshake::is_handshake;
use crate::control::is_hop_by_hop;
use crate::limits::{ERROR_BODY_BYTES_MAX, HEADERS_MAX, REPLY_HEAD_BYTES_MAX};
use crate::pipeline;
use crate::reject::{Kind, Reject};
use crate::reply_head::push_header;
use crate::stages::peek::{Member, peek};
use crate::stages::splice::Edits;
use crate::worker::Worker;

/// The only message there is a response to.
const CREATE: &[u8] = b"\"response.create\"";

/// Members of a message that mean nothing to a request: what kind of message it is, and what is always
/// so here.
const DROPPED: [&[u8]; 3] = [b"type", b"stream", b"background"];

/// What ends the events of some streams, and is none.
const DONE: &[u8] = b"[DONE]";

/// A response under way.
pub(super) struct Turn {
    connection: Connection,
    /// Still to be sent.
    request: Buffer,
    /// Received and not read.
    input: Buffer,
    head: ResponseHead,
    /// Set once the head has been read.
    body: Option<BodyReader>,
    events: SseReader,
    /// The body of a reply that is no stream.
    failure: Vec<u8>,
}

/// How a response ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All its events have been seen.
    Done,
    /// There is none: an event that says why.
    Refused(String),
}

impl Turn {
    /// Asks for what `message` wants, for the caller whose handshake `head` was.
    pub(super) fn begin(
        worker: &Rc<Worker>,
        head: &RequestHead,
        bytes: &[u8],
        key: Option<&str>,
        message: &[u8],
    ) -> Result<Self, Reject> {
        let body = body_of(message)?;
        let failed = |_: io::Error| Reject::new(Kind::Internal, "the gateway cannot ask itself");
        let (connection, far) = net::loopback().map_err(failed)?;
        net::spawn(pipeline::serve(Rc::clone(worker), far));
        Ok(Self {
            connection,
            request: request_of(head, bytes, key, &body),
            input: Buffer::unallocated(),
            head: ResponseHead::new(),
            body: None,
            events: SseReader::new(),
            failure: Vec::new(),
        })
    }

    /// Hands the next events to `on_event`. Pending when some came, too: they are to be sent before it is
    /// polled again.
    pub(super) fn poll(
        &mut self,
        context: &Context<'_>,
        on_event: &mut dyn FnMut(&str),
    ) -> Poll<End> {
        match self.try_poll(context, on_event) {
            Poll::Ready(Ok(end)) => Poll::Ready(end),
            Poll::Ready(Err(_)) => {
                let reject = Reject::new(Kind::ConnectionFailed, "the response broke off");
                Poll::Ready(End::Refused(event_of(&reject)))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn try_poll(
        &mut self,
        context: &Context<'_>,
        on_event: &mut dyn FnMut(&str),
    ) -> Poll<io::Result<End>> {
        let deadline = now() + Duration::MAX;
        ready!(self.connection.poll_send(&mut self.request, deadline, context))?;
        loop {
            let mut has_news = false;
            let is_end = self.read(&mut |event| {
                has_news = true;
                on_event(event);
            })?;
            if is_end {
                return Poll::Ready(Ok(self.end()));
            }
            if has_news {
                return Poll::Pending;
            }
            let piece = ready!(self.connection.poll_piece(context))?;
            if piece.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if self.input.is_empty() {
                self.input = piece;
            } else {
                self.input.extend_from_slice(piece.as_slice());
            }
        }
    }

    /// Reads what has come; whether that was all.
    fn read(&mut self, on_event: &mut dyn FnMut(&str)) -> io::Result<bool> {
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let limits =
                    HeadLimits { bytes_max: REPLY_HEAD_BYTES_MAX, headers_max: HEADERS_MAX };
                let parsed = self.head.parse(self.input.as_slice(), &limits);
                if parsed.map_err(io::Error::other)? == Progress::Partial {
                    return Ok(false);
                }
                self.input.consume(self.head.len());
                self.body.insert(BodyReader::new(self.head.body(&Method::POST)))
            }
        };
        loop {
            let step = body.next(self.input.as_slice()).map_err(io::Error::other)?;
            let mut payload = self.input.as_slice().get(step.data).unwrap_or_default();
            if self.head.status() == 200 {
                while let Some(event) = self.events.next(&mut payload).map_err(io::Error::other)? {
                    if event.data != DONE {
                        on_event(&String::from_utf8_lossy(event.data));
                    }
                }
            } else if self.failure.len() + payload.len() <= ERROR_BODY_BYTES_MAX {
                self.failure.extend_from_slice(payload);
            }
            self.input.consume(step.consumed);
            if step.is_end {
                return Ok(true);
            }
            if step.consumed == 0 || self.input.is_empty() {
                return Ok(false);
            }
        }
    }

    fn end(&self) -> End {
        match self.head.status() {
            200 => End::Done,
            status => End::Refused(failure_event(status, &self.failure)),
        }
    }
}

/// The body of the request that a message asks for.
fn body_of(message: &[u8]) -> Result<Vec<u8>, Reject> {
    let mut members: Vec<Member> = Vec::new();
    peek(message, &mut members)?;
    let mut edits = Edits::default();
    let mut is_create = false;
    for (index, member) in members.iter().enumerate() {
        let name = message.get(member.key.clone()).unwrap_or_default();
        let value = message.get(member.value.clone()).unwrap_or_default();
        match (name, value) {
            (b"type", value) => is_create = value == CREATE,
            (b"background", b"true") => {
                return Err(refused("`background` is not possible over a WebSocket"));
            }
            (b"generate", b"false") => {
                return Err(refused("`generate` cannot be false: no provider is being asked yet"));
            }
            _ => {}
        }
        if DROPPED.contains(&name) || name == b"generate" {
            edits.remove(index);
        }
    }
    if !is_create {
        return Err(refused("`type` has to be `response.create`"));
    }
    edits.add("stream", b"true");
    let mut body = Vec::with_capacity(message.len());
    edits.apply(message, &members, &mut |piece| body.extend_from_slice(piece));
    Ok(body)
}

#[cold]
fn refused(message: &'static str) -> Reject {
    Reject::new(Kind::Malformed, message)
}

/// The request, with what the caller's handshake said about the caller.
fn request_of(head: &RequestHead, bytes: &[u8], key: Option<&str>, body: &[u8]) -> Buffer {
    let mut out = Buffer::with_capacity(head.len() + body.len() + 256);
    out.extend_from_slice(b"POST ");
    out.extend_from_slice(head.path(bytes).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\n");
    push_callers_headers(head, bytes, key, &mut out);
    push_header(&mut out, "content-type", b"application/json");
    push_header(&mut out, "content-length", body.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// Writes what a handshake says about the caller, whose key may have come as a protocol.
pub(super) fn push_callers_headers(
    head: &RequestHead,
    bytes: &[u8],
    key: Option<&str>,
    out: &mut Buffer,
) {
    for (name, value) in head.headers(bytes).filter(|(name, _)| is_the_callers(name)) {
        push_header(out, name, value);
    }
    if let Some(key) = key {
        push_header(out, "x-api-key", key.as_bytes());
    }
}

/// Whether a header of a handshake is about the caller and not about the handshake.
fn is_the_callers(name: &[u8]) -> bool {
    const OTHERS: &[&str] = &["host", "content-type", "content-encoding", "accept", "origin"];
    let is_other = OTHERS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name));
    !is_handshake(name) && !is_other && !is_hop_by_hop(name)
}

/// The event that says why there is no response.
fn failure_event(status: u16, body: &[u8]) -> String {
    match sonic_rs::get(body, ["error"]) {
        Ok(error) if error.is_object() => {
            format!(r#"{{"type":"error","status":{status},"error":{}}}"#, error.as_raw_str())
        }
        Ok(_) | Err(_) => event(status, "the request was refused"),
    }
}

/// The same for a refusal of the session's own.
pub(super) fn event_of(reject: &Reject) -> String {
    event(reject.status, &reject.public)
}

fn event(status: u16, message: &str) -> String {
    let mut quoted = Vec::new();
    crate::json::write_string(message, &mut |piece| quoted.extend_from_slice(piece));
    let quoted = String::from_utf8_lossy(&quoted);
    let kind = if status < 500 { "invalid_request_error" } else { "server_error" };
    format!(
        r#"{{"type":"error","status":{status},"error":{{"type":"{kind}","message":{quoted}}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(message: &str) -> String {
        String::from_utf8(body_of(message.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn a_message_becomes_a_request_that_streams() {
        let message = r#"{"type":"response.create","model":"openai/m","stream":false,"input":"a"}"#;
        assert_eq!(body(message), r#"{"model":"openai/m","input":"a","stream":true}"#);
        let message = r#"{"model":"m","type":"response.create","generate":true}"#;
        assert_eq!(body(message), r#"{"model":"m","stream":true}"#);
    }

    #[test]
    fn what_is_no_request_for_a_response_is_refused() {
        for message in [
            r#"{"type":"response.cancel"}"#,
            r#"{"model":"m"}"#,
            r#"{"type":"response.create","background":true}"#,
            r#"{"type":"response.create","generate":false}"#,
            r#"["response.create"]"#,
            r#"{"type":"response.create""#,
            "",
        ] {
            let reject = body_of(message.as_bytes()).unwrap_err();
            assert_eq!(reject.status, 400, "{message}");
        }
    }

    #[test]
    fn a_refusal_is_an_event_with_the_status_and_the_error() {
        let body = br#"{"is_bifrost_error":false,"error":{"message":"no \"x\"","code":null}}"#;
        assert_eq!(
            failure_event(429, body),
            r#"{"type":"error","status":429,"error":{"message":"no \"x\"","code":null}}"#
        );
        let said = failure_event(502, b"<html>");
        assert!(sonic_rs::get(&said, ["error", "message"]).unwrap().is_str());
        let said = event_of(&Reject::new(Kind::Malformed, "a \"quote\""));
        assert_eq!(
            sonic_rs::get(&said, ["error", "message"]).unwrap().as_str(),
            Some("a \"quote\"")
        );
    }

    #[test]
    fn the_callers_headers_go_along_and_those_of_the_handshake_do_not() {
        let handshake = "GET /openai/v1/responses?x=1 HTTP/1.1\r\nHost: gateway\r\n\
            Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\
            Sec-WebSocket-Version: 13\r\nx-bf-vk: sk-bf-1\r\nUser-Agent: codex\r\n\r\n";
        let mut head = RequestHead::new();
        head.parse(handshake.as_bytes(), &HeadLimits::default()).unwrap();
        let request = request_of(&head, handshake.as_bytes(), Some("k"), b"{}");
        assert_eq!(
            std::str::from_utf8(request.as_slice()).unwrap(),
            "POST /openai/v1/responses HTTP/1.1\r\nhost: localhost\r\nx-bf-vk: sk-bf-1\r\n\
             User-Agent: codex\r\nx-api-key: k\r\ncontent-type: application/json\r\n\
             content-length: 2\r\n\r\n{}"
        );
    }
}
