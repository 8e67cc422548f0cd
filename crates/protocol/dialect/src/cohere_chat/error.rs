//! Errors: a message, and since version 2 a type.

use crate::canonical::ErrorReply;
use crate::error_shape::{self, ErrorFields, scalar};
use crate::json::{Object, Raw};
use crate::openai_chat::error;
use crate::sse;

/// Reads an error body, of gateways in front of the vendor, too.
pub(crate) fn read_error(status: u16, body: &[u8]) -> ErrorReply<'_> {
    error_shape::read_error(status, body, read_object)
}

/// Reads the data of an event that reports an error: the end of a message that failed.
pub(crate) fn read_stream_error(data: &[u8]) -> ErrorReply<'_> {
    error_shape::read_stream_error(data, read_event)
}

/// Reads `{"type":"message-end","delta":{"finish_reason":"ERROR","error","error_type"}}`, or an error on its own.
pub(super) fn read_event<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    read_object(root.member("delta").filter(|delta| delta.is_object()).unwrap_or(root))
}

fn read_object<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let fields = error::read_object(root);
    ErrorFields { kind: scalar(root, "error_type").or(fields.kind), ..fields }
}

/// Writes the error body of this dialect.
pub(crate) fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.str("message", &error.message);
    if let Some(kind) = &error.kind {
        object.str("error_type", kind);
    }
}

/// Writes the event that ends a broken stream.
pub(crate) fn write_stream_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    sse::frame(Some("message-end"), out, |out| {
        let mut object = Object::new(out);
        object.str("type", "message-end");
        let mut delta = object.object("delta");
        delta.str("finish_reason", "ERROR");
        delta.str("error", &error.message);
        if let Some(kind) = &error.kind {
            delta.str("error_type", kind);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_an_error_is_read_and_written() {
        let body = br#"{"error_type":"TOO_MANY_TOKENS","id":"x","message":"too many tokens"}"#;
        let error = read_error(400, body);
        assert_eq!(
            (error.kind.as_deref(), &*error.message),
            (Some("TOO_MANY_TOKENS"), "too many tokens")
        );
        let mut out = Vec::new();
        write_error(&error, &mut out);
        assert_eq!(out, br#"{"message":"too many tokens","error_type":"TOO_MANY_TOKENS"}"#);
    }

    #[test]
    fn a_failed_end_of_a_message_is_an_error() {
        let data = br#"{"type":"message-end","delta":{"finish_reason":"ERROR","usage":{},"error":"no","error_type":"INVALID_TOOL_GENERATION"}}"#;
        let error = read_stream_error(data);
        assert_eq!((error.status, &*error.message), (500, "no"));
        assert_eq!(error.kind.as_deref(), Some("INVALID_TOOL_GENERATION"));
    }
}
