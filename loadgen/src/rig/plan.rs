//! What a run is asked to do: the targets, the load, and the provider the rig plays itself.

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use super::listener::Listener;
pub(crate) use super::template::RequestTemplate;

/// One address that requests are sent to.
#[derive(Clone, Debug)]
pub(crate) struct TargetPlan {
    /// What reports call it: `direct`, `l4`, `gateway`.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// What it is sent.
    pub request: RequestTemplate,
}

/// How requests follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Load {
    /// Open loop: `tuples_per_second` times a second one request to EACH target, in random order,
    /// each at its own intended moment.
    Open {
        /// Tuples a second; requests a second are this times the number of targets.
        tuples_per_second: f64,
        /// Connections to each target that are used in turn, as many callers would. 0: the one used
        /// last is used again, which flatters a forwarder with one connection behind each.
        connections: usize,
        /// Connections to one target that may exist at a time. A request that finds all of them
        /// busy fails with `Outcome::NoConnection`.
        in_flight_max: usize,
    },
    /// Closed loop: one target at a time for the length of a block, targets alternating A B B A;
    /// `connections` always busy.
    Closed {
        /// Requests in flight, each on a connection of its own.
        connections: usize,
    },
    /// Closed loop with every target in its turn request by request (concurrency 1): direct, l4,
    /// gateway, in shuffled order, one tuple after the other.
    OneByOne,
}

/// Everything one run needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Index 0 is `direct` when the run has one.
    pub targets: Vec<TargetPlan>,
    /// How requests follow each other.
    pub load: Load,
    /// Requests to each target before recording begins. A failure among them ends the run.
    pub warm_up_requests: u32,
    /// Length of one block.
    pub block: Duration,
    /// How many blocks; with `Load::Closed`, how many for each target.
    pub blocks: u32,
    /// The provider played by this thread; `None`: upstream is elsewhere.
    pub upstream: Option<UpstreamPlan>,
    /// From the last byte of a request to its reply, wherever the upstream is.
    pub upstream_delay: Duration,
    /// Replies carry the number of their request: the upstream is this one, here or in another
    /// process.
    pub checks_numbers: bool,
    /// Poll instead of sleeping while a request is in flight or one is due within 50 us. What only
    /// waits for a timer of the rig's own upstream does not count as in flight here.
    pub spin: bool,
    /// Client sockets are spread over this many addresses from 127.0.0.2 on, when one does not
    /// have ports enough (about 28,000 each). 0 leaves the choice to the kernel, whose one address
    /// has as many to each target.
    pub source_addresses: u8,
    /// Decides the order within tuples.
    pub seed: u64,
}

/// A provider that answers with bytes rendered beforehand.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamPlan {
    /// Where it accepts: bound already, so that its address is known before the run.
    pub listen: Listener,
    /// From the last byte of a request to the first of a reply that is not a stream.
    pub delay: Duration,
    /// Size of the JSON body of such a reply. What is too small for a valid body is enlarged.
    pub reply_bytes: usize,
    /// How a request with `"stream":true` is answered; `None`: with an error status.
    pub stream: Option<StreamPlan>,
    /// Whether replies carry `x-mock-received-ns` and `x-mock-sent-ns`, so that the way there and
    /// the way back are told apart (`Recording::legs`).
    pub stamps: bool,
}

/// One streamed reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamPlan {
    /// Events with content. A role-only event comes before them, `[DONE]` after.
    pub events: u32,
    /// From one content event to the next, on a schedule that does not drift.
    /// Zero: as fast as the connection takes them.
    pub gap: Duration,
    /// From the last byte of the request to the reply's head, role-only event and first content.
    pub head_delay: Duration,
    /// Size of one content event, from `data:` to its empty line. What is too small is enlarged.
    pub event_bytes: usize,
    /// Events are cut in the middle and sent as two segments.
    pub split: bool,
    /// The reply says `Connection: close` and the connection is closed after it.
    pub close: bool,
}
