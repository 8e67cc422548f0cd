//! The provider's own WebSocket for responses, where it has one: a handshake of the gateway with itself,
//! behind which the provider is, and messages that pass but for the name of the model.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use net::{Buffer, Connection, now};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sonic_rs::JsonValueTrait;
use tungstenite::protocol::{Message, Role};
use wire::{HeadLimits, Progress, RequestHead, ResponseHead};

use super::channel::{Channel, Over};
use super::turn::push_callers_headers;
use crate::limits::{HEADERS_MAX, REPLY_HEAD_BYTES_MAX};
use crate::pipeline;
use crate::reject::Reject;
use crate::reply_head::push_header;
use crate::stages::peek::{Member, peek};
use crate::stages::splice::Edits;
use crate::worker::Worker;

/// Where the gateway tells itself the model as the provider knows it.
const MODEL_HEADER: &str = "x-bifrost-resolved-model";

/// Largest message of a provider.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Events that end a response.
const LAST_EVENTS: [&str; 4] =
    ["response.completed", "response.failed", "response.incomplete", "error"];

/// A connection to a provider, or on the way to one.
pub(super) struct Native {
    /// The model it was made for, as the caller names it.
    pub(super) model: String,
    stage: Stage,
}

enum Stage {
    /// The handshake is under way.
    Opening(Box<Opening>),
    Open {
        channel: Box<Channel<Connection>>,
        model: String,
    },
    /// There was no agreement.
    Refused,
}

struct Opening {
    connection: Connection,
    /// Still to be sent.
    request: Buffer,
    /// Received and not read.
    input: Buffer,
    head: ResponseHead,
}

impl Native {
    /// Sets out for the provider of `model`, for the caller whose handshake `head` was.
    pub(super) fn begin(
        worker: &Rc<Worker>,
        head: &RequestHead,
        bytes: &[u8],
        key: Option<&str>,
        model: &str,
    ) -> io::Result<Self> {
        let (connection, far) = net::loopback()?;
        net::spawn(pipeline::serve_inner(Rc::clone(worker), far));
        let mut request = Buffer::new();
        request.extend_from_slice(b"GET ");
        request.extend_from_slice(head.path(bytes).as_bytes());
        request.extend_from_slice(b"?model=");
        for piece in utf8_percent_encode(model, NON_ALPHANUMERIC) {
            request.extend_from_slice(piece.as_bytes());
        }
        request.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\n");
        push_callers_headers(head, bytes, key, &mut request);
        request.extend_from_slice(b"connection: Upgrade\r\nupgrade: websocket\r\n");
        push_header(&mut request, "sec-websocket-version", b"13");
        push_header(&mut request, "sec-websocket-key", new_key(worker).as_bytes());
        request.extend_from_slice(b"\r\n");
        let opening = Opening {
            connection,
            request,
            input: Buffer::unallocated(),
            head: ResponseHead::new(),
        };
        Ok(Self { model: model.to_owned(), stage: Stage::Opening(Box::new(opening)) })
    }

    /// Ready once it is known whether there is a connection.
    pub(super) fn poll_open(&mut self, context: &Context<'_>) -> Poll<bool> {
        if let Stage::Opening(opening) = &mut self.stage {
            let agreed = ready!(opening.poll(context));
            self.stage = match std::mem::replace(&mut self.stage, Stage::Refused) {
                Stage::Opening(opening) if matches!(agreed, Ok(true)) => opening.into_open(),
                _ => Stage::Refused,
            };
        }
        Poll::Ready(matches!(self.stage, Stage::Open { .. }))
    }

    /// Sends what asks for a response, with the provider's name of the model.
    pub(super) fn create(&mut self, message: &str) -> Result<(), Reject> {
        let Stage::Open { channel, model } = &mut self.stage else { return Ok(()) };
        channel.send(&with_model(message, model)?);
        Ok(())
    }

