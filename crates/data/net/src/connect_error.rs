//! Why no connection to an upstream came about.

use std::fmt;
use std::io;

/// Each variant holds the text for the operator: `host:port`, where it says more followed by the cause.
/// Credentials never appear in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// Nothing listens there.
    Refused(String),
    /// The network says there is no way, or the connection broke while it was being made.
    Unreachable(String),
    /// The time for connecting, tunnel and handshake ran out.
    TimedOut(String),
    /// The name does not resolve.
    Dns(String),
    /// The TLS handshake failed.
    Tls(String),
    /// The proxy on the way refused.
    Proxy(String),
    /// `max_conns_per_host` is reached and no connection was freed in time.
    Exhausted(String),
    /// Link-local and metadata addresses are never connected to.
    LinkLocal(String),
    /// This process could not make a socket (out of descriptors, no such socket file, ...).
    Local(String),
}

impl ConnectError {
    /// Sorts an error of the operating system.
    #[cold]
    pub(crate) fn from_io(target: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused(target.to_owned()),
            io::ErrorKind::TimedOut => Self::TimedOut(target.to_owned()),
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown => Self::Unreachable(format!("{target}: {error}")),
            _ => Self::Local(format!("{target}: {error}")),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = match self {
            Self::Refused(detail) => ("connection refused", detail),
            Self::Unreachable(detail) => ("cannot be reached", detail),
            Self::TimedOut(detail) => ("connecting timed out", detail),
            Self::Dns(detail) => ("name resolution failed", detail),
            Self::Tls(detail) => ("TLS handshake failed", detail),
            Self::Proxy(detail) => ("proxy failed", detail),
            Self::Exhausted(detail) => ("all connections are in use", detail),
            Self::LinkLocal(detail) => ("link-local addresses are refused", detail),
            Self::Local(detail) => ("cannot connect", detail),
        };
        write!(formatter, "{what}: {detail}")
    }
}

impl std::error::Error for ConnectError {}
