//! The way to a worker: connections inside of the process that carry one stream after the other.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use seam::{Carried, Inbox, Seam};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use crate::limits::{HOP_BUFFER_BYTES_MAX, HOP_HEADERS_MAX, HOP_IDLE_MAX, LINGER_MAX};
use crate::request::RequestBody;

/// The ways to the workers for the streams of one client.
pub(crate) struct Hops {
    seam: Seam,
    peer: Option<SocketAddr>,
    is_secure: bool,
    idle_max: Duration,
    /// Used from the end.
    idle: Mutex<Vec<Hop>>,
}

impl Hops {
    /// For a client at `peer`. `keep_alive` is how long workers let a client idle.
    pub(crate) fn new(
        seam: Seam,
        peer: Option<SocketAddr>,
        is_secure: bool,
        keep_alive: Duration,
    ) -> Self {
        let idle_max = HOP_IDLE_MAX.min(keep_alive / 2);
        Self { seam, peer, is_secure, idle_max, idle: Mutex::default() }
    }

    /// The hop used last that is still good, or a new one.
    ///
    /// # Errors
    /// When the workers take nothing more, or the process is out of descriptors.
    pub(crate) async fn take(&self) -> io::Result<Hop> {
        match self.take_idle() {
            Some(hop) => Ok(hop),
            None => self.open().await,
        }
    }

    /// Keeps `hop` for the next stream, if it can carry one.
    pub(crate) async fn put(&self, mut hop: Hop) {
        if !hop.is_good() {
            return hop.abandon().await;
        }
        hop.used_at = Instant::now();
        self.idle().push(hop);
    }

    fn take_idle(&self) -> Option<Hop> {
        let mut idle = self.idle();
        idle.retain(|hop| hop.used_at.elapsed() < self.idle_max);
        while let Some(mut hop) = idle.pop() {
            if hop.is_good() {
                return Some(hop);
            }
        }
        None
    }

    async fn open(&self) -> io::Result<Hop> {
        let (ours, theirs) = StdUnixStream::pair()?;
        let (token, released) = oneshot::channel();
        let carried = Carried {
            socket: theirs.into(),
            peer: self.peer,
            is_secure: self.is_secure,
            token: Box::new(token),
        };
        let inbox = self.least_busy().ok_or(io::ErrorKind::NotConnected)?;
        inbox.put(carried).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        ours.set_nonblocking(true)?;
        let stream = TokioIo::new(UnixStream::from_std(ours)?);
        let (sender, connection) = Builder::new()
            .max_buf_size(HOP_BUFFER_BYTES_MAX)
            .max_headers(HOP_HEADERS_MAX)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let used_at = Instant::now();
        Ok(Hop { sender, connection, is_over: false, used_at, released })
    }

    /// The worker with the fewest requests under way.
    fn least_busy(&self) -> Option<&Inbox<Carried>> {
        let inboxes = self.seam.http2.carried.iter().zip(self.seam.stats.iter());
        let least = inboxes.min_by_key(|(_, stats)| stats.requests_active.load(Ordering::Relaxed));
        least.map(|(inbox, _)| inbox)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Hop>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection to a worker. It moves on only while something is awaited through [`Hop::drive`].
pub(crate) struct Hop {
    sender: SendRequest<RequestBody>,
    connection: Connection<TokioIo<UnixStream>, RequestBody>,
    /// The connection has ended.
    is_over: bool,
    used_at: Instant,
    /// Ends when the worker has let go of its end.
    released: oneshot::Receiver<()>,
}

impl Hop {
    /// Sends `request` and waits for the head of the reply, while the body of the request follows.
    pub(crate) async fn ask(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let answer = self.sender.send_request(request);
        self.drive(answer).await
    }

    /// Awaits `work` while the connection moves on.
    pub(crate) async fn drive<F: Future>(&mut self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            self.advance(context);
            work.as_mut().poll(context)
        })
        .await
    }

    fn advance(&mut self, context: &mut Context<'_>) {
        if !self.is_over {
            // What has failed shows in the reply.
            self.is_over = Pin::new(&mut self.connection).poll(context).is_ready();
        }
    }

    /// Whether it can carry a stream now.
    fn is_good(&mut self) -> bool {
        self.advance(&mut Context::from_waker(Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }

    /// Closes the connection and waits until the worker has noticed and let go of its end.
    pub(crate) async fn abandon(self) {
        let Self { sender, connection, released, .. } = self;
        drop((sender, connection));
        let _ = timeout(LINGER_MAX, released).await;
    }
}
