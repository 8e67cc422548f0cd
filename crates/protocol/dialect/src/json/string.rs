//! Where a string ends: what most bytes of a document are asked, sixteen and more at a time.

use wide::u8x16;

const BLOCK_BYTES: usize = 16;

/// Names that fit so many blocks, and most do, are found without the long ones.
const SHORT_BLOCKS: usize = 2;

/// As many as a word has bits.
const LONG_BLOCK_BYTES: usize = 64;

/// The text of a string, up to its closing quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StringText {
    pub(crate) length: usize,
    pub(crate) is_escaped: bool,
    /// 0 where neither the text nor the little behind it that was looked at with it has bytes above 0x7f.
    pub(crate) beyond_ascii: u32,
}

/// The string whose opening quote stands before `text`; `None` where it is broken or does not end.
#[inline]
pub(crate) fn string_text(text: &[u8]) -> Option<StringText> {
    // Names are short and have no escapes.
    let mut beyond_ascii = 0;
    for (index, block) in text.as_chunks().0.iter().take(SHORT_BLOCKS).enumerate() {
        let bytes = u8x16::new(*block);
        beyond_ascii |= bytes.to_bitmask();
        let special = (backslashes(bytes) | stops(bytes)).to_bitmask();
        if special != 0 {
            let length = index * BLOCK_BYTES + special.trailing_zeros() as usize;
            if text.get(length) == Some(&b'"') {
                return Some(StringText { length, is_escaped: false, beyond_ascii });
            }
            break;
        }
    }
    any_string_text(text)
}

/// Goes on by whole blocks: where the next one begins does not depend on what was found in this one, so that the
/// processor need not wait for it.
#[inline(never)]
fn any_string_text(text: &[u8]) -> Option<StringText> {
    let (mut at, mut is_escaped, mut beyond_ascii) = (0, false, 0);
    let mut escaped_in_next = 0;
    loop {
        let mut marks = Marks::of(text.get(at..)?);
        beyond_ascii |= marks.beyond_ascii;
        let mut escaped = std::mem::take(&mut escaped_in_next);
        loop {
            // What is escaped may be a quote or a backslash.
            marks.backslashes &= !escaped;
            marks.stops &= !escaped;
            let first = marks.backslashes & marks.backslashes.wrapping_neg();
            if first == 0 || marks.stops & (first - 1) != 0 {
                break;
            }
            check_escape(text, at + first.trailing_zeros() as usize + 1)?;
            is_escaped = true;
            escaped = first | first << 1;
            escaped_in_next = first >> (LONG_BLOCK_BYTES - 1);
        }
        if marks.stops != 0 {
            let length = at + marks.stops.trailing_zeros() as usize;
            let is_whole = text.get(length) == Some(&b'"');
            return is_whole.then_some(StringText { length, is_escaped, beyond_ascii });
        }
        at += LONG_BLOCK_BYTES;
    }
}

/// Checks what follows a backslash.
#[inline]
fn check_escape(text: &[u8], at: usize) -> Option<()> {
    let escape = *text.get(at)?;
    if ESCAPES[usize::from(escape)] { Some(()) } else { check_code_unit(text, at) }
}

/// Checks `uXXXX`.
#[inline(never)]
fn check_code_unit(text: &[u8], at: usize) -> Option<()> {
    let (u, digits) = text.get(at..at + 5)?.split_first()?;
    (*u == b'u' && digits.iter().all(u8::is_ascii_hexdigit)).then_some(())
}

/// Whether a byte alone makes an escape behind a backslash.
static ESCAPES: [bool; 256] = {
    let mut escapes = [false; 256];
    let bytes = b"\"\\/bfnrt";
    let mut index = 0;
    while index < bytes.len() {
        escapes[bytes[index] as usize] = true;
        index += 1;
    }
    escapes
};

/// What stands in a long block, one bit for each byte.
struct Marks {
    backslashes: u64,
    /// Quotes and control characters.
    stops: u64,
    /// Of any bytes above 0x7f, whichever.
    beyond_ascii: u32,
}

impl Marks {
    /// Of the first bytes of a text.
    #[inline]
    fn of(text: &[u8]) -> Self {
        match text.first_chunk() {
            Some(block) => Self::of_block(block),
            None => Self::of_tail(text),
        }
    }

