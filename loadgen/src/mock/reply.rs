//! A whole reply before it is framed: status, headers, and a body in one piece or as events.

use serde_json::Value;

/// A reply without framing headers and without faults.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

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
        Self { status, headers, body: Body::Whole(body.to_string().into_bytes()) }
    }

    /// An event stream.
    pub(crate) fn events(events: Vec<Vec<u8>>) -> Self {
        let content_type = "text/event-stream; charset=utf-8".to_owned();
        let headers = vec![
            ("content-type".to_owned(), content_type),
            ("cache-control".to_owned(), "no-cache".to_owned()),
        ];
        Self { status: 200, headers, body: Body::Pieces(events) }
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
