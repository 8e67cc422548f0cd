//! What a stream shows while it passes by: usage, errors, and the time between frames.

use std::time::Instant;

use dialect::{Dialect, EventClass, Usage, UsageReader};
use seam::Gaps;
use wire::Event;

/// Watches one stream of a provider.
#[derive(Debug)]
pub(crate) struct Watch {
    dialect: Dialect,
    usage: UsageReader,
    began: Instant,
    last_output: Option<Instant>,
    first_token_us: Option<u64>,
    gaps: Gaps,
}

/// What became of a stream, for the record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) usage: Usage,
    pub(crate) first_token_us: Option<u64>,
    pub(crate) gaps: Gaps,
}

impl Watch {
    /// A watch that measures from `began`, when the request was received.
    pub(crate) fn new(dialect: Dialect, began: Instant) -> Self {
        Self {
            dialect,
            usage: UsageReader::new(dialect),
            began,
            last_output: None,
            first_token_us: None,
            gaps: Gaps::default(),
        }
    }

    /// Takes note of one event.
    pub(crate) fn note(&mut self, event: &Event<'_>) -> EventClass {
        let class = dialect::event_class(self.dialect, event.event, event.data);
        self.usage.event(event.event, event.data);
        match class {
            EventClass::Output => self.time_output(),
            EventClass::Error | EventClass::StartUp | EventClass::Done => {}
        }
        class
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        Seen { usage: self.usage.usage(), first_token_us: self.first_token_us, gaps: self.gaps }
    }

    fn time_output(&mut self) {
        let now = Instant::now();
        let since = |earlier: Instant| now.duration_since(earlier).as_micros() as u64;
        match self.last_output {
            Some(last) => self.gaps.add(since(last)),
            None => self.first_token_us = Some(since(self.began)),
        }
        self.last_output = Some(now);
    }
}
