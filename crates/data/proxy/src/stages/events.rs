//! The events of a provider's stream, whatever sets them apart: one reader for every framing.

use dialect::Framing;
use wire::{Event, EventStreamMessage, EventStreamReader, SSE_EVENT_BYTES_MAX, SseReader};

use crate::limits::REPLY_COLLECT_BYTES_MAX;
use crate::reject::{Kind, Reject};

/// Finds events in a stream whose bytes arrive in arbitrary cuts.
#[derive(Debug)]
pub(crate) enum Events {
    Sse(SseReader),
    Lines(LineReader),
    Messages(EventStreamReader),
    /// Nothing sets them apart: each piece is one.
    Pieces,
    /// All there is, is one event; it is read once there is no more.
    Whole(LineReader),
}

/// Media types of streams, and what sets the events of each apart.
const STREAM_TYPES: &[(&str, Framing)] = &[
    ("text/event-stream", Framing::Sse),
    ("application/x-ndjson", Framing::Lines),
    ("application/jsonl", Framing::Lines),
    ("application/vnd.amazon.eventstream", Framing::EventStream),
];

/// How a reply of that media type is framed; `None`: it is no stream.
pub(crate) fn framing(content_type: &[u8]) -> Option<Framing> {
    let is_it = |(known, _): &&(&str, Framing)| {
        let start = content_type.get(..known.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
    };
    STREAM_TYPES.iter().find(is_it).map(|(_, framing)| *framing)
}

/// Whether a reply of that media type is JSON.
pub(crate) fn is_json(content_type: &[u8]) -> bool {
    const JSON: &[u8] = b"application/json";
    content_type.get(..JSON.len()).is_some_and(|start| start.eq_ignore_ascii_case(JSON))
}

/// Header lines of a stream that the gateway frames itself.
pub(crate) fn header_lines(framing: Framing) -> &'static [u8] {
    match framing {
        Framing::Sse => b"content-type: text/event-stream\r\n",
        Framing::Lines => b"content-type: application/x-ndjson\r\n",
        Framing::Bytes => b"content-type: application/octet-stream\r\n",
        Framing::EventStream => {
            b"content-type: application/vnd.amazon.eventstream\r\n\
              x-amzn-bedrock-content-type: application/json\r\n"
        }
    }
}

impl Events {
    /// A reader at the start of a stream.
    pub(crate) fn new(framing: Framing) -> Self {
        match framing {
            Framing::Sse => Self::Sse(SseReader::new()),
            Framing::Lines => Self::Lines(LineReader::default()),
            Framing::EventStream => Self::Messages(EventStreamReader::new()),
            Framing::Bytes => Self::Pieces,
        }
    }

    /// A reader of what is one event.
    pub(crate) fn whole() -> Self {
        Self::Whole(LineReader::default())
    }

    /// Starts anew, with the first bytes of the same stream.
    pub(crate) fn restart(&mut self) {
        *self = match self {
            Self::Sse(_) => Self::Sse(SseReader::new()),
            Self::Lines(_) => Self::Lines(LineReader::default()),
            Self::Messages(_) => Self::Messages(EventStreamReader::new()),
            Self::Pieces => Self::Pieces,
            Self::Whole(_) => Self::whole(),
        }
    }

    /// The next event that is complete with the bytes in `rest`, which is advanced behind it. Call it
    /// until it gives `None`: then all of `rest` has been read.
    pub(crate) fn next<'a, 'i: 'a>(
        &'a mut self,
        rest: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, Reject> {
        match self {
            Self::Sse(reader) => reader.next(rest).map_err(|error| unreadable(&error)),
            Self::Lines(reader) => reader.next(rest),
            Self::Whole(reader) => reader.keep(rest),
            Self::Messages(reader) => {
                let message = reader.next(rest).map_err(|error| unreadable(&error))?;
                message.map(message_event).transpose()
            }
            Self::Pieces => {
                let data = std::mem::take(rest);
                let piece = Event { event: None, data, id: None, retry_ms: None, raw: data };
                Ok((!data.is_empty()).then_some(piece))
            }
        }
    }

    /// What the end of the stream makes an event.
    pub(crate) fn finish(&mut self) -> Option<Event<'_>> {
        match self {
            Self::Sse(reader) => reader.finish(),
            Self::Lines(reader) | Self::Whole(reader) => reader.finish(),
            Self::Messages(_) | Self::Pieces => None,
        }
    }

    /// What was read so far ends in the middle of an event.
    pub(crate) fn is_inside_event(&self) -> bool {
        match self {
            Self::Sse(reader) => reader.is_inside_event(),
            Self::Lines(reader) | Self::Whole(reader) => reader.is_inside_event(),
            Self::Messages(reader) => reader.is_inside_message(),
            Self::Pieces => false,
        }
    }
}

