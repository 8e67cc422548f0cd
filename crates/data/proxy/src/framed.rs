//! Body bytes in the framing that the caller was promised.

use net::Buffer;

use crate::reply_head::Framing;

/// A reply's bytes on their way to the caller.
#[derive(Debug)]
pub(crate) struct Framed {
    /// Ready to be written.
    pub(crate) bytes: Buffer,
    pub(crate) framing: Framing,
    /// Body bytes so far, without framing.
    pub(crate) body_bytes: u64,
}

impl Default for Framed {
    fn default() -> Self {
        Self { bytes: Buffer::new(), framing: Framing::Empty, body_bytes: 0 }
    }
}

impl Framed {
    /// Adds body bytes.
    pub(crate) fn push(&mut self, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        self.body_bytes += data.len() as u64;
        match self.framing {
            Framing::Chunked => {
                let mut digits = [0; HEX_DIGITS_MAX];
                let size = hex(data.len(), &mut digits);
                self.bytes.extend_from_slices([size, b"\r\n", data, b"\r\n"]);
            }
            Framing::Length(_) | Framing::UntilClose => self.bytes.extend_from_slice(data),
            Framing::Empty => {}
        }
    }

    /// Body bytes stand as they are, without anything between their pieces.
    pub(crate) fn is_bare(&self) -> bool {
        matches!(self.framing, Framing::Length(_) | Framing::UntilClose)
    }

    /// Adds the body bytes that `write` appends; only where they are [bare](Self::is_bare).
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Buffer)) {
        debug_assert!(self.is_bare(), "they would lack their framing");
        let before = self.bytes.len();
        write(&mut self.bytes);
        self.body_bytes += (self.bytes.len() - before) as u64;
    }

    /// Ends the body.
    pub(crate) fn end(&mut self) {
        match self.framing {
            Framing::Chunked => self.bytes.extend_from_slice(b"0\r\n\r\n"),
            Framing::Length(_) | Framing::UntilClose | Framing::Empty => {}
        }
    }

    /// The bytes so far; what follows starts anew.
    pub(crate) fn take(&mut self) -> Buffer {
        std::mem::replace(&mut self.bytes, Buffer::unallocated())
    }
}

/// Digits of the largest number.
const HEX_DIGITS_MAX: usize = usize::BITS as usize / 4;

/// The number in hexadecimal, written into `digits`.
fn hex(mut number: usize, digits: &mut [u8; HEX_DIGITS_MAX]) -> &[u8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = DIGITS[number & 15];
        number >>= 4;
        if number == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        for number in [0, 1, 15, 16, 255, 4096, usize::MAX] {
            let mut digits = [0; HEX_DIGITS_MAX];
            assert_eq!(hex(number, &mut digits), format!("{number:x}").as_bytes());
        }
    }
}
