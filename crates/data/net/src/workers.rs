//! Starts the worker threads and waits for their end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};
use seam::{Stage, Stop, WorkerStats};

use crate::accept::Acceptor;
use crate::listen::{self, Bound, Listeners};
use crate::worker::{self, TICK, Worker};
use crate::{Connection, Driver, ServerTls, Settings, pool, slots, system, upstream};

/// Ticks that connections get to end after everything was shut down.
const CLOSING_TICKS_MAX: usize = 10;

/// Entries of the ring that finds out whether the kernel allows rings.
const PROBE_ENTRIES: u32 = 8;

/// What serves connections: one instance per worker.
pub trait Service: 'static {
    /// Serves one connection to its end, in a task of its own. A panic ends this connection only.
    fn serve(self: Rc<Self>, connection: Connection) -> impl Future<Output = ()> + 'static;
}

/// The running worker threads.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
    addresses: Vec<SocketAddr>,
    listeners: Listeners,
    choice: Choice,
}

impl Workers {
    /// Starts `settings.workers` threads and returns when all listen, or the first error and none runs.
    ///
    /// `make` makes the service of a worker, on its thread. `stats` has a place for each worker. The
    /// threads end after `stop` has come to [`Stage::Draining`] and their connections have ended, or
    /// shortly after [`Stage::Closing`].
    pub fn start<S: Service>(
        settings: Settings,
        stop: Stop,
        stats: Arc<[WorkerStats]>,
        make: impl Fn(usize) -> S + Send + Sync + 'static,
    ) -> io::Result<Self> {
        // Refused in some sandboxes; then buffers take more memory and all else is the same.
        let _ = system::disable_huge_pages();
        let make = Arc::new(make);
        let mut choice = Choice::of(settings.driver)?;
        let mut started = start_all(&settings, choice.ring, &stop, &stats, &make);
        if let (Driver::Auto, Some(_), Err(error)) = (settings.driver, choice.ring, &started) {
            choice = Choice { ring: None, note: Some(format!("io_uring failed: {error}")) };
            started = start_all(&settings, choice.ring, &stop, &stats, &make);
        }
        let (threads, addresses, listeners) = started?;
        Ok(Self { threads, addresses, listeners, choice })
    }

    /// The addresses listened on, with the real ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The driver in use, never [`Driver::Auto`].
    pub fn driver(&self) -> Driver {
        if self.choice.ring.is_some() { Driver::IoUring } else { Driver::Epoll }
    }

    /// Why the driver is not the best one, if it isn't.
    pub fn driver_note(&self) -> Option<&str> {
        self.choice.note.as_deref()
    }

    /// The listening sockets, for [`crate::handover::serve`].
    pub fn listeners(&self) -> Listeners {
        self.listeners.clone()
    }

    /// Waits until all threads have ended.
    pub fn join(self) {
        for thread in self.threads {
            // A worker's panic has been printed by the panic hook; the others still have to end.
            let _ = thread.join();
        }
    }
}

/// Features of a ring. Each kernel that has one has those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// Nothing asked for.
    Plain,
    /// Completions wait for the thread's next system call (Linux 5.19).
    Cooperative,
    /// One thread submits, and completions wait until it asks for them (Linux 6.1): 3 % less latency.
    Deferred,
}

impl Ring {
    fn builder(self) -> io_uring::Builder {
        let mut builder = io_uring::IoUring::builder();
        match self {
            Self::Plain => {}
            Self::Cooperative => {
                builder.setup_coop_taskrun();
            }
            Self::Deferred => {
                builder.setup_coop_taskrun().setup_single_issuer().setup_defer_taskrun();
            }
        }
        builder
    }
}

/// The driver decided for.
#[derive(Debug)]
struct Choice {
    /// `None` is epoll.
    ring: Option<Ring>,
    note: Option<String>,
}

