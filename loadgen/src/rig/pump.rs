//! Engine and callers together: one turn handles what has happened.

use super::callers::{Answer, Callers, Piece};
use super::engine::Engine;
use super::error::RigError;

/// The loop of one measurement.
pub(crate) struct Pump {
    /// Sockets, time and the own upstream.
    pub engine: Engine,
    /// Connections to the targets.
    pub callers: Callers,
}

impl Pump {
    /// The time.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.engine.io.clock.now()
    }

    /// Waits until `due_ns` or until something happens, and handles it. `answers` gets the
    /// requests that ended by it, `sink` the content of replies as it comes.
    #[inline]
    pub(crate) fn turn(
        &mut self,
        due_ns: u64,
        answers: &mut Vec<Answer>,
        mut sink: impl FnMut(Piece<'_>),
    ) -> Result<(), RigError> {
        let Self { engine, callers } = self;
        let count = engine.wait(due_ns, callers.in_flight())?;
        for index in 0..count {
            let Some(readiness) = engine.event(index) else { continue };
            answers.extend(callers.serve(&mut engine.io, readiness, &mut sink));
        }
        Ok(())
    }
}
