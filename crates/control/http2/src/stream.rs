//! One stream: its request to a worker, the reply to the client, and what becomes of them when either side
//! gives up.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use crate::connection::Client;
use crate::hop::Hop;
use crate::request::{expects_continue, translate};
use crate::{reply, request};

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// All of it is on its way.
    Whole,
    /// The client wants no more of it, or takes none.
    Unwanted,
    /// The worker cut it off.
    Broken,
}

/// Serves the stream to its end. Only then has the worker, too, let go of it.
pub(crate) async fn serve(
    client: &Client,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    if expects_continue(&request) {
        // A worker takes every body that it does not refuse outright.
        let mut interim = Response::new(());
        *interim.status_mut() = StatusCode::CONTINUE;
        let _ = respond.send_informational(interim);
    }
    let request = match translate(request) {
        Ok(request) => request,
        Err(refusal) => return refuse(client, &mut respond, refusal).await,
    };
    let Ok(mut hop) = client.hops.take().await else {
        return respond.send_reset(Reason::REFUSED_STREAM);
    };
    let asked = tokio::select! {
        biased;
        () = until_reset(&mut respond) => None,
        answered = hop.ask(request) => Some(answered),
    };
    let ended = match asked {
        None => Ended::Unwanted,
        Some(Ok(reply)) => answer(client, &mut hop, &mut respond, reply).await,
        Some(Err(error)) => {
            respond.send_reset(reason(&error));
            Ended::Broken
        }
    };
    match ended {
        Ended::Whole => client.hops.put(hop).await,
        Ended::Unwanted | Ended::Broken => hop.abandon().await,
    }
}

/// Ready when the client wants no reply any more.
async fn until_reset(respond: &mut SendResponse<Bytes>) {
    // An error is that of the connection, with which all streams end.
    let _ = poll_fn(|context| respond.poll_reset(context)).await;
}

/// Ready when the client wants no more of the reply.
async fn until_cut(stream: &mut SendStream<Bytes>) {
    let _ = poll_fn(|context| stream.poll_reset(context)).await;
}

/// A request that never came to a worker can be sent again; of any other nobody knows what became of it.
fn reason(error: &hyper::Error) -> Reason {
    if error.is_canceled() { Reason::REFUSED_STREAM } else { Reason::INTERNAL_ERROR }
}

async fn refuse(client: &Client, respond: &mut SendResponse<Bytes>, refusal: request::Refusal) {
    let (head, body) = reply::refusal(refusal);
    if let Ok(mut stream) = respond.send_response(head, false) {
        deliver(&mut stream, body, true, client.send_timeout()).await;
    }
}

async fn answer(
    client: &Client,
    hop: &mut Hop,
    respond: &mut SendResponse<Bytes>,
    reply: Response<Incoming>,
) -> Ended {
    let (head, mut body) = reply.into_parts();
    let is_end = body.is_end_stream();
    match respond.send_response(reply::translate(head), is_end) {
        Ok(_) if is_end => Ended::Whole,
        Ok(mut stream) => pass(hop, &mut body, &mut stream, client.send_timeout()).await,
        Err(_) => Ended::Unwanted,
    }
}

/// Passes the body on, piece by piece as it comes.
async fn pass(
    hop: &mut Hop,
    body: &mut Incoming,
    stream: &mut SendStream<Bytes>,
    patience: Duration,
) -> Ended {
    loop {
        let piece = tokio::select! {
            biased;
            () = until_cut(stream) => return Ended::Unwanted,
            piece = hop.drive(body.frame()) => piece,
        };
        let (data, is_last) = match piece {
            Some(Ok(frame)) => (frame.into_data().unwrap_or_default(), body.is_end_stream()),
            None => (Bytes::new(), true),
            Some(Err(_)) => {
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ended::Broken;
            }
        };
        if !hop.drive(deliver(stream, data, is_last, patience)).await {
            return Ended::Unwanted;
        }
        if is_last {
            return Ended::Whole;
        }
    }
}

/// Sends `data` as the client makes room for it; says whether all of it is on its way.
async fn deliver(
    stream: &mut SendStream<Bytes>,
    mut data: Bytes,
    is_last: bool,
    patience: Duration,
) -> bool {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = match timeout(patience, room(stream)).await {
            Ok(Some(room)) => room,
            Ok(None) => return false,
            Err(_) => {
                stream.send_reset(Reason::CANCEL);
                return false;
            }
        };
        let piece = data.split_to(room.min(data.len()));
        let is_end = is_last && data.is_empty();
        if stream.send_data(piece, is_end).is_err() {
            return false;
        }
        if is_end {
            return true;
        }
    }
    !is_last || stream.send_data(data, true).is_ok()
}

/// How much may be sent, once that is more than nothing; `None` when the stream has ended.
async fn room(stream: &mut SendStream<Bytes>) -> Option<usize> {
    while stream.capacity() == 0 {
        poll_fn(|context| stream.poll_capacity(context)).await?.ok()?;
    }
    Some(stream.capacity())
}
