//! An exact limit on work under way, with a waiting line.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// At most `concurrency` permits are out at any moment, whichever threads hold them. The others
/// wait in a line of `line_max` places, first come first served; [`WhenFull`] says what becomes of
/// a caller who finds it full.
///
/// While there is room and nobody waits, taking and giving back a permit is one atomic operation
/// each. The lock is only taken once callers have to wait.
#[derive(Debug)]
pub struct Gate {
    in_use: AtomicU32,
    concurrency: AtomicU32,
    line_max: AtomicU32,
    /// How many are in `line` without a permit, readable without the lock.
    waiting: AtomicU32,
    line: Mutex<Line>,
}

/// Waiters are polled often and leave from anywhere, so every step is a search in a tree.
#[derive(Debug, Default)]
struct Line {
    /// Who waits, by ticket: the lowest came first.
    waiting: BTreeMap<u64, Waker>,
    /// Tickets that a permit was handed to, whose holders have not come for it yet.
    granted: BTreeSet<u64>,
    next_ticket: u64,
}

/// What becomes of a caller when every permit is out and the waiting line is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It is refused.
    Refuse,
    /// It waits behind the line, in the order of arrival. Only the number of callers bounds how
    /// many do.
    Wait,
}

/// Every permit is out and the waiting line is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// The right to work; given back on drop.
#[derive(Debug)]
pub struct Permit(Arc<Gate>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl Gate {
    /// A gate for `concurrency` permits and a line of `line_max` callers.
    pub fn new(concurrency: u32, line_max: u32) -> Self {
        Self {
            in_use: AtomicU32::new(0),
            concurrency: AtomicU32::new(concurrency),
            line_max: AtomicU32::new(line_max),
            waiting: AtomicU32::new(0),
            line: Mutex::default(),
        }
    }

    /// Changes the limits. Permits that are out stay valid; a smaller limit is reached as they
    /// come back.
    pub fn resize(&self, concurrency: u32, line_max: u32) {
        self.line_max.store(line_max, Ordering::Relaxed);
        self.concurrency.store(concurrency, Ordering::SeqCst);
        self.serve_line();
    }

    /// Permits out now.
    pub fn in_use(&self) -> u32 {
        self.in_use.load(Ordering::Relaxed)
    }

    /// Callers waiting now.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A permit at once, or nothing. Never overtakes callers that wait.
    pub fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        if self.waiting.load(Ordering::SeqCst) > 0 || !self.take() {
            return None;
        }
        Some(Permit(Arc::clone(self)))
    }

    /// A permit, after waiting in line for it where need be. Dropping the future leaves the line.
    ///
    /// # Errors
    /// [`Full`] when there is neither a permit nor a place in the line, and the caller does not
    /// want to wait for one.
    pub async fn enter(self: &Arc<Self>, when_full: WhenFull) -> Result<Permit, Full> {
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        let mut place = Place { gate: self, ticket: None };
        poll_fn(|context| place.poll(context, when_full)).await
    }

    fn take(&self) -> bool {
        let limit = self.concurrency.load(Ordering::SeqCst);
        self.in_use
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| (n < limit).then_some(n + 1))
            .is_ok()
    }

    fn give_back(&self) {
        self.in_use.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.serve_line();
        }
    }

    /// Hands permits to the head of the line while there are any.
    fn serve_line(&self) {
        // Woken without the lock: what a waker runs or drops may come back to this gate.
        while let Some(waker) = self.grant_next() {
            waker.wake();
        }
    }

    fn grant_next(&self) -> Option<Waker> {
        let mut line = self.lock();
        let first = line.waiting.first_entry()?;
        if !self.take() {
            return None;
        }
        let (ticket, waker) = first.remove_entry();
        line.granted.insert(ticket);
        self.count(&line);
        Some(waker)
    }

    /// Shows the length of the line to those who do not hold the lock.
    fn count(&self, line: &Line) {
        self.waiting.store(line.waiting.len() as u32, Ordering::SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        // Nothing panics while the lock is held, and the line is valid at every step.
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller's place in the line; leaving early gives a permit already granted to the next.
struct Place<'a> {
    gate: &'a Arc<Gate>,
    ticket: Option<u64>,
}

impl Place<'_> {
    fn poll(&mut self, context: &Context<'_>, when_full: WhenFull) -> Poll<Result<Permit, Full>> {
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => match self.join(context, when_full) {
                Ok(ticket) => ticket,
                Err(full) => return Poll::Ready(Err(full)),
            },
        };
        let mut line = self.gate.lock();
        if line.granted.remove(&ticket) {
            self.ticket = None;
            return Poll::Ready(Ok(Permit(Arc::clone(self.gate))));
        }
        if let Some(waker) = line.waiting.get_mut(&ticket) {
            waker.clone_from(context.waker());
        }
        Poll::Pending
    }

    fn join(&mut self, context: &Context<'_>, when_full: WhenFull) -> Result<u64, Full> {
        let gate = self.gate;
        let mut line = gate.lock();
        let is_full = line.waiting.len() >= gate.line_max.load(Ordering::Relaxed) as usize;
        if is_full && when_full == WhenFull::Refuse {
            return Err(Full);
        }
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiting.insert(ticket, context.waker().clone());
        gate.count(&line);
        drop(line);
        self.ticket = Some(ticket);
        // A permit may have come back between the failed attempt and joining the line.
        gate.serve_line();
        Ok(ticket)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut line = self.gate.lock();
        let left = line.waiting.remove(&ticket);
        let was_granted = line.granted.remove(&ticket);
        self.gate.count(&line);
        drop(line);
        drop(left);
        if was_granted {
            self.gate.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    struct Unpark(thread::Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            thread::park_timeout(Duration::from_secs(5));
        }
    }

    fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn permit(poll: Poll<Result<Permit, Full>>) -> Option<Permit> {
        match poll {
            Poll::Ready(entered) => entered.ok(),
            Poll::Pending => None,
        }
    }

    #[test]
    fn permits_are_limited_and_come_back() {
        let gate = Arc::new(Gate::new(2, 0));
        let first = gate.try_enter().unwrap();
        let _second = gate.try_enter().unwrap();
        assert!(gate.try_enter().is_none());
        drop(first);
        assert!(gate.try_enter().is_some());
    }

    #[test]
    fn a_full_line_refuses() {
        let gate = Arc::new(Gate::new(1, 1));
        let _held = gate.try_enter().unwrap();
        let mut waiting = pin!(gate.enter(WhenFull::Refuse));
        assert!(poll_once(waiting.as_mut()).is_pending());
        assert_eq!(block_on(gate.enter(WhenFull::Refuse)).unwrap_err(), Full);
    }

    #[test]
    fn dropping_still_waits_while_the_line_has_room() {
        let gate = Arc::new(Gate::new(1, 1));
        let held = gate.try_enter().unwrap();
        let mut waiting = pin!(gate.enter(WhenFull::Refuse));
        assert!(poll_once(waiting.as_mut()).is_pending());
        drop(held);
        assert!(poll_once(waiting.as_mut()).is_ready());
    }

    #[test]
    fn without_dropping_a_full_line_does_not_refuse_and_order_is_kept() {
        let gate = Arc::new(Gate::new(1, 1));
        let held = gate.try_enter().unwrap();
        let mut line: Vec<_> = (0..3).map(|_| Box::pin(gate.enter(WhenFull::Wait))).collect();
        for waiting in &mut line {
            assert!(poll_once(waiting.as_mut()).is_pending());
        }
        assert_eq!(block_on(gate.enter(WhenFull::Refuse)).unwrap_err(), Full);
        let mut held = held;
        for at in 0..line.len() {
            drop(held);
            let polls = line[at..].iter_mut().rev().map(|waiting| poll_once(waiting.as_mut()));
            let mut served: Vec<Permit> = polls.filter_map(permit).collect();
            assert_eq!(served.len(), 1);
            held = served.remove(0);
        }
        drop(held);
        assert_eq!((gate.in_use(), gate.waiting()), (0, 0));
    }

    #[test]
    fn a_waker_may_come_back_to_the_gate() {
        /// Gives a permit back when woken, as a runtime does that drops a task instead.
        struct GiveBack(Mutex<Option<Permit>>);
        impl Wake for GiveBack {
            fn wake(self: Arc<Self>) {
                drop(self.0.lock().unwrap().take());
            }
        }
        let gate = Arc::new(Gate::new(2, 8));
        let (first, second) = (gate.try_enter().unwrap(), gate.try_enter().unwrap());
        let waker = Waker::from(Arc::new(GiveBack(Mutex::new(Some(second)))));
        let mut leads = pin!(gate.enter(WhenFull::Wait));
        let mut follows = pin!(gate.enter(WhenFull::Wait));
        assert!(leads.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(poll_once(follows.as_mut()).is_pending());
        drop(first);
        let _led = permit(poll_once(leads.as_mut())).unwrap();
        let _followed = permit(poll_once(follows.as_mut())).unwrap();
        assert_eq!((gate.in_use(), gate.waiting()), (2, 0));
    }

    /// 200,000 polls take a fifth of a second here without optimisation; searching the line from
    /// its front they took minutes.
    #[test]
    fn a_long_line_is_cheap_to_poll_and_to_leave() {
        let gate = Arc::new(Gate::new(1, 0));
        let held = gate.try_enter().unwrap();
        let mut line: Vec<_> = (0..20_000).map(|_| Box::pin(gate.enter(WhenFull::Wait))).collect();
        let began = Instant::now();
        for _ in 0..10 {
            for waiting in &mut line {
                assert!(poll_once(waiting.as_mut()).is_pending());
            }
        }
        drop(held);
        for waiting in line {
            assert!(poll_once(pin!(waiting).as_mut()).is_ready());
        }
        assert!(began.elapsed() < Duration::from_secs(10), "took {:?}", began.elapsed());
        assert_eq!((gate.in_use(), gate.waiting()), (0, 0));
    }

    #[test]
    fn who_waits_is_served_in_order_and_is_never_overtaken() {
        let gate = Arc::new(Gate::new(1, 8));
        let held = gate.try_enter().unwrap();
        let mut first = pin!(gate.enter(WhenFull::Refuse));
        let mut second = pin!(gate.enter(WhenFull::Refuse));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        drop(held);
        assert!(gate.try_enter().is_none());
        assert!(poll_once(second.as_mut()).is_pending());
        let Poll::Ready(Ok(permit)) = poll_once(first.as_mut()) else { panic!("not served") };
        drop(permit);
        assert!(poll_once(second.as_mut()).is_ready());
    }

    #[test]
    fn leaving_the_line_passes_a_granted_permit_on() {
        let gate = Arc::new(Gate::new(1, 8));
        let held = gate.try_enter().unwrap();
        let mut stays = Box::pin(gate.enter(WhenFull::Refuse));
        let mut leaves = Box::pin(gate.enter(WhenFull::Refuse));
        assert!(poll_once(leaves.as_mut()).is_pending());
        assert!(poll_once(stays.as_mut()).is_pending());
        drop(held);
        drop(leaves);
        assert!(poll_once(stays.as_mut()).is_ready());
        assert_eq!((gate.in_use(), gate.waiting()), (0, 0));
    }

    #[test]
    fn a_larger_limit_lets_the_line_in() {
        let gate = Arc::new(Gate::new(1, 8));
        let _held = gate.try_enter().unwrap();
        let mut waiting = pin!(gate.enter(WhenFull::Refuse));
        assert!(poll_once(waiting.as_mut()).is_pending());
        gate.resize(2, 8);
        assert!(poll_once(waiting.as_mut()).is_ready());
    }

    #[test]
    fn the_limit_is_exact_across_threads() {
        const LIMIT: usize = 3;
        let gate = Arc::new(Gate::new(LIMIT as u32, 64));
        let (inside, highest) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        let permit = block_on(gate.enter(WhenFull::Refuse)).unwrap();
                        highest
                            .fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                });
            }
        });
        assert!((1..=LIMIT).contains(&highest.load(Ordering::SeqCst)));
        assert_eq!((gate.in_use(), gate.waiting()), (0, 0));
    }
}
