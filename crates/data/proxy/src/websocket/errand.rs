//! Stages 5 to 10 for what is no inference request: targets, keys and attempts up to a provider that
//! agrees.

use std::borrow::Cow;

use dialect::Operation;
use http::Method;
use net::{Buffer, Connection};
use snapshot::{KeyAuth, Snapshot, Upstream};
use wire::{BodyReader, RequestHead, ResponseHead};

use crate::caller::CallerHeaders;
use crate::inference::{self, unsupported_by};
use crate::presence::while_present;
use crate::reject::{Kind, Reject};
use crate::reply_head::push_header;
use crate::stages::choose::{KeyDraw, Target, Targets, keys};
use crate::stages::judge::{Standing, Verdict, judge};
use crate::stages::open;
use crate::stages::prepare::{Attempt, sign_json};
use crate::stages::record::Account;
use crate::stages::send::{Answering, Delivery, SendError, send};
use crate::worker::Worker;

/// Everything the attempts share.
pub(super) struct Errand<'e> {
    pub(super) worker: &'e Worker,
    pub(super) snapshot: &'e Snapshot,
    pub(super) client: &'e mut Connection,
    pub(super) reply_head: &'e mut ResponseHead,
    pub(super) headers: &'e CallerHeaders,
    /// The head that `headers` was read from.
    pub(super) bytes: &'e [u8],
    pub(super) operation: Operation,
    pub(super) account: &'e mut Account,
    /// Whether that status is what is wanted.
    pub(super) agrees: fn(u16) -> bool,
    /// Writes what is sent.
    pub(super) write: &'e dyn Fn(&Attempt<'_>) -> Result<Buffer, Reject>,
}

/// Runs it: the first provider that agrees, its head in `reply_head`, or the first one's error.
pub(super) async fn run(
    errand: &mut Errand<'_>,
    targets: &Targets<'_>,
) -> Result<Answering, Reject> {
    let mut failure = None;
    for index in 0..=targets.fallbacks.len() {
        let Some(target) = targets.at(index) else { break };
        errand.account.begin_target(errand.worker, target, index);
        match run_at(errand, target, index).await {
            Ok(answering) => return Ok(answering),
            Err(reject) if !reject.kind.falls_back() => return Err(reject),
            Err(reject) => drop(failure.get_or_insert(reject)),
        }
    }
    Err(failure.unwrap_or_else(|| Reject::new(Kind::Internal, "there was no target")))
}

/// Tries one target with its own keys and retries.
async fn run_at(
    errand: &mut Errand<'_>,
    target: &Target<'_>,
    index: usize,
) -> Result<Answering, Reject> {
    let upstream = match &target.upstream {
        Ok(upstream) => *upstream,
        Err(unknown) => return Err(Reject::new(unknown.kind, unknown.public.clone())),
    };
    let is_first = index == 0;
    let direct_key = direct_key_line(errand, upstream).filter(|_| is_first);
    let pin = errand.headers.pin(errand.bytes).filter(|_| is_first);
    let region = target.region.as_deref();
    let mut draw = match &direct_key {
        Some(_) => None,
        None => keys(upstream, &target.model, region, pin, errand.worker.random())?,
    };
    // Given back once the provider has agreed, as a stream's is.
    let _permit = inference::enter(errand.client, errand.snapshot, upstream).await?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let key = draw.as_ref().and_then(KeyDraw::key);
        let alias = key.and_then(|key| key.alias(&target.model));
        let model = alias.map_or(&*target.model, |alias| alias);
        let service = upstream
            .service(errand.operation, model)
            .ok_or_else(|| unsupported_by(errand.operation, upstream))?;
        let direct_key = direct_key.as_deref();
        let attempt = Attempt {
            upstream,
            service,
            key,
            direct_key,
            is_subscription: false,
            model,
            likeness: &target.model,
        };
        errand.account.begin_attempt(&attempt, alias);
        let failure = match try_once(errand, &attempt).await {
            Ok(answering) => return Ok(answering),
            Err(failure) => failure,
        };
        let standing = Standing {
            attempts,
            live_keys: draw.as_ref().map_or(0, KeyDraw::live_others),
            fresh_keys: draw.as_ref().map_or(0, KeyDraw::fresh_others),
            retry: upstream.retry,
            random: errand.worker.random(),
        };
        match judge(&failure, &standing) {
            Verdict::NextTarget | Verdict::GiveUp => return Err(failure),
            Verdict::Exhausted => return Err(inference::exhausted(upstream)),
            Verdict::SameKey(wait) => while_present(errand.client, net::sleep(wait)).await?,
            Verdict::ParkKey(wait) => {
                draw.iter_mut().for_each(|draw| draw.park(errand.worker.random()));
                while_present(errand.client, net::sleep(wait)).await?;
            }
            Verdict::BuryKey => {
                draw.iter_mut().for_each(|draw| draw.bury(errand.worker.random()));
            }
        }
        errand.account.retries += 1;
    }
}

