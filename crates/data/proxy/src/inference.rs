//! Stages 6 to 10 over all targets of a request: permits, attempts, and the verdicts between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dialect::{Dialect, Notes, Operation};
use meter::{Permit, WhenFull};
use net::{Buffer, Connection};
use seam::Rotation;
use snapshot::{KeyHeader, KeyLabel, Service, Snapshot, Task, Upstream};
use wire::{RequestHead, ResponseHead};

use crate::caller::CallerHeaders;
use crate::extra_fields::{ExtraFields, Routed};
use crate::presence::while_present;
use crate::reject::{Kind, Reject};
use crate::reply_head::push_header;
use crate::routes::{Family, Route, Tells};
use crate::stages::choose::{KeyDraw, Target, Targets, keys};
use crate::stages::follow::{CallOff, Followed, follow};
use crate::stages::judge::{Standing, Verdict, judge, trail_reason};
use crate::stages::lap::Lap;
use crate::stages::open::{Expectation, Reply, open};
use crate::stages::peek::{Ask, Member};
use crate::stages::prepare::{Attempt, Outbound, Source, prepare};
use crate::stages::read::Request;
use crate::stages::record::{Account, Labels};
use crate::stages::send::{Answering, Delivery, SendError, send};
use crate::stages::splice::Edits;
use crate::worker::Worker;

/// Id and name of a key the caller brought.
const DIRECT_KEY_NAME: &str = "header-provided";

/// The provider that Claude Code's subscriptions are for.
const SUBSCRIPTION_PROVIDER: &str = "anthropic";

/// Everything the attempts of one request share.
pub(crate) struct Call<'c> {
    pub(crate) worker: &'c Worker,
    pub(crate) snapshot: &'c Snapshot,
    pub(crate) route: &'static Route,
    pub(crate) operation: Operation,
    pub(crate) client: &'c mut Connection,
    pub(crate) reply_head: &'c mut ResponseHead,
    pub(crate) edits: &'c mut Edits,
    pub(crate) head: &'c RequestHead,
    pub(crate) headers: &'c CallerHeaders,
    pub(crate) request: &'c Request,
    pub(crate) members: &'c [Member],
    pub(crate) ask: &'c Ask<'c>,
    pub(crate) began: Instant,
    /// What the stages take is read from it.
    pub(crate) lap: Lap,
    /// No other request of this process has it.
    pub(crate) number: u64,
    pub(crate) account: &'c mut Account,
}

impl<'c> Call<'c> {
    /// What the caller sent.
    fn source(&self) -> Source<'c> {
        let request = self.request;
        Source {
            bytes: request.bytes.as_slice(),
            head: self.head,
            headers: self.headers,
            header_filter: &self.snapshot.client.header_filter,
            dialect: self.route.asked_in,
            body: request.body(),
            members: self.members,
            has_cache_control: self.ask.has_cache_control,
            form_type: self.ask.form_type,
            model_at: self.ask.model_at.clone(),
            has_model_in_path: self.route.has_places(),
            is_streaming: self.ask.is_streaming,
            total_bytes: request.total_bytes,
        }
    }
}

/// A reply worth sending, and what sending it needs.
pub(crate) struct Served {
    pub(crate) reply: Reply,
    pub(crate) dialect: Dialect,
    /// Longest silence of the provider inside the reply.
    pub(crate) silence_max: Duration,
    /// Usage in a stream is there only because the gateway asked for it.
    pub(crate) hides_usage: bool,
    pub(crate) number: u64,
    /// When it was found worth sending.
    pub(crate) opened: Instant,
    /// Set where the reply tells how it was routed.
    pub(crate) extra_fields: Option<ExtraFields>,
    /// Held until a unary reply is through; streams give it back once they run.
    pub(crate) _permit: Option<Permit>,
}

