//! A realtime session: a handshake with a provider, and then a tunnel for as long as both want it.

use std::borrow::Cow;
use std::io;
use std::time::Instant;

use meter::{NoSeat, Seat};
use net::{Buffer, Connection, Side, TunnelEnd, TunnelRules, now};
use snapshot::Snapshot;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::CloseCode;
use wire::BodyLength;

use super::Visit;
use super::errand::{self, Caller, Errand};
use super::handshake::{Handshake, is_handshake};
use super::query::Query;
use super::routes::Route;
use super::watch::Watch;
use crate::caller::{CallerHeaders, identify, require_headers};
use crate::inference::header_lines;
use crate::pipeline::Next;
use crate::reject::{Kind, Reject};
use crate::reply_head::{is_forwardable, push_header};
use crate::routes::Family;
use crate::stages::choose::{self, Bare, Targets};
use crate::stages::read;
use crate::stages::relay;
use crate::stages::send::Answering;

/// Whose sessions they are where neither a model nor the caller says so.
const DEFAULT_PROVIDER: &str = "openai";

/// Serves a session to its end.
pub(super) async fn serve(visit: &mut Visit<'_>) -> Result<Next, Reject> {
    let Visit { snapshot, session, .. } = visit;
    let snapshot = *snapshot;
    if !matches!(session.head.body(), BodyLength::None) {
        return Err(Reject::new(Kind::Malformed, "a WebSocket handshake has no body"));
    }
    let settings = &snapshot.client;
    let request = read::body(&mut session.client, &session.head, settings, 0, false).await?;
    visit.is_read = true;
    let bytes = request.bytes.as_slice();
    let handshake = Handshake::read(&session.head, bytes)?;
    if let Some(key) = handshake.api_key() {
        session.headers.offer_key(key, bytes);
    }
    require_headers(snapshot, &session.head, bytes)?;
    identify(snapshot, &session.headers, bytes)?;
    // The session around an inner one has a seat.
    let _seat = match visit.session.is_inner {
        true => None,
        false => Some(take_seat(visit, bytes)?),
    };
    let query = Query(visit.session.head.query(bytes).unwrap_or_default());
    let model = query.model()?.unwrap_or_default();
    let headers = &visit.session.headers;
    let targets = targets(snapshot, headers, visit.route, (query, &model), bytes)?;
    let answering = agree(visit, &handshake, query, &targets, bytes).await?;
    answer(visit, &handshake, &answering).await?;
    join(visit, answering).await;
    Ok(Next::Close)
}

/// A place among the connections of this caller, and of all.
pub(super) fn take_seat(visit: &Visit<'_>, bytes: &[u8]) -> Result<Seat, Reject> {
    let limits = &visit.snapshot.client.websocket;
    let shown = visit.session.headers.credential(bytes).map(Cow::Borrowed);
    let peer = || visit.session.client.peer().map(|peer| peer.ip().to_string().into_bytes());
    let owner = shown.or_else(|| peer().map(Cow::Owned)).unwrap_or_default();
    visit.worker.take_seat(&owner, limits).map_err(|none| no_seat(none, limits))
}

#[cold]
fn no_seat(none: NoSeat, limits: &snapshot::WebSocket) -> Reject {
    let (count, whose) = match none {
        NoSeat::Owner => (limits.connections_per_caller_max, "WebSocket connections of one caller"),
        NoSeat::Everyone => (limits.connections_max, "WebSocket connections"),
    };
    let message = format!("there are {count} {whose} already, which is the limit: close one first");
    let kind = Kind::Dropped;
    match none {
        NoSeat::Owner => Reject { status: 429, ..Reject::new(kind, message) },
        NoSeat::Everyone => Reject::new(kind, message),
    }
}

/// Whom to ask. A session that is joined by its call needs no model, and is OpenAI's unless the caller
/// says so.
pub(super) fn targets<'t>(
    snapshot: &'t Snapshot,
    headers: &CallerHeaders,
    route: &'static Route,
    (query, model): (Query<'_>, &'t str),
    bytes: &[u8],
) -> Result<Targets<'t>, Reject> {
    if model.is_empty() {
        let named = headers.model_provider.text(bytes).map(str::trim);
        let provider = named.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_PROVIDER);
        return Ok(Targets::of(snapshot, provider));
    }
    let family = if query.is_azure() { Family::Azure } else { route.family };
    let bare = Bare { family, headers, bytes };
    choose::targets(snapshot, bare, model, &[], route.asks.operation())
}

/// Makes a provider agree to a session.
async fn agree(
    visit: &mut Visit<'_>,
    handshake: &Handshake<'_>,
    query: Query<'_>,
    targets: &Targets<'_>,
    bytes: &[u8],
) -> Result<Answering, Reject> {
    let session = &mut *visit.session;
    let caller = Caller { snapshot: visit.snapshot, head: &session.head, bytes };
    let below = errand::below(session.head.path(bytes));
    let mut errand = Errand {
        worker: visit.worker,
        snapshot: visit.snapshot,
        client: &mut session.client,
        reply_head: &mut session.reply_head,
        headers: &session.headers,
        bytes,
        operation: visit.route.asks.operation(),
        account: &mut visit.account,
        agrees: |status| status == 101,
        write: &|attempt| {
            let mut out = Buffer::new();
            out.extend_from_slice(b"GET ");
            query.write_target(&errand::path_of(attempt, attempt.model, below)?, &mut out);
            errand::write_head(attempt, &caller, b"", &mut out)?;
            handshake.write_request_lines(&mut out);
            out.extend_from_slice(b"\r\n");
            Ok(out)
        },
    };
    let began = Instant::now();
    let agreed = errand::run(&mut errand, targets).await;
    visit.account.upstream_us += began.elapsed().as_micros() as u64;
    let answering = agreed?;
    let input = answering.upstream.connection.input();
    handshake.check_answer(&visit.session.reply_head, input)?;
    Ok(answering)
}

