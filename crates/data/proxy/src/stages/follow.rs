//! Between send and open, where a provider runs jobs: the reply to the request that starts one may come before the job
//! is done. Then more requests of the gateway's own follow: for the job's stream where the caller wants one and the
//! stream is at a server that is known, else for the job's description, until the job is over.

use std::sync::Arc;
use std::time::Duration;

use dialect::{Prediction, PredictionState, prediction};
use http::Method;
use net::{Buffer, Connection, now};
use snapshot::{Endpoint, KeyAuth, Path, Task};
use wire::{BodyReader, ResponseHead};

use super::open::{bad_framing, cut_short};
use super::prepare::Attempt;
use super::send::{Answering, Delivery, SendError, broken, send};
use crate::limits::{REPLY_COLLECT_BYTES_MAX, TASK_CANCEL_WAIT, TASK_PAUSE_MAX, TASK_PAUSE_MIN};
use crate::presence::while_present;
use crate::reject::{Kind, ProviderError, Reject};

/// A job that is followed.
pub(crate) struct Followed<'f> {
    pub(crate) attempt: &'f Attempt<'f>,
    pub(crate) task: &'f Task,
    /// The caller wants the output while it is made.
    pub(crate) wants_stream: bool,
    pub(crate) body_timeout: Duration,
}

/// Waits for the job that `answering` may describe, at most as long as the provider may take for any reply. What comes
/// back is the reply to look into: the job that is done, its stream, or what is no job at all. Beside a stream comes
/// what calls the job off when nobody reads on.
pub(crate) async fn follow(
    client: &mut Connection,
    head: &mut ResponseHead,
    mut answering: Answering,
    followed: &Followed<'_>,
) -> Result<(Answering, Option<CallOff>), Reject> {
    let deadline = now() + followed.attempt.upstream.request_timeout;
    let mut pause = TASK_PAUSE_MIN;
    loop {
        let Some(Described { job, payload, bytes }) =
            described(client, head, &mut answering).await?
        else {
            return Ok((answering, None));
        };
        match job.state {
            PredictionState::Done => return Ok((answering, None)),
            PredictionState::Failed => return Err(failed(followed, payload)),
            PredictionState::Running => leave(answering, head, bytes),
        }
        if let Some(stream) = followed.stream_of(&job) {
            let answering = get(client, head, followed, &stream).await?;
            return Ok((answering, followed.call_off(&job.id)));
        }
        let waited = Box::pin(while_present(client, net::sleep(pause))).await;
        if let Err(reject) = waited.and_then(|()| in_time(deadline)) {
            followed.call_off(&job.id).into_iter().for_each(CallOff::send);
            return Err(reject);
        }
        pause = (pause * 2).min(TASK_PAUSE_MAX);
        let Some(place) = followed.place(&followed.task.path, &job.id) else {
            return Err(Reject::new(Kind::Internal, "the job has no address"));
        };
        answering = get(client, head, followed, &place).await?;
    }
}

fn in_time(deadline: net::Tick) -> Result<(), Reject> {
    if now() < deadline {
        return Ok(());
    }
    Err(Reject::new(Kind::TimedOut, "the provider's job was not done in time"))
}

/// A reply that describes a job.
struct Described {
    job: Prediction,
    payload: Vec<u8>,
    /// Length of head and body on the wire.
    bytes: usize,
}

/// Reads the whole reply without taking it. None where it describes no job but is an error, say.
async fn described(
    client: &Connection,
    head: &ResponseHead,
    answering: &mut Answering,
) -> Result<Option<Described>, Reject> {
    let connection = &mut answering.upstream.connection;
    let content_type = head.header(connection.input(), "content-type").unwrap_or_default();
    let is_json = content_type.to_ascii_lowercase().starts_with(b"application/json");
    let is_plain = head.header(connection.input(), "content-encoding").is_none();
    if !(200..=299).contains(&head.status()) || !is_json || !is_plain {
        return Ok(None);
    }
    let mut body = BodyReader::new(head.body(&Method::GET));
    let (mut payload, mut at) = (Vec::new(), head.len());
    loop {
        let rest = connection.input().get(at..).unwrap_or_default();
        let step = body.next(rest).map_err(|error| bad_framing(&error))?;
        payload.extend_from_slice(rest.get(step.data.clone()).unwrap_or_default());
        at += step.consumed;
        if payload.len() > REPLY_COLLECT_BYTES_MAX {
            return Err(Reject::new(Kind::BadReply, "the provider's reply is too large"));
        }
        if step.is_end {
            break;
        }
        if step.consumed == 0 || at == connection.input().len() {
            match connection.fill().await {
                Ok(1..) => {}
                Ok(0) if body.close().is_ok() => break,
                Ok(0) => return Err(cut_short()),
                Err(error) => return Err(broken(client, &error)),
            }
        }
    }
    Ok(prediction(&payload).map(|job| Described { job, payload, bytes: at }))
}

/// Takes the reply, and gives the connection back to its pool.
fn leave(mut answering: Answering, head: &ResponseHead, bytes: usize) {
    answering.upstream.connection.consume(bytes);
    let is_clean = answering.is_request_sent && head.keeps_alive();
    if is_clean && answering.upstream.connection.input().is_empty() {
        drop(answering.pair);
        answering.upstream.checkin();
    }
}

