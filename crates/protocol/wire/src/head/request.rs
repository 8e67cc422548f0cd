//! The head of a request.

use std::mem::MaybeUninit;

use http::Method;
use httparse::Status;

use super::{
    BodyLength, HEADERS_CAPACITY, HeadError, HeadLimits, Progress, Scan, Version, complete_lines,
    error::{first_fault, is_token_byte, request_line_fault},
    fields::{Fields, Span},
    framing::Framing,
    target::Target,
    window,
};

/// Empty lines skipped before a request line. RFC 9112 §2.2 asks for at least one, for old clients
/// that send a line break after a body.
pub const LEADING_EMPTY_LINES_MAX: usize = 1;

/// A request head, to be reused for every request of a connection.
///
/// The accessors speak of the last head that was parsed to [`Progress::Complete`]; those that take
/// a buffer want the one it was parsed from.
#[derive(Debug, Default)]
pub struct RequestHead {
    scan: Scan,
    fields: Fields,
    summary: Summary,
}

/// What is known of a complete head beside its header lines.
#[derive(Debug, Default)]
struct Summary {
    len: usize,
    method: Method,
    target: Target,
    version: Version,
    framing: Framing,
    host: Option<Span>,
    body: BodyLength,
}

impl RequestHead {
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
    /// What is wrong with the head. Where the next request would begin is then unknown, so the
    /// connection can't be used any further.
    pub fn parse(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Progress, HeadError> {
        let window = window(buf, limits);
        let start = match leading_empty_lines(window) {
            Ok(start) => start,
            Err(error) => return Err(self.scan.refuse(error)),
        };
        if !self.scan.has_new_line(window) {
            return self.scan.wait(window, limits);
        }
        let mut slots = [const { MaybeUninit::uninit() }; HEADERS_CAPACITY];
        let slots = &mut slots[..limits.headers_max.min(HEADERS_CAPACITY)];
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(&window[start..], slots) {
            Ok(Status::Complete(len)) => {
                self.scan = Scan::default();
                self.summary = Summary::read(&window[..start + len], &request, &mut self.fields)?;
                Ok(Progress::Complete)
            }
            Ok(Status::Partial) => self.scan.wait(window, limits),
            Err(_) => match refused_line(&window[start..], limits) {
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

    /// The method; any token, not only the registered ones.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.summary.method
    }

    /// The request target as it was sent: a path with query, an http URL, or `*`.
    #[must_use]
    pub fn target<'b>(&self, buf: &'b [u8]) -> &'b str {
        self.summary.target.whole(buf)
    }

    /// The path of the target, percent-encoding untouched; `/` for a URL without one.
    #[must_use]
    pub fn path<'b>(&self, buf: &'b [u8]) -> &'b str {
        self.summary.target.path(buf)
    }

    /// What follows the first `?` of the target.
    #[must_use]
    pub fn query<'b>(&self, buf: &'b [u8]) -> Option<&'b str> {
        self.summary.target.query(buf)
    }

    /// The version of HTTP.
    #[must_use]
    pub fn version(&self) -> Version {
        self.summary.version
    }

    /// The host and port the request is for, from the target or the `Host` header; HTTP/1.0
    /// requests may have none.
    #[must_use]
    pub fn host<'b>(&self, buf: &'b [u8]) -> Option<&'b str> {
        self.summary.host.map(|host| host.read_ascii(buf))
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

    /// How long the body is; never [`BodyLength::UntilClose`].
    #[must_use]
    pub fn body(&self) -> BodyLength {
        self.summary.body
    }

    /// Whether the caller may send another request on this connection.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.summary.framing.keeps_alive(self.summary.version)
    }

    /// Whether the caller waits for `100 Continue` before it sends the body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        let has_body = !matches!(self.summary.body, BodyLength::None | BodyLength::Fixed(0));
        self.summary.framing.expects_continue && self.summary.version == Version::Http11 && has_body
    }

    /// The protocols the caller would switch to: `Upgrade`, if `Connection` names it.
    #[must_use]
    pub fn upgrade<'b>(&self, buf: &'b [u8]) -> Option<&'b [u8]> {
        let upgrade = self.summary.framing.requested_upgrade(self.summary.version);
        upgrade.map(|upgrade| upgrade.read(buf))
    }
}

impl Summary {
    fn read(
        head: &[u8],
        request: &httparse::Request<'_, '_>,
        fields: &mut Fields,
    ) -> Result<Self, HeadError> {
        let method = request.method.unwrap_or_default();
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| HeadError::Method)?;
        let target = Target::parse(head, request.path.unwrap_or_default(), &method)?;
        let version = Version::from_minor(request.version);
        let framing = fields.record(head, request.headers)?;
        if framing.host.is_none() && version == Version::Http11 {
            return Err(HeadError::MissingHost);
        }
        let host = target.host(head, framing.host)?;
        let body = framing.declared_length(version)?.unwrap_or(BodyLength::None);
        Ok(Self { len: head.len(), method, target, version, framing, host, body })
    }
}

/// How many bytes of empty lines come before the request line, once its first byte is known to be
/// one a method can begin with.
fn leading_empty_lines(window: &[u8]) -> Result<usize, HeadError> {
    let mut start = 0;
    for _ in 0..LEADING_EMPTY_LINES_MAX {
        if window[start..].starts_with(b"\r\n") {
            start += 2;
        }
    }
    match window[start..] {
        [] | [b'\r'] => Ok(start),
        [b'\r', b'\n', ..] => Err(HeadError::LeadingEmptyLines),
        [b'\r', ..] => Err(HeadError::BareCarriageReturn),
        [b'\n', ..] => Err(HeadError::BareLineFeed),
        // The content type of a TLS handshake record.
        [0x16, ..] => Err(HeadError::TlsRecord),
        [first, ..] if is_token_byte(first) => Ok(start),
        _ => Err(HeadError::Method),
    }
}

/// Why the complete lines in `unparsed` are refused, unless the fault lies in the unfinished one
/// behind them, about which nothing is said yet.
#[cold]
fn refused_line(unparsed: &[u8], limits: &HeadLimits) -> Option<HeadError> {
    let lines = complete_lines(unparsed);
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_CAPACITY];
    let slots = &mut slots[..limits.headers_max.min(HEADERS_CAPACITY)];
    let error = httparse::Request::new(&mut []).parse_with_uninit_headers(lines, slots).err()?;
    Some(first_fault(lines, request_line_fault, error))
}
