//! One request, start to end: the stages in their order. The table of contents of the product.

use net::{Buffer, Connection, stopping};
use seam::Stage;
use snapshot::Snapshot;
use wire::{RequestHead, ResponseHead};

use crate::caller::{CallerHeaders, identify, require_headers};
use crate::framed::Framed;
use crate::inference::{self, Call, Served};
use crate::reject::{Kind, Reject};
use crate::reply_head::{Framing, ReplyContext, cors_lines, push_header};
use crate::routes::{self, Family, Route};
use crate::stages::choose;
use crate::stages::peek::{Member, peek, peek_beginning};
use crate::stages::read::{self, Request};
use crate::stages::record::{self, Account, Outline};
use crate::stages::relay::{self, Manners, Relayed};
use crate::stages::splice::Edits;
use crate::worker::{Active, Worker};
use crate::{control, decode, error_body};

/// What a connection keeps between its requests.
pub(crate) struct Session {
    pub(crate) client: Connection,
    pub(crate) head: RequestHead,
    pub(crate) reply_head: ResponseHead,
    pub(crate) members: Vec<Member>,
    pub(crate) edits: Edits,
}

/// What becomes of a connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It takes another request.
    Request,
    /// It ends in order.
    Close,
    /// It ends in order, though the request was not read to its end.
    CloseUnread,
    /// It is cut, so that a broken reply is not taken for a whole one.
    Abort,
}

/// Serves a connection to its end.
pub(crate) async fn serve(worker: &Worker, client: Connection) {
    let mut session = Session {
        client,
        head: RequestHead::new(),
        reply_head: ResponseHead::new(),
        members: Vec::new(),
        edits: Edits::default(),
    };
    loop {
        match exchange(worker, &mut session).await {
            Next::Request => {}
            Next::Close => return session.client.close().await,
            Next::CloseUnread => return session.client.close_unread().await,
            Next::Abort => return session.client.abort(),
        }
    }
}

/// Reads one request and answers it.
async fn exchange(worker: &Worker, session: &mut Session) -> Next {
    let waiting = worker.snapshot();
    match read::head(&mut session.client, &mut session.head, &waiting.client).await {
        Ok(Some(())) => {}
        Ok(None) => return Next::Close,
        Err(reject) => return refuse_head(worker, session, &reject).await,
    }
    drop(waiting);
    let snapshot = worker.snapshot();
    let active = worker.begin_request();
    let mut context = context(session, &snapshot);
    let path = session.head.path(session.client.input());
    match (session.head.method().as_str(), routes::find(path)) {
        ("OPTIONS", _) => preflight(worker, session, &snapshot, &mut context, &active).await,
        ("POST", Some(route)) => {
            let scope = Scope { worker, snapshot: &snapshot, route, active: &active };
            infer(&scope, session, context).await
        }
        (_, Some(route)) => {
            let reject = Reject::new(Kind::MethodNotAllowed, "this route takes POST only");
            let next =
                answer(session, &mut context, route.family, &reject, b"allow: POST, OPTIONS\r\n")
                    .await;
            record_refusal(worker, session, route.path, reject.status, &active);
            next
        }
        (_, None) => control::forward(worker, session, &snapshot, context, &active).await,
    }
}

/// What the reply's head depends on, from the request's.
fn context(session: &Session, snapshot: &Snapshot) -> ReplyContext {
    let input = session.client.input();
    let text = |name| session.head.header(input, name).and_then(|v| std::str::from_utf8(v).ok());
    let is_forwarded = text("x-forwarded-proto").is_some_and(|p| p.eq_ignore_ascii_case("https"));
    let cors = text("origin").map(|origin| {
        cors_lines(&snapshot.client.cors, origin, text("access-control-request-headers"))
    });
    ReplyContext {
        version: session.head.version(),
        keeps_alive: session.head.keeps_alive() && stopping() == Stage::Running,
        is_head: session.head.method() == http::Method::HEAD,
        is_secure: is_forwarded || session.client.is_tls(),
        cors: cors.unwrap_or_default(),
        send_timeout: snapshot.client.send_timeout,
    }
}

/// What an inference request runs under.
#[derive(Clone, Copy)]
struct Scope<'r> {
    worker: &'r Worker,
    snapshot: &'r Snapshot,
    route: &'static Route,
    active: &'r Active<'r>,
}

