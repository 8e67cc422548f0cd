//! Connections to upstreams: kept and reused per worker, newest first, counted per process.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{Deref, DerefMut};
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
    idle: Vec<Upstream>,
    /// Those that wait for a connection, in their order.
    waiting: VecDeque<Waker>,
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
///
/// It goes through many hands in each exchange, so it is one pointer wide.
pub struct Upstream(Box<Link>);

/// What an [`Upstream`] points to.
pub struct Link {
    /// The connection itself.
    pub connection: Connection,
    endpoint: Arc<Endpoint>,
    /// Held for as long as the connection is there.
    _open: Open,
    born: Tick,
    /// While it is idle: when that is too long.
    expires: Tick,
    is_reused: bool,
}

impl Deref for Upstream {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.0
    }
}

impl DerefMut for Upstream {
    fn deref_mut(&mut self) -> &mut Link {
        &mut self.0
    }
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
        self.expires = now + self.endpoint.idle_timeout;
        POOLS.with_borrow_mut(|pools| pools.entry(id).or_default().idle.push(self));
        worker::worker_stats(|stats| raise(&stats.upstream_idle));
        wake_next(id);
    }
}

/// A connection to `endpoint` by `deadline`: the idle one used last, or else a new one. At the limit of
/// connections it waits for one to become free.
pub async fn checkout(endpoint: &Arc<Endpoint>, deadline: Tick) -> Result<Upstream, ConnectError> {
    if let Some(upstream) = checkout_idle(endpoint) {
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
        Turn::Idle(upstream) => return Ok(upstream),
        Turn::New(open) => open,
    };
    let connection = connect(endpoint, deadline).await?;
    worker::worker_stats(|stats| raise(&stats.upstream_connects));
    let endpoint = Arc::clone(endpoint);
    let born = clock::now();
    let link = Link { connection, endpoint, _open: open, born, expires: born, is_reused: false };
    Ok(Upstream(Box::new(link)))
}

/// The idle connection to `endpoint` used last that is still good.
pub fn checkout_idle(endpoint: &Arc<Endpoint>) -> Option<Upstream> {
    let now = clock::now();
    loop {
        // One at a time, and dropped outside of the borrow: dropping wakes those that wait.
        let mut idle = pop_idle(endpoint.id)?;
        if now < idle.expires && idle.connection.is_fresh() {
            worker::worker_stats(|stats| raise(&stats.upstream_reuses));
            if !Arc::ptr_eq(&idle.endpoint, endpoint) {
                // Published anew meanwhile, perhaps with other times.
                idle.endpoint = Arc::clone(endpoint);
            }
            idle.is_reused = true;
            return Some(idle);
        }
    }
}

fn pop_idle(endpoint_id: u64) -> Option<Upstream> {
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
    Idle(Upstream),
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
        Reuse::Allowed => checkout_idle(endpoint).map(Turn::Idle),
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

fn take_oldest(endpoint_id: u64) -> Option<Upstream> {
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
            let is_over = |idle: &mut Upstream| idle.expires <= now || !idle.connection.is_fresh();
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
