//! Errors: a text, and nothing beside it.

use crate::canonical::ErrorReply;
use crate::error_shape;
use crate::json::Object;
use crate::openai_chat::error::read_object;

/// Reads an error body; gateways in front of the vendor answer in other shapes.
pub(crate) fn read_error(status: u16, body: &[u8]) -> ErrorReply<'_> {
    error_shape::read_error(status, body, read_object)
}

/// Reads a line that reports an error.
pub(crate) fn read_stream_error(data: &[u8]) -> ErrorReply<'_> {
    error_shape::read_stream_error(data, read_object)
}

/// Writes the error body of this dialect.
pub(crate) fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    Object::new(out).str("error", &error.message);
}

/// Writes the line that ends a broken stream.
pub(crate) fn write_stream_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    write_error(error, out);
    out.push(b'\n');
}
