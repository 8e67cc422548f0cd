//! A bounded queue to one taker on another thread, which is woken.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Items that wait for the taker; beyond that they are given back.
pub const INBOX_MAX: usize = 256;

/// Where any thread puts items for the one that holds the [`Intake`]. Cloning shares it.
pub struct Inbox<T>(Arc<Mutex<Waiting<T>>>);

struct Waiting<T> {
    items: VecDeque<T>,
    /// Whom to wake; `None` while the taker is awake.
    waker: Option<Waker>,
    /// There is a taker.
    is_open: bool,
}

impl<T> Inbox<T> {
    /// Queues `item` and wakes the taker.
    ///
    /// # Errors
    /// Gives `item` back while nobody takes, and when [`INBOX_MAX`] wait already.
    pub fn put(&self, item: T) -> Result<(), T> {
        let mut waiting = self.lock();
        if !waiting.is_open || waiting.items.len() >= INBOX_MAX {
            return Err(item);
        }
        waiting.items.push_back(item);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Begins to take, until the result is dropped. One taker at a time.
    pub fn open(&self) -> Intake<T> {
        self.lock().is_open = true;
        Intake(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Inbox<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        let waiting = Waiting { items: VecDeque::new(), waker: None, is_open: false };
        Self(Arc::new(Mutex::new(waiting)))
    }
}

impl<T> fmt::Debug for Inbox<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Inbox").field("waiting", &self.lock().items.len()).finish()
    }
}

/// The taker's end. Dropping it closes the inbox and drops what waits.
#[derive(Debug)]
pub struct Intake<T>(Inbox<T>);

impl<T> Intake<T> {
    /// The next item, the oldest first.
    pub fn poll_next(&self, context: &Context<'_>) -> Poll<T> {
        let mut waiting = self.0.lock();
        match waiting.items.pop_front() {
            Some(item) => Poll::Ready(item),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Intake<T> {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        (waiting.is_open, waiting.waker) = (false, None);
        let left = std::mem::take(&mut waiting.items);
        drop(waiting);
        // Outside of the lock: what an item does when it is dropped is its own business.
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_taker_is_woken_and_gets_the_oldest_first() {
        let inbox = Inbox::default();
        let intake = inbox.open();
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let context = Context::from_waker(&waker);
        assert_eq!(intake.poll_next(&context), Poll::Pending);
        assert_eq!((inbox.put(1), inbox.put(2)), (Ok(()), Ok(())));
        assert_eq!(woken.0.load(Ordering::Relaxed), 1, "once for both");
        assert_eq!(intake.poll_next(&context), Poll::Ready(1));
        assert_eq!(intake.poll_next(&context), Poll::Ready(2));
        assert_eq!(intake.poll_next(&context), Poll::Pending);
    }

    #[test]
    fn it_takes_only_while_open_and_so_much() {
        let inbox = Inbox::default();
        assert_eq!(inbox.put(0), Err(0));
        let intake = inbox.open();
        let taken = (0..INBOX_MAX + 10).filter(|number| inbox.put(*number).is_ok()).count();
        assert_eq!(taken, INBOX_MAX);
        drop(intake);
        assert_eq!(inbox.put(0), Err(0));
        let again = inbox.open();
        let context = Context::from_waker(Waker::noop());
        assert_eq!(again.poll_next(&context), Poll::Pending, "what waited is gone");
    }
}
