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
