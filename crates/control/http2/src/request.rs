//! A stream's request as one of HTTP/1.1, or why it cannot be one.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::RecvStream;
use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body::{Body, Frame, SizeHint};

/// Headers that speak of one connection only, or say what the framing says already.
const NOT_PASSED_ON: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why a request is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A tunnel is asked for.
    Connect,
    /// It does not say whom it is for.
    NoAuthority,
    /// It says so twice, and differently, or with a password in it.
    BadAuthority,
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoAuthority | Self::BadAuthority => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Connect => "Method not allowed: CONNECT",
            Self::NoAuthority => "the request has neither :authority nor host",
            Self::BadAuthority => ":authority and host do not name one host",
        }
    }
}

/// Whether the client waits to be told to send the body.
pub(crate) fn expects_continue(request: &Request<RecvStream>) -> bool {
    let expected = request.headers().get(EXPECT).map(HeaderValue::as_bytes);
    expected.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"))
        && !request.body().is_end_stream()
}

/// The request as a worker reads it.
pub(crate) fn translate(request: Request<RecvStream>) -> Result<Request<RequestBody>, Refusal> {
    let (parts, body) = request.into_parts();
    let length = declared_length(&parts.headers);
    let parts = head(parts)?;
    Ok(Request::from_parts(parts, RequestBody { stream: body, length }))
}

fn head(parts: Parts) -> Result<Parts, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let host = host(parts.uri.authority(), &parts.headers)?;
    let mut headers = parts.headers;
    for name in NOT_PASSED_ON {
        headers.remove(*name);
    }
    join_cookies(&mut headers);
    headers.insert(HOST, host);
    let path = parts.uri.path_and_query().cloned();
    let (mut translated, ()) = Request::new(()).into_parts();
    translated.method = parts.method;
    translated.uri = path.unwrap_or_else(|| PathAndQuery::from_static("/")).into();
    translated.headers = headers;
    Ok(translated)
}

/// Whom the request is for. The two ways to say it must agree (RFC 9113 §8.3.1).
fn host(authority: Option<&Authority>, headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Refusal::BadAuthority);
    }
    let Some(authority) = authority else { return host.cloned().ok_or(Refusal::NoAuthority) };
    let named = authority.as_str();
    let agrees = host.is_none_or(|host| host.as_bytes().eq_ignore_ascii_case(named.as_bytes()));
    if !agrees || named.contains('@') {
        return Err(Refusal::BadAuthority);
    }
    HeaderValue::from_str(named).map_err(|_| Refusal::BadAuthority)
}

/// HTTP/2 may split what HTTP/1.1 wants in one line (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut joined = BytesMut::new();
    for cookie in headers.get_all(COOKIE) {
        if !joined.is_empty() {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(cookie.as_bytes());
    }
    if joined.is_empty() {
        return;
    }
    // Made of values that were valid, it is.
    if let Ok(joined) = HeaderValue::from_maybe_shared(joined.freeze()) {
        headers.insert(COOKIE, joined);
    }
}

/// The length that was declared; the protocol has made sure that it is one, and that it holds.
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A stream's body. What was passed on may be sent anew.
pub(crate) struct RequestBody {
    stream: RecvStream,
    length: Option<u64>,
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Some(data) = ready!(self.stream.poll_data(context)).transpose()? else {
            return Poll::Ready(None);
        };
        self.stream.flow_control().release_capacity(data.len())?;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Parts {
        build(Request::builder()).body(()).expect("a request").into_parts().0
    }

    #[test]
    fn what_speaks_of_the_connection_stays_here() {
        let parts = parts(|request| {
            let request = NOT_PASSED_ON.iter().fold(request, |request, name| match *name {
                "host" => request,
                name => request.header(name, "1"),
            });
            request.uri("https://gateway:1/v1/models?x=%20y").header("x-bf-vk", "sk-bf-1")
        });
        let head = head(parts).expect("can be passed on");
        assert_eq!(head.uri, "/v1/models?x=%20y");
        let mut names: Vec<_> = head.headers.keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["host", "x-bf-vk"]);
        assert_eq!(head.headers[HOST], "gateway:1");
    }

    #[test]
    fn cookies_become_one_line() {
        let split = parts(|request| {
            request.uri("http://gateway/").header(COOKIE, "a=1").header(COOKIE, "b=2; c=3")
        });
        let head = head(split).expect("can be passed on");
        assert_eq!(head.headers.get_all(COOKIE).iter().count(), 1);
        assert_eq!(head.headers[COOKIE], "a=1; b=2; c=3");
    }

    #[test]
    fn one_host_is_named() {
        let named = |uri: &str, hosts: &[&str]| {
            let parts = parts(|request| {
                hosts.iter().fold(request.uri(uri), |request, host| request.header(HOST, *host))
            });
            head(parts).map(|head| head.headers[HOST].to_str().expect("text").to_owned())
        };
        assert_eq!(named("http://a.example", &[]).as_deref(), Ok("a.example"));
        assert_eq!(named("http://a.example", &["A.example"]).as_deref(), Ok("a.example"));
        assert_eq!(named("/", &["a.example"]).as_deref(), Ok("a.example"));
        assert_eq!(named("/", &[]), Err(Refusal::NoAuthority));
        for (uri, hosts) in [
            ("http://a.example", &["b.example"][..]),
            ("http://user@a.example", &[]),
            ("/", &["a.example", "a.example"]),
        ] {
            assert_eq!(named(uri, hosts), Err(Refusal::BadAuthority), "{uri} {hosts:?}");
        }
    }

    #[test]
    fn tunnels_are_refused() {
        let parts = parts(|request| request.method(Method::CONNECT).uri("a.example:443"));
        assert_eq!(head(parts).map(|head| head.uri), Err(Refusal::Connect));
    }
}
