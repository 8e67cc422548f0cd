//! The headers that say where a message ends and whether another follows it.
//!
//! Everything here is read strictly, since two parsers that disagree on it are what request
//! smuggling is made of.

use super::{HeadError, Version, fields::Span};

/// How long a body is, before any of it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    #[default]
    None,
    /// This many bytes.
    Fixed(u64),
    /// Chunks up to the empty one.
    Chunked,
    /// Everything until the peer closes the connection; in responses only.
    UntilClose,
}

/// What the headers of one message say about its framing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Framing {
    content_length: Option<u64>,
    /// Where its digits stand.
    pub(super) content_length_at: Span,
    transfer_encoding: TransferEncoding,
    connection: Connection,
    pub(super) host: Option<Span>,
    pub(super) upgrade: Option<Span>,
    pub(super) expects_continue: bool,
}

impl Framing {
    /// Takes notice of one header. Length and first letter tell most from those that matter.
    pub(super) fn note(&mut self, name: &[u8], value: &[u8], span: Span) -> Result<(), HeadError> {
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match (name.len(), first) {
            (4, b'h') if is(b"host") => self.note_host(span),
            (6, b'e') if is(b"expect") => {
                self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue");
                Ok(())
            }
            (7, b'u') if is(b"upgrade") => {
                self.upgrade = self.upgrade.or(Some(span));
                Ok(())
            }
            (10, b'c') if is(b"connection") => {
                self.connection.note(value);
                Ok(())
            }
            (14, b'c') if is(b"content-length") => {
                self.content_length_at = span;
                self.note_content_length(value)
            }
            (17, b't') if is(b"transfer-encoding") => self.transfer_encoding.note(value),
            (13.., _) if is_framing_lookalike(name) => Err(HeadError::FramingLookalike),
            _ => Ok(()),
        }
    }

    fn note_host(&mut self, span: Span) -> Result<(), HeadError> {
        match self.host.replace(span) {
            Some(_) => Err(HeadError::RepeatedHost),
            None => Ok(()),
        }
    }

    /// The same with other digits in the place of the ones noted.
    pub(super) fn with_content_length(self, digits: &[u8]) -> Option<Self> {
        Some(Self { content_length: Some(decimal(digits)?), ..self })
    }

    fn note_content_length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        let length = decimal(value).ok_or(HeadError::ContentLength)?;
        match self.content_length.replace(length) {
            Some(_) => Err(HeadError::RepeatedContentLength),
            None => Ok(()),
        }
    }

    /// The one reading of the framing headers, or why there isn't one. `None`: they say nothing.
    pub(super) fn declared_length(
        &self,
        version: Version,
    ) -> Result<Option<BodyLength>, HeadError> {
        match (self.transfer_encoding, self.content_length) {
            (TransferEncoding::Absent, None) => Ok(None),
            (TransferEncoding::Absent, Some(length)) => Ok(Some(BodyLength::Fixed(length))),
            (_, Some(_)) => Err(HeadError::LengthAndTransferEncoding),
            (_, None) if version == Version::Http10 => Err(HeadError::TransferEncodingInHttp10),
            (TransferEncoding::Chunked, None) => Ok(Some(BodyLength::Chunked)),
            (TransferEncoding::OtherThenChunked, None) => Err(HeadError::UnsupportedTransferCoding),
            (TransferEncoding::Other, None) => Err(HeadError::TransferEncoding),
        }
    }

    pub(super) fn keeps_alive(&self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.connection.close,
            Version::Http10 => self.connection.keep_alive && !self.connection.close,
        }
    }

    /// The `Upgrade` value if `Connection` names it, as it must.
    pub(super) fn requested_upgrade(&self, version: Version) -> Option<Span> {
        self.upgrade.filter(|_| self.connection.upgrade && version == Version::Http11)
    }
}

/// All `Transfer-Encoding` headers of a message, read as one list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum TransferEncoding {
    #[default]
    Absent,
    /// Exactly `chunked`.
    Chunked,
    /// Known codings without a final `chunked` so far.
    Other,
    /// Known codings, then `chunked`.
    OtherThenChunked,
}

impl TransferEncoding {
    fn note(&mut self, value: &[u8]) -> Result<(), HeadError> {
        for coding in value.split(|byte| *byte == b',') {
            *self = self.followed_by(trim_blanks(coding)).ok_or(HeadError::TransferEncoding)?;
        }
        Ok(())
    }

    fn followed_by(self, coding: &[u8]) -> Option<Self> {
        let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
        match self {
            Self::Absent if is_chunked => Some(Self::Chunked),
            Self::Other if is_chunked => Some(Self::OtherThenChunked),
            Self::Absent | Self::Other if is_known_coding(coding) => Some(Self::Other),
            // Unknown, or something behind `chunked`, which must be the last and stand once.
            Self::Absent | Self::Other | Self::Chunked | Self::OtherThenChunked => None,
        }
    }
}

/// The other transfer codings that are or were registered.
fn is_known_coding(coding: &[u8]) -> bool {
    const CODINGS: [&[u8]; 6] =
        [b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress", b"identity"];
    CODINGS.iter().any(|known| coding.eq_ignore_ascii_case(known))
}

/// The options of `Connection` that matter here.
#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl Connection {
    fn note(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',') {
            let option = trim_blanks(option);
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

/// One or more decimal digits that fit 64 bits, and nothing else.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether `name`, which is no framing header, has the letters of one. Servers behind CGI-like
/// interfaces read `Content_Length` as `Content-Length`; sloppier ones drop odd characters.
fn is_framing_lookalike(name: &[u8]) -> bool {
    match name {
        [b't' | b'T', ..] => has_letters(name, b"transferencoding"),
        [b'c' | b'C', ..] => has_letters(name, b"contentlength"),
        // The common case: neither letter, so there is nothing to compare.
        [first, ..] if first.is_ascii_alphanumeric() => false,
        _ => has_letters(name, b"transferencoding") || has_letters(name, b"contentlength"),
    }
}

fn has_letters(name: &[u8], letters: &[u8]) -> bool {
    name.iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| byte.to_ascii_lowercase())
        .eq(letters.iter().copied())
}

/// Without spaces and tabs at either end. No other white space counts: `\x0bchunked` stays odd.
fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
