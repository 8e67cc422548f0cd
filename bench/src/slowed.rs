//! Deliberate slowness, by which the gate shows that it closes.
//!
//! `BENCH_SLOWED_INSTRUCTIONS` and `BENCH_SLOWED_ALLOCATIONS` say how many of each every step of a case and
//! every wake of a connection has too many.

use std::hint::black_box;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use net::{Connection, Service};

use crate::Step;

/// Instructions of one round of the loop below, as optimised.
const INSTRUCTIONS_PER_ROUND: u64 = 4;

static INSTRUCTIONS: LazyLock<u64> = LazyLock::new(|| number("BENCH_SLOWED_INSTRUCTIONS"));
static ALLOCATIONS: LazyLock<u64> = LazyLock::new(|| number("BENCH_SLOWED_ALLOCATIONS"));

fn number(name: &str) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// A step that wastes something each time.
pub(crate) fn slow_down(mut step: Step) -> Step {
    Box::new(move || {
        waste();
        step()
    })
}

/// Wastes what the environment asks for.
fn waste() {
    for round in 0..INSTRUCTIONS.div_ceil(INSTRUCTIONS_PER_ROUND) {
        black_box(round);
    }
    for _ in 0..*ALLOCATIONS {
        drop(black_box(Vec::<u8>::with_capacity(64)));
    }
}

/// A worker that wastes something whenever a connection of its wakes.
#[derive(Debug)]
pub(crate) struct Slowed(pub(crate) Rc<proxy::Worker>);

impl Service for Slowed {
    async fn serve(self: Rc<Self>, connection: Connection) {
        Wasteful(Box::pin(Rc::clone(&self.0).serve(connection))).await;
    }
}

struct Wasteful<F>(Pin<Box<F>>);

impl<F: Future> Future for Wasteful<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        waste();
        self.0.as_mut().poll(context)
    }
}
