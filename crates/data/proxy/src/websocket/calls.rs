//! What belongs to realtime sessions and is asked for by HTTP: ephemeral keys, calls by WebRTC and SIP.
//! Only the model's name is the gateway's business; all else passes both ways.

use std::borrow::Cow;
use std::time::Instant;

use http::Method;
use net::Buffer;
use wire::BodyReader;

use super::Visit;
use super::errand::{self, Caller, Errand};
use super::query::Query;
use super::realtime::targets;
use super::session_model::{self, Found};
use crate::caller::{identify, require_headers};
use crate::decode;
use crate::inference::header_lines;
use crate::limits::CONTROL_BODY_BYTES_MAX;
use crate::pipeline::Next;
use crate::reject::Reject;
use crate::reply_head::{Framing, push_header};
use crate::stages::choose::Targets;
use crate::stages::open::{Collected, collect};
use crate::stages::read::{self, Request};
use crate::stages::relay;
use crate::stages::send::Answering;

/// Passes a call on and its reply back.
pub(super) async fn serve(visit: &mut Visit<'_>) -> Result<Next, Reject> {
    let snapshot = visit.snapshot;
    let session = &mut *visit.session;
    let settings = &snapshot.client;
    require_headers(snapshot, &session.head, session.client.input())?;
    identify(snapshot, &session.headers, session.client.input())?;
    let limit = CONTROL_BODY_BYTES_MAX.min(settings.body_bytes_max);
    let (client, head) = (&mut session.client, &session.head);
    let mut request = read::body(client, head, settings, limit, false).await?;
    visit.is_read = true;
    decode::body(&mut request, &session.headers, limit).await?;
    visit.outline.request_bytes = request.body().len() as u64;
    let bytes = request.bytes.as_slice();
    let content_type = session.head.header(bytes, "content-type").unwrap_or_default().to_vec();
    let query = Query(session.head.query(bytes).unwrap_or_default());
    let found = session_model::find(&content_type, request.body())?;
    let model = match &found {
        Some(found) => Cow::Borrowed(&*found.model),
        None => query.model()?.unwrap_or_default(),
    };
    let headers = &visit.session.headers;
    let targets = targets(snapshot, headers, visit.route, (query, &model), bytes)?;
    let body = Body { content_type: &content_type, found: found.as_ref(), query };
    let began = Instant::now();
    let answering = ask(visit, &request, &body, &targets).await;
    visit.account.upstream_us += began.elapsed().as_micros() as u64;
    reply(visit, answering?).await
}

/// What is sent besides the head.
struct Body<'b> {
    content_type: &'b [u8],
    found: Option<&'b Found<'b>>,
    query: Query<'b>,
}

async fn ask(
    visit: &mut Visit<'_>,
    request: &Request,
    body: &Body<'_>,
    targets: &Targets<'_>,
) -> Result<Answering, Reject> {
    let session = &mut *visit.session;
    let bytes = request.bytes.as_slice();
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
        agrees: |status| (200..300).contains(&status),
        write: &|attempt| {
            let text = match body.found {
                Some(found) => {
                    Cow::Owned(session_model::replace(request.body(), found, attempt.model))
                }
                None => Cow::Borrowed(request.body()),
            };
            // A model in the body is not said twice.
            let named = if body.found.is_some() { "" } else { attempt.model };
            let mut out = Buffer::with_capacity(text.len() + 1024);
            out.extend_from_slice(b"POST ");
            body.query.write_target(&errand::path_of(attempt, named, below)?, &mut out);
            errand::write_head(attempt, &caller, &text, &mut out)?;
            if !body.content_type.is_empty() {
                push_header(&mut out, "content-type", body.content_type);
            }
            push_header(&mut out, "content-length", text.len().to_string().as_bytes());
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(&text);
            Ok(out)
        },
    };
    errand::run(&mut errand, targets).await
}

/// Sends the provider's reply back as it is.
async fn reply(visit: &mut Visit<'_>, answering: Answering) -> Result<Next, Reject> {
    let session = &mut *visit.session;
    let head = &session.reply_head;
    let (status, input) = (head.status(), answering.upstream.connection.input());
    // A new call is told by its place, which is below this route too.
    let place = head.header(input, "location").filter(|place| place.starts_with(b"/"));
    let place = place.map(<[u8]>::to_vec);
    let body = BodyReader::new(head.body(&Method::POST));
    let limit = CONTROL_BODY_BYTES_MAX as usize;
    let Collected { body, content_type, header_lines: lines, .. } =
        collect(&session.client, answering, head, body, limit).await?;
    visit.outline.status = status;
    visit.outline.response_bytes = body.len() as u64;
    let mut out = Buffer::with_capacity(body.len() + 1024);
    visit.context.begin(status, &mut out);
    push_header(&mut out, "content-type", &content_type);
    if let Some(place) = place {
        push_header(&mut out, "location", &place);
    }
    out.extend_from_slice(&lines);
    out.extend_from_slice(header_lines(visit.route.family, &visit.account, false).as_slice());
    let framing = if status == 204 { Framing::Empty } else { Framing::Length(body.len() as u64) };
    visit.context.end(framing, &mut out);
    out.extend_from_slice(body.as_slice());
    let written = relay::write(&mut session.client, out, visit.context.send_timeout).await;
    Ok(match (written.is_ok(), visit.context.keeps_alive) {
        (false, _) => Next::Abort,
        (true, true) => Next::Request,
        (true, false) => Next::Close,
    })
}
