//! Writing messages.

use super::{LENGTHS_BYTES, PRELUDE_BYTES, STRING, TRAILER_BYTES};

/// Appends an event with the JSON that `payload` appends.
pub fn write_event_message(
    event_type: &str,
    out: &mut Vec<u8>,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let headers =
        [(":event-type", event_type), (":content-type", JSON), (":message-type", "event")];
    write_message(&headers, out, payload);
}

/// Appends an exception, after which a stream ends, with the JSON that `payload` appends.
pub fn write_exception_message(
    exception_type: &str,
    out: &mut Vec<u8>,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let headers = [
        (":exception-type", exception_type),
        (":content-type", JSON),
        (":message-type", "exception"),
    ];
    write_message(&headers, out, payload);
}

const JSON: &str = "application/json";

fn write_message(headers: &[(&str, &str)], out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; PRELUDE_BYTES]);
    for (name, value) in headers {
        write_header(name, value, out);
    }
    let header_bytes = out.len() - start - PRELUDE_BYTES;
    payload(out);
    let total_bytes = out.len() - start + TRAILER_BYTES;
    debug_assert!(u32::try_from(total_bytes).is_ok(), "a message is far below 4 GiB");
    let message = &mut out[start..];
    message[..4].copy_from_slice(&(total_bytes as u32).to_be_bytes());
    message[4..LENGTHS_BYTES].copy_from_slice(&(header_bytes as u32).to_be_bytes());
    let checksum = crc32fast::hash(&message[..LENGTHS_BYTES]);
    message[LENGTHS_BYTES..PRELUDE_BYTES].copy_from_slice(&checksum.to_be_bytes());
    let checksum = crc32fast::hash(message);
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// Names and values are those of this file and of a service's own types, all of them short.
fn write_header(name: &str, value: &str, out: &mut Vec<u8>) {
    debug_assert!(name.len() <= usize::from(u8::MAX) && value.len() <= usize::from(u16::MAX));
    out.push(name.len() as u8);
    out.extend_from_slice(name.as_bytes());
    out.push(STRING);
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
}
