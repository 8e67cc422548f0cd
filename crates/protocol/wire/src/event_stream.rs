//! AWS event streams (`application/vnd.amazon.eventstream`): messages with headers, a payload and two checksums.
//!
//! ```text
//! | total bytes: u32 | header bytes: u32 | CRC-32 of these eight: u32 |
//! | headers | payload | CRC-32 of all before it: u32 |
//! ```
//!
//! Numbers are big-endian. A header is its name's length in one byte, the name, the type of its value in one byte, and
//! the value. The headers used by services are strings: a length in two bytes and UTF-8.

mod headers;
mod reader;
mod writer;

pub use self::reader::{
    EVENT_STREAM_HEADER_BYTES_MAX, EVENT_STREAM_HEADERS_MAX, EVENT_STREAM_MESSAGE_BYTES_MAX,
    EventStreamError, EventStreamMessage, EventStreamReader,
};
pub use self::writer::{write_event_message, write_exception_message};

/// The two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;

/// The two lengths.
const LENGTHS_BYTES: usize = 8;

/// The checksum at the end.
const TRAILER_BYTES: usize = 4;

/// The type of a header whose value is a string.
const STRING: u8 = 7;
