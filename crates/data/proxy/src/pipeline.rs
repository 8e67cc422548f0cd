//! One request, start to end: the stages in their order. The table of contents of the product.

use std::rc::Rc;

use dialect::{Dialect, Operation, UsageReader};
use http::Method;
use net::{Buffer, Connection, stopping};
use seam::Stage;
use snapshot::{Snapshot, Upstream};
use wire::{RequestHead, ResponseHead};

use crate::caller::{CallerHeaders, identify, require_headers};
use crate::framed::Framed;
use crate::inference::{self, Call, Served};
use crate::reject::{Kind, Reject};
use crate::reply_head::{Framing, ReplyContext, cors_lines, push_header};
use crate::routes::{self, Family, Found, Resource, Route, Telling};
use crate::stages::choose::{self, Bare};
use crate::stages::form::{form_type, peek_form, peek_form_beginning};
use crate::stages::lap::Lap;
use crate::stages::peek::{Ask, Member, peek, peek_beginning};
use crate::stages::read::{self, Request};
use crate::stages::record::{self, Account, Outline};
use crate::stages::relay::{self, Additions, Manners, Relayed};
use crate::stages::splice::Edits;
use crate::worker::{Active, Worker};
use crate::{attachment, control, decode, error_body, http2, resources, websocket};

/// What a connection keeps between its requests.
pub(crate) struct Session {
    pub(crate) client: Connection,
    pub(crate) head: RequestHead,
    /// What `head` says to the pipeline.
    pub(crate) headers: CallerHeaders,
    /// What there is at its path.
    pub(crate) found: Found,
    pub(crate) reply_head: ResponseHead,
    pub(crate) members: Vec<Member>,
    pub(crate) edits: Edits,
    /// Reads the usage of unary replies.
    pub(crate) usage: UsageReader,
    /// The client is the gateway itself.
    pub(crate) is_inner: bool,
}

/// What becomes of a connection after a request.
pub(crate) enum Next {
    /// It takes another request.
    Request,
    /// It ends in order.
    Close,
    /// It ends in order, though the request was not read to its end.
    CloseUnread,
    /// It is cut, so that a broken reply is not taken for a whole one.
    Abort,
    /// It speaks HTTP/2 and goes where that is understood.
    HandOver,
    /// A stream begins; it runs in a task of its own.
    Stream(Box<Exchange>),
}

/// An inference request and all that becomes known of it.
pub(crate) struct Exchange {
    route: &'static Route,
    context: ReplyContext,
    account: Account,
    outline: Outline,
    active: Active,
    /// The request was read to its end.
    is_read: bool,
    /// The caller wants to see our times.
    wants_timing: bool,
    /// How the caller gets the events of a stream.
    telling: Telling,
    /// Set once there is a reply worth sending.
    served: Option<Served>,
}

impl Exchange {
    fn is_stream(&self) -> bool {
        self.served.as_ref().is_some_and(Served::is_stream)
    }

    /// The event of the finished request.
    fn event(&mut self) -> seam::Event {
        record::event(self.outline, Some(&mut self.account))
    }
}

/// Serves a connection to its end.
pub(crate) fn serve(worker: Rc<Worker>, client: Connection) -> impl Future<Output = ()> {
    run(worker, Box::new(Session::new(client)))
}

/// The same for a connection of the gateway to itself.
pub(crate) fn serve_inner(worker: Rc<Worker>, client: Connection) -> impl Future<Output = ()> {
    run(worker, Box::new(Session { is_inner: true, ..Session::new(client) }))
}

impl Session {
    fn new(client: Connection) -> Self {
        Self {
            client,
            head: RequestHead::new(),
            headers: CallerHeaders::default(),
            found: Found::Nothing,
            reply_head: ResponseHead::new(),
            members: Vec::new(),
            edits: Edits::default(),
            usage: UsageReader::new(Dialect::OpenAiChat),
            is_inner: false,
        }
    }
}

