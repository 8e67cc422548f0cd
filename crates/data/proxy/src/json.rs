//! The few bytes of JSON the proxy writes itself: strings and numbers into what it sends.

use net::Buffer;

/// Writes `text` as a JSON string, quotes included.
pub(crate) fn write_string(text: &str, out: &mut impl FnMut(&[u8])) {
    out(b"\"");
    // Names of models and providers are plain; without an early end many bytes are looked at at once.
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
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
    fn strings_read_back_as_they_were() {
        for text in ["", "plain", "q\" b\\ n\n r\r t\t c\u{1} é 🦀 \u{7f}"] {
            let mut out = Buffer::new();
            push_string(&mut out, text);
            assert_eq!(sonic_rs::from_slice::<String>(out.as_slice()).unwrap(), text);
        }
    }
}
