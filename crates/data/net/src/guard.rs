//! Keeps a panic inside the task it happened in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;

use crate::worker::{self, raise};

/// Runs `future` to its end, or to its first panic, which is counted and goes no further.
///
/// The runtime polls tasks unprotected: without this a panic would end the worker and all its
/// connections.
pub(crate) fn contain<F: Future<Output = ()>>(future: F) -> impl Future<Output = ()> {
    // Boxed, because a future that is moved into another one takes its room there twice.
    let mut running = Some(Box::pin(future));
    std::future::poll_fn(move |context| {
        let step = || match &mut running {
            Some(future) => future.as_mut().poll(context),
            None => Poll::Ready(()),
        };
        // What the future shares with others are counters and tables that no step leaves half-changed.
        let polled = catch_unwind(AssertUnwindSafe(step));
        if let Ok(Poll::Pending) = polled {
            return Poll::Pending;
        }
        let dropped = catch_unwind(AssertUnwindSafe(|| running = None));
        if polled.is_err() || dropped.is_err() {
            worker::worker_stats(|stats| raise(&stats.panics));
        }
        Poll::Ready(())
    })
}
