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
    usual::{self, RequestLine},
    window,
};

/// Empty lines skipped before a request line. RFC 9112 §2.2 asks for at least one, for old clients
/// that send a line break after a body.
pub const LEADING_EMPTY_LINES_MAX: usize = 1;

/// Heads up to this length are kept to be compared with the next. Those of SDKs have 600 to 1,000
/// bytes.
const REPEATABLE_BYTES_MAX: usize = 2048;

/// A request head, to be reused for every request of a connection.
///
/// The accessors speak of the last head that was parsed to [`Progress::Complete`]; those that take
/// a buffer want the one it was parsed from.
#[derive(Debug, Default)]
pub struct RequestHead {
    scan: Scan,
    fields: Fields,
    summary: Summary,
    /// The bytes of the last complete head, while it is worth waiting for the same one again.
    repeatable: Vec<u8>,
    is_repeated: bool,
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
        if window.is_empty() {
            return self.scan.wait(window, limits);
        }
        let start = match leading_empty_lines(window) {
            Ok(start) => start,
            Err(error) => return Err(self.scan.refuse(error)),
        };
        if self.repeats(window, limits) {
            self.scan = Scan::default();
            return Ok(Progress::Complete);
        }
        if !self.scan.has_new_line(window) {
            return self.scan.wait(window, limits);
        }
        self.repeatable.clear();
        if let Some(summary) = Summary::of_usual(window, start, limits, &mut self.fields) {
            (self.scan, self.summary) = (Scan::default(), summary);
            self.remember(window);
            return Ok(Progress::Complete);
        }
        self.parse_any(window, start, limits)
    }

    /// Whether the head is the last one again but for the digits of its `Content-Length`: clients
    /// that stay connected send little else. All that is known of the last one then holds.
    fn repeats(&mut self, window: &[u8], limits: &HeadLimits) -> bool {
        self.is_repeated = self.take_repeated(window, limits).is_some();
        self.is_repeated
    }

    fn take_repeated(&mut self, window: &[u8], limits: &HeadLimits) -> Option<()> {
        let head = window.get(..self.repeatable.len()).filter(|head| !head.is_empty())?;
        let digits_at = self.summary.framing.content_length_at;
        let (start, end) = (digits_at.start(), digits_at.end());
        let is_same = head.get(..start)? == self.repeatable.get(..start)?
            && head.get(end..)? == self.repeatable.get(end..)?
            && self.fields.len() <= limits.headers_max;
        if !is_same {
            return None;
        }
        let digits = head.get(start..end)?;
        if self.repeatable.get(start..end)? != digits {
            let summary = &mut self.summary;
            summary.framing = summary.framing.with_content_length(digits)?;
            summary.body = summary.framing.declared_length(summary.version).ok()??;
            self.repeatable.get_mut(start..end)?.copy_from_slice(digits);
        }
        Some(())
    }

    /// Keeps the head that was just read, to know it again.
    fn remember(&mut self, window: &[u8]) {
        self.repeatable.clear();
        if self.summary.len <= REPEATABLE_BYTES_MAX {
            self.repeatable.extend_from_slice(window.get(..self.summary.len).unwrap_or_default());
        }
    }

    /// Frees what is kept only to know the same head again, before a long time without a next one.
    pub fn forget(&mut self) {
        self.repeatable = Vec::new();
    }

    /// Whether the last head was the one before it again, but for the length of the body: each
    /// header stands where it stood.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// Parses a head of any kind, or says what is wrong with it.
    #[inline(never)]
    fn parse_any(
        &mut self,
        window: &[u8],
        start: usize,
        limits: &HeadLimits,
    ) -> Result<Progress, HeadError> {
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
        let line = RequestLine {
            method: request.method.unwrap_or_default(),
            target: request.path.unwrap_or_default(),
            version: Version::from_minor(request.version),
        };
        let method = Method::from_bytes(line.method.as_bytes()).map_err(|_| HeadError::Method)?;
        let target = Target::parse(head, line.target, &method)?;
        let framing = fields.record(head, request.headers)?;
        Self::new(head, method, target, line.version, framing)
    }

    /// A head as nearly all are written; `None` for any other, whatever it may be.
    fn of_usual(
        window: &[u8],
        start: usize,
        limits: &HeadLimits,
        fields: &mut Fields,
    ) -> Option<Self> {
        let (line, lines_at) = usual::request_line(window.get(start..)?)?;
        let headers_max = limits.headers_max.min(HEADERS_CAPACITY);
        let (framing, end) = usual::header_lines(window, start + lines_at, headers_max, fields)?;
        let head = window.get(..end)?;
        let method = Method::from_bytes(line.method.as_bytes()).ok()?;
        let target = Target::parse(head, line.target, &method).ok()?;
        Self::new(head, method, target, line.version, framing).ok()
    }

    fn new(
        head: &[u8],
        method: Method,
        target: Target,
        version: Version,
        framing: Framing,
    ) -> Result<Self, HeadError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways to read `bytes`, as text.
    fn readings(bytes: &[u8], limits: &HeadLimits) -> [String; 2] {
        let (mut quick, mut general) = (RequestHead::new(), RequestHead::new());
        let quickly = quick.parse(bytes, limits);
        let start = leading_empty_lines(window(bytes, limits)).unwrap_or_default();
        let generally = general.parse_any(window(bytes, limits), start, limits);
        [(quickly, quick), (generally, general)].map(|(verdict, head)| match verdict {
            Ok(Progress::Complete) => format!("{:?} {:?}", head.fields, head.summary),
            _ => format!("{verdict:?}"),
        })
    }

    #[test]
    fn the_quick_pass_agrees_with_the_general_parser_on_mutations() {
        let head = b"POST /v1/a?b=c HTTP/1.1\r\nHost: a:1\r\nContent-Length: 12\r\nA:\r\n\
            Connection:  close, x \r\nuser-agent: x/1.0 (y; z)\r\n\r\nbody";
        let limits = HeadLimits { headers_max: 5, ..HeadLimits::default() };
        assert!(Summary::of_usual(head, 0, &limits, &mut Fields::default()).is_some());
        let interesting = b"\r\n\t :a0/#\0\x0b\x7f\x80\xff{\\\"_";
        let mut usual = 0;
        for at in 0..head.len() {
            for byte in interesting {
                let mut changed = head.to_vec();
                changed[at] = *byte;
                let mut inserted = head.to_vec();
                inserted.insert(at, *byte);
                let mut removed = head.to_vec();
                removed.remove(at);
                for bytes in [changed, inserted, removed] {
                    if leading_empty_lines(&bytes).is_err() {
                        continue;
                    }
                    let is_usual = Summary::of_usual(&bytes, 0, &limits, &mut Fields::default());
                    usual += usize::from(is_usual.is_some());
                    let [quickly, generally] = readings(&bytes, &limits);
                    assert_eq!(quickly, generally, "{}", bytes.escape_ascii());
                }
            }
        }
        assert!(usual > 1000, "only {usual} were usual");
    }

    #[test]
    fn a_head_is_known_again_only_when_nothing_but_the_length_changed() {
        let limits = HeadLimits::default();
        let first = "POST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\nx: y\r\n\r\n";
        let reads = |head: &mut RequestHead, text: &str| {
            let (mut fresh, text) = (RequestHead::new(), text.as_bytes());
            head.clear();
            let verdict = head.parse(text, &limits);
            assert_eq!(verdict, fresh.parse(text, &limits), "{}", text.escape_ascii());
            if verdict == Ok(Progress::Complete) {
                let seen = |head: &RequestHead| format!("{:?} {:?}", head.fields, head.summary);
                assert_eq!(seen(head), seen(&fresh), "{}", text.escape_ascii());
            }
            head.is_repeated()
        };
        let mut head = RequestHead::new();
        assert!(!reads(&mut head, first));
        // A connection is looked at before anything has come.
        assert!(!reads(&mut head, ""));
        assert!(reads(&mut head, first));
        assert!(reads(&mut head, &format!("{}{{}}", first.replace("12", "34"))));
        assert!(!reads(&mut head, &first.replace("12", "345")));
        assert!(!reads(&mut head, &first.replace("12", "1x")));
        assert!(!reads(&mut head, first));
        for at in 0..first.len() {
            for byte in *b"\r\n :a0\x7f" {
                let mut changed = first.as_bytes().to_vec();
                changed[at] = byte;
                if let Ok(changed) = String::from_utf8(changed) {
                    let mut head = RequestHead::new();
                    reads(&mut head, first);
                    reads(&mut head, &changed);
                    reads(&mut head, first);
                }
            }
            let mut head = RequestHead::new();
            reads(&mut head, first);
            assert!(!reads(&mut head, &first[..at]));
        }
        assert!(reads(&mut head, first));
        head.forget();
        assert!(!reads(&mut head, first));
    }
}
