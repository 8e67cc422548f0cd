//! Connections to upstreams: kept and reused per worker, newest first, counted per process.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seam::Stage;
use snapshot::Endpoint;

use crate::connect::{connect, name_of};
use crate::worker::{self, lower, raise};
use crate::{ConnectError, Connection, Tick, clock};

/// Time between two tries of one that waits for a connection: what other workers give back wakes nobody
/// here.
const RETRY_WAIT: Duration = Duration::from_millis(20);

/// Endpoints that workers can ask each other for at once; one more waits for the next try.
const WANTED_MAX: usize = 16;

/// Endpoints whose connections are used up while another worker may keep idle ones: their ids, 0 where
/// free.
static WANTED: [AtomicU64; WANTED_MAX] = [const { AtomicU64::new(0) }; WANTED_MAX];

thread_local! {
    static POOLS: RefCell<HashMap<u64, Pool, BuildHasherDefault<IdHasher>>> = RefCell::default();
}

/// What a worker knows of one endpoint.
#[derive(Default)]
struct Pool {
    /// Oldest first; used from the end.
    idle: Vec<Idle>,
    /// Those that wait for a connection, in their order.
    waiting: VecDeque<Waker>,
}

struct Idle {
    open: Open,
    connection: Connection,
    born: Tick,
    expires: Tick,
}

/// Endpoint ids are hashes already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = (self.0 << 8) | u64::from(*byte));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

/// One of the connections that `max_conns_per_host` allows, given back on drop.
struct Open {
    count: Arc<AtomicUsize>,
    endpoint_id: u64,
}

impl Open {
    /// Takes one if the limit leaves one.
    fn take(endpoint: &Endpoint) -> Option<Self> {
        let one_more = |open: usize| (open < endpoint.connections_max).then_some(open + 1);
        let count = &endpoint.connections_open;
        count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self { count: Arc::clone(count), endpoint_id: endpoint.id })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        wake_next(self.endpoint_id);
    }
}

/// A connection to an upstream, for one exchange. Dropping it closes it.
pub struct Upstream {
    /// The connection itself.
    pub connection: Connection,
    endpoint: Arc<Endpoint>,
    open: Open,
    born: Tick,
    is_reused: bool,
}

impl Upstream {
    /// Whether it served another exchange before, and so may turn out to be dead.
    pub fn reused(&self) -> bool {
        self.is_reused
    }

    /// The endpoint it leads to.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Keeps the connection for the next exchange. To be called only when the reply was read to its end
    /// and the upstream did not say it would close. A connection that has unread input, is older than
    /// the endpoint's `age_max`, or was interrupted is closed instead.
    pub fn checkin(mut self) {
        let now = clock::now();
        let is_young = now.since(self.born) < self.endpoint.age_max;
        if !is_young || !self.connection.is_clean() || worker::stopping() == Stage::Closing {
            return;
        }
        self.connection.set_deadline(None);
        self.connection.read_ahead();
        let id = self.endpoint.id;
        let expires = now + self.endpoint.idle_timeout;
        let idle = Idle { open: self.open, connection: self.connection, born: self.born, expires };
        POOLS.with_borrow_mut(|pools| pools.entry(id).or_default().idle.push(idle));
        worker::worker_stats(|stats| raise(&stats.upstream_idle));
        wake_next(id);
    }
}

/// A connection to `endpoint` by `deadline`: the idle one used last, or else a new one. At the limit of
/// connections it waits for one to become free.
pub async fn checkout(endpoint: &Arc<Endpoint>, deadline: Tick) -> Result<Upstream, ConnectError> {
    if let Some(upstream) = take_idle(endpoint) {
        return Ok(upstream);
    }
    // Boxed, because connecting takes a large future that most exchanges have no use for.
    Box::pin(wait_and_connect(endpoint, deadline, Reuse::Allowed)).await
}

/// A connection to `endpoint` that nobody has used; for the retry after a reused one turned out dead.
pub async fn connect_fresh(
    endpoint: &Arc<Endpoint>,
    deadline: Tick,
) -> Result<Upstream, ConnectError> {
    Box::pin(wait_and_connect(endpoint, deadline, Reuse::Forbidden)).await
}

async fn wait_and_connect(
    endpoint: &Arc<Endpoint>,
    deadline: Tick,
    reuse: Reuse,
) -> Result<Upstream, ConnectError> {
    let open = match wait_for_turn(endpoint, deadline, reuse).await? {
        Turn::Idle(upstream) => return Ok(*upstream),
        Turn::New(open) => open,
    };
    let connection = connect(endpoint, deadline).await?;
    worker::worker_stats(|stats| raise(&stats.upstream_connects));
    let endpoint = Arc::clone(endpoint);
    Ok(Upstream { connection, endpoint, open, born: clock::now(), is_reused: false })
}

/// The idle connection used last that is still good.
fn take_idle(endpoint: &Arc<Endpoint>) -> Option<Upstream> {
    let now = clock::now();
    loop {
        // One at a time, and dropped outside of the borrow: dropping wakes those that wait.
        let idle = pop_idle(endpoint.id)?;
        if now < idle.expires && idle.connection.is_fresh() {
            worker::worker_stats(|stats| raise(&stats.upstream_reuses));
            return Some(Upstream {
                connection: idle.connection,
                endpoint: Arc::clone(endpoint),
                open: idle.open,
                born: idle.born,
                is_reused: true,
            });
        }
    }
}

