//! Errors of the responses dialect: as bodies, as events, and inside of a response that failed.

use crate::canonical::ErrorReply;
use crate::error_shape::{self, ErrorFields};
use crate::json::{Object, Raw};
use crate::openai_chat;
use crate::sse;

/// The codes a failed response may have: a closed list.
const CODES: &[&str] = &[
    "bio_policy",
    "data_residency_mismatch",
    "empty_image_file",
    "failed_to_download_image",
    "image_content_policy_violation",
    "image_file_not_found",
    "image_file_too_large",
    "image_parse_error",
    "image_too_large",
    "image_too_small",
    "invalid_base64_image",
    "invalid_image",
    "invalid_image_format",
    "invalid_image_mode",
    "invalid_image_url",
    "invalid_prompt",
    "misalignment_policy_violation",
    "rate_limit_exceeded",
    "server_error",
    "unsupported_image_media_type",
    "vector_store_timeout",
];

/// Reads an error body of any shape.
pub(super) fn read_error(status: u16, body: &[u8]) -> ErrorReply<'_> {
    error_shape::read_error(status, body, read_object)
}

/// Reads the data of an event that reports an error.
pub(super) fn read_stream_error(data: &[u8]) -> ErrorReply<'_> {
    error_shape::read_stream_error(data, read_object)
}

/// Reads an error object and what stands beside it. An event names its own type there, and a failed response stands
/// around its error.
pub(super) fn read_object<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let root = root.member("response").filter(|response| response.is_object()).unwrap_or(root);
    let fields = openai_chat::read_error_object(root);
    let is_event = |kind: &str| kind == "error" || kind.starts_with("response.");
    ErrorFields { kind: fields.kind.filter(|kind| !is_event(kind)), ..fields }
}

/// Writes the error body of this dialect, which is that of its elder.
pub(super) fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    openai_chat::write_error(error, out);
}

/// Writes the frame that ends a broken stream of which nothing is known.
pub(super) fn write_stream_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    write_error_event(error, 0, out);
}

/// Writes the event that reports an error. It is documented flat, and sent with the object `error`; clients look for
/// either.
pub(super) fn write_error_event(error: &ErrorReply<'_>, sequence_number: u64, out: &mut Vec<u8>) {
    sse::frame(Some("error"), out, |out| {
        let mut object = Object::new(out);
        object.str("type", "error");
        object.u64("sequence_number", sequence_number);
        write_or_null(&mut object, "code", error.code.as_deref());
        object.str("message", &error.message);
        write_or_null(&mut object, "param", error.param.as_deref());
        let mut inner = object.object("error");
        inner.str("type", error.kind.as_deref().unwrap_or("api_error"));
        write_or_null(&mut inner, "code", error.code.as_deref());
        inner.str("message", &error.message);
        write_or_null(&mut inner, "param", error.param.as_deref());
    });
}

/// Writes the `error` of a response that failed.
pub(super) fn write_failure(error: &ErrorReply<'_>, mut object: Object<'_>) {
    let named = [&error.code, &error.kind]
        .into_iter()
        .find_map(|name| CODES.iter().find(|code| name.as_deref() == Some(code)));
    let code = match (named, error.status) {
        (Some(code), _) => code,
        (None, 429) => "rate_limit_exceeded",
        (None, 400 | 413 | 422) => "invalid_prompt",
        (None, _) => "server_error",
    };
    object.str("code", code);
    object.str("message", &error.message);
}

fn write_or_null(object: &mut Object<'_>, name: &str, value: Option<&str>) {
    match value {
        Some(value) => object.str(name, value),
        None => object.null(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_in_every_place() {
        let cases = [
            (r#"{"error":{"message":"m","code":"rate_limit_exceeded","type":"tokens"}}"#, 429),
            (
                r#"{"type":"error","sequence_number":2,"error":{"message":"m","code":"server_error"}}"#,
                500,
            ),
            (r#"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null}"#, 429),
            (
                r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"rate_limit_exceeded","message":"m"}}}"#,
                429,
            ),
            (r#"{"code":"invalid-argument","error":"m"}"#, 500),
        ];
        for (data, status) in cases {
            let error = read_stream_error(data.as_bytes());
            assert_eq!((error.status, &*error.message), (status, "m"), "{data}");
            let is_own = |kind: &str| kind == "error" || kind == "response.failed";
            assert!(!error.kind.as_deref().is_some_and(is_own), "{data}");
        }
    }

    #[test]
    fn a_failed_response_has_a_code_of_the_list() {
        let code = |status, kind: &'static str| {
            let mut out = Vec::new();
            write_failure(&ErrorReply::new(status, kind, "m"), Object::new(&mut out));
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(code(429, "x"), r#"{"code":"rate_limit_exceeded","message":"m"}"#);
        assert_eq!(code(400, "x"), r#"{"code":"invalid_prompt","message":"m"}"#);
        assert_eq!(code(529, "overloaded_error"), r#"{"code":"server_error","message":"m"}"#);
        assert_eq!(code(500, "invalid_image"), r#"{"code":"invalid_image","message":"m"}"#);
    }
}