impl Served {
    /// The whole request was sent before the reply came.
    pub(crate) fn is_request_sent(&self) -> bool {
        match &self.reply {
            Reply::Passing(passing) => passing.answering.is_request_sent,
            Reply::Ready(ready) => ready.is_request_sent,
            Reply::Gone => false,
        }
    }

    /// The reply is a stream of events.
    pub(crate) fn is_stream(&self) -> bool {
        matches!(&self.reply, Reply::Passing(passing) if passing.stream.is_some())
    }
}

/// Tries the targets one after the other. When all fail the first one's error is the answer.
pub(crate) async fn serve(call: &mut Call<'_>, targets: &Targets<'_>) -> Result<Served, Reject> {
    let mut primary = None;
    for index in 0..=targets.fallbacks.len() {
        let Some(target) = targets.at(index) else { break };
        call.account.begin_target(call.worker, target, index);
        let has_fallback = targets.at(index + 1).is_some() && call.request.total_bytes.is_none();
        match serve_target(call, target, index, has_fallback).await {
            Ok(served) => return Ok(served),
            Err(reject) if !reject.kind.falls_back() || !has_fallback && primary.is_none() => {
                return Err(reject);
            }
            Err(reject) => {
                // Boxed, because it is rare and would take room in every request that waits.
                let failure = || Box::new((reject, call.account.labels.clone()));
                primary.get_or_insert_with(failure);
            }
        }
    }
    match primary {
        // The answer and the labels it is recorded under belong together.
        Some(failure) => {
            let (reject, labels) = *failure;
            call.account.labels = labels;
            Err(reject)
        }
        None => Err(Reject::new(Kind::Internal, "there was no target")),
    }
}

/// Tries one target with its own keys and retries.
async fn serve_target(
    call: &mut Call<'_>,
    target: &Target<'_>,
    index: usize,
    has_fallback: bool,
) -> Result<Served, Reject> {
    let upstream = match &target.upstream {
        Ok(upstream) => *upstream,
        Err(unknown) => return Err(Reject::new(unknown.kind, unknown.public.clone())),
    };
    let operation = call.operation;
    let usual = upstream.service(operation, &target.model);
    if usual.is_none() && !upstream.serves(operation, &target.model) {
        return Err(unsupported(call, upstream));
    }
    let subscription = usual.and_then(|usual| subscription_line(call, upstream, usual));
    let is_subscription = subscription.is_some();
    let direct_key = subscription.or_else(|| direct_key_line(call, upstream, index));
    let bytes = call.request.bytes.as_slice();
    // Pins are meant for the primary's keys.
    let pin = call.headers.pin(bytes).filter(|_| index == 0);
    let mut draw = match &direct_key {
        Some(_) => None,
        None => keys(upstream, &target.model, target.region.as_deref(), pin, call.worker.random())?,
    };
    let permit = admit(call, upstream).await?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let may_retry =
            (attempts <= upstream.retry.max && call.request.total_bytes.is_none()) || has_fallback;
        let key = draw.as_ref().and_then(KeyDraw::key);
        let model = key.and_then(|key| key.alias(&target.model));
        let (service, likeness) = match key.zip(model) {
            Some((key, model)) => {
                let likeness = key.likeness(&target.model, model);
                (upstream.service_like(operation, model, likeness), likeness)
            }
            None => (usual, &*target.model),
        };
        let service = service.ok_or_else(|| unsupported(call, upstream))?;
        let wire_model = service.model_name.of(model.map_or(&*target.model, |alias| alias));
        let attempt = Attempt {
            upstream,
            service,
            key,
            direct_key: direct_key.as_deref(),
            is_subscription,
            model: &wire_model,
            likeness,
        };
        call.account.begin_attempt(&attempt, model);
        let failure = match try_once(call, &attempt, &target.model, may_retry).await {
            Ok(opened) => return Ok(served(call, opened, service, upstream, permit)),
            Err(failure) => failure,
        };
        let standing = Standing {
            attempts,
            live_keys: draw.as_ref().map_or(0, KeyDraw::live_others),
            fresh_keys: draw.as_ref().map_or(0, KeyDraw::fresh_others),
            retry: upstream.retry,
            random: call.worker.random(),
        };
        let verdict = match call.request.total_bytes {
            None => judge(&failure, &standing),
            // A body that streamed through is gone.
            Some(_) => Verdict::GiveUp,
        };
        match verdict {
            Verdict::NextTarget | Verdict::GiveUp => return Err(failure),
            Verdict::Exhausted => return Err(exhausted(upstream)),
            Verdict::SameKey(wait) => pause(call, wait).await?,
            Verdict::ParkKey(wait) => {
                note_rotation(call, &failure);
                draw.iter_mut().for_each(|draw| draw.park(call.worker.random()));
                pause(call, wait).await?;
            }
            Verdict::BuryKey => {
                // Where nothing could be sent nothing was tried.
                attempts -= u32::from(failure.kind == Kind::CredentialsMissing);
                note_rotation(call, &failure);
                draw.iter_mut().for_each(|draw| draw.bury(call.worker.random()));
            }
        }
        call.account.retries += 1;
        // Pauses are no stage's time.
        call.lap = Lap::since(Instant::now());
    }
}

