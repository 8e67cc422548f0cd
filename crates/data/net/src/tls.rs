//! TLS settings of both sides. The handshakes and records are in [`layers`].

mod client;
mod hello;
pub(crate) mod layers;

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) use client::client_config;
pub use client::load_system_roots;

/// The only protocol spoken here.
const ALPN_HTTP_1_1: &[u8] = b"http/1.1";

/// The protocol that others may speak on a detached connection.
const ALPN_HTTP_2: &[u8] = b"h2";

/// What is needed to speak TLS to clients.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    /// Clients that offer HTTP/2 are left to somebody else.
    leaves_http2: bool,
}

/// Why a certificate, key or authority cannot be used.
#[derive(Debug)]
pub struct TlsError(String);

impl ServerTls {
    /// Takes a certificate chain, leaf first, and its private key, both in PEM.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| TlsError(format!("certificate: {error}")))?;
        if chain.is_empty() {
            return Err(TlsError("certificate: no certificate in the PEM text".to_owned()));
        }
        // The reason is left out: it may quote the key.
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| TlsError("private key: not a PEM private key".to_owned()))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| TlsError(error.to_string()))?;
        config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
        Ok(Self { config: Arc::new(config), leaves_http2: false })
    }

    /// From now on a client that offers HTTP/2 is recognised ([`crate::Connection::offers_http2`]) before
    /// TLS begins. Whoever takes the connection over goes on with the returned settings.
    pub fn leave_http2(&mut self) -> Arc<ServerConfig> {
        self.leaves_http2 = true;
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = vec![ALPN_HTTP_2.to_vec()];
        Arc::new(config)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerTls")
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// A TLS error as the error of a read or write.
#[cold]
pub(crate) fn protocol_error(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