fn pop_idle(endpoint_id: u64) -> Option<Idle> {
    let idle = POOLS.with_borrow_mut(|pools| pools.get_mut(&endpoint_id)?.idle.pop())?;
    worker::worker_stats(|stats| lower(&stats.upstream_idle));
    Some(idle)
}

/// Whether an idle connection will do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reuse {
    Allowed,
    Forbidden,
}

/// What waiting came to.
enum Turn {
    /// Boxed: rare, and much larger than the other.
    Idle(Box<Upstream>),
    New(Open),
}

async fn wait_for_turn(
    endpoint: &Arc<Endpoint>,
    deadline: Tick,
    reuse: Reuse,
) -> Result<Turn, ConnectError> {
    loop {
        if let Some(turn) = try_turn(endpoint, reuse) {
            return Ok(turn);
        }
        if clock::now() >= deadline {
            return Err(exhausted(endpoint));
        }
        want(endpoint.id);
        wait_for_free(endpoint.id).await;
    }
}

fn try_turn(endpoint: &Arc<Endpoint>, reuse: Reuse) -> Option<Turn> {
    if let Some(open) = Open::take(endpoint) {
        return Some(Turn::New(open));
    }
    match reuse {
        Reuse::Allowed => take_idle(endpoint).map(|upstream| Turn::Idle(Box::new(upstream))),
        Reuse::Forbidden => {
            // An idle one makes room for the new one.
            drop(pop_idle(endpoint.id)?);
            Open::take(endpoint).map(Turn::New)
        }
    }
}

#[cold]
fn exhausted(endpoint: &Endpoint) -> ConnectError {
    let (name, limit) = (name_of(&endpoint.address), endpoint.connections_max);
    ConnectError::Exhausted(format!("{name}: max_conns_per_host of {limit} is reached"))
}

/// Waits until this worker frees a connection to the endpoint, or [`RETRY_WAIT`] has passed.
async fn wait_for_free(endpoint_id: u64) {
    let mut timer = pin!(worker::sleep(RETRY_WAIT));
    let mut is_queued = false;
    std::future::poll_fn(|context| {
        if timer.as_mut().poll(context).is_ready() {
            forget_waiter(endpoint_id, context);
            return Poll::Ready(());
        }
        // Polled again without the timer: woken by one that was freed.
        if std::mem::replace(&mut is_queued, true) {
            return Poll::Ready(());
        }
        POOLS.with_borrow_mut(|pools| {
            pools.entry(endpoint_id).or_default().waiting.push_back(context.waker().clone());
        });
        Poll::Pending
    })
    .await;
}

fn forget_waiter(endpoint_id: u64, context: &Context<'_>) {
    POOLS.with_borrow_mut(|pools| {
        if let Some(pool) = pools.get_mut(&endpoint_id) {
            pool.waiting.retain(|waker| !waker.will_wake(context.waker()));
        }
    });
}

/// Wakes the one that has waited longest for a connection to the endpoint.
fn wake_next(endpoint_id: u64) {
    let next = |pools: &RefCell<HashMap<u64, Pool, _>>| {
        pools.borrow_mut().get_mut(&endpoint_id)?.waiting.pop_front()
    };
    // An error means that the thread is ending, and nobody waits.
    if let Ok(Some(waker)) = POOLS.try_with(next) {
        waker.wake();
    }
}

/// Asks the other workers to close an idle connection to the endpoint.
fn want(endpoint_id: u64) {
    let is_wanted = WANTED.iter().any(|wanted| wanted.load(Ordering::Relaxed) == endpoint_id);
    if is_wanted {
        return;
    }
    for wanted in &WANTED {
        let order = Ordering::Relaxed;
        if wanted.compare_exchange(0, endpoint_id, order, order).is_ok() {
            return;
        }
    }
}

/// Closes the longest idle connection to each endpoint that another worker has none of.
pub(crate) fn release_wanted() {
    for wanted in &WANTED {
        let id = wanted.load(Ordering::Relaxed);
        if id == 0 {
            continue;
        }
        if let Some(oldest) = take_oldest(id) {
            wanted.store(0, Ordering::Relaxed);
            drop(oldest);
        }
    }
}

fn take_oldest(endpoint_id: u64) -> Option<Idle> {
    let oldest = POOLS.with_borrow_mut(|pools| {
        let idle = &mut pools.get_mut(&endpoint_id)?.idle;
        (!idle.is_empty()).then(|| idle.remove(0))
    })?;
    worker::worker_stats(|stats| lower(&stats.upstream_idle));
    Some(oldest)
}

/// Closes the idle connections that are past their time or on which something happened: the upstream
/// closed it, or said something nobody asked for.
pub(crate) fn sweep() {
    let now = clock::now();
    let mut closed = Vec::new();
    POOLS.with_borrow_mut(|pools| {
        for pool in pools.values_mut() {
            let is_over = |idle: &mut Idle| idle.expires <= now || !idle.connection.is_fresh();
            closed.extend(pool.idle.extract_if(.., is_over));
        }
        pools.retain(|_, pool| !pool.idle.is_empty() || !pool.waiting.is_empty());
    });
    for _ in &closed {
        worker::worker_stats(|stats| lower(&stats.upstream_idle));
    }
    // Outside of the borrow: dropping wakes those that wait.
    drop(closed);
}

/// Closes all idle connections of the calling thread.
pub(crate) fn close_all() {
    let pools = POOLS.take();
    let idle: usize = pools.values().map(|pool| pool.idle.len()).sum();
    for _ in 0..idle {
        worker::worker_stats(|stats| lower(&stats.upstream_idle));
    }
    drop(pools);
}
