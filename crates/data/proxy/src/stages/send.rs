//! Stage 9: outbound bytes → the head of the provider's reply.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use net::{Buffer, ConnectError, Connection, Pair, Tick, Upstream, now};
use snapshot::Endpoint;
use wire::{HeadLimits, Progress, ResponseHead};

use super::read::{Pace, gone};
use crate::limits::{
    EARLY_REPLY_WAIT, HEADERS_MAX, INFORMATIONAL_MAX, REPLY_HEAD_BYTES_MAX, STALE_WITHIN,
};
use crate::presence::while_present;
use crate::reject::{Kind, Reject};

/// A provider that has begun to answer. Its head stands at the front of the connection's input.
pub(crate) struct Answering {
    pub(crate) upstream: Upstream,
    /// Cancels the provider when the caller leaves.
    pub(crate) pair: Pair,
    /// The whole request was sent. A provider may answer before it has taken everything; then
    /// neither connection is at a place where another request could begin.
    pub(crate) is_request_sent: bool,
}

/// Why there is no reply.
pub(crate) enum SendError {
    /// A pooled connection had been closed at the other end: nothing was lost, try a new one.
    Stale,
    /// Anything else.
    Failed(Reject),
}

/// How to send.
pub(crate) struct Delivery<'a> {
    pub(crate) endpoint: &'a Arc<Endpoint>,
    /// Don't use a pooled connection.
    pub(crate) is_fresh: bool,
    /// Time to connect, and again from the request's last byte to the reply's head.
    pub(crate) timeout: Duration,
    /// Bytes of the body that are still on the caller's connection.
    pub(crate) unread_bytes: u64,
    /// Longest wait for the next piece of them.
    pub(crate) body_timeout: Duration,
}

/// Sends `outbound` and waits for the head of the reply.
pub(crate) async fn send(
    client: &mut Connection,
    delivery: &Delivery<'_>,
    outbound: Buffer,
    head: &mut ResponseHead,
) -> Result<Answering, SendError> {
    let idle = (!delivery.is_fresh).then(|| net::checkout_idle(delivery.endpoint)).flatten();
    let mut upstream = match idle {
        Some(upstream) => upstream,
        // Boxed, like every future off the warm path: a connection is as large as its largest one.
        None => Box::pin(connect(client, delivery)).await?,
    };
    let pair = net::pair(client, &upstream.connection);
    let connected = now();
    upstream.connection.set_deadline(Some(connected + delivery.timeout));
    let mut is_request_sent = true;
    let mut failure = upstream.connection.write(outbound).await.err();
    if failure.is_none() && delivery.unread_bytes > 0 {
        let rest = Box::pin(stream_rest(client, delivery, &mut upstream.connection));
        is_request_sent = rest.await.map_err(SendError::Failed)?;
    }
    let wait = if failure.is_some() { EARLY_REPLY_WAIT } else { delivery.timeout };
    upstream.connection.set_deadline(Some(now() + wait));
    // A provider that refuses a request early closes without reading it all: its answer may be
    // there although the write failed.
    let replied = reply_head(&mut upstream.connection, head).await;
    // Only a connection closed while it was idle is sent to again; a provider that thought about
    // the request first may have done its work.
    let may_be_stale =
        upstream.reused() && delivery.unread_bytes == 0 && now().since(connected) < STALE_WITHIN;
    match (replied, failure.take()) {
        (Ok(()), failure) => {
            // What was queued may not have been taken yet, or never will.
            let is_written = failure.is_none() && upstream.connection.is_written();
            let is_request_sent = is_request_sent && is_written;
            Ok(Answering { upstream, pair, is_request_sent })
        }
        (Err(NoHead::Closed), None) if may_be_stale => Err(SendError::Stale),
        (Err(NoHead::Failed(error)), None) | (Err(_), Some(error))
            if may_be_stale && is_closed(&error) =>
        {
            Err(SendError::Stale)
        }
        (Err(_), Some(error)) | (Err(NoHead::Failed(error)), None) => {
            Err(SendError::Failed(broken(client, &error)))
        }
        (Err(NoHead::Closed), None) => Err(SendError::Failed(closed_early())),
        (Err(NoHead::Garbage(message)), None) => {
            Err(SendError::Failed(Reject::new(Kind::ConnectionFailed, message)))
        }
    }
}

