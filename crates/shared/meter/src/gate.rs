//! An exact limit on work under way, with a waiting line of bounded length.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// At most `concurrency` permits are out at any moment, whichever threads hold them, and at most
/// `line_max` callers wait for one, first come first served.
///
/// While there is room and nobody waits, taking and giving back a permit is one atomic operation
/// each. The lock is only taken once callers have to wait.
#[derive(Debug)]
pub struct Gate {
    in_use: AtomicU32,
    concurrency: AtomicU32,
    line_max: AtomicU32,
    /// Length of `line`, readable without the lock.
    waiting: AtomicU32,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    waiters: VecDeque<Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    waker: Waker,
    /// Set when a permit was handed to this waiter, who has not come for it yet.
    granted: bool,
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
    /// A gate for `concurrency` permits and `line_max` waiting callers.
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
        self.serve_line(&mut self.lock());
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

    /// A permit, after waiting in line if `may_wait`. Dropping the future leaves the line.
    ///
    /// # Errors
    /// [`Full`] when there is neither a permit nor a place in the line.
    pub async fn enter(self: &Arc<Self>, may_wait: bool) -> Result<Permit, Full> {
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        if !may_wait {
            return Err(Full);
        }
        let mut place = Place { gate: self, ticket: None };
        poll_fn(|context| place.poll(context)).await
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
            self.serve_line(&mut self.lock());
        }
    }

    /// Grants permits to the head of the line while there are any.
    fn serve_line(&self, line: &mut Line) {
        for waiter in line.waiters.iter_mut().filter(|waiter| !waiter.granted) {
            if !self.take() {
                return;
            }
            waiter.granted = true;
            waiter.waker.wake_by_ref();
        }
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
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Permit, Full>> {
        let gate = self.gate;
        let mut line = gate.lock();
        let Some(ticket) = self.ticket else {
            if line.waiters.len() >= gate.line_max.load(Ordering::Relaxed) as usize {
                return Poll::Ready(Err(Full));
            }
            let ticket = line.next_ticket;
            line.next_ticket += 1;
            let waker = context.waker().clone();
            line.waiters.push_back(Waiter { ticket, waker, granted: false });
            gate.waiting.fetch_add(1, Ordering::SeqCst);
            self.ticket = Some(ticket);
            // A permit may have come back between the failed attempt and joining the line.
            gate.serve_line(&mut line);
            return self.collect(&mut line, ticket).map_or(Poll::Pending, Poll::Ready);
        };
        if let Some(granted) = self.collect(&mut line, ticket) {
            return Poll::Ready(granted);
        }
        if let Some(waiter) = line.waiters.iter_mut().find(|waiter| waiter.ticket == ticket) {
            waiter.waker.clone_from(context.waker());
        }
        Poll::Pending
    }

    /// Takes the permit that was granted to `ticket`, if it was.
    fn collect(&mut self, line: &mut Line, ticket: u64) -> Option<Result<Permit, Full>> {
        let position = line.waiters.iter().position(|waiter| waiter.ticket == ticket)?;
        if !line.waiters.get(position)?.granted {
            return None;
        }
        line.waiters.remove(position);
        self.gate.waiting.fetch_sub(1, Ordering::SeqCst);
        self.ticket = None;
        Some(Ok(Permit(Arc::clone(self.gate))))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut line = self.gate.lock();
        let Some(position) = line.waiters.iter().position(|waiter| waiter.ticket == ticket) else {
            return;
        };
        let left = line.waiters.remove(position);
        self.gate.waiting.fetch_sub(1, Ordering::SeqCst);
        if left.is_some_and(|waiter| waiter.granted) {
            self.gate.in_use.fetch_sub(1, Ordering::SeqCst);
            self.gate.serve_line(&mut line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;
    use std::thread;
    use std::time::Duration;

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
        let mut waiting = pin!(gate.enter(true));
        assert!(poll_once(waiting.as_mut()).is_pending());
        assert_eq!(block_on(gate.enter(true)).unwrap_err(), Full);
        assert_eq!(block_on(gate.enter(false)).unwrap_err(), Full);
    }

    #[test]
    fn who_waits_is_served_in_order_and_is_never_overtaken() {
        let gate = Arc::new(Gate::new(1, 8));
        let held = gate.try_enter().unwrap();
        let mut first = pin!(gate.enter(true));
        let mut second = pin!(gate.enter(true));
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
        let mut stays = Box::pin(gate.enter(true));
        let mut leaves = Box::pin(gate.enter(true));
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
        let mut waiting = pin!(gate.enter(true));
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
                        let permit = block_on(gate.enter(true)).unwrap();
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
