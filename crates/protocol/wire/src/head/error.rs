//! What can be wrong with a head, and finding out which it is.
//!
//! The fast parser only says that something is wrong. The slow walk over the lines in
//! [`first_fault`] runs for refused heads alone and names the misbehaviour.

use std::{error::Error, fmt};

/// Why a head was refused. The connection it came from can't be used any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadError {
    /// The head did not end within the limit of bytes.
    HeadTooLarge,
    /// There are more header lines than the limit.
    TooManyHeaders,
    /// More empty lines before the request line than are tolerated.
    LeadingEmptyLines,
    /// A line ends with LF alone.
    BareLineFeed,
    /// A CR that no LF follows.
    BareCarriageReturn,
    /// The first byte is that of a TLS record.
    TlsRecord,
    /// The request line isn't three words with one space between them.
    RequestLine,
    /// The method isn't a token.
    Method,
    /// `CONNECT`: this is no forward proxy.
    ConnectMethod,
    /// A byte of the request target is outside visible ASCII.
    TargetByte,
    /// The request target has a fragment.
    TargetFragment,
    /// The request target is neither a path nor an http URL, or is `*` without `OPTIONS`.
    TargetForm,
    /// The URL in the request line carries user information.
    TargetUserInformation,
    /// The request line has no version, as in HTTP/0.9.
    MissingVersion,
    /// The version isn't of the form `HTTP/1.1`.
    MalformedVersion,
    /// A well-formed version other than HTTP/1.0 and HTTP/1.1.
    UnsupportedVersion,
    /// The HTTP/2 connection preface.
    Http2Preface,
    /// The status line isn't a version, three digits and a reason.
    StatusLine,
    /// The status isn't within 100 to 599.
    StatusRange,
    /// A header line begins with a space or tab.
    FoldedHeader,
    /// A header line begins with the colon.
    EmptyHeaderName,
    /// White space between a header name and its colon.
    SpaceBeforeColon,
    /// A header line has no colon, or a byte in the name that no token may have.
    HeaderName,
    /// A control character in a header value.
    HeaderValue,
    /// A name that some servers take for a framing header, such as `Content_Length`.
    FramingLookalike,
    /// `Content-Length` isn't one number of decimal digits that fits 64 bits.
    ContentLength,
    /// More than one `Content-Length`, equal or not.
    RepeatedContentLength,
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndTransferEncoding,
    /// `Transfer-Encoding` doesn't end in exactly one `chunked`, or names no known coding.
    TransferEncoding,
    /// `Transfer-Encoding` is well-formed and lists a coding beside `chunked`.
    UnsupportedTransferCoding,
    /// `Transfer-Encoding` in an HTTP/1.0 message, which has none.
    TransferEncodingInHttp10,
    /// An HTTP/1.1 request without `Host`.
    MissingHost,
    /// More than one `Host`.
    RepeatedHost,
    /// `Host` isn't a host name or address with an optional port.
    MalformedHost,
    /// `Host` differs from the authority in the request target.
    HostMismatch,
}

/// The kinds of refusal a caller is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadErrorKind {
    /// The bytes break the protocol.
    Malformed,
    /// The head is over a limit.
    TooLarge,
    /// A version of HTTP that isn't spoken here.
    UnsupportedVersion,
    /// Valid, and not offered here.
    NotOffered,
}

