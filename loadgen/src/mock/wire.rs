//! The writing side of a connection: plain or TLS, and the ways to end it.

use std::io;
use std::os::fd::RawFd;

use bytes::Bytes;
use monoio::io::{AsyncWriteRent, AsyncWriteRentExt};

use super::fault::Farewell;
use super::socket;
use super::tls::Session;

/// Writes to one connection.
pub(crate) struct Wire<'a, W> {
    pub(crate) stream: W,
    /// Descriptor of `stream`.
    pub(crate) descriptor: RawFd,
    pub(crate) session: Option<&'a Session>,
}

impl<W: AsyncWriteRent> Wire<'_, W> {
    /// Writes all of `bytes`.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        match self.session {
            None => self.stream.write_all(bytes).await.0?,
            Some(session) => self.stream.write_all(session.seal(&bytes)?).await.0?,
        };
        Ok(())
    }

    /// Ends the connection in order. Of TLS too, so that the end is no truncation.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        if let Some(session) = self.session {
            self.stream.write_all(session.farewell()?).await.0?;
        }
        self.stream.shutdown().await
    }

    /// Ends the connection as a fault wants it; of TLS nothing is said.
    pub(crate) async fn abandon(&mut self, farewell: Farewell) -> io::Result<()> {
        match farewell {
            Farewell::Fin => self.stream.shutdown().await,
            Farewell::Rst => socket::reset(self.descriptor),
        }
    }
}
