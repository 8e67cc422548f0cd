//! The control plane: one thread that may wait, so that the data plane never has to.
//!
//! It answers `/health`, `/metrics` and the lists of models over a Unix socket, plays the provider
//! `mock`, publishes configurations, fetches
//! credentials, resolves names, drains the workers' events and leads the
//! process through its end. HTTP/2 to clients runs beside it, on a thread of its own.
#![forbid(unsafe_code)]

mod admin;
mod client;
mod current;
mod file;
mod landing;
mod mock;
mod models;
mod refusal;
mod reload;
mod resolve;
mod routes;
mod shutdown;
mod signals;
mod socket;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder as ThreadBuilder, JoinHandle};
use std::time::Duration;

use seam::Seam;
use telemetry::Telemetry;
use tokio::net::UnixListener;
use tokio::runtime::{Builder as RuntimeBuilder, Runtime};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use tracing::error;

pub use credentials::Credentials;
pub use file::{ConfigFile, LoadError, Loaded};
pub use shutdown::LEAVING_MAX;
pub use socket::Socket;

use models::Models;
use reload::Reloader;
use routes::Shared;
use shutdown::{Order, Orders};

/// What the control plane starts from.
#[derive(Debug)]
pub struct Settings {
    /// Shared with the data plane; the first snapshot is already published in it.
    pub seam: Seam,
    /// Where the data plane expects the control plane.
    pub socket: Socket,
    /// Looked at for changes.
    pub file: ConfigFile,
    /// What the first snapshot was built from.
    pub first: Loaded,
    /// What it was built with.
    pub builder: snapshot::Builder,
    /// The signers the builder finds; they have credentials once the control plane runs.
    pub credentials: Credentials,
    /// What is measured beyond the standard set.
    pub telemetry: telemetry::Settings,
    /// What clients are spoken to with that ask for HTTP/2 as they begin TLS.
    pub http2_tls: Option<Arc<rustls::ServerConfig>>,
    /// How long requests under way may go on after the order to end.
    pub drain: Duration,
    /// Whether SIGTERM, SIGINT and SIGHUP are taken as orders.
    pub signals: bool,
}

/// The running control plane.
#[derive(Debug)]
pub struct Supervisor {
    thread: JoinHandle<()>,
    http2: http2::Service,
    handle: Handle,
    stop: Arc<Notify>,
}

/// Gives orders from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    orders: Orders,
    reload: Arc<Notify>,
}

impl Handle {
    /// Reads the configuration again.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Ends the process once the work under way is done.
    pub fn leave(&self) {
        self.orders.give(Order::Leave);
    }

    /// The same, when a successor has the listening sockets.
    pub fn handed_over(&self) {
        self.orders.give(Order::HandedOver);
    }

    /// Ends the process at once.
    pub fn close(&self) {
        self.orders.give(Order::Close);
    }
}

impl Supervisor {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses a runtime, a thread or a signal handler.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let runtime = RuntimeBuilder::new_current_thread().enable_all().build()?;
        let handle = Handle { orders: Orders::new(), reload: Arc::default() };
        let stop = Arc::new(Notify::new());
        let http2 = http2::Service::start(settings.seam.clone(), settings.http2_tls.clone())?;
        let services = Services::new(&runtime, settings, handle.clone(), http2.handle())?;
        let stopped = Arc::clone(&stop);
        let run = move || {
            runtime.block_on(services.run(&stopped));
            // Look-ups of names that hang must not hold up the end.
            runtime.shutdown_background();
        };
        let thread = ThreadBuilder::new().name("control".to_owned()).spawn(run)?;
        Ok(Self { thread, http2, handle, stop })
    }

    /// For giving orders.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends the threads. To be called when the workers have ended: until then they need them.
    pub fn stop(self) {
        self.http2.stop();
        self.stop.notify_one();
        if self.thread.join().is_err() {
            error!("the control plane ended in a panic");
        }
    }
}

/// Everything that runs on the thread.
struct Services {
    settings: Parts,
    signals: Option<signals::Signals>,
    handle: Handle,
    shared: Arc<Shared>,
    reloader: Reloader,
    credentials: Credentials,
    listener: UnixListener,
    http2: http2::Handle,
}

/// What is left of the settings.
struct Parts {
    seam: Seam,
    drain: Duration,
    /// Held for its directory.
    _socket: Socket,
}

impl Services {
    fn new(
        runtime: &Runtime,
        settings: Settings,
        handle: Handle,
        http2: http2::Handle,
    ) -> io::Result<Self> {
        // Sockets and signal handlers register with the runtime they are made in.
        let _inside = runtime.enter();
        let listener = UnixListener::from_std(settings.socket.listener()?)?;
        let signals = if settings.signals { Some(signals::Signals::listen()?) } else { None };
        let telemetry = Telemetry::new(&settings.seam, settings.telemetry);
        let published = settings.seam.published.clone();
        let reloader = Reloader::new(settings.file, settings.first, settings.builder, published);
        let shared = Arc::new(Shared {
            current: reloader.watch(),
            telemetry: Mutex::new(telemetry),
            models: Models::default(),
            gate: admin::Gate::new(),
        });
        let Settings { seam, drain, socket, credentials, .. } = settings;
        let settings = Parts { seam, drain, _socket: socket };
        Ok(Self { settings, signals, handle, shared, reloader, credentials, listener, http2 })
    }

    /// Runs all services until `stop`.
    async fn run(self, stop: &Notify) {
        let Self { settings, signals, handle, shared, reloader, credentials, listener, http2 } =
            self;
        tokio::spawn(credentials.run());
        tokio::spawn(resolve::run(reloader.watch()));
        tokio::spawn(reloader.run(Arc::clone(&handle.reload)));
        tokio::spawn(drain_events(Arc::clone(&shared)));
        let (seam, orders) = (settings.seam.clone(), handle.orders.watch());
        tokio::spawn(shutdown::run(seam, orders, settings.drain, http2));
        if let Some(signals) = signals {
            tokio::spawn(signals.obey(handle));
        }
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes::router(shared)).await {
                error!(%error, "the control plane cannot be reached any more");
            }
        });
        stop.notified().await;
    }
}

async fn drain_events(shared: Arc<Shared>) {
    let mut ticks = interval(telemetry::DRAIN_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.telemetry.lock().unwrap_or_else(PoisonError::into_inner).drain();
    }
}
