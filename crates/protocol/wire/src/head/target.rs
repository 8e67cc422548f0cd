//! The request target and the host it is meant for.

use http::Method;

use super::{HeadError, error::is_visible_ascii, fields::Span};

/// A checked request target as spans into the head.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Target {
    whole: Span,
    /// `None` if a URL has no path, which means `/`.
    path: Option<Span>,
    query: Option<Span>,
    authority: Option<Span>,
    default_port: &'static str,
}

impl Target {
    /// Checks `target`, which is part of `head`.
    pub(super) fn parse(head: &[u8], target: &str, method: &Method) -> Result<Self, HeadError> {
        if !is_visible_ascii(target.as_bytes()) {
            return Err(HeadError::TargetByte);
        }
        if memchr::memchr(b'#', target.as_bytes()).is_some() {
            return Err(HeadError::TargetFragment);
        }
        if method == Method::CONNECT {
            return Err(HeadError::ConnectMethod);
        }
        let parsed = match target.as_bytes() {
            [b'/', ..] => Self::default().with_path(head, target),
            b"*" if method == Method::OPTIONS => Self::default().with_path(head, target),
            _ => Self::parse_url(head, target)?,
        };
        Ok(Self { whole: Span::of(head, target.as_bytes()), ..parsed })
    }

    fn parse_url(head: &[u8], target: &str) -> Result<Self, HeadError> {
        let (scheme, rest) = target.split_once("://").ok_or(HeadError::TargetForm)?;
        let default_port = if scheme.eq_ignore_ascii_case("http") {
            "80"
        } else if scheme.eq_ignore_ascii_case("https") {
            "443"
        } else {
            return Err(HeadError::TargetForm);
        };
        let authority_len = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(authority_len);
        if authority.contains('@') {
            return Err(HeadError::TargetUserInformation);
        }
        if !is_host(authority.as_bytes()) {
            return Err(HeadError::TargetForm);
        }
        let authority = Some(Span::of(head, authority.as_bytes()));
        Ok(Self { authority, default_port, ..Self::default() }.with_path(head, rest))
    }

    fn with_path(self, head: &[u8], path_and_query: &str) -> Self {
        let (path, query) = match memchr::memchr(b'?', path_and_query.as_bytes()) {
            Some(mark) => (&path_and_query[..mark], Some(&path_and_query[mark + 1..])),
            None => (path_and_query, None),
        };
        let span = |part: &str| Span::of(head, part.as_bytes());
        Self {
            path: Some(path).filter(|path| !path.is_empty()).map(span),
            query: query.map(span),
            ..self
        }
    }

    /// The host the request is for: that of the URL, with which the `Host` header must agree.
    pub(super) fn host(
        &self,
        head: &[u8],
        header: Option<Span>,
    ) -> Result<Option<Span>, HeadError> {
        if header.is_some_and(|host| !is_host(host.read(head))) {
            return Err(HeadError::MalformedHost);
        }
        let Some(authority) = self.authority else { return Ok(header) };
        let same = header.is_none_or(|host| {
            let port = self.default_port;
            without_port(authority.read(head), port)
                .eq_ignore_ascii_case(without_port(host.read(head), port))
        });
        if same { Ok(Some(authority)) } else { Err(HeadError::HostMismatch) }
    }

    pub(super) fn whole<'b>(&self, buf: &'b [u8]) -> &'b str {
        self.whole.read_ascii(buf)
    }

    pub(super) fn path<'b>(&self, buf: &'b [u8]) -> &'b str {
        self.path.map_or("/", |path| path.read_ascii(buf))
    }

    pub(super) fn query<'b>(&self, buf: &'b [u8]) -> Option<&'b str> {
        self.query.map(|query| query.read_ascii(buf))
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`, of the characters RFC 3986 §3.2.2 allows.
fn is_host(host: &[u8]) -> bool {
    let (name_is_valid, rest) = match host {
        [b'[', rest @ ..] => match memchr::memchr(b']', rest) {
            Some(end) => (is_address(&rest[..end]), &rest[end + 1..]),
            None => (false, rest),
        },
        _ => {
            let name_len = memchr::memchr(b':', host).unwrap_or(host.len());
            let (name, rest) = host.split_at(name_len);
            (is_name(name), rest)
        }
    };
    name_is_valid && is_port(rest)
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| is_name_byte(*byte))
}

/// The comma, by which lists are separated, is a legal character of names too. No real name has
/// one, so it is refused.
fn is_name_byte(byte: u8) -> bool {
    matches!(
        byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9'
            | b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\''
            | b'(' | b')' | b'*' | b'+' | b';' | b'='
    )
}

fn is_address(address: &[u8]) -> bool {
    let is_valid = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    !address.is_empty() && address.iter().all(is_valid)
}

/// Nothing, or a colon and at most five digits.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The authority without its port where that is empty or the scheme's own.
fn without_port<'a>(authority: &'a [u8], default_port: &str) -> &'a [u8] {
    let name = authority.strip_suffix(default_port.as_bytes()).unwrap_or(authority);
    name.strip_suffix(b":").unwrap_or(authority)
}
