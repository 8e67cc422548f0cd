//! Why a run could not be made.

use std::fmt::{self, Display, Formatter};
use std::io;
use std::net::SocketAddr;

/// Ends a run; the message says what to change.
#[derive(Debug)]
pub(crate) enum RigError {
    /// The plan cannot be carried out.
    Plan(String),
    /// The operating system refused something the rig needs.
    System {
        /// What was tried, as in "cannot bind 127.0.0.1:80".
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A target did not answer as it must before recording begins.
    Target {
        /// The target's name.
        name: String,
        /// Where it was sought.
        address: SocketAddr,
        /// What it did instead, with the beginning of its answer.
        problem: String,
    },
}

impl RigError {
    /// For `map_err`: puts what was tried before what the system said.
    pub(crate) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |source| Self::System { what: what.into(), source: source.into() }
    }
}

impl Display for RigError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(problem) => formatter.write_str(problem),
            Self::System { what, source } => write!(formatter, "{what}: {source}"),
            Self::Target { name, address, problem } => {
                write!(formatter, "target {name} at {address} {problem}")
            }
        }
    }
}

impl std::error::Error for RigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            Self::Plan(_) | Self::Target { .. } => None,
        }
    }
}
