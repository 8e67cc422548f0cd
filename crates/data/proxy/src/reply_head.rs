//! The head of what the caller gets: status line, framing, and the headers every reply carries.

use std::time::Duration;

use http::StatusCode;
use net::Buffer;
use snapshot::{Allowed, Cors};
use wire::{ResponseHead, Version};

use crate::json::push_number;

/// Headers of every reply.
const SECURITY: &[u8] = b"x-frame-options: DENY\r\n\
    x-content-type-options: nosniff\r\n\
    referrer-policy: strict-origin-when-cross-origin\r\n\
    content-security-policy: frame-ancestors 'none'\r\n\
    permissions-policy: camera=(), microphone=(), geolocation=()\r\n";

/// Added where the caller came by TLS.
const STRICT_TRANSPORT: &[u8] =
    b"strict-transport-security: max-age=31536000; includeSubDomains\r\n";

/// Headers of a provider's reply that stay behind, by their length: framing, connection, credentials
/// (a redirect would lead the caller's elsewhere), and what the gateway itself writes.
const fn held_back(length: usize) -> &'static [&'static str] {
    match length {
        2 => &["te"],
        4 => &["vary"],
        6 => &["cookie"],
        7 => &["upgrade", "trailer", "api-key"],
        8 => &["trailers", "location"],
        9 => &["x-api-key"],
        10 => &["connection", "keep-alive", "set-cookie", "xi-api-key"],
        11 => &["set-cookie2"],
        12 => &["content-type"],
        13 => &["authorization", "server-timing"],
        14 => &["content-length", "x-goog-api-key"],
        15 => &["x-frame-options", "referrer-policy"],
        16 => &["content-encoding", "www-authenticate"],
        17 => &["transfer-encoding"],
        18 => &["permissions-policy"],
        22 => &["x-content-type-options"],
        23 => &["content-security-policy"],
        25 => &["strict-transport-security"],
        _ => &[],
    }
}

/// For replies to requests that came before the configuration could be looked at.
const SEND_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// What the head of a reply depends on besides the reply: the caller and its connection.
#[derive(Debug)]
pub(crate) struct ReplyContext {
    /// The caller's HTTP version; 1.0 knows no chunks.
    pub(crate) version: Version,
    /// The connection stays open for another request.
    pub(crate) keeps_alive: bool,
    /// The caller asked with HEAD: the head goes out, the body does not.
    pub(crate) is_head: bool,
    /// The caller came by TLS.
    pub(crate) is_secure: bool,
    /// `Access-Control-*` lines for the caller's origin.
    pub(crate) cors: Vec<u8>,
    /// How long the caller may take to accept what is written to it.
    pub(crate) send_timeout: Duration,
}

impl Default for ReplyContext {
    fn default() -> Self {
        Self {
            version: Version::Http11,
            keeps_alive: false,
            is_head: false,
            is_secure: false,
            cors: Vec::new(),
            send_timeout: SEND_TIMEOUT_DEFAULT,
        }
    }
}

/// How the body of a reply is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Of known length.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Up to the end of the connection.
    UntilClose,
    /// There is none.
    Empty,
}

impl ReplyContext {
    /// The framing for a body of unknown length.
    pub(crate) fn open_framing(&mut self) -> Framing {
        match self.version {
            Version::Http11 => Framing::Chunked,
            Version::Http10 => {
                self.keeps_alive = false;
                Framing::UntilClose
            }
        }
    }

