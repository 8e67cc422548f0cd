//! What an event of a message stream means for retrying.

use crate::event_class::EventClass;
use crate::json::find_member;

/// Classifies one event by its name, or by its `type` where it had none.
pub(super) fn event_class(event: Option<&str>, data: &[u8]) -> EventClass {
    if data.trim_ascii() == b"[DONE]" {
        return EventClass::Done;
    }
    let kind = match event {
        Some(event) => event.as_bytes(),
        None => find_member(data, "type").map_or(&b""[..], |kind| kind.trim_ascii()),
    };
    match kind.strip_prefix(b"\"").and_then(|kind| kind.strip_suffix(b"\"")).unwrap_or(kind) {
        b"error" => EventClass::Error,
        b"" if find_member(data, "message").is_some() => EventClass::Error,
        b"message-end" if has_failed(data) => EventClass::Error,
        b"message-start" | b"debug" => EventClass::StartUp,
        _ => EventClass::Output,
    }
}

fn has_failed(data: &[u8]) -> bool {
    let reason = || find_member(find_member(data, "delta")?, "finish_reason");
    reason() == Some(b"\"ERROR\"")
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Done, Error, Output, StartUp};
    use crate::{Dialect, event_class};

    #[test]
    fn message_events_are_classified_by_name_or_type() {
        let cases = [
            ("message-start", StartUp),
            ("debug", StartUp),
            ("content-start", Output),
            ("content-delta", Output),
            ("tool-plan-delta", Output),
            ("citation-start", Output),
            ("message-end", Output),
        ];
        for (name, expected) in cases {
            let data = format!(r#"{{"type": "{name}","delta":{{"finish_reason":"COMPLETE"}}}}"#);
            let class = |event| event_class(Dialect::CohereChat, event, data.as_bytes());
            assert_eq!(class(None), expected, "{name}");
            assert_eq!(class(Some(name)), expected, "{name}");
        }
    }

    #[test]
    fn failures_and_the_end_are_recognised() {
        let class = |data: &str| event_class(Dialect::CohereChat, None, data.as_bytes());
        assert_eq!(class("[DONE]"), Done);
        assert_eq!(class(r#"{"type":"message-end","delta":{"finish_reason":"ERROR"}}"#), Error);
        assert_eq!(class(r#"{"message":"no such model"}"#), Error);
    }
}
