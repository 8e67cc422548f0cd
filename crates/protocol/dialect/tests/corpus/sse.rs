//! Event streams, read the plain way.

use dialect::Dialect;

use crate::frames::frames;

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) name: Option<String>,
    pub(crate) data: String,
}

/// All events of a stream.
pub(crate) fn parse(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    for block in text.replace("\r\n", "\n").split("\n\n") {
        let mut event = Event { name: None, data: String::new() };
        let mut has_data = false;
        for line in block.lines() {
            if let Some(name) = line.strip_prefix("event:") {
                event.name = Some(name.trim().to_owned());
            } else if let Some(data) = line.strip_prefix("data:") {
                if std::mem::replace(&mut has_data, true) {
                    event.data.push('\n');
                }
                event.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        if has_data {
            events.push(event);
        }
    }
    events
}

/// Some recordings hold several streams one after the other.
pub(crate) fn split_streams(text: &str) -> Vec<Vec<Event>> {
    let mut streams: Vec<Vec<Event>> = Vec::new();
    let mut is_open = false;
    for event in parse(text) {
        let begins = |kind: &str| event.data.starts_with(&format!("{{\"type\":\"{kind}\""));
        let starts = begins("message_start") || begins("response.created");
        if starts || !is_open {
            streams.push(Vec::new());
            is_open = true;
        }
        streams.last_mut().expect("one is open").push(event);
    }
    streams
}

/// The events of a stream that was written in a dialect.
pub(crate) fn written(dialect: Dialect, out: &[u8]) -> Vec<Event> {
    let frames = frames(dialect, out).into_iter();
    frames.map(|(name, data)| Event { name, data }).collect()
}
/// All lines of a stream that has one document per line.
pub(crate) fn lines(text: &str) -> Vec<Event> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| Event { name: None, data: line.to_owned() }).collect()
}