/// A reply that was looked into.
pub(crate) struct Opened {
    pub(crate) reply: Reply,
    /// Set where the reply tells how it was routed.
    pub(crate) extra_fields: Option<ExtraFields>,
}

pub(crate) fn served(
    call: &Call<'_>,
    Opened { reply, extra_fields }: Opened,
    service: &Service,
    upstream: &Upstream,
    permit: Permit,
) -> Served {
    let is_stream = matches!(&reply, Reply::Passing(passing) if passing.stream.is_some());
    Served {
        reply,
        dialect: service.dialect,
        silence_max: match is_stream {
            true => upstream.stream_idle_timeout,
            false => upstream.request_timeout,
        },
        hides_usage: upstream.tells_usage_when_asked && !call.ask.wants_usage,
        number: call.number,
        opened: call.lap.began(),
        extra_fields,
        _permit: (!is_stream).then_some(permit),
    }
}

/// Stage 7: a place among the requests under way at this provider.
pub(crate) async fn admit(call: &mut Call<'_>, upstream: &Upstream) -> Result<Permit, Reject> {
    if let Some(permit) = upstream.gate.try_enter() {
        return Ok(permit);
    }
    call.account.stages.choose_ns += call.lap.next_ns();
    let entered = Box::pin(enter(call.client, call.snapshot, upstream)).await;
    let waited = call.lap.next();
    call.account.stages.wait_ns += waited.as_nanos() as u64;
    call.account.pauses_us += waited.as_micros() as u64;
    entered
}

/// A place among the requests under way at a provider, waited for where the settings say so.
pub(crate) async fn enter(
    client: &Connection,
    snapshot: &Snapshot,
    upstream: &Upstream,
) -> Result<Permit, Reject> {
    let when_full = match snapshot.client.drop_excess_requests {
        true => WhenFull::Refuse,
        false => WhenFull::Wait,
    };
    let entered = while_present(client, upstream.gate.enter(when_full)).await?;
    entered.map_err(|_| {
        let message = format!("request dropped: the queue of provider {} is full", upstream.name);
        Reject::new(Kind::Dropped, message)
    })
}

