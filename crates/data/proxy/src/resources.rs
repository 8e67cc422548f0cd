//! Requests that name no model: about what a provider keeps (files, batches, stored answers …), and those that go to it as
//! they are. The stages are those of every request; what is said by a model elsewhere is said by the path, the query, a
//! header or the body here, and there are no fallbacks.

mod opening;
mod outbound;
mod pool;
mod reply;
mod subject;

use dialect::{Dialect, Operation};
use snapshot::{Key, Service, Snapshot, Upstream};

use crate::extra_fields::ExtraFields;
use crate::inference::{
    self, Call, Served, admit, closed_again, direct_key_line, exhausted, note_rotation, pause,
    served, shows_raw_request, unsupported,
};
use crate::pipeline::Session;
use crate::reject::{Kind, Reject};
use crate::routes::{Resource, Tells};
use crate::stages::choose::{KeyDraw, Target, keys, keys_for_all};
use crate::stages::judge::{Standing, Verdict, judge};
use crate::stages::lap::Lap;
use crate::stages::open::Reply;
use crate::stages::peek::Ask;
use crate::stages::prepare::Attempt;
use crate::stages::read::{self, Request};
use crate::stages::record::Account;
use crate::stages::send::{Delivery, SendError, send};
use crate::worker::{Active, Worker};

use self::opening::{Opened, open, open_file};
use self::outbound::Plan;
use self::pool::KeyUse;
use self::subject::Subject;

/// What a request is served with.
pub(crate) struct Parts<'p> {
    pub(crate) worker: &'p Worker,
    pub(crate) snapshot: &'p Snapshot,
    pub(crate) resource: &'static Resource,
    pub(crate) account: &'p mut Account,
    pub(crate) active: &'p Active,
}

/// Stage 1: head and body. A large file streams through where what decides about it stands in front of it.
pub(crate) async fn read(
    session: &mut Session,
    snapshot: &Snapshot,
    resource: &'static Resource,
) -> Result<Request, Reject> {
    let (settings, head) = (&snapshot.client, &session.head);
    let carries_files = resource.passes_through()
        || matches!(
            resource.route.operation,
            Operation::FileUpload | Operation::ContainerFileCreate
        );
    let may_stream = carries_files && !session.headers.content_encoding.is_some();
    let limit = settings.body_bytes_max;
    read::body(&mut session.client, head, settings, limit, may_stream).await
}

/// Stages 4 to 10: finds a reply worth sending.
pub(crate) async fn find_reply(
    parts: Parts<'_>,
    session: &mut Session,
    request: &mut Request,
) -> Result<Served, Reject> {
    let Parts { worker, snapshot, resource, account, active } = parts;
    if request.total_bytes.is_some() && !may_pass(session, snapshot, resource, request)? {
        read::rest(&mut session.client, request, &snapshot.client).await?;
    }
    let Session { client, head, headers, reply_head, members, edits, .. } = session;
    let mut lap = Lap::since(active.began());
    account.stages.receive_ns = lap.next_ns();
    let subject = subject::of(snapshot, resource, head, headers, request)?;
    account.operation = subject.operation;
    let ask = Ask { is_streaming: subject.is_streaming, ..Ask::default() };
    let mut call = Call {
        worker,
        snapshot,
        route: &resource.route,
        operation: subject.operation,
        client,
        reply_head,
        edits,
        head,
        headers,
        request,
        members,
        ask: &ask,
        began: active.began(),
        number: worker.request_number(),
        account,
        lap,
    };
    serve(&mut call, resource, &subject).await
}

/// Whether a body may be sent on while it arrives: what is there names the provider, and nothing in it has to be changed
/// or signed.
fn may_pass(
    session: &Session,
    snapshot: &Snapshot,
    resource: &'static Resource,
    request: &Request,
) -> Result<bool, Reject> {
    let subject = subject::of(snapshot, resource, &session.head, &session.headers, request)?;
    let Some(upstream) = snapshot.upstream(&subject.provider) else { return Ok(false) };
    let service = upstream.service_for_all(subject.operation);
    let is_relay = service.is_some_and(|service| {
        resource.passes_through() || service.dialect == resource.route.dialect
    });
    let is_settled = resource.passes_through() || subject.is_named_outside;
    Ok(is_relay && is_settled && !upstream.keys.signs_bodies())
}

/// A target and what is asked of it.
struct Job<'j> {
    resource: &'static Resource,
    upstream: &'j Upstream,
    service: &'j Service,
    plan: Plan<'j>,
    model: &'j str,
    direct_key: Option<String>,
}

impl Job<'_> {
    /// What is said about containers is always shown as it was said, too.
    fn shows_raw_anyway(&self) -> bool {
        self.service.dialect == Dialect::OpenAiContainers
    }
}

