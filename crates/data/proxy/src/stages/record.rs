//! Stage 13: outcome → event. Exactly one per request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dialect::Operation;
use foldhash::fast::RandomState;
use seam::{Event, Inference, Rotation, StageTimes};
use snapshot::KeyLabel;

use super::watch::Seen;

/// Distinct names a worker remembers, so that an event shares them instead of copying them. Callers
/// choose model names; beyond this they are copied.
const NAMES_MAX: usize = 4096;

/// Shared copies of names.
#[derive(Debug, Default)]
pub(crate) struct Names(RefCell<HashMap<Box<str>, Arc<str>, RandomState>>);

impl Names {
    /// The shared copy of `name`.
    pub(crate) fn share(&self, name: &str) -> Arc<str> {
        let mut names = self.0.borrow_mut();
        if let Some(shared) = names.get(name) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = name.into();
        if names.len() < NAMES_MAX {
            names.insert(name.into(), Arc::clone(&shared));
        }
        shared
    }
}

/// Whom a request went to, as metrics and logs name it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labels {
    pub(crate) provider: Option<Arc<str>>,
    pub(crate) model: Option<Arc<str>>,
    pub(crate) alias: Option<Arc<str>>,
    /// The model id on the wire where it differs from `model`.
    pub(crate) resolved_model: Option<Arc<str>>,
    pub(crate) key: Option<Arc<KeyLabel>>,
    pub(crate) routing_engine: &'static str,
    pub(crate) fallback_index: u32,
}

/// What is known of an inference request, filled in as it goes along.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) operation: Operation,
    pub(crate) labels: Labels,
    /// Provider and model of the primary target, once a fallback is tried.
    pub(crate) primary: Option<(Arc<str>, Arc<str>)>,
    pub(crate) retries: u32,
    pub(crate) error_type: Option<&'static str>,
    pub(crate) upstream_us: u64,
    /// Time spent waiting on purpose: backoff, and the waiting line.
    pub(crate) pauses_us: u64,
    pub(crate) stages: StageTimes,
    pub(crate) seen: Seen,
    pub(crate) rotations: Vec<Rotation>,
    /// When the reply was through, where there was one.
    pub(crate) ended: Option<Instant>,
}

impl Account {
    pub(crate) fn new(operation: Operation) -> Self {
        Self {
            operation,
            labels: Labels::default(),
            primary: None,
            retries: 0,
            error_type: None,
            upstream_us: 0,
            pauses_us: 0,
            stages: StageTimes::default(),
            seen: Seen::default(),
            rotations: Vec::new(),
            ended: None,
        }
    }

    /// The stages as a `Server-Timing` value, in milliseconds.
    pub(crate) fn server_timing(&self) -> String {
        let stages = &self.stages;
        let own = [
            ("receive", stages.receive_ns),
            ("choose", stages.choose_ns),
            ("wait", stages.wait_ns),
            ("prepare", stages.prepare_ns),
            ("upstream", self.upstream_us * 1000),
        ];
        let entries = own.map(|(name, ns)| format!("{name};dur={:.4}", ns as f64 / 1e6));
        entries.join(", ")
    }

    /// Gives away what it has; in place, because it is large.
    fn inference(&mut self, total_us: u64) -> Option<Inference> {
        let labels = &mut self.labels;
        Some(Inference {
            operation: self.operation,
            // A request that never came as far as a provider belongs to none.
            provider: labels.provider.take()?,
            model: labels.model.take().unwrap_or_else(|| "".into()),
            alias: labels.alias.take(),
            key: labels.key.take(),
            routing_engine: labels.routing_engine,
            retries: self.retries,
            fallback_index: labels.fallback_index,
            error_type: self.error_type,
            upstream_us: self.upstream_us,
            overhead_us: total_us.saturating_sub(self.upstream_us + self.pauses_us),
            stages: self.stages,
            first_token_us: self.seen.first_token_us,
            gaps: self.seen.gaps.take(),
            usage: self.seen.usage,
            rotations: std::mem::take(&mut self.rotations).into(),
        })
    }
}

/// The part of an event that every request has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outline {
    pub(crate) method: &'static str,
    pub(crate) route: &'static str,
    pub(crate) status: u16,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) began: Instant,
}

/// The event of a finished request.
pub(crate) fn event(outline: Outline, account: Option<&mut Account>) -> Event {
    let ended = account.as_ref().and_then(|account| account.ended);
    let total = ended.unwrap_or_else(Instant::now).duration_since(outline.began);
    let total_us = total.as_micros() as u64;
    Event {
        method: outline.method,
        route: outline.route,
        status: outline.status,
        request_bytes: outline.request_bytes,
        response_bytes: outline.response_bytes,
        total_us,
        inference: account.and_then(|account| account.inference(total_us)),
    }
}
