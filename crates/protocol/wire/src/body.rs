//! Bodies: cutting the payload out of bytes as they arrive, and writing chunks.
//!
//! Readers keep no bytes. Each step says which part of its input is payload and how much of the
//! input is done with, so payload goes on to the next hop without being copied.

mod chunked;

use std::{error::Error, fmt, ops::Range};

pub use self::chunked::{
    CHUNK_EXTENSION_BYTES_MAX, CHUNK_SIZE_LINE_BYTES_MAX, ChunkedReader, ChunkedWriter,
    TRAILER_BYTES_MAX,
};
use crate::BodyLength;

/// What one look at the input gave.
///
/// Unless the body is at its end, a step over a non-empty input consumes at least one byte, so a
/// loop over steps comes to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyStep {
    /// Bytes of the input that are done with. Continue behind them, and wait for more when there
    /// are none.
    pub consumed: usize,
    /// Which bytes of the input are payload; lies within the consumed ones and may be empty.
    pub data: Range<usize>,
    /// Whether the body ends here. What lies behind the consumed bytes is the next message.
    pub is_end: bool,
}

/// Why a body can't be read on. The connection it came from can't be used any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyError {
    /// A chunk size has no digits, or a character that is none.
    ChunkSize,
    /// A chunk size doesn't fit 64 bits.
    ChunkSizeOverflow,
    /// The line of a chunk size is longer than [`CHUNK_SIZE_LINE_BYTES_MAX`].
    ChunkSizeLineTooLong,
    /// A control character in a chunk extension.
    ChunkExtension,
    /// Chunk extensions add up to more than [`CHUNK_EXTENSION_BYTES_MAX`].
    ChunkExtensionsTooLong,
    /// Chunk data isn't followed by CRLF.
    ChunkEnd,
    /// A line ends with LF alone.
    BareLineFeed,
    /// A CR that no LF follows.
    BareCarriageReturn,
    /// A trailer line isn't `name: value`.
    Trailer,
    /// Trailers are longer than [`TRAILER_BYTES_MAX`].
    TrailersTooLong,
    /// The connection closed before the body was complete.
    Truncated,
}

impl BodyError {
    fn message(self) -> &'static str {
        match self {
            Self::ChunkSize => "a chunk size isn't a hexadecimal number",
            Self::ChunkSizeOverflow => "a chunk size is too large",
            Self::ChunkSizeLineTooLong => "the line of a chunk size is too long",
            Self::ChunkExtension => "a chunk extension has a control character",
            Self::ChunkExtensionsTooLong => "there are too many chunk extensions",
            Self::ChunkEnd => "a chunk doesn't end where its size says",
            Self::BareLineFeed => "a line between chunks ends with LF instead of CRLF",
            Self::BareCarriageReturn => "a CR between chunks isn't followed by LF",
            Self::Trailer => "a trailer isn't a `name: value` line",
            Self::TrailersTooLong => "the trailers are too long",
            Self::Truncated => "the connection closed before the body was complete",
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl Error for BodyError {}

/// Reads one body of whatever framing, of a request or a response.
#[derive(Clone, Debug)]
pub enum BodyReader {
    /// There is no body.
    None,
    /// A body of known length.
    Fixed(FixedReader),
    /// A chunked body.
    Chunked(ChunkedReader),
    /// All bytes up to the end of the connection are the body.
    UntilClose,
}

impl BodyReader {
    /// A reader for the body that a head announced.
    #[must_use]
    pub fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::None => Self::None,
            BodyLength::Fixed(bytes) => Self::Fixed(FixedReader::new(bytes)),
            BodyLength::Chunked => Self::Chunked(ChunkedReader::new()),
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    /// Looks at the bytes behind those consumed so far, and finds at most one piece of payload.
    ///
    /// # Errors
    ///
    /// What is wrong with the framing.
    pub fn next(&mut self, input: &[u8]) -> Result<BodyStep, BodyError> {
        match self {
            Self::None => Ok(BodyStep { consumed: 0, data: 0..0, is_end: true }),
            Self::Fixed(reader) => Ok(reader.next(input)),
            Self::Chunked(reader) => reader.next(input),
            Self::UntilClose => {
                Ok(BodyStep { consumed: input.len(), data: 0..input.len(), is_end: false })
            }
        }
    }

    /// Whether the whole body has been read, as far as its framing tells.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self {
            Self::None => true,
            Self::Fixed(reader) => reader.left() == 0,
            Self::Chunked(reader) => reader.is_complete(),
            Self::UntilClose => false,
        }
    }

    /// Judges the end of the connection.
    ///
    /// # Errors
    ///
    /// [`BodyError::Truncated`] if part of the body is missing.
    pub fn close(&self) -> Result<(), BodyError> {
        match self {
            Self::UntilClose => Ok(()),
            Self::None | Self::Fixed(_) | Self::Chunked(_) if self.is_complete() => Ok(()),
            Self::None | Self::Fixed(_) | Self::Chunked(_) => Err(BodyError::Truncated),
        }
    }
}

/// Counts down a body of known length.
#[derive(Clone, Debug)]
pub struct FixedReader {
    left: u64,
}

impl FixedReader {
    /// A reader for a body of that many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { left: bytes }
    }

    /// Takes from `input` what belongs to the body.
    pub fn next(&mut self, input: &[u8]) -> BodyStep {
        let consumed = at_most(self.left, input.len());
        self.left -= consumed as u64;
        BodyStep { consumed, data: 0..consumed, is_end: self.left == 0 }
    }

    /// Bytes of the body still to come.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }
}

/// The smaller of both, which fits the smaller type.
fn at_most(left: u64, available: usize) -> usize {
    usize::try_from(left).map_or(available, |left| left.min(available))
}