async fn serve(
    call: &mut Call<'_>,
    resource: &'static Resource,
    subject: &Subject<'_>,
) -> Result<Served, Reject> {
    let upstream = call.snapshot.upstream(&subject.provider).map(|upstream| &**upstream);
    let upstream = upstream.ok_or_else(|| {
        let message = format!("provider {} is not configured", subject.provider);
        Reject::new(Kind::ProviderUnknown, message)
    })?;
    let model = subject.model.as_ref();
    let target = Target {
        upstream: Ok(upstream),
        model: model.into(),
        region: None,
        routing_engine: "core",
    };
    call.account.begin_target(call.worker, &target, 0);
    let service = upstream.service_for_all(call.operation);
    let service = service.ok_or_else(|| unsupported(call, upstream))?;
    let plan = outbound::plan(call.request, call.head, resource, service, subject)?;
    let direct_key = direct_key_line(call, upstream, 0);
    let job = Job { resource, upstream, service, plan, model, direct_key };
    let bytes = call.request.bytes.as_slice();
    let pin = call.headers.pin(bytes);
    let random = call.worker.random();
    let use_of_keys = pool::key_use(call.operation);
    let draw = match (&job.direct_key, use_of_keys) {
        (Some(_), _) => None,
        (None, KeyUse::OfModel) if !model.is_empty() => keys(upstream, model, None, pin, random)?,
        (None, KeyUse::OfModel) => keys_for_all(upstream, false, pin, random)?,
        (None, KeyUse::One { for_batches } | KeyUse::Each { for_batches }) => {
            keys_for_all(upstream, for_batches, pin, random)?
        }
    };
    let permit = admit(call, upstream).await?;
    let (reply, extra_fields) = match (draw, use_of_keys) {
        (Some(draw), KeyUse::Each { .. }) => by_each(call, &job, &draw.every()).await?,
        (draw, _) => by_draw(call, &job, draw).await?,
    };
    let mut served =
        served(call, inference::Opened { reply, extra_fields }, service, upstream, permit);
    served.dialect = job.plan.reply_dialect;
    served.hides_usage = false;
    Ok(served)
}

type Found = (Reply, Option<ExtraFields>);

/// One key after the other, as drawn, as long as another attempt may help.
async fn by_draw(
    call: &mut Call<'_>,
    job: &Job<'_>,
    mut draw: Option<KeyDraw<'_>>,
) -> Result<Found, Reject> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let key = draw.as_ref().and_then(KeyDraw::key);
        let failure = match attempt(call, job, key).await? {
            Opened::Reply(reply, extra_fields) => return Ok((reply, extra_fields)),
            Opened::Refused(failure) => failure,
            Opened::InFile(_) => return Err(file_in_file()),
        };
        let standing = Standing {
            attempts,
            live_keys: draw.as_ref().map_or(0, KeyDraw::live_others),
            fresh_keys: draw.as_ref().map_or(0, KeyDraw::fresh_others),
            retry: job.upstream.retry,
            random: call.worker.random(),
        };
        let verdict = match call.request.total_bytes {
            None => judge(&failure.reject, &standing),
            // A body that streamed through is gone.
            Some(_) => Verdict::GiveUp,
        };
        match verdict {
            Verdict::NextTarget | Verdict::GiveUp => {
                return reply::told(call, job.resource, failure).map(|reply| (reply, None));
            }
            Verdict::Exhausted if job.resource.passes_through() => {
                return reply::told(call, job.resource, failure).map(|reply| (reply, None));
            }
            Verdict::Exhausted => return Err(exhausted(job.upstream)),
            Verdict::SameKey(wait) => pause(call, wait).await?,
            Verdict::ParkKey(wait) => {
                note_rotation(call, &failure.reject);
                draw.iter_mut().for_each(|draw| draw.park(call.worker.random()));
                pause(call, wait).await?;
            }
            Verdict::BuryKey => {
                note_rotation(call, &failure.reject);
                draw.iter_mut().for_each(|draw| draw.bury(call.worker.random()));
            }
        }
        call.account.retries += 1;
    }
}

/// Every key until one has what is asked for: only the one that made it does.
async fn by_each(call: &mut Call<'_>, job: &Job<'_>, keys: &[&Key]) -> Result<Found, Reject> {
    let mut failure: Option<Reject> = None;
    for (position, key) in keys.iter().enumerate() {
        let is_last = position + 1 == keys.len();
        match with_retries(call, job, key, is_last).await {
            Ok(found) => return Ok(found),
            Err(reject) if !reject.kind.falls_back() => return Err(reject),
            Err(reject) => failure = Some(more_telling(failure, reject)),
        }
    }
    Err(failure.unwrap_or_else(|| Reject::new(Kind::Internal, "there was no key")))
}

/// What one key does not have or may not see says little where another had trouble.
fn more_telling(first: Option<Reject>, then: Reject) -> Reject {
    match first {
        Some(first) if !matches!(first.status, 401 | 403 | 404) => first,
        Some(_) | None => then,
    }
}

