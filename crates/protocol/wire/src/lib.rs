//! HTTP/1.1, server-sent events and AWS event streams as pure functions over bytes: no I/O, no runtime, no clock.
//!
//! Heads are parsed in place ([`RequestHead`], [`ResponseHead`]), bodies are cut out of the bytes
//! as they arrive ([`BodyReader`]), event streams are watched without being held up ([`SseReader`],
//! [`EventStreamReader`]).
//! Whatever two parsers could read in two ways is refused.
//!
//! ```
//! use wire::{BodyReader, HeadLimits, Progress, RequestHead};
//!
//! let received = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
//! let mut head = RequestHead::new();
//! assert_eq!(head.parse(received, &HeadLimits::default()), Ok(Progress::Complete));
//! assert_eq!(head.path(received), "/v1/chat/completions");
//!
//! let body = &received[head.len()..];
//! let step = BodyReader::new(head.body()).next(body).unwrap();
//! assert_eq!(&body[step.data], b"{}");
//! assert!(step.is_end);
//! ```
#![forbid(unsafe_code)]

mod body;
mod event_stream;
mod form;
mod head;
mod sse;

pub use body::{
    BodyError, BodyReader, BodyStep, CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_LINE_BYTES_MAX,
    ChunkedReader, ChunkedWriter, FixedReader, TRAILER_BYTES_MAX,
};
pub use event_stream::{
    EVENT_STREAM_HEADER_BYTES_MAX, EVENT_STREAM_HEADERS_MAX, EVENT_STREAM_MESSAGE_BYTES_MAX,
    EventStreamError, EventStreamMessage, EventStreamReader, write_event_message,
    write_exception_message,
};
pub use form::{
    FORM_BOUNDARY_BYTES_MAX, FORM_PART_HEAD_BYTES_MAX, FORM_PARTS_MAX, FormError, FormFault,
    FormPart, FormReader, FormWriter, form_boundary,
};
pub use head::{
    BodyLength, HEAD_BYTES_MAX, HEADERS_CAPACITY, HEADERS_MAX, HeadError, HeadErrorKind,
    HeadLimits, LEADING_EMPTY_LINES_MAX, Progress, RequestHead, ResponseHead, Version,
};
pub use sse::{Event, SSE_EVENT_BYTES_MAX, SseError, SseReader, write_event};
