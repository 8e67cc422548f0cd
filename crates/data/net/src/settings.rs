//! What the workers are started with.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use seam::{Carried, Inbox};

use crate::{Budget, ServerTls};

/// How to listen, with how many threads, and what each may hold.
#[derive(Debug)]
pub struct Settings {
    /// Addresses to listen on. Port 0 takes a free one; `[::]` serves IPv4 too.
    pub listen: Vec<SocketAddr>,
    /// Connections the kernel keeps waiting for each listening socket.
    pub backlog: u32,
    /// Set to speak TLS to clients.
    pub tls: Option<ServerTls>,
    /// Threads, each with its own runtime, listeners, pools and buffers. At least one is started.
    pub workers: usize,
    /// Cores to bind the threads to, in turn; `None` leaves it to the kernel.
    pub pin_cores: Option<Vec<usize>>,
    /// How to ask the kernel for I/O.
    pub driver: Driver,
    /// Submission queue entries of each ring.
    pub ring_entries: u32,
    /// Size of a pooled buffer in bytes; rounded up to whole pages.
    pub buffer_bytes: usize,
    /// Pooled buffers per worker. They cost address space only until they are used. Beside them are
    /// smaller ones, for requests that wait, that take as much again at most.
    pub buffers: usize,
    /// What buffers beyond the pools may take in the whole process.
    pub budget: Arc<Budget>,
    /// Client connections per worker; further ones are accepted and closed at once.
    pub connections_max: usize,
    /// How long a worker with nothing to do keeps asking for completions before it sleeps; `None` sleeps at
    /// once. Halves the added latency at low load and costs a whole core.
    pub busy_poll: Option<Duration>,
    /// Connections made inside of the process, with an inbox for each worker; served like those of clients.
    pub carried: Arc<[Inbox<Carried>]>,
    /// Listening sockets taken over from a predecessor or received from the service manager.
    /// Those whose address is not in `listen` are closed.
    pub inherited: Vec<OwnedFd>,
}

/// The kernel interface for I/O.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// io_uring where the kernel allows it, else epoll.
    Auto,
    /// io_uring, or the start fails.
    IoUring,
    /// epoll.
    Epoll,
}

impl Default for Settings {
    /// One worker on a free loopback port.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            backlog: 4096,
            tls: None,
            workers: 1,
            pin_cores: None,
            driver: Driver::Auto,
            ring_entries: 1024,
            buffer_bytes: 16 * 1024,
            buffers: 1024,
            budget: Arc::new(Budget::new(256 * 1024 * 1024)),
            connections_max: 65_536,
            busy_poll: None,
            carried: Arc::default(),
            inherited: Vec::new(),
        }
    }
}
