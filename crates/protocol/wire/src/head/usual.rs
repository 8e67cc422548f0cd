//! Heads as nearly all are written, read in one quick pass.
//!
//! What is unusual in any way (an unfinished head, a line end that is not CRLF, a byte that is not
//! printable ASCII, a start line spelt oddly, framing headers that contradict each other) is `None`
//! here and left to the general parser, which also says what is wrong with it. So nothing is
//! accepted here that the general parser would refuse or read differently.

use super::{Version, error::is_token_byte, fields::Fields, fields::Span, framing::Framing};

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
        let name_len = rest.iter().position(|byte| !is_token(*byte)).filter(|len| *len > 0)?;
        let (name, behind) = rest.split_at(name_len);
        let behind = behind.strip_prefix(b":")?;
        let blanks = behind.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
        let behind = behind.get(blanks..)?;
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

/// How many bytes from the start are printable ASCII, looked at eight at a time.
fn printable_run(text: &[u8]) -> usize {
    let mut run = 0;
    for chunk in text.chunks_exact(8) {
        let word = chunk.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        let other = unprintable_bytes(word);
        if other != 0 {
            return run + other.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    let tail = text.get(run..).unwrap_or_default();
    run + tail.iter().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(tail.len())
}

/// The high bit of every byte that is not printable ASCII, exact up to and including the lowest one.
fn unprintable_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES * 0x80;
    let control = word.wrapping_sub(ONES * 0x20);
    let delete = (word ^ (ONES * 0x7f)).wrapping_sub(ONES);
    (control | delete | word) & HIGHS
}

/// What names and methods are made of.
fn is_token(byte: u8) -> bool {
    TOKENS[usize::from(byte)]
}

static TOKENS: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0);
    while byte < 256 {
        table[byte] = is_token_byte(byte as u8);
        byte += 1;
    }
    table
};

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
    fn runs_of_printable_bytes_end_at_the_first_other() {
        for byte in 0..=255_u8 {
            for at in 0..20 {
                let mut text = [b'a'; 20];
                text[at] = byte;
                let expected = if matches!(byte, b' '..=b'~') { 20 } else { at };
                assert_eq!(printable_run(&text), expected, "{byte} at {at}");
            }
        }
    }
}
