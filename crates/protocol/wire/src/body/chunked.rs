//! The chunked transfer coding of RFC 9112 §7.1.

use std::{io::Write, num::NonZeroUsize};

use super::{BodyError, BodyStep, at_most};
use crate::head::{is_control, is_token_byte};

/// Bytes of the line a chunk size stands in, digits and extension.
pub const CHUNK_SIZE_LINE_BYTES_MAX: usize = 1024;

/// Bytes of all chunk extensions of one body: nobody uses them but to make a server work for
/// nothing, one long extension per byte of data.
pub const CHUNK_EXTENSION_BYTES_MAX: usize = 16_384;

/// Bytes of all trailer lines of one body.
pub const TRAILER_BYTES_MAX: usize = 8192;

/// A 64-bit size.
const SIZE_DIGITS_MAX: usize = 16;

/// Reads a chunked body however its bytes are cut.
///
/// Trailers are checked and dropped: nothing here has a use for them, and a forwarded one could
/// pass for a header that was never judged.
#[derive(Clone, Debug)]
pub struct ChunkedReader {
    state: State,
    /// Of the current chunk: the size as far as it was read, then the bytes still to come.
    left: u64,
    /// Of the current size line.
    line_bytes: usize,
    extension_bytes: usize,
    trailer_bytes: usize,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The first digit of a chunk size.
    SizeStart,
    /// More digits, an extension, or the end of the line.
    Size,
    /// The semicolon behind white space.
    ExtensionStart,
    Extension,
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// A trailer, or the empty line that ends the body.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    EndLineFeed,
    End,
}

impl Default for ChunkedReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkedReader {
    /// A reader at the start of a body.
    #[must_use]
    pub fn new() -> Self {
        let state = State::SizeStart;
        Self { state, left: 0, line_bytes: 0, extension_bytes: 0, trailer_bytes: 0 }
    }

    /// Whether the last chunk and the trailers have been read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::End
    }

    /// Consumes framing up to and including the next piece of data, or all of the input.
    ///
    /// # Errors
    ///
    /// What is wrong with the framing. The reader must not be used afterwards.
    pub fn next(&mut self, input: &[u8]) -> Result<BodyStep, BodyError> {
        let mut consumed = 0;
        while self.state != State::Data && self.state != State::End {
            let Some(byte) = input.get(consumed) else { break };
            self.state = self.framing_byte(*byte)?;
            consumed += 1;
        }
        let data = match self.state {
            State::Data => self.take_data(consumed, input.len()),
            _ => consumed..consumed,
        };
        Ok(BodyStep { consumed: data.end, data, is_end: self.state == State::End })
    }

    fn take_data(&mut self, start: usize, input_len: usize) -> std::ops::Range<usize> {
        let len = at_most(self.left, input_len - start);
        self.left -= len as u64;
        if self.left == 0 {
            self.state = State::DataReturn;
        }
        start..start + len
    }

    fn framing_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        match self.state {
            State::SizeStart => {
                self.left = 0;
                self.line_bytes = 0;
                self.size_digit(byte)
            }
            State::Size => self.after_digit(byte),
            State::ExtensionStart | State::Extension => self.extension_byte(byte),
            State::SizeLineFeed => line_feed(byte, self.after_size_line()),
            State::DataReturn if byte == b'\r' => Ok(State::DataLineFeed),
            State::DataReturn => Err(BodyError::ChunkEnd),
            State::DataLineFeed => line_feed(byte, State::SizeStart),
            State::TrailerStart | State::TrailerName | State::TrailerValue => {
                self.trailer_byte(byte)
            }
            State::TrailerLineFeed => line_feed(byte, State::TrailerStart),
            State::EndLineFeed => line_feed(byte, State::End),
            State::Data | State::End => Ok(self.state),
        }
    }

    fn size_digit(&mut self, byte: u8) -> Result<State, BodyError> {
        let digit = char::from(byte).to_digit(16).ok_or(BodyError::ChunkSize)?;
        if self.line_bytes == SIZE_DIGITS_MAX {
            return Err(BodyError::ChunkSizeOverflow);
        }
        self.line_bytes += 1;
        self.left = self.left << 4 | u64::from(digit);
        Ok(State::Size)
    }

    fn after_digit(&mut self, byte: u8) -> Result<State, BodyError> {
        match byte {
            b'\r' => Ok(State::SizeLineFeed),
            b'\n' => Err(BodyError::BareLineFeed),
            b';' => Ok(State::Extension),
            b' ' | b'\t' => Ok(State::ExtensionStart),
            _ => self.size_digit(byte),
        }
    }

    fn extension_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        self.line_bytes += 1;
        self.extension_bytes += 1;
        if self.line_bytes > CHUNK_SIZE_LINE_BYTES_MAX {
            return Err(BodyError::ChunkSizeLineTooLong);
        }
        if self.extension_bytes > CHUNK_EXTENSION_BYTES_MAX {
            return Err(BodyError::ChunkExtensionsTooLong);
        }
        match (self.state, byte) {
            (State::ExtensionStart, b' ' | b'\t') => Ok(State::ExtensionStart),
            (State::ExtensionStart, b';') => Ok(State::Extension),
            (State::ExtensionStart, _) => Err(BodyError::ChunkSize),
            (_, b'\r') => Ok(State::SizeLineFeed),
            (_, b'\n') => Err(BodyError::BareLineFeed),
            _ if is_control(byte) => Err(BodyError::ChunkExtension),
            _ => Ok(State::Extension),
        }
    }

    fn after_size_line(&self) -> State {
        if self.left == 0 { State::TrailerStart } else { State::Data }
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<State, BodyError> {
        if self.state == State::TrailerStart && byte == b'\r' {
            return Ok(State::EndLineFeed);
        }
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(BodyError::TrailersTooLong);
        }
        match (self.state, byte) {
            (_, b'\n') => Err(BodyError::BareLineFeed),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => {
                Ok(State::TrailerName)
            }
            (State::TrailerValue, b'\r') => Ok(State::TrailerLineFeed),
            (State::TrailerValue, _) if !is_control(byte) => Ok(State::TrailerValue),
            _ => Err(BodyError::Trailer),
        }
    }
}

fn line_feed(byte: u8, then: State) -> Result<State, BodyError> {
    if byte == b'\n' { Ok(then) } else { Err(BodyError::BareCarriageReturn) }
}

/// Writes chunked framing around data that is sent from where it lies.
#[derive(Clone, Copy, Debug)]
pub struct ChunkedWriter;

impl ChunkedWriter {
    /// What ends the body: the empty chunk, without trailers.
    pub const END: &'static [u8] = b"0\r\n\r\n";

    /// What follows the data of each chunk.
    pub const CHUNK_TAIL: &'static [u8] = b"\r\n";

    /// Appends what precedes `len` bytes of data. A chunk of none would end the body.
    pub fn write_chunk_head(len: NonZeroUsize, out: &mut Vec<u8>) {
        // Writing into a vector can't fail.
        let _ = write!(out, "{len:x}\r\n");
    }

    /// Appends `data` as one chunk, and nothing for none.
    pub fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
        let Some(len) = NonZeroUsize::new(data.len()) else { return };
        Self::write_chunk_head(len, out);
        out.extend_from_slice(data);
        out.extend_from_slice(Self::CHUNK_TAIL);
    }
}
