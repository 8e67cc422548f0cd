//! Between send and judge: looks into the reply before the caller is promised anything, so that an
//! error in it can still be retried, sent elsewhere, or told with a real status.

use std::time::{Duration, Instant};

use dialect::{
    Body, Dialect, EventClass, Framing, Notes, ReplyOptions, Usage, UsageReader, Written,
};
use http::Method;
use net::{Buffer, Connection, now};
use wire::{BodyReader, Event, ResponseHead};

use super::events::{self, Events};
use super::follow::CallOff;
use super::read::{make_room, memory_spent};
use super::send::{Answering, broken};
use super::watch::Watch;
use crate::decompress::{Coding, Failure, coding, decode};
use crate::error_body::snippet;
use crate::extra_fields::ExtraFields;
use crate::limits::{
    ERROR_BODY_BYTES_MAX, ERROR_BODY_WAIT, REPLY_COLLECT_BYTES_MAX, STARTUP_BYTES_MAX,
    STARTUP_EVENTS_MAX,
};
use crate::reject::{Kind, ProviderError, Reject};

/// What there is to know about a reply before it is opened.
pub(crate) struct Expectation<'r> {
    pub(crate) dialect: Dialect,
    pub(crate) caller: Dialect,
    /// Set when the reply has to be translated.
    pub(crate) notes: Option<Box<Notes>>,
    /// The model name to report in a translated reply.
    pub(crate) model: &'r str,
    /// What to append to a translated OpenAI reply.
    pub(crate) extra_fields: Option<&'r ExtraFields>,
    /// The caller wants the provider's bytes shown.
    pub(crate) shows_raw: bool,
    /// Another attempt is possible, so the start of a stream is held back until it says something.
    pub(crate) may_retry: bool,
    pub(crate) began: Instant,
    pub(crate) stream_idle: Duration,
    /// The caller wants a stream of a job, which may have come whole: then it is one event.
    pub(crate) is_streamed_job: bool,
    /// Set where the provider goes on with what nobody reads.
    pub(crate) call_off: Option<Box<CallOff>>,
    /// Makes an id for a translated reply that came without one.
    pub(crate) number: u64,
}

/// A reply worth sending.
pub(crate) enum Reply {
    /// Passes from connection to connection.
    Passing(Passing),
    /// Translated or collected already; the provider's connection is done with. Apart, so that
    /// other replies are not as large.
    Ready(Box<Ready>),
    /// Sent.
    Gone,
}

/// A reply whose body is still on its way.
pub(crate) struct Passing {
    pub(crate) answering: Answering,
    pub(crate) body: BodyReader,
    /// Set for streams of events. Apart, so that other replies are not as large.
    pub(crate) stream: Option<Box<Stream>>,
    /// Bytes of the input that belong to the head, or to `Stream::held`.
    pub(crate) taken: usize,
    /// How the body begins, as far as that was looked at.
    pub(crate) beginning: Beginning,
}

/// The beginning of a stream.
pub(crate) struct Stream {
    /// Payload received so far.
    pub(crate) held: Buffer,
    /// Has read `held`.
    pub(crate) reader: Events,
    pub(crate) watch: Watch,
    /// Set when the stream has to be translated.
    pub(crate) notes: Option<Box<Notes>>,
    /// The body ended inside `held`.
    pub(crate) has_ended: bool,
    /// Set where the provider goes on with what nobody reads.
    pub(crate) call_off: Option<Box<CallOff>>,
}

/// A complete reply.
pub(crate) struct Ready {
    pub(crate) body: Buffer,
    pub(crate) content_type: Vec<u8>,
    pub(crate) usage: Usage,
    /// Header lines of the provider's that the caller may see.
    pub(crate) header_lines: Vec<u8>,
    /// The provider's own body, where it is to be shown.
    pub(crate) raw: Option<Vec<u8>>,
    /// The whole request was sent before the reply came.
    pub(crate) is_request_sent: bool,
    /// Time spent on translating it.
    pub(crate) own: Duration,
}

