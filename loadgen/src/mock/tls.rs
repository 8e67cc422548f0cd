//! The server side of TLS: reads the certificate, shakes hands, and turns a connection's bytes
//! into plain ones.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use super::limits::READ_BYTES;

/// Reads a certificate chain and its key.
pub(crate) fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let named = |path: &Path, error: String| format!("{}: {error}", path.display());
    let open = |path: &Path| {
        File::open(path).map(BufReader::new).map_err(|error| named(path, error.to_string()))
    };
    let chain = CertificateDer::pem_reader_iter(open(certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| named(certificate, error.to_string()))?;
    let private_key = PrivateKeyDer::from_pem_reader(open(key)?)
        .map_err(|error| named(key, error.to_string()))?;
    let config = ServerConfig::builder().with_no_client_auth();
    let mut config = config
        .with_single_cert(chain, private_key)
        .map_err(|error| named(certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// An established TLS session. The two halves of a connection's task take turns with it.
#[derive(Debug)]
pub(crate) struct Session {
    connection: RefCell<ServerConnection>,
}

impl Session {
    /// Shakes hands on a fresh stream.
    pub(crate) async fn accept<S>(stream: &mut S, config: Arc<ServerConfig>) -> io::Result<Self>
    where
        S: AsyncReadRent + AsyncWriteRent,
    {
        let connection = ServerConnection::new(config).map_err(io::Error::other)?;
        let session = Self { connection: RefCell::new(connection) };
        let mut buffer = Vec::with_capacity(READ_BYTES);
        while session.connection.borrow().is_handshaking() {
            let result;
            (result, buffer) = stream.read(buffer).await;
            if result? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            session.feed(&buffer)?;
            let outgoing = session.outgoing()?;
            stream.write_all(outgoing).await.0?;
        }
        Ok(session)
    }

    /// Takes in bytes from the network.
    pub(crate) fn feed(&self, mut bytes: &[u8]) -> io::Result<()> {
        let mut connection = self.connection.borrow_mut();
        while !bytes.is_empty() {
            connection.read_tls(&mut bytes)?;
            connection.process_new_packets().map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// The plain bytes that came in so far.
    pub(crate) fn received(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        // The end of the session and "nothing yet" both end this read; neither loses bytes.
        let _ = self.connection.borrow_mut().reader().read_to_end(&mut plain);
        plain
    }

    /// Turns plain bytes into bytes for the network.
    pub(crate) fn seal(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut sealed = Vec::with_capacity(plain.len() + 1024);
        let mut connection = self.connection.borrow_mut();
        let mut rest = plain;
        // The session takes in a bounded amount at a time.
        while !rest.is_empty() {
            let taken = connection.writer().write(rest)?;
            rest = rest.get(taken..).unwrap_or_default();
            while connection.wants_write() {
                connection.write_tls(&mut sealed)?;
            }
        }
        Ok(sealed)
    }

    /// The bytes that end the session in order.
    pub(crate) fn farewell(&self) -> io::Result<Vec<u8>> {
        self.connection.borrow_mut().send_close_notify();
        self.outgoing()
    }

    fn outgoing(&self) -> io::Result<Vec<u8>> {
        let mut outgoing = Vec::new();
        let mut connection = self.connection.borrow_mut();
        while connection.wants_write() {
            connection.write_tls(&mut outgoing)?;
        }
        Ok(outgoing)
    }
}
