//! Asks providers for small JSON documents: one connection per question, nothing pooled.
//!
//! The control plane has no other use for an HTTP client, so hyper's bare HTTP/1.1 connection with
//! rustls under it does; both are in the tree anyway.

mod hop;
mod tls;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{ACCEPT, HOST};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use snapshot::{Address, Endpoint};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::resolve;

/// From connect to the last byte of the answer.
const QUESTION_MAX: Duration = Duration::from_secs(10);

/// Between two looks at a name that is being resolved.
const RESOLVE_INTERVAL: Duration = Duration::from_millis(20);

/// The longest model list known is OpenRouter's with 600 KB.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A `GET` with its headers ready for the wire.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Where to.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Path and query.
    pub(crate) path: String,
    /// Rendered header lines, each with its CRLF.
    pub(crate) header_lines: Vec<snapshot::Secret>,
}

/// The answer's JSON.
///
/// # Errors
/// What went wrong, for people; without secrets.
pub(crate) async fn ask(question: &Question) -> Result<Value, String> {
    match timeout(QUESTION_MAX, exchange(question)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", QUESTION_MAX.as_secs())),
    }
}

async fn exchange(question: &Question) -> Result<Value, String> {
    let stream = connect(&question.endpoint).await?;
    let (mut sender, connection) =
        handshake::<_, Body>(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let exchange = async {
        let request = request(question)?;
        let reply = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (head, body) = reply.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| format!("the answer broke off: {error}"))?;
        read(head.status, &body.to_bytes())
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may be done before the answer was taken out of it.
        _ = &mut connection => exchange.await,
    }
}

fn request(question: &Question) -> Result<Request<Body>, String> {
    let mut request = Request::get(&question.path)
        .header(HOST, &question.endpoint.authority)
        .header(ACCEPT, "application/json");
    for line in &question.header_lines {
        if let Some((name, value)) = line.expose().trim_end().split_once(": ") {
            request = request.header(name, value);
        }
    }
    request.body(Body::empty()).map_err(|_| "a header or the path is not valid".to_owned())
}

fn read(status: StatusCode, body: &[u8]) -> Result<Value, String> {
    if !status.is_success() {
        return Err(format!("the provider answered {status}"));
    }
    serde_json::from_slice(body).map_err(|_| "the provider's answer is not JSON".to_owned())
}

/// Any byte stream.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(endpoint: &Endpoint) -> Result<Box<dyn Stream>, String> {
    let stream: Box<dyn Stream> = match (&endpoint.proxy, &endpoint.address) {
        (Some(proxy), target) => hop::connect(proxy, target).await?,
        (None, Address::Unix(path)) => Box::new(UnixStream::connect(path).await.map_err(describe)?),
        (None, address) => Box::new(connect_tcp(address).await?),
    };
    match &endpoint.tls {
        Some(tls) => Ok(Box::new(tls::connect(tls, stream).await?)),
        None => Ok(stream),
    }
}

async fn connect_tcp(address: &Address) -> Result<TcpStream, String> {
    let addresses = match address {
        Address::Ip(address) => vec![*address],
        Address::Name { resolved, .. } => loop {
            if let Some(answer) = resolved.answer.load().as_ref() {
                break (**answer).clone()?;
            }
            tokio::time::sleep(RESOLVE_INTERVAL).await;
        },
        Address::Unix(_) => Vec::new(),
    };
    if addresses.iter().any(|address| resolve::is_link_local(address.ip())) {
        return Err("addresses of the local link are never connected to".to_owned());
    }
    TcpStream::connect(&addresses[..]).await.map_err(describe)
}

fn describe(error: io::Error) -> String {
    format!("cannot connect: {error}")
}