    /// Writes the status line and what every reply carries; header lines may follow, then
    /// [`ReplyContext::end`].
    pub(crate) fn begin(&self, status: u16, out: &mut Buffer) {
        if status == 200 {
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            out.extend_from_slice(b"HTTP/1.1 ");
            push_number(out, u64::from(status));
            out.extend_from_slice(b" ");
            let known = StatusCode::from_u16(status).ok();
            let reason = known.and_then(|status| status.canonical_reason()).unwrap_or("Status");
            out.extend_from_slice(reason.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(SECURITY);
        if self.is_secure {
            out.extend_from_slice(STRICT_TRANSPORT);
        }
        out.extend_from_slice(&self.cors);
    }

    /// Writes the framing and the empty line.
    pub(crate) fn end(&self, framing: Framing, out: &mut Buffer) {
        match framing {
            Framing::Length(bytes) => {
                let mut digits = itoa::Buffer::new();
                push_header(out, "content-length", digits.format(bytes).as_bytes());
            }
            Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Framing::UntilClose | Framing::Empty => {}
        }
        match (self.keeps_alive, self.version) {
            (false, _) => out.extend_from_slice(b"connection: close\r\n"),
            (true, Version::Http10) => out.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, Version::Http11) => {}
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Writes a header line.
pub(crate) fn push_header(out: &mut Buffer, name: impl AsRef<[u8]>, value: &[u8]) {
    out.extend_from_slices([name.as_ref(), b": ", value, b"\r\n"]);
}

/// Copies the headers of a provider's reply that a caller may see: neighbouring lines at once, as they are.
pub(crate) fn push_forwardable(head: &ResponseHead, bytes: &[u8], out: &mut Buffer) {
    let mut lines = 0..0;
    for (_, line) in head.lines(bytes).filter(|(name, _)| is_forwardable(name)) {
        if line.start != lines.end {
            out.extend_from_slice(bytes.get(lines).unwrap_or_default());
            lines = line.start..line.start;
        }
        lines.end = line.end;
    }
    out.extend_from_slice(bytes.get(lines).unwrap_or_default());
}

/// Whether a caller may see a provider's header of that name.
pub(crate) fn is_forwardable(name: &[u8]) -> bool {
    let Some(first) = name.first().map(u8::to_ascii_lowercase) else { return false };
    let starts = |prefix: &[u8]| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let is_of_family = match first {
        b'p' => starts(b"proxy-"),
        b'a' => starts(b"access-control-"),
        _ => false,
    };
    // Most differ in their first letter already.
    let is_held = |held: &&str| {
        held.as_bytes().first() == Some(&first) && held.as_bytes().eq_ignore_ascii_case(name)
    };
    !is_of_family && !held_back(name.len()).iter().any(is_held)
}

/// The `Access-Control-*` lines for a request from `origin`; empty when it may not read replies.
pub(crate) fn cors_lines(cors: &Cors, origin: &str, requested_headers: Option<&str>) -> Vec<u8> {
    let Some(allowed) = cors.check(origin) else { return Vec::new() };
    let headers = match (cors.reflects_headers(), requested_headers) {
        (true, Some(requested)) => requested,
        _ => &cors.headers,
    };
    let mut lines = format!(
        "access-control-allow-origin: {origin}\r\n\
         access-control-allow-methods: GET, POST, PUT, DELETE, PATCH, OPTIONS, HEAD\r\n\
         access-control-allow-headers: {headers}\r\n\
         access-control-max-age: 86400\r\n\
         vary: Origin\r\n"
    );
    if allowed == Allowed::WithCredentials {
        lines.push_str("access-control-allow-credentials: true\r\n");
    }
    lines.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_under_their_length() {
        for length in 0..64 {
            assert!(held_back(length).iter().all(|name| name.len() == length), "{length}");
        }
    }

    #[test]
    fn credentials_and_framing_of_a_provider_stay_behind() {
        for name in ["Set-Cookie", "content-length", "Proxy-Authenticate", "WWW-Authenticate"] {
            assert!(!is_forwardable(name.as_bytes()), "{name}");
        }
        for name in ["x-request-id", "retry-after", "openai-processing-ms", "date"] {
            assert!(is_forwardable(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn lines_travel_as_they_are() {
        let bytes = b"HTTP/1.1 200 OK\r\nx-a: 1\r\nX-B:2\r\nserver-timing: x\r\nx-c: 3 \r\n\
            Proxy-x: 5\r\ncontent-length: 0\r\nx-d:\r\n\r\nbody";
        let mut head = ResponseHead::new();
        head.parse(bytes, &wire::HeadLimits::default()).unwrap();
        let mut out = Buffer::new();
        push_forwardable(&head, bytes, &mut out);
        let expected = "x-a: 1\r\nX-B:2\r\nx-c: 3 \r\nx-d:\r\n";
        assert_eq!(std::str::from_utf8(out.as_slice()), Ok(expected));
    }

    #[test]
    fn http_1_0_gets_its_body_up_to_the_close() {
        let mut context =
            ReplyContext { version: Version::Http10, keeps_alive: true, ..ReplyContext::default() };
        assert_eq!(context.open_framing(), Framing::UntilClose);
        assert!(!context.keeps_alive);
    }
}
