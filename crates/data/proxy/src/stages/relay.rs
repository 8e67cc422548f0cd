//! Stage 11: reply → caller. Each piece leaves as it comes; usage is read on the way.

mod chunks;
mod list;
mod numbers;
mod output;
mod stream;
mod unary;

use std::time::{Duration, Instant};

use dialect::{Dialect, UsageReader};
use net::{Buffer, Connection, now};
use wire::ResponseHead;

use self::output::Output;
use super::open::{Passing, Ready, Reply};
use super::send::{Answering, broken};
use super::watch::Seen;
use crate::extra_fields::{ExtraFields, Routed};
use crate::inject::Injector;
use crate::limits::WRITE_PIECE_BYTES;
use crate::reject::{Kind, Reject};
use crate::reply_head::{Framing, ReplyContext, push_forwardable, push_header};
use crate::routes::{Family, Telling, Tells};

/// What a reply needs besides itself.
pub(crate) struct Manners<'r> {
    pub(crate) family: Family,
    pub(crate) upstream_dialect: Dialect,
    pub(crate) caller_dialect: Dialect,
    pub(crate) routed: Option<Routed<'r>>,
    /// When the request was received.
    pub(crate) began: Instant,
    /// When the reply had been looked into.
    pub(crate) opened: Instant,
    /// Longest silence of the provider inside a reply.
    pub(crate) silence_max: Duration,
    /// Makes an id for a translated reply that came without one.
    pub(crate) number: u64,
    /// The provider tells the usage of its streams only because the gateway asks for it.
    pub(crate) hides_usage: bool,
    /// How the caller gets the events of a stream.
    pub(crate) telling: Telling,
}

impl Manners<'_> {
    /// On drop-in routes a stream has what the provider would have sent to the caller.
    fn filter(&self) -> Option<stream::UsageFilter> {
        let is_meant = self.family.is_drop_in() && self.hides_usage;
        is_meant.then(stream::UsageFilter::new)
    }
}

/// What is added to a provider's reply.
pub(crate) struct Additions<'r> {
    /// Ready to read the usage of a unary reply.
    pub(crate) usage: &'r mut UsageReader,
    /// Set where the reply tells how it was routed.
    pub(crate) extra_fields: Option<ExtraFields>,
    /// `x-bifrost-*` and `Server-Timing` lines.
    pub(crate) header_lines: Buffer,
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
    pub(crate) ended: Instant,
    /// Why it broke off, if it did. The caller has been told as far as that was possible.
    pub(crate) failure: Option<Reject>,
    /// The caller's connection can take another request.
    pub(crate) is_intact: bool,
}

impl Relayed {
    /// For a reply that was sent before.
    fn nothing() -> Self {
        Self {
            seen: Seen::default(),
            status: Kind::Internal.status(),
            upstream_us: 0,
            own_ns: 0,
            ended: Instant::now(),
            response_bytes: 0,
            failure: Some(Reject::new(Kind::Internal, "the reply was sent before")),
            is_intact: false,
        }
    }
}

/// Sends a reply to the caller.
pub(crate) async fn relay(
    client: &mut Connection,
    context: &mut ReplyContext,
    head: &ResponseHead,
    reply: &mut Reply,
    additions: Additions<'_>,
    manners: &Manners<'_>,
) -> Relayed {
    let passing = match reply {
        Reply::Ready(ready) => {
            return Box::pin(send_ready(client, context, head, ready, additions, manners)).await;
        }
        Reply::Passing(passing) => passing,
        Reply::Gone => return Relayed::nothing(),
    };
    let stream = passing.stream.take();
    let mut relay = Relay {
        client,
        context,
        head,
        manners,
        passing,
        output: Output::new(additions.extra_fields, manners.began, manners.opened),
        header_lines: additions.header_lines,
        waited: Duration::ZERO,
        failure: None,
        is_intact: true,
    };
    let seen = match stream {
        Some(stream) => stream::run(&mut relay, stream).await,
        None => unary::run(&mut relay, additions.usage).await,
    };
    let relayed = relay.finish(seen);
    give_back(reply, head, &relayed);
    relayed
}

/// Puts the provider's connection back into its pool when the exchange was clean.
fn give_back(reply: &mut Reply, head: &ResponseHead, relayed: &Relayed) {
    if let Reply::Passing(Passing { answering, body, .. }) = std::mem::replace(reply, Reply::Gone) {
        let Answering { upstream, pair, is_request_sent } = answering;
        drop(pair);
        let is_clean = relayed.failure.is_none()
            && is_request_sent
            && body.is_complete()
            && head.keeps_alive()
            && upstream.connection.input().is_empty();
        if is_clean {
            upstream.checkin();
        }
    }
}

/// Status of a good reply that the gateway has written itself.
const TRANSLATED_STATUS: u16 = 200;

