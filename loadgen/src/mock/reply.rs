//! A whole reply before it is framed: status, headers, and a body in one piece or as events.

use serde_json::Value;

use super::refusal::Refusal;

/// A reply without framing headers and without faults.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    /// Writes what a stream says when it breaks off with an error.
    pub(crate) break_off: Option<BreakOff>,
}

/// The last bytes of a stream that fails after so many events.
pub(crate) type BreakOff = fn(&Refusal, usize) -> Vec<u8>;

/// The body, as it is written.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// Written at once.
    Whole(Vec<u8>),
    /// One write for each piece.
    Pieces(Vec<Vec<u8>>),
}

impl Reply {
    /// A JSON reply.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: Body::Whole(body.to_string().into_bytes()), break_off: None }
    }

    /// An event stream.
    pub(crate) fn events(events: Vec<Vec<u8>>, break_off: BreakOff) -> Self {
        Self::stream("text/event-stream; charset=utf-8", events, break_off)
            .with_header("cache-control", "no-cache")
    }

    /// A stream of another kind.
    pub(crate) fn stream(content_type: &str, pieces: Vec<Vec<u8>>, break_off: BreakOff) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status: 200, headers, body: Body::Pieces(pieces), break_off: Some(break_off) }
    }

    /// The same reply with one more header.
    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// An event with data alone.
pub(crate) fn data_event(data: &Value) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

/// An event named after the `type` of its data.
pub(crate) fn named_event(data: &Value) -> Vec<u8> {
    let name = data.get("type").and_then(Value::as_str).unwrap_or("message");
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}