/// Looks at the reply whose head has arrived. `client` is only asked whether it is still there.
#[expect(clippy::manual_async_fn, reason = "an async function holds its arguments twice")]
pub(crate) fn open<'a>(
    client: &'a Connection,
    mut answering: Answering,
    head: &'a ResponseHead,
    expectation: Expectation<'a>,
) -> impl Future<Output = Result<Reply, Reject>> + 'a {
    async move {
        let body = BodyReader::new(head.body(&Method::POST));
        match head.status() {
            200..=299 => {}
            400..=599 => {
                return Err(
                    Box::pin(refusal(client, answering, head, body, expectation.dialect)).await
                );
            }
            // A caller that followed a provider's redirect would send its credentials there.
            status => return Err(unexpected_status(status)),
        }
        let input = answering.upstream.connection.input();
        let content_type = head.header(input, "content-type").unwrap_or_default();
        let events = events::framing(content_type).or_else(|| byte_stream(&expectation));
        let events = events.map(Events::new);
        let events = events.or_else(|| expectation.is_streamed_job.then(Events::whole));
        if has_type(content_type, "text/html") {
            return Err(Reject::new(Kind::BadReply, "HTML response received from provider"));
        }
        let coding = content_coding(head, input)?;
        if let Some(events) = events {
            let start = Start::new(events, &expectation);
            let stream = start_stream(client, answering, head, body, coding, start, expectation);
            return Box::pin(stream).await;
        }
        if expectation.notes.is_some() || coding.is_some() || expectation.shows_raw {
            return Box::pin(collect_reply(client, answering, head, body, expectation)).await;
        }
        let connection = &mut answering.upstream.connection;
        let beginning = loop {
            if let Some(beginning) = begins(&body, connection.input(), head.len())? {
                break beginning;
            }
            match connection.fill().await {
                Ok(1..) => {}
                Ok(0) if body.close().is_ok() => break Beginning::Other,
                Ok(0) => return Err(cut_short()),
                Err(error) => return Err(broken(client, &error)),
            }
        };
        let taken = head.len();
        Ok(Reply::Passing(Passing { answering, body, stream: None, taken, beginning }))
    }
}

/// A reply that is nothing but bytes becomes a stream where the caller wants one.
fn byte_stream(expectation: &Expectation<'_>) -> Option<Framing> {
    let is_stream = expectation.notes.as_ref().is_some_and(|notes| notes.is_byte_stream);
    is_stream.then_some(Framing::Bytes)
}

fn has_type(value: &[u8], expected: &str) -> bool {
    value.get(..expected.len()).is_some_and(|start| start.eq_ignore_ascii_case(expected.as_bytes()))
}

/// How a body begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// An object with at least one member.
    Members,
    /// An object without any.
    EmptyObject,
    /// Anything else.
    Other,
}

/// How the body begins whose first bytes stand in `input` from `from` on; `None`: more is needed
/// to tell.
pub(crate) fn begins(
    body: &BodyReader,
    input: &[u8],
    from: usize,
) -> Result<Option<Beginning>, Reject> {
    let (mut body, mut at, mut opens) = (body.clone(), from, false);
    loop {
        let rest = input.get(at..).unwrap_or_default();
        let step = body.next(rest).map_err(|error| bad_framing(&error))?;
        let payload = rest.get(step.data.clone()).unwrap_or_default();
        for byte in payload.iter().filter(|byte| !byte.is_ascii_whitespace()) {
            match (opens, byte) {
                (false, b'{') => opens = true,
                (false, _) => return Ok(Some(Beginning::Other)),
                (true, b'}') => return Ok(Some(Beginning::EmptyObject)),
                (true, _) => return Ok(Some(Beginning::Members)),
            }
        }
        match (step.is_end, opens) {
            (true, true) => return Ok(Some(Beginning::Other)),
            (true, false) => {
                return Err(Reject::new(Kind::BadReply, "empty response received from provider"));
            }
            (false, _) if step.consumed == 0 => return Ok(None),
            (false, _) => at += step.consumed,
        }
    }
}

#[cold]
pub(crate) fn unexpected_status(status: u16) -> Reject {
    let message = format!("the provider answered with the unexpected status {status}");
    Reject::new(Kind::BadReply, message)
}

