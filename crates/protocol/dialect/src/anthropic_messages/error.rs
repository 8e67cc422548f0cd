//! Errors of the messages dialect: a closed list of types.

use crate::canonical::ErrorReply;
use crate::error_shape::{self, ErrorFields, scalar, status};
use crate::json::{Object, Raw};
use crate::sse;

/// The types the vendor defines, each with its status.
const TYPES: &[(u16, &str)] = &[
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (408, "timeout_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (500, "api_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];

/// Reads an error body; hosts of the dialect answer in other shapes, too.
pub(crate) fn read_error(status: u16, body: &[u8]) -> ErrorReply<'_> {
    error_shape::read_error(status, body, read_object)
}

/// Reads the data of an event that reports an error.
pub(crate) fn read_stream_error(data: &[u8]) -> ErrorReply<'_> {
    error_shape::read_stream_error(data, read_object)
}

/// Reads `{"type":"error","error":{"type","message"}}`.
pub(crate) fn read_object<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let inner = root.member("error").filter(|inner| inner.is_object()).unwrap_or(root);
    let beside = || scalar(root, "error").or_else(|| scalar(root, "message"));
    ErrorFields {
        kind: scalar(inner, "type").filter(|kind| kind != "error" && kind != "message"),
        code: scalar(inner, "code"),
        param: scalar(inner, "param"),
        status: status(inner, root),
        message: scalar(inner, "message").or_else(beside).or_else(|| scalar(root, "detail")),
    }
}

/// Writes the error body of this dialect.
pub(crate) fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.str("type", "error");
    let mut inner = object.object("error");
    inner.str("type", type_of(error));
    inner.str("message", &error.message);
}

/// The vendor's own type where the error has one, else the one its status stands for.
fn type_of(error: &ErrorReply<'_>) -> &'static str {
    let of_status = TYPES.iter().find(|(status, _)| *status == error.status).map(|(_, kind)| *kind);
    let of_kind = TYPES.iter().find(|(_, kind)| error.kind.as_deref() == Some(kind));
    match (of_status, of_kind) {
        // Others call everything an invalid request or an API error; the status knows better.
        (Some(of_status), Some((_, "invalid_request_error" | "api_error")) | None) => of_status,
        (_, Some((_, kind))) => kind,
        (None, None) if error.status < 500 => "invalid_request_error",
        (None, None) => "api_error",
    }
}

/// Writes the frame that ends a broken stream.
pub(crate) fn write_stream_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    sse::frame(Some("error"), out, |out| write_error(error, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_follows_the_status_unless_the_vendor_named_it() {
        let cases = [
            (401, "invalid_request_error", "authentication_error"),
            (404, "model_not_found", "not_found_error"),
            (422, "invalid_request_error", "invalid_request_error"),
            (422, "whatever", "invalid_request_error"),
            (503, "overloaded_error", "overloaded_error"),
            (503, "whatever", "api_error"),
            (401, "api_error", "authentication_error"),
            (429, "insufficient_quota", "rate_limit_error"),
            (400, "permission_error", "permission_error"),
        ];
        for (status, kind, expected) in cases {
            assert_eq!(
                type_of(&ErrorReply::new(status, kind, "text")),
                expected,
                "{status} {kind}"
            );
        }
    }
}
