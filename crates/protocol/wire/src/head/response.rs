//! The head of a response.

use std::mem::MaybeUninit;
use std::ops::Range;

use http::Method;
use httparse::Status;

use super::{
    BodyLength, HEADERS_CAPACITY, HeadError, HeadLimits, Progress, Scan, Version, complete_lines,
    error::{first_fault, status_line_fault},
    fields::Fields,
    framing::Framing,
    usual, window,
};

/// A response head, to be reused for every response of a connection.
///
/// The accessors speak of the last head that was parsed to [`Progress::Complete`]; those that take
/// a buffer want the one it was parsed from.
#[derive(Debug, Default)]
pub struct ResponseHead {
    scan: Scan,
    fields: Fields,
    summary: Summary,
}

/// What is known of a complete head beside its header lines.
#[derive(Debug, Default)]
struct Summary {
    len: usize,
    status: u16,
    version: Version,
    framing: Framing,
    declared_length: Option<BodyLength>,
}

impl ResponseHead {
    /// An empty head; allocates nothing before the first parse.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the head at the start of `buf`.
    ///
    /// After [`Progress::Partial`], call again with the same bytes and more behind them; after
    /// [`Progress::Complete`] or an error, the next call starts a new head.
    ///
    /// # Errors
    ///
    /// What is wrong with the head. Nothing that follows on the connection can be trusted.
    pub fn parse(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Progress, HeadError> {
        let window = window(buf, limits);
        if !is_http(window) {
            return Err(self.scan.refuse(HeadError::StatusLine));
        }
        if !self.scan.has_new_line(window) {
            return self.scan.wait(window, limits);
        }
        if let Some(summary) = Summary::of_usual(window, limits, &mut self.fields) {
            (self.scan, self.summary) = (Scan::default(), summary);
            return Ok(Progress::Complete);
        }
        self.parse_any(window, limits)
    }

    /// Parses a head of any kind, or says what is wrong with it.
    #[inline(never)]
    fn parse_any(&mut self, window: &[u8], limits: &HeadLimits) -> Result<Progress, HeadError> {
        let mut slots = [const { MaybeUninit::uninit() }; HEADERS_CAPACITY];
        let slots = &mut slots[..limits.headers_max.min(HEADERS_CAPACITY)];
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        match config.parse_response_with_uninit_headers(&mut response, window, slots) {
            Ok(Status::Complete(len)) => {
                self.scan = Scan::default();
                self.summary = Summary::read(&window[..len], &response, &mut self.fields)?;
                Ok(Progress::Complete)
            }
            Ok(Status::Partial) => self.scan.wait(window, limits),
            Err(_) => match refused_line(window, limits) {
                Some(error) => Err(self.scan.refuse(error)),
                None => self.scan.wait(window, limits),
            },
        }
    }

    /// Forgets a head that was left unfinished, before the parts of another connection are parsed.
    pub fn clear(&mut self) {
        self.scan = Scan::default();
    }

    /// Bytes of the head, from the start of the buffer to the first byte of the body.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a parsed head is never empty")]
    pub fn len(&self) -> usize {
        self.summary.len
    }

    /// The status, within 100 to 599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.summary.status
    }

    /// Whether another head follows for the same request. `101` is final: what comes behind it is
    /// the other protocol.
    #[must_use]
    pub fn is_informational(&self) -> bool {
        matches!(self.summary.status, 100 | 102..=199)
    }

    /// The version of HTTP.
    #[must_use]
    pub fn version(&self) -> Version {
        self.summary.version
    }

    /// The value of the first header of that name, whatever its case.
    #[must_use]
    pub fn header<'b>(&self, buf: &'b [u8], name: &str) -> Option<&'b [u8]> {
        self.fields.first(buf, name)
    }

    /// All headers in the order they came: names, which are tokens, and values without the white
    /// space around them.
    pub fn headers<'b>(
        &self,
        buf: &'b [u8],
    ) -> impl ExactSizeIterator<Item = (&'b [u8], &'b [u8])> {
        self.fields.iter(buf)
    }

    /// The same by lines: names, and where in `buf` each line stands up to behind its CRLF.
    pub fn lines<'b>(&self, buf: &'b [u8]) -> impl Iterator<Item = (&'b [u8], Range<usize>)> {
        self.fields.lines(buf, self.summary.len.saturating_sub(b"\r\n".len()))
    }

    /// How long the body is, which depends on the method that was asked with.
    #[must_use]
    pub fn body(&self, request_method: &Method) -> BodyLength {
        if request_method == Method::HEAD || self.is_bodiless() || self.summary.status == 304 {
            return BodyLength::None;
        }
        self.summary.declared_length.unwrap_or(BodyLength::UntilClose)
    }

    /// Whether the connection may carry another request, once a body that doesn't run
    /// [`BodyLength::UntilClose`] has been read.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        // A peer that announces a body where there can't be one might well send it, and it would
        // be read as the next response.
        let announces_body =
            !matches!(self.summary.declared_length, None | Some(BodyLength::Fixed(0)));
        self.summary.framing.keeps_alive(self.summary.version)
            && !(self.is_bodiless() && announces_body)
    }

    /// The protocol the peer switches to or offers: `Upgrade`, if `Connection` names it.
    #[must_use]
    pub fn upgrade<'b>(&self, buf: &'b [u8]) -> Option<&'b [u8]> {
        let upgrade = self.summary.framing.requested_upgrade(self.summary.version);
        upgrade.map(|upgrade| upgrade.read(buf))
    }

    fn is_bodiless(&self) -> bool {
        matches!(self.summary.status, 100..=199 | 204)
    }
}