/// Reads the body of an error reply and makes a refusal of it.
pub(crate) async fn refusal(
    client: &Connection,
    answering: Answering,
    head: &ResponseHead,
    body: BodyReader,
    dialect: Dialect,
) -> Reject {
    let status = head.status();
    answering.upstream.connection.set_deadline(Some(now() + ERROR_BODY_WAIT));
    let collected = collect(client, answering, head, body, ERROR_BODY_BYTES_MAX).await;
    match collected {
        Ok(collected) => {
            let body = collected.body.as_slice().to_vec();
            let reply = ProviderError {
                dialect,
                retry_after_ms: collected.retry_after_ms,
                header_lines: collected.header_lines,
                body,
            };
            let public = format!("the provider answered with status {status}");
            Reject { status, reply: Some(Box::new(reply)), ..Reject::new(Kind::Refused, public) }
        }
        // A status without its body is still the provider's word.
        Err(reject)
            if matches!(reject.kind, Kind::ConnectionFailed | Kind::BadReply | Kind::TimedOut) =>
        {
            Reject { status, ..Reject::new(Kind::Refused, reject.public) }
        }
        Err(reject) => reject,
    }
}

/// A reply read to its end.
pub(crate) struct Collected {
    pub(crate) body: Buffer,
    pub(crate) content_type: Vec<u8>,
    /// Header lines that the caller may see.
    pub(crate) header_lines: Vec<u8>,
    pub(crate) retry_after_ms: Option<u64>,
}

/// Reads a whole body, decodes it, and gives the connection back to its pool.
pub(crate) async fn collect(
    client: &Connection,
    mut answering: Answering,
    head: &ResponseHead,
    mut body: BodyReader,
    bytes_max: usize,
) -> Result<Collected, Reject> {
    let connection = &mut answering.upstream.connection;
    let mut lines = Buffer::new();
    crate::reply_head::push_forwardable(head, connection.input(), &mut lines);
    let header_lines = lines.as_slice().to_vec();
    let content_type = head.header(connection.input(), "content-type");
    let content_type = content_type.unwrap_or(b"application/json").to_vec();
    let retry_after_ms = crate::retry_after::read(head, connection.input());
    let coding = content_coding(head, connection.input())?;
    connection.consume(head.len());
    let mut out = Buffer::new();
    loop {
        let step = body.next(connection.input()).map_err(|error| bad_framing(&error))?;
        let data = connection.input().get(step.data.clone()).unwrap_or_default();
        if out.len() + data.len() > bytes_max {
            return Err(Reject::new(Kind::BadReply, "the provider's reply is too large"));
        }
        make_room(&mut out, data.len())?;
        out.extend_from_slice(data);
        connection.consume(step.consumed);
        if step.is_end {
            break;
        }
        if step.consumed == 0 || connection.input().is_empty() {
            match connection.fill().await {
                Ok(1..) => {}
                Ok(0) if body.close().is_ok() => break,
                Ok(0) => return Err(cut_short()),
                Err(error) => return Err(broken(client, &error)),
            }
        }
    }
    let is_clean = body.is_complete() && head.keeps_alive() && answering.is_request_sent;
    if is_clean && connection.input().is_empty() {
        drop(answering.pair);
        answering.upstream.checkin();
    }
    let body = match coding {
        Some(coding) => decode(coding, out.as_slice(), bytes_max).await.map_err(undecodable)?,
        None => out,
    };
    Ok(Collected { body, content_type, header_lines, retry_after_ms })
}

pub(crate) fn content_coding(head: &ResponseHead, input: &[u8]) -> Result<Option<Coding>, Reject> {
    let Some(value) = head.header(input, "content-encoding") else { return Ok(None) };
    let value = String::from_utf8_lossy(value);
    coding(&value).map_err(|()| {
        let message = format!("the provider's reply has an unknown content encoding: {value}");
        Reject::new(Kind::BadReply, message)
    })
}

/// Collects a unary reply and translates it where its dialect is not the caller's.
async fn collect_reply(
    client: &Connection,
    answering: Answering,
    head: &ResponseHead,
    body: BodyReader,
    expectation: Expectation<'_>,
) -> Result<Reply, Reject> {
    let is_request_sent = answering.is_request_sent;
    let collected = collect(client, answering, head, body, REPLY_COLLECT_BYTES_MAX).await?;
    let received = collected.body.as_slice();
    if received.trim_ascii().is_empty() {
        return Err(Reject::new(Kind::BadReply, "empty response received from provider"));
    }
    let raw = expectation.shows_raw.then(|| received.to_vec());
    let translating = Instant::now();
    let (body, usage, content_type) = match &expectation.notes {
        Some(notes) => {
            let said = String::from_utf8_lossy(&collected.content_type);
            let received = Body { content_type: &said, bytes: received };
            let (written, usage) = translate(received, notes, &expectation)?;
            (Buffer::from(written.body), usage, written.content_type.as_bytes().to_vec())
        }
        None => {
            let mut reader = UsageReader::new(expectation.dialect);
            reader.reply(received);
            (collected.body, reader.usage(), collected.content_type)
        }
    };
    let header_lines = collected.header_lines;
    let own = translating.elapsed();
    let ready = Ready { body, content_type, usage, header_lines, raw, is_request_sent, own };
    Ok(Reply::Ready(Box::new(ready)))
}

