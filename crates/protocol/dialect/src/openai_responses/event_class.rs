//! What an event of a response stream means for retrying.

use crate::event_class::EventClass;
use crate::json::find_member;

/// Classifies one event by its name, or by its `type` where it had none, as some hosts send it.
pub(super) fn event_class(event: Option<&str>, data: &[u8]) -> EventClass {
    if data.trim_ascii() == b"[DONE]" {
        return EventClass::Done;
    }
    let kind = match event {
        Some(event) => event.as_bytes(),
        None => find_member(data, "type").map_or(&b""[..], |kind| kind.trim_ascii()),
    };
    match kind.strip_prefix(b"\"").and_then(|kind| kind.strip_suffix(b"\"")).unwrap_or(kind) {
        b"error" | b"response.failed" => EventClass::Error,
        b"" if find_member(data, "error").is_some_and(|error| error != b"null") => {
            EventClass::Error
        }
        b"response.created" | b"response.queued" | b"response.in_progress" => EventClass::StartUp,
        b"response.completed" | b"response.incomplete" => EventClass::Done,
        _ => EventClass::Output,
    }
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Done, Error, Output, StartUp};
    use crate::{Dialect, event_class};

    #[test]
    fn events_are_classified_by_name_or_type() {
        let cases = [
            ("response.created", StartUp),
            ("response.queued", StartUp),
            ("response.in_progress", StartUp),
            ("response.output_item.added", Output),
            ("response.output_text.delta", Output),
            ("response.reasoning_summary_text.delta", Output),
            ("response.completed", Done),
            ("response.incomplete", Done),
            ("response.failed", Error),
            ("error", Error),
        ];
        for (name, expected) in cases {
            let data = format!(r#"{{"type": "{name}"}}"#);
            let class = |event| event_class(Dialect::OpenAiResponses, event, data.as_bytes());
            assert_eq!(class(None), expected, "{name}");
            assert_eq!(class(Some(name)), expected, "{name}");
        }
        let nameless = |data: &str| event_class(Dialect::OpenAiResponses, None, data.as_bytes());
        assert_eq!(nameless("[DONE]"), Done);
        assert_eq!(nameless(r#"{"error":{"message":"m"}}"#), Error);
        assert_eq!(nameless(r#"{"error":null}"#), Output);
    }
}
