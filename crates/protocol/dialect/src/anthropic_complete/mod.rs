//! Anthropic's text completions: a dialogue as one text, and what the assistant says next. Errors are those of messages.

mod reply;
mod request;
mod stream;

use crate::anthropic_messages;
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing, Generation, UsagePlace};
use crate::json::find_member;

pub(crate) static FORMAT: Format = Format {
    name: "anthropic_complete",
    framing: Framing::Sse,
    code: Code::Completion(Generation {
        read_request: request::read_request,
        write_request: request::write_request,
        read_reply: |root, _| reply::read_reply(root),
        write_reply: |reply, _, options, out| {
            reply::write_reply(reply, options, out);
            Ok(())
        },
        stream_reader: |_| Box::new(stream::StreamReader::default()),
        stream_writer: |options| Box::new(stream::StreamWriter::new(options)),
    }),
    errors: anthropic_messages::ERRORS,
    usage: UsagePlace::none(),
    event_class,
};

/// Classifies one event by its name, or by its `type` where it had none.
fn event_class(event: Option<&str>, data: &[u8]) -> EventClass {
    let kind = match event {
        Some(event) => event.as_bytes(),
        None => find_member(data, "type").map_or(&b""[..], |kind| kind.trim_ascii()),
    };
    match kind.strip_prefix(b"\"").and_then(|kind| kind.strip_suffix(b"\"")).unwrap_or(kind) {
        b"error" => EventClass::Error,
        b"ping" => EventClass::StartUp,
        _ => EventClass::Output,
    }
}

#[cfg(test)]
mod tests {
    use crate::EventClass::{Error, Output, StartUp};
    use crate::{Dialect, event_class};

    #[test]
    fn events_are_classified_by_name_or_type() {
        for (name, expected) in [("completion", Output), ("ping", StartUp), ("error", Error)] {
            let data = format!(r#"{{"type":"{name}"}}"#);
            let class = |event| event_class(Dialect::AnthropicComplete, event, data.as_bytes());
            assert_eq!((class(None), class(Some(name))), (expected, expected), "{name}");
        }
    }
}