/// Boxes instead of values here and below: a future holds its arguments twice.
async fn run(worker: Rc<Worker>, mut session: Box<Session>) {
    loop {
        match answer_one(&worker, &mut session).await {
            Next::Request => {}
            Next::Close => return session.client.close().await,
            Next::CloseUnread => return session.client.close_unread().await,
            Next::Abort => return session.client.abort(),
            Next::HandOver => return http2::hand_over(worker.http2(), session.client),
            // Streams live long and are many: theirs is a smaller task than a request's.
            Next::Stream(exchange) => return net::spawn(stream(worker, session, exchange)),
        }
    }
}

async fn stream(worker: Rc<Worker>, mut session: Box<Session>, mut exchange: Box<Exchange>) {
    session.head.forget();
    match deliver(&worker, &mut session, &mut exchange).await {
        Next::Request => net::spawn(run(worker, session)),
        Next::Close => session.client.close().await,
        Next::CloseUnread => session.client.close_unread().await,
        Next::Abort | Next::HandOver | Next::Stream(_) => session.client.abort(),
    }
}

/// Reads one request and answers it.
async fn answer_one(worker: &Rc<Worker>, session: &mut Session) -> Next {
    let waiting = worker.snapshot();
    match read::head(&mut session.client, &mut session.head, &waiting.client).await {
        Ok(Some(())) => {}
        Ok(None) if http2::begins(session) => return Next::HandOver,
        Ok(None) => return Next::Close,
        Err(_) if http2::begins(session) => return Next::HandOver,
        Err(reject) => return Box::pin(refuse_head(worker, session, &reject)).await,
    }
    drop(waiting);
    let snapshot = worker.snapshot();
    let active = worker.begin_request();
    if !session.head.is_repeated() {
        let (head, input) = (&session.head, session.client.input());
        session.headers = CallerHeaders::read(head, input);
        session.found = routes::find(head.method().as_str(), head.path(input));
    }
    let mut context = context(session, &snapshot);
    match session.found {
        Found::Route(route) => infer(worker, session, &snapshot, route, &mut context, active).await,
        Found::Resource(resource) => {
            let context = std::mem::take(&mut context);
            Box::pin(keep(worker, session, &snapshot, resource, context, active)).await
        }
        found if *session.head.method() == Method::OPTIONS => {
            Box::pin(preflight(worker, session, &snapshot, &mut context, found, &active)).await
        }
        _ if let Some(route) = websocket::find(&session.head, session.client.input()) => {
            Box::pin(websocket::serve(worker, session, &snapshot, context, route, &active)).await
        }
        Found::OtherMethod(route) => {
            Box::pin(refuse_method(worker, session, &mut context, route, &active)).await
        }
        Found::Nothing => {
            Box::pin(control::forward(worker, session, &snapshot, context, &active)).await
        }
    }
}

/// Refuses a method that the route does not take, and says which it does.
async fn refuse_method(
    worker: &Rc<Worker>,
    session: &mut Session,
    context: &mut ReplyContext,
    route: &'static Route,
    active: &Active,
) -> Next {
    let methods = routes::methods(route);
    let reject =
        Reject::new(Kind::MethodNotAllowed, format!("this route takes {methods} and nothing else"));
    let allow = format!("allow: {methods}\r\n");
    let next = answer(session, context, route.family, &reject, allow.as_bytes()).await;
    record_refusal(worker, session, route.path, reject.status, active);
    next
}

