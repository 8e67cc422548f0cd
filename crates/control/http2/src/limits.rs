//! Every named limit of HTTP/2, with the relations between them.

use std::time::Duration;

/// Connections served at once; a further one is closed. Their streams count besides, as connections of
/// the workers.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;

/// Streams under way on one connection. RFC 9113 §6.5.2 advises against fewer than 100.
pub(crate) const STREAMS_MAX: u32 = 128;

/// Streams that a client opened and reset before they were looked at, beyond which the connection ends.
pub(crate) const RESET_UNSEEN_MAX: usize = 20;

/// Streams that had to be reset for what the client sent on them, beyond which the connection ends.
pub(crate) const RESET_FOR_FAULTS_MAX: usize = 100;

/// Streams reset from this side that are remembered, because the client may not have heard of it.
pub(crate) const RESET_REMEMBERED_MAX: usize = 64;

/// Bytes of one stream that a client may send ahead.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes of all streams of a connection that a client may send ahead.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// Both of these windows while more than [`GENEROUS_CONNECTIONS_MAX`] connections are open. The protocol
/// begins with this much whether one wants it or not.
pub(crate) const NARROW_WINDOW_BYTES: u32 = 65_535;

/// Connections that get the wide windows.
pub(crate) const GENEROUS_CONNECTIONS_MAX: usize = 256;

/// What all clients together may make us hold in data they sent ahead.
const AHEAD_BYTES_MAX: usize = GENEROUS_CONNECTIONS_MAX * CONNECTION_WINDOW_BYTES as usize
    + CONNECTIONS_MAX * NARROW_WINDOW_BYTES as usize;

/// Largest frame taken.
pub(crate) const FRAME_BYTES_MAX: u32 = 16 * 1024;

/// Bytes of a stream's reply that wait for the client's window.
pub(crate) const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Bytes of a reply's head, or of a piece of its body, between the worker and here.
pub(crate) const HOP_BUFFER_BYTES_MAX: usize = 128 * 1024;

/// Headers of a reply: those of a provider, of which a worker takes 100, and the gateway's own.
pub(crate) const HOP_HEADERS_MAX: usize = 160;

/// A connection to a worker that carried no stream for so long is closed, at the latest after half of the
/// time a worker lets its clients idle: it must never close one that is just being used.
pub(crate) const HOP_IDLE_MAX: Duration = Duration::from_secs(10);

/// A worker that was told that nobody waits any more lets go within a second. It is waited for so that
/// the streams a client opens and resets are as limited as those it leaves open.
pub(crate) const LINGER_MAX: Duration = Duration::from_secs(2);

/// Time between two questions whether the client is still there.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);

/// It has this long to answer.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Time for the goodbyes of connections whose work is done.
pub(crate) const CLOSE_TIME_MAX: Duration = Duration::from_secs(1);

const _: () = assert!(NARROW_WINDOW_BYTES <= STREAM_WINDOW_BYTES);
const _: () = assert!(STREAM_WINDOW_BYTES <= CONNECTION_WINDOW_BYTES);
const _: () = assert!(GENEROUS_CONNECTIONS_MAX <= CONNECTIONS_MAX);
const _: () = assert!(AHEAD_BYTES_MAX <= 512 * 1024 * 1024);
