//! What is not inference goes to the control plane, which is an upstream like any other.

use std::rc::Rc;

use http::Method;
use net::Buffer;
use snapshot::Snapshot;
use std::time::Duration;
use wire::{BodyLength, BodyReader};

use crate::framed::Framed;
use crate::limits::CONTROL_BODY_BYTES_MAX;
use crate::pipeline::{Next, Session, answer, method_label};
use crate::reject::{Kind, Reject};
use crate::reply_head::{Framing, ReplyContext, push_header};
use crate::routes::Family;
use crate::stages::read::{self, Request};
use crate::stages::record::{self, Outline};
use crate::stages::relay;
use crate::stages::send::{Answering, Delivery, SendError, broken, send};
use crate::worker::{Active, Worker};

/// The control plane has this long to answer.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(60);

/// Routes of the control plane as metrics name them; what callers make up is no label.
pub(crate) const TEMPLATES: &[&str] = &[
    "/",
    "/anthropic/v1/models",
    "/api/version",
    "/cohere/v1/models",
    "/cursor/models",
    "/cursor/v1/models",
    "/genai/v1/models",
    "/genai/v1beta/models",
    "/health",
    "/metrics",
    "/openai/models",
    "/openai/openai/models",
    "/openai/openai/v1/models",
    "/openai/v1/models",
    "/robots.txt",
    "/v1/models",
];

/// Behind the path of a list of models.
const MODEL_PLACE: &str = "{model}";

/// Its routes for one model.
pub(crate) const MODEL_TEMPLATES: &[&str] = &[
    "/anthropic/v1/models/{model}",
    "/cohere/v1/models/{model}",
    "/cursor/models/{model}",
    "/cursor/v1/models/{model}",
    "/genai/v1/models/{model}",
    "/genai/v1beta/models/{model}",
    "/openai/models/{model}",
    "/openai/openai/models/{model}",
    "/openai/openai/v1/models/{model}",
    "/openai/v1/models/{model}",
];

/// Paths of the control plane's socket that are not for callers.
const INTERNAL_PREFIX: &str = "/mock/";

/// Headers between two hops only; they are never passed on.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "expect",
];

/// Passes a request on and its reply back.
pub(crate) async fn forward(
    worker: &Rc<Worker>,
    session: &mut Session,
    snapshot: &Snapshot,
    mut context: ReplyContext,
    active: &Active,
) -> Next {
    let mut outline = Outline {
        method: method_label(&session.head),
        route: template(session.head.path(session.client.input())),
        status: 200,
        request_bytes: 0,
        response_bytes: 0,
        began: active.began(),
    };
    let served = exchange(session, snapshot, &mut context, &mut outline).await;
    let next = match served {
        Ok(next) => next,
        Err(reject) if reject.kind == Kind::Cancelled => Next::Abort,
        Err(reject) => {
            outline.status = reject.status;
            answer(session, &mut context, Family::Base, &reject, b"").await
        }
    };
    worker.record(record::event(outline, None));
    next
}

fn template(path: &str) -> &'static str {
    let known = TEMPLATES.iter().copied().find(|known| *known == path);
    known.or_else(|| single_model(path)).unwrap_or("other")
}

/// The route of one model, whose path is the list's with the model behind it.
fn single_model(path: &str) -> Option<&'static str> {
    let routes = MODEL_TEMPLATES.iter().copied();
    let names_one = |route: &&str| {
        let list = route.strip_suffix(MODEL_PLACE).unwrap_or(route);
        path.strip_prefix(list).is_some_and(|model| !model.is_empty())
    };
    routes.filter(names_one).max_by_key(|route| route.len())
}

async fn exchange(
    session: &mut Session,
    snapshot: &Snapshot,
    context: &mut ReplyContext,
    outline: &mut Outline,
) -> Result<Next, Reject> {
    if session.head.path(session.client.input()).starts_with(INTERNAL_PREFIX) {
        // The built-in provider is reached like every other, with keys and limits: as a model.
        return Err(Reject::new(Kind::RouteNotFound, "Route not found"));
    }
    let limit = CONTROL_BODY_BYTES_MAX.min(snapshot.client.body_bytes_max);
    let (client, head) = (&mut session.client, &session.head);
    let request = read::body(client, head, &snapshot.client, limit, false).await?;
    outline.request_bytes = request.body().len() as u64;
    // A body where none belongs is how one request is smuggled behind another: whatever follows it
    // on this connection is not trusted.
    let is_odd = matches!(*head.method(), Method::GET | Method::HEAD) && !request.body().is_empty();
    context.keeps_alive &= !is_odd;
    let answering = ask(session, snapshot, &request).await?;
    outline.status = session.reply_head.status();
    pass(session, context, outline, answering).await
}

