//! Written streams taken apart again, by the framing of the dialect they are in.

use dialect::{Dialect, Framing};
use wire::EventStreamReader;

/// One event: its name, if it has one, and its data.
pub(crate) type Frame = (Option<String>, String);

/// The events of a stream that was written in a dialect.
pub(crate) fn frames(dialect: Dialect, written: &[u8]) -> Vec<Frame> {
    match dialect.framing() {
        Framing::Sse => text_frames(written, "\n\n"),
        Framing::Lines | Framing::Bytes => text_frames(written, "\n"),
        Framing::EventStream => messages(written),
    }
}

fn text_frames(written: &[u8], end: &str) -> Vec<Frame> {
    let text = std::str::from_utf8(written).expect("UTF-8");
    assert!(text.is_empty() || text.ends_with(end), "the last event is torn");
    let frame = |block: &str| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let data = field("data: ").unwrap_or(block);
        (field("event: ").map(str::to_owned), data.to_owned())
    };
    text.split_terminator(end).map(frame).collect()
}

/// The messages of an AWS event stream.
pub(crate) fn messages(written: &[u8]) -> Vec<Frame> {
    let mut reader = EventStreamReader::new();
    let mut rest = written;
    let mut frames = Vec::new();
    while let Some(message) = reader.next(&mut rest).expect("a sound event stream") {
        let payload = std::str::from_utf8(message.payload).expect("UTF-8");
        frames.push((message.name().map(str::to_owned), payload.to_owned()));
    }
    assert!(!reader.is_inside_message(), "the last message is torn");
    frames
}
