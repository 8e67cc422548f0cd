//! One connection's socket and the bytes it has not taken yet.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_reuseaddr, set_tcp_nodelay, socket_error,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, accept_with, bind, connect, recv,
    send, socket_with,
};

/// A non-blocking TCP connection.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    /// What could not be written at once: at most the message in hand.
    unsent: Vec<u8>,
    unsent_from: usize,
}

/// How a connection is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// The address it comes from; `None`: the kernel's choice.
    pub source: Option<Ipv4Addr>,
    /// Size of the receive buffer; `None`: the kernel's choice.
    pub receive_buffer_bytes: Option<usize>,
}

impl Socket {
    /// Begins to connect; writable once it has.
    pub(crate) fn connect(address: SocketAddr, origin: Origin) -> io::Result<Self> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(family, SocketType::STREAM, flags, None)?;
        set_tcp_nodelay(&fd, true)?;
        if let Some(bytes) = origin.receive_buffer_bytes {
            set_socket_recv_buffer_size(&fd, bytes)?;
        }
        if let Some(source) = origin.source {
            set_socket_reuseaddr(&fd, true)?;
            bind(&fd, &SocketAddr::new(IpAddr::V4(source), 0))?;
        }
        match connect(&fd, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(Self::new(fd)),
            Err(error) => Err(error.into()),
        }
    }

    /// The next connection somebody made to the listener; `None`: there is none.
    pub(crate) fn accept(listener: impl AsFd) -> io::Result<Option<Self>> {
        match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(fd) => {
                set_tcp_nodelay(&fd, true)?;
                Ok(Some(Self::new(fd)))
            }
            // The latter: it was gone before we came.
            Err(Errno::AGAIN | Errno::CONNABORTED) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn new(fd: OwnedFd) -> Self {
        Self { fd, unsent: Vec::new(), unsent_from: 0 }
    }

    /// Why connecting failed, if it did.
    pub(crate) fn failure(&self) -> io::Result<()> {
        Ok(socket_error(&self.fd)??)
    }

    /// Sends, and keeps what the kernel does not take for `flush`.
    #[inline]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let taken = if self.is_blocked() { 0 } else { self.offer(bytes)? };
        if taken < bytes.len() {
            self.keep(&bytes[taken..]);
        }
        Ok(())
    }

    /// Sends what was kept. Whether nothing is left.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        while self.is_blocked() {
            let taken = self.offer(&self.unsent[self.unsent_from..])?;
            if taken == 0 {
                return Ok(false);
            }
            self.unsent_from += taken;
        }
        self.unsent.clear();
        self.unsent_from = 0;
        Ok(true)
    }

    /// Whether bytes wait for the kernel to take them.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.unsent_from < self.unsent.len()
    }

    /// Bytes read, zero at the end of the stream; `None`: nothing there yet.
    #[inline]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match recv(&self.fd, buffer, RecvFlags::empty()) {
            Ok((count, _)) => Ok(Some(count)),
            Err(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn offer(&self, bytes: &[u8]) -> io::Result<usize> {
        match send(&self.fd, bytes, SendFlags::NOSIGNAL) {
            Ok(count) => Ok(count),
            Err(Errno::AGAIN) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    #[cold]
    fn keep(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
