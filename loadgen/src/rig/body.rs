//! Where a message's body ends: by length, by chunks, or with the connection.

use super::limits::CHUNK_LINE_BYTES_MAX;

/// What came is not HTTP/1.1 as this rig speaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
    /// All until the connection ends.
    UntilEnd,
}

/// Where in the chunked encoding the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// In the line with the size.
    Size { bytes: u64, line_bytes: usize, is_extension: bool },
    /// In the data.
    Data { left: u64 },
    /// In the line end after the data.
    DataEnd,
    /// In the lines after the last chunk.
    Trailer { line_bytes: usize },
}

/// What `Body::feed` made of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fed {
    /// Bytes that belong to this body.
    pub used: usize,
    /// Whether the body is complete.
    pub is_done: bool,
}

impl Body {
    /// The beginning of a chunked body.
    pub(crate) const CHUNKED: Self = Self::Chunked(Chunk::SIZE);

    /// Reads on, and gives what is content to `sink`.
    pub(crate) fn feed(
        &mut self,
        input: &[u8],
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Fed, Malformed> {
        match self {
            Self::Length(left) => {
                let used = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= used as u64;
                if used > 0 {
                    sink(&input[..used]);
                }
                Ok(Fed { used, is_done: *left == 0 })
            }
            Self::Chunked(chunk) => chunk.feed(input, sink),
            Self::UntilEnd => {
                sink(input);
                Ok(Fed { used: input.len(), is_done: false })
            }
        }
    }
}

impl Chunk {
    const SIZE: Self = Self::Size { bytes: 0, line_bytes: 0, is_extension: false };

    fn feed(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> Result<Fed, Malformed> {
        let mut used = 0;
        while used < input.len() {
            if let Self::Data { left } = self {
                let rest = &input[used..];
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                sink(&rest[..count]);
                used += count;
                *left -= count as u64;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                continue;
            }
            let is_done = self.step(input[used])?;
            used += 1;
            if is_done {
                return Ok(Fed { used, is_done });
            }
        }
        Ok(Fed { used, is_done: false })
    }

    /// Takes one byte outside of the data. Whether it was the last of the body.
    fn step(&mut self, byte: u8) -> Result<bool, Malformed> {
        match *self {
            Self::Size { bytes, line_bytes, is_extension } => {
                *self = Self::in_size(bytes, line_bytes, is_extension, byte)?;
            }
            Self::DataEnd => match byte {
                b'\r' => {}
                b'\n' => *self = Self::SIZE,
                _ => return Err(Malformed),
            },
            Self::Trailer { line_bytes } => match byte {
                b'\n' if line_bytes == 0 => return Ok(true),
                b'\n' => *self = Self::Trailer { line_bytes: 0 },
                b'\r' => {}
                _ if line_bytes < CHUNK_LINE_BYTES_MAX => {
                    *self = Self::Trailer { line_bytes: line_bytes + 1 };
                }
                _ => return Err(Malformed),
            },
            Self::Data { .. } => return Err(Malformed),
        }
        Ok(false)
    }

    fn in_size(bytes: u64, line: usize, is_extension: bool, byte: u8) -> Result<Self, Malformed> {
        if line == CHUNK_LINE_BYTES_MAX {
            return Err(Malformed);
        }
        let line_bytes = line + 1;
        match byte {
            b'\n' if line == 0 => Err(Malformed),
            b'\n' if bytes == 0 => Ok(Self::Trailer { line_bytes: 0 }),
            b'\n' => Ok(Self::Data { left: bytes }),
            b'\r' => Ok(Self::Size { bytes, line_bytes: line, is_extension }),
            b';' | b' ' | b'\t' => Ok(Self::Size { bytes, line_bytes, is_extension: true }),
            _ if is_extension => Ok(Self::Size { bytes, line_bytes, is_extension }),
            _ => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                let bytes = bytes.checked_mul(16).ok_or(Malformed)? + u64::from(digit);
                Ok(Self::Size { bytes, line_bytes, is_extension })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(mut body: Body, pieces: &[&[u8]]) -> Result<(Vec<u8>, Fed), Malformed> {
        let mut text = Vec::new();
        let mut last = Fed { used: 0, is_done: false };
        for piece in pieces {
            last = body.feed(piece, |content| text.extend_from_slice(content))?;
        }
        Ok((text, last))
    }

    #[test]
    fn chunks_are_joined_wherever_they_are_cut() {
        let input = b"5\r\nhello\r\n1a;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nA: b\r\n\r\n";
        for cut in 1..input.len() {
            let (text, fed) = decode(Body::CHUNKED, &[&input[..cut], &input[cut..]]).unwrap();
            assert_eq!(text, b"helloabcdefghijklmnopqrstuvwxyz", "cut at {cut}");
            assert_eq!(fed, Fed { used: input.len() - cut, is_done: true }, "cut at {cut}");
        }
    }

    #[test]
    fn what_follows_a_body_is_not_taken() {
        let (text, fed) = decode(Body::CHUNKED, &[b"2\r\nok\r\n0\r\n\r\nHTTP"]).unwrap();
        assert_eq!((text.as_slice(), fed.used, fed.is_done), (&b"ok"[..], 12, true));
        let (text, fed) = decode(Body::Length(2), &[b"okHTTP"]).unwrap();
        assert_eq!((text.as_slice(), fed.used, fed.is_done), (&b"ok"[..], 2, true));
    }

    #[test]
    fn a_cut_body_is_not_done() {
        let input = b"5\r\nhello\r\n0\r\n\r\n";
        for cut in 0..input.len() {
            let (_, fed) = decode(Body::CHUNKED, &[&input[..cut]]).unwrap();
            assert!(!fed.is_done, "cut at {cut}");
        }
        assert!(!decode(Body::Length(3), &[b"ab"]).unwrap().1.is_done);
        assert!(!decode(Body::UntilEnd, &[b"ab"]).unwrap().1.is_done);
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for input in [&b"x\r\n"[..], b"\r\n", b"1\r\nab", b"fffffffffffffffff\r\n"] {
            assert_eq!(decode(Body::CHUNKED, &[input]), Err(Malformed), "{input:?}");
        }
    }
}
