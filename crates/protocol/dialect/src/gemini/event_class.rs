//! What a piece of a streamed reply means for retrying.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::event_class::EventClass;
use crate::json::{find_member, skip_space, value_at};

static TEXT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"text\""));
static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));

/// Classifies the data of one event. Streams of this dialect have no end marker.
pub(crate) fn event_class(_event: Option<&str>, data: &[u8]) -> EventClass {
    if ERROR.find(data).is_some() && find_member(data, "error").is_some_and(is_filled) {
        return EventClass::Error;
    }
    let is_blocked = || {
        find_member(data, "promptFeedback")
            .and_then(|feedback| find_member(feedback, "blockReason"))
            .is_some_and(is_filled)
    };
    let candidate = || find_member(data, "candidates").and_then(first_element);
    if has_text(data) || candidate().is_some_and(is_output) || is_blocked() {
        EventClass::Output
    } else {
        EventClass::StartUp
    }
}

/// The common case, found in one search: a `text` that is a string and not empty. Inside of strings quotes are escaped,
/// so the name can only be that of a member.
fn has_text(data: &[u8]) -> bool {
    let Some(found) = TEXT.find(data) else { return false };
    let behind = skip_space(data.get(found + "\"text\"".len()..).unwrap_or_default());
    let value = behind.strip_prefix(b":").map(skip_space).unwrap_or_default();
    matches!(value, [b'"', first, ..] if *first != b'"')
}

fn is_output(candidate: &[u8]) -> bool {
    if find_member(candidate, "finishReason").is_some_and(is_filled) {
        return true;
    }
    let parts = find_member(candidate, "content").and_then(|content| find_member(content, "parts"));
    let Some(first) = parts.and_then(first_element) else { return false };
    // Several parts, or one that is not an empty text.
    find_member(first, "text").is_none_or(is_filled)
        || parts.is_some_and(|parts| parts.len() > first.len() + "[]".len())
}

fn is_filled(value: &[u8]) -> bool {
    !matches!(value, b"null" | b"\"\"" | b"[]" | b"{}")
}

fn first_element(array: &[u8]) -> Option<&[u8]> {
    value_at(skip_space(array.strip_prefix(b"[")?)).filter(|element| *element != b"]")
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Error, Output, StartUp};
    use crate::{Dialect, EventClass, event_class};

    #[test]
    fn pieces_are_classified() {
        let cases: &[(&str, EventClass)] = &[
            (r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#, Output),
            (r#"{"candidates": [{"content": {"parts": [{"text" : "a"}]}}]}"#, Output),
            (r#"{"candidates":[{"content":{"parts":[{"text":"a","thought":true}]}}]}"#, Output),
            (r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]}}]}"#, Output),
            (r#"{"candidates":[{"content":{"parts":[{"text":""},{"inlineData":{}}]}}]}"#, Output),
            (r#"{"candidates":[{"finishReason":"STOP"}]}"#, Output),
            (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, Output),
            (r#"{"candidates":[{"content":{"parts":[{"text":""}]}}]}"#, StartUp),
            (r#"{"candidates":[{"content":{"role":"model"}}]}"#, StartUp),
            (r#"{"candidates":[]}"#, StartUp),
            (r#"{"promptFeedback":{"safetyRatings":[]}}"#, StartUp),
            (r#"{"usageMetadata":{"promptTokenCount":1}}"#, StartUp),
            (r#"{"error":{"code":503,"status":"UNAVAILABLE"}}"#, Error),
            (r#"{"error":null,"candidates":[{"finishReason":"STOP"}]}"#, Output),
            (r#"{"candidates":[{"content":{"parts":[{"text":"\"error\":{}"}]}}]}"#, Output),
            ("", StartUp),
        ];
        for (data, expected) in cases {
            assert_eq!(event_class(Dialect::Gemini, None, data.as_bytes()), *expected, "{data}");
        }
        assert_eq!(event_class(Dialect::Gemini, Some("error"), b"{}"), Error);
    }
}
