//! A token server on loopback that stands for every host of the world, and writes down what it is
//! asked.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::Request as ServerRequest;
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::web::{Answer, Exchange, Internet};
use crate::world::World;

/// The date of all tests: 2026-03-04 05:06:07 UTC.
pub(super) const NOW_SECONDS: u64 = 1_772_600_767;

pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_SECONDS)
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// With scheme and the host that was meant.
    pub(super) url: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// A field of a form body, decoded.
    pub(super) fn field(&self, name: &str) -> String {
        let found = self.body.split('&').filter_map(|pair| pair.split_once('='));
        let value = found.into_iter().find(|(key, _)| decode(key) == name).map(|(_, value)| value);
        decode(value.unwrap_or_default())
    }
}

fn decode(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// The server, with its answers by URL (without query) and everything it was asked.
#[derive(Clone, Debug)]
pub(super) struct Server {
    address: SocketAddr,
    answers: Arc<Mutex<HashMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, answers: Arc::default(), asked: Arc::default() };
        let own = server.clone();
        let router = Router::new().fallback(move |request: ServerRequest| {
            let own = own.clone();
            async move { own.answer_one(request).await }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(super) fn answers(&self, url: &str, status: u16, body: impl ToString) {
        self.answers.lock().unwrap().insert(url.to_owned(), (status, body.to_string()));
    }

    /// Everything asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    async fn answer_one(&self, request: ServerRequest) -> impl IntoResponse + use<> {
        let (head, body) = request.into_parts();
        let header = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let url = header(&head.headers[MEANT]);
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        self.asked.lock().unwrap().push(Asked {
            method: head.method.to_string(),
            url: url.clone(),
            headers: head.headers.iter().map(|(name, it)| (name.to_string(), header(it))).collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
        });
        let known = url.split('?').next().unwrap();
        let (status, body) = match self.answers.lock().unwrap().get(known) {
            Some((status, body)) => (*status, body.clone()),
            None => (404, "{}".to_owned()),
        };
        // The machines of AWS say it of their tokens; nobody else minds.
        let lifetime = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
        (StatusCode::from_u16(status).unwrap(), lifetime, body)
    }

    /// A world where every request arrives here.
    pub(super) fn world(&self, variables: &[(&str, &str)]) -> World {
        let variables: HashMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let web = Detour { to: self.address, internet: Internet::default() };
        let variable = move |name: &str| variables.get(name).cloned();
        World::new(Arc::new(web), Arc::new(variable), now)
    }
}

/// Where a request was going before its detour.
const MEANT: &str = "x-meant";

/// Sends everything to one server, over the real client.
#[derive(Debug)]
struct Detour {
    to: SocketAddr,
    internet: Internet,
}

impl Exchange for Detour {
    fn send(&self, mut request: Request<Bytes>) -> Answer {
        let meant = request.uri().to_string();
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        let uri: Uri = format!("http://{}{path}", self.to).parse().unwrap();
        *request.uri_mut() = uri;
        request.headers_mut().insert(MEANT, meant.parse().unwrap());
        self.internet.send(request)
    }
}

/// RSA keys of the tests, made by openssl for nothing else: the same key as PKCS #1 and as PKCS #8.
pub(super) const PKCS1: &str = include_str!("../../fixtures/pkcs1.pem");
pub(super) const PKCS8: &str = include_str!("../../fixtures/pkcs8.pem");

/// The claims of a token, once its signature is found to be the test key's.
pub(super) fn claims(jwt: &str) -> Value {
    let (text, signature) = jwt.rsplit_once('.').unwrap();
    let PrivateKeyDer::Pkcs8(der) = PrivateKeyDer::from_pem_slice(PKCS8.as_bytes()).unwrap() else {
        panic!("the fixture is PKCS #8");
    };
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    public.verify(text.as_bytes(), &BASE64.decode(signature).unwrap()).unwrap();
    let claims = text.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(claims).unwrap()).unwrap()
}
