//! What a chunk means for retrying.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::event_class::EventClass;
use crate::json::{find_member, skip_space, value_at};

static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"error\""));
static CONTENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"content\""));

/// Members of a delta that are part of the answer when they are not empty.
const OUTPUT_MEMBERS: &[&str] = &[
    "content",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "tool_calls",
    "refusal",
    "function_call",
    "audio",
];

/// Classifies the data of one event.
pub(super) fn event_class(_event: Option<&str>, data: &[u8]) -> EventClass {
    if data.trim_ascii() == b"[DONE]" {
        return EventClass::Done;
    }
    let may_be_error = ERROR.find(data).is_some();
    if !may_be_error && has_plain_content(data) {
        return EventClass::Output;
    }
    if may_be_error && is_error_chunk(data) {
        return EventClass::Error;
    }
    match find_member(data, "choices").and_then(first_element) {
        Some(choice) if is_output(choice) => EventClass::Output,
        _ => EventClass::StartUp,
    }
}

/// The common case, found in one search: a `content` that is a string and not empty. Inside of strings quotes are
/// escaped, so the name can only be that of a member.
fn has_plain_content(data: &[u8]) -> bool {
    let Some(found) = CONTENT.find(data) else { return false };
    let behind = skip_space(data.get(found + "\"content\"".len()..).unwrap_or_default());
    let value = behind.strip_prefix(b":").map(skip_space).unwrap_or_default();
    matches!(value, [b'"', first, ..] if *first != b'"')
}

/// Whether a chunk reports an error, for the whole answer or for one choice.
pub(crate) fn is_error_chunk(data: &[u8]) -> bool {
    let is_bare = || find_member(data, "object") == Some(b"\"error\"");
    let is_told = |object: &[u8]| find_member(object, "error").is_some_and(is_filled);
    is_told(data)
        || is_bare()
        || find_member(data, "choices").and_then(first_element).is_some_and(is_told)
}

fn is_output(choice: &[u8]) -> bool {
    if find_member(choice, "finish_reason").is_some_and(is_filled) {
        return true;
    }
    let Some(delta) = find_member(choice, "delta").or_else(|| find_member(choice, "message"))
    else {
        return false;
    };
    OUTPUT_MEMBERS.iter().any(|name| find_member(delta, name).is_some_and(is_filled))
}

pub(crate) fn is_filled(value: &[u8]) -> bool {
    !matches!(value, b"null" | b"\"\"" | b"[]" | b"{}")
}

pub(crate) fn first_element(array: &[u8]) -> Option<&[u8]> {
    value_at(skip_space(array.strip_prefix(b"[")?)).filter(|element| *element != b"]")
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Done, Error, Output, StartUp};
    use crate::{Dialect, EventClass, event_class};

    #[test]
    fn chunks_are_classified() {
        let cases: &[(&str, EventClass)] = &[
            ("[DONE]", Done),
            (" [DONE] ", Done),
            (r#"{"choices":[]}"#, StartUp),
            (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, StartUp),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
                StartUp,
            ),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":null}}]}"#,
                StartUp,
            ),
            (r#"{"choices":[{"delta":{"content":"a"}}]}"#, Output),
            (r#"{"choices": [ {"delta": {"content" : "a"}}]}"#, Output),
            (r#"{"choices":[{"delta":{"content":"","reasoning":"a"}}]}"#, Output),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, Output),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, Output),
            (r#"{"choices":[{"delta":{"content":"say \"error\": {}"}}]}"#, Output),
            (r#"{"error":{"message":"x"}}"#, Error),
            (r#"{"error":"x","choices":[{"delta":{"content":"a"}}]}"#, Error),
            (r#"{"error":null,"choices":[{"delta":{"content":"a"}}]}"#, Output),
            (r#"{"object":"error","message":"x"}"#, Error),
            (r#"{"choices":[{"error":{"code":502},"delta":{}}]}"#, Error),
            ("", StartUp),
        ];
        for (data, expected) in cases {
            assert_eq!(
                event_class(Dialect::OpenAiChat, None, data.as_bytes()),
                *expected,
                "{data}"
            );
        }
        assert_eq!(event_class(Dialect::OpenAiChat, Some("error"), b"{}"), Error);
    }
}