/// The job has no output. What it says about that is the provider's error.
#[cold]
fn failed(followed: &Followed<'_>, payload: Vec<u8>) -> Reject {
    let reply = ProviderError {
        dialect: followed.attempt.service.dialect,
        body: payload,
        header_lines: Vec::new(),
        retry_after_ms: None,
    };
    let public = "the provider's job did not succeed";
    let status = JOB_FAILED_STATUS;
    Reject { status, reply: Some(Box::new(reply)), ..Reject::new(Kind::Refused, public) }
}

/// A job that fails is answered for with status 200.
const JOB_FAILED_STATUS: u16 = 500;

/// What is asked for next.
struct Place<'f> {
    endpoint: &'f Arc<Endpoint>,
    target: String,
    accept: &'static str,
}

impl<'f> Followed<'f> {
    fn place(&self, path: &'f Path, id: &str) -> Option<Place<'f>> {
        let destination = self.attempt.upstream.task_destination(path, self.attempt.key)?;
        let target = format!("{}{}", destination.base_path, destination.path.text(id));
        Some(Place { endpoint: destination.endpoint, target, accept: "application/json" })
    }

    /// Where the job is streamed. Only servers that are known are asked: they are sent the key.
    fn stream_of(&self, job: &Prediction) -> Option<Place<'f>> {
        let url = job.stream_url.as_deref().filter(|_| self.wants_stream)?;
        let (scheme, rest) = url.split_once("://")?;
        let (authority, path) = rest.split_once('/')?;
        if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let own = self.attempt.upstream.task_destination(&self.task.path, self.attempt.key);
        let own = own.map(|destination| destination.endpoint);
        let is_it = |endpoint: &&Arc<Endpoint>| {
            endpoint.authority == authority && endpoint.tls.is_some() == (scheme == "https")
        };
        let endpoint = own.into_iter().chain(&self.task.stream_hosts).find(is_it)?;
        Some(Place { endpoint, target: format!("/{path}"), accept: "text/event-stream" })
    }

    /// A request without a body, as the one that started the job was authenticated.
    fn request(&self, method: &str, place: &Place<'_>) -> Buffer {
        let auth = match (self.attempt.direct_key, self.attempt.key.map(|key| &key.auth)) {
            (Some(line), _) => line,
            (None, Some(KeyAuth::Line(line))) => line.expose(),
            (None, Some(KeyAuth::Signer(_)) | None) => "",
        };
        let mut out = Buffer::new();
        let authority = place.endpoint.authority.as_str();
        for piece in [method, " ", &place.target, " HTTP/1.1\r\nhost: ", authority] {
            out.extend_from_slice(piece.as_bytes());
        }
        for piece in ["\r\naccept: ", place.accept, "\r\n", auth] {
            out.extend_from_slice(piece.as_bytes());
        }
        for line in &*self.attempt.upstream.headers {
            out.extend_from_slice(line.line.expose().as_bytes());
        }
        if method != "GET" {
            out.extend_from_slice(b"content-length: 0\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// What calls the job off.
    fn call_off(&self, id: &str) -> Option<CallOff> {
        let place = self.place(&self.task.cancel_path, id)?;
        Some(CallOff {
            request: self.request("POST", &place).as_slice().to_vec(),
            endpoint: Arc::clone(place.endpoint),
        })
    }
}

/// Ends a job nobody waits for any more: it is billed as long as it runs.
pub(crate) struct CallOff {
    endpoint: Arc<Endpoint>,
    request: Vec<u8>,
}

impl CallOff {
    /// Tells the provider, beside whatever else goes on.
    pub(crate) fn send(self) {
        net::spawn(async move {
            let deadline = now() + TASK_CANCEL_WAIT;
            let connected = net::connect_fresh(&self.endpoint, deadline).await;
            let Ok(mut upstream) = connected else { return };
            upstream.connection.set_deadline(Some(deadline));
            let mut request = Buffer::new();
            request.extend_from_slice(&self.request);
            if upstream.connection.write(request).await.is_ok() {
                // Some servers drop what a caller asked for who does not wait for the answer.
                let _ = upstream.connection.fill().await;
            }
        });
    }
}

async fn get(
    client: &mut Connection,
    head: &mut ResponseHead,
    followed: &Followed<'_>,
    place: &Place<'_>,
) -> Result<Answering, Reject> {
    for is_fresh in [false, true] {
        let delivery = Delivery {
            endpoint: place.endpoint,
            is_fresh,
            timeout: followed.attempt.upstream.request_timeout,
            unread_bytes: 0,
            body_timeout: followed.body_timeout,
        };
        match send(client, &delivery, followed.request("GET", place), head).await {
            Ok(answering) => return Ok(answering),
            Err(SendError::Stale) => {}
            Err(SendError::Failed(reject)) => return Err(reject),
        }
    }
    let message = "failed to execute HTTP request to provider API: \
                   the connection was closed before a reply";
    Err(Reject::new(Kind::ConnectionFailed, message))
}
