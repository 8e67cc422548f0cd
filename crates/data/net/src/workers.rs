//! Starts the worker threads and waits for their end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use seam::{Carried, Inbox, Stage, Stop, WorkerStats};

use crate::accept::Acceptor;
use crate::listen::{self, Bound, Listeners};
use crate::placement::{Intake, Placement};
use crate::runtime::{self, Features, Runtime};
use crate::worker::{self, TICK, Worker};
use crate::{Connection, Driver, ServerTls, Settings, pool, system, upstream};

/// Ticks that connections get to end after everything was shut down.
const CLOSING_TICKS_MAX: usize = 10;

/// What serves connections: one instance per worker.
pub trait Service: 'static {
    /// Serves one connection to its end, in a task of its own. A panic ends this connection only.
    fn serve(self: Rc<Self>, connection: Connection) -> impl Future<Output = ()> + 'static;
}

/// A worker thread and what it came to.
type Thread = JoinHandle<io::Result<()>>;

/// The running worker threads.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<Thread>,
    addresses: Vec<SocketAddr>,
    listeners: Listeners,
    choice: Choice,
}

impl Workers {
    /// Starts `settings.workers` threads and returns when all listen, or the first error and none runs.
    ///
    /// `make` makes the service of a worker, on its thread. `stats` has a place for each worker. The
    /// threads end after `stop` has come to [`Stage::Draining`] and their connections have ended, or
    /// shortly after [`Stage::Closing`]. One that cannot go on takes the others to [`Stage::Closing`].
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
    ///
    /// # Errors
    /// The first error that ended a worker before it was told to.
    pub fn join(self) -> io::Result<()> {
        // The message of a panic has been printed by the panic hook.
        let panicked = |_| Err(io::Error::other("a worker panicked"));
        let join = |thread: Thread| thread.join().unwrap_or_else(panicked);
        let outcomes: Vec<_> = self.threads.into_iter().map(join).collect();
        outcomes.into_iter().collect()
    }
}

/// The driver decided for.
#[derive(Debug)]
struct Choice {
    /// `None` is epoll.
    ring: Option<Features>,
    note: Option<String>,
}

impl Choice {
    fn of(driver: Driver) -> io::Result<Self> {
        if driver == Driver::Epoll {
            return Ok(Self { ring: None, note: None });
        }
        match (Features::probe(), driver) {
            (Ok(Features::Deferred), _) => Ok(Self { ring: Some(Features::Deferred), note: None }),
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

type Started = (Vec<Thread>, Vec<SocketAddr>, Listeners);

/// Starts all threads, or none.
fn start_all<S: Service>(
    settings: &Settings,
    ring: Option<Features>,
    stop: &Stop,
    stats: &Arc<[WorkerStats]>,
    make: &Arc<impl Fn(usize) -> S + Send + Sync + 'static>,
) -> io::Result<Started> {
    let bound = listen::bind(settings)?;
    let listeners = Listeners::of(&bound)?;
    let Bound { per_worker, addresses } = bound;
    let (report, reports) = channel();
    let placement = Placement::new(per_worker.len(), settings.connections_max, stats);
    let mut threads = Vec::new();
    let mut begins = Vec::new();
    for (index, sockets) in per_worker.into_iter().enumerate() {
        let (begin, wait_for_begin) = channel();
        let plan = Plan {
            index,
            sockets,
            runtime: runtime::Plan {
                ring,
                ring_entries: settings.ring_entries,
                busy_poll: settings.busy_poll,
                // A request has a client and an upstream.
                sockets: 2 * settings.buffers,
            },
            core: core_of(index, settings),
            tls: settings.tls.clone(),
            connections_max: settings.connections_max,
            pool: PoolPlan::of(settings),
            listeners: listeners.clone(),
            intake: placement.clone().map(|placement| placement.open(index)),
            placement: placement.clone(),
            carried: settings.carried.get(index).cloned(),
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
    runtime: runtime::Plan,
    core: Option<usize>,
    tls: Option<ServerTls>,
    connections_max: usize,
    pool: PoolPlan,
    listeners: Listeners,
    placement: Option<Arc<Placement>>,
    intake: Option<Intake>,
    carried: Option<Inbox<Carried>>,
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
            buffer_bytes: pool::rounded(settings.buffer_bytes),
            budget: Arc::clone(&settings.budget),
        }
    }
}

/// The life of a worker thread, and what ended it before its time.
fn run<S: Service>(
    plan: Plan,
    make: &dyn Fn(usize) -> S,
    report: &Sender<io::Result<()>>,
    begin: &Receiver<()>,
) -> io::Result<()> {
    let prepared = prepare(&plan);
    let (runtime, outcome) = match prepared {
        Ok(runtime) => (Some(runtime), Ok(())),
        Err(error) => (None, Err(error)),
    };
    // Nobody listens when another worker failed first.
    let _ = report.send(outcome);
    if begin.recv().is_err() {
        return Ok(());
    }
    let mut served = Ok(());
    if let Some(runtime) = &runtime {
        let mut failing = EndAll(Some(plan.stop.clone()));
        let worker = Worker::install(plan.index, plan.stop.clone(), Arc::clone(&plan.stats));
        let service = Rc::new(make(plan.index));
        served = runtime.run(work(plan, worker, service));
        upstream::close_all();
        Worker::uninstall();
        if served.is_ok() {
            failing.0 = None;
        }
    }
    // Before the pool: what the runtime still holds are buffers of it.
    drop(runtime);
    pool::uninstall();
    served
}

/// Ends all workers on drop: what kept this one from going on is not theirs alone, and its share of the
/// callers would be lost in silence.
struct EndAll(Option<Stop>);

impl Drop for EndAll {
    fn drop(&mut self) {
        if let Some(stop) = self.0.take() {
            stop.advance(Stage::Closing);
        }
    }
}

fn prepare(plan: &Plan) -> io::Result<Runtime> {
    if let Some(core) = plan.core {
        system::pin_to_core(core)?;
    }
    pool::install(plan.pool.buffers, plan.pool.buffer_bytes, Arc::clone(&plan.pool.budget))?;
    Runtime::install(plan.runtime)
}

/// Serves until the end of the shutdown.
async fn work<S: Service>(plan: Plan, worker: Rc<Worker>, service: Rc<S>) {
    worker.stats(|stats| {
        let buffers = plan.pool.buffers as u64;
        stats.buffers_total.store(buffers, std::sync::atomic::Ordering::Relaxed);
    });
    let acceptor = Rc::new(Acceptor {
        worker: Rc::clone(&worker),
        service,
        tls: plan.tls,
        connections_max: plan.connections_max,
        listeners: plan.listeners,
        placement: plan.placement,
    });
    let accepting = Rc::new(());
    if let Some(intake) = plan.intake {
        let (acceptor, still_accepting) = (Rc::clone(&acceptor), Rc::clone(&accepting));
        worker::spawn(async move {
            acceptor.take_over(intake).await;
            drop(still_accepting);
        });
    }
    for socket in plan.sockets {
        let (acceptor, still_accepting) = (Rc::clone(&acceptor), Rc::clone(&accepting));
        worker::spawn(async move {
            acceptor.run(socket).await;
            drop(still_accepting);
        });
    }
    if let Some(carried) = plan.carried {
        // To the very end: what it brings belongs to connections that were accepted long ago.
        worker::spawn(Rc::clone(&acceptor).adopt(carried.open()));
    }
    drop(acceptor);
    keep_time(&worker, &accepting).await;
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
