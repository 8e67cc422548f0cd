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
    /// The last event showed what was used.
    shows_usage: bool,
}

/// What became of a reply, for the record.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) usage: Usage,
    pub(crate) first_token_us: Option<u64>,
    /// Set for streams of more than one output frame.
    pub(crate) gaps: Option<Box<Gaps>>,
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
            shows_usage: false,
        }
    }

    /// Takes note of one event, which came `at` that moment.
    pub(crate) fn note(&mut self, event: &Event<'_>, at: Instant) -> EventClass {
        let class = dialect::event_class(self.dialect, event.event, event.data);
        self.shows_usage = self.usage.event(event.event, event.data);
        match class {
            EventClass::Output => self.time_output(at),
            EventClass::Error | EventClass::StartUp | EventClass::Done => {}
        }
        class
    }

    /// Whether the event that was noted last showed what was used.
    pub(crate) fn shows_usage(&self) -> bool {
        self.shows_usage
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        let gaps = (self.gaps.count() > 0).then(|| Box::new(self.gaps));
        Seen { usage: self.usage.usage(), first_token_us: self.first_token_us, gaps }
    }

    fn time_output(&mut self, at: Instant) {
        let since = |earlier: Instant| at.duration_since(earlier).as_micros() as u64;
        match self.last_output {
            Some(last) => self.gaps.add(since(last)),
            None => self.first_token_us = Some(since(self.began)),
        }
        self.last_output = Some(at);
    }
}
