//! What an event of a message stream means for retrying.

use crate::event_class::EventClass;
use crate::json::find_member;

/// Classifies one event by its name, or by its `type` where it had none.
pub(super) fn event_class(event: Option<&str>, data: &[u8]) -> EventClass {
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
    use crate::EventClass::{Done, Error, Output, StartUp};
    use crate::{Dialect, event_class};

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
