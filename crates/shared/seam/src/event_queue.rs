//! A bounded queue of events from one worker to the control plane.

use std::sync::OnceLock;

use crossbeam_queue::ArrayQueue;

use crate::Event;

/// Events a worker may be ahead of the control plane: 4,096 are 80 ms at 50,000 requests/s, more
/// than the interval at which the queue is drained, and at most 2 MiB per worker.
pub const EVENTS_MAX: usize = 4096;

/// Of those, events with a place from the start: enough for 10,000 requests/s, and little enough to
/// stay in the cache of a core. A slot is memory in use whether an event is in it or not.
const NEAR_MAX: usize = 512;

const FAR_MAX: usize = EVENTS_MAX - NEAR_MAX;

const _: () = assert!(EVENTS_MAX * size_of::<Event>() <= 2 << 20);

/// Lock-free; pushed by one worker, popped by the control plane. Events come out in the order they
/// went in, unless there were more than [`NEAR_MAX`].
#[derive(Debug)]
pub struct EventQueue {
    near: ArrayQueue<Event>,
    /// Made when the first one overflows: once in the life of a worker, if ever.
    far: OnceLock<ArrayQueue<Event>>,
}

impl Default for EventQueue {
    fn default() -> Self {
        Self { near: ArrayQueue::new(NEAR_MAX), far: OnceLock::new() }
    }
}

impl EventQueue {
    /// Hands an event over. `false`: the queue is full and the event is gone; the caller counts it.
    #[must_use]
    pub fn push(&self, event: Event) -> bool {
        match self.near.push(event) {
            Ok(()) => true,
            Err(event) => self.far.get_or_init(|| ArrayQueue::new(FAR_MAX)).push(event).is_ok(),
        }
    }

    /// An event, if there is one.
    pub fn pop(&self) -> Option<Event> {
        self.near.pop().or_else(|| self.far.get()?.pop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(request_bytes: u64) -> Event {
        Event {
            method: "GET",
            route: "other",
            status: 200,
            request_bytes,
            response_bytes: 0,
            total_us: 0,
            inference: None,
        }
    }

    #[test]
    fn it_takes_so_many_events_and_gives_each_back_once() {
        let queue = EventQueue::default();
        let numbers = || 0..EVENTS_MAX as u64;
        // Twice: the second time the queue has its full size already.
        for _ in 0..2 {
            assert!(numbers().all(|number| queue.push(event(number))));
            assert!(!queue.push(event(0)), "the queue is full");
            let mut seen: Vec<u64> =
                std::iter::from_fn(|| queue.pop()).map(|event| event.request_bytes).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(numbers()));
        }
    }

    #[test]
    fn memory_for_a_burst_is_taken_when_it_comes() {
        let queue = EventQueue::default();
        for number in 0..3 * NEAR_MAX as u64 {
            assert!(queue.push(event(number)));
            assert_eq!(queue.pop().map(|event| event.request_bytes), Some(number));
        }
        assert!(queue.far.get().is_none());
        assert!((0..=NEAR_MAX as u64).all(|number| queue.push(event(number))));
        assert!(queue.far.get().is_some());
    }
}