/// Stages 1 to 13 for an inference request.
async fn infer(scope: &Scope<'_>, session: &mut Session, mut context: ReplyContext) -> Next {
    let Scope { worker, route, active, .. } = *scope;
    let mut account = Account::new(route.operation);
    let mut outline = outline(session, route.path, active);
    let mut is_read = false;
    let mut progress =
        Progress { account: &mut account, outline: &mut outline, is_read: &mut is_read };
    let served = stages(scope, session, &mut context, &mut progress).await;
    let next = match served {
        Ok(relayed) => settle(&mut account, &mut outline, relayed, &context),
        Err(reject) => {
            outline.status = reject.status;
            account.error_type = Some(reject.kind.label(reject.status));
            context.keeps_alive &= is_read;
            let routed = account.routed();
            let mut body = Buffer::new();
            error_body::write(route.family, &reject, routed.as_ref(), &mut body);
            outline.response_bytes = body.len() as u64;
            let is_cancelled = reject.kind == Kind::Cancelled;
            match is_cancelled {
                true => Next::Abort,
                false => send_error(session, &mut context, &reject, &body, b"", is_read).await,
            }
        }
    };
    worker.record(record::event(outline, Some(account)));
    next
}

/// What the stages report while they run, readable also when one of them fails.
struct Progress<'p> {
    account: &'p mut Account,
    outline: &'p mut Outline,
    /// The request was read to its end.
    is_read: &'p mut bool,
}

async fn stages(
    scope: &Scope<'_>,
    session: &mut Session,
    context: &mut ReplyContext,
    progress: &mut Progress<'_>,
) -> Result<Relayed, Reject> {
    let Scope { snapshot, route, active, .. } = *scope;
    let headers = CallerHeaders::read(&session.head, session.client.input());
    require_headers(snapshot, &session.head, session.client.input())?;
    identify(snapshot, &headers, session.client.input())?;
    let may_stream = headers.content_encoding.is_none();
    let settings = &snapshot.client;
    let mut request = read::body(&mut session.client, &session.head, settings, may_stream).await?;
    peek_far_enough(session, &mut request, snapshot).await?;
    *progress.is_read = request.total_bytes.is_none();
    decode::body(&mut request, &headers, settings.body_bytes_max)?;
    progress.outline.request_bytes =
        request.total_bytes.unwrap_or_else(|| request.body().len() as u64);
    let served = find_reply(scope, session, &headers, &request, progress).await?;
    *progress.is_read = true;
    let wants_timing = headers.wants_timing(request.bytes.as_slice());
    // What follows may take long: nothing of the request is held any more.
    drop(request);
    let account = &*progress.account;
    let manners = Manners {
        family: route.family,
        upstream_dialect: served.dialect,
        caller_dialect: route.dialect,
        header_lines: inference::header_lines(route.family, account, wants_timing),
        began: active.began(),
        stream_idle: served.stream_idle,
        number: served.number,
        routed: account
            .routed()
            .ok_or_else(|| Reject::new(Kind::Internal, "no target was recorded"))?,
    };
    let client = &mut session.client;
    let reply_head = &session.reply_head;
    Ok(relay::relay(client, context, reply_head, served.reply, served.extra_fields, &manners).await)
}

/// Stages 4 to 10: the body read, targets chosen, a reply worth sending found.
async fn find_reply(
    scope: &Scope<'_>,
    session: &mut Session,
    headers: &CallerHeaders,
    request: &Request,
    progress: &mut Progress<'_>,
) -> Result<Served, Reject> {
    let Scope { worker, snapshot, route, active } = *scope;
    let ask = match request.total_bytes {
        None => peek(request.body(), &mut session.members)?,
        Some(_) => peek_beginning(request.body(), &mut session.members)?,
    };
    let operation = if ask.is_streaming { route.operation.streamed() } else { route.operation };
    progress.account.operation = operation;
    let targets = choose::targets(snapshot, route.family, &ask.model, &ask.fallbacks, operation)?;
    progress.account.stages.receive_ns = active.elapsed_ns();
    inference::serve(
        Call {
            worker,
            snapshot,
            route,
            operation,
            client: &mut session.client,
            reply_head: &mut session.reply_head,
            edits: &mut session.edits,
            head: &session.head,
            headers,
            request,
            members: &session.members,
            ask: &ask,
            began: active.began(),
            number: worker.request_number(),
            account: progress.account,
        },
        &targets,
    )
    .await
}

/// A large body streams through only when its beginning tells the model; else it is read whole.
async fn peek_far_enough(
    session: &mut Session,
    request: &mut Request,
    snapshot: &Snapshot,
) -> Result<(), Reject> {
    if request.total_bytes.is_none() {
        return Ok(());
    }
    let ask = peek_beginning(request.body(), &mut session.members)?;
    if ask.model_at.is_some() {
        return Ok(());
    }
    drop(ask);
    read::rest(&mut session.client, request, &snapshot.client).await
}

