//! Reading one HTTP/1.1 message of either direction. Looks for what the rig must know and nothing
//! else: the first line, where the body ends, and the mock's stamps.

use memchr::{memchr, memchr2};

use super::body::{Body, Malformed};
use super::limits::HEAD_BYTES_MAX;
use super::number::read_digits;

/// The header with the time the upstream had read the request.
pub(crate) const RECEIVED_HEADER: &str = "x-mock-received-ns";
/// The header with the time the upstream began to answer.
pub(crate) const SENT_HEADER: &str = "x-mock-sent-ns";

/// Which messages are read: requests or replies.
pub(crate) trait Role {
    /// What the first line says.
    type Line: Copy;
    /// Bytes of the body that are kept for a look at them; the rest is only counted.
    const KEEP_BYTES: usize;
    /// Whether a body longer than that is refused.
    const REFUSES_MORE: bool;

    /// Reads the first line.
    fn line(line: &[u8]) -> Result<Self::Line, Malformed>;
    /// The body of a message whose head names neither length nor encoding.
    fn unframed(line: Self::Line) -> Body;
}

/// What the rig knows of a message's head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<L> {
    /// The first line.
    pub line: L,
    /// Whether the connection ends after this message.
    pub closes: bool,
    /// The mock's stamp, or zero.
    pub received_ns: u64,
    /// The mock's stamp, or zero.
    pub sent_ns: u64,
}

/// What has come of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not all of it.
    Partial,
    /// All of it, and so many bytes of the input.
    Whole { used: usize },
}

/// Reads one message after the other from pieces of any size.
#[derive(Debug)]
pub(crate) struct Reader<R: Role> {
    /// The beginning of a head that is not complete yet.
    partial: Vec<u8>,
    head: Option<Head<R::Line>>,
    body: Body,
    body_bytes: usize,
    kept: Vec<u8>,
}

impl<R: Role> Reader<R> {
    pub(crate) fn new() -> Self {
        Self {
            partial: Vec::new(),
            head: None,
            body: Body::Length(0),
            body_bytes: 0,
            kept: Vec::new(),
        }
    }

    /// The head, once it is complete.
    #[inline]
    pub(crate) fn head(&self) -> Option<&Head<R::Line>> {
        self.head.as_ref()
    }

    /// The beginning of the body.
    #[inline]
    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Whether the end of the connection completes this message.
    pub(crate) fn ends_with_connection(&self) -> bool {
        self.head.is_some() && self.body == Body::UntilEnd
    }

    /// Forgets the message, so that the next can be read.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.partial.clear();
        self.head = None;
        self.body_bytes = 0;
        self.kept.clear();
    }

    /// Reads on. `sink` gets the body's content as it comes, and the head was read by then.
    #[inline]
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        sink: impl FnMut(&[u8]),
    ) -> Result<Progress, Malformed> {
        if self.head.is_some() {
            return self.feed_body(input, 0, sink);
        }
        if self.partial.is_empty() {
            return match parse_head::<R>(input)? {
                Some(parsed) => {
                    let used = self.begin_body(parsed);
                    self.feed_body(&input[used..], used, sink)
                }
                None => self.keep_partial(input),
            };
        }
        self.feed_partial(input, sink)
    }

    fn feed_partial(
        &mut self,
        input: &[u8],
        sink: impl FnMut(&[u8]),
    ) -> Result<Progress, Malformed> {
        let before = self.partial.len();
        self.keep_partial(input)?;
        let Some(parsed) = parse_head::<R>(&self.partial)? else { return Ok(Progress::Partial) };
        // The earlier pieces held no whole head, so it ends in this one.
        let used = self.begin_body(parsed) - before;
        self.partial.clear();
        self.feed_body(&input[used..], used, sink)
    }

    fn keep_partial(&mut self, input: &[u8]) -> Result<Progress, Malformed> {
        self.partial.extend_from_slice(input);
        match self.partial.len() <= HEAD_BYTES_MAX + super::limits::READ_BYTES {
            true => Ok(Progress::Partial),
            false => Err(Malformed),
        }
    }

    #[inline]
    fn begin_body(&mut self, parsed: Parsed<R::Line>) -> usize {
        self.head = Some(parsed.head);
        self.body = parsed.body;
        parsed.head_bytes
    }

    #[inline]
    fn feed_body(
        &mut self,
        input: &[u8],
        head_used: usize,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Progress, Malformed> {
        let Self { body, body_bytes, kept, .. } = self;
        let fed = body.feed(input, |content| {
            *body_bytes += content.len();
            let room = R::KEEP_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(&content[..content.len().min(room)]);
            sink(content);
        })?;
        if R::REFUSES_MORE && *body_bytes > R::KEEP_BYTES {
            return Err(Malformed);
        }
        match fed.is_done {
            true => Ok(Progress::Whole { used: head_used + fed.used }),
            false => Ok(Progress::Partial),
        }
    }
}