/// A message as an event. One that reports an error the service does not declare has no payload, and
/// nothing comes behind it.
fn message_event(message: EventStreamMessage<'_>) -> Result<Event<'_>, Reject> {
    if message.is_failure() && message.payload.is_empty() {
        let code = message.error_code.unwrap_or("error");
        let text = message.error_message.unwrap_or_default();
        let public = format!("the provider ended its stream with {code}: {text}");
        return Err(Reject::new(Kind::BadReply, public));
    }
    let (event, data, raw) = (message.name(), message.payload, message.raw);
    Ok(Event { event, data, id: None, retry_ms: None, raw })
}

#[cold]
fn unreadable(error: &dyn std::fmt::Display) -> Reject {
    Reject::new(Kind::BadReply, format!("the provider's stream cannot be read: {error}"))
}

/// Reads a stream with one document per line; empty lines mean nothing.
#[derive(Debug, Default)]
pub(crate) struct LineReader {
    /// The beginning of a line whose end has not come.
    pending: Vec<u8>,
    /// The line in `pending` was handed out, and goes with the next call.
    is_pending_read: bool,
}

impl LineReader {
    fn next<'a, 'i: 'a>(&'a mut self, rest: &mut &'i [u8]) -> Result<Option<Event<'a>>, Reject> {
        if std::mem::take(&mut self.is_pending_read) {
            self.pending.clear();
        }
        loop {
            let Some(end) = memchr::memchr(b'\n', rest) else {
                if self.pending.len() + rest.len() > SSE_EVENT_BYTES_MAX {
                    return Err(unreadable(&"a line of the stream is too large"));
                }
                self.pending.extend_from_slice(std::mem::take(rest));
                return Ok(None);
            };
            let (line, behind) = rest.split_at(end + 1);
            *rest = behind;
            if self.pending.is_empty() {
                if is_blank(line) {
                    continue;
                }
                return Ok(Some(event(line)));
            }
            self.pending.extend_from_slice(line);
            if !is_blank(&self.pending) {
                break;
            }
            self.pending.clear();
        }
        self.is_pending_read = true;
        Ok(Some(event(&self.pending)))
    }

    /// Keeps all of `rest`, lines or not.
    fn keep<'a>(&mut self, rest: &mut &[u8]) -> Result<Option<Event<'a>>, Reject> {
        if self.pending.len() + rest.len() > REPLY_COLLECT_BYTES_MAX {
            return Err(unreadable(&"the reply is too large"));
        }
        self.pending.extend_from_slice(std::mem::take(rest));
        Ok(None)
    }

    fn finish(&mut self) -> Option<Event<'_>> {
        if !self.is_inside_event() || is_blank(&self.pending) {
            return None;
        }
        self.is_pending_read = true;
        Some(event(&self.pending))
    }

    fn is_inside_event(&self) -> bool {
        !self.pending.is_empty() && !self.is_pending_read
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
}

fn event(line: &[u8]) -> Event<'_> {
    Event { event: None, data: line.trim_ascii(), id: None, retry_ms: None, raw: line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut events = Events::new(Framing::Lines);
        let mut found = Vec::new();
        let mut note = |event: &Event<'_>| found.push(String::from_utf8_lossy(event.data).into());
        for piece in pieces {
            let mut rest = *piece;
            while let Some(event) = events.next(&mut rest).unwrap() {
                note(&event);
            }
        }
        events.finish().iter().for_each(&mut note);
        found
    }

    #[test]
    fn lines_are_found_wherever_they_are_cut() {
        let stream = b"{\"a\":1}\n\r\n\n{\"b\":2}\r\n{\"c\":3}";
        let whole = ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"];
        assert_eq!(read(&[stream]), whole);
        for cut in 0..stream.len() {
            let (early, late) = stream.split_at(cut);
            assert_eq!(read(&[early, late]), whole, "{cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes), whole);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut events = Events::new(Framing::Lines);
        let line = vec![b'x'; SSE_EVENT_BYTES_MAX];
        assert!(events.next(&mut line.as_slice()).unwrap().is_none());
        assert!(events.is_inside_event());
        assert!(events.next(&mut line.as_slice()).is_err());
    }

    #[test]
    fn messages_are_events_by_their_type() {
        let mut stream = Vec::new();
        wire::write_event_message("messageStart", &mut stream, |out| out.extend(b"{\"a\":1}"));
        let mut events = Events::new(Framing::EventStream);
        let (mut early, mut late) = stream.split_at(11);
        assert!(events.next(&mut early).unwrap().is_none());
        assert!(events.is_inside_event());
        let event = events.next(&mut late).unwrap().unwrap();
        assert_eq!((event.event, event.data), (Some("messageStart"), &b"{\"a\":1}"[..]));
        stream[9] ^= 1;
        assert!(Events::new(Framing::EventStream).next(&mut stream.as_slice()).is_err());
    }

    #[test]
    fn streams_are_known_by_their_media_type() {
        assert_eq!(framing(b"Text/Event-Stream; charset=utf-8"), Some(Framing::Sse));
        assert_eq!(framing(b"application/x-ndjson"), Some(Framing::Lines));
        assert_eq!(framing(b"application/json"), None);
    }
}