fn translate(
    reply: Body<'_>,
    notes: &Notes,
    expectation: &Expectation<'_>,
) -> Result<(Written, Usage), Reject> {
    let mut trailer = Vec::new();
    // With the raw reply shown the member is put in front instead, with it.
    if let Some(extra_fields) = expectation.extra_fields.filter(|_| !expectation.shows_raw) {
        extra_fields.write_vec(expectation.began.elapsed(), 0, &mut trailer);
    }
    let id = format!("{:016x}", expectation.number);
    let options = ReplyOptions {
        notes,
        model: Some(expectation.model),
        trailer: &trailer,
        id: &id,
        created: crate::unix_seconds(),
    };
    let (upstream, caller, body) = (expectation.dialect, expectation.caller, reply.bytes);
    let translated = if upstream.is_media() {
        dialect::translate_media_reply(upstream, caller, reply, &options)
    } else {
        let mut out = Vec::with_capacity(body.len() + body.len() / 4 + 256);
        dialect::translate_reply(upstream, caller, body, &options, &mut out).map(|usage| {
            let content_type = "application/json".into();
            (Written { body: out, content_type, ..Written::default() }, usage)
        })
    };
    translated.map_err(|error| {
        let message = format!("the provider's reply could not be read: {error}: {}", snippet(body));
        Reject::new(Kind::BadReply, message)
    })
}

/// A reply that is known to be a stream, with its beginning.
pub(crate) async fn open_stream(
    client: &Connection,
    answering: Answering,
    head: &ResponseHead,
    body: BodyReader,
    expectation: Expectation<'_>,
) -> Result<Reply, Reject> {
    let input = answering.upstream.connection.input();
    let coding = content_coding(head, input)?;
    let content_type = head.header(input, "content-type").unwrap_or_default();
    let framing = events::framing(content_type).unwrap_or(dialect::Framing::Sse);
    let start = Start::new(Events::new(framing), &expectation);
    start_stream(client, answering, head, body, coding, start, expectation).await
}

/// Waits for the first event of a stream (or, while another attempt is possible, the first that
/// says something): an error there is the error of the whole attempt.
async fn start_stream(
    client: &Connection,
    mut answering: Answering,
    head: &ResponseHead,
    mut body: BodyReader,
    coding: Option<Coding>,
    mut start: Start,
    expectation: Expectation<'_>,
) -> Result<Reply, Reject> {
    let connection = &mut answering.upstream.connection;
    // We ask for no compression. A provider that compresses a stream all the same is read to its
    // end first.
    let mut encoded = Buffer::unallocated();
    let mut taken = head.len();
    let has_ended = loop {
        let rest = connection.input().get(taken..).unwrap_or_default();
        let step = body.next(rest).map_err(|error| bad_framing(&error))?;
        taken += step.consumed;
        let payload = rest.get(step.data.clone()).unwrap_or_default();
        let is_open = match coding {
            None => start.take(payload, Instant::now())?,
            Some(_) => collect_piece(&mut encoded, payload)?,
        };
        if is_open || step.is_end {
            break step.is_end;
        }
        if step.consumed == 0 || taken == connection.input().len() {
            connection.set_deadline(Some(now() + expectation.stream_idle));
            match connection.fill().await {
                Ok(1..) => {}
                Ok(0) if body.close().is_ok() => break true,
                Ok(0) => return Err(cut_short()),
                Err(error) => return Err(broken(client, &error)),
            }
        }
    };
    if let Some(coding) = coding {
        let decoded = decode(coding, encoded.as_slice(), REPLY_COLLECT_BYTES_MAX).await;
        start.take(decoded.map_err(undecodable)?.as_slice(), Instant::now())?;
    }
    if has_ended {
        start.end()?;
    }
    let Start { held, reader, watch, .. } = start;
    let Expectation { notes, call_off, .. } = expectation;
    let stream = Box::new(Stream { held, reader, watch, notes, has_ended, call_off });
    let beginning = Beginning::Other;
    Ok(Reply::Passing(Passing { answering, body, stream: Some(stream), taken, beginning }))
}

