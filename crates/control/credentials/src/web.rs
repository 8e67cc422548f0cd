//! Requests to token servers: few, small, over connections that are not kept.

use std::error::Error;
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// From connect to the last byte of the answer.
const EXCHANGE_MAX: Duration = Duration::from_secs(15);

/// Time to connect: machines without a metadata server often drop what is sent to its address.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// Tokens with hundreds of groups in them reach some 10 KB.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// An answer that is on its way.
pub(crate) type Answer =
    Pin<Box<dyn Future<Output = Result<Response<Bytes>, String>> + Send + 'static>>;

/// Sends requests somewhere.
pub(crate) trait Exchange: Debug + Send + Sync {
    /// Sends one. An error is about the exchange, whatever its status; it has no secrets in it.
    fn send(&self, request: Request<Bytes>) -> Answer;
}

/// The real network. The client is made at the first request, since that reads the system's
/// certificates, which most configurations never need here.
#[derive(Debug, Default)]
pub(crate) struct Internet {
    client: std::sync::Arc<OnceCell<HttpClient>>,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Exchange for Internet {
    fn send(&self, request: Request<Bytes>) -> Answer {
        let cell = std::sync::Arc::clone(&self.client);
        Box::pin(async move {
            let client = cell.get_or_try_init(make_client).await?;
            let host = request.uri().host().unwrap_or_default().to_owned();
            match timeout(EXCHANGE_MAX, exchange(client, request)).await {
                Ok(answer) => answer.map_err(|error| format!("{host}: {error}")),
                Err(_) => Err(format!("{host}: no answer within {} s", EXCHANGE_MAX.as_secs())),
            }
        })
    }
}

async fn exchange(client: &HttpClient, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let reply = client.request(request.map(Full::new)).await.map_err(|error| root(&error))?;
    let (head, body) = reply.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(|error| format!("the answer broke off: {error}"))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

async fn make_client() -> Result<HttpClient, String> {
    let make = || {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        tcp.enforce_http(false);
        let builder = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(ring::default_provider())
            .map_err(|error| format!("cannot read the system's certificates: {error}"))?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
        let mut client = Client::builder(TokioExecutor::new());
        Ok(client.pool_max_idle_per_host(0).build(connector))
    };
    spawn_blocking(make).await.map_err(|error| error.to_string())?
}

/// The innermost reason: the outer ones only say that a connection failed.
fn root(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
