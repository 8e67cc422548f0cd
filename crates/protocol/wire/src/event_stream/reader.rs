//! Finding messages in a stream whose bytes arrive in arbitrary cuts.
//!
//! The first twelve bytes of a message give its length and carry a checksum of their own, so a length is believed, and
//! held against the limits, before anything behind it is kept. A message that lies whole in one input is not copied.

use std::{error::Error, fmt, mem};

use super::headers::Headers;
use super::{LENGTHS_BYTES, PRELUDE_BYTES, TRAILER_BYTES};

/// Default limit of one message: what the AWS clients take as a payload, and room for the rest.
pub const EVENT_STREAM_MESSAGE_BYTES_MAX: usize = 24 * 1024 * 1024 + 64 * 1024;

/// Most bytes of headers in one message. The AWS clients take 128 KiB; services send about a hundred bytes.
pub const EVENT_STREAM_HEADER_BYTES_MAX: usize = 16 * 1024;

/// Most headers of one message. Services send three.
pub const EVENT_STREAM_HEADERS_MAX: usize = 64;

/// What a reader keeps allocated between messages; streams are many and most of their time idle.
const IDLE_BYTES_MAX: usize = 2048;

/// Why a stream can't be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventStreamError {
    /// A message is longer than the limit.
    MessageTooLarge,
    /// The headers of a message are longer than [`EVENT_STREAM_HEADER_BYTES_MAX`].
    HeadersTooLarge,
    /// A message has more headers than [`EVENT_STREAM_HEADERS_MAX`].
    TooManyHeaders,
    /// The lengths at the start of a message do not fit together.
    BadLength,
    /// The checksum of the lengths at the start of a message is wrong.
    BadPreludeChecksum,
    /// The checksum of a message is wrong.
    BadChecksum,
    /// A header is cut off, nameless, of an unknown type, or not UTF-8 where it should be.
    BadHeader,
}

impl fmt::Display for EventStreamError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::MessageTooLarge => "a message of the event stream is too large",
            Self::HeadersTooLarge => "the headers of an event stream message are too large",
            Self::TooManyHeaders => "an event stream message has too many headers",
            Self::BadLength => "the lengths of an event stream message contradict each other",
            Self::BadPreludeChecksum => "an event stream message starts with a wrong checksum",
            Self::BadChecksum => "an event stream message ends with a wrong checksum",
            Self::BadHeader => "an event stream message has a broken header",
        })
    }
}

impl Error for EventStreamError {}

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventStreamMessage<'a> {
    /// `event`, `exception` or `error`.
    pub message_type: Option<&'a str>,
    /// What kind of event it is.
    pub event_type: Option<&'a str>,
    /// What kind of exception it is: one that the service declares, with a payload that describes it.
    pub exception_type: Option<&'a str>,
    /// Media type of the payload.
    pub content_type: Option<&'a str>,
    /// Code of an error that the service does not declare; it has no payload.
    pub error_code: Option<&'a str>,
    /// Text of an error that the service does not declare.
    pub error_message: Option<&'a str>,
    /// The payload, JSON as a rule.
    pub payload: &'a [u8],
    /// The bytes of the message as they came.
    pub raw: &'a [u8],
}

impl<'a> EventStreamMessage<'a> {
    /// What it is called: the type of the event or exception, or the code of the error.
    #[must_use]
    pub fn name(&self) -> Option<&'a str> {
        self.event_type.or(self.exception_type).or(self.error_code)
    }

    /// Whether it reports that the stream has failed, as an exception or as an error.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        matches!(self.message_type, Some("exception" | "error"))
    }
}

/// Watches a stream for messages. The bytes can be forwarded before or after they are looked at.
///
/// ```
/// let mut sent = Vec::new();
/// wire::write_event_message("messageStart", &mut sent, |payload| payload.extend(b"{}"));
/// let mut reader = wire::EventStreamReader::new();
/// let (mut early, mut late) = sent.split_at(20);
/// assert_eq!(reader.next(&mut early), Ok(None));
/// let message = reader.next(&mut late).unwrap().unwrap();
/// assert_eq!((message.name(), message.payload), (Some("messageStart"), &b"{}"[..]));
/// ```
#[derive(Debug)]
pub struct EventStreamReader {
    message_bytes_max: usize,
    /// The bytes of a message that no input held whole.
    pending: Vec<u8>,
    /// The message in `pending` was handed out, and goes with the next call.
    is_pending_read: bool,
}

impl Default for EventStreamReader {
    fn default() -> Self {
        Self::new()
    }
}

