//! What the fuzz targets check: no reader panics, and none gives another result when its input
//! arrives in pieces.

#[path = "../../../crates/protocol/wire/tests/support/mod.rs"]
mod wire_support;

use std::hash::{DefaultHasher, Hash, Hasher};

use wire_support::Stream;

/// Inputs up to this length are also fed byte by byte, which takes the square of it.
const BYTE_BY_BYTE_MAX: usize = 512;

/// Requests on one connection, with their bodies.
pub fn requests(input: &[u8]) {
    check(Stream::Requests, input);
}

/// Responses on one connection, with their bodies.
pub fn responses(input: &[u8]) {
    check(Stream::Responses, input);
}

/// One chunked body.
pub fn chunked(input: &[u8]) {
    check(Stream::Chunked, input);
}

/// A stream of server-sent events.
pub fn events(input: &[u8]) {
    check(Stream::Sse, input);
}

/// An AWS event stream.
pub fn event_stream(input: &[u8]) {
    check(Stream::AwsMessages, input);
}

/// A form by the boundary `b`: its parts follow each other without gaps, one that is cut is incomplete and has the same
/// parts as far as they go, and what is read can be translated or refused.
pub fn form(input: &[u8]) {
    let (parts, is_whole) = form_parts(input);
    let mut end = None;
    for part in &parts {
        assert!(end.is_none_or(|end| part.head.start == end + 2), "a gap between parts");
        assert_eq!(part.head.end, part.value.start);
        end = Some(part.value.end);
    }
    let (head, _) = input.split_at(input.len() / 2);
    let (fewer, _) = form_parts(head);
    assert!(parts.starts_with(&fewer), "a cut form has other parts");
    let body = dialect::Body { content_type: "multipart/form-data; boundary=b", bytes: input };
    for (from, to) in [
        (dialect::Dialect::OpenAiTranscription, dialect::Dialect::GeminiTranscription),
        (dialect::Dialect::OpenAiImageEdits, dialect::Dialect::TitanImages),
    ] {
        let options = dialect::RequestOptions::new("m");
        let written = dialect::translate_media_request(from, to, body, &options);
        assert!(is_whole || written.is_err(), "half a form was translated");
    }
}

fn form_parts(input: &[u8]) -> (Vec<wire::FormPart<'_>>, bool) {
    let mut reader = wire::FormReader::new(b"b", input);
    let mut parts = Vec::new();
    loop {
        match reader.next_part() {
            Ok(Some(part)) => parts.push(part),
            Ok(None) => return (parts, true),
            Err(_) => return (parts, false),
        }
    }
}

/// One JSON object: whatever a full parser accepts is accepted, with as many members, each of them
/// a key and a value that the parser reads alone.
pub fn members(input: &[u8]) {
    let mut walk = dialect::Members::of(input);
    let mut found = Vec::new();
    let is_object = loop {
        match walk.next_member() {
            Ok(Some(member)) => found.push(member),
            Ok(None) => break true,
            Err(dialect::Invalid) => break false,
        }
    };
    let mut end = 0;
    for member in &found {
        assert!(end < member.key.start && member.key.end < member.value.start, "out of order");
        assert!(input[member.value.clone()].trim_ascii().len() == member.value.len());
        end = member.value.end;
    }
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
        serde_json::from_slice(input);
    if let Ok(object) = parsed {
        assert!(is_object, "refused what is an object");
        // A name that is repeated counts once for the parser.
        assert!(found.len() >= object.len());
        for member in &found {
            let value = serde_json::from_slice::<serde_json::Value>(&input[member.value.clone()]);
            assert!(value.is_ok(), "a member's value is no value");
        }
    }
}

fn check(stream: Stream, input: &[u8]) {
    let uncut = stream.read(input, &[]);
    let cuts = some_cuts(input);
    assert_eq!(stream.read(input, &cuts), uncut, "cut at {cuts:?}");
    if input.len() <= BYTE_BY_BYTE_MAX {
        let cuts: Vec<usize> = (1..input.len()).collect();
        assert_eq!(stream.read(input, &cuts), uncut, "cut everywhere");
    }
}

/// A few cuts that follow from the input alone, so that a finding can be repeated.
fn some_cuts(input: &[u8]) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..4u8)
        .map(|salt| {
            let mut hasher = DefaultHasher::new();
            (salt, input).hash(&mut hasher);
            (hasher.finish() % (input.len() as u64 + 1)) as usize
        })
        .collect();
    cuts.sort_unstable();
    cuts
}
