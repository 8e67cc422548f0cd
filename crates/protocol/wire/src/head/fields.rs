//! Header lines of a parsed head as spans into the caller's buffer.

use std::ops::Range;

use super::{HeadError, framing::Framing};

/// Some bytes of the head: 32-bit offsets, since a head is far below 4 GB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// `len` bytes from `start`, both below 4 GB.
    pub(super) fn new(start: usize, len: usize) -> Self {
        Self { start: start as u32, len: len as u32 }
    }

    /// Where `part`, a slice of `head`, lies in it.
    pub(super) fn of(head: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(head.as_ptr().addr());
        debug_assert!(start + part.len() <= head.len(), "the part must lie within the head");
        Self::new(start, part.len())
    }

    /// The bytes; empty if `buf` isn't the buffer that was parsed and is too short.
    pub(super) fn read<'b>(&self, buf: &'b [u8]) -> &'b [u8] {
        let start = self.start as usize;
        buf.get(start..start + self.len as usize).unwrap_or_default()
    }

    /// The same as text, for spans that were checked to be ASCII.
    pub(super) fn read_ascii<'b>(&self, buf: &'b [u8]) -> &'b str {
        str::from_utf8(self.read(buf)).unwrap_or_default()
    }

    pub(super) fn start(&self) -> usize {
        self.start as usize
    }

    pub(super) fn end(&self) -> usize {
        self.start() + self.len as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// The header lines, in the order they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    fields: Vec<Field>,
}

impl Fields {
    pub(super) fn clear(&mut self) {
        self.fields.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The name of each line and where the line stands, its end included; the head's lines end at `end`.
    pub(super) fn lines<'b>(
        &self,
        buf: &'b [u8],
        end: usize,
    ) -> impl Iterator<Item = (&'b [u8], Range<usize>)> {
        let ends = self.fields.iter().skip(1).map(|field| field.name.start()).chain([end]);
        let fields = self.fields.iter().zip(ends);
        fields.map(|(field, end)| (field.name.read(buf), field.name.start()..end))
    }

    pub(super) fn push(&mut self, name: Span, value: Span) {
        self.fields.push(Field { name, value });
    }

    /// Takes over what the parser found in `head`, and reads from it how the message is framed.
    ///
    /// `head` runs from the first byte of the buffer to the end of the closing empty line.
    pub(super) fn record(
        &mut self,
        head: &[u8],
        headers: &[httparse::Header<'_>],
    ) -> Result<Framing, HeadError> {
        self.fields.clear();
        self.fields.reserve(headers.len());
        let mut framing = Framing::default();
        for header in headers {
            let name = Span::of(head, header.name.as_bytes());
            let value = Span::of(head, header.value);
            // The parser takes a lone LF for a line end. Line ends stand before each name, so that
            // looking there spares a second pass over the bytes.
            if !ends_line(head, name.start()) {
                return Err(HeadError::BareLineFeed);
            }
            framing.note(header.name.as_bytes(), header.value, value)?;
            self.fields.push(Field { name, value });
        }
        if !head.ends_with(b"\r\n\r\n") {
            return Err(HeadError::BareLineFeed);
        }
        Ok(framing)
    }

    pub(super) fn first<'b>(&self, buf: &'b [u8], name: &str) -> Option<&'b [u8]> {
        let is_wanted = |field: &&Field| {
            field.name.len as usize == name.len()
                && field.name.read(buf).eq_ignore_ascii_case(name.as_bytes())
        };
        self.fields.iter().find(is_wanted).map(|field| field.value.read(buf))
    }

    pub(super) fn iter<'b>(
        &self,
        buf: &'b [u8],
    ) -> impl ExactSizeIterator<Item = (&'b [u8], &'b [u8])> {
        self.fields.iter().map(move |field| (field.name.read(buf), field.value.read(buf)))
    }
}

/// Whether the two bytes before `start` are CRLF.
fn ends_line(head: &[u8], start: usize) -> bool {
    start.checked_sub(2).and_then(|end| head.get(end..start)) == Some(b"\r\n")
}
