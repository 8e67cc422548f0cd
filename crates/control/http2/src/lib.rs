//! HTTP/2 to clients: each of their streams becomes a request to a worker, so that it passes the same
//! stages as one that came by HTTP/1.1.
//!
//! A worker that finds a connection to speak HTTP/2 hands the socket over. Here the streams are taken
//! apart, and each is carried as HTTP/1.1 over a pair of sockets to the worker with the least to do. Bodies
//! stream both ways; nothing is read that cannot be passed on. A client that resets its stream has hung up
//! for the worker, and a reply that the worker cuts off is a stream that ends with an error.
//!
//! It is a thread of its own: what clients do to the protocol must not keep the rest of the control plane
//! from its work.
#![forbid(unsafe_code)]

mod connection;
mod hop;
mod limits;
mod reply;
mod request;
mod stream;

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder as ThreadBuilder, JoinHandle};

use rustls::ServerConfig;
use seam::{Arrived, Intake, Seam};
use tokio::runtime::Builder as RuntimeBuilder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tracing::error;

use limits::{CLOSE_TIME_MAX, CONNECTIONS_MAX};

/// The running service.
#[derive(Debug)]
pub struct Service {
    thread: JoinHandle<()>,
    handle: Handle,
}

/// Gives orders from any thread.
#[derive(Clone, Debug)]
pub struct Handle(watch::Sender<Order>);

/// What becomes of the connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    /// They are served.
    #[default]
    Serve,
    /// They take no new streams.
    Leave,
    /// They end with what they have to say already.
    End,
}

impl Handle {
    /// Tells all clients to open no more streams here. Those under way go on.
    pub fn leave(&self) {
        self.order(Order::Leave);
    }

    fn order(&self, order: Order) {
        self.0.send_if_modified(|standing| {
            let is_later = order > *standing;
            *standing = order.max(*standing);
            is_later
        });
    }
}

impl Service {
    /// Starts to serve the connections that workers hand over. `tls` is what clients that begin with TLS
    /// are spoken to with.
    ///
    /// # Errors
    /// When the system refuses a runtime or a thread.
    pub fn start(seam: Seam, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build()?;
        let handle = Handle(watch::Sender::default());
        let arrivals = seam.http2.arrivals.open();
        let shared = Arc::new(Shared {
            seam,
            tls: tls.map(TlsAcceptor::from),
            orders: handle.0.subscribe(),
        });
        let run = move || {
            runtime.block_on(serve(shared, arrivals));
            runtime.shutdown_background();
        };
        let thread = ThreadBuilder::new().name("http2".to_owned()).spawn(run)?;
        Ok(Self { thread, handle })
    }

    /// For giving orders.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends the thread. To be called when the workers have ended: until then streams may be under way.
    pub fn stop(self) {
        self.handle.order(Order::End);
        if self.thread.join().is_err() {
            error!("the HTTP/2 service ended in a panic");
        }
    }
}

/// What all connections share.
struct Shared {
    seam: Seam,
    tls: Option<TlsAcceptor>,
    orders: watch::Receiver<Order>,
}

impl Shared {
    /// Connections served now.
    fn open(&self) -> usize {
        self.seam.http2.open.load(Ordering::Relaxed)
    }
}

/// Waits for `order`, or a later one. The future keeps its own place among the orders.
fn ordered(
    orders: &watch::Receiver<Order>,
    order: Order,
) -> impl Future<Output = ()> + Send + 'static {
    let mut orders = orders.clone();
    async move {
        // Without a sender nobody could order anything else but to end.
        let _ = orders.wait_for(|standing| *standing >= order).await;
    }
}

/// Takes connections until the order to end, and lets them end.
async fn serve(shared: Arc<Shared>, arrivals: Intake<Arrived>) {
    let mut served = JoinSet::new();
    let mut over = pin!(ordered(&shared.orders, Order::End));
    loop {
        tokio::select! {
            arrived = poll_fn(|context| arrivals.poll_next(context)) => {
                // Where there is no room the connection is closed.
                if let Some(open) = Open::take(&shared) {
                    served.spawn(connection::serve(Arc::clone(&shared), arrived, open));
                }
            }
            Some(_) = served.join_next() => {}
            () = &mut over => break,
        }
    }
    drop(arrivals);
    let all = async { while served.join_next().await.is_some() {} };
    let _ = timeout(CLOSE_TIME_MAX, all).await;
}

/// One of the connections there may be, given back on drop.
struct Open(Arc<AtomicUsize>);

impl Open {
    /// Takes one if the limit leaves one.
    fn take(shared: &Shared) -> Option<Self> {
        let one_more = |open: usize| (open < CONNECTIONS_MAX).then_some(open + 1);
        let open = &shared.seam.http2.open;
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self(Arc::clone(open)))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
