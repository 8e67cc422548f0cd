//! What an upstream's event means to the one who decides whether another upstream may still be tried.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::Dialect;
use crate::json::{find_member, skip_space, value_at};

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// The upstream reports an error.
    Error,
    /// Nothing of the answer yet: a role, a ping, the head of a message, a chunk without choices.
    StartUp,
    /// Part of the answer, or its end.
    Output,
    /// Nothing follows.
    Done,
}

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

/// Classifies one event by its name, if it had one, and its data. Cheap, without allocating, and never fails: what it
/// does not understand is output.
pub fn event_class(dialect: Dialect, event: Option<&str>, data: &[u8]) -> EventClass {
    if event == Some("error") {
        return EventClass::Error;
    }
    match dialect {
        Dialect::OpenAiChat => chunk_class(data),
        Dialect::AnthropicMessages => message_event_class(event, data),
    }
}

fn chunk_class(data: &[u8]) -> EventClass {
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

fn is_error_chunk(data: &[u8]) -> bool {
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

fn is_filled(value: &[u8]) -> bool {
    !matches!(value, b"null" | b"\"\"" | b"[]" | b"{}")
}

fn first_element(array: &[u8]) -> Option<&[u8]> {
    value_at(skip_space(array.strip_prefix(b"[")?)).filter(|element| *element != b"]")
}

fn message_event_class(event: Option<&str>, data: &[u8]) -> EventClass {
    let kind = match event {
        Some(event) => event.as_bytes(),
        None => find_member(data, "type").map_or(&b""[..], |kind| kind.trim_ascii()),
    };
    match kind.strip_prefix(b"\"").and_then(|kind| kind.strip_suffix(b"\"")).unwrap_or(kind) {
        b"error" => EventClass::Error,
        b"message_start" | b"ping" => EventClass::StartUp,
        b"message_stop" => EventClass::Done,
        _ => EventClass::Output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EventClass::{Done, Error, Output, StartUp};

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

    #[test]
    fn message_events_are_classified_by_name_or_type() {
        let cases = [
            ("message_start", StartUp),
            ("ping", StartUp),
            ("content_block_start", Output),
            ("content_block_delta", Output),
            ("message_delta", Output),
            ("message_stop", Done),
            ("error", Error),
        ];
        for (name, expected) in cases {
            let data = format!(r#"{{"type": "{name}"}}"#);
            let class = |event| event_class(Dialect::AnthropicMessages, event, data.as_bytes());
            assert_eq!(class(None), expected, "{name}");
            assert_eq!(class(Some(name)), expected, "{name}");
        }
    }
}