    /// Of less than a block, with which the document ends.
    #[inline(never)]
    fn of_tail(tail: &[u8]) -> Self {
        // What fills the block up is control characters.
        let mut block = [0; LONG_BLOCK_BYTES];
        if let Some(front) = block.get_mut(..tail.len()) {
            front.copy_from_slice(tail);
        }
        Self::of_block(&block)
    }

    #[inline]
    fn of_block(block: &[u8; LONG_BLOCK_BYTES]) -> Self {
        let mut marks = Self { backslashes: 0, stops: 0, beyond_ascii: 0 };
        let mut all = u8x16::splat(0);
        for (index, part) in block.as_chunks().0.iter().enumerate() {
            let bytes = u8x16::new(*part);
            let place = index * BLOCK_BYTES;
            marks.backslashes |= u64::from(backslashes(bytes).to_bitmask()) << place;
            marks.stops |= u64::from(stops(bytes).to_bitmask()) << place;
            all |= bytes;
        }
        marks.beyond_ascii = all.to_bitmask();
        marks
    }
}

/// How many bytes from the start need no look inside a string: neither quote, backslash nor control character.
#[inline]
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    let (blocks, tail) = bytes.as_chunks();
    for (index, block) in blocks.iter().enumerate() {
        let block = u8x16::new(*block);
        let special = (backslashes(block) | stops(block)).to_bitmask();
        if special != 0 {
            return index * BLOCK_BYTES + special.trailing_zeros() as usize;
        }
    }
    let marks = Marks::of_tail(tail);
    blocks.len() * BLOCK_BYTES + (marks.backslashes | marks.stops).trailing_zeros() as usize
}

#[inline]
fn backslashes(bytes: u8x16) -> u8x16 {
    bytes.simd_eq(u8x16::splat(b'\\'))
}

/// Quotes and control characters.
#[inline]
fn stops(bytes: u8x16) -> u8x16 {
    // With this bit turned the quote follows the control characters, and nothing comes between.
    let turned = bytes ^ u8x16::splat(b'"' ^ 0x20);
    turned.min(u8x16::splat(0x20)).simd_eq(turned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_found_at_every_offset() {
        for length in 0..40 {
            for special in [b'"', b'\\', 0x00, 0x1f] {
                for position in 0..length {
                    let mut bytes = vec![b'\x7f'; length];
                    bytes[position] = special;
                    assert_eq!(plain_run(&bytes), position);
                }
            }
            assert_eq!(plain_run("é".repeat(length).as_bytes()), 2 * length);
        }
    }

    /// The end of a string, byte by byte.
    fn slow_string_text(text: &[u8]) -> Option<(usize, bool)> {
        let mut length = 0;
        let mut is_escaped = false;
        loop {
            match text.get(length)? {
                b'"' => return Some((length, is_escaped)),
                b'\\' => {
                    is_escaped = true;
                    length += 2;
                    match text.get(length - 1)? {
                        b'u' => {
                            let digits = text.get(length..length + 4)?;
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        }
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        _ => return None,
                    }
                }
                0..0x20 => return None,
                _ => length += 1,
            }
        }
    }

    #[test]
    fn strings_end_where_a_walk_byte_by_byte_ends() {
        // Every place at which an escape, or what looks like one, can stand to the blocks.
        let ends: [&[u8]; 9] = [
            b"\"",
            b"\\\"\"",
            b"\\\\\"",
            b"\\\\\\\"x\"",
            b"\\u00e9\"",
            b"\\u00g9\"",
            b"\\x\"",
            b"\x1f\"",
            b"\\",
        ];
        for lead in 0..140 {
            for end in ends {
                for behind in [0, 1, 15, 70] {
                    for fill in ["a", "é", "\\\\", "\\n"] {
                        let mut text = fill.repeat(lead).into_bytes();
                        text.extend_from_slice(end);
                        text.resize(text.len() + behind, b'"');
                        let found = string_text(&text);
                        let shown = text.escape_ascii();
                        assert_eq!(
                            found.map(|f| (f.length, f.is_escaped)),
                            slow_string_text(&text),
                            "{shown}"
                        );
                        if let Some(found) = found {
                            // Bytes behind the string may be taken for its own, never the other way round.
                            assert!(
                                found.beyond_ascii != 0 || text[..found.length].is_ascii(),
                                "{shown}"
                            );
                            assert!(found.beyond_ascii == 0 || !text.is_ascii(), "{shown}");
                        }
                    }
                }
            }
        }
    }
}
