//! Accepts connections until the worker drains, through everything the kernel may refuse meanwhile.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use seam::{Carried, Intake as Carriage, Stage};
use socket2::SockRef;

use crate::listen::Listeners;
use crate::placement::{Arrival, Intake, Placement};
use crate::runtime::{Interest, Watch};
use crate::worker::{self, Worker, raise};
use crate::{Connection, ServerTls, Service, system};

/// Connections accepted before the others of the worker get their turn.
const BATCH_MAX: usize = 64;

/// Pause after the kernel had no descriptor or memory for a connection. It stays queued meanwhile.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(50);

/// What accepted connections become.
pub(crate) struct Acceptor<S> {
    pub(crate) worker: Rc<Worker>,
    pub(crate) service: Rc<S>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) connections_max: usize,
    pub(crate) listeners: Listeners,
    /// `None` where there is only one worker.
    pub(crate) placement: Option<Arc<Placement>>,
}

/// Why a batch ended.
enum Batch {
    /// The queue is empty.
    Empty,
    /// There may be more.
    Full,
    /// The system is short of descriptors or memory.
    Shortage,
}

impl<S: Service> Acceptor<S> {
    /// Accepts from `listener` until the worker drains.
    pub(crate) async fn run(self: Rc<Self>, listener: OwnedFd) {
        let Ok(watch) = Watch::new(&listener, Interest::Readable) else {
            self.worker.stats(|stats| raise(&stats.accept_failures));
            return;
        };
        while self.worker.stage() < Stage::Draining {
            match self.accept_batch(&listener) {
                Batch::Empty => self.wait(&watch).await,
                Batch::Full => worker::yield_now().await,
                Batch::Shortage => worker::sleep(SHORTAGE_PAUSE).await,
            }
        }
        drop(watch);
        self.finish(&listener);
    }

    /// Waits for connections, or until the worker drains.
    async fn wait(&self, watch: &Watch) {
        let mut ready = pin!(watch.ready());
        let mut draining = pin!(self.worker.reached(Stage::Draining));
        std::future::poll_fn(|context| match draining.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => ready.as_mut().poll(context),
        })
        .await;
    }

    fn accept_batch(&self, listener: &impl AsRawFd) -> Batch {
        for _ in 0..BATCH_MAX {
            match accept(listener) {
                Ok(arrival) => self.place(arrival),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Batch::Empty,
                Err(error) => {
                    self.worker.stats(|stats| raise(&stats.accept_failures));
                    if is_shortage(&error) {
                        return Batch::Shortage;
                    }
                    // The rest are about the one connection, which has gone.
                }
            }
        }
        Batch::Full
    }

    /// Takes what is queued already, unless a successor will: closing the socket would reset it.
    fn finish(&self, listener: &impl AsRawFd) {
        if self.listeners.is_handed_over() {
            return;
        }
        self.listeners.close();
        while let Batch::Full = self.accept_batch(listener) {}
    }

    /// Serves the connections that other workers hand over, until the worker drains.
    pub(crate) async fn take_over(self: Rc<Self>, intake: Intake) {
        let mut draining = pin!(self.worker.reached(Stage::Draining));
        loop {
            let next = std::future::poll_fn(|context| match draining.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => intake.poll_next(context),
            });
            match next.await {
                Some(arrival) => self.serve(arrival),
                None => break,
            }
        }
        intake.close().into_iter().for_each(|arrival| self.serve(arrival));
    }

    /// Serves connections made inside of the process as if they had been accepted, until the worker ends.
    pub(crate) async fn adopt(self: Rc<Self>, intake: Carriage<Carried>) {
        loop {
            let carried = std::future::poll_fn(|context| intake.poll_next(context)).await;
            self.admit(|| {
                let connection = Connection::new(carried.socket, carried.peer)?;
                Ok(connection.carried(carried.is_secure, carried.token))
            });
        }
    }

    fn place(&self, arrival: Arrival) {
        let kept = match &self.placement {
            Some(placement) => placement.hand_over(self.worker.index(), arrival),
            None => Some(arrival),
        };
        if let Some(arrival) = kept {
            self.serve(arrival);
        }
    }

    fn serve(&self, Arrival { socket, peer }: Arrival) {
        self.admit(|| {
            let connection = Connection::new(socket, peer)?;
            match &self.tls {
                Some(tls) => connection.with_server_tls(tls),
                None => Ok(connection),
            }
        });
    }

    /// Serves the connection that `make` makes, if there is room for one more.
    fn admit(&self, make: impl FnOnce() -> io::Result<Connection>) {
        if self.worker.serving() >= self.connections_max {
            self.worker.stats(|stats| raise(&stats.connections_refused));
            return;
        }
        let Ok(connection) = make() else {
            self.worker.stats(|stats| raise(&stats.accept_failures));
            return;
        };
        let connection = connection.counted(self.worker.begin_serving());
        worker::spawn(Rc::clone(&self.service).serve(connection));
    }
}

fn accept(listener: &impl AsRawFd) -> io::Result<Arrival> {
    let (socket, peer) = SockRef::from(&system::borrow(listener)).accept()?;
    let peer = peer.as_socket().map(|peer| SocketAddr::new(peer.ip().to_canonical(), peer.port()));
    Ok(Arrival { socket: OwnedFd::from(socket), peer })
}

fn is_shortage(error: &io::Error) -> bool {
    let shortages = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| shortages.contains(&code))
}
