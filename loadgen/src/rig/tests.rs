//! The engine over real loopback sockets.

mod floor;
mod loads;
mod middleman;
mod streams;

use std::net::SocketAddr;
use std::time::Duration;

use super::plan::{Listener, Load, Plan, RequestTemplate, StreamPlan, TargetPlan, UpstreamPlan};
use super::recording::{Observe, Progress};

/// Counts the snapshots it was asked for.
#[derive(Default)]
struct Counter {
    snapshots: u32,
    progress: Vec<Progress>,
}

impl Observe for Counter {
    type Snapshot = u32;

    fn snapshot(&mut self) -> u32 {
        self.snapshots += 1;
        self.snapshots
    }

    fn progress(&mut self, progress: &Progress) {
        self.progress.push(*progress);
    }
}

fn listener() -> Listener {
    Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

fn upstream(listen: &Listener) -> UpstreamPlan {
    UpstreamPlan {
        listen: listen.clone(),
        delay: Duration::ZERO,
        reply_bytes: 1_400,
        stream: None,
        stamps: false,
    }
}

fn stream_plan(events: u32, gap_ms: u64) -> StreamPlan {
    StreamPlan {
        events,
        gap: Duration::from_millis(gap_ms),
        head_delay: Duration::from_millis(gap_ms),
        event_bytes: 250,
        split: false,
        close: false,
    }
}

fn target(name: &str, address: SocketAddr, is_stream: bool) -> TargetPlan {
    let host = address.to_string();
    let request =
        RequestTemplate::chat(&host, "/v1/chat/completions", &[], "gpt-4o", 1_000, is_stream);
    TargetPlan { name: name.to_owned(), address, request: request.unwrap() }
}

fn plan(targets: Vec<TargetPlan>, load: Load, upstream: UpstreamPlan) -> Plan {
    Plan {
        targets,
        load,
        warm_up_requests: 20,
        block: Duration::from_millis(500),
        blocks: 2,
        upstream_delay: upstream.delay,
        checks_numbers: true,
        upstream: Some(upstream),
        spin: false,
        source_addresses: 0,
        seed: 1,
    }
}
