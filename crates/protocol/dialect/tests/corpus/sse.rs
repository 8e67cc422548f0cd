//! Event streams, read the plain way.

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
        let starts = event.data.starts_with(r#"{"type":"message_start""#);
        if starts || !is_open {
            streams.push(Vec::new());
            is_open = true;
        }
        streams.last_mut().expect("one is open").push(event);
    }
    streams
}
