//! The address the rig's own upstream accepts on.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};

use super::error::RigError;
use super::limits::ACCEPT_BACKLOG;

/// A listening socket. Clones share it, and several runs may use it one after the other: what
/// connects in between waits in its backlog.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    socket: Arc<TcpListener>,
    address: SocketAddr,
}

impl Listener {
    /// Binds; port 0 takes a free one.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, RigError> {
        let failed = || format!("cannot listen on {address}");
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None)
            .map_err(RigError::system(failed()))?;
        set_socket_reuseaddr(&socket, true).map_err(RigError::system(failed()))?;
        bind(&socket, &address).map_err(RigError::system(failed()))?;
        listen(&socket, ACCEPT_BACKLOG).map_err(RigError::system(failed()))?;
        let socket = TcpListener::from(socket);
        let address = socket.local_addr().map_err(RigError::system(failed()))?;
        Ok(Self { socket: Arc::new(socket), address })
    }

    /// Where it is reached.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
