//! Finding events in a stream whose bytes arrive in arbitrary cuts.
//!
//! An event ends with an empty line. The reader looks for line ends only, and reads fields when an
//! event is complete: where it lies whole in one input nothing is copied, and only the unfinished
//! tail of an input is kept.

use std::{error::Error, fmt, mem};

use super::fields::Fields;

/// Default limit of one event. Images travel as base64 inside one: 8 MB of pixels are 11 MB of it.
pub const SSE_EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a reader keeps allocated between events; streams are many and most of their time idle.
const IDLE_BYTES_MAX: usize = 2048;

/// Why a stream can't be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SseError {
    /// An event is longer than the limit.
    EventTooLarge,
}

impl fmt::Display for SseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventTooLarge => formatter.write_str("an event of the stream is too large"),
        }
    }
}

impl Error for SseError {}

/// One event that has data. Comments, and blocks without data, are not events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The name of the event; `None` where there is none or an empty one. A name that isn't UTF-8
    /// reads as U+FFFD, so that it is not taken for one that is known.
    pub event: Option<&'a str>,
    /// The data; several lines are joined with LF.
    pub data: &'a [u8],
    /// The `id` field, if the event has one without NUL in it.
    pub id: Option<&'a [u8]>,
    /// The `retry` field in milliseconds, if the event has one that is a number.
    pub retry_ms: Option<u64>,
    /// The bytes of the event as they came, the empty line at the end included.
    pub raw: &'a [u8],
}

/// Watches a stream for events. The bytes can be forwarded before or after they are looked at.
///
/// ```
/// let mut reader = wire::SseReader::new();
/// let mut texts = Vec::new();
/// for received in [&b"data: he"[..], b"llo\n\nda", b"ta: world\n\n"] {
///     let mut rest = received;
///     while let Some(event) = reader.next(&mut rest).unwrap() {
///         texts.push(event.data.to_vec());
///     }
/// }
/// assert_eq!(texts, [b"hello", b"world"]);
/// ```
#[derive(Debug)]
pub struct SseReader {
    event_bytes_max: usize,
    /// The bytes of an event that no input held whole.
    pending: Vec<u8>,
    /// The data lines of an event that has several, joined.
    joined: Vec<u8>,
    /// The event in `pending` was handed out, and goes with the next call.
    is_pending_read: bool,
    /// Nothing of the stream has been left behind, so a byte order mark may come.
    is_start: bool,
    cut: Cut,
}

impl Default for SseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl SseReader {
    /// A reader at the start of a stream, with [`SSE_EVENT_BYTES_MAX`] for its limit.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(SSE_EVENT_BYTES_MAX)
    }

    /// The same with another limit for the bytes of one event, its closing empty line not counted.
    #[must_use]
    pub fn with_limit(event_bytes_max: usize) -> Self {
        Self {
            event_bytes_max,
            pending: Vec::new(),
            joined: Vec::new(),
            is_pending_read: false,
            is_start: true,
            cut: Cut::default(),
        }
    }

    /// The next event that is complete with the bytes in `rest`, which is advanced behind it.
    ///
    /// Call it until it gives `None`: then all of `rest` has been read, and what belongs to an
    /// unfinished event has been kept.
    ///
    /// # Errors
    ///
    /// [`SseError::EventTooLarge`]. The reader must not be used afterwards.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        rest: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, SseError> {
        self.forget_read_event();
        while let Some(block) = self.next_block(rest)? {
            let is_split = !self.pending.is_empty();
            if is_split {
                self.pending.extend_from_slice(block);
            }
            let whole = if is_split { &self.pending } else { block };
            let is_start = mem::take(&mut self.is_start);
            if let Some(fields) = Fields::read(whole, is_start, &mut self.joined) {
                self.is_pending_read = is_split;
                let whole = if is_split { &self.pending } else { block };
                return Ok(Some(fields.event(whole, &self.joined)));
            }
            self.pending.clear();
        }
        Ok(None)
    }

    /// Whether what was read so far ends in the middle of an event.
    #[must_use]
    pub fn is_inside_event(&self) -> bool {
        !self.pending.is_empty() && !self.is_pending_read
    }

    /// The event at the end of the stream whose closing empty line never came, if it has data.
    ///
    /// The standard drops it. Providers that close right behind their last line exist, though, and
    /// whether to trust it is for the caller to decide.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        self.forget_read_event();
        self.is_pending_read = true;
        let fields = Fields::read(&self.pending, self.is_start, &mut self.joined)?;
        Some(fields.event(&self.pending, &self.joined))
    }

    /// Cuts the next block off `rest`, or what `pending` lacks of it; keeps what is no whole block.
    fn next_block<'a>(&mut self, rest: &mut &'a [u8]) -> Result<Option<&'a [u8]>, SseError> {
        let input = *rest;
        let block = self.cut.next_block(input, !self.pending.is_empty());
        if block.start > 0 {
            self.is_start = false;
        }
        let content = input.get(block.start..block.content_end).unwrap_or_default();
        if self.pending.len() + content.len() > self.event_bytes_max {
            return Err(SseError::EventTooLarge);
        }
        match block.end {
            Some(end) => {
                *rest = input.get(end..).unwrap_or_default();
                Ok(input.get(block.start..end))
            }
            None => {
                *rest = &[];
                self.pending.extend_from_slice(content);
                Ok(None)
            }
        }
    }

    fn forget_read_event(&mut self) {
        if mem::take(&mut self.is_pending_read) {
            self.pending.clear();
            self.pending.shrink_to(IDLE_BYTES_MAX);
        }
        self.joined.clear();
        self.joined.shrink_to(IDLE_BYTES_MAX);
    }
}

/// Where the next block lies in an input: some lines and the empty one behind them.
struct Block {
    /// Behind the empty lines that came first.
    start: usize,
    /// Before the empty line at the end, or the end of the input.
    content_end: usize,
    /// Behind that empty line, if it is there.
    end: Option<usize>,
}

/// What the last input was cut in the middle of.
#[derive(Debug, Default)]
struct Cut {
    /// A line with bytes in it.
    in_line: bool,
    /// Possibly a CRLF: the CR has been seen.
    after_return: bool,
}

impl Cut {
    /// Looks for the end of the block that goes on, if `has_begun`, at the start of `input`.
    fn next_block(&mut self, input: &[u8], has_begun: bool) -> Block {
        let mut start = 0;
        let mut line_start = 0;
        for at in memchr::memchr2_iter(b'\r', b'\n', input) {
            let is_return = input.get(at) == Some(&b'\r');
            let is_line_empty = at == line_start && !self.in_line;
            let ends_return = is_line_empty && self.after_return && !is_return;
            let is_block_empty = start == line_start && !has_begun && is_line_empty;
            if is_line_empty && !ends_return && !is_block_empty {
                let end = self.end_block(input, at, is_return);
                return Block { start, content_end: at, end: Some(end) };
            }
            self.in_line = false;
            self.after_return = is_return;
            line_start = at + 1;
            if is_block_empty {
                start = line_start;
            }
        }
        if line_start < input.len() {
            *self = Self { in_line: true, after_return: false };
        }
        Block { start, content_end: input.len(), end: None }
    }

    /// The end of the empty line whose line end begins at `at`, and with it of the block. An LF
    /// that is yet to come is left to the next block, which skips it.
    fn end_block(&mut self, input: &[u8], at: usize, is_return: bool) -> usize {
        *self = Self::default();
        let has_line_feed = is_return && input.get(at + 1) == Some(&b'\n');
        if has_line_feed { at + 2 } else { at + 1 }
    }
}