async fn ask(
    session: &mut Session,
    snapshot: &Snapshot,
    request: &Request,
) -> Result<Answering, Reject> {
    for is_fresh in [false, true] {
        let bytes = outbound(session, request);
        let delivery = Delivery {
            endpoint: &snapshot.control,
            is_fresh,
            timeout: CONTROL_TIMEOUT,
            unread_bytes: 0,
            body_timeout: snapshot.client.body_timeout,
        };
        let sent = send(&mut session.client, &delivery, bytes, &mut session.reply_head).await;
        match sent {
            Ok(answering) => return Ok(answering),
            Err(SendError::Stale) if !is_fresh => {}
            Err(SendError::Stale) => break,
            Err(SendError::Failed(reject)) => {
                let kind =
                    if reject.kind == Kind::Cancelled { Kind::Cancelled } else { Kind::Internal };
                return Err(Reject::new(kind, "the control plane did not answer"));
            }
        }
    }
    Err(Reject::new(Kind::Internal, "the control plane did not answer"))
}

fn outbound(session: &Session, request: &Request) -> Buffer {
    let bytes = request.bytes.as_slice();
    let head = &session.head;
    let body = request.body();
    let mut out = Buffer::with_capacity(head.len() + body.len() + 256);
    out.extend_from_slice(head.method().as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(head.path(bytes).as_bytes());
    if let Some(query) = head.query(bytes) {
        out.extend_from_slice(b"?");
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in head.headers(bytes) {
        if !is_hop_by_hop(name) && !name.eq_ignore_ascii_case(b"x-forwarded-for") {
            push_header(&mut out, name, value);
        }
    }
    if let Some(peer) = session.client.peer() {
        push_header(&mut out, "x-forwarded-for", peer.ip().to_string().as_bytes());
    }
    push_header(&mut out, "content-length", body.len().to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// Whether a header is one between two hops only.
pub(crate) fn is_hop_by_hop(name: &[u8]) -> bool {
    HOP_BY_HOP.iter().any(|hop| hop.as_bytes().eq_ignore_ascii_case(name))
}

/// Passes the reply back as it comes.
async fn pass(
    session: &mut Session,
    context: &mut ReplyContext,
    outline: &mut Outline,
    mut answering: Answering,
) -> Result<Next, Reject> {
    let Session { client, reply_head, head, .. } = session;
    let method = if context.is_head { Method::HEAD } else { head.method().clone() };
    let length = reply_head.body(&method);
    let framing = match length {
        BodyLength::Fixed(bytes) => Framing::Length(bytes),
        BodyLength::None => framing_without_body(reply_head.status(), context),
        BodyLength::Chunked | BodyLength::UntilClose => context.open_framing(),
    };
    let mut out = Framed { framing, ..Framed::default() };
    let connection = &mut answering.upstream.connection;
    context.begin(reply_head.status(), &mut out.bytes);
    for (name, value) in reply_head.headers(connection.input()) {
        if !is_hop_by_hop(name) {
            push_header(&mut out.bytes, name, value);
        }
    }
    context.end(framing, &mut out.bytes);
    connection.consume(reply_head.len());
    let mut body = BodyReader::new(length);
    loop {
        let Ok(step) = body.next(connection.input()) else { return Ok(Next::Abort) };
        out.push(connection.input().get(step.data.clone()).unwrap_or_default());
        connection.consume(step.consumed);
        if step.is_end {
            break;
        }
        if step.consumed == 0 || connection.input().is_empty() {
            if relay::write(client, out.take(), context.send_timeout).await.is_err() {
                return Ok(Next::Abort);
            }
            match connection.fill().await {
                Ok(1..) => {}
                Ok(0) if body.close().is_ok() => break,
                // The head is out: a reply cut short can only be shown by cutting the connection.
                Ok(0) => return Ok(Next::Abort),
                Err(error) => {
                    let _ = broken(client, &error);
                    return Ok(Next::Abort);
                }
            }
        }
    }
    out.end();
    outline.response_bytes = out.body_bytes;
    if relay::write(client, out.take(), context.send_timeout).await.is_err() {
        return Ok(Next::Abort);
    }
    if body.is_complete() && reply_head.keeps_alive() && connection.input().is_empty() {
        drop(answering.pair);
        answering.upstream.checkin();
    }
    Ok(if context.keeps_alive { Next::Request } else { Next::Close })
}

/// A reply to HEAD, or one of a status that has no body, promises none; any other says zero.
fn framing_without_body(status: u16, context: &ReplyContext) -> Framing {
    match status {
        204 | 304 => Framing::Empty,
        _ if context.is_head => Framing::Empty,
        _ => Framing::Length(0),
    }
}
