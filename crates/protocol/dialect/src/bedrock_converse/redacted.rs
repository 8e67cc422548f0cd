//! Encrypted thinking: bytes in this dialect, and so base64 in JSON, where others have a text of their own making.
//!
//! Texts that are base64 already go as they are. Others are encoded, and known again by what they decode to: characters
//! that can be seen, which the bytes of encrypted thinking are not.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::json::Text;

/// The text that the bytes stand for.
pub(super) fn read(bytes: Text<'_>) -> Text<'_> {
    let decoded = BASE64_STANDARD.decode(bytes.plain().as_bytes()).unwrap_or_default();
    let is_text = !decoded.is_empty() && decoded.iter().all(|byte| byte.is_ascii_graphic());
    match String::from_utf8(decoded) {
        Ok(text) if is_text => Text::from(text),
        _ => bytes,
    }
}

/// The bytes that stand for a text.
pub(super) fn write<'t>(text: &'t Text<'_>) -> Cow<'t, str> {
    let plain = text.plain();
    let is_bytes = BASE64_STANDARD.decode(plain.as_bytes()).is_ok_and(|bytes| !bytes.is_ascii());
    if is_bytes { plain } else { BASE64_STANDARD.encode(plain.as_bytes()).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in ["EqkBCgIYAhIB/+==", "gAAAAABpB5fp-_x==", "RW5jcnlwdGVk", "redacted_1", "a"] {
            let text = Text::from(text);
            let written = write(&text).into_owned();
            assert!(BASE64_STANDARD.decode(&written).is_ok(), "{written}");
            assert_eq!(read(written.into()), text);
        }
    }

    #[test]
    fn bytes_of_the_vendor_stay_as_they_are() {
        let bytes = BASE64_STANDARD.encode([0x12, 0xf0, 0x05, 0x0a, 0x86, 0x01]);
        let text = read(bytes.clone().into());
        assert_eq!(text, *bytes);
        assert_eq!(write(&text), bytes);
    }
}
