//! Errors: exceptions, known by a name that stands in the header `x-amzn-errortype` or the member `__type`, and by the
//! type of a stream's message.

use crate::canonical::ErrorReply;
use crate::error_shape::{self, ErrorFields, scalar, status};
use crate::json::{Object, Raw};

/// The exceptions of the service, each with its status.
const TYPES: &[(u16, &str)] = &[
    (400, "ValidationException"),
    (403, "AccessDeniedException"),
    (404, "ResourceNotFoundException"),
    (408, "ModelTimeoutException"),
    (424, "ModelErrorException"),
    (429, "ThrottlingException"),
    (429, "ModelNotReadyException"),
    (500, "InternalServerException"),
    (503, "ServiceUnavailableException"),
    (400, "ServiceQuotaExceededException"),
    (403, "UnrecognizedClientException"),
    (403, "ExpiredTokenException"),
    (403, "InvalidSignatureException"),
];

/// Reads an error body. Where only a header names the exception, it is the one the status stands for.
pub(crate) fn read_error(status: u16, body: &[u8]) -> ErrorReply<'_> {
    let error = error_shape::read_error(status, body, read_object);
    let kind = error.kind.clone().or_else(|| Some(aws_error_type(&error).into()));
    ErrorReply { kind, ..error }
}

/// Reads the payload of an exception message.
pub(crate) fn read_stream_error(data: &[u8]) -> ErrorReply<'_> {
    error_shape::read_stream_error(data, read_object)
}

/// Reads `{"message"}` with `__type` or `code` beside it. Hosts before the service answer in other shapes.
pub(super) fn read_object<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let inner = root.member("error").filter(|inner| inner.is_object()).unwrap_or(root);
    let kind = scalar(inner, "__type").or_else(|| scalar(inner, "type"));
    let beside = || scalar(root, "message").or_else(|| scalar(root, "error"));
    ErrorFields {
        // The name may come with its namespace: `com.amazon.coral.service#ThrottlingException`.
        kind: kind.map(|kind| match kind.rsplit_once('#') {
            Some((_, name)) => name.to_owned().into(),
            None => kind,
        }),
        code: scalar(inner, "code"),
        status: status(inner, root).or_else(|| scalar(inner, "originalStatusCode")),
        message: scalar(inner, "message").or_else(|| scalar(inner, "Message")).or_else(beside),
        ..ErrorFields::default()
    }
}

/// Writes the error body of this dialect. Clients look for the name in a header first, which is not ours to write.
pub(crate) fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.str("__type", aws_error_type(error));
    object.str("message", &error.message);
}

/// The name of an error's exception, for the header `x-amzn-errortype`, which clients of AWS read first: the service's
/// own where the error has one, else the one its status stands for.
pub fn aws_error_type(error: &ErrorReply<'_>) -> &'static str {
    let names = || [&error.kind, &error.code].into_iter().flatten();
    let own = TYPES.iter().find(|(_, kind)| names().any(|named| named.eq_ignore_ascii_case(kind)));
    let of_status = TYPES.iter().find(|(status, _)| *status == error.status);
    match (own.or(of_status), error.status) {
        (Some((_, kind)), _) => kind,
        (None, 401) => "AccessDeniedException",
        (None, 504) => "ModelTimeoutException",
        (None, 529) => "ServiceUnavailableException",
        (None, 500..) => "InternalServerException",
        (None, _) => "ValidationException",
    }
}

/// Writes the message that ends a broken stream.
pub(crate) fn write_stream_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    wire::write_exception_message(stream_type_of(error), out, |out| {
        Object::new(out).str("message", &error.message);
    });
}

/// The five exceptions a stream may end with; clients know no others.
fn stream_type_of(error: &ErrorReply<'_>) -> &'static str {
    match error.status {
        429 => "throttlingException",
        408 | 424 | 504 => "modelStreamErrorException",
        503 | 529 => "serviceUnavailableException",
        400..500 => "validationException",
        _ => "internalServerException",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Dialect, read_stream_error};

    #[test]
    fn the_type_follows_the_status_unless_the_service_named_it() {
        let cases = [
            (400, "invalid_request_error", "ValidationException"),
            (401, "authentication_error", "AccessDeniedException"),
            (403, "ExpiredTokenException", "ExpiredTokenException"),
            (404, "", "ResourceNotFoundException"),
            (413, "", "ValidationException"),
            (429, "modelnotreadyexception", "ModelNotReadyException"),
            (429, "rate_limit_error", "ThrottlingException"),
            (500, "", "InternalServerException"),
            (502, "", "InternalServerException"),
            (504, "", "ModelTimeoutException"),
            (529, "overloaded_error", "ServiceUnavailableException"),
        ];
        for (status, kind, expected) in cases {
            assert_eq!(
                aws_error_type(&ErrorReply::new(status, kind, "text")),
                expected,
                "{status} {kind}"
            );
        }
    }

    #[test]
    fn an_exception_in_a_stream_stands_for_a_status() {
        let cases = [
            ("throttlingException", 429),
            ("validationException", 400),
            ("modelStreamErrorException", 424),
            ("serviceUnavailableException", 503),
            ("internalServerException", 500),
            ("unheardOfException", 500),
        ];
        for (name, status) in cases {
            let data = br#"{"message":"m"}"#;
            let error = read_stream_error(Dialect::BedrockConverse, Some(name), data);
            assert_eq!((error.status, &*error.message), (status, "m"), "{name}");
            let written = stream_type_of(&ErrorReply::new(error.status, "", "m"));
            assert!(written == name || name == "unheardOfException", "{name} becomes {written}");
        }
    }
}
