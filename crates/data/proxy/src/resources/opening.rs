//! A look into the reply to a request that names no model: a refusal may be retried, anything else goes to the caller.

use dialect::Framing;
use http::Method;
use net::now;
use wire::{BodyReader, ResponseHead};

use super::reply::Whole;
use super::{Job, reply};
use crate::extra_fields::ExtraFields;
use crate::inference::{Call, shows_raw_response};
use crate::limits::{ERROR_BODY_BYTES_MAX, ERROR_BODY_WAIT, REPLY_COLLECT_BYTES_MAX};
use crate::reject::{Kind, ProviderError, Reject};
use crate::stages::events;
use crate::stages::open::{
    Beginning, Expectation, Passing, Reply, begins, collect, content_coding, open_stream,
    unexpected_status,
};
use crate::stages::send::{Answering, broken};

/// What became of an attempt.
pub(super) enum Opened {
    /// A reply worth sending, and what is added to it.
    Reply(Reply, Option<ExtraFields>),
    Refused(Refusal),
    /// What is asked for is in the file of this id.
    InFile(String),
}

/// An attempt that failed.
pub(super) struct Refusal {
    pub(super) reject: Reject,
    /// Of the provider's error body.
    pub(super) content_type: Vec<u8>,
}

impl Opened {
    pub(super) fn refused(reject: Reject) -> Self {
        Self::Refused(Refusal { reject, content_type: Vec::new() })
    }
}

/// Looks at the reply whose head has arrived.
pub(super) async fn open(
    call: &mut Call<'_>,
    answering: Answering,
    job: &Job<'_>,
    extra_fields: Option<ExtraFields>,
) -> Result<Opened, Reject> {
    let head = &*call.reply_head;
    let method = if job.plan.method == "HEAD" { Method::HEAD } else { Method::POST };
    let body = BodyReader::new(head.body(&method));
    // What a condition of the caller's is answered with, or where else it could go.
    let is_plain = job.plan.is_bytes || method == Method::HEAD;
    match head.status() {
        200..=299 => {}
        300..=399 if is_plain => {}
        400..=599 => return Ok(Opened::Refused(refusal(call, answering, job, body).await)),
        status => return Err(unexpected_status(status)),
    }
    let input = answering.upstream.connection.input();
    let content_type = head.header(input, "content-type").unwrap_or_default();
    let framing = events::framing(content_type).filter(|framing| *framing != Framing::Lines);
    if call.ask.is_streaming && framing.is_some() {
        let expectation = Expectation {
            dialect: job.plan.reply_dialect,
            caller: job.plan.reply_dialect,
            notes: None,
            model: job.model,
            extra_fields: None,
            shows_raw: false,
            may_retry: false,
            began: call.began,
            stream_idle: job.upstream.stream_idle_timeout,
            is_streamed_job: false,
            call_off: None,
            number: call.number,
        };
        let reply = open_stream(call.client, answering, head, body, expectation).await?;
        return Ok(Opened::Reply(reply, extra_fields));
    }
    let is_json = events::is_json(content_type);
    let extra_fields = extra_fields.filter(|_| is_json || job.plan.translation.is_some());
    let shows_raw = extra_fields.is_some()
        && (job.shows_raw_anyway() || shows_raw_response(call, job.upstream));
    let has_coding = content_coding(head, input)?.is_some();
    let is_translated = job.plan.translation.is_some();
    let is_rewritten = reply::is_rewritten(&job.plan) && (is_json || is_translated);
    let names_itself = reply::UPLOAD_URLS.iter().any(|name| head.header(input, name).is_some());
    if method != Method::HEAD && (has_coding || shows_raw || is_rewritten || names_itself) {
        let is_request_sent = answering.is_request_sent;
        let mut collected =
            collect(call.client, answering, head, body, REPLY_COLLECT_BYTES_MAX).await?;
        if names_itself {
            let lines = reply::with_own_address(&collected.header_lines, &own_address(call));
            collected.header_lines = lines;
        }
        let whole = reply::ready(&job.plan, collected, shows_raw, is_request_sent)?;
        return Ok(match whole {
            Whole::Ready(ready) => Opened::Reply(Reply::Ready(ready), extra_fields),
            Whole::InFile(file) => Opened::InFile(file),
        });
    }
    let (taken, beginning) = (head.len(), Beginning::Other);
    let mut passing = Passing { answering, body, stream: None, taken, beginning };
    let is_object = extra_fields.is_some() && begins_object(call, &mut passing).await?;
    Ok(Opened::Reply(Reply::Passing(passing), extra_fields.filter(|_| is_object)))
}