#[cold]
fn file_in_file() -> Reject {
    Reject::new(Kind::BadReply, "the provider's file of answers names another file")
}

async fn with_retries(
    call: &mut Call<'_>,
    job: &Job<'_>,
    key: &Key,
    is_last: bool,
) -> Result<Found, Reject> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let failure = match attempt(call, job, Some(key)).await? {
            Opened::Reply(reply, extra_fields) => return Ok((reply, extra_fields)),
            Opened::Refused(failure) => failure.reject,
            Opened::InFile(_) => return Err(file_in_file()),
        };
        let standing = Standing {
            attempts,
            live_keys: 0,
            fresh_keys: 0,
            retry: job.upstream.retry,
            random: call.worker.random(),
        };
        match judge(&failure, &standing) {
            Verdict::SameKey(wait) => pause(call, wait).await?,
            Verdict::ParkKey(wait) if is_last => pause(call, wait).await?,
            // The next key is there to be asked.
            Verdict::ParkKey(_) | Verdict::BuryKey | Verdict::Exhausted => return Err(failure),
            Verdict::NextTarget | Verdict::GiveUp => return Err(failure),
        }
        call.account.retries += 1;
    }
}

/// Stages 8 and 9, and a look into the reply. What cannot be told from a refusal is one.
async fn attempt(call: &mut Call<'_>, job: &Job<'_>, key: Option<&Key>) -> Result<Opened, Reject> {
    let alias = key.filter(|_| !job.model.is_empty()).and_then(|key| key.alias(job.model));
    let attempt = Attempt {
        upstream: job.upstream,
        service: job.service,
        key,
        direct_key: job.direct_key.as_deref(),
        is_subscription: false,
        model: alias.map_or(job.model, |alias| alias),
        likeness: job.model,
    };
    call.account.begin_attempt(&attempt, alias);
    let file = match exchange(call, job, &attempt, Turn::Question, &job.plan).await? {
        Opened::InFile(file) => file,
        opened => return Ok(opened),
    };
    // The answers of a batch are in a file, which the same key can read.
    let service = job.upstream.service_for_all(Operation::FileContent);
    let service = service.ok_or_else(|| unsupported(call, job.upstream))?;
    let plan = outbound::plan_for_file(&file, service)?;
    let attempt = Attempt { service, ..attempt };
    exchange(call, job, &attempt, Turn::File, &plan).await
}

/// What a request of an attempt is for.
#[derive(Clone, Copy)]
enum Turn {
    Question,
    /// The file that the answer to the question is in.
    File,
}

/// One request and the beginning of its reply; once more where a pooled connection had been closed.
async fn exchange(
    call: &mut Call<'_>,
    job: &Job<'_>,
    attempt: &Attempt<'_>,
    turn: Turn,
    plan: &Plan<'_>,
) -> Result<Opened, Reject> {
    for is_fresh in [false, true] {
        call.account.stages.choose_ns += call.lap.next_ns();
        let bytes = outbound::write(call, plan, job.resource, attempt)?;
        let shows_request = job.shows_raw_anyway() || shows_raw_request(call, job.upstream);
        let has_raw = shows_request && !job.plan.is_bytes && !plan.body.is_empty();
        let raw_request = has_raw.then(|| plan.body.to_vec());
        call.account.stages.prepare_ns += call.lap.next_ns();
        let held = call.request.body().len() as u64;
        let delivery = Delivery {
            endpoint: attempt.destination()?.endpoint,
            is_fresh,
            timeout: job.upstream.request_timeout,
            unread_bytes: call.request.total_bytes.map_or(0, |total| total - held),
            body_timeout: call.snapshot.client.body_timeout,
        };
        let sent = send(call.client, &delivery, bytes, call.reply_head).await;
        let opened = match sent {
            Err(SendError::Stale) if !is_fresh => {
                call.account.upstream_us += call.lap.next().as_micros() as u64;
                continue;
            }
            Err(SendError::Stale) => Err(closed_again()),
            Err(SendError::Failed(reject)) => Err(reject),
            Ok(answering) => {
                let tells = call.route.family.habits().tells == Tells::Always;
                let extra_fields = (tells && !job.plan.is_bytes).then(|| {
                    let routed = call.account.routed_as(attempt, job.model);
                    ExtraFields::new(&routed).with_raw("raw_request", raw_request.as_deref())
                });
                match turn {
                    Turn::Question => open(call, answering, job, extra_fields).await,
                    Turn::File => open_file(call, answering, job, extra_fields).await,
                }
            }
        };
        call.account.upstream_us += call.lap.next().as_micros() as u64;
        return Ok(opened.unwrap_or_else(Opened::refused));
    }
    Ok(Opened::refused(closed_again()))
}
