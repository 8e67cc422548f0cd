//! Every named limit of the request path, with the relations between them.

use std::time::Duration;

/// Headers of a request or reply head.
pub(crate) const HEADERS_MAX: usize = 100;

/// Bytes of a provider's reply head.
pub(crate) const REPLY_HEAD_BYTES_MAX: usize = 64 * 1024;

/// The beginning of a body that streams through, held to find `model` in it.
pub(crate) const BODY_PREFIX_BYTES: u64 = 64 * 1024;

/// A body that arrives more slowly than this, averaged over all of it, is given up.
pub(crate) const BODY_BYTES_PER_SECOND_MIN: u64 = 8 * 1024;

/// A reply that has to be translated or shown as raw is collected up to here.
pub(crate) const REPLY_COLLECT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A provider's error body is read up to here.
pub(crate) const ERROR_BODY_BYTES_MAX: usize = 256 * 1024;

/// A relayed unary reply is copied aside up to here to read its usage; beyond it is unknown.
pub(crate) const USAGE_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Start-up events of a stream are held back up to here while another attempt is possible.
pub(crate) const STARTUP_EVENTS_MAX: usize = 64;

/// The same in bytes.
pub(crate) const STARTUP_BYTES_MAX: usize = 256 * 1024;

/// Bytes of a model name, prefix included. Names become labels, headers and log fields.
pub(crate) const MODEL_BYTES_MAX: usize = 512;

/// Room made at once for an announced body; a larger one gets more as it arrives, so that an
/// announcement alone takes no memory.
pub(crate) const BODY_RESERVE_BYTES: usize = 256 * 1024;

/// Each time the room is full there is so many times more of it: two steps to 64 MiB, so that the
/// copies add up to little.
pub(crate) const BODY_RESERVE_GROWTH: usize = 16;

/// Largest body passed on to the control plane.
pub(crate) const CONTROL_BODY_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// A pooled connection that closes without a byte within this time was closed while idle.
pub(crate) const STALE_WITHIN: Duration = Duration::from_secs(1);

/// When a request could not be written, an answer is waited for this long.
pub(crate) const EARLY_REPLY_WAIT: Duration = Duration::from_secs(1);

/// The body of an error reply may take this long; its status counts in any case.
pub(crate) const ERROR_BODY_WAIT: Duration = Duration::from_secs(5);

/// A reply that is complete is written in pieces of this size, each with its own time to be taken.
pub(crate) const WRITE_PIECE_BYTES: usize = 256 * 1024;

/// Between two looks at a job that is waited for: the first pause, doubled each time up to the last.
pub(crate) const TASK_PAUSE_MIN: Duration = Duration::from_millis(250);
pub(crate) const TASK_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Calling off a job nobody waits for may take this long.
pub(crate) const TASK_CANCEL_WAIT: Duration = Duration::from_secs(10);

/// Informational (1xx) heads that may precede a reply.
pub(crate) const INFORMATIONAL_MAX: usize = 16;

/// Fallbacks of one request beyond which the list is cut.
pub(crate) const FALLBACKS_MAX: usize = 16;

/// A retry waits at most this long on a provider's word (`Retry-After`), whatever it asks for.
pub(crate) const RETRY_AFTER_MAX_MS: u64 = 60_000;

/// Top-level members of a request body.
pub(crate) const MEMBERS_MAX: usize = 256;

const _: () = assert!(ERROR_BODY_BYTES_MAX <= USAGE_BODY_BYTES_MAX);
const _: () = assert!(USAGE_BODY_BYTES_MAX <= REPLY_COLLECT_BYTES_MAX);
const _: () = assert!(STARTUP_BYTES_MAX <= REPLY_COLLECT_BYTES_MAX);