/// What the reply's head depends on, from the request's.
fn context(session: &Session, snapshot: &Snapshot) -> ReplyContext {
    let (headers, input) = (&session.headers, session.client.input());
    let forwarded = headers.forwarded_proto.value(input);
    let is_forwarded = forwarded.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"));
    let cors = headers.origin.text(input).map(|origin| {
        cors_lines(&snapshot.client.cors, origin, headers.requested_headers.text(input))
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

/// Stages 1 to 13 for an inference request.
async fn infer(
    worker: &Rc<Worker>,
    session: &mut Session,
    snapshot: &Snapshot,
    route: &'static Route,
    context: &mut ReplyContext,
    active: Active,
) -> Next {
    let mut exchange = Exchange {
        route,
        context: std::mem::take(context),
        account: Account::new(route.operation),
        outline: outline(session, route.path, &active),
        active,
        is_read: false,
        wants_timing: false,
        telling: Telling::AsEvents,
        served: None,
    };
    match stages(worker, session, snapshot, &mut exchange).await {
        Ok(()) if exchange.is_stream() => Next::Stream(Box::new(exchange)),
        Ok(()) => deliver(worker, session, &mut exchange).await,
        Err(reject) => Box::pin(refuse(worker, session, &mut exchange, reject)).await,
    }
}

/// The same stages for a request that names no model: about what a provider keeps, or as it is.
async fn keep(
    worker: &Rc<Worker>,
    session: &mut Session,
    snapshot: &Snapshot,
    resource: &'static Resource,
    context: ReplyContext,
    active: Active,
) -> Next {
    let mut exchange = Exchange {
        route: &resource.route,
        context,
        account: Account::new(resource.route.operation),
        outline: outline(session, resource.route.path, &active),
        active,
        is_read: false,
        wants_timing: false,
        telling: Telling::AsEvents,
        served: None,
    };
    match keep_stages(worker, session, snapshot, resource, &mut exchange).await {
        Ok(()) if exchange.is_stream() => Next::Stream(Box::new(exchange)),
        Ok(()) => deliver(worker, session, &mut exchange).await,
        Err(reject) => refuse(worker, session, &mut exchange, reject).await,
    }
}

/// Stages 1 to 10 of such a request.
async fn keep_stages(
    worker: &Worker,
    session: &mut Session,
    snapshot: &Snapshot,
    resource: &'static Resource,
    exchange: &mut Exchange,
) -> Result<(), Reject> {
    require_headers(snapshot, &session.head, session.client.input())?;
    identify(snapshot, &session.headers, session.client.input())?;
    let mut request = resources::read(session, snapshot, resource).await?;
    exchange.is_read = request.total_bytes.is_none();
    exchange.wants_timing = session.headers.wants_timing(request.bytes.as_slice());
    decode::body(&mut request, &session.headers, snapshot.client.body_bytes_max).await?;
    exchange.outline.request_bytes =
        request.total_bytes.unwrap_or_else(|| request.body().len() as u64);
    let parts = resources::Parts {
        worker,
        snapshot,
        resource,
        account: &mut exchange.account,
        active: &exchange.active,
    };
    let served = resources::find_reply(parts, session, &mut request).await?;
    exchange.is_read = served.is_request_sent();
    exchange.context.keeps_alive &= exchange.is_read;
    exchange.served = Some(served);
    Ok(())
}

/// Tells the caller why there is no reply.
async fn refuse(
    worker: &Worker,
    session: &mut Session,
    exchange: &mut Exchange,
    reject: Reject,
) -> Next {
    exchange.outline.status = reject.status;
    exchange.account.error_type = Some(reject.kind.label(reject.status));
    exchange.context.keeps_alive &= exchange.is_read;
    let mut body = Buffer::new();
    let routed = exchange.account.routed();
    error_body::write(exchange.route.family, &reject, routed.as_ref(), &mut body);
    exchange.outline.response_bytes = body.len() as u64;
    let next = match reject.kind {
        Kind::Cancelled => Next::Abort,
        _ => {
            let lines = error_body::header_lines(exchange.route.family, &reject);
            let (context, is_read) = (&exchange.context, exchange.is_read);
            send_error(session, context, &reject, &body, lines.as_bytes(), is_read).await
        }
    };
    worker.record(exchange.event());
    next
}

/// Stages 11 to 13: the reply is relayed, settled and recorded.
async fn deliver(worker: &Worker, session: &mut Session, exchange: &mut Exchange) -> Next {
    let Exchange { route, context, account, outline, active, served, .. } = exchange;
    let (wants_timing, telling) = (&exchange.wants_timing, &exchange.telling);
    let Some(served) = served else { return Next::Abort };
    session.usage.restart(served.dialect);
    let mut header_lines = inference::header_lines(route.family, account, *wants_timing);
    if route.operation == Operation::Speech {
        attachment::push_name(&served.reply, &session.reply_head, &mut header_lines);
    }
    let additions = Additions {
        usage: &mut session.usage,
        extra_fields: served.extra_fields.take(),
        header_lines,
    };
    let manners = Manners {
        family: route.family,
        upstream_dialect: served.dialect,
        caller_dialect: route.dialect,
        routed: account.routed(),
        began: active.began(),
        opened: served.opened,
        silence_max: served.silence_max,
        number: served.number,
        hides_usage: served.hides_usage,
        telling: *telling,
    };
    let (client, head, reply) = (&mut session.client, &session.reply_head, &mut served.reply);
    let relayed = relay::relay(client, context, head, reply, additions, &manners).await;
    let next = settle(account, outline, relayed, context);
    worker.record(exchange.event());
    match next {
        Next::Close if !exchange.is_read => Next::CloseUnread,
        next => next,
    }
}

/// Stages 1 to 10: finds a reply worth sending.
async fn stages(
    worker: &Worker,
    session: &mut Session,
    snapshot: &Snapshot,
    exchange: &mut Exchange,
) -> Result<(), Reject> {
    require_headers(snapshot, &session.head, session.client.input())?;
    identify(snapshot, &session.headers, session.client.input())?;
    let may_stream = !session.headers.content_encoding.is_some();
    let settings = &snapshot.client;
    let (client, limit) = (&mut session.client, settings.body_bytes_max);
    let mut request = read::body(client, &session.head, settings, limit, may_stream).await?;
    peek_far_enough(session, &mut request, snapshot, exchange.route).await?;
    exchange.is_read = request.total_bytes.is_none();
    exchange.wants_timing = session.headers.wants_timing(request.bytes.as_slice());
    decode::body(&mut request, &session.headers, settings.body_bytes_max).await?;
    if !exchange.route.alternatives.is_empty() && request.total_bytes.is_none() {
        let (bytes, members) = (request.bytes.as_slice(), &mut session.members);
        exchange.route = exchange.route.meant_by(&session.head, bytes, request.body(), members)?;
        tidy(exchange.route, &mut request)?;
    }
    exchange.outline.request_bytes =
        request.total_bytes.unwrap_or_else(|| request.body().len() as u64);
    let served = find_reply(worker, session, snapshot, &request, exchange).await?;
    exchange.is_read = served.is_request_sent();
    exchange.context.keeps_alive &= exchange.is_read;
    exchange.served = Some(served);
    Ok(())
}

/// Writes a body anew that is spelt in other ways than its route has.
#[cold]
fn tidy(route: &Route, request: &mut Request) -> Result<(), Reject> {
    if let Some(text) = route.tidy(request.body()) {
        let mut body = Buffer::new();
        read::make_room(&mut body, text.len())?;
        body.extend_from_slice(&text);
        request.replace_body(body);
    }
    Ok(())
}

/// Stages 4 to 10: targets chosen and tried.
async fn find_reply(
    worker: &Worker,
    session: &mut Session,
    snapshot: &Snapshot,
    request: &Request,
    exchange: &mut Exchange,
) -> Result<Served, Reject> {
    let route = exchange.route;
    let Session { client, head, headers, reply_head, members, edits, .. } = session;
    let ask = ask(route, head, request, members)?;
    let operation = if ask.is_streaming { route.operation.streamed() } else { route.operation };
    exchange.account.operation = operation;
    exchange.telling = route.telling(head, request.bytes.as_slice());
    let mut lap = Lap::since(exchange.active.began());
    exchange.account.stages.receive_ns = lap.next_ns();
    let bare = bare(route, headers, request);
    let targets = choose::targets(snapshot, bare, &ask.model, &ask.fallbacks, operation)?;
    let mut call = Call {
        worker,
        snapshot,
        route,
        operation,
        client,
        reply_head,
        edits,
        head,
        headers,
        request,
        members,
        ask: &ask,
        began: exchange.active.began(),
        lap,
        number: worker.request_number(),
        account: &mut exchange.account,
    };
    inference::serve(&mut call, &targets).await
}

/// Stage 4: what body and path ask for together.
fn ask<'r>(
    route: &Route,
    head: &RequestHead,
    request: &'r Request,
    members: &mut Vec<Member>,
) -> Result<Ask<'r>, Reject> {
    let form = match route.dialect.takes_forms() {
        true => form_type(head, request.bytes.as_slice())?,
        false => None,
    };
    let mut ask = match (&form, request.total_bytes) {
        (None, None) => peek(request.body(), members)?,
        (None, Some(_)) => peek_beginning(request.body(), members)?,
        (Some(form), None) => peek_form(form, route.dialect, request.body(), members)?,
        (Some(form), Some(_)) => peek_form_beginning(form, request.body(), members)?,
    };
    route.complete(&mut ask, head, request.bytes.as_slice(), request.body())?;
    Ok(ask)
}

fn bare<'r>(route: &Route, headers: &'r CallerHeaders, request: &'r Request) -> Bare<'r> {
    Bare { family: route.family, headers, bytes: request.bytes.as_slice() }
}

/// A large body streams through only when its beginning says where to, and nothing behind it could
/// matter: no list of models, no forced member, no translation. Else it is read whole.
async fn peek_far_enough(
    session: &mut Session,
    request: &mut Request,
    snapshot: &Snapshot,
    route: &Route,
) -> Result<(), Reject> {
    if request.total_bytes.is_none() {
        return Ok(());
    }
    let ask = ask(route, &session.head, request, &mut session.members)?;
    let may_pass = !ask.model.is_empty() && {
        let operation = if ask.is_streaming { route.operation.streamed() } else { route.operation };
        let bare = bare(route, &session.headers, request);
        let targets = choose::targets(snapshot, bare, &ask.model, &ask.fallbacks, operation)?;
        let is_open = |upstream: &Upstream| {
            let service = upstream.service(operation, &targets.primary.model);
            // Where the provider wants the model in the body it must be in the beginning.
            let is_relay = service.is_some_and(|service| {
                service.dialect == route.dialect
                    && (ask.model_at.is_some() || service.path.has_model())
            });
            is_relay
                && upstream.keys.is_unrestricted()
                && !upstream.keys.signs_bodies()
                && !upstream.disable_store
        };
        targets.fallbacks.is_empty() && targets.primary.upstream.as_ref().is_ok_and(|u| is_open(u))
    };
    drop(ask);
    if may_pass {
        return Ok(());
    }
    Box::pin(read::rest(&mut session.client, request, &snapshot.client)).await
}

/// Stage 12: what the reply showed goes into the account, whether it was whole or not.
fn settle(
    account: &mut Account,
    outline: &mut Outline,
    relayed: Relayed,
    context: &ReplyContext,
) -> Next {
    account.seen = relayed.seen;
    account.ended = Some(relayed.ended);
    account.upstream_us += relayed.upstream_us;
    account.stages.reply_ns += relayed.own_ns;
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

fn outline(session: &Session, route: &'static str, active: &Active) -> Outline {
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
    worker: &Rc<Worker>,
    session: &mut Session,
    snapshot: &Snapshot,
    context: &mut ReplyContext,
    found: Found,
    active: &Active,
) -> Next {
    let is_allowed = !context.cors.is_empty();
    let status = if is_allowed { 200 } else { 403 };
    record_refusal(worker, session, found.label(), status, active);
    let (client, settings) = (&mut session.client, &snapshot.client);
    if read::body(client, &session.head, settings, settings.body_bytes_max, false).await.is_err() {
        context.keeps_alive = false;
    }
    let mut out = Framed::default();
    context.begin(status, &mut out.bytes);
    context.end(Framing::Length(0), &mut out.bytes);
    finish(session, context, out.take(), true).await
}

/// Refuses a request whose head cannot be used.
async fn refuse_head(worker: &Rc<Worker>, session: &mut Session, reject: &Reject) -> Next {
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
    let lines = [error_body::header_lines(family, reject).as_bytes(), lines].concat();
    send_error(session, context, reject, &body, &lines, false).await
}

pub(crate) async fn send_error(
    session: &mut Session,
    context: &ReplyContext,
    reject: &Reject,
    body: &Buffer,
    lines: &[u8],
    is_read: bool,
) -> Next {
    let mut out = Framed::default();
    context.begin(reject.status, &mut out.bytes);
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
    worker: &Rc<Worker>,
    session: &Session,
    route: &'static str,
    status: u16,
    active: &Active,
) {
    let outline = Outline { status, ..outline(session, route, active) };
    worker.record(record::event(outline, None));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a task for each of the connections takes, and what thousands of requests that wait take.
    fn size<F: Future>(_: impl Fn(Rc<Worker>, Connection) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_connection_is_a_small_future() {
        // The allocator rounds up to steps, of which this is one.
        assert!(size(serve) <= 4_096, "{} bytes", size(serve));
    }
}
