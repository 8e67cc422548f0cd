//! Names and ids in the characters and lengths the vendor takes.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::media::document_type;
use crate::json::Text;

/// Longest name of a tool and longest id of a call.
const NAME_CHARACTERS_MAX: usize = 64;

/// Longest name of a document.
const DOCUMENT_CHARACTERS_MAX: usize = 200;

/// The name of a document that came without one.
const DOCUMENT: &str = "document";

/// The id of a call without other vendors' characters. Of a long one the end becomes a checksum, so that two that begin
/// alike stay two.
pub(super) fn call_id<'a>(id: &Text<'a>) -> Text<'a> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    let plain = id.plain();
    if plain.chars().all(is_fine) && (1..=NAME_CHARACTERS_MAX).contains(&plain.len()) {
        return id.clone();
    }
    let cleaned: String = plain.chars().map(|c| if is_fine(c) { c } else { '_' }).collect();
    match cleaned.len() {
        0 => Text::from("_"),
        1..=NAME_CHARACTERS_MAX => Text::from(cleaned),
        _ => Text::from(shortened(cleaned, &plain)),
    }
}

/// The name a tool goes by. Another one than its own carries a checksum, so that two stay two.
pub(super) fn tool_name(name: &str) -> Cow<'_, str> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.chars().all(is_fine) && (1..=NAME_CHARACTERS_MAX).contains(&name.len()) {
        return Cow::Borrowed(name);
    }
    let cleaned: String = name.chars().map(|c| if is_fine(c) { c } else { '_' }).collect();
    Cow::Owned(shortened(cleaned, name))
}

/// The beginning of an ASCII text, and a checksum of what it was made from.
fn shortened(mut cleaned: String, own: &str) -> String {
    const CHECKSUM_CHARACTERS: usize = 9;
    let mut hasher = DefaultHasher::new();
    own.hash(&mut hasher);
    cleaned.truncate(NAME_CHARACTERS_MAX - CHECKSUM_CHARACTERS);
    format!("{cleaned}_{:08x}", hasher.finish() as u32)
}

/// Names of the documents of one request, which must differ.
#[derive(Debug, Default)]
pub(super) struct DocumentNames {
    given: Vec<String>,
}

impl DocumentNames {
    /// A name like that one in letters, digits, single spaces, hyphens and brackets, which no other document has. The
    /// ending that only repeats the format goes.
    pub(super) fn give(&mut self, name: Option<&Text<'_>>) -> &str {
        let own = name.map(Text::plain).unwrap_or_default();
        let base = cleaned_document_name(&own);
        let is_given = |name: &String| self.given.contains(name);
        let numbered = (2_u32..).map(|number| format!("{base} ({number})"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        let free = names.find(|name| !is_given(name)).unwrap_or(base);
        self.given.push(free);
        self.given.last().map_or(DOCUMENT, |name| name)
    }
}

fn cleaned_document_name(own: &str) -> String {
    /// For the number that may follow.
    const ROOM_CHARACTERS: usize = 16;
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
    let stem = match own.rsplit_once('.') {
        Some((stem, ending)) if document_type(&ending.to_ascii_lowercase()).is_some() => stem,
        _ => own,
    };
    let mut cleaned = String::with_capacity(stem.len());
    for word in stem.split_whitespace() {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.extend(word.chars().map(|c| if is_fine(c) { c } else { '-' }));
    }
    cleaned.truncate(DOCUMENT_CHARACTERS_MAX - ROOM_CHARACTERS);
    let cleaned = cleaned.trim_end();
    if cleaned.is_empty() { DOCUMENT.to_owned() } else { cleaned.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_characters_where_they_can() {
        assert_eq!(call_id(&"tooluse_a-b.c:0".into()), *"tooluse_a-b.c:0");
        assert_eq!(call_id(&"call|é".into()), *"call__");
        assert_eq!(call_id(&"".into()), *"_");
        let (one, other) = ("x".repeat(80), "x".repeat(81));
        let (one, other) = (call_id(&one.into()), call_id(&other.into()));
        assert_eq!(one.plain().len(), NAME_CHARACTERS_MAX);
        assert_ne!(one, other);
    }

    #[test]
    fn tools_go_by_names_the_vendor_takes() {
        assert_eq!(tool_name("get_weather-2"), "get_weather-2");
        let dotted = tool_name("server.tool");
        assert!(dotted.starts_with("server_tool_") && dotted.len() <= NAME_CHARACTERS_MAX);
        assert_ne!(dotted, tool_name("server:tool"));
        assert_eq!(tool_name(&"x".repeat(100)).len(), NAME_CHARACTERS_MAX);
        assert!(!tool_name("").is_empty());
    }

    #[test]
    fn documents_get_names_of_their_own() {
        let mut names = DocumentNames::default();
        let mut give = |name: &'static str| names.give(Some(&name.into())).to_owned();
        assert_eq!(give("Q3  report_final.pdf"), "Q3 report-final");
        assert_eq!(give("Q3 report_final.PDF"), "Q3 report-final (2)");
        assert_eq!(give("archive.tar"), "archive-tar");
        assert_eq!(give(".pdf"), "document");
        assert_eq!(give(""), "document (2)");
        assert!(give("x".repeat(500).leak()).len() <= DOCUMENT_CHARACTERS_MAX);
        assert_eq!(names.give(None), "document (3)");
    }
}
