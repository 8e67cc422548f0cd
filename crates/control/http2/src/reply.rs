//! A worker's reply as that of a stream.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderValue, Response};
use serde_json::json;

use crate::request::Refusal;

/// Headers that speak of one connection only; HTTP/2 forbids them.
const NOT_PASSED_ON: &[&str] =
    &["connection", "keep-alive", "proxy-connection", "trailer", "transfer-encoding", "upgrade"];

/// The head of the reply.
pub(crate) fn translate(parts: Parts) -> Response<()> {
    let mut reply = Response::new(());
    *reply.status_mut() = parts.status;
    *reply.headers_mut() = parts.headers;
    for name in NOT_PASSED_ON {
        reply.headers_mut().remove(*name);
    }
    reply
}

/// The reply to a request that goes to no worker.
pub(crate) fn refusal(refusal: Refusal) -> (Response<()>, Bytes) {
    let status = refusal.status();
    let body = json!({
        "is_bifrost_error": false,
        "status_code": status.as_u16(),
        "error": { "message": refusal.message() },
        "extra_fields": { "routing_info": {} },
    });
    let mut reply = Response::new(());
    *reply.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    reply.headers_mut().insert(CONTENT_TYPE, json);
    (reply, Bytes::from(body.to_string()))
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn what_speaks_of_the_connection_stays_here() {
        let reply =
            NOT_PASSED_ON.iter().fold(Response::builder(), |reply, name| reply.header(*name, "1"));
        let reply = reply.status(201).header("content-length", "3").body(()).expect("a reply");
        let head = translate(reply.into_parts().0);
        assert_eq!(head.status(), StatusCode::CREATED);
        assert_eq!(head.headers().len(), 1);
        assert_eq!(head.headers()["content-length"], "3");
    }
}
