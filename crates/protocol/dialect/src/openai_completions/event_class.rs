//! What a chunk means for retrying.

use crate::event_class::EventClass;
use crate::json::find_member;
use crate::openai_chat::event_class::{first_element, is_error_chunk, is_filled};

/// Classifies the data of one event.
pub(super) fn event_class(_event: Option<&str>, data: &[u8]) -> EventClass {
    if data.trim_ascii() == b"[DONE]" {
        return EventClass::Done;
    }
    if is_error_chunk(data) {
        return EventClass::Error;
    }
    let says = |choice: &[u8]| {
        ["text", "finish_reason"]
            .iter()
            .any(|name| find_member(choice, name).is_some_and(is_filled))
    };
    match find_member(data, "choices").and_then(first_element) {
        Some(choice) if says(choice) => EventClass::Output,
        _ => EventClass::StartUp,
    }
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Done, Error, Output, StartUp};
    use crate::{Dialect, event_class};

    #[test]
    fn chunks_are_classified() {
        for (data, expected) in [
            ("[DONE]", Done),
            (r#"{"choices":[{"text":"a","index":0,"finish_reason":null}]}"#, Output),
            (r#"{"choices":[{"text":"","index":0,"finish_reason":"stop"}]}"#, Output),
            (r#"{"choices":[{"text":"","index":0,"finish_reason":null}]}"#, StartUp),
            (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, StartUp),
            (r#"{"error":{"message":"m"}}"#, Error),
        ] {
            let class = event_class(Dialect::OpenAiCompletions, None, data.as_bytes());
            assert_eq!(class, expected, "{data}");
        }
    }
}
