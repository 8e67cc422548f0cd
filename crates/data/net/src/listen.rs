//! Listening sockets: one per worker and address, bound here or taken over from a predecessor.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::Settings;

/// The listening sockets of all workers.
pub(crate) struct Bound {
    /// For each worker the sockets it accepts from.
    pub(crate) per_worker: Vec<Vec<OwnedFd>>,
    /// The addresses listened on, with the real ports.
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Binds every address for every worker, reusing inherited sockets where there are some. All of them are
/// used: each has a queue of its own, and one that nobody accepted from would lose its connections.
pub(crate) fn bind(settings: &Settings) -> io::Result<Bound> {
    let workers = settings.workers.max(1);
    let mut bound =
        Bound { per_worker: (0..workers).map(|_| Vec::new()).collect(), addresses: Vec::new() };
    for address in &settings.listen {
        let sockets = sockets_for(*address, settings, workers)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        bound.addresses.extend(sockets.first().map(local_address).transpose()?);
        for (socket, owner) in sockets.into_iter().zip((0..workers).cycle()) {
            bound.per_worker[owner].push(OwnedFd::from(socket));
        }
    }
    Ok(bound)
}

fn sockets_for(
    address: SocketAddr,
    settings: &Settings,
    workers: usize,
) -> io::Result<Vec<Socket>> {
    let mut sockets = Vec::new();
    for inherited in &settings.inherited {
        if local_address(&SockRef::from(inherited)).is_ok_and(|local| local == address) {
            let socket = Socket::from(inherited.try_clone()?);
            prepare(&socket)?;
            sockets.push(socket);
        }
    }
    while sockets.len() < workers {
        let address = sockets.first().map_or(Ok(address), local_address)?;
        match listen(address, settings.backlog) {
            Ok(socket) => sockets.push(socket),
            // A socket that was bound elsewhere without SO_REUSEPORT can only be shared.
            Err(error) => match sockets.first() {
                Some(first) if !first.reuse_port()? => sockets.push(first.try_clone()?),
                _ => return Err(error),
            },
        }
    }
    Ok(sockets)
}

fn listen(address: SocketAddr, backlog: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    prepare(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket)
}

/// What connections inherit from the listening socket, so that accepting needs no further calls.
fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)
}

fn local_address(socket: &Socket) -> io::Result<SocketAddr> {
    let address = socket.local_addr()?;
    address.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))
}

/// The listening sockets once more, to pass them on to a successor.
#[derive(Clone, Debug)]
pub struct Listeners(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    sockets: Mutex<Vec<OwnedFd>>,
    is_handed_over: AtomicBool,
}

impl Listeners {
    pub(crate) fn of(bound: &Bound) -> io::Result<Self> {
        let sockets = bound.per_worker.iter().flatten().map(OwnedFd::try_clone);
        let sockets = Mutex::new(sockets.collect::<io::Result<_>>()?);
        Ok(Self(Arc::new(Shared { sockets, is_handed_over: AtomicBool::new(false) })))
    }

    /// Copies of all of them; none after the workers have closed theirs.
    pub(crate) fn duplicate(&self) -> io::Result<Vec<OwnedFd>> {
        let sockets = self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.iter().map(OwnedFd::try_clone).collect()
    }

    /// Closes these copies, so that the sockets close with those of the workers.
    pub(crate) fn close(&self) {
        self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Notes that a successor accepts from them now.
    pub(crate) fn hand_over(&self) {
        self.0.is_handed_over.store(true, Ordering::Release);
    }

    pub(crate) fn is_handed_over(&self) -> bool {
        self.0.is_handed_over.load(Ordering::Acquire)
    }
}
