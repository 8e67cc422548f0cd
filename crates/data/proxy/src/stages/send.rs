//! Stage 9: outbound bytes → the head of the provider's reply.

use std::io;
use std::sync::Arc;

use net::{ConnectError, Connection, Pair, Tick, Upstream};
use snapshot::Endpoint;
use wire::{HeadLimits, Progress, ResponseHead};

use super::prepare::Outbound;
use super::read::gone;
use crate::limits::{HEADERS_MAX, INFORMATIONAL_MAX, REPLY_HEAD_BYTES_MAX};
use crate::reject::{Kind, Reject};

/// A provider that has begun to answer. Its head stands at the front of the connection's input.
pub(crate) struct Answering {
    pub(crate) upstream: Upstream,
    /// Cancels the provider when the caller leaves.
    pub(crate) pair: Pair,
}

/// Why there is no reply.
pub(crate) enum SendError {
    /// A pooled connection had been closed at the other end: nothing was lost, try a new one.
    Stale,
    /// Anything else.
    Failed(Reject),
}

/// A body of which only the beginning is in the outbound bytes.
pub(crate) struct Rest<'c> {
    pub(crate) client: &'c mut Connection,
    /// Bytes still to be moved from the caller to the provider.
    pub(crate) bytes: u64,
}

/// How to send.
pub(crate) struct Delivery<'a> {
    pub(crate) endpoint: &'a Arc<Endpoint>,
    /// Don't use a pooled connection.
    pub(crate) is_fresh: bool,
    /// For the whole wait.
    pub(crate) deadline: Tick,
}

/// Sends `outbound` and waits for the head of the reply.
pub(crate) async fn send(
    client: &mut Connection,
    delivery: &Delivery<'_>,
    outbound: Outbound,
    rest_bytes: u64,
    head: &mut ResponseHead,
) -> Result<Answering, SendError> {
    let connected = if delivery.is_fresh {
        net::connect_fresh(delivery.endpoint, delivery.deadline).await
    } else {
        net::checkout(delivery.endpoint, delivery.deadline).await
    };
    let mut upstream = connected.map_err(|error| SendError::Failed(not_connected(&error)))?;
    let pair = net::pair(client, &upstream.connection);
    upstream.connection.set_deadline(Some(delivery.deadline));
    let is_reused = upstream.reused();
    let written = upstream.connection.write(outbound.bytes).await;
    if let Err(error) = written {
        let is_stale = is_reused && rest_bytes == 0 && is_closed(&error);
        return Err(if is_stale { SendError::Stale } else { failed(client, &error) });
    }
    if rest_bytes > 0 {
        let rest = Rest { client, bytes: rest_bytes };
        Box::pin(stream_rest(rest, &mut upstream.connection)).await.map_err(SendError::Failed)?;
    }
    match reply_head(&mut upstream.connection, head).await {
        Ok(()) => Ok(Answering { upstream, pair }),
        Err(NoHead::Closed) if is_reused && rest_bytes == 0 => Err(SendError::Stale),
        Err(NoHead::Closed) => Err(SendError::Failed(closed_early())),
        Err(NoHead::Failed(error)) if is_reused && rest_bytes == 0 && is_closed(&error) => {
            Err(SendError::Stale)
        }
        Err(NoHead::Failed(error)) => Err(failed(client, &error)),
        Err(NoHead::Garbage(message)) => {
            Err(SendError::Failed(Reject::new(Kind::ConnectionFailed, message)))
        }
    }
}

/// Moves the rest of a large body. A provider that answers before it has read everything stops
/// taking bytes; its answer is then read as usual.
async fn stream_rest(mut rest: Rest<'_>, upstream: &mut Connection) -> Result<(), Reject> {
    while rest.bytes > 0 {
        if rest.client.input().is_empty() {
            match rest.client.fill().await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Err(gone()),
            }
        }
        let mut piece = rest.client.take_input();
        let wanted = usize::try_from(rest.bytes).unwrap_or(usize::MAX);
        if let Some(behind) = piece.as_slice().get(wanted..).filter(|behind| !behind.is_empty()) {
            let mut next = net::Buffer::with_capacity(behind.len());
            next.extend_from_slice(behind);
            rest.client.put_input(next);
            piece.truncate(wanted);
        }
        rest.bytes -= piece.len() as u64;
        if upstream.write(piece).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
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

#[cold]
fn failed(client: &Connection, error: &io::Error) -> SendError {
    SendError::Failed(broken(client, error))
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
fn not_connected(error: &ConnectError) -> Reject {
    let message = format!("failed to execute HTTP request to provider API: {error}");
    Reject::new(Kind::ConnectionFailed, message)
}
