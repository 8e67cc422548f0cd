//! Stage 11: reply → caller. Each piece leaves as it comes; usage is read on the way.

mod output;
mod stream;
mod unary;

use std::time::{Duration, Instant};

use dialect::Dialect;
use net::{Buffer, Connection, now};
use wire::{BodyReader, ResponseHead};

use self::output::Output;
use super::open::{Passing, Ready, Reply};
use super::send::{Answering, broken};
use super::watch::Seen;
use crate::extra_fields::{ExtraFields, Routed};
use crate::inject::Injector;
use crate::reject::{Kind, Reject};
use crate::reply_head::{Framing, ReplyContext, push_forwardable, push_header};
use crate::routes::Family;

/// What a reply needs besides itself.
pub(crate) struct Manners<'r> {
    pub(crate) family: Family,
    pub(crate) upstream_dialect: Dialect,
    pub(crate) caller_dialect: Dialect,
    pub(crate) routed: Routed<'r>,
    /// `x-bifrost-*` and `Server-Timing` lines.
    pub(crate) header_lines: Buffer,
    /// When the request was received.
    pub(crate) began: Instant,
    /// Longest silence inside a stream.
    pub(crate) stream_idle: Duration,
    /// Makes an id for a translated reply that came without one.
    pub(crate) number: u64,
}

/// How a reply ended.
#[derive(Debug)]
pub(crate) struct Relayed {
    pub(crate) seen: Seen,
    pub(crate) status: u16,
    pub(crate) response_bytes: u64,
    /// Time spent waiting for the provider.
    pub(crate) upstream_us: u64,
    /// Time spent on the reply otherwise.
    pub(crate) own_ns: u64,
    /// Why it broke off, if it did. The caller has been told as far as that was possible.
    pub(crate) failure: Option<Reject>,
    /// The caller's connection can take another request.
    pub(crate) is_intact: bool,
}

/// Sends a reply to the caller.
pub(crate) async fn relay(
    client: &mut Connection,
    context: &mut ReplyContext,
    head: &ResponseHead,
    reply: Reply,
    extra_fields: Option<ExtraFields>,
    manners: &Manners<'_>,
) -> Relayed {
    let Passing { answering, body, stream, taken } = match reply {
        Reply::Ready(ready) => {
            return send_ready(client, context, head, ready, extra_fields, manners).await;
        }
        Reply::Passing(passing) => passing,
    };
    let output = Output::new(extra_fields, manners.began);
    let mut relay = Relay {
        client,
        context,
        head,
        manners,
        answering,
        body,
        output,
        opened: Instant::now(),
        waited: Duration::ZERO,
        failure: None,
        is_intact: true,
    };
    let seen = match stream {
        Some(stream) => stream::run(&mut relay, stream, taken).await,
        None => unary::run(&mut relay).await,
    };
    relay.finish(seen)
}

/// Sends a reply that is complete already.
async fn send_ready(
    client: &mut Connection,
    context: &mut ReplyContext,
    head: &ResponseHead,
    ready: Ready,
    extra_fields: Option<ExtraFields>,
    manners: &Manners<'_>,
) -> Relayed {
    let mut body = Buffer::with_capacity(ready.body.len() + 1024);
    let is_translated = manners.upstream_dialect != manners.caller_dialect;
    let raw = ready.raw.as_deref().filter(|_| manners.family != Family::Anthropic);
    if raw.is_some() || (extra_fields.is_some() && !is_translated) {
        let extra_fields = extra_fields.unwrap_or_else(|| ExtraFields::new(&manners.routed));
        let extra_fields = extra_fields.with_raw("raw_response", raw);
        let latency = manners.began.elapsed();
        Injector::for_object()
            .push(&ready.body, &mut body, |out| extra_fields.write(latency, 0, out));
    } else {
        body.extend_from_slice(&ready.body);
    }
    let mut out = Buffer::with_capacity(body.len() + 1024);
    context.begin(head.status(), &mut out);
    push_header(&mut out, "content-type", b"application/json");
    out.extend_from_slice(&ready.header_lines);
    out.extend_from_slice(manners.header_lines.as_slice());
    context.end(Framing::Length(body.len() as u64), &mut out);
    out.extend_from_slice(body.as_slice());
    let opened = Instant::now();
    let written = write(client, out, context.send_timeout).await;
    Relayed {
        seen: Seen { usage: ready.usage, ..Seen::default() },
        status: head.status(),
        upstream_us: 0,
        own_ns: opened.elapsed().as_nanos() as u64,
        response_bytes: body.len() as u64,
        is_intact: written.is_ok(),
        failure: written.err(),
    }
}