struct Parsed<L> {
    head: Head<L>,
    body: Body,
    head_bytes: usize,
}

/// Reads a head in one pass over its lines; `None`: it is not complete.
#[inline]
fn parse_head<R: Role>(input: &[u8]) -> Result<Option<Parsed<R::Line>>, Malformed> {
    let Some(line_bytes) = memchr(b'\n', input) else { return Ok(None) };
    let line = R::line(trim_end(&input[..line_bytes]))?;
    let mut head = Head { line, closes: false, received_ns: 0, sent_ns: 0 };
    let mut body = None;
    let mut at = line_bytes + 1;
    loop {
        let Some(length) = memchr(b'\n', &input[at..]) else { return Ok(None) };
        let field = trim_end(&input[at..at + length]);
        at += length + 1;
        if field.is_empty() {
            break;
        }
        read_field(field, &mut head, &mut body)?;
    }
    if at > HEAD_BYTES_MAX {
        return Err(Malformed);
    }
    let body = body.unwrap_or_else(|| R::unframed(line));
    Ok(Some(Parsed { head, body, head_bytes: at }))
}

/// Most fields are told apart from the ones that matter by their first letter.
#[inline]
fn read_field<L>(
    field: &[u8],
    head: &mut Head<L>,
    body: &mut Option<Body>,
) -> Result<(), Malformed> {
    if !matches!(field[0] | 0x20, b'c' | b't' | b'x') {
        return Ok(());
    }
    let colon = memchr2(b':', b'\r', field).ok_or(Malformed)?;
    let (name, value) = (&field[..colon], field[colon + 1..].trim_ascii());
    if name.eq_ignore_ascii_case(b"content-length") {
        // Chunks win over a length, as the standard says.
        if *body != Some(Body::CHUNKED) {
            *body = Some(Body::Length(read_digits(value).ok_or(Malformed)?));
        }
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        *body = Some(Body::CHUNKED);
    } else if name.eq_ignore_ascii_case(b"connection") {
        head.closes = value.eq_ignore_ascii_case(b"close");
    } else if name.eq_ignore_ascii_case(RECEIVED_HEADER.as_bytes()) {
        head.received_ns = read_digits(value).unwrap_or(0);
    } else if name.eq_ignore_ascii_case(SENT_HEADER.as_bytes()) {
        head.sent_ns = read_digits(value).unwrap_or(0);
    }
    Ok(())
}

#[inline]
fn trim_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::super::roles::Replies;
    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<(Reader<Replies>, Progress), Malformed> {
        let mut reader = Reader::new();
        let mut progress = Progress::Partial;
        for piece in pieces {
            progress = reader.feed(piece, |_| ())?;
        }
        Ok((reader, progress))
    }

    #[test]
    fn a_reply_is_read_wherever_it_is_cut() {
        let input = b"HTTP/1.1 200 OK\r\nServer: s\r\nX-Mock-Sent-Ns: 0000000000000042\r\n\
            content-LENGTH: 5\r\nConnection: Close\r\n\r\nhello";
        for cut in 1..input.len() {
            let (reader, progress) = read(&[&input[..cut], &input[cut..]]).unwrap();
            assert_eq!(progress, Progress::Whole { used: input.len() - cut }, "cut at {cut}");
            let head = reader.head().unwrap();
            assert_eq!((head.line, head.closes, head.sent_ns), (200, true, 42));
            assert_eq!(reader.kept(), b"hello");
        }
    }

    #[test]
    fn a_reply_without_length_ends_with_the_connection() {
        let (reader, progress) = read(&[b"HTTP/1.1 200 OK\r\n\r\nabc"]).unwrap();
        assert_eq!(progress, Progress::Partial);
        assert!(reader.ends_with_connection());
        let (reader, _) = read(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]).unwrap();
        assert!(!reader.ends_with_connection());
    }

    #[test]
    fn what_is_no_http_is_refused() {
        for input in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/1.1 x00 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        ] {
            assert!(read(&[input]).is_err(), "{input:?}");
        }
    }
}
