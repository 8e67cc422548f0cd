//! What must hold for any input: no panic, and what is written is JSON. Shared by the mutation test and the fuzz
//! targets.

mod frames;

use dialect::{
    Dialect, EventClass, Framing, Notes, ReplyOptions, RequestOptions, StreamTranslator,
    UsageReader, event_class, read_error, translate_reply, translate_request, write_error,
};
use serde::de::IgnoredAny;

/// Whether it is JSON. Documents may be nested as deeply as the other parser allows, and a translation adds levels.
fn is_json(written: &[u8]) -> bool {
    match serde_json::from_slice::<IgnoredAny>(written) {
        Ok(_) => true,
        Err(error) => error.to_string().starts_with("recursion limit"),
    }
}

/// A request body.
pub(crate) fn request(from: Dialect, to: Dialect, document: &[u8]) {
    let mut out = Vec::new();
    let options = RequestOptions { pass_extra: true, ..RequestOptions::new("m") };
    if translate_request(from, to, document, &options, &mut out).is_ok() {
        assert!(is_json(&out), "{}", String::from_utf8_lossy(&out));
    }
}

fn reply_options(notes: &Notes) -> ReplyOptions<'_> {
    ReplyOptions { notes, model: None, trailer: b"\"x\":1", id: "id", created: 0 }
}

/// A reply body.
pub(crate) fn reply(from: Dialect, to: Dialect, document: &[u8]) {
    let notes = Notes { structured_tool: Some("bf_so_answer".into()), ..Notes::default() };
    let mut out = Vec::new();
    if translate_reply(from, to, document, &reply_options(&notes), &mut out).is_ok() {
        assert!(is_json(&out), "{}", String::from_utf8_lossy(&out));
    }
    UsageReader::new(from).reply(document);
}

/// The data in a line of a stream.
fn data_of(dialect: Dialect, line: &[u8]) -> Option<&[u8]> {
    match dialect.framing() {
        Framing::Lines | Framing::Bytes => Some(line),
        Framing::Sse | Framing::EventStream => line.strip_prefix(b"data: "),
    }
}

/// An event stream.
pub(crate) fn stream(from: Dialect, to: Dialect, document: &[u8]) {
    let notes = Notes::default();
    let mut translator = StreamTranslator::new(from, to, &reply_options(&notes));
    let mut reader = UsageReader::new(from);
    let mut out = Vec::new();
    let mut name = None;
    for line in document.split(|byte| *byte == b'\n') {
        if let Some(event) = line.strip_prefix(b"event: ") {
            name = std::str::from_utf8(event).ok();
        }
        let Some(data) = data_of(from, line) else { continue };
        // Only this dialect's events are told apart by their names alone.
        let event = name.take().filter(|_| from == Dialect::BedrockConverse);
        let is_done = event_class(from, event, data) == EventClass::Done;
        reader.event(event, data);
        if translator.event(event, data, &mut out).is_err() || is_done {
            break;
        }
    }
    if translator.end(&mut out).is_err() {
        return;
    }
    for (_, data) in frames::frames(to, &out) {
        assert!(data == "[DONE]" || is_json(data.as_bytes()), "{data}");
    }
}

/// An error body.
pub(crate) fn error(from: Dialect, to: Dialect, document: &[u8]) {
    let mut out = Vec::new();
    write_error(to, &read_error(from, 500, document), &mut out);
    assert!(is_json(&out), "{}", String::from_utf8_lossy(&out));
}
