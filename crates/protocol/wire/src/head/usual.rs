//! Heads as nearly all are written, read in one quick pass.
//!
//! What is unusual in any way (an unfinished head, a line end that is not CRLF, a byte that is not
//! printable ASCII, a start line spelt oddly, framing headers that contradict each other) is `None`
//! here and left to the general parser, which also says what is wrong with it. So nothing is
//! accepted here that the general parser would refuse or read differently.

use wide::u8x16;

use super::{Version, fields::Fields, fields::Span, framing::Framing};

/// A request line.
pub(super) struct RequestLine<'b> {
    pub(super) method: &'b str,
    pub(super) target: &'b str,
    pub(super) version: Version,
}

/// The request line at the start of `head`, and what follows it.
pub(super) fn request_line(head: &[u8]) -> Option<(RequestLine<'_>, usize)> {
    let (line, end) = line(head)?;
    let (line, version) = match line.split_last_chunk() {
        Some((line, b" HTTP/1.1")) => (line, Version::Http11),
        Some((line, b" HTTP/1.0")) => (line, Version::Http10),
        _ => return None,
    };
    let space = line.iter().position(|byte| !is_token(*byte))?;
    let (method, target) = (line.get(..space)?, line.get(space..)?.strip_prefix(b" ")?);
    if method.is_empty() || target.is_empty() || !target.iter().all(|byte| is_target(*byte)) {
        return None;
    }
    let (method, target) = (str::from_utf8(method).ok()?, str::from_utf8(target).ok()?);
    Some((RequestLine { method, target, version }, end))
}

/// Version and status of the status line at the start of `head`, and where the line ends.
pub(super) fn status_line(head: &[u8]) -> Option<(Version, u16, usize)> {
    let (line, end) = line(head)?;
    let (version, rest) = match line.split_first_chunk() {
        Some((b"HTTP/1.1 ", rest)) => (Version::Http11, rest),
        Some((b"HTTP/1.0 ", rest)) => (Version::Http10, rest),
        _ => return None,
    };
    let [hundreds @ b'1'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9', reason @ ..] = rest else {
        return None;
    };
    if !matches!(reason, [] | [b' ', ..]) {
        return None;
    }
    let digit = |byte: &u8| u16::from(byte - b'0');
    Some((version, digit(hundreds) * 100 + digit(tens) * 10 + digit(ones), end))
}

/// Reads the header lines that begin at `start` of `head` into `fields`. Gives what they say of the
/// framing, and where the head ends.
pub(super) fn header_lines(
    head: &[u8],
    start: usize,
    headers_max: usize,
    fields: &mut Fields,
) -> Option<(Framing, usize)> {
    fields.clear();
    let mut framing = Framing::default();
    let mut at = start;
    loop {
        let rest = head.get(at..)?;
        if let [b'\r', b'\n', ..] = rest {
            return Some((framing, at + 2));
        }
        if fields.len() == headers_max {
            return None;
        }
        let name_len = name_run(rest);
        let (name, behind) = rest.split_at(name_len);
        let behind = behind.strip_prefix(b":")?;
        let blanks = match behind {
            [b' ', b'!'..=b'~', ..] => 1,
            _ => behind.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?,
        };
        let behind = behind.get(blanks..)?;
        if name.is_empty() {
            return None;
        }
        let (value, line_end) = line(behind)?;
        let value = value.trim_ascii_end();
        let value_at = at + name_len + 1 + blanks;
        let span = Span::new(value_at, value.len());
        framing.note(name, value, span).ok()?;
        fields.push(Span::new(at, name_len), span);
        at = value_at + line_end;
    }
}

/// Printable ASCII up to a CRLF, and where the next line begins.
fn line(text: &[u8]) -> Option<(&[u8], usize)> {
    let (line, end) = text.split_at(printable_run(text));
    end.starts_with(b"\r\n").then_some((line, line.len() + 2))
}

/// How many bytes from the start are printable ASCII.
fn printable_run(text: &[u8]) -> usize {
    run(text, |bytes| are_within(bytes, b' ', b'~'))
}

/// How many bytes from the start are letters, digits or hyphens, as names usually are.
fn name_run(text: &[u8]) -> usize {
    run(text, |bytes| {
        // Puts both cases of a letter in one place.
        let lower = bytes | u8x16::splat(0x20);
        are_within(lower, b'a', b'z')
            | are_within(bytes, b'0', b'9')
            | bytes.simd_eq(u8x16::splat(b'-'))
    })
}

/// How many bytes come before the first that does not belong.
#[inline]
fn run(text: &[u8], belong: impl Fn(u8x16) -> u8x16) -> usize {
    let belongs = |block| belong(u8x16::new(block)).to_bitmask().trailing_ones() as usize;
    let (blocks, tail) = text.as_chunks();
    for (index, block) in blocks.iter().enumerate() {
        let length = belongs(*block);
        if length < BLOCK_BYTES {
            return index * BLOCK_BYTES + length;
        }
    }
    // What fills the block up belongs to no run.
    let mut block = [0; BLOCK_BYTES];
    if let Some(front) = block.get_mut(..tail.len()) {
        front.copy_from_slice(tail);
    }
    blocks.len() * BLOCK_BYTES + belongs(block)
}

const BLOCK_BYTES: usize = 16;

#[inline]
fn are_within(bytes: u8x16, first: u8, last: u8) -> u8x16 {
    let above = bytes - u8x16::splat(first);
    above.min(u8x16::splat(last - first)).simd_eq(above)
}

/// What methods are made of.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// What targets are made of, but for what only some parsers take.
fn is_target(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'/' | b'-'
                | b'.'
                | b'_'
                | b'~'
                | b':'
                | b'?'
                | b'&'
                | b'='
                | b'%'
                | b'+'
                | b','
                | b'@'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_at_the_first_other_byte() {
        for byte in 0..=255_u8 {
            for at in 0..40 {
                let mut text = [b'a'; 40];
                text[at] = byte;
                let expected = if matches!(byte, b' '..=b'~') { 40 } else { at };
                assert_eq!(printable_run(&text), expected, "{byte} at {at}");
                let is_usual = byte.is_ascii_alphanumeric() || byte == b'-';
                assert_eq!(name_run(&text), if is_usual { 40 } else { at }, "{byte} at {at}");
            }
        }
    }
}
