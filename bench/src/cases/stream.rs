//! An event of a stream: found, looked at, framed for the caller.

use std::hint::black_box;
use std::io;

use dialect::{Dialect, UsageReader};
use proxy::bench::StreamRelay;
use wire::SseReader;

use super::must;
use crate::{Case, Step, fixtures};

pub(super) const CASES: &[Case] = &[
    Case::on_caller("stream/find-event", 10_000, find_event),
    Case::on_caller("stream/usage/event-without", 10_000, || usage(fixtures::CHAT_CHUNK, 0)),
    Case::on_caller("stream/usage/event-with", 2000, || {
        usage(r#"{"choices":[],"usage":{"prompt_tokens":214,"completion_tokens":143}}"#, 214)
    }),
    Case::on_caller("stream/relay/event-as-it-is", 5000, || relay(false)),
    Case::on_caller("stream/relay/event-with-extra-fields", 2000, || relay(true)),
];

fn find_event() -> io::Result<Step> {
    let (bytes, mut reader) = (fixtures::sse_event(fixtures::CHAT_CHUNK), SseReader::new());
    Ok(Box::new(move || {
        let mut rest = black_box(bytes.as_bytes());
        let mut events = 0;
        while let Some(event) = reader.next(&mut rest).map_err(io::Error::other)? {
            black_box(event);
            events += 1;
        }
        must(events == 1)
    }))
}

fn usage(data: &'static str, input: u64) -> io::Result<Step> {
    let mut reader = UsageReader::new(Dialect::OpenAiChat);
    Ok(Box::new(move || {
        reader.event(None, black_box(data.as_bytes()));
        must(reader.usage().input == input)
    }))
}

fn relay(tells: bool) -> io::Result<Step> {
    let (piece, mut relay) = (fixtures::sse_event(fixtures::CHAT_CHUNK), StreamRelay::new(tells));
    Ok(Box::new(move || {
        let framed = black_box(relay.relay(black_box(piece.as_bytes())));
        must(framed.is_some_and(|framed| framed.len() > piece.len()))
    }))
}
