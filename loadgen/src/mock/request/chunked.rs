//! Finds the end of a request body, decoding chunks on the way.

use super::{Framing, Head, Malformed};
use crate::mock::limits::{BODY_BYTES_MAX, CHUNK_LINE_BYTES_MAX};

/// Where the reading of a chunked body stands; each byte is looked at once.
#[derive(Debug, Default)]
pub(super) struct ChunkedBody {
    /// The next byte to read, counted from the start of the head.
    position: usize,
    state: State,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Size,
    Content(usize),
    /// The line break after a chunk.
    Break,
    Trailer,
    End,
}

impl ChunkedBody {
    /// The decoded body.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Where the request ends in `buffer`, once it does.
    pub(super) fn end(&mut self, head: &Head, buffer: &[u8]) -> Result<Option<usize>, Malformed> {
        match head.framing {
            Framing::Length(length) => {
                let end = head.bytes + length;
                Ok((buffer.len() >= end).then_some(end))
            }
            Framing::Chunked => {
                self.position = self.position.max(head.bytes);
                while self.step(buffer)? {}
                Ok(matches!(self.state, State::End).then_some(self.position))
            }
        }
    }

    /// Reads one part of the framing; `false` when the bytes or the body are at their end.
    fn step(&mut self, buffer: &[u8]) -> Result<bool, Malformed> {
        match self.state {
            State::Size => self.read_size(buffer),
            State::Content(left) => self.read_content(buffer, left),
            State::Break => self.read_break(buffer),
            State::Trailer => self.read_trailer(buffer),
            State::End => Ok(false),
        }
    }

    fn read_size(&mut self, buffer: &[u8]) -> Result<bool, Malformed> {
        let Some(line) = self.line(buffer)? else { return Ok(false) };
        let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let digits = digits.trim_ascii_end();
        let size = std::str::from_utf8(digits).ok();
        let is_hex = |text: &&str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = size.filter(is_hex);
        let size = size.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let size = size.ok_or(Malformed::ChunkSize)?;
        if size > BODY_BYTES_MAX.saturating_sub(self.bytes.len()) {
            return Err(Malformed::BodyTooLong);
        }
        self.state = if size == 0 { State::Trailer } else { State::Content(size) };
        Ok(true)
    }

    fn read_content(&mut self, buffer: &[u8], left: usize) -> Result<bool, Malformed> {
        let here = buffer.get(self.position..).unwrap_or_default();
        let content = here.get(..left).unwrap_or(here);
        self.bytes.extend_from_slice(content);
        self.position += content.len();
        self.state = match left - content.len() {
            0 => State::Break,
            left => State::Content(left),
        };
        Ok(content.len() == left)
    }

    fn read_break(&mut self, buffer: &[u8]) -> Result<bool, Malformed> {
        let here = buffer.get(self.position..).unwrap_or_default();
        match here {
            [] | [b'\r'] => Ok(false),
            [b'\r', b'\n', ..] => {
                self.position += 2;
                self.state = State::Size;
                Ok(true)
            }
            _ => Err(Malformed::ChunkEnd),
        }
    }

    fn read_trailer(&mut self, buffer: &[u8]) -> Result<bool, Malformed> {
        let Some(line) = self.line(buffer)? else { return Ok(false) };
        if line.is_empty() {
            self.state = State::End;
        }
        Ok(true)
    }

    /// The next line without its line break, or `None` until it is complete.
    fn line<'a>(&mut self, buffer: &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
        let here = buffer.get(self.position..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', here) else {
            return match here.len() > CHUNK_LINE_BYTES_MAX {
                true => Err(Malformed::TrailerTooLong),
                false => Ok(None),
            };
        };
        let line = here.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        let line = line.ok_or(Malformed::BareLineFeed)?;
        if line.len() > CHUNK_LINE_BYTES_MAX {
            return Err(Malformed::TrailerTooLong);
        }
        self.position += end + 1;
        Ok(Some(line))
    }
}
