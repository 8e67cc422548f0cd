//! The measuring thread's loop: waits for sockets and timers, and plays the upstream in between.

use super::clock::Clock;
use super::error::RigError;
use super::limits::{READ_BYTES, SPIN_AHEAD};
use super::plan::UpstreamPlan;
use super::poller::{Poller, Readiness};
use super::upstream::{Upstream, is_upstream};

/// What every connection of the thread needs to be served.
pub(crate) struct Io {
    /// The time.
    pub clock: Clock,
    /// Where sockets are registered.
    pub poller: Poller,
    /// What is read lands here first.
    pub buffer: Box<[u8]>,
}

/// One thread's sockets and timers.
pub(crate) struct Engine {
    /// Sockets, time, buffer.
    pub io: Io,
    /// The provider played here.
    pub upstream: Option<Upstream>,
    spins: bool,
}

impl Engine {
    /// An engine that plays this upstream, and polls instead of sleeping where `spins`.
    pub(crate) fn new(upstream: Option<&UpstreamPlan>, spins: bool) -> Result<Self, RigError> {
        let poller = Poller::new().map_err(RigError::system("cannot create an epoll set"))?;
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        let io = Io { clock: Clock::start(), poller, buffer };
        let upstream = upstream.map(|plan| Upstream::new(plan, &io.poller)).transpose()?;
        Ok(Self { io, upstream, spins })
    }

    /// Waits until something happens or `due_ns` has come. How many events there are for `event`.
    ///
    /// `in_flight` is how many requests have no answer yet. Those that only wait for a timer of
    /// the own upstream give no reason to spin.
    #[inline]
    pub(crate) fn wait(&mut self, due_ns: u64, in_flight: usize) -> Result<usize, RigError> {
        let Self { io, upstream, spins } = self;
        let mut due_ns = due_ns;
        let mut active = in_flight;
        if let Some(upstream) = upstream {
            upstream.run_due(io);
            due_ns = due_ns.min(upstream.due_ns());
            active = active.saturating_sub(upstream.waiting());
        }
        let mut timeout_ns = due_ns.saturating_sub(io.clock.now());
        if *spins {
            timeout_ns = timeout_ns.saturating_sub(SPIN_AHEAD.as_nanos() as u64);
            timeout_ns = if active > 0 { 0 } else { timeout_ns };
        }
        // The end of time means no timer at all.
        let timeout_ns = (due_ns != u64::MAX || timeout_ns == 0).then_some(timeout_ns);
        io.poller.wait(timeout_ns).map_err(RigError::system("cannot wait for sockets"))
    }

    /// Serves the upstream if the event is its own; else gives it to the caller side.
    #[inline]
    pub(crate) fn event(&mut self, index: usize) -> Option<Readiness> {
        let readiness = self.io.poller.event(index);
        match &mut self.upstream {
            Some(upstream) if is_upstream(readiness.token) => {
                upstream.serve(&mut self.io, readiness);
                None
            }
            _ => Some(readiness),
        }
    }
}