/// Stages 8 and 9, and a look into the reply. A pooled connection that turns out to be closed is
/// replaced by a new one.
async fn try_once(
    call: &mut Call<'_>,
    attempt: &Attempt<'_>,
    reported_model: &str,
    may_retry: bool,
) -> Result<Opened, Reject> {
    call.account.stages.choose_ns += call.lap.next_ns();
    let mut sent = ask_once(call, attempt, false).await;
    if let Err(SendError::Stale) = sent {
        // Boxed, because it is rare and would take room in every request that waits.
        sent = Box::pin(ask_once(call, attempt, true)).await;
    }
    let asked = match sent {
        Ok(asked) => asked,
        Err(SendError::Stale) => return Err(closed_again()),
        Err(SendError::Failed(reject)) => return Err(reject),
    };
    let opened = look_into(call, attempt, asked, reported_model, may_retry).await;
    let own = match &opened {
        Ok(Opened { reply: Reply::Ready(ready), .. }) => ready.own,
        _ => Duration::ZERO,
    };
    call.account.upstream_us += call.lap.next().saturating_sub(own).as_micros() as u64;
    call.account.stages.reply_ns += own.as_nanos() as u64;
    opened
}

/// A request that was sent, and what is needed to read the reply to it.
struct Asked {
    answering: Answering,
    notes: Option<Box<Notes>>,
    /// The body as it was sent, where it is to be shown.
    raw_request: Option<Vec<u8>>,
}

/// Stages 8 and 9. Until the reply's head is here, time is the provider's.
async fn ask_once(
    call: &mut Call<'_>,
    attempt: &Attempt<'_>,
    is_fresh: bool,
) -> Result<Asked, SendError> {
    let source = call.source();
    let outbound = prepare(&source, attempt, call.edits).map_err(SendError::Failed)?;
    let is_shown = !source.is_streaming && source.form_type.is_none();
    let raw_request =
        (is_shown && shows_raw_request(call, attempt.upstream)).then(|| outbound.body().to_vec());
    let unread = source.total_bytes.map_or(0, |total| total - source.body.len() as u64);
    let Outbound { bytes, notes } = outbound;
    call.account.stages.prepare_ns += call.lap.next_ns();
    let delivery = Delivery {
        endpoint: attempt.destination().map_err(SendError::Failed)?.endpoint,
        is_fresh,
        timeout: attempt.upstream.request_timeout,
        unread_bytes: unread,
        body_timeout: call.snapshot.client.body_timeout,
    };
    let sent = send(call.client, &delivery, bytes, call.reply_head).await;
    match sent {
        Ok(answering) => Ok(Asked { answering, notes, raw_request }),
        Err(failure) => {
            call.account.upstream_us += call.lap.next().as_micros() as u64;
            Err(failure)
        }
    }
}

/// A look into the reply whose head is here.
async fn look_into(
    call: &mut Call<'_>,
    attempt: &Attempt<'_>,
    asked: Asked,
    reported_model: &str,
    may_retry: bool,
) -> Result<Opened, Reject> {
    let Asked { answering, notes, raw_request } = asked;
    let (answering, call_off) = match &attempt.service.task {
        None => (answering, None),
        // Boxed, like every future off the warm path.
        Some(task) => Box::pin(job(call, attempt, task, answering)).await?,
    };
    let habits = call.route.family.habits();
    let is_told = match habits.tells {
        Tells::Always => true,
        Tells::WhenWritten => notes.is_some(),
        Tells::Never => false,
    };
    let text_joint = habits.text_joint;
    let extra_fields = is_told.then(|| {
        let routed = call.account.routed_as(attempt, reported_model);
        ExtraFields::new(&routed).with_raw("raw_request", raw_request.as_deref())
    });
    let expectation = Expectation {
        dialect: attempt.service.dialect,
        caller: call.route.dialect,
        notes: notes.map(|notes| Box::new(Notes { text_joint, ..*notes })),
        model: reported_model,
        extra_fields: extra_fields.as_ref(),
        shows_raw: is_told && shows_raw_response(call, attempt.upstream),
        may_retry,
        began: call.began,
        stream_idle: attempt.upstream.stream_idle_timeout,
        call_off: call_off.map(Box::new),
        is_streamed_job: call.ask.is_streaming && attempt.service.task.is_some(),
        number: call.number,
    };
    let reply = open(call.client, answering, call.reply_head, expectation).await?;
    Ok(Opened { reply, extra_fields })
}

