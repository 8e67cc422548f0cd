//! Immutable lookup tables, built from the configuration and swapped in whole.
#![forbid(unsafe_code)]

mod endpoint;

pub use config::Secret;
pub use endpoint::{Address, Endpoint, ProxyHop, ProxyKind, Resolved, Tls};
