//! A string that is moved from one document to another, usually without being taken apart.

use std::borrow::Cow;

use super::write::write_str;

/// A string taken from a document, or one of our own.
///
/// Comparing two compares what they mean, not how they are spelt.
#[derive(Clone)]
pub(crate) enum Text<'a> {
    /// What stood between the quotes, with its escapes; checked when the document was read.
    Spelt(&'a str),
    /// Plain characters.
    Plain(Cow<'a, str>),
}

impl<'a> Text<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Spelt(inner) => inner.is_empty(),
            Self::Plain(plain) => plain.is_empty(),
        }
    }

    /// The characters, escapes resolved.
    pub(crate) fn plain(&self) -> Cow<'_, str> {
        match self {
            Self::Spelt(inner) => Cow::Owned(unescape(inner)),
            Self::Plain(plain) => Cow::Borrowed(plain),
        }
    }

    pub(crate) fn into_plain(self) -> Cow<'a, str> {
        match self {
            Self::Spelt(inner) => Cow::Owned(unescape(inner)),
            Self::Plain(plain) => plain,
        }
    }

    /// How many characters it has.
    pub(crate) fn character_count(&self) -> u64 {
        match self {
            Self::Plain(plain) => plain.chars().count() as u64,
            Self::Spelt(inner) => unescape(inner).chars().count() as u64,
        }
    }

    /// Whether it is a Fernet token, which is what OpenAI encrypts reasoning to: they all begin with the version byte
    /// 0x80 and the upper bytes of a time, which are zero.
    pub(crate) fn is_fernet(&self) -> bool {
        let spelling: &str = match self {
            Self::Spelt(inner) => inner,
            Self::Plain(plain) => plain,
        };
        spelling.starts_with("gAAAA")
    }

    /// A copy that outlives the document.
    pub(crate) fn into_owned(self) -> Text<'static> {
        Text::Plain(Cow::Owned(self.into_plain().into_owned()))
    }

    /// Appends the string with its quotes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        self.write_inner(out);
        out.push(b'"');
    }

    /// Appends the string without quotes, escaped; several may be joined to one string.
    pub(crate) fn write_inner(&self, out: &mut Vec<u8>) {
        match self {
            Self::Spelt(inner) => out.extend_from_slice(inner.as_bytes()),
            Self::Plain(plain) => write_str(plain, out),
        }
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::Plain(Cow::Borrowed(""))
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(plain: &'a str) -> Self {
        Self::Plain(Cow::Borrowed(plain))
    }
}

impl From<String> for Text<'_> {
    fn from(plain: String) -> Self {
        Self::Plain(Cow::Owned(plain))
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(plain: Cow<'a, str>) -> Self {
        Self::Plain(plain)
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.plain() == other.plain()
    }
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.plain() == other
    }
}

impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.plain(), formatter)
    }
}

/// Resolves the escapes of a checked string. Half a surrogate pair becomes U+FFFD.
fn unescape(inner: &str) -> String {
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(position) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (before, escape) = rest.split_at(position);
        plain.push_str(before);
        let (character, length) = resolve(escape);
        plain.push(character);
        rest = escape.get(length..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// The character an escape stands for, and the length of the escape.
fn resolve(escape: &str) -> (char, usize) {
    match escape.as_bytes().get(1) {
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => resolve_unicode(escape),
        Some(other) => (char::from(*other), 2),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

fn resolve_unicode(escape: &str) -> (char, usize) {
    let unit = code_unit(escape);
    if let Some(character) = char::from_u32(unit) {
        return (character, 6);
    }
    let low = escape.get(6..).filter(|rest| rest.starts_with("\\u")).map_or(0, code_unit);
    if unit < 0xDC00 && (0xDC00..0xE000).contains(&low) {
        let scalar = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::REPLACEMENT_CHARACTER, 6)
}

fn code_unit(escape: &str) -> u32 {
    escape.get(2..6).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0xFFFD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved() {
        let spelt = Text::Spelt(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800x\udc00"#);
        assert_eq!(spelt.plain(), "a\"\\/\u{8}\u{c}\n\r\té😀\u{fffd}x\u{fffd}");
    }

    #[test]
    fn a_spelling_is_kept_when_written() {
        let mut out = Vec::new();
        Text::Spelt(r"\u00e9\/").write(&mut out);
        assert_eq!(out, br#""\u00e9\/""#);
        assert_eq!(Text::Spelt(r"\u00e9\/"), Text::from("é/"));
    }
}