/// A new connection, or one that comes back to the pool, while the caller is there.
async fn connect(client: &Connection, delivery: &Delivery<'_>) -> Result<Upstream, SendError> {
    let deadline = now() + delivery.timeout;
    let connecting = async {
        if delivery.is_fresh {
            net::connect_fresh(delivery.endpoint, deadline).await
        } else {
            net::checkout(delivery.endpoint, deadline).await
        }
    };
    let connected = while_present(client, connecting).await.map_err(SendError::Failed)?;
    connected.map_err(|error| SendError::Failed(not_connected(&error, deadline)))
}

/// Moves the rest of a large body. `false`: the provider stopped taking it.
async fn stream_rest(
    client: &mut Connection,
    delivery: &Delivery<'_>,
    upstream: &mut Connection,
) -> Result<bool, Reject> {
    let mut pace = Pace::new(delivery.body_timeout);
    let mut left = delivery.unread_bytes;
    while left > 0 {
        if client.input().is_empty() {
            pace.receive(client).await?;
        }
        let mut piece = client.take_input();
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        if let Some(behind) = piece.as_slice().get(wanted..).filter(|behind| !behind.is_empty()) {
            let mut next = Buffer::with_capacity(behind.len());
            next.extend_from_slice(behind);
            client.put_input(next);
            piece.truncate(wanted);
        }
        left -= piece.len() as u64;
        upstream.set_deadline(Some(now() + delivery.timeout));
        if upstream.write(piece).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

enum NoHead {
    /// The connection ended before the first byte.
    Closed,
    Failed(io::Error),
    Garbage(String),
}

/// Reads until the final head stands at the front of the input, past informational ones.
async fn reply_head(upstream: &mut Connection, head: &mut ResponseHead) -> Result<(), NoHead> {
    let limits = HeadLimits { bytes_max: REPLY_HEAD_BYTES_MAX, headers_max: HEADERS_MAX };
    // What an earlier reply left half-read must not be taken for this one's.
    head.clear();
    let mut informational = 0;
    let mut unseen = 0;
    loop {
        let news = upstream.input().get(unseen..).unwrap_or_default();
        if memchr::memchr(b'\n', news).is_some() || upstream.input().len() > REPLY_HEAD_BYTES_MAX {
            match head.parse(upstream.input(), &limits) {
                Ok(Progress::Complete) if head.status() == 101 || !head.is_informational() => {
                    return Ok(());
                }
                Ok(Progress::Complete) => {
                    informational += 1;
                    if informational > INFORMATIONAL_MAX {
                        let message = "the provider sent too many informational replies";
                        return Err(NoHead::Garbage(message.to_owned()));
                    }
                    upstream.consume(head.len());
                    unseen = 0;
                    continue;
                }
                Ok(Progress::Partial) => {}
                Err(error) => {
                    return Err(NoHead::Garbage(format!(
                        "the provider's reply is not HTTP: {error}"
                    )));
                }
            }
        }
        unseen = upstream.input().len();
        match upstream.fill().await {
            Ok(0) if unseen == 0 && informational == 0 => return Err(NoHead::Closed),
            Ok(0) => {
                let message = "the provider closed the connection inside the reply's head";
                return Err(NoHead::Garbage(message.to_owned()));
            }
            Ok(_) => {}
            Err(error) => return Err(NoHead::Failed(error)),
        }
    }
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected
    )
}

/// An error on the provider's connection, by what caused it.
#[cold]
pub(crate) fn broken(client: &Connection, error: &io::Error) -> Reject {
    match error.kind() {
        io::ErrorKind::TimedOut => {
            Reject::new(Kind::TimedOut, "the provider did not answer in time")
        }
        _ if client.is_gone() => gone(),
        io::ErrorKind::OutOfMemory => super::read::memory_spent(),
        _ => {
            let message = format!("failed to execute HTTP request to provider API: {error}");
            Reject::new(Kind::ConnectionFailed, message)
        }
    }
}

#[cold]
fn closed_early() -> Reject {
    let message = "failed to execute HTTP request to provider API: \
                   the connection was closed before a reply";
    Reject::new(Kind::ConnectionFailed, message)
}

#[cold]
fn not_connected(error: &ConnectError, deadline: Tick) -> Reject {
    let message = format!("failed to execute HTTP request to provider API: {error}");
    // A wait for the whole request time is our timeout, not the network's failure.
    let kind = if now() >= deadline { Kind::TimedOut } else { Kind::ConnectionFailed };
    Reject::new(kind, message)
}
