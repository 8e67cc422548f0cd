//! Between send and judge: looks into the reply before the caller is promised anything, so that an
//! error in it can still be retried, sent elsewhere, or told with a real status.

use std::time::{Duration, Instant};

use dialect::{Dialect, EventClass, Notes, ReplyOptions, Usage, UsageReader};
use http::Method;
use net::{Buffer, Connection, now};
use wire::{BodyReader, ResponseHead, SseReader};

use super::send::{Answering, broken};
use super::watch::Watch;
use crate::decompress::{Failure, coding, decode};
use crate::error_body::snippet;
use crate::extra_fields::ExtraFields;
use crate::limits::{
    ERROR_BODY_BYTES_MAX, REPLY_COLLECT_BYTES_MAX, STARTUP_BYTES_MAX, STARTUP_EVENTS_MAX,
};
use crate::reject::{Kind, ProviderError, Reject};

/// What there is to know about a reply before it is opened.
pub(crate) struct Expectation<'r> {
    pub(crate) dialect: Dialect,
    pub(crate) caller: Dialect,
    /// Set when the reply has to be translated.
    pub(crate) notes: Option<Notes>,
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
    /// Makes an id for a translated reply that came without one.
    pub(crate) number: u64,
}

/// A reply worth sending.
pub(crate) enum Reply {
    /// Passes from connection to connection.
    Passing(Passing),
    /// Translated or collected already; the provider's connection is done with.
    Ready(Ready),
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
}

/// The beginning of a stream.
pub(crate) struct Stream {
    /// Payload received so far.
    pub(crate) held: Buffer,
    /// Has read `held`.
    pub(crate) reader: SseReader,
    pub(crate) watch: Watch,
    /// Set when the stream has to be translated.
    pub(crate) notes: Option<Notes>,
    /// The body ended inside `held`.
    pub(crate) has_ended: bool,
}

/// A complete reply.
pub(crate) struct Ready {
    pub(crate) body: Vec<u8>,
    pub(crate) usage: Usage,
    /// Header lines of the provider's that the caller may see.
    pub(crate) header_lines: Vec<u8>,
    /// The provider's own body, where it is to be shown.
    pub(crate) raw: Option<Vec<u8>>,
}

/// Looks at the reply whose head has arrived. `client` is only asked whether it is still there.
pub(crate) async fn open(
    client: &Connection,
    mut answering: Answering,
    head: &ResponseHead,
    expectation: Expectation<'_>,
) -> Result<Reply, Reject> {
    let body = BodyReader::new(head.body(&Method::POST));
    if !(200..300).contains(&head.status()) {
        return Err(Box::pin(refusal(client, answering, head, body, expectation.dialect)).await);
    }
    let input = answering.upstream.connection.input();
    let is_stream = has_type(head, input, "text/event-stream");
    if has_type(head, input, "text/html") {
        return Err(Reject::new(Kind::BadReply, "HTML response received from provider"));
    }
    let is_encoded =
        head.header(input, "content-encoding").is_some_and(|value| value != b"identity");
    if is_stream && !is_encoded {
        return Box::pin(start_stream(client, answering, head, body, expectation)).await;
    }
    if expectation.notes.is_some() || is_encoded || expectation.shows_raw {
        return Box::pin(collect_reply(client, answering, head, body, expectation)).await;
    }
    let mut probe = body.clone();
    let connection = &mut answering.upstream.connection;
    while !has_payload(&mut probe, connection, head.len())? {
        receive(client, connection).await?;
        probe = body.clone();
    }
    Ok(Reply::Passing(Passing { answering, body, stream: None, taken: head.len() }))
}

fn has_type(head: &ResponseHead, input: &[u8], expected: &str) -> bool {
    let value = head.header(input, "content-type").unwrap_or_default();
    value.get(..expected.len()).is_some_and(|start| start.eq_ignore_ascii_case(expected.as_bytes()))
}

