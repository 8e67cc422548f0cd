//! The two directions of HTTP: the requests the upstream reads and the replies the callers read.

use memchr::memmem;

use super::body::{Body, Malformed};
use super::limits::{FLAG_WITHIN_BYTES, NUMBER_WITHIN_BYTES, REQUEST_BODY_BYTES_MAX};
use super::message::Role;
use super::number::read_digits;

/// Reads replies; the line is the status.
#[derive(Debug)]
pub(crate) struct Replies;

impl Role for Replies {
    type Line = u16;
    const KEEP_BYTES: usize = NUMBER_WITHIN_BYTES;
    const REFUSES_MORE: bool = false;

    #[inline]
    fn line(line: &[u8]) -> Result<u16, Malformed> {
        let rest = line.strip_prefix(b"HTTP/1.").ok_or(Malformed)?;
        // The minor version and a space stand before the three digits.
        let status = read_digits(rest.get(2..5).ok_or(Malformed)?).ok_or(Malformed)?;
        u16::try_from(status).map_err(|_| Malformed)
    }

    fn unframed(status: u16) -> Body {
        match status {
            204 | 304 => Body::Length(0),
            _ => Body::UntilEnd,
        }
    }
}

/// Reads requests; the line is the wire format its path asks for.
#[derive(Debug)]
pub(crate) struct Requests;

/// The wire format of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// OpenAI's `/chat/completions`.
    Chat,
    /// Anthropic's `/messages`.
    Messages,
    /// Anything else: answered with 404.
    Unknown,
}

impl Shape {
    /// By the end of the path, so that any prefix a gateway puts before it will do.
    pub(crate) fn of_path(path: &[u8]) -> Self {
        let path = path.split(|&byte| byte == b'?').next().unwrap_or(path);
        if path.ends_with(b"/chat/completions") {
            Self::Chat
        } else if path.ends_with(b"/messages") {
            Self::Messages
        } else {
            Self::Unknown
        }
    }
}

impl Role for Requests {
    type Line = Shape;
    const KEEP_BYTES: usize = REQUEST_BODY_BYTES_MAX;
    const REFUSES_MORE: bool = true;

    #[inline]
    fn line(line: &[u8]) -> Result<Shape, Malformed> {
        let mut words = line.split(|&byte| byte == b' ');
        let (method, path) = (words.next().ok_or(Malformed)?, words.next().ok_or(Malformed)?);
        if !words.next().is_some_and(|version| version.starts_with(b"HTTP/1.")) {
            return Err(Malformed);
        }
        Ok(if method == b"POST" { Shape::of_path(path) } else { Shape::Unknown })
    }

    fn unframed(_: Shape) -> Body {
        Body::Length(0)
    }
}

/// Whether a request's body asks for a stream.
#[inline]
pub(crate) fn asks_for_stream(body: &[u8]) -> bool {
    if body.len() <= 2 * FLAG_WITHIN_BYTES {
        return has_stream_flag(body);
    }
    has_stream_flag(&body[..FLAG_WITHIN_BYTES])
        || has_stream_flag(&body[body.len() - FLAG_WITHIN_BYTES..])
}

#[inline]
fn has_stream_flag(text: &[u8]) -> bool {
    const KEY: &[u8] = br#""stream":"#;
    memmem::find(text, KEY)
        .is_some_and(|at| text[at + KEY.len()..].trim_ascii_start().starts_with(b"true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_tells_the_shape() {
        for (path, shape) in [
            ("/v1/chat/completions", Shape::Chat),
            ("/openai/v1/chat/completions?x=1", Shape::Chat),
            ("/v1/messages", Shape::Messages),
            ("/v1/messages/count_tokens", Shape::Unknown),
            ("/v1/models", Shape::Unknown),
        ] {
            assert_eq!(Shape::of_path(path.as_bytes()), shape, "{path}");
        }
        assert_eq!(Requests::line(b"GET /v1/messages HTTP/1.1"), Ok(Shape::Unknown));
        assert_eq!(Requests::line(b"POST /v1/messages HTTP/1.1"), Ok(Shape::Messages));
        assert_eq!(Requests::line(b"POST /v1/messages"), Err(Malformed));
    }

    #[test]
    fn a_stream_is_asked_for_at_either_end_of_a_long_body() {
        let filler = "x".repeat(4 * FLAG_WITHIN_BYTES);
        assert!(asks_for_stream(format!(r#"{{"stream":true,"m":"{filler}"}}"#).as_bytes()));
        assert!(asks_for_stream(format!(r#"{{"m":"{filler}","stream": true}}"#).as_bytes()));
        assert!(!asks_for_stream(format!(r#"{{"m":"{filler}","stream":false}}"#).as_bytes()));
        assert!(!asks_for_stream(b"{}"));
    }
}
