//! Why the gateway did not start, and what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use supervisor::LoadError;

use crate::ProfileError;

/// Why the gateway did not start.
#[derive(Debug)]
pub enum StartError {
    /// The tuning profile cannot be used.
    Profile(ProfileError),
    /// The configuration cannot be used.
    Config(LoadError),
    /// The host to listen on has no address.
    Host {
        /// As given.
        host: String,
        /// Why.
        error: io::Error,
    },
    /// Someone else listens there.
    AddressInUse(SocketAddr),
    /// The addresses cannot be listened on, or the workers not be started.
    Listen(io::Error),
    /// A certificate or private key cannot be used.
    Tls {
        /// The file, where it is one.
        path: Option<PathBuf>,
        /// Why.
        reason: String,
    },
    /// The control plane cannot be started.
    Control(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(error) => error.fmt(f),
            Self::Config(error) => error.fmt(f),
            Self::Host { host, error } => write!(f, "cannot listen on {host}: {error}"),
            Self::AddressInUse(address) => {
                let port = address.port();
                write!(
                    f,
                    "port {port} is in use: another process listens on {address}. Stop it, or \
                     choose another port with -port"
                )
            }
            Self::Listen(error) => write!(f, "cannot start the workers: {error}"),
            Self::Tls { path: Some(path), reason } => {
                write!(f, "server.tls: {}: {reason}", path.display())
            }
            Self::Tls { path: None, reason } => write!(f, "server.tls: {reason}"),
            Self::Control(error) => write!(f, "cannot start the control plane: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
