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
                push_hex(&mut self.bytes, data.len());
                self.bytes.extend_from_slice(b"\r\n");
                self.bytes.extend_from_slice(data);
                self.bytes.extend_from_slice(b"\r\n");
            }
            Framing::Length(_) | Framing::UntilClose => self.bytes.extend_from_slice(data),
            Framing::Empty => {}
        }
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

fn push_hex(out: &mut Buffer, mut number: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 16];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = DIGITS[number & 15];
        number >>= 4;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&text[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        for number in [0, 1, 15, 16, 255, 4096, usize::MAX] {
            let mut out = Buffer::new();
            push_hex(&mut out, number);
            assert_eq!(out.as_slice(), format!("{number:x}").as_bytes());
        }
    }
}
