//! Starts both planes in order and ends them in order.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use net::handover::{self, Guard, Successor};
use net::{ServerTls, Settings, Workers};
use seam::{Published, Seam};
use snapshot::{Builder, Snapshot};
use supervisor::{ConfigFile, Credentials, Loaded, Socket, Supervisor};
use tracing::{info, warn};

use crate::overview::{self, Overview};
use crate::profile::find_profile;
use crate::{Options, StartError, listen, worker_settings};

/// A running gateway.
#[derive(Debug)]
pub struct Gateway {
    workers: Workers,
    supervisor: Supervisor,
    overview: Overview,
    /// Serves a successor; none without a fixed port or a place for its socket.
    _successors: Option<Guard>,
}

impl Gateway {
    /// Starts everything and returns once callers are served. A gateway that already runs in the
    /// same directory on the same port hands its sockets over and ends.
    ///
    /// # Errors
    /// When the configuration has mistakes or the system refuses something; nothing runs then.
    pub fn start(options: Options) -> Result<Self, StartError> {
        prepare_process(&options);
        let file = config_file(&options)?;
        let first = file.load().map_err(StartError::Config)?;
        let predecessor = Predecessor::find(&options);
        let took_over = predecessor.successor.is_some();
        let plan = plan(&options, &first, predecessor.sockets)?;
        let (workers, supervisor, overview) = start_planes(&options, file, first, plan)?;
        if let Some(successor) = predecessor.successor {
            relieve(successor);
        }
        let successors = serve_successors(&options, &workers, &supervisor);
        let overview = Overview { took_over, ..overview };
        info!(addresses = ?overview.addresses, "successfully started bifrost");
        Ok(Self { workers, supervisor, overview, _successors: successors })
    }

    /// Where it listens, with the real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.overview.addresses
    }

    /// What was started.
    pub fn overview(&self) -> &Overview {
        &self.overview
    }

    /// Reads the configuration again. A file with mistakes changes nothing; they are logged.
    pub fn reload(&self) {
        self.supervisor.handle().reload();
    }

    /// Waits until it has ended, by a signal or because a successor took over.
    ///
    /// # Errors
    /// When the system serves a worker no more: then all of it ends at once.
    pub fn wait(self) -> io::Result<()> {
        let served = self.workers.join();
        // Only now: the workers relay to the control plane until their last request.
        self.supervisor.stop();
        served
    }

    /// Ends it in peace: what is under way may go on for `server.drain_seconds`.
    ///
    /// # Errors
    /// As for [`Self::wait`].
    pub fn stop(self) -> io::Result<()> {
        self.supervisor.handle().leave();
        self.wait()
    }
}

/// What the workers are started with, and what the data plane starts from.
struct Plan {
    settings: Settings,
    socket: Socket,
    credentials: Credentials,
    builder: Builder,
    snapshot: Snapshot,
}

fn plan(options: &Options, first: &Loaded, inherited: Vec<OwnedFd>) -> Result<Plan, StartError> {
    let addresses = listen::addresses(&options.host, options.port, !inherited.is_empty())?;
    let settings = worker_settings::settings(options, &first.config, addresses, inherited)?;
    let socket = Socket::bind(&socket_parents(options)).map_err(StartError::Control)?;
    let credentials = Credentials::new();
    let signers = Box::new(credentials.clone());
    let mut builder = Builder::with_signers(socket.path().to_owned(), signers);
    let snapshot = builder.build(&first.config);
    Ok(Plan { settings, socket, credentials, builder, snapshot })
}

/// The control plane first: the workers answer as soon as they run.
fn start_planes(
    options: &Options,
    file: ConfigFile,
    first: Loaded,
    plan: Plan,
) -> Result<(Workers, Supervisor, Overview), StartError> {
    let Plan { mut settings, socket, credentials, builder, snapshot } = plan;
    if needs_system_roots(&snapshot) {
        net::load_system_roots();
    }
    let seam = Seam::new(Published::new(snapshot), settings.workers);
    settings.carried = Arc::clone(&seam.http2.carried);
    let http2_tls = settings.tls.as_mut().map(ServerTls::leave_http2);
    let (config, path) = (first.config.clone(), file.path.clone());
    let supervisor = Supervisor::start(supervisor::Settings {
        seam: seam.clone(),
        socket,
        file,
        first,
        builder,
        credentials,
        http2_tls,
        telemetry: telemetry::Settings { overhead_breakdown: options.overhead_breakdown },
        drain: config.server.drain,
        signals: options.signals,
    })
    .map_err(StartError::Control)?;
    let (is_tls, threads) = (settings.tls.is_some(), settings.workers);
    let (stop, stats) = (seam.stop.clone(), seam.stats.clone());
    let make = move |worker| proxy::Worker::new(worker, &seam);
    let workers = match Workers::start(settings, stop, stats, make) {
        Ok(workers) => workers,
        Err(error) => {
            supervisor.stop();
            return Err(StartError::Listen(error));
        }
    };
    let providers = overview::providers(&config);
    let overview = Overview {
        addresses: workers.addresses().to_vec(),
        is_tls,
        workers: threads,
        driver: driver_name(workers.driver()),
        driver_note: workers.driver_note().map(str::to_owned),
        took_over: false,
        file: path,
        source: config.source,
        profile: config.profile.map(|from| overview::in_force(from, options)),
        providers,
        warnings: config.warnings,
        inactive: config.inactive,
    };
    Ok((workers, supervisor, overview))
}

