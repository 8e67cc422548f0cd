//! The fields of one block of lines.

use std::ops::Range;

use super::Event;

/// Where the fields of an event lie in its bytes.
pub(super) struct Fields {
    /// Behind the byte order mark.
    start: usize,
    event: Option<Range<usize>>,
    data: Data,
    id: Option<Range<usize>>,
    retry_ms: Option<u64>,
}

enum Data {
    /// One line, in the bytes of the event.
    Line(Range<usize>),
    /// Several lines, joined apart from it.
    Joined,
}

impl Fields {
    /// Reads the lines of `block`, the first of its stream if `is_start`. `None` without data.
    ///
    /// Data of several lines goes to `joined`, which is empty before.
    pub(super) fn read(block: &[u8], is_start: bool, joined: &mut Vec<u8>) -> Option<Self> {
        let has_mark = is_start && block.starts_with(BYTE_ORDER_MARK);
        let start = if has_mark { BYTE_ORDER_MARK.len() } else { 0 };
        let (mut event, mut data, mut id, mut retry_ms) = (None, None, None, None);
        let lines = Lines { block, start };
        for line in lines {
            let (name, value) = split_field(block, line);
            let text = &block[value.clone()];
            match name {
                b"data" => data = Some(append(data, value, block, joined)),
                b"event" => event = Some(value),
                b"id" if !text.contains(&0) => id = Some(value),
                b"retry" => retry_ms = milliseconds(text).or(retry_ms),
                _ => {}
            }
        }
        Some(Self { start, event, data: data?, id, retry_ms })
    }

    /// The event, given the bytes it was read from.
    pub(super) fn event<'a>(self, block: &'a [u8], joined: &'a [u8]) -> Event<'a> {
        let name = self.event.map(|name| str::from_utf8(&block[name]).unwrap_or("\u{FFFD}"));
        Event {
            event: name.filter(|name| !name.is_empty()),
            data: match self.data {
                Data::Line(line) => &block[line],
                Data::Joined => joined,
            },
            id: self.id.map(|id| &block[id]),
            retry_ms: self.retry_ms,
            raw: &block[self.start..],
        }
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn append(data: Option<Data>, value: Range<usize>, block: &[u8], joined: &mut Vec<u8>) -> Data {
    let first = match data {
        None => return Data::Line(value),
        Some(Data::Line(first)) => &block[first],
        Some(Data::Joined) => &[],
    };
    joined.extend_from_slice(first);
    joined.push(b'\n');
    joined.extend_from_slice(&block[value]);
    Data::Joined
}

/// Name and value of a line; the name of a comment is empty.
fn split_field(block: &[u8], line: Range<usize>) -> (&[u8], Range<usize>) {
    let text = &block[line.clone()];
    let Some(colon) = memchr::memchr(b':', text) else {
        return (text, line.end..line.end);
    };
    let has_space = text.get(colon + 1) == Some(&b' ');
    let value = line.start + colon + 1 + usize::from(has_space);
    (&text[..colon], value..line.end)
}

/// Decimal digits and nothing else, as the standard has it.
fn milliseconds(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok()
}

/// The lines of a block without their ends. The LF of a CRLF shows as an empty line of its own,
/// which has no field and so makes no difference.
struct Lines<'a> {
    block: &'a [u8],
    start: usize,
}

impl Iterator for Lines<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = self.block.get(self.start..).filter(|rest| !rest.is_empty())?;
        let len = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = self.start..self.start + len;
        self.start = line.end + 1;
        Some(line)
    }
}