/// The reply to the request that started a job, once the job is over or its stream begins.
async fn job(
    call: &mut Call<'_>,
    attempt: &Attempt<'_>,
    task: &Task,
    answering: Answering,
) -> Result<(Answering, Option<CallOff>), Reject> {
    let wants_stream = call.ask.is_streaming;
    let body_timeout = call.snapshot.client.body_timeout;
    let followed = Followed { attempt, task, wants_stream, body_timeout };
    follow(call.client, call.reply_head, answering, &followed).await
}

pub(crate) fn shows_raw_request(call: &Call<'_>, upstream: &Upstream) -> bool {
    let asked = call.headers.raw_request(call.request.bytes.as_slice());
    let asked = asked.filter(|_| call.snapshot.client.allow_raw_override);
    asked.unwrap_or(upstream.send_back_raw_request)
}

pub(crate) fn shows_raw_response(call: &Call<'_>, upstream: &Upstream) -> bool {
    let asked = call.headers.raw_response(call.request.bytes.as_slice());
    let asked = asked.filter(|_| call.snapshot.client.allow_raw_override);
    asked.unwrap_or(upstream.send_back_raw_response)
}

/// The header line of the caller's own key, where that is allowed and asked for; only for the
/// primary target.
pub(crate) fn direct_key_line(
    call: &Call<'_>,
    upstream: &Upstream,
    index: usize,
) -> Option<String> {
    if index > 0 || !call.snapshot.client.allow_direct_keys {
        return None;
    }
    let key = call.headers.direct_key(call.request.bytes.as_slice())?;
    Some(upstream.direct_key?.line(key))
}

/// The header line of Claude Code's subscription, which only Anthropic itself is told.
fn subscription_line(call: &Call<'_>, upstream: &Upstream, service: &Service) -> Option<String> {
    let messages = Dialect::AnthropicMessages;
    if (call.route.dialect, service.dialect) != (messages, messages)
        || &*upstream.name != SUBSCRIPTION_PROVIDER
    {
        return None;
    }
    let token = call.headers.subscription(call.request.bytes.as_slice())?;
    Some(KeyHeader::Bearer.line(token))
}

/// Waits, as long as the caller is there.
pub(crate) async fn pause(call: &mut Call<'_>, wait: Duration) -> Result<(), Reject> {
    call.account.pauses_us += wait.as_micros() as u64;
    // Boxed, like every future off the warm path: a connection is as large as its largest one.
    Box::pin(while_present(call.client, net::sleep(wait))).await
}

pub(crate) fn note_rotation(call: &mut Call<'_>, failure: &Reject) {
    let account = &mut *call.account;
    let Some(key) = account.labels.key.clone() else { return };
    let Some((provider, model)) = account.labels.provider.clone().zip(account.labels.model.clone())
    else {
        return;
    };
    account.rotations.push(Rotation { provider, model, key, reason: trail_reason(failure) });
}

/// The reply's header lines that tell how the request was routed.
pub(crate) fn header_lines(family: Family, account: &Account, wants_timing: bool) -> Buffer {
    let mut lines = Buffer::unallocated();
    if !family.is_drop_in() && !wants_timing {
        return lines;
    }
    let routed = account.routed();
    if let Some(routed) = routed.filter(|_| family.is_drop_in()) {
        push_text(&mut lines, "x-bifrost-provider", routed.provider);
        push_text(&mut lines, "x-bifrost-original-model", routed.model);
        push_text(&mut lines, "x-bifrost-resolved-model", routed.resolved_model);
        push_text(&mut lines, "x-bifrost-request-type", routed.operation.name());
        if account.labels.fallback_index > 0 {
            let index = account.labels.fallback_index.to_string();
            push_text(&mut lines, "x-bifrost-fallback-index", &index);
        }
    }
    if wants_timing {
        push_text(&mut lines, "server-timing", &account.server_timing());
    }
    lines
}