/// Tells the caller that the session has begun.
async fn answer(
    visit: &mut Visit<'_>,
    handshake: &Handshake<'_>,
    answering: &Answering,
) -> Result<(), Reject> {
    let input = answering.upstream.connection.input();
    let reply_head = &visit.session.reply_head;
    let mut out = Buffer::new();
    handshake.write_answer(reply_head.header(input, "sec-websocket-protocol"), &mut out);
    let headers = reply_head.headers(input);
    for (name, value) in headers.filter(|(name, _)| is_forwardable(name) && !is_handshake(name)) {
        push_header(&mut out, name, value);
    }
    // The gateway itself wants to know where it has come to.
    let family = if visit.session.is_inner { Family::OpenAi } else { visit.route.family };
    let lines = header_lines(family, &visit.account, false);
    out.extend_from_slice(lines.as_slice());
    out.extend_from_slice(b"\r\n");
    visit.outline.status = 101;
    let written = relay::write(&mut visit.session.client, out, visit.context.send_timeout).await;
    written.map_err(|_| read::gone())
}

/// Lets both speak to each other until one is done or the time is up.
async fn join(visit: &mut Visit<'_>, answering: Answering) {
    let Answering { mut upstream, pair, .. } = answering;
    // A tunnel notices by itself who hangs up.
    drop(pair);
    upstream.connection.consume(visit.session.reply_head.len());
    let limits = &visit.snapshot.client.websocket;
    let rules = TunnelRules {
        idle_max: limits.idle_timeout,
        send_timeout: visit.context.send_timeout,
        ends_at: Some(now() + limits.lifetime_max),
        allows_half_close: false,
    };
    let mut watches = (Watch::default(), Watch::default());
    let (mut asked_bytes, mut said_bytes) = (0, 0);
    let began = Instant::now();
    let client = &mut visit.session.client;
    let end = net::tunnel(client, &mut upstream.connection, &rules, |side, bytes| match side {
        Side::Client => {
            asked_bytes += bytes.len() as u64;
            watches.0.take(bytes);
        }
        Side::Upstream => {
            said_bytes += bytes.len() as u64;
            watches.1.take(bytes);
        }
    })
    .await;
    visit.account.upstream_us += began.elapsed().as_micros() as u64;
    visit.account.seen.usage = watches.1.usage();
    (visit.outline.request_bytes, visit.outline.response_bytes) = (asked_bytes, said_bytes);
    visit.account.error_type = failure(&end).map(|kind| kind.label(kind.status()));
    let Some((code, reason)) = farewell(&end) else { return };
    if watches.1.is_between_frames() {
        let _ = client.write(close_frame(code, reason, Side::Client)).await;
    }
    if watches.0.is_between_frames() {
        say_goodbye(&mut upstream.connection, code, reason).await;
    }
}

/// Whether an end is a failure, and whose.
fn failure(end: &TunnelEnd) -> Option<Kind> {
    match end {
        TunnelEnd::Failed(Side::Upstream, _) => Some(Kind::ConnectionFailed),
        TunnelEnd::Failed(Side::Client, _) => Some(Kind::Cancelled),
        TunnelEnd::Closed(_) | TunnelEnd::Idle | TunnelEnd::Expired => None,
    }
}

/// What both sides are told where neither has ended the session.
fn farewell(end: &TunnelEnd) -> Option<(CloseCode, &'static str)> {
    match end {
        TunnelEnd::Idle => Some((CloseCode::Normal, "nothing was said for too long")),
        TunnelEnd::Expired => Some((CloseCode::Normal, "the session is as old as it may become")),
        TunnelEnd::Failed(Side::Upstream, error)
            if error.kind() != io::ErrorKind::ConnectionAborted =>
        {
            Some((CloseCode::Error, "the connection to the provider broke"))
        }
        TunnelEnd::Failed(..) | TunnelEnd::Closed(_) => None,
    }
}

async fn say_goodbye(upstream: &mut Connection, code: CloseCode, reason: &'static str) {
    // Nothing is lost where it no longer hears.
    let _ = upstream.write(close_frame(code, reason, Side::Upstream)).await;
    let _ = upstream.flush().await;
}

/// The frame that ends a session.
fn close_frame(code: CloseCode, reason: &'static str, to: Side) -> Buffer {
    let mut frame = Frame::close(Some(CloseFrame { code, reason: reason.into() }));
    if to == Side::Upstream {
        // A client masks what it sends; this holds nothing that anyone could have chosen.
        frame.header_mut().mask = Some([0; 4]);
    }
    let mut bytes = Vec::new();
    // Writing into memory does not fail.
    let _ = frame.format(&mut bytes);
    Buffer::from(bytes)
}