/// Writes to the caller, who has a limited time to take it.
pub(crate) async fn write(
    client: &mut Connection,
    bytes: Buffer,
    timeout: Duration,
) -> Result<(), Reject> {
    client.set_deadline(Some(now() + timeout));
    let written = client.write(bytes).await;
    client.set_deadline(None);
    written.map(drop).map_err(|_| super::read::gone())
}

/// A reply that passes from the provider's connection to the caller's.
struct Relay<'f> {
    client: &'f mut Connection,
    context: &'f mut ReplyContext,
    /// The provider's head; it stands at the front of its input until [`Relay::begin`].
    head: &'f ResponseHead,
    manners: &'f Manners<'f>,
    answering: Answering,
    body: BodyReader,
    output: Output,
    opened: Instant,
    /// Time spent waiting for the provider.
    waited: Duration,
    failure: Option<Reject>,
    is_intact: bool,
}

/// What a look at the provider's input gave.
enum Look {
    /// Payload was moved to the output, and there may be more in the input.
    Moved,
    /// Everything there is was moved.
    Dry,
    /// The body is complete.
    End,
}

impl Relay<'_> {
    /// Writes the reply's head to the output; the provider's is done with.
    fn begin(&mut self, framing: Framing, extra_lines: &[u8]) {
        let connection = &mut self.answering.upstream.connection;
        let input = connection.input();
        let out = &mut self.output.framed.bytes;
        self.context.begin(self.head.status(), out);
        let content_type = self.head.header(input, "content-type").unwrap_or(b"application/json");
        push_header(out, "content-type", content_type);
        out.extend_from_slice(extra_lines);
        push_forwardable(self.head, input, out);
        out.extend_from_slice(self.manners.header_lines.as_slice());
        self.context.end(framing, out);
        self.output.framed.framing = framing;
        self.is_intact = framing != Framing::UntilClose;
        connection.consume(self.head.len());
    }

    /// Moves the next payload of the provider's input through `take`.
    fn look(&mut self, mut take: impl FnMut(&mut Output, &[u8])) -> Result<Look, Reject> {
        let connection = &mut self.answering.upstream.connection;
        let step = self.body.next(connection.input()).map_err(|error| {
            Reject::new(Kind::ConnectionFailed, format!("the provider's reply is broken: {error}"))
        })?;
        let payload = connection.input().get(step.data.clone()).unwrap_or_default();
        if !payload.is_empty() {
            take(&mut self.output, payload);
        }
        connection.consume(step.consumed);
        Ok(match (step.is_end, connection.input().is_empty() || step.consumed == 0) {
            (true, _) => Look::End,
            (false, true) => Look::Dry,
            (false, false) => Look::Moved,
        })
    }

    /// Reads more from the provider. `Ok(false)`: its body ended with its connection, as it should.
    async fn receive(&mut self) -> Result<bool, Reject> {
        let waiting = Instant::now();
        let received = self.answering.upstream.connection.fill().await;
        self.waited += waiting.elapsed();
        match received {
            Ok(1..) => Ok(true),
            Ok(0) if self.body.close().is_ok() => Ok(false),
            Ok(0) => {
                let message = "the provider closed the connection inside the reply";
                Err(Reject::new(Kind::ConnectionFailed, message))
            }
            Err(error) => Err(broken(self.client, &error)),
        }
    }

    /// Writes what the output holds.
    async fn write(&mut self) -> Result<(), Reject> {
        let bytes = self.output.framed.take();
        if bytes.is_empty() {
            return Ok(());
        }
        write(self.client, bytes, self.context.send_timeout).await
    }

    /// The reply is broken: the caller's connection is closed, so that what it has is not taken for
    /// the whole.
    fn break_off(&mut self, reject: Reject) {
        self.failure = Some(reject);
        self.is_intact = false;
    }

    fn finish(self, seen: Seen) -> Relayed {
        let Answering { upstream, pair } = self.answering;
        drop(pair);
        let is_reusable = self.failure.is_none()
            && self.body.is_complete()
            && self.head.keeps_alive()
            && upstream.connection.input().is_empty();
        if is_reusable {
            upstream.checkin();
        }
        Relayed {
            seen,
            status: self.head.status(),
            upstream_us: self.waited.as_micros() as u64,
            own_ns: self.opened.elapsed().saturating_sub(self.waited).as_nanos() as u64,
            response_bytes: self.output.framed.body_bytes,
            failure: self.failure,
            is_intact: self.is_intact,
        }
    }
}
