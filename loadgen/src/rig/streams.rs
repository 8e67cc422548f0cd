//! Measurements of streamed replies.

pub(crate) mod disconnects;
pub(crate) mod idle;
pub(crate) mod pace;
pub(crate) mod slow_readers;
mod splitter;

use super::callers::{Callers, Connections};
use super::engine::Engine;
use super::error::RigError;
use super::limits::STREAMS_MAX;
use super::load::{check_sources, check_targets, let_sleep_exactly};
use super::plan::{TargetPlan, UpstreamPlan};
use super::pump::Pump;

/// What the measurements of streams have in common.
#[derive(Clone, Debug)]
pub(crate) struct StreamSetup {
    /// Whom to ask; index 0 is `direct` when there is one.
    pub targets: Vec<TargetPlan>,
    /// The provider played by the measuring thread: the targets must lead to it.
    pub upstream: UpstreamPlan,
    /// As in `Plan`.
    pub spin: bool,
    /// As in `Plan`.
    pub source_addresses: u8,
    /// Decides the order of targets.
    pub seed: u64,
}

impl StreamSetup {
    /// Checks what is common, and makes the loop, with an upstream that keeps a journal and up to
    /// so many streams to each target.
    fn pump(&self, streams: u32) -> Result<Pump, RigError> {
        check_targets(&self.targets)?;
        check_sources(self.source_addresses)?;
        self.check_streams(streams)?;
        let_sleep_exactly();
        let mut engine = Engine::new(Some(&self.upstream), self.spin)?;
        if let Some(upstream) = &mut engine.upstream {
            upstream.keep_journal();
        }
        let connections = Connections { in_turn: 0, max: streams as usize };
        let callers = Callers::new(&self.targets, connections, self.source_addresses, true);
        Ok(Pump { engine, callers })
    }

    fn check_streams(&self, streams: u32) -> Result<(), RigError> {
        if !(1..=STREAMS_MAX).contains(&streams) {
            let problem = format!("{streams} streams: ask for 1 to {STREAMS_MAX}");
            return Err(RigError::Plan(problem));
        }
        Ok(())
    }

    /// Refuses targets that are not asked for streams, and an upstream that has none.
    fn check_is_stream(&self) -> Result<(), RigError> {
        if let Some(target) = self.targets.iter().find(|target| !target.request.is_stream()) {
            let problem = format!("target {} must be asked for a stream", target.name);
            return Err(RigError::Plan(problem));
        }
        if self.upstream.stream.is_none() {
            return Err(RigError::Plan("the upstream needs a plan for its streams".to_owned()));
        }
        Ok(())
    }
}

fn index(target: usize) -> u16 {
    // At most `TARGETS_MAX`.
    target as u16
}
