//! What a line of a stream means for retrying.

use crate::event_class::EventClass;
use crate::json::find_member;

/// Members of a message that are part of the answer when they are not empty.
const OUTPUT_MEMBERS: &[&str] = &["content", "thinking", "tool_calls"];

/// Classifies one line.
pub(super) fn event_class(_event: Option<&str>, data: &[u8]) -> EventClass {
    if find_member(data, "error").is_some() {
        return EventClass::Error;
    }
    let is_filled = |value: &[u8]| !matches!(value, b"null" | b"\"\"" | b"[]");
    let says = |message: &[u8]| {
        OUTPUT_MEMBERS.iter().any(|name| find_member(message, name).is_some_and(is_filled))
    };
    let is_last = find_member(data, "done") == Some(b"true");
    if is_last || find_member(data, "message").is_some_and(says) {
        EventClass::Output
    } else {
        EventClass::StartUp
    }
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Error, Output, StartUp};
    use crate::{Dialect, event_class};

    #[test]
    fn lines_are_classified() {
        for (data, expected) in [
            (r#"{"message":{"role":"assistant","content":"a"},"done":false}"#, Output),
            (r#"{"message":{"content":"","thinking":"a"},"done":false}"#, Output),
            (r#"{"message":{"content":"","tool_calls":[{}]},"done":false}"#, Output),
            (r#"{"message":{"content":""},"done":true,"done_reason":"stop"}"#, Output),
            (r#"{"message":{"role":"assistant","content":""},"done":false}"#, StartUp),
            (r#"{"error":"no such model"}"#, Error),
        ] {
            assert_eq!(event_class(Dialect::OllamaChat, None, data.as_bytes()), expected, "{data}");
        }
    }
}