/// Stage 12: what the reply showed goes into the account, whether it was whole or not.
fn settle(
    account: &mut Account,
    outline: &mut Outline,
    relayed: Relayed,
    context: &ReplyContext,
) -> Next {
    account.seen = relayed.seen;
    account.upstream_us += relayed.upstream_us;
    account.stages.reply_ns = relayed.own_ns;
    outline.response_bytes = relayed.response_bytes;
    outline.status = relayed.status;
    if let Some(failure) = &relayed.failure {
        account.error_type = Some(failure.kind.label(failure.status));
        if failure.kind == Kind::Cancelled {
            outline.status = Kind::Cancelled.status();
        }
    }
    match (relayed.is_intact, relayed.failure.is_some(), context.keeps_alive) {
        (false, true, _) => Next::Abort,
        (false, false, _) | (true, _, false) => Next::Close,
        (true, _, true) => Next::Request,
    }
}

fn outline(session: &Session, route: &'static str, active: &Active<'_>) -> Outline {
    Outline {
        method: method_label(&session.head),
        route,
        status: 200,
        request_bytes: 0,
        response_bytes: 0,
        began: active.began(),
    }
}

/// The method for metrics; callers may invent others.
pub(crate) fn method_label(head: &RequestHead) -> &'static str {
    match head.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "OPTIONS" => "OPTIONS",
        "HEAD" => "HEAD",
        _ => "OTHER",
    }
}

/// Answers a browser's question whether a page may call the gateway.
async fn preflight(
    worker: &Worker,
    session: &mut Session,
    snapshot: &Snapshot,
    context: &mut ReplyContext,
    active: &Active<'_>,
) -> Next {
    let is_allowed = !context.cors.is_empty();
    let status = if is_allowed { 200 } else { 403 };
    let path = session.head.path(session.client.input());
    let route = routes::find(path).map_or("other", |route| route.path);
    record_refusal(worker, session, route, status, active);
    if read::body(&mut session.client, &session.head, &snapshot.client, false).await.is_err() {
        context.keeps_alive = false;
    }
    let mut out = Framed::default();
    context.begin(status, &mut out.bytes);
    context.end(Framing::Length(0), &mut out.bytes);
    finish(session, context, out.take(), true).await
}

/// Refuses a request whose head cannot be used.
async fn refuse_head(worker: &Worker, session: &mut Session, reject: &Reject) -> Next {
    let active = worker.begin_request();
    let mut context = ReplyContext::default();
    let next = answer(session, &mut context, Family::Base, reject, b"").await;
    record_refusal(worker, session, "other", reject.status, &active);
    next
}

/// Answers with an error before the request's body was read.
pub(crate) async fn answer(
    session: &mut Session,
    context: &mut ReplyContext,
    family: Family,
    reject: &Reject,
    lines: &[u8],
) -> Next {
    let mut body = Buffer::new();
    error_body::write(family, reject, None, &mut body);
    context.keeps_alive = false;
    send_error(session, context, reject, &body, lines, false).await
}

async fn send_error(
    session: &mut Session,
    context: &mut ReplyContext,
    reject: &Reject,
    body: &Buffer,
    lines: &[u8],
    is_read: bool,
) -> Next {
    let mut out = Framed::default();
    context.begin(reject.status, &mut out.bytes);
    push_header(&mut out.bytes, "content-type", b"application/json");
    if let Some(reply) = &reject.reply {
        out.bytes.extend_from_slice(&reply.header_lines);
    }
    if matches!(reject.kind, Kind::MemorySpent | Kind::Dropped) {
        push_header(&mut out.bytes, "retry-after", b"1");
    }
    out.bytes.extend_from_slice(lines);
    context.end(Framing::Length(body.len() as u64), &mut out.bytes);
    if !context.is_head {
        out.bytes.extend_from_slice(body.as_slice());
    }
    finish(session, context, out.take(), is_read).await
}

async fn finish(
    session: &mut Session,
    context: &ReplyContext,
    bytes: Buffer,
    is_read: bool,
) -> Next {
    let written = relay::write(&mut session.client, bytes, context.send_timeout).await;
    match (written.is_ok(), context.keeps_alive, is_read) {
        (false, _, _) => Next::Abort,
        (true, true, true) => Next::Request,
        (true, false, true) => Next::Close,
        (true, _, false) => Next::CloseUnread,
    }
}

fn record_refusal(
    worker: &Worker,
    session: &Session,
    route: &'static str,
    status: u16,
    active: &Active<'_>,
) {
    let outline = Outline { status, ..outline(session, route, active) };
    worker.record(record::event(outline, None));
}
