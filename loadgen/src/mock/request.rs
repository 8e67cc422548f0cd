//! Takes requests off a connection's bytes, strictly: what a careful server would refuse is
//! refused, so that a proxy that lets it through is seen.
//!
//! This is an implementation of its own on purpose. Sharing one with the gateway would hide its
//! mistakes.

mod chunked;

use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::ops::Range;

use percent_encoding::percent_decode_str;

use chunked::ChunkedBody;

use super::limits::{BODY_BYTES_MAX, HEAD_BYTES_MAX, HEADERS_MAX};

/// One request, with every byte as it came.
#[derive(Debug)]
pub(crate) struct Request {
    /// Head and body as they were on the wire, chunk framing included.
    pub(crate) raw: Vec<u8>,
    head: Head,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// A part of the raw bytes.
    Plain(Range<usize>),
    /// Decoded from chunks.
    Chunked(Vec<u8>),
}

impl Request {
    pub(crate) fn method(&self) -> &str {
        self.text(&self.head.method)
    }

    /// Path and query as they were sent.
    pub(crate) fn target(&self) -> &str {
        self.text(&self.head.target)
    }

    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        let target = self.target();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The first query parameter of that name, decoded.
    pub(crate) fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        let (_, query) = self.target().split_once('?')?;
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        Some(percent_decode_str(value).decode_utf8_lossy())
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let fields = self.head.headers.iter();
        fields.map(|(name, value)| (self.text(name), self.bytes(value)))
    }

    /// The first header of that name, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers();
        let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body without chunk framing.
    pub(crate) fn body(&self) -> &[u8] {
        match &self.body {
            Body::Plain(range) => self.bytes(range),
            Body::Chunked(bytes) => bytes,
        }
    }

    /// Whether the connection can serve another request after this one.
    pub(crate) fn keeps_alive(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default();
        let asks = |token: &str| {
            connection.split(',').any(|found| found.trim().eq_ignore_ascii_case(token))
        };
        match self.head.minor_version {
            0 => asks("keep-alive"),
            _ => !asks("close"),
        }
    }

    /// Whether the caller speaks HTTP/1.0, which knows no chunks.
    pub(crate) fn is_http10(&self) -> bool {
        self.head.minor_version == 0
    }

    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.raw.get(range.clone()).unwrap_or_default()
    }

    fn text(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(self.bytes(range)).unwrap_or_default()
    }
}

/// Why bytes are not a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Malformed {
    Head(httparse::Error),
    HeadTooLong,
    BareLineFeed,
    ContentLength,
    TransferEncoding,
    LengthAndChunked,
    ChunkSize,
    ChunkEnd,
    TrailerTooLong,
    BodyTooLong,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Head(error) => return write!(formatter, "request head: {error}"),
            Self::HeadTooLong => "request head too long",
            Self::BareLineFeed => "line feed without carriage return in the head",
            Self::ContentLength => "content-length repeated or not a number",
            Self::TransferEncoding => "transfer-encoding other than chunked, or in HTTP/1.0",
            Self::LengthAndChunked => "content-length together with transfer-encoding",
            Self::ChunkSize => "chunk size is not a hexadecimal number",
            Self::ChunkEnd => "chunk does not end in a line break",
            Self::TrailerTooLong => "chunk line or trailer too long",
            Self::BodyTooLong => "request body too long",
        };
        formatter.write_str(text)
    }
}

/// Where the reading of a request stands.
#[derive(Debug, Default)]
pub(crate) struct RequestReader {
    head: Option<Head>,
    chunked: ChunkedBody,
}

/// Something a connection's bytes turned into.
#[derive(Debug)]
pub(crate) enum Progress {
    /// More bytes are needed. The caller waits to be told to go on if `expects_continue`.
    More {
        expects_continue: bool,
    },
    Request(Request),
}

