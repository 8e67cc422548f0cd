//! Addresses of servers, checked once.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Longest URL that is accepted, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// An absolute `http` or `https` URL without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Whether TLS is spoken.
    pub scheme: Scheme,
    /// Host name in lower case, or an address (IPv6 without brackets).
    pub host: String,
    /// Port, the scheme's own where none is given.
    pub port: u16,
    /// Path with leading and without trailing slash; empty for the root.
    pub path: String,
}

/// Schemes of a [`Url`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// In clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The port where none is given.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// As in the URL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Url {
    /// Reads a URL. The error says what is wrong and does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = split_scheme(text)?;
        if rest.contains(['?', '#']) {
            return Err("must have no query and no fragment");
        }
        let uri: http::Uri = text.parse().map_err(|_| "is not a valid URL")?;
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("must not contain a user name or password");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("has no host");
        }
        let port = given_port(authority)?.unwrap_or(scheme.default_port());
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme, host: host.to_ascii_lowercase(), port, path })
    }

    /// The `Host` header: name and, where it is not the scheme's own, port.
    pub fn authority(&self) -> String {
        let brackets = self.host.contains(':');
        let host = if brackets { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether it names an address of the local link (169.254/16, fe80::/10), where clouds keep
    /// their machine credentials.
    pub(crate) fn is_link_local(&self) -> bool {
        match self.host.parse() {
            Ok(IpAddr::V4(address)) => Ipv4Addr::is_link_local(&address),
            Ok(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
                Some(mapped) => mapped.is_link_local(),
                None => address.is_unicast_link_local(),
            },
            Err(_) => false,
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.path)
    }
}

fn split_scheme(text: &str) -> Result<(Scheme, &str), &'static str> {
    if text.len() > URL_BYTES_MAX {
        return Err("is too long");
    }
    match text.split_once("://") {
        Some((name, rest)) if name.eq_ignore_ascii_case("http") => Ok((Scheme::Http, rest)),
        Some((name, rest)) if name.eq_ignore_ascii_case("https") => Ok((Scheme::Https, rest)),
        Some(_) => Err("must begin with http:// or https://"),
        None => Err("must be absolute, beginning with http:// or https://"),
    }
}

/// The port after the colon, if there is a colon.
pub(crate) fn given_port(authority: &http::uri::Authority) -> Result<Option<u16>, &'static str> {
    let is_given = authority.as_str().len() > authority.host().len();
    match authority.port_u16() {
        Some(0) => Err(WRONG_PORT),
        None if is_given => Err(WRONG_PORT),
        port => Ok(port),
    }
}

const WRONG_PORT: &str = "has a port that is not a number from 1 to 65535";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_normalised() {
        for (text, printed, authority) in [
            ("https://API.example.com", "https://api.example.com", "api.example.com"),
            ("http://localhost:8000/", "http://localhost:8000", "localhost:8000"),
            ("https://h:443/v1//", "https://h/v1", "h"),
            ("HTTP://[::1]:80/x", "http://[::1]/x", "[::1]"),
            ("http://[fe80::1]:81", "http://[fe80::1]:81", "[fe80::1]:81"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.authority().as_str()), (printed, authority));
        }
    }

    #[test]
    fn what_is_not_a_server_is_refused() {
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https:///v1",
            "https://:443",
            "https://user:secret@example.com",
            "https://example.com?x=1",
            "https://example.com/#x",
            "https://example.com:0",
            "https://example.com:99999",
            "https://example.com:",
            "https://exa mple.com",
            "https://bücher.example",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{text}: {error}");
        }
        assert!(Url::parse(&format!("https://{}", "a".repeat(URL_BYTES_MAX))).is_err());
    }

    #[test]
    fn addresses_of_the_local_link_are_known() {
        for (text, expected) in [
            ("http://169.254.169.254/latest", true),
            ("http://[fe80::1]", true),
            ("http://[::ffff:169.254.1.1]", true),
            ("http://127.0.0.1", false),
            ("http://10.0.0.1", false),
            ("http://metadata.internal", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_link_local(), expected, "{text}");
        }
    }
}