/// Writes a header whose value may come from the caller: what a header cannot hold becomes `?`. What a request does not
/// have, a model say, is not told.
fn push_text(lines: &mut Buffer, name: &str, value: &str) {
    if value.is_empty() {
        return;
    }
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
    // Without an early end the compiler looks at many at once.
    if value.bytes().fold(true, |all, byte| all & is_plain(byte)) {
        return push_header(lines, name, value.as_bytes());
    }
    let value: Vec<u8> = value.bytes().map(|b| if is_plain(b) { b } else { b'?' }).collect();
    push_header(lines, name, &value);
}

#[cold]
pub(crate) fn unsupported(call: &Call<'_>, upstream: &Upstream) -> Reject {
    unsupported_by(call.operation, upstream)
}

#[cold]
pub(crate) fn unsupported_by(operation: Operation, upstream: &Upstream) -> Reject {
    let message = format!("{} is not supported by {} provider", operation.name(), upstream.name);
    Reject::new(Kind::OperationUnsupported, message)
}

#[cold]
pub(crate) fn exhausted(upstream: &Upstream) -> Reject {
    let message = format!("provider {} rejected every key there is", upstream.name);
    Reject::new(Kind::CredentialsExhausted, message)
}

#[cold]
pub(crate) fn closed_again() -> Reject {
    let message = "failed to execute HTTP request to provider API: \
                   the connection was closed before a reply";
    Reject::new(Kind::ConnectionFailed, message)
}

/// What is told about a request, from its account.
impl Account {
    pub(crate) fn routed(&self) -> Option<Routed<'_>> {
        let labels = &self.labels;
        Some(Routed {
            operation: self.operation,
            provider: labels.provider.as_deref()?,
            model: labels.model.as_deref()?,
            resolved_model: labels.resolved_model.as_deref().or(labels.model.as_deref())?,
            key: labels.key.as_ref().map(|key| key.name.as_str()),
            primary: self.primary(),
        })
    }

    pub(crate) fn routed_as<'r>(&'r self, attempt: &Attempt<'r>, model: &'r str) -> Routed<'r> {
        Routed {
            operation: self.operation,
            provider: &attempt.upstream.name,
            model,
            resolved_model: attempt.model,
            key: match attempt.direct_key {
                Some(_) => Some(DIRECT_KEY_NAME),
                None => attempt.key.map(|key| key.label.name.as_str()),
            },
            primary: self.primary(),
        }
    }

    /// Provider and model of the primary target, where a fallback is being tried.
    fn primary(&self) -> Option<(&str, &str)> {
        let (provider, model) = self.primary.as_ref()?;
        (self.labels.fallback_index > 0).then_some((&**provider, &**model))
    }

    pub(crate) fn begin_target(&mut self, worker: &Worker, target: &Target<'_>, index: usize) {
        if index == 1 {
            self.primary = self.labels.provider.clone().zip(self.labels.model.clone());
        }
        self.labels = Labels {
            provider: target.upstream.as_ref().ok().map(|upstream| Arc::clone(&upstream.name)),
            model: Some(worker.names.share(&target.model)),
            fallback_index: index as u32,
            routing_engine: target.routing_engine,
            ..Labels::default()
        };
    }

    pub(crate) fn begin_attempt(&mut self, attempt: &Attempt<'_>, alias: Option<&Arc<str>>) {
        self.labels.key = match attempt.direct_key {
            Some(_) => Some(Arc::new(KeyLabel {
                id: DIRECT_KEY_NAME.to_owned(),
                name: DIRECT_KEY_NAME.to_owned(),
            })),
            None => attempt.key.map(|key| Arc::clone(&key.label)),
        };
        self.labels.resolved_model = alias.cloned();
        self.labels.alias = alias.and(self.labels.model.clone());
    }
}