impl RequestReader {
    /// Takes one request off the start of `buffer`, which holds all bytes since the last one.
    pub(crate) fn next(&mut self, buffer: &mut Vec<u8>) -> Result<Progress, Malformed> {
        let mut is_new = false;
        if self.head.is_none() {
            self.head = parse_head(buffer)?;
            is_new = self.head.is_some();
        }
        let Some(head) = &self.head else {
            return Ok(Progress::More { expects_continue: false });
        };
        let Some(end) = self.chunked.end(head, buffer)? else {
            let expects_continue = is_new && head.expects_continue && buffer.len() == head.bytes;
            return Ok(Progress::More { expects_continue });
        };
        Ok(Progress::Request(self.take(buffer, end)))
    }

    fn take(&mut self, buffer: &mut Vec<u8>, end: usize) -> Request {
        let rest = buffer.split_off(end);
        let raw = mem::replace(buffer, rest);
        let head = self.head.take().unwrap_or_default();
        let body = match head.framing {
            Framing::Length(_) => Body::Plain(head.bytes..end),
            Framing::Chunked => Body::Chunked(mem::take(&mut self.chunked).into_bytes()),
        };
        Request { raw, head, body }
    }
}

/// Positions in the raw bytes.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    minor_version: u8,
    method: Range<usize>,
    target: Range<usize>,
    headers: Vec<(Range<usize>, Range<usize>)>,
    framing: Framing,
    expects_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Length(0)
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<Head>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let bytes = match parsed.parse(buffer).map_err(Malformed::Head)? {
        httparse::Status::Complete(bytes) if bytes <= HEAD_BYTES_MAX => bytes,
        httparse::Status::Partial if buffer.len() <= HEAD_BYTES_MAX => return Ok(None),
        _ => return Err(Malformed::HeadTooLong),
    };
    check_line_breaks(buffer.get(..bytes).unwrap_or_default())?;
    let minor_version = parsed.version.unwrap_or(1);
    let place = |part: &[u8]| {
        // `part` is a piece of `buffer`, so the difference of addresses is its offset.
        let start = (part.as_ptr() as usize).saturating_sub(buffer.as_ptr() as usize);
        start..start + part.len()
    };
    let place_text = |part: Option<&str>| place(part.unwrap_or_default().as_bytes());
    let fields = &*parsed.headers;
    let continues = |field: &httparse::Header<'_>| {
        field.name.eq_ignore_ascii_case("expect")
            && field.value.eq_ignore_ascii_case(b"100-continue")
    };
    Ok(Some(Head {
        bytes,
        minor_version,
        method: place_text(parsed.method),
        target: place_text(parsed.path),
        headers: fields
            .iter()
            .map(|field| (place(field.name.as_bytes()), place(field.value)))
            .collect(),
        framing: framing(fields, minor_version)?,
        expects_continue: fields.iter().any(continues),
    }))
}

/// httparse takes a bare line feed for a line break; a careful server doesn't.
fn check_line_breaks(head: &[u8]) -> Result<(), Malformed> {
    let is_bare = |at: usize| at.checked_sub(1).and_then(|at| head.get(at)) != Some(&b'\r');
    match memchr::memchr_iter(b'\n', head).any(is_bare) {
        true => Err(Malformed::BareLineFeed),
        false => Ok(()),
    }
}

fn framing(fields: &[httparse::Header<'_>], minor_version: u8) -> Result<Framing, Malformed> {
    let values = |name: &'static str| {
        let named = fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value)
    };
    let lengths: Vec<&[u8]> = values("content-length").collect();
    let codings: Vec<&[u8]> = values("transfer-encoding").collect();
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(Framing::Length(0)),
        ([length], []) => parse_length(length).map(Framing::Length),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && minor_version == 1 => {
            Ok(Framing::Chunked)
        }
        ([], _) => Err(Malformed::TransferEncoding),
        (_, []) => Err(Malformed::ContentLength),
        _ => Err(Malformed::LengthAndChunked),
    }
}

fn parse_length(value: &[u8]) -> Result<usize, Malformed> {
    let digits = std::str::from_utf8(value).ok();
    let digits = digits.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(length) if length <= BODY_BYTES_MAX => Ok(length),
        Some(_) => Err(Malformed::BodyTooLong),
        None => Err(Malformed::ContentLength),
    }
}

#[cfg(test)]
mod tests;
