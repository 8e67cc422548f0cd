//! What an event of a stream means for retrying.

use crate::event_class::EventClass;

/// Classifies one event by its name: the type of the event, or of the exception.
pub(super) fn event_class(event: Option<&str>, _data: &[u8]) -> EventClass {
    match event {
        Some("messageStart") => EventClass::StartUp,
        // Usage comes last.
        Some("metadata") => EventClass::Done,
        Some(name) if name.ends_with("Exception") => EventClass::Error,
        _ => EventClass::Output,
    }
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Done, Error, Output, StartUp};
    use crate::{Dialect, event_class};

    #[test]
    fn events_are_classified_by_name() {
        let cases = [
            (Some("messageStart"), StartUp),
            (Some("contentBlockStart"), Output),
            (Some("contentBlockDelta"), Output),
            (Some("messageStop"), Output),
            (Some("metadata"), Done),
            (Some("throttlingException"), Error),
            (Some("error"), Error),
            (None, Output),
        ];
        for (name, expected) in cases {
            assert_eq!(event_class(Dialect::BedrockConverse, name, b"{}"), expected, "{name:?}");
        }
    }
}
