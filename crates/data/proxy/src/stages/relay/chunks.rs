//! A stream in AWS's binary messages, each of which has an event of the model's own in base64: how
//! `invoke-with-response-stream` tells what it gets, whatever the model.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialect::{Dialect, Framing};
use wire::{EventStreamReader, SseReader, write_event_message};

use crate::framed::Framed;

/// What such a message is called.
const CHUNK: &str = "chunk";

/// The name of an event that tells what went wrong.
const ERROR: &str = "error";

/// Turns the events of a dialect into such messages.
#[derive(Debug)]
pub(super) struct Chunks {
    dialect: Dialect,
    reader: Reader,
    /// Messages that are complete.
    messages: Vec<u8>,
}

#[derive(Debug)]
enum Reader {
    Sse(SseReader),
    Messages(EventStreamReader),
}

impl Chunks {
    /// For a stream that `dialect` frames.
    pub(super) fn new(dialect: Dialect) -> Self {
        let reader = match dialect.framing() {
            Framing::Sse | Framing::Lines | Framing::Bytes => Reader::Sse(SseReader::new()),
            Framing::EventStream => Reader::Messages(EventStreamReader::new()),
        };
        Self { dialect, reader, messages: Vec::new() }
    }

    /// Adds the events that are complete with `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Framed) {
        match &mut self.reader {
            Reader::Sse(reader) => {
                push_events(reader, self.dialect, bytes, &mut self.messages);
            }
            Reader::Messages(reader) => push_messages(reader, bytes, &mut self.messages),
        }
        out.push(&self.messages);
        self.messages.clear();
    }
}

fn push_events(reader: &mut SseReader, dialect: Dialect, bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    // What could not be read was refused where the provider's stream was read.
    while let Ok(Some(event)) = reader.next(&mut rest) {
        if event.event == Some(ERROR) {
            let error = dialect::read_stream_error(dialect, event.event, event.data);
            dialect::write_stream_error(Dialect::BedrockConverse, &error, out);
        } else {
            write_chunk(event.data, out);
        }
    }
}

/// The models that take what Converse takes answer with its events, each in a member by its name.
fn push_messages(reader: &mut EventStreamReader, bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Ok(Some(message)) = reader.next(&mut rest) {
        if message.is_failure() {
            out.extend_from_slice(message.raw);
            continue;
        }
        let name = message.name().unwrap_or_default().as_bytes();
        write_chunk(&[b"{\"", name, b"\":", message.payload, b"}"].concat(), out);
    }
}

fn write_chunk(event: &[u8], out: &mut Vec<u8>) {
    let bytes = STANDARD.encode(event);
    write_event_message(CHUNK, out, |out| {
        out.extend_from_slice(b"{\"bytes\":\"");
        out.extend_from_slice(bytes.as_bytes());
        out.extend_from_slice(b"\"}");
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply_head::Framing as BodyFraming;

    /// The messages that a stream in these pieces becomes: name and payload.
    fn told(dialect: Dialect, pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut chunks = Chunks::new(dialect);
        let mut out = Framed { framing: BodyFraming::UntilClose, ..Framed::default() };
        pieces.iter().for_each(|piece| chunks.push(piece, &mut out));
        let (mut reader, mut rest) = (EventStreamReader::new(), out.bytes.as_slice());
        let mut messages = Vec::new();
        while let Some(message) = reader.next(&mut rest).unwrap() {
            let name = message.name().unwrap_or_default().to_owned();
            messages.push((name, String::from_utf8(message.payload.to_vec()).unwrap()));
        }
        assert!(!reader.is_inside_message());
        messages
    }

    fn chunk(event: &str) -> (String, String) {
        ("chunk".to_owned(), format!(r#"{{"bytes":"{}"}}"#, STANDARD.encode(event)))
    }

    #[test]
    fn events_become_chunks_wherever_they_are_cut() {
        let stream =
            b"event: message_start\ndata: {\"a\":1}\n\n: comment\n\ndata: {\"b\":2}\r\n\r\n";
        let whole = [chunk("{\"a\":1}"), chunk("{\"b\":2}")];
        for cut in 0..stream.len() {
            let (early, late) = stream.split_at(cut);
            assert_eq!(told(Dialect::AnthropicMessages, &[early, late]), whole, "{cut}");
        }
    }

    #[test]
    fn messages_become_members_of_chunks_and_failures_stay() {
        let mut stream = Vec::new();
        write_event_message("messageStop", &mut stream, |out| out.extend(b"{\"a\":1}"));
        wire::write_exception_message("throttlingException", &mut stream, |out| {
            out.extend(b"{\"message\":\"slow\"}");
        });
        let whole = [
            chunk("{\"messageStop\":{\"a\":1}}"),
            ("throttlingException".to_owned(), "{\"message\":\"slow\"}".to_owned()),
        ];
        assert_eq!(told(Dialect::BedrockConverse, &[&stream]), whole);
    }

    #[test]
    fn an_error_becomes_an_exception() {
        let stream = b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n";
        let [(name, payload)] = &told(Dialect::AnthropicMessages, &[stream])[..] else {
            panic!("one message")
        };
        assert_eq!(name, "throttlingException");
        assert!(payload.contains("slow"), "{payload}");
    }
}