/// Keeps a piece of a compressed stream; always `false`: nothing of it can go out yet.
fn collect_piece(encoded: &mut Buffer, payload: &[u8]) -> Result<bool, Reject> {
    if encoded.len() + payload.len() > REPLY_COLLECT_BYTES_MAX {
        return Err(Reject::new(Kind::BadReply, "the provider's reply is too large"));
    }
    make_room(encoded, payload.len())?;
    encoded.extend_from_slice(payload);
    Ok(false)
}

/// The beginning of a stream, while it is held back.
struct Start {
    dialect: Dialect,
    may_retry: bool,
    held: Buffer,
    reader: Events,
    watch: Watch,
    events: usize,
}

impl Start {
    fn new(reader: Events, expectation: &Expectation<'_>) -> Self {
        Self {
            dialect: expectation.dialect,
            may_retry: expectation.may_retry,
            held: Buffer::new(),
            reader,
            watch: Watch::new(expectation.dialect, expectation.began),
            events: 0,
        }
    }

    /// Takes payload that came `at` a moment; `true`: the stream may go out.
    fn take(&mut self, payload: &[u8], at: Instant) -> Result<bool, Reject> {
        make_room(&mut self.held, payload.len())?;
        self.held.extend_from_slice(payload);
        let mut is_open = false;
        let mut rest = payload;
        while let Some(event) = self.reader.next(&mut rest)? {
            self.events += 1;
            match self.watch.note(&event, at) {
                EventClass::Error if !is_open => {
                    return Err(first_event_error(self.dialect, &event));
                }
                EventClass::StartUp if self.may_retry => {}
                EventClass::Error | EventClass::StartUp | EventClass::Output | EventClass::Done => {
                    is_open = true
                }
            }
        }
        let is_full = self.events > STARTUP_EVENTS_MAX || self.held.len() > STARTUP_BYTES_MAX;
        Ok(is_open || is_full || self.is_sign_of_life())
    }

    /// A comment tells the caller to be patient; it is not held back for nothing.
    fn is_sign_of_life(&self) -> bool {
        let held = self.held.as_slice();
        let is_comment = self.events == 0 && held.starts_with(b":");
        is_comment && !self.may_retry && !self.reader.is_inside_event()
    }

    /// The stream is over already. Some providers leave out the empty line behind a lone error.
    fn end(&mut self) -> Result<(), Reject> {
        if self.held.is_empty() {
            return Err(Reject::new(Kind::BadReply, "empty response received from provider"));
        }
        let Some(event) = self.reader.finish() else { return Ok(()) };
        if self.events == 0 && self.watch.note(&event, Instant::now()) == EventClass::Error {
            return Err(first_event_error(self.dialect, &event));
        }
        Ok(())
    }
}

/// Status of an error that came as the first event under status 200.
#[cold]
fn first_event_error(dialect: Dialect, event: &Event<'_>) -> Reject {
    let status = dialect::read_stream_error(dialect, event.event, event.data).status;
    let reply = ProviderError {
        dialect,
        body: event.data.to_vec(),
        header_lines: Vec::new(),
        retry_after_ms: None,
    };
    let public = "the provider answered with an error inside its stream";
    Reject { status, reply: Some(Box::new(reply)), ..Reject::new(Kind::Refused, public) }
}

#[cold]
pub(super) fn bad_framing(error: &wire::BodyError) -> Reject {
    Reject::new(Kind::ConnectionFailed, format!("the provider's reply is broken: {error}"))
}

#[cold]
pub(super) fn cut_short() -> Reject {
    let message = "failed to execute HTTP request to provider API: \
                   the connection was closed inside the reply";
    Reject::new(Kind::ConnectionFailed, message)
}

#[cold]
fn undecodable(failure: Failure) -> Reject {
    let message = match failure {
        Failure::TooLarge => "the provider's reply is too large".to_owned(),
        Failure::Invalid(error) => format!("the provider's reply cannot be decompressed: {error}"),
        Failure::MemorySpent => return memory_spent(),
    };
    Reject::new(Kind::BadReply, message)
}