/// Best effort: the gateway runs with less, though not with as many connections.
fn prepare_process(options: &Options) {
    if let Err(error) = fs::create_dir_all(&options.app_dir) {
        let path = options.app_dir.display();
        warn!(%path, %error, "the app directory cannot be made; going on without it");
    }
    if let Err(error) = net::raise_limits() {
        warn!(%error, "the limits on open files and locked memory stay as they are");
    }
}

fn config_file(options: &Options) -> Result<ConfigFile, StartError> {
    let profile = options.profile.as_deref().map(find_profile).transpose();
    let profile = profile.map_err(StartError::Profile)?.map(Arc::new);
    Ok(match &options.config {
        Some(path) => ConfigFile { path: path.clone(), is_required: true, profile },
        None => {
            ConfigFile { path: options.app_dir.join("config.json"), is_required: false, profile }
        }
    })
}

/// Where the control plane's socket may be, best first.
fn socket_parents(options: &Options) -> Vec<PathBuf> {
    let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime_dir = runtime_dir.filter(|path| path.is_absolute());
    runtime_dir.into_iter().chain([std::env::temp_dir(), options.app_dir.clone()]).collect()
}

fn needs_system_roots(snapshot: &Snapshot) -> bool {
    let endpoints = snapshot.upstreams.iter().flat_map(|upstream| {
        let by_key = upstream.keys.keys.iter().flat_map(|key| key.endpoints.iter().flatten());
        upstream.endpoint.iter().chain(by_key.map(|key| &key.endpoint))
    });
    endpoints.filter_map(|endpoint| endpoint.tls.as_ref()).any(|tls| tls.verify)
}

fn driver_name(driver: net::Driver) -> &'static str {
    match driver {
        net::Driver::Auto => "auto",
        net::Driver::IoUring => "io_uring",
        net::Driver::Epoll => "epoll",
    }
}

/// The process whose place this one takes, if there is one.
struct Predecessor {
    sockets: Vec<OwnedFd>,
    successor: Option<Successor>,
}

impl Predecessor {
    /// Listening sockets come from a gateway that runs already, or from the service manager.
    fn find(options: &Options) -> Self {
        let taken = handover_path(options).map(|path| handover::take(&path));
        match taken {
            Some(Ok(Some((sockets, successor)))) => {
                return Self { sockets, successor: Some(successor) };
            }
            Some(Err(error)) => warn!(%error, "the gateway before this one does not hand over"),
            Some(Ok(None)) | None => {}
        }
        Self { sockets: handover::from_service_manager(), successor: None }
    }
}

/// Tells the predecessor to end, now that this process serves.
fn relieve(successor: Successor) {
    if let Err(error) = successor.ready() {
        warn!(%error, "the gateway before this one has not heard that it is relieved");
    }
}

fn serve_successors(
    options: &Options,
    workers: &Workers,
    supervisor: &Supervisor,
) -> Option<Guard> {
    let path = handover_path(options)?;
    let handle = supervisor.handle();
    match handover::serve(&path, workers.listeners(), move || handle.handed_over()) {
        Ok(guard) => Some(guard),
        Err(error) => {
            let path = path.display();
            warn!(%path, %error, "a restart will have to wait for the end of this process");
            None
        }
    }
}

/// Found by a successor with the same directory and port; a port that is different each time has
/// none.
fn handover_path(options: &Options) -> Option<PathBuf> {
    let name = format!("handover-{}.sock", options.port);
    (options.port != 0).then(|| Path::new(&options.app_dir).join(name))
}