impl Choice {
    fn of(driver: Driver) -> io::Result<Self> {
        if driver == Driver::Epoll {
            return Ok(Self { ring: None, note: None });
        }
        match (probe_ring(), driver) {
            (Ok(Ring::Deferred), _) => Ok(Self { ring: Some(Ring::Deferred), note: None }),
            (Ok(ring), _) => {
                let note = Some("the kernel is older than 6.1: io_uring at less speed".to_owned());
                Ok(Self { ring: Some(ring), note })
            }
            (Err(error), Driver::IoUring) => Err(error),
            (Err(error), _) => {
                Ok(Self { ring: None, note: Some(format!("io_uring is not available: {error}")) })
            }
        }
    }
}

/// The best ring the kernel builds for this process. Found out on a thread of its own: taking a ring down
/// interrupts the system calls of the thread that made it.
fn probe_ring() -> io::Result<Ring> {
    let prober = std::thread::Builder::new().name("ring-probe".to_owned());
    let probed = prober.spawn(try_rings)?.join();
    probed.unwrap_or_else(|_| Err(io::Error::other("the probe for io_uring failed")))
}

fn try_rings() -> io::Result<Ring> {
    let mut result = Err(io::Error::from(io::ErrorKind::Unsupported));
    for ring in [Ring::Deferred, Ring::Cooperative, Ring::Plain] {
        result = ring.builder().build(PROBE_ENTRIES).map(|_| ring);
        if result.is_ok() {
            break;
        }
    }
    if result.is_ok() && !monoio::utils::detect_uring() {
        let missing = "the kernel lacks operations that are needed";
        return Err(io::Error::new(io::ErrorKind::Unsupported, missing));
    }
    result
}

type Started = (Vec<JoinHandle<()>>, Vec<SocketAddr>, Listeners);

/// Starts all threads, or none.
fn start_all<S: Service>(
    settings: &Settings,
    ring: Option<Ring>,
    stop: &Stop,
    stats: &Arc<[WorkerStats]>,
    make: &Arc<impl Fn(usize) -> S + Send + Sync + 'static>,
) -> io::Result<Started> {
    let bound = listen::bind(settings)?;
    let listeners = Listeners::of(&bound)?;
    let Bound { per_worker, addresses } = bound;
    let (report, reports) = channel();
    let mut threads = Vec::new();
    let mut begins = Vec::new();
    for (index, sockets) in per_worker.into_iter().enumerate() {
        let (begin, wait_for_begin) = channel();
        let plan = Plan {
            index,
            sockets,
            ring,
            ring_entries: settings.ring_entries,
            core: core_of(index, settings),
            tls: settings.tls.clone(),
            connections_max: settings.connections_max,
            pool: PoolPlan::of(settings),
            idle_park: settings.idle_park,
            listeners: listeners.clone(),
            stop: stop.clone(),
            stats: Arc::clone(stats),
        };
        let (make, report) = (Arc::clone(make), report.clone());
        let thread = std::thread::Builder::new().name(format!("worker-{index}"));
        threads.push(thread.spawn(move || run(plan, &*make, &report, &wait_for_begin))?);
        begins.push(begin);
    }
    drop(report);
    // On an error the senders of `begins` are dropped, which ends the threads that were ready.
    for _ in &threads {
        reports.recv().map_err(|_| io::Error::other("a worker ended at its start"))??;
    }
    for begin in begins {
        // One that has ended already is found by `join`.
        let _ = begin.send(());
    }
    Ok((threads, addresses, listeners))
}

fn core_of(index: usize, settings: &Settings) -> Option<usize> {
    let cores = settings.pin_cores.as_ref()?;
    cores.get(index.checked_rem(cores.len())?).copied()
}

/// Everything a worker thread needs.
struct Plan {
    index: usize,
    sockets: Vec<OwnedFd>,
    ring: Option<Ring>,
    ring_entries: u32,
    core: Option<usize>,
    tls: Option<ServerTls>,
    connections_max: usize,
    pool: PoolPlan,
    idle_park: std::time::Duration,
    listeners: Listeners,
    stop: Stop,
    stats: Arc<[WorkerStats]>,
}

/// The buffers of a worker.
struct PoolPlan {
    buffers: usize,
    buffer_bytes: usize,
    budget: Arc<crate::Budget>,
}