    /// Sends anything else as it is; whether there is somebody to send it to.
    pub(super) fn pass(&mut self, message: &str) -> bool {
        let Stage::Open { channel, .. } = &mut self.stage else { return false };
        channel.send(message);
        true
    }

    /// The next event of the provider, or the end of the connection.
    pub(super) fn poll_event(&mut self, context: &Context<'_>) -> Poll<Result<Message, Over>> {
        let Stage::Open { channel, .. } = &mut self.stage else { return Poll::Pending };
        if let Poll::Ready(Err(_)) = channel.poll_flush(context) {
            return Poll::Ready(Err(Over::Gone));
        }
        let polled = channel.poll_message(context);
        // Reading may have made an answer.
        let _ = channel.poll_flush(context);
        polled
    }
}

/// Whether an event is the last one of its response.
pub(super) fn is_last(event: &str) -> bool {
    sonic_rs::get(event, ["type"])
        .is_ok_and(|kind| kind.as_str().is_some_and(|kind| LAST_EVENTS.contains(&kind)))
}

/// `message` with another model, and without what is meant for the gateway.
fn with_model(message: &str, model: &str) -> Result<String, Reject> {
    let mut members: Vec<Member> = Vec::new();
    let ask = peek(message.as_bytes(), &mut members)?;
    let mut edits = Edits::default();
    if let Some(at) = ask.model_at {
        edits.replace_string(at, model);
    }
    let is_ours = |member: &Member| message.get(member.key.clone()) == Some("fallbacks");
    for (index, _) in members.iter().enumerate().filter(|(_, member)| is_ours(member)) {
        edits.remove(index);
    }
    let mut text = Vec::with_capacity(message.len() + model.len());
    edits.apply(message.as_bytes(), &members, &mut |piece| text.extend_from_slice(piece));
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// A key for a handshake, which need not be a secret.
fn new_key(worker: &Worker) -> String {
    let bytes = [worker.random().to_ne_bytes(), worker.random().to_ne_bytes()];
    STANDARD.encode(bytes.concat())
}

impl Opening {
    /// Ready with whether the other side agrees.
    fn poll(&mut self, context: &Context<'_>) -> Poll<io::Result<bool>> {
        // The other side is this worker, which sets the time limits.
        let deadline = now() + Duration::MAX;
        ready!(self.connection.poll_send(&mut self.request, deadline, context))?;
        let limits = HeadLimits { bytes_max: REPLY_HEAD_BYTES_MAX, headers_max: HEADERS_MAX };
        loop {
            let parsed = self.head.parse(self.input.as_slice(), &limits);
            if parsed.map_err(io::Error::other)? == Progress::Complete {
                return Poll::Ready(Ok(self.head.status() == 101));
            }
            let piece = ready!(self.connection.poll_piece(context))?;
            if piece.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.input.extend_from_slice(piece.as_slice());
        }
    }

    fn into_open(self: Box<Self>) -> Stage {
        let Self { connection, mut input, head, .. } = *self;
        let model = head.header(input.as_slice(), MODEL_HEADER).unwrap_or_default();
        let model = String::from_utf8_lossy(model).into_owned();
        input.consume(head.len());
        let channel =
            Channel::new(connection, Role::Client, MESSAGE_BYTES_MAX, Duration::MAX).after(input);
        Stage::Open { channel: Box::new(channel), model }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_model_of_a_message_changes() {
        let message =
            r#"{"type":"response.create","model":"openai/gpt-5","fallbacks":["a/b"],"x":[1, 2]}"#;
        let expected = r#"{"type":"response.create","model":"gpt-5","x":[1, 2]}"#;
        assert_eq!(with_model(message, "gpt-5").unwrap(), expected);
        assert!(with_model("[", "m").is_err());
    }

    #[test]
    fn a_response_ends_with_its_last_event() {
        assert!(is_last(r#"{"type":"response.completed"}"#) && is_last(r#"{"type":"error"}"#));
        assert!(!is_last(r#"{"type":"response.output_text.delta","delta":"response.completed"}"#));
        assert!(!is_last("{"));
    }
}
