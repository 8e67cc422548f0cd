//! Request and response heads, parsed in place: spans into the caller's buffer, in vectors that
//! are cleared and reused, so a warm parse allocates nothing.
//!
//! The verdict on a buffer depends on its complete lines alone, so it is the same however the
//! bytes were cut on the way in.

mod error;
mod fields;
mod framing;
mod request;
mod response;
mod target;
mod usual;

pub(crate) use self::error::{is_control, is_token_byte};
pub use self::{
    error::{HeadError, HeadErrorKind},
    framing::BodyLength,
    request::{LEADING_EMPTY_LINES_MAX, RequestHead},
    response::ResponseHead,
};

/// Default for [`HeadLimits::bytes_max`]: twice what Node and Go clients accept by default, since
/// tracing and cookie headers of large companies do reach 32 KB.
pub const HEAD_BYTES_MAX: usize = 65_536;

/// Default for [`HeadLimits::headers_max`]; SDK requests carry about 18, CDN replies about 40.
pub const HEADERS_MAX: usize = 100;

/// The most headers any limit can allow: what the parser has room for on the stack.
pub const HEADERS_CAPACITY: usize = 256;

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, start line and closing empty line included.
    pub bytes_max: usize,
    /// Header lines; more than [`HEADERS_CAPACITY`] counts as that.
    pub headers_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { bytes_max: HEAD_BYTES_MAX, headers_max: HEADERS_MAX }
    }
}

/// What a parse made of the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The head isn't complete: call again with the same bytes and more behind them.
    Partial,
    /// The head is complete and takes the first `len()` bytes of the buffer.
    Complete,
}

/// The two versions this crate speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: closes by default, knows neither chunks nor `100 Continue`.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
}

impl Version {
    fn from_minor(minor: Option<u8>) -> Self {
        if minor == Some(0) { Self::Http10 } else { Self::Http11 }
    }
}

/// How far an unfinished head was looked at, so that bytes trickling in don't cost a parse each.
#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    seen: usize,
}

impl Scan {
    /// Whether `window` holds a line that the last look did not.
    fn has_new_line(&self, window: &[u8]) -> bool {
        match window.get(self.seen..) {
            Some(unseen) if self.seen > 0 => memchr::memchr(b'\n', unseen).is_some(),
            // Nothing seen yet, or fewer bytes than last time and so another head.
            _ => true,
        }
    }

    /// Remembers that `window` held no complete head, which is final once the limit is reached.
    fn wait(&mut self, window: &[u8], limits: &HeadLimits) -> Result<Progress, HeadError> {
        if window.len() >= limits.bytes_max {
            return Err(self.refuse(HeadError::HeadTooLarge));
        }
        self.seen = window.len();
        Ok(Progress::Partial)
    }

    /// Starts over for the next head and hands the error on.
    fn refuse(&mut self, error: HeadError) -> HeadError {
        self.seen = 0;
        error
    }
}

/// The part of `buf` a head may lie in.
fn window<'b>(buf: &'b [u8], limits: &HeadLimits) -> &'b [u8] {
    // Spans are 32 bits wide.
    let bytes_max = limits.bytes_max.min(u32::MAX as usize);
    buf.get(..bytes_max).unwrap_or(buf)
}

/// The lines of `window` that have arrived whole.
fn complete_lines(window: &[u8]) -> &[u8] {
    let end = memchr::memrchr(b'\n', window).map_or(0, |line_feed| line_feed + 1);
    window.get(..end).unwrap_or_default()
}