impl EventStreamReader {
    /// A reader at the start of a stream, with [`EVENT_STREAM_MESSAGE_BYTES_MAX`] for its limit.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(EVENT_STREAM_MESSAGE_BYTES_MAX)
    }

    /// The same with another limit for the bytes of one message.
    #[must_use]
    pub fn with_limit(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, pending: Vec::new(), is_pending_read: false }
    }

    /// The next message that is complete with the bytes in `rest`, which is advanced behind it.
    ///
    /// Call it until it gives `None`: then all of `rest` has been read, and what belongs to an
    /// unfinished message has been kept.
    ///
    /// # Errors
    ///
    /// [`EventStreamError`]: where the next message begins is not known any more, and the reader
    /// must not be used afterwards.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        rest: &mut &'i [u8],
    ) -> Result<Option<EventStreamMessage<'a>>, EventStreamError> {
        self.forget_read_message();
        if self.pending.is_empty() {
            return match self.length(rest)? {
                Some(length) if length <= rest.len() => {
                    let (message, behind) = rest.split_at(length);
                    *rest = behind;
                    parse(message).map(Some)
                }
                _ => {
                    self.pending.extend_from_slice(mem::take(rest));
                    Ok(None)
                }
            };
        }
        self.fill(PRELUDE_BYTES, rest);
        let Some(length) = self.length(&self.pending)? else { return Ok(None) };
        self.fill(length, rest);
        if self.pending.len() < length {
            return Ok(None);
        }
        self.is_pending_read = true;
        parse(&self.pending).map(Some)
    }

    /// Whether what was read so far ends in the middle of a message.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        !self.pending.is_empty() && !self.is_pending_read
    }

    /// The length of the message that `bytes` begins with, as far as they tell.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, EventStreamError> {
        let Some(prelude) = Prelude::read(bytes) else { return Ok(None) };
        prelude.check(self.message_bytes_max)?;
        Ok(Some(prelude.total_bytes))
    }

    /// Moves bytes from `rest` to `pending` until that has `bytes` of them, or `rest` none.
    fn fill(&mut self, bytes: usize, rest: &mut &[u8]) {
        let missing = bytes.saturating_sub(self.pending.len()).min(rest.len());
        let (taken, behind) = rest.split_at(missing);
        self.pending.extend_from_slice(taken);
        *rest = behind;
    }

    fn forget_read_message(&mut self) {
        if mem::take(&mut self.is_pending_read) {
            self.pending.clear();
            self.pending.shrink_to(IDLE_BYTES_MAX);
        }
    }
}

/// What a message begins with.
struct Prelude {
    total_bytes: usize,
    header_bytes: usize,
    is_checksum_right: bool,
}

impl Prelude {
    /// `None` while it is not all there.
    fn read(bytes: &[u8]) -> Option<Self> {
        let prelude = bytes.get(..PRELUDE_BYTES)?;
        let (lengths, checksum) = prelude.split_at(LENGTHS_BYTES);
        Some(Self {
            total_bytes: number(lengths, 0)?,
            header_bytes: number(lengths, 4)?,
            is_checksum_right: number(checksum, 0) == Some(crc32fast::hash(lengths) as usize),
        })
    }

    /// The checksum comes first: lengths that are not the ones sent say nothing.
    fn check(&self, message_bytes_max: usize) -> Result<(), EventStreamError> {
        if !self.is_checksum_right {
            return Err(EventStreamError::BadPreludeChecksum);
        }
        if self.total_bytes > message_bytes_max {
            return Err(EventStreamError::MessageTooLarge);
        }
        if self.header_bytes > EVENT_STREAM_HEADER_BYTES_MAX {
            return Err(EventStreamError::HeadersTooLarge);
        }
        if self.total_bytes < PRELUDE_BYTES + self.header_bytes + TRAILER_BYTES {
            return Err(EventStreamError::BadLength);
        }
        Ok(())
    }
}

/// Reads a whole message whose prelude has been checked.
fn parse(raw: &[u8]) -> Result<EventStreamMessage<'_>, EventStreamError> {
    let header_bytes = number(raw, 4).ok_or(EventStreamError::BadLength)?;
    let (message, trailer) =
        raw.split_at_checked(raw.len() - TRAILER_BYTES).ok_or(EventStreamError::BadLength)?;
    if number(trailer, 0) != Some(crc32fast::hash(message) as usize) {
        return Err(EventStreamError::BadChecksum);
    }
    let (headers, payload) = message
        .get(PRELUDE_BYTES..)
        .and_then(|content| content.split_at_checked(header_bytes))
        .ok_or(EventStreamError::BadLength)?;
    let headers = Headers::read(headers)?;
    Ok(EventStreamMessage {
        message_type: headers.message_type,
        event_type: headers.event_type,
        exception_type: headers.exception_type,
        content_type: headers.content_type,
        error_code: headers.error_code,
        error_message: headers.error_message,
        payload,
        raw,
    })
}

/// The number of four bytes that stands there.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes) as usize)
}

#[cfg(test)]
mod tests {
    use super::super::writer::{write_event_message, write_exception_message};
    use super::*;