fn direct_key_line(errand: &Errand<'_>, upstream: &Upstream) -> Option<String> {
    let key = errand.headers.direct_key(errand.bytes)?;
    errand.snapshot.client.allow_direct_keys.then_some(upstream.direct_key?.line(key))
}

async fn try_once(errand: &mut Errand<'_>, attempt: &Attempt<'_>) -> Result<Answering, Reject> {
    let outbound = (errand.write)(attempt)?;
    let delivery = Delivery {
        endpoint: attempt.destination()?.endpoint,
        // Rare enough that none would wait in the pool, and then it would have to be tried twice.
        is_fresh: true,
        timeout: attempt.upstream.request_timeout,
        unread_bytes: 0,
        body_timeout: errand.snapshot.client.body_timeout,
    };
    let sent = send(errand.client, &delivery, outbound, errand.reply_head).await;
    let answering = sent.map_err(|error| match error {
        SendError::Stale => inference::closed_again(),
        SendError::Failed(reject) => reject,
    })?;
    let head = &*errand.reply_head;
    match head.status() {
        status if (errand.agrees)(status) => Ok(answering),
        400..=599 => {
            let body = BodyReader::new(head.body(&Method::GET));
            let dialect = attempt.service.dialect;
            Err(open::refusal(errand.client, answering, head, body, dialect).await)
        }
        status => Err(open::unexpected_status(status)),
    }
}

/// The path of the provider's sessions for `model` with `below` behind it; without a model there is none
/// in the query either.
pub(super) fn path_of(attempt: &Attempt<'_>, model: &str, below: &str) -> Result<String, Reject> {
    let destination = attempt.destination()?;
    let text = destination.path.text(model);
    let (path, query) = text.split_once('?').map_or((&*text, ""), |(path, query)| (path, query));
    let query = match query {
        "" => Cow::Borrowed(""),
        _ if model.is_empty() => Cow::Borrowed(""),
        query => Cow::Owned(format!("?{query}")),
    };
    Ok(format!("{}{path}{below}{query}", destination.base_path))
}

/// What ends the path of sessions of every caller.
const SESSIONS: &str = "/realtime";

/// The part of a caller's path that is below the provider's path of sessions.
pub(super) fn below(path: &str) -> &str {
    path.split_once(SESSIONS).map_or("", |(_, below)| below)
}

/// Headers of callers that OpenAI's sessions know.
const SESSION_HEADERS: [&str; 2] = ["openai-beta", "openai-safety-identifier"];

/// Writes what every request to a provider has: where it goes, who it is from, and what the caller wants
/// it to be told.
pub(super) fn write_head(
    attempt: &Attempt<'_>,
    caller: &Caller<'_>,
    body: &[u8],
    out: &mut Buffer,
) -> Result<(), Reject> {
    let destination = attempt.destination()?;
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(destination.endpoint.authority.as_bytes());
    out.extend_from_slice(b"\r\n");
    match (attempt.direct_key, attempt.key.map(|key| &key.auth)) {
        (Some(line), _) => out.extend_from_slice(line.as_bytes()),
        (None, Some(KeyAuth::Line(line))) => out.extend_from_slice(line.expose().as_bytes()),
        (None, Some(KeyAuth::Signer(signer))) => {
            out.extend_from_slice(&sign_json(&**signer, attempt, &destination, body)?);
        }
        (None, None) => {}
    }
    for line in &*attempt.service.headers {
        out.extend_from_slice(line.line.expose().as_bytes());
    }
    let filter = &caller.snapshot.client.header_filter;
    for (name, value) in caller.head.headers(caller.bytes) {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let inner = name.strip_prefix("x-bf-eh-").filter(|inner| !inner.is_empty());
        if let Some(inner) = inner.filter(|inner| filter.permits(inner)) {
            push_header(out, inner, value);
        } else if filter.forwards(&name) || SESSION_HEADERS.contains(&&*name) {
            push_header(out, &name, value);
        }
    }
    Ok(())
}

/// The request behind an errand.
#[derive(Clone, Copy)]
pub(super) struct Caller<'c> {
    pub(super) snapshot: &'c Snapshot,
    pub(super) head: &'c RequestHead,
    pub(super) bytes: &'c [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_the_same_below_every_prefix() {
        for (path, expected) in [
            ("/v1/realtime", ""),
            ("/openai/realtime/calls", "/calls"),
            ("/openai/openai/v1/realtime/calls/rtc_1/hangup", "/calls/rtc_1/hangup"),
        ] {
            assert_eq!(below(path), expected);
        }
    }
}
