//! How connections change planes for HTTP/2: a client's to the control plane, and from there one for each
//! stream under way back to a worker, which serves it like any other.
//!
//! The descriptor itself is handed over, so no byte is copied on the way, and a connection made inside of
//! the process says by its very existence whom it speaks for: no header can claim it.

use std::any::Any;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::Inbox;

/// The crossing in both directions.
#[derive(Clone, Debug)]
pub struct Http2 {
    /// Clients' connections, from the workers.
    pub arrivals: Inbox<Arrived>,
    /// Connections that carry streams, one inbox per worker.
    pub carried: Arc<[Inbox<Carried>]>,
    /// Clients' connections that the control plane serves now.
    pub open: Arc<AtomicUsize>,
}

/// A client's connection that turned out to speak HTTP/2.
#[derive(Debug)]
pub struct Arrived {
    /// The connection itself.
    pub socket: OwnedFd,
    /// The client's address.
    pub peer: Option<SocketAddr>,
    /// What was read from it already: the beginning of the preface, or of the TLS handshake.
    pub received: Vec<u8>,
    /// The client begins with a TLS handshake.
    pub is_tls: bool,
}

/// A connection that carries one stream after the other as HTTP/1.1.
#[derive(Debug)]
pub struct Carried {
    /// One end of a pair of sockets.
    pub socket: OwnedFd,
    /// The address of the client the streams come from.
    pub peer: Option<SocketAddr>,
    /// The client speaks TLS.
    pub is_secure: bool,
    /// Dropped with the connection, which tells the other end that the worker has let go of it.
    pub token: Box<dyn Any + Send>,
}

impl Http2 {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            arrivals: Inbox::default(),
            carried: (0..workers).map(|_| Inbox::default()).collect(),
            open: Arc::default(),
        }
    }
}