impl PoolPlan {
    fn of(settings: &Settings) -> Self {
        Self {
            buffers: settings.buffers,
            buffer_bytes: settings.buffer_bytes,
            budget: Arc::clone(&settings.budget),
        }
    }
}

/// A runtime of either kind, built on the thread it runs on as rings demand.
enum AnyRuntime {
    Ring(Runtime<TimeDriver<IoUringDriver>>),
    Epoll(Runtime<TimeDriver<LegacyDriver>>),
}

impl AnyRuntime {
    fn build(ring: Option<Ring>, entries: u32) -> io::Result<Self> {
        match ring {
            Some(ring) => RuntimeBuilder::<IoUringDriver>::new()
                .with_entries(entries)
                .uring_builder(ring.builder())
                .enable_timer()
                .build()
                .map(Self::Ring),
            None => RuntimeBuilder::<LegacyDriver>::new().enable_timer().build().map(Self::Epoll),
        }
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        match self {
            Self::Ring(runtime) => runtime.block_on(future),
            Self::Epoll(runtime) => runtime.block_on(future),
        }
    }
}

/// The life of a worker thread.
fn run<S: Service>(
    plan: Plan,
    make: &dyn Fn(usize) -> S,
    report: &Sender<io::Result<()>>,
    begin: &Receiver<()>,
) {
    let prepared = prepare(&plan);
    let (mut runtime, outcome) = match prepared {
        Ok(runtime) => (Some(runtime), Ok(())),
        Err(error) => (None, Err(error)),
    };
    // Nobody listens when another worker failed first.
    let _ = report.send(outcome);
    if begin.recv().is_err() {
        return;
    }
    if let Some(runtime) = &mut runtime {
        runtime.block_on(work(plan, make));
    }
    // Before the pool: what the runtime still holds are buffers of it.
    drop(runtime);
    pool::uninstall();
}

fn prepare(plan: &Plan) -> io::Result<AnyRuntime> {
    if let Some(core) = plan.core {
        system::pin_to_core(core)?;
    }
    pool::install(plan.pool.buffers, plan.pool.buffer_bytes, Arc::clone(&plan.pool.budget))?;
    // A request has a client and an upstream.
    slots::reserve(2 * plan.pool.buffers);
    AnyRuntime::build(plan.ring, plan.ring_entries)
}

/// Serves until the end of the shutdown.
async fn work<S: Service>(plan: Plan, make: &dyn Fn(usize) -> S) {
    let worker = Worker::install(plan.index, plan.stop, plan.stats, plan.idle_park);
    worker.stats(|stats| {
        let buffers = plan.pool.buffers as u64;
        stats.buffers_total.store(buffers, std::sync::atomic::Ordering::Relaxed);
    });
    let acceptor = Rc::new(Acceptor {
        worker: Rc::clone(&worker),
        service: Rc::new(make(plan.index)),
        tls: plan.tls,
        connections_max: plan.connections_max,
        listeners: plan.listeners,
    });
    let accepting = Rc::new(());
    for socket in plan.sockets {
        let (acceptor, still_accepting) = (Rc::clone(&acceptor), Rc::clone(&accepting));
        worker::spawn(async move {
            acceptor.run(socket).await;
            drop(still_accepting);
        });
    }
    drop(acceptor);
    keep_time(&worker, &accepting).await;
    upstream::close_all();
    Worker::uninstall();
}

/// Ticks until nothing is left to serve, or the time to end has come.
async fn keep_time(worker: &Worker, accepting: &Rc<()>) {
    let mut closing_ticks = 0;
    while closing_ticks < CLOSING_TICKS_MAX {
        worker::sleep(TICK).await;
        worker.tick();
        let is_accepting = Rc::strong_count(accepting) > 1;
        match worker.stage() {
            Stage::Running | Stage::Leaving => {}
            Stage::Draining | Stage::Closing if !is_accepting && worker.serving() == 0 => return,
            Stage::Draining => {}
            Stage::Closing => closing_ticks += 1,
        }
    }
}