impl HeadError {
    /// The kind of refusal this is.
    #[must_use]
    pub fn kind(self) -> HeadErrorKind {
        match self {
            Self::HeadTooLarge | Self::TooManyHeaders => HeadErrorKind::TooLarge,
            Self::UnsupportedVersion | Self::Http2Preface => HeadErrorKind::UnsupportedVersion,
            Self::ConnectMethod | Self::UnsupportedTransferCoding => HeadErrorKind::NotOffered,
            Self::LeadingEmptyLines
            | Self::BareLineFeed
            | Self::BareCarriageReturn
            | Self::TlsRecord
            | Self::RequestLine
            | Self::Method
            | Self::TargetByte
            | Self::TargetFragment
            | Self::TargetForm
            | Self::TargetUserInformation
            | Self::MissingVersion
            | Self::MalformedVersion
            | Self::StatusLine
            | Self::StatusRange
            | Self::FoldedHeader
            | Self::EmptyHeaderName
            | Self::SpaceBeforeColon
            | Self::HeaderName
            | Self::HeaderValue
            | Self::FramingLookalike
            | Self::ContentLength
            | Self::RepeatedContentLength
            | Self::LengthAndTransferEncoding
            | Self::TransferEncoding
            | Self::TransferEncodingInHttp10
            | Self::MissingHost
            | Self::RepeatedHost
            | Self::MalformedHost
            | Self::HostMismatch => HeadErrorKind::Malformed,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::HeadTooLarge => "the head is too large; send fewer or shorter headers",
            Self::TooManyHeaders => "there are too many headers",
            Self::LeadingEmptyLines => "there are empty lines before the request line",
            Self::BareLineFeed => "a line of the head ends with LF instead of CRLF",
            Self::BareCarriageReturn => "a CR in the head isn't followed by LF",
            Self::TlsRecord => "this is TLS on a plain HTTP port; use http:// in the address",
            Self::RequestLine => "the request line must be `METHOD target HTTP/1.1`",
            Self::Method => "the method has a character that methods can't have",
            Self::ConnectMethod => "CONNECT isn't offered; send requests to this address directly",
            Self::TargetByte => {
                "the request target has a character that must be percent-encoded in a URL"
            }
            Self::TargetFragment => "the request target has a `#fragment`; leave it out",
            Self::TargetForm => "the request target must begin with `/` or be an http URL",
            Self::TargetUserInformation => {
                "the request target has `user@`; send credentials in a header"
            }
            Self::MissingVersion => "the request line has no HTTP version",
            Self::MalformedVersion => "the HTTP version isn't of the form `HTTP/1.1`",
            Self::UnsupportedVersion => "only HTTP/1.0 and HTTP/1.1 are spoken here",
            Self::Http2Preface => "HTTP/2 without negotiation isn't spoken here; use HTTP/1.1",
            Self::StatusLine => "the status line must be `HTTP/1.1 200 reason`",
            Self::StatusRange => "the status isn't within 100 to 599",
            Self::FoldedHeader => {
                "a header line begins with white space (folded headers are obsolete)"
            }
            Self::EmptyHeaderName => "a header has no name",
            Self::SpaceBeforeColon => "there is white space between a header name and its colon",
            Self::HeaderName => "a header line has no colon or a bad character in its name",
            Self::HeaderValue => "a header value has a control character",
            Self::FramingLookalike => {
                "a header name looks like Content-Length or Transfer-Encoding and is neither"
            }
            Self::ContentLength => "Content-Length isn't a single decimal number",
            Self::RepeatedContentLength => "there is more than one Content-Length",
            Self::LengthAndTransferEncoding => {
                "there are both Content-Length and Transfer-Encoding; send one of them"
            }
            Self::TransferEncoding => "Transfer-Encoding must be `chunked`",
            Self::UnsupportedTransferCoding => {
                "Transfer-Encoding may not list a coding beside `chunked`; use Content-Encoding"
            }
            Self::TransferEncodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            Self::MissingHost => "there is no Host header",
            Self::RepeatedHost => "there is more than one Host header",
            Self::MalformedHost => "Host isn't a host name with an optional port",
            Self::HostMismatch => "Host differs from the host in the request target",
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl Error for HeadError {}

/// The first thing wrong in `lines`, which the fast parser refused with `error`.
#[cold]
pub(super) fn first_fault(
    lines: &[u8],
    start_line_fault: fn(&[u8]) -> Option<HeadError>,
    error: httparse::Error,
) -> HeadError {
    if error == httparse::Error::TooManyHeaders {
        return HeadError::TooManyHeaders;
    }
    let mut lines = lines.split_inclusive(|byte| *byte == b'\n');
    let start_line = lines.next().unwrap_or_default();
    line_fault(start_line, start_line_fault)
        .or_else(|| lines.find_map(|line| line_fault(line, header_fault)))
        .unwrap_or_else(|| unexplained(error))
}

fn line_fault(line: &[u8], content_fault: fn(&[u8]) -> Option<HeadError>) -> Option<HeadError> {
    let Some(content) = line.strip_suffix(b"\r\n") else {
        return Some(HeadError::BareLineFeed);
    };
    if content.contains(&b'\r') {
        return Some(HeadError::BareCarriageReturn);
    }
    content_fault(content)
}

pub(super) fn request_line_fault(line: &[u8]) -> Option<HeadError> {
    if line == b"PRI * HTTP/2.0" {
        return Some(HeadError::Http2Preface);
    }
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    if !is_token(method) {
        return Some(HeadError::Method);
    }
    let (target, version) = match (words.next(), words.next(), words.next()) {
        (Some(target), Some(version), None) if !target.is_empty() => (target, version),
        (Some(target), None, _) if target.starts_with(b"/") => (target, &b""[..]),
        _ => return Some(HeadError::RequestLine),
    };
    if !is_visible_ascii(target) {
        return Some(HeadError::TargetByte);
    }
    version_fault(version)
}

pub(super) fn status_line_fault(line: &[u8]) -> Option<HeadError> {
    let (version, rest) = line.split_at_checked(VERSION_BYTES).unwrap_or((line, b""));
    version_fault(version).or_else(|| match rest {
        [b' ', status @ ..] if has_status(status) => None,
        _ => Some(HeadError::StatusLine),
    })
}

/// `HTTP/1.1`
const VERSION_BYTES: usize = 8;

fn has_status(status: &[u8]) -> bool {
    match status.split_at_checked(3) {
        Some((digits, reason)) => {
            digits.iter().all(u8::is_ascii_digit)
                && (reason.is_empty() || reason.starts_with(b" "))
                && !reason.iter().any(|byte| is_control(*byte))
        }
        None => false,
    }
}

fn version_fault(version: &[u8]) -> Option<HeadError> {
    match version {
        b"HTTP/1.0" | b"HTTP/1.1" => None,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Some(HeadError::UnsupportedVersion)
        }
        b"" => Some(HeadError::MissingVersion),
        _ => Some(HeadError::MalformedVersion),
    }
}

fn header_fault(line: &[u8]) -> Option<HeadError> {
    match line {
        [] => return None,
        [b' ' | b'\t', ..] => return Some(HeadError::FoldedHeader),
        [b':', ..] => return Some(HeadError::EmptyHeaderName),
        _ => {}
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Some(HeadError::HeaderName);
    };
    let (name, value) = line.split_at(colon);
    if is_token(name) {
        return value.iter().any(|byte| is_control(*byte)).then_some(HeadError::HeaderValue);
    }
    match name.trim_ascii_end() {
        trimmed if trimmed.len() < name.len() && is_token(trimmed) => {
            Some(HeadError::SpaceBeforeColon)
        }
        _ => Some(HeadError::HeaderName),
    }
}

/// The parser's own word, should its rules ever be stricter than the walk over the lines.
fn unexplained(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::HeaderName => HeadError::HeaderName,
        httparse::Error::HeaderValue => HeadError::HeaderValue,
        httparse::Error::NewLine => HeadError::BareCarriageReturn,
        httparse::Error::Status => HeadError::StatusLine,
        httparse::Error::Token => HeadError::RequestLine,
        httparse::Error::TooManyHeaders => HeadError::TooManyHeaders,
        httparse::Error::Version => HeadError::MalformedVersion,
    }
}

/// One or more `tchar` of RFC 9110 §5.6.2.
pub(super) fn is_token(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| is_token_byte(*byte))
}

pub(crate) fn is_token_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+'
            | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
    )
}

/// A control character other than the tab, which values may have.
pub(crate) fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

/// Whether every byte is within 0x21 to 0x7E. Written without an early exit so that it vectorises.
pub(super) fn is_visible_ascii(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |all, byte| all & byte.is_ascii_graphic())
}
