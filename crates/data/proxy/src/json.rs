//! The few bytes of JSON the proxy writes itself: strings and numbers into what it sends.

use net::Buffer;

/// Writes `text` as a JSON string, quotes included.
pub(crate) fn write_string(text: &str, out: &mut impl FnMut(&[u8])) {
    out(b"\"");
    if has_no_escapes(text) {
        out(text.as_bytes());
        return out(b"\"");
    }
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let Some(escape) = escape(byte) else { continue };
        out(&text.as_bytes()[plain_from..at]);
        match escape {
            Escape::Short(letter) => out(&[b'\\', letter]),
            Escape::Code => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let digit = |nibble: u8| HEX[usize::from(nibble & 15)];
                out(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
            }
        }
        plain_from = at + 1;
    }
    out(&text.as_bytes()[plain_from..]);
    out(b"\"");
}

/// Names of models and providers are plain, and short: eight bytes are looked at at once.
fn has_no_escapes(text: &str) -> bool {
    let (blocks, tail) = text.as_bytes().as_chunks();
    let is_plain_block = |block: &[u8; 8]| escapes_in(u64::from_le_bytes(*block)) == 0;
    blocks.iter().all(is_plain_block) && tail.iter().all(|byte| is_plain(*byte))
}

/// Not 0 if one of the eight bytes has to be escaped.
fn escapes_in(bytes: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const TOPS: u64 = ONES << 7;
    let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & TOPS;
    let controls = bytes.wrapping_sub(ONES * 0x20) & !bytes & TOPS;
    controls | zeros(bytes ^ (ONES * b'"' as u64)) | zeros(bytes ^ (ONES * b'\\' as u64))
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

enum Escape {
    Short(u8),
    Code,
}

fn escape(byte: u8) -> Option<Escape> {
    match byte {
        b'"' | b'\\' => Some(Escape::Short(byte)),
        b'\n' => Some(Escape::Short(b'n')),
        b'\r' => Some(Escape::Short(b'r')),
        b'\t' => Some(Escape::Short(b't')),
        0..0x20 => Some(Escape::Code),
        _ => None,
    }
}

/// Appends `text` as a JSON string to `out`.
pub(crate) fn push_string(out: &mut Buffer, text: &str) {
    push_member(out, "", text);
}

/// Appends `before`, which is JSON, and behind it `text` as a string.
#[inline]
pub(crate) fn push_member(out: &mut Buffer, before: &str, text: &str) {
    if has_no_escapes(text) {
        return out.extend_from_slices([before.as_bytes(), b"\"", text.as_bytes(), b"\""]);
    }
    out.extend_from_slice(before.as_bytes());
    write_string(text, &mut |piece| out.extend_from_slice(piece));
}

/// Appends a number.
pub(crate) fn push_number(out: &mut Buffer, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_be_escaped_is_found_wherever_it_stands() {
        for byte in 0..0x80_u8 {
            for at in 0..19 {
                let mut text = "é plain + more text".to_owned().into_bytes();
                text.resize(20, b'~');
                text[at.max(2)] = byte;
                let text = String::from_utf8(text).unwrap();
                assert_eq!(has_no_escapes(&text), is_plain(byte), "{byte} at {at}");
            }
        }
    }

    #[test]
    fn strings_read_back_as_they_were() {
        for text in ["", "plain", "q\" b\\ n\n r\r t\t c\u{1} é 🦀 \u{7f}"] {
            let mut out = Buffer::new();
            push_string(&mut out, text);
            assert_eq!(sonic_rs::from_slice::<String>(out.as_slice()).unwrap(), text);
        }
    }
}