/// Sends a reply that is complete already.
async fn send_ready(
    client: &mut Connection,
    context: &mut ReplyContext,
    head: &ResponseHead,
    ready: &mut Ready,
    additions: Additions<'_>,
    manners: &Manners<'_>,
) -> Relayed {
    let is_translated = manners.upstream_dialect != manners.caller_dialect;
    let raw = ready.raw.as_deref().filter(|_| manners.family.habits().tells != Tells::Never);
    let extra_fields = additions.extra_fields.or_else(|| {
        // Raw bodies are shown on routes that otherwise tell nothing.
        manners.routed.as_ref().filter(|_| raw.is_some()).map(ExtraFields::new)
    });
    let mut body = std::mem::replace(&mut ready.body, Buffer::unallocated());
    if let Some(extra_fields) = extra_fields.filter(|_| raw.is_some() || !is_translated) {
        let extra_fields = extra_fields.with_raw("raw_response", raw);
        let latency = manners.began.elapsed();
        let mut extended = Buffer::with_capacity(body.len() + 1024);
        Injector::for_object()
            .push(body.as_slice(), &mut extended, |out| extra_fields.write(latency, 0, out));
        body = extended;
    }
    // That the provider made something, a job say, is nothing the caller asked for.
    let is_success = (200..=299).contains(&head.status());
    let status = if is_translated && is_success { TRANSLATED_STATUS } else { head.status() };
    let mut out = Buffer::new();
    context.begin(status, &mut out);
    push_header(&mut out, "content-type", &ready.content_type);
    out.extend_from_slice(&ready.header_lines);
    out.extend_from_slice(additions.header_lines.as_slice());
    context.end(Framing::Length(body.len() as u64), &mut out);
    let response_bytes = body.len() as u64;
    let written = write_ready(client, context, out, body).await;
    let ended = Instant::now();
    Relayed {
        seen: Seen { usage: ready.usage, ..Seen::default() },
        status,
        upstream_us: 0,
        own_ns: ended.duration_since(manners.opened).as_nanos() as u64,
        ended,
        response_bytes,
        is_intact: written.is_ok(),
        failure: written.err(),
    }
}

/// Head and body leave in one write where they are small; a large body leaves in pieces, each with
/// its own time to be taken.
async fn write_ready(
    client: &mut Connection,
    context: &ReplyContext,
    mut out: Buffer,
    body: Buffer,
) -> Result<(), Reject> {
    let mut rest = body.as_slice();
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rest.len().min(WRITE_PIECE_BYTES));
        out.extend_from_slice(piece);
        write(client, std::mem::take(&mut out), context.send_timeout).await?;
        rest = behind;
    }
    if out.is_empty() { Ok(()) } else { write(client, out, context.send_timeout).await }
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
    written.map_err(|_| super::read::gone())
}

/// A reply that passes from the provider's connection to the caller's.
struct Relay<'f> {
    client: &'f mut Connection,
    context: &'f mut ReplyContext,
    /// The provider's head; it stands at the front of its input until [`Relay::begin`].
    head: &'f ResponseHead,
    manners: &'f Manners<'f>,
    passing: &'f mut Passing,
    output: Output,
    /// Gone once the head is written: a stream lives long.
    header_lines: Buffer,
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
    /// Writes the reply's head to the output; the provider's is done with. `own_type` says what the
    /// body is where it is not the provider's.
    fn begin(&mut self, framing: Framing, own_type: Option<&[u8]>, extra_lines: &[u8]) {
        let connection = &mut self.passing.answering.upstream.connection;
        let input = connection.input();
        let out = &mut self.output.framed.bytes;
        self.context.begin(self.head.status(), out);
        if let Some(lines) = own_type {
            out.extend_from_slice(lines);
        } else {
            let content_type = self.head.header(input, "content-type");
            push_header(out, "content-type", content_type.unwrap_or(b"application/json"));
        }
        out.extend_from_slice(extra_lines);
        push_forwardable(self.head, input, out);
        let header_lines = std::mem::replace(&mut self.header_lines, Buffer::unallocated());
        out.extend_from_slice(header_lines.as_slice());
        self.context.end(framing, out);
        self.output.framed.framing = framing;
        self.is_intact = framing != Framing::UntilClose;
        connection.consume(self.head.len());
    }

    /// Moves the next payload of the provider's input through `take`, and says whether the body ends
    /// with it.
    #[inline]
    fn look(&mut self, mut take: impl FnMut(&mut Output, &[u8], bool)) -> Result<Look, Reject> {
        let connection = &mut self.passing.answering.upstream.connection;
        let step = self.passing.body.next(connection.input()).map_err(|error| {
            Reject::new(Kind::ConnectionFailed, format!("the provider's reply is broken: {error}"))
        })?;
        let payload = connection.input().get(step.data.clone()).unwrap_or_default();
        if !payload.is_empty() {
            take(&mut self.output, payload, step.is_end);
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
        let connection = &mut self.passing.answering.upstream.connection;
        connection.set_deadline(Some(now() + self.manners.silence_max));
        let waiting = Instant::now();
        let received = self.passing.answering.upstream.connection.fill().await;
        let arrived = Instant::now();
        self.waited += arrived.duration_since(waiting);
        self.output.arrived = arrived;
        match received {
            Ok(1..) => Ok(true),
            Ok(0) if self.passing.body.close().is_ok() => Ok(false),
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
        let ended = Instant::now();
        let taken = ended.duration_since(self.manners.opened);
        Relayed {
            seen,
            status: self.head.status(),
            upstream_us: self.waited.as_micros() as u64,
            own_ns: taken.saturating_sub(self.waited).as_nanos() as u64,
            ended,
            response_bytes: self.output.framed.body_bytes,
            failure: self.failure,
            is_intact: self.is_intact,
        }
    }
}