    /// A message of these headers and this payload, with checksums that are right.
    fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
        let total = PRELUDE_BYTES + headers.len() + payload.len() + TRAILER_BYTES;
        let mut bytes = Vec::new();
        bytes.extend((total as u32).to_be_bytes());
        bytes.extend((headers.len() as u32).to_be_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes.extend(headers);
        bytes.extend(payload);
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Option<String>, EventStreamError> {
        let mut reader = EventStreamReader::new();
        let mut rest = bytes;
        let found = reader.next(&mut rest)?;
        Ok(found.map(|message| format!("{:?} {:?}", message.name(), message.payload)))
    }

    #[test]
    fn a_message_made_elsewhere_is_read() {
        // Empty: the shortest message there is, with the checksums the format's documentation gives for it.
        let empty = [0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(read(&empty), Ok(Some("None []".to_owned())));
        assert_eq!(message(b"", b""), empty);
    }

    #[test]
    fn headers_of_other_types_are_passed_over() {
        let mut headers = Vec::new();
        for (kind, value) in [
            (0, &b""[..]),
            (1, b""),
            (2, b"\x01"),
            (3, b"\x00\x01"),
            (4, b"\x00\x00\x00\x01"),
            (5, b"\x00\x00\x00\x00\x00\x00\x00\x01"),
            (6, b"\x00\x02ab"),
            (8, b"\x00\x00\x00\x00\x00\x00\x00\x01"),
            (9, b"0123456789abcdef"),
        ] {
            headers.extend([1, b'x', kind]);
            headers.extend(value);
        }
        headers.extend(b"\x0b:event-type\x07\x00\x05chunk");
        assert_eq!(read(&message(&headers, b"p")), Ok(Some("Some(\"chunk\") [112]".to_owned())));
    }

    #[test]
    fn broken_headers_are_refused() {
        let broken: [&[u8]; 7] = [
            b"\x01",
            b"\x00\x00",
            b"\x01x",
            b"\x01x\x0a",
            b"\x01x\x07\x00",
            b"\x01x\x07\x00\x02a",
            b"\x0b:event-type\x07\x00\x01\xff",
        ];
        for headers in broken {
            assert_eq!(
                read(&message(headers, b"")),
                Err(EventStreamError::BadHeader),
                "{headers:?}"
            );
        }
    }

    #[test]
    fn the_number_of_headers_has_a_limit() {
        let header = b"\x01x\x00";
        let most = header.repeat(EVENT_STREAM_HEADERS_MAX);
        assert!(read(&message(&most, b"")).is_ok());
        let more = header.repeat(EVENT_STREAM_HEADERS_MAX + 1);
        assert_eq!(read(&message(&more, b"")), Err(EventStreamError::TooManyHeaders));
    }

    #[test]
    fn lengths_are_held_against_limits_before_anything_is_kept() {
        let prelude = |total: u32, headers: u32| {
            let mut bytes = Vec::new();
            bytes.extend(total.to_be_bytes());
            bytes.extend(headers.to_be_bytes());
            bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
            bytes
        };
        let max = EVENT_STREAM_MESSAGE_BYTES_MAX as u32;
        let headers_max = EVENT_STREAM_HEADER_BYTES_MAX as u32;
        let cases = [
            (prelude(max, 0), Ok(None)),
            (prelude(max + 1, 0), Err(EventStreamError::MessageTooLarge)),
            (prelude(u32::MAX, u32::MAX), Err(EventStreamError::MessageTooLarge)),
            (prelude(max, headers_max + 1), Err(EventStreamError::HeadersTooLarge)),
            (prelude(16, 1), Err(EventStreamError::BadLength)),
            (prelude(15, 0), Err(EventStreamError::BadLength)),
            (prelude(0, 0), Err(EventStreamError::BadLength)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn every_wrong_bit_is_seen() {
        let mut sent = Vec::new();
        write_event_message("messageStop", &mut sent, |payload| payload.extend(b"{\"a\":1}"));
        for at in 0..sent.len() {
            for bit in 0..8 {
                let mut wrong = sent.clone();
                wrong[at] ^= 1 << bit;
                let expected = if at < PRELUDE_BYTES {
                    EventStreamError::BadPreludeChecksum
                } else {
                    EventStreamError::BadChecksum
                };
                assert_eq!(read(&wrong), Err(expected), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn an_exception_is_a_failure_with_a_name() {
        let mut sent = Vec::new();
        write_exception_message("throttlingException", &mut sent, |payload| payload.extend(b"{}"));
        let mut reader = EventStreamReader::new();
        let mut rest = &sent[..];
        let message = reader.next(&mut rest).unwrap().unwrap();
        assert_eq!(message.name(), Some("throttlingException"));
        assert!(message.is_failure());
        assert_eq!(message.content_type, Some("application/json"));
        assert_eq!(message.raw, sent);
    }

    #[test]
    fn a_long_message_leaves_little_memory_behind() {
        let mut sent = Vec::new();
        write_event_message("chunk", &mut sent, |payload| payload.extend(vec![b' '; 1 << 20]));
        let mut reader = EventStreamReader::new();
        for mut piece in sent.chunks(4096) {
            while let Some(message) = reader.next(&mut piece).unwrap() {
                assert_eq!(message.payload.len(), 1 << 20);
            }
        }
        assert!(!reader.is_inside_message());
        assert_eq!(reader.next(&mut &b""[..]), Ok(None));
        assert!(reader.pending.capacity() <= IDLE_BYTES_MAX);
    }
}
