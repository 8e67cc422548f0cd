//! Where connections go: one upstream address with all that decides whether a pooled connection fits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::Secret;

/// An upstream that connections are made to and pooled for. Two configurations with the same
/// address, TLS and proxy settings have the same `id`, so pools outlive a reload.
#[derive(Debug)]
pub struct Endpoint {
    /// Hash of address, TLS and proxy settings: the key of connection pools.
    pub id: u64,
    /// Where to connect to (or what to ask the proxy for).
    pub address: Address,
    /// Set for `https`.
    pub tls: Option<Tls>,
    /// A proxy on the way.
    pub proxy: Option<ProxyHop>,
    /// The `Host` header: name and, where it is not the default of the scheme, port.
    pub authority: String,
    /// Most connections of the process to this endpoint (`max_conns_per_host`).
    pub connections_max: usize,
    /// Connections open now in the whole process; kept across reloads by `id`.
    pub connections_open: Arc<AtomicUsize>,
    /// Time for connect, proxy and TLS handshakes together.
    pub connect_timeout: Duration,
    /// A pooled connection unused for so long is closed.
    pub idle_timeout: Duration,
    /// A connection older than this is not put back into the pool.
    pub age_max: Duration,
}

/// Where a socket connects to.
#[derive(Debug)]
pub enum Address {
    /// A literal address.
    Ip(SocketAddr),
    /// A host name. The control plane resolves it and publishes into `resolved`.
    Name {
        /// Host name as configured.
        host: String,
        /// Port.
        port: u16,
        /// Filled and refreshed by the control plane; shared by every endpoint of the same name.
        resolved: Arc<Resolved>,
    },
    /// A Unix socket; the control plane listens on one.
    Unix(PathBuf),
}

/// What the control plane last found for a host name.
#[derive(Debug, Default)]
pub struct Resolved {
    /// `None` until the first look-up ended; `Err` holds what to tell the operator.
    pub answer: ArcSwapOption<Result<Vec<SocketAddr>, String>>,
}

/// How to speak TLS to an endpoint.
#[derive(Debug)]
pub struct Tls {
    /// Name for SNI and for checking the certificate.
    pub server_name: String,
    /// `insecure_skip_verify`.
    pub verify: bool,
    /// `ca_cert_pem`: trusted beside the system's roots.
    pub ca_pem: Option<String>,
}

/// A proxy between us and the endpoint.
#[derive(Debug)]
pub struct ProxyHop {
    /// How to speak to it.
    pub kind: ProxyKind,
    /// Where it is.
    pub address: Address,
    /// User name, where it wants one.
    pub username: Option<String>,
    /// Password, where it wants one.
    pub password: Option<Secret>,
    /// Set when the proxy itself is spoken to by TLS (`https://` proxy URL).
    pub tls: Option<Tls>,
}

/// Proxy protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyKind {
    /// `CONNECT host:port`, RFC 9110 §9.3.6.
    HttpConnect,
    /// RFC 1928, user name and password by RFC 1929.
    Socks5,
}
