//! The token exchange all OAuth servers share.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::request::Builder;
use http::{Method, Request, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::grant::Grant;
use crate::world::World;

/// For servers that don't say how long their tokens last.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(600);

/// How much of a refusal is told, in characters.
const REFUSAL_CHARACTERS_MAX: usize = 300;

/// Some servers refuse requests without one.
const AGENT: &str = concat!("bifrost/", env!("CARGO_PKG_VERSION"));

/// A request with what every token server gets.
pub(crate) fn request(method: Method, url: &str) -> Builder {
    let request = Request::builder().method(method).uri(url);
    request.header(ACCEPT, "application/json").header(USER_AGENT, AGENT)
}

/// Sends a form to a token endpoint; the answer's token.
pub(crate) async fn post_form(
    world: &World,
    request: Builder,
    fields: &[(&str, &str)],
) -> Result<Grant, String> {
    let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    grant(&send(world, request, form(fields)).await?)
}

/// Sends a request; the answer's JSON. `body` may be empty.
pub(crate) async fn send(
    world: &World,
    request: Builder,
    body: impl Into<Bytes>,
) -> Result<Value, String> {
    let request = request.body(body.into());
    let request = request.map_err(|_| "the token server's address is not valid".to_owned())?;
    let host = request.uri().host().unwrap_or_default().to_owned();
    let reply = world.web.send(request).await?;
    read(&host, &reply)
}

fn read(host: &str, reply: &Response<Bytes>) -> Result<Value, String> {
    let body: Option<Value> = serde_json::from_slice(reply.body()).ok();
    if !reply.status().is_success() {
        let why = body.as_ref().and_then(refusal).unwrap_or_default();
        return Err(format!("{host} answered {}{why}", reply.status()));
    }
    body.ok_or_else(|| format!("{host}: the answer is not JSON"))
}

/// What a server says about its refusal. Never the whole body: that could repeat what was sent.
fn refusal(body: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let code = text(&body["error"]).or_else(|| text(&body["error"]["status"]));
    let message = text(&body["error_description"])
        .or_else(|| text(&body["error"]["message"]))
        .or_else(|| text(&body["message"]));
    let parts: Vec<String> = code.into_iter().chain(message).collect();
    let told: String = parts.join(": ").chars().take(REFUSAL_CHARACTERS_MAX).collect();
    (!told.is_empty()).then(|| format!(" ({})", told.replace(['\r', '\n'], " ")))
}

/// The token of an answer, with the time it lasts.
pub(crate) fn grant(answer: &Value) -> Result<Grant, String> {
    let token = answer["access_token"].as_str().unwrap_or_default();
    Grant::bearer(token, lifetime(answer).unwrap_or(LIFETIME_DEFAULT))
}

/// Some servers write numbers as strings.
fn lifetime(answer: &Value) -> Option<Duration> {
    let given = &answer["expires_in"];
    let seconds = given.as_u64().or_else(|| given.as_str()?.parse().ok())?;
    Some(Duration::from_secs(seconds))
}

/// What is encoded in forms and queries: all but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, ENCODED);
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// `url?name=value&…`.
pub(crate) fn with_query(url: &str, fields: &[(&str, &str)]) -> String {
    format!("{url}?{}", form(fields))
}