/// Whether some of the body has arrived; an error when it ended without any.
fn has_payload(
    body: &mut BodyReader,
    connection: &Connection,
    from: usize,
) -> Result<bool, Reject> {
    let mut at = from;
    loop {
        let rest = connection.input().get(at..).unwrap_or_default();
        let step = body.next(rest).map_err(|error| bad_framing(&error))?;
        if !step.data.is_empty() {
            return Ok(true);
        }
        if step.is_end {
            return Err(Reject::new(Kind::BadReply, "empty response received from provider"));
        }
        if step.consumed == 0 {
            return Ok(false);
        }
        at += step.consumed;
    }
}

async fn receive(client: &Connection, connection: &mut Connection) -> Result<(), Reject> {
    match connection.fill().await {
        Ok(1..) => Ok(()),
        Ok(0) => Err(cut_short()),
        Err(error) => Err(broken(client, &error)),
    }
}

/// Reads the body of an error reply and makes a refusal of it.
async fn refusal(
    client: &Connection,
    answering: Answering,
    head: &ResponseHead,
    body: BodyReader,
    dialect: Dialect,
) -> Reject {
    let status = head.status();
    let collected = collect(client, answering, head, body, ERROR_BODY_BYTES_MAX).await;
    match collected {
        Ok(collected) => {
            let body = collected.body;
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
        Err(reject) if matches!(reject.kind, Kind::ConnectionFailed | Kind::BadReply) => {
            Reject { status, ..Reject::new(Kind::Refused, reject.public) }
        }
        Err(reject) => reject,
    }
}

struct Collected {
    body: Vec<u8>,
    header_lines: Vec<u8>,
    retry_after_ms: Option<u64>,
}

/// Reads a whole body, decodes it, and gives the connection back to its pool.
async fn collect(
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
    let retry_after_ms = crate::retry_after::read(head, connection.input());
    let coding = content_coding(head, connection.input())?;
    connection.consume(head.len());
    let mut out = Vec::new();
    loop {
        let step = body.next(connection.input()).map_err(|error| bad_framing(&error))?;
        let data = connection.input().get(step.data.clone()).unwrap_or_default();
        if out.len() + data.len() > bytes_max {
            return Err(Reject::new(Kind::BadReply, "the provider's reply is too large"));
        }
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
    if body.is_complete() && head.keeps_alive() && connection.input().is_empty() {
        drop(answering.pair);
        answering.upstream.checkin();
    }
    let body = match coding {
        Some(coding) => decode(coding, &out, bytes_max).map_err(|failure| undecodable(&failure))?,
        None => out,
    };
    Ok(Collected { body, header_lines, retry_after_ms })
}

fn content_coding(
    head: &ResponseHead,
    input: &[u8],
) -> Result<Option<crate::decompress::Coding>, Reject> {
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
    let collected = collect(client, answering, head, body, REPLY_COLLECT_BYTES_MAX).await?;
    if collected.body.trim_ascii().is_empty() {
        return Err(Reject::new(Kind::BadReply, "empty response received from provider"));
    }
    let raw = expectation.shows_raw.then(|| collected.body.clone());
    let (body, usage) = match &expectation.notes {
        Some(notes) => translate(&collected.body, notes, &expectation)?,
        None => {
            let mut reader = UsageReader::new(expectation.dialect);
            reader.reply(&collected.body);
            (collected.body, reader.usage())
        }
    };
    Ok(Reply::Ready(Ready { body, usage, header_lines: collected.header_lines, raw }))
}

fn translate(
    body: &[u8],
    notes: &Notes,
    expectation: &Expectation<'_>,
) -> Result<(Vec<u8>, Usage), Reject> {
    let mut trailer = Vec::new();
    if let Some(extra_fields) = expectation.extra_fields {
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
    let mut out = Vec::with_capacity(body.len() + body.len() / 4 + 256);
    dialect::translate_reply(expectation.dialect, expectation.caller, body, &options, &mut out)
        .map(|usage| (out, usage))
        .map_err(|error| {
            let message =
                format!("the provider's reply could not be read: {error}: {}", snippet(body));
            Reject::new(Kind::BadReply, message)
        })
}

/// Waits for the first event of a stream (or, while another attempt is possible, the first that
/// says something): an error there is the error of the whole attempt.
async fn start_stream(
    client: &Connection,
    mut answering: Answering,
    head: &ResponseHead,
    mut body: BodyReader,
    expectation: Expectation<'_>,
) -> Result<Reply, Reject> {
    let connection = &mut answering.upstream.connection;
    let mut watch = Watch::new(expectation.dialect, expectation.began);
    let mut reader = SseReader::new();
    let mut held = Buffer::new();
    let (mut taken, mut events) = (head.len(), 0);
    let has_ended = loop {
        let rest = connection.input().get(taken..).unwrap_or_default();
        let step = body.next(rest).map_err(|error| bad_framing(&error))?;
        let piece = rest.get(step.data.clone()).unwrap_or_default();
        held.extend_from_slice(piece);
        taken += step.consumed;
        let mut is_open = false;
        let mut unread = piece;
        while let Some(event) = reader.next(&mut unread).map_err(|error| too_large(&error))? {
            events += 1;
            match watch.note(&event) {
                EventClass::Error if !is_open => {
                    return Err(first_event_error(expectation.dialect, event.data));
                }
                EventClass::StartUp if expectation.may_retry => {}
                EventClass::Error | EventClass::StartUp | EventClass::Output | EventClass::Done => {
                    is_open = true
                }
            }
        }
        is_open |= events > STARTUP_EVENTS_MAX || held.len() > STARTUP_BYTES_MAX;
        // A comment is a sign of life that must not be held back for nothing.
        is_open |= events == 0
            && held.as_slice().starts_with(b":")
            && held.as_slice().ends_with(b"\n\n")
            && !expectation.may_retry;
        if is_open || step.is_end {
            break step.is_end;
        }
        if step.consumed == 0 || taken == connection.input().len() {
            connection.set_deadline(Some(now() + expectation.stream_idle));
            match connection.fill().await {
                Ok(1..) => {}
                Ok(0) if body.close().is_ok() && !held.is_empty() => break true,
                Ok(0) => return Err(cut_short()),
                Err(error) => return Err(broken(client, &error)),
            }
        }
    };
    if has_ended && held.is_empty() {
        return Err(Reject::new(Kind::BadReply, "empty response received from provider"));
    }
    let stream = Box::new(Stream { held, reader, watch, notes: expectation.notes, has_ended });
    Ok(Reply::Passing(Passing { answering, body, stream: Some(stream), taken }))
}

/// Status of an error that came as the first event under status 200.
#[cold]
fn first_event_error(dialect: Dialect, data: &[u8]) -> Reject {
    let status = dialect::read_error(dialect, 500, data).status;
    let status = if (400..600).contains(&status) { status } else { 500 };
    let reply = ProviderError {
        dialect,
        body: data.to_vec(),
        header_lines: Vec::new(),
        retry_after_ms: None,
    };
    let public = "the provider answered with an error inside its stream";
    Reject { status, reply: Some(Box::new(reply)), ..Reject::new(Kind::Refused, public) }
}

#[cold]
fn bad_framing(error: &wire::BodyError) -> Reject {
    Reject::new(Kind::ConnectionFailed, format!("the provider's reply is broken: {error}"))
}

#[cold]
fn too_large(error: &wire::SseError) -> Reject {
    Reject::new(Kind::BadReply, format!("the provider's stream cannot be read: {error}"))
}

#[cold]
fn cut_short() -> Reject {
    let message = "failed to execute HTTP request to provider API: \
                   the connection was closed inside the reply";
    Reject::new(Kind::ConnectionFailed, message)
}

#[cold]
fn undecodable(failure: &Failure) -> Reject {
    let message = match failure {
        Failure::TooLarge => "the provider's reply is too large".to_owned(),
        Failure::Invalid(error) => format!("the provider's reply cannot be decompressed: {error}"),
    };
    Reject::new(Kind::BadReply, message)
}
