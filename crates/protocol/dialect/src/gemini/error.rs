//! Errors as Google's services answer them: a status with a canonical name, and details of many types.

use crate::canonical::ErrorReply;
use crate::error_shape::{self, ErrorFields, scalar, status};
use crate::json::{Object, Raw};
use crate::sse;

/// The canonical names, each with the HTTP statuses it stands for; the first one's is what it is written with.
const NAMES: &[(&str, &[u16])] = &[
    ("INVALID_ARGUMENT", &[400, 413, 422]),
    ("FAILED_PRECONDITION", &[400]),
    ("OUT_OF_RANGE", &[400, 416]),
    ("UNAUTHENTICATED", &[401]),
    ("PERMISSION_DENIED", &[402, 403]),
    ("NOT_FOUND", &[404, 410]),
    ("ABORTED", &[409]),
    ("ALREADY_EXISTS", &[409]),
    ("RESOURCE_EXHAUSTED", &[429]),
    ("CANCELLED", &[499]),
    ("INTERNAL", &[500]),
    ("UNKNOWN", &[500]),
    ("DATA_LOSS", &[500]),
    ("UNIMPLEMENTED", &[501]),
    ("UNAVAILABLE", &[502, 503, 529]),
    ("DEADLINE_EXCEEDED", &[408, 504]),
];

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// Reads an error body; hosts put it into an array when a stream was asked for.
pub(crate) fn read_error(status: u16, body: &[u8]) -> ErrorReply<'_> {
    error_shape::read_error(status, body, read_object)
}

/// Reads the data of an event that reports an error.
pub(crate) fn read_stream_error(data: &[u8]) -> ErrorReply<'_> {
    error_shape::read_stream_error(data, read_object)
}

/// Reads `{"error":{"code","message","status","details"}}`.
pub(super) fn read_object<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let inner = root.member("error").filter(|inner| inner.is_object()).unwrap_or(root);
    let information = error_information(inner);
    let metadata = information.and_then(|information| information.member("metadata"));
    let said = |name: &str| metadata.and_then(|metadata| scalar(metadata, name));
    let name = || scalar(inner, "status").filter(|name| name.parse::<u16>().is_err());
    let number = || scalar(inner, "code").filter(|code| code.parse::<u16>().is_ok());
    let reason = information.and_then(|information| scalar(information, "reason"));
    let beside = || scalar(root, "error_description").or_else(|| scalar(root, "error"));
    ErrorFields {
        kind: said("type").or_else(name).or_else(|| scalar(inner, "type")),
        // Where nobody had a code, the reason is the name once more.
        code: match reason {
            Some(reason) => Some(reason).filter(|reason| find_name(reason).is_none()),
            None => scalar(inner, "code"),
        },
        param: said("param").or_else(|| scalar(inner, "param")),
        status: number().or_else(|| status(inner, root)),
        message: scalar(inner, "message").or_else(beside).or_else(|| scalar(root, "message")),
    }
}

/// The detail that names a reason.
fn error_information<'a>(error: Raw<'a>) -> Option<Raw<'a>> {
    let details = error.member("details")?;
    details.elements().find(|detail| scalar(*detail, "reason").is_some())
}

/// Writes the error body of this dialect.
pub(crate) fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    let mut inner = object.object("error");
    inner.u64("code", u64::from(error.status));
    inner.str("message", &error.message);
    inner.str("status", name_of(error));
    write_details(error, &mut inner);
}

/// What else is known stands in a detail, as Google's services do it.
fn write_details(error: &ErrorReply<'_>, inner: &mut Object<'_>) {
    let code = error.code.as_deref();
    let is_status = code.is_none_or(|code| code.parse() == Ok(error.status));
    let kind = error.kind.as_deref().filter(|kind| find_name(kind).is_none());
    if is_status && kind.is_none() && error.param.is_none() {
        return;
    }
    let mut details = inner.array("details");
    let mut detail = details.object();
    detail.str("@type", ERROR_INFO);
    detail.str("reason", code.unwrap_or(name_of(error)));
    let mut metadata = detail.object("metadata");
    for (name, value) in [("type", kind), ("param", error.param.as_deref())] {
        if let Some(value) = value {
            metadata.str(name, value);
        }
    }
}

/// The canonical name: the error's own where it fits the status, else the one the status stands for.
fn name_of(error: &ErrorReply<'_>) -> &'static str {
    let own = error.kind.as_deref().and_then(find_name);
    let fits = |(_, statuses): &&(&str, &[u16])| statuses.contains(&error.status);
    let of_status = || NAMES.iter().find(fits);
    match own.filter(fits).or_else(of_status) {
        Some((name, _)) => name,
        None if error.status < 500 => "INVALID_ARGUMENT",
        None => "INTERNAL",
    }
}

fn find_name(kind: &str) -> Option<&'static (&'static str, &'static [u16])> {
    NAMES.iter().find(|(name, _)| *name == kind)
}

/// Writes the frame that ends a broken stream.
pub(crate) fn write_stream_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    sse::frame(None, out, |out| write_error(error, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_follows_the_status_unless_the_own_one_fits() {
        for (status, kind, expected) in [
            (400, "invalid_request_error", "INVALID_ARGUMENT"),
            (400, "FAILED_PRECONDITION", "FAILED_PRECONDITION"),
            (401, "authentication_error", "UNAUTHENTICATED"),
            (403, "NOT_FOUND", "PERMISSION_DENIED"),
            (404, "model_not_found", "NOT_FOUND"),
            (413, "request_too_large", "INVALID_ARGUMENT"),
            (429, "rate_limit_error", "RESOURCE_EXHAUSTED"),
            (418, "teapot", "INVALID_ARGUMENT"),
            (500, "api_error", "INTERNAL"),
            (503, "", "UNAVAILABLE"),
            (504, "", "DEADLINE_EXCEEDED"),
            (529, "overloaded_error", "UNAVAILABLE"),
            (599, "", "INTERNAL"),
        ] {
            assert_eq!(name_of(&ErrorReply::new(status, kind, "m")), expected, "{status} {kind}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let error = ErrorReply {
            code: Some("insufficient_quota".into()),
            param: Some("messages".into()),
            ..ErrorReply::new(429, "rate_limit_error", "slow down")
        };
        let mut out = Vec::new();
        write_error(&error, &mut out);
        let back = read_error(429, &out);
        assert_eq!((back.kind, back.code), (error.kind, error.code));
        assert_eq!((back.param, back.message), (error.param, error.message));
    }

    #[test]
    fn errors_of_the_token_service_are_read() {
        let error = read_error(
            400,
            br#"{"error":"invalid_grant","error_description":"Token has been expired."}"#,
        );
        assert_eq!(error.message, "Token has been expired.");
    }
}
