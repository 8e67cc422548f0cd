//! Every bound of the rig: nothing it holds, reads, writes or waits for grows past one of these.

use std::time::Duration;

/// Events taken from the kernel at a time. Small, so that what is due meanwhile is not late.
pub(crate) const EVENTS_MAX: usize = 32;
/// One read from a socket.
pub(crate) const READ_BYTES: usize = 64 << 10;
/// Bytes of one head.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of one request body the upstream takes.
pub(crate) const REQUEST_BODY_BYTES_MAX: usize = 64 << 20;
/// A reply's number is looked for in this many bytes at the beginning of its body.
pub(crate) const NUMBER_WITHIN_BYTES: usize = 4 << 10;
/// `"stream":true` is looked for in this many bytes at both ends of a body: what makes a body long
/// is the messages in between.
pub(crate) const FLAG_WITHIN_BYTES: usize = 1 << 10;
/// Bytes of a failed reply's body that an error message quotes.
pub(crate) const QUOTE_BYTES_MAX: usize = 200;
/// Bytes of one event of a stream.
pub(crate) const EVENT_BYTES_MAX: usize = 1 << 20;
/// Bytes of one chunk-size or trailer line.
pub(crate) const CHUNK_LINE_BYTES_MAX: usize = 4 << 10;
/// Connections the kernel holds for a listener until they are accepted.
pub(crate) const ACCEPT_BACKLOG: i32 = 8192;
/// Connections accepted in one go.
pub(crate) const ACCEPTS_MAX: usize = 64;
/// Timers of the upstream handled in one go.
pub(crate) const TIMERS_MAX: usize = 64;
/// Requests of the schedule sent in one go.
pub(crate) const SENDS_MAX: usize = 16;
/// Targets of one run.
pub(crate) const TARGETS_MAX: usize = 64;
/// Requests of one run: what a tuple's number and memory hold.
pub(crate) const SAMPLES_MAX: u64 = 200_000_000;
/// Requests that one connection limit, `in_flight_max` or `connections`, may name.
pub(crate) const CONNECTIONS_MAX: usize = 1_000_000;

/// A reply that takes longer than this, added to the upstream's own delay, has failed.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// With upstream delays up to this an open load is let run dry between blocks.
pub(crate) const DRAIN_DELAY_MAX: Duration = Duration::from_millis(100);
/// Sleep between blocks. The kernel takes 5 % of each second from a real-time thread that never
/// sleeps; blocks of a second or less with this between them leave it nothing to take.
pub(crate) const BLOCK_PAUSE: Duration = Duration::from_millis(60);
/// Requests of one tuple follow each other at most this far apart.
pub(crate) const TUPLE_SPACING_MAX: Duration = Duration::from_micros(300);
/// In spin mode the rig is awake this long before something is due.
pub(crate) const SPIN_AHEAD: Duration = Duration::from_micros(50);
/// Between the observer's snapshot and the first request of a block.
pub(crate) const BLOCK_LEAD: Duration = Duration::from_micros(200);
/// How often the observer hears how far the run is.
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// How often requests in flight are looked through for those that are too old.
pub(crate) const EXPIRE_EVERY: Duration = Duration::from_secs(5);
/// From the first half of an event that is split to the second.
pub(crate) const SPLIT_GAP: Duration = Duration::from_micros(200);
/// Latency that closed-loop histograms tell apart from longer ones.
pub(crate) const LATENCY_MAX: Duration = Duration::from_secs(60);
/// A target that refuses connections at once is asked anew after this.
pub(crate) const REFUSAL_PAUSE: Duration = Duration::from_millis(1);
/// Two events in one read were held back if they were sent this far apart.
pub(crate) const COALESCED_FROM: Duration = Duration::from_millis(2);
/// A gap of so many times the pace is a stall.
pub(crate) const STALL_FACTOR: u64 = 10;
/// Streams of one measurement that are open at a time.
pub(crate) const STREAMS_MAX: u32 = 200_000;
/// How often slow readers read.
pub(crate) const SLOW_READ_EVERY: Duration = Duration::from_millis(100);
