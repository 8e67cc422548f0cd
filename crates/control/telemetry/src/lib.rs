//! What the data plane reports, as Prometheus text: one event per finished request goes in, series
//! with the product's names, labels and buckets come out.
//!
//! [`Telemetry::drain`] is called on a timer and empties the workers' event queues;
//! [`Telemetry::render`] writes the page that `GET /metrics` answers with. Callers choose model
//! names, so the number of series is bounded: see [`CALL_SERIES_MAX`].
//!
//! ```
//! # fn scrape(seam: &seam::Seam) -> String {
//! let mut telemetry = telemetry::Telemetry::new(seam, telemetry::Settings::default());
//! telemetry.render()
//! # }
//! ```
#![forbid(unsafe_code)]

mod calls;
mod histogram;
mod http_requests;
mod keys;
mod page;
mod process;
mod workers;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use seam::{Event, EventQueue, Seam, WorkerStats};

pub use calls::CALL_SERIES_MAX;

use calls::Calls;
use http_requests::HttpRequests;
use keys::Keys;
use page::Page;

/// How often the event queues are emptied. They hold 80 ms at 50,000 requests/s.
pub const DRAIN_INTERVAL: Duration = Duration::from_millis(50);

/// Media type of the page that [`Telemetry::render`] writes.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is measured beyond the standard set.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// `overhead_breakdown_enabled`: the gateway's own time by component.
    pub overhead_breakdown: bool,
}

/// Every series of the process.
#[derive(Debug)]
pub struct Telemetry {
    events: Arc<[EventQueue]>,
    stats: Arc<[WorkerStats]>,
    http_requests: HttpRequests,
    calls: Calls,
    keys: Keys,
}

impl Telemetry {
    /// Without any series; reads from the queues and gauges of `seam`.
    pub fn new(seam: &Seam, settings: Settings) -> Self {
        Self {
            events: Arc::clone(&seam.events),
            stats: Arc::clone(&seam.stats),
            http_requests: HttpRequests::default(),
            calls: Calls::new(settings),
            keys: Keys::default(),
        }
    }

    /// Takes what the workers have reported since the last time. Bounded: a queue that is filled
    /// while it is emptied is left for the next call.
    pub fn drain(&mut self) {
        let queues = Arc::clone(&self.events);
        for queue in queues.iter() {
            for _ in 0..seam::EVENTS_MAX {
                let Some(event) = queue.pop() else { break };
                self.observe(event);
            }
        }
    }

    /// The page for one scrape, with everything that was reported until now.
    pub fn render(&mut self) -> String {
        self.drain();
        let mut page = Page::default();
        self.http_requests.write(&mut page);
        self.calls.write(&mut page);
        self.keys.write(&mut page);
        workers::write(&self.stats, &mut page);
        process::write(&mut page);
        page.into_text()
    }

    fn observe(&mut self, event: Event) {
        self.http_requests.observe(&event);
        if let Some(inference) = event.inference {
            self.keys.observe(&inference);
            self.calls.observe(event.status, inference);
        }
    }
}