impl Summary {
    /// A head as nearly all are written; `None` for any other, whatever it may be.
    fn of_usual(window: &[u8], limits: &HeadLimits, fields: &mut Fields) -> Option<Self> {
        let (version, status, lines_at) = usual::status_line(window)?;
        let headers_max = limits.headers_max.min(HEADERS_CAPACITY);
        let (framing, len) = usual::header_lines(window, lines_at, headers_max, fields)?;
        let declared_length = framing.declared_length(version).ok()?;
        Some(Self { len, status, version, framing, declared_length })
    }

    fn read(
        head: &[u8],
        response: &httparse::Response<'_, '_>,
        fields: &mut Fields,
    ) -> Result<Self, HeadError> {
        let status = response.code.unwrap_or_default();
        if !(100..=599).contains(&status) {
            return Err(HeadError::StatusRange);
        }
        let version = Version::from_minor(response.version);
        let framing = fields.record(head, response.headers)?;
        let declared_length = framing.declared_length(version)?;
        Ok(Self { len: head.len(), status, version, framing, declared_length })
    }
}

/// Whether `window` begins as every response does, as far as it goes.
fn is_http(window: &[u8]) -> bool {
    const START: &[u8] = b"HTTP/";
    window.iter().zip(START).all(|(byte, expected)| byte == expected)
}

/// Why the complete lines in `window` are refused, unless the fault lies in the unfinished one
/// behind them, about which nothing is said yet.
#[cold]
fn refused_line(window: &[u8], limits: &HeadLimits) -> Option<HeadError> {
    let lines = complete_lines(window);
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_CAPACITY];
    let slots = &mut slots[..limits.headers_max.min(HEADERS_CAPACITY)];
    let mut response = httparse::Response::new(&mut []);
    let error = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut response, lines, slots)
        .err()?;
    Some(first_fault(lines, status_line_fault, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole() {
        let bytes = b"HTTP/1.1 200 OK\r\na: 1\r\nb:2 \r\nc:\r\n\r\nbody";
        let mut head = ResponseHead::new();
        assert_eq!(head.parse(bytes, &HeadLimits::default()), Ok(Progress::Complete));
        let lines: Vec<_> = head.lines(bytes).map(|(name, line)| (name, &bytes[line])).collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(b"a", b"a: 1\r\n"), (b"b", b"b:2 \r\n"), (b"c", b"c:\r\n")];
        assert_eq!(lines, expected);
    }

    #[test]
    fn the_quick_pass_agrees_with_the_general_parser_on_mutations() {
        let head = b"HTTP/1.1 200 OK\r\ndate: x\r\ncontent-length: 12\r\nA:\r\n\
            Connection:  close, x \r\ntransfer: \"chunked\"\r\n\r\nbody";
        let limits = HeadLimits { headers_max: 5, ..HeadLimits::default() };
        assert!(Summary::of_usual(head, &limits, &mut Fields::default()).is_some());
        let interesting = b"\r\n\t :a0/#\0\x0b\x7f\x80\xff{\\\"_9";
        for at in b"HTTP/".len()..head.len() {
            for byte in interesting {
                let mut changed = head.to_vec();
                changed[at] = *byte;
                let mut inserted = head.to_vec();
                inserted.insert(at, *byte);
                let mut removed = head.to_vec();
                removed.remove(at);
                for bytes in [changed, inserted, removed] {
                    let (mut quick, mut general) = (ResponseHead::new(), ResponseHead::new());
                    let quickly = quick.parse(&bytes, &limits);
                    let generally = general.parse_any(window(&bytes, &limits), &limits);
                    assert_eq!(quickly, generally, "{}", bytes.escape_ascii());
                    if quickly == Ok(Progress::Complete) {
                        let (quick, general) = (format!("{quick:?}"), format!("{general:?}"));
                        assert_eq!(quick, general, "{}", bytes.escape_ascii());
                    }
                }
            }
        }
    }
}
