//! Server-sent events: a reader that watches a stream while its bytes go by, and a writer.

mod fields;
mod reader;

pub use self::reader::{Event, SSE_EVENT_BYTES_MAX, SseError, SseReader};

/// Appends an event, with one `data:` line for each line of `data`.
///
/// `event` is its name and must be a single line.
pub fn write_event(event: Option<&str>, data: &[u8], out: &mut Vec<u8>) {
    if let Some(name) = event {
        debug_assert!(!name.contains(['\r', '\n']), "an event name must be a single line");
        write_field(b"event: ", name.as_bytes(), out);
    }
    let mut rest = data;
    loop {
        let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
            write_field(b"data: ", rest, out);
            break;
        };
        let (line, terminated) = rest.split_at(end);
        write_field(b"data: ", line, out);
        rest = terminated.strip_prefix(b"\r\n").unwrap_or(&terminated[1..]);
    }
    out.push(b'\n');
}

fn write_field(prefix: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(prefix);
    out.extend_from_slice(value);
    out.push(b'\n');
}
