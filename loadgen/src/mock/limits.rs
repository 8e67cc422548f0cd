//! Every bound of the mock: nothing it holds, reads or writes grows past one of these.

use std::time::Duration;

/// Headers of one request.
pub(crate) const HEADERS_MAX: usize = 256;
/// Bytes of one request head.
pub(crate) const HEAD_BYTES_MAX: usize = 256 << 10;
/// Bytes of one request body.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 20;
/// Bytes of one chunk-size or trailer line.
pub(crate) const CHUNK_LINE_BYTES_MAX: usize = 4 << 10;
/// Unread bytes a connection holds before it stops reading: one request of the largest kind, with
/// room for its chunk framing.
pub(crate) const INBOX_BYTES_MAX: usize = 2 * (HEAD_BYTES_MAX + BODY_BYTES_MAX);
/// One read from a socket.
pub(crate) const READ_BYTES: usize = 16 << 10;

/// Requests the recording keeps.
pub(crate) const RECORDS_MAX: usize = 4096;
/// Raw bytes shown of one recorded request.
pub(crate) const RECORD_BYTES_MAX: usize = 1 << 20;
/// Raw bytes kept of all recorded requests together.
pub(crate) const RECORDING_BYTES_MAX: usize = 256 << 20;

/// Characters of the caller's text that a reply repeats.
pub(crate) const ECHO_CHARS_MAX: usize = 200;
/// Bytes of one reply's text.
pub(crate) const REPLY_BYTES_MAX: usize = 16 << 20;
/// Text deltas of one stream.
pub(crate) const CHUNKS_MAX: usize = 100_000;
/// Pieces the arguments of one tool call, or one reasoning text, are streamed in.
pub(crate) const SMALL_PIECES_MAX: usize = 4;
/// Choices (`n`) of one reply, as at OpenAI.
pub(crate) const CHOICES_MAX: u64 = 128;
/// Levels of a JSON schema followed when a value for it is made up.
pub(crate) const SCHEMA_DEPTH_MAX: usize = 32;
/// Values made up for one JSON schema.
pub(crate) const SCHEMA_VALUES_MAX: usize = 4096;

/// Steps shown of the place of a wrong value.
pub(crate) const PLACE_STEPS_MAX: usize = 32;
/// Texts of one embedding request, documents of one rerank request.
pub(crate) const INPUTS_MAX: usize = 2048;
/// Numbers of one embedding.
pub(crate) const DIMENSIONS_MAX: u64 = 4096;

/// Files and batches kept for callers at a time, and the bytes of all files together.
pub(crate) const KEPT_FILES_MAX: usize = 256;
pub(crate) const KEPT_BATCHES_MAX: usize = 256;
pub(crate) const KEPT_BYTES_MAX: usize = 64 << 20;

/// Informational heads before a reply.
pub(crate) const INFORMATIONAL_MAX: usize = 10_000;
/// Bytes of a header that is there for its size.
pub(crate) const HEADER_FILL_BYTES_MAX: usize = 16 << 20;
/// The largest number a retry-after takes.
pub(crate) const RETRY_AFTER_MAX: u64 = 10_000_000;
/// The longest time a flag or fault can ask for.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(3600);
/// The pause between two pieces of a split write, how many get one, and how many pieces there are.
/// What is left after the last piece is written at once.
pub(crate) const SPLIT_PAUSE: Duration = Duration::from_millis(1);
pub(crate) const SPLIT_PAUSES_MAX: usize = 256;
pub(crate) const SPLIT_PIECES_MAX: usize = 16 << 10;

/// Scripts and fixtures held at a time, and the steps of one script.
pub(crate) const SCRIPTS_MAX: usize = 1024;
pub(crate) const FIXTURES_MAX: usize = 4096;
pub(crate) const STEPS_MAX: usize = 4096;

/// A connection older than this is closed, whatever it waits for.
pub(crate) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3600);
/// A TLS handshake slower than this is given up.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Connections the kernel holds until they are accepted.
pub(crate) const ACCEPT_BACKLOG: i32 = 4096;
/// After a failed accept (out of descriptors, say) the listener waits this long.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