/// The reply about a batch whose answers came as the content of a file.
pub(super) async fn open_file(
    call: &mut Call<'_>,
    answering: Answering,
    job: &Job<'_>,
    extra_fields: Option<ExtraFields>,
) -> Result<Opened, Reject> {
    let head = &*call.reply_head;
    let body = BodyReader::new(head.body(&Method::POST));
    match head.status() {
        200..=299 => {}
        400..=599 => return Ok(Opened::Refused(refusal(call, answering, job, body).await)),
        status => return Err(unexpected_status(status)),
    }
    let is_request_sent = answering.is_request_sent;
    let collected = collect(call.client, answering, head, body, REPLY_COLLECT_BYTES_MAX).await?;
    let Some(translation) = &job.plan.translation else {
        return Err(Reject::new(Kind::Internal, "a file without a batch"));
    };
    let ready = reply::of_file(translation, &collected, is_request_sent)?;
    Ok(Opened::Reply(Reply::Ready(Box::new(ready)), extra_fields))
}

/// The address of this route, as the caller has it.
fn own_address(call: &Call<'_>) -> String {
    let bytes = call.request.bytes.as_slice();
    let forwarded = call.headers.forwarded_proto.value(bytes);
    let is_forwarded = forwarded.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"));
    let scheme = if is_forwarded || call.client.is_tls() { "https" } else { "http" };
    let host = call.head.host(bytes).unwrap_or_default();
    format!("{scheme}://{host}{}", call.head.path(bytes))
}

/// Waits for the first bytes of a body that something is added to.
async fn begins_object(call: &Call<'_>, passing: &mut Passing) -> Result<bool, Reject> {
    let connection = &mut passing.answering.upstream.connection;
    loop {
        match begins(&passing.body, connection.input(), passing.taken) {
            Ok(Some(beginning @ (Beginning::Members | Beginning::EmptyObject))) => {
                passing.beginning = beginning;
                return Ok(true);
            }
            // Nothing is added to an empty body.
            Ok(Some(Beginning::Other)) | Err(_) => return Ok(false),
            Ok(None) => {}
        }
        match connection.fill().await {
            Ok(1..) => {}
            Ok(0) => return Ok(false),
            Err(error) => return Err(broken(call.client, &error)),
        }
    }
}

/// Reads the body of an error reply.
async fn refusal(
    call: &Call<'_>,
    answering: Answering,
    job: &Job<'_>,
    body: BodyReader,
) -> Refusal {
    let head: &ResponseHead = call.reply_head;
    let status = head.status();
    answering.upstream.connection.set_deadline(Some(now() + ERROR_BODY_WAIT));
    match collect(call.client, answering, head, body, ERROR_BODY_BYTES_MAX).await {
        Ok(collected) => {
            let reply = ProviderError {
                dialect: job.service.dialect,
                retry_after_ms: collected.retry_after_ms,
                header_lines: collected.header_lines,
                body: collected.body.as_slice().to_vec(),
            };
            let public = format!("the provider answered with status {status}");
            let reject = Reject {
                status,
                reply: Some(Box::new(reply)),
                ..Reject::new(Kind::Refused, public)
            };
            Refusal { reject, content_type: collected.content_type }
        }
        // A status without its body is still the provider's word.
        Err(reject) if reject.kind != Kind::Cancelled => Refusal {
            reject: Reject { status, ..Reject::new(Kind::Refused, reject.public) },
            content_type: Vec::new(),
        },
        Err(reject) => Refusal { reject, content_type: Vec::new() },
    }
}
