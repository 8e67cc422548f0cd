//! How a client begins TLS: whether it would rather speak HTTP/2.

use rustls::server::Acceptor;

use super::ALPN_HTTP_2;
use crate::Buffer;

/// The beginning of a handshake, kept until its first message is whole. The reader of that message limits
/// how long it may be.
#[derive(Default)]
pub(crate) struct Hello {
    acceptor: Acceptor,
    records: Buffer,
    offer: Offer,
}

/// What a client offers to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It has not said all of it.
    #[default]
    Unclear,
    /// HTTP/2, and perhaps more.
    Http2,
    /// Something else, or nothing that can be read; the session will say what is wrong with it.
    Other,
}

impl Hello {
    /// Reads on in what came from the socket.
    pub(crate) fn add(&mut self, records: Buffer) {
        let mut unread = records.as_slice();
        while self.offer == Offer::Unclear && !unread.is_empty() {
            self.offer = self.read(&mut unread);
        }
        if self.records.is_empty() {
            self.records = records;
        } else {
            self.records.extend_from_slice(records.as_slice());
        }
    }

    fn read(&mut self, unread: &mut &[u8]) -> Offer {
        if !matches!(self.acceptor.read_tls(unread), Ok(1..)) {
            return Offer::Other;
        }
        match self.acceptor.accept() {
            Ok(None) => Offer::Unclear,
            Ok(Some(accepted)) => {
                let offered = accepted.client_hello().alpn();
                let is_http2 =
                    offered.is_some_and(|mut names| names.any(|name| name == ALPN_HTTP_2));
                if is_http2 { Offer::Http2 } else { Offer::Other }
            }
            Err(_) => Offer::Other,
        }
    }

    pub(crate) fn offer(&self) -> Offer {
        self.offer
    }

    /// Everything that came from the socket.
    pub(crate) fn into_records(self) -> Buffer {
        self.records
    }
}
