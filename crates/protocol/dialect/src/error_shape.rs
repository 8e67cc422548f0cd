//! What reading an error has in common for all dialects: bodies that are no JSON, arrays, numbers as codes.

use std::borrow::Cow;

use crate::canonical::ErrorReply;
use crate::json::{Index, Kind, Raw};

/// Longest piece of a body that is quoted as a message when it is not JSON, in bytes.
const SNIPPET_BYTES_MAX: usize = 512;

/// What an error object says.
#[derive(Debug, Default)]
pub(crate) struct ErrorFields<'a> {
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) param: Option<Cow<'a, str>>,
}

impl<'a> ErrorFields<'a> {
    fn message(message: Cow<'a, str>) -> Self {
        Self { message: Some(message), ..Self::default() }
    }

    /// Completes the fields to a reply that does not depend on the document's index.
    fn into_reply(self, status: u16, raw: &[u8]) -> ErrorReply<'_> {
        let own = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        let message = own(self.message.filter(|message| !message.trim().is_empty()));
        ErrorReply {
            status,
            kind: own(self.kind),
            code: own(self.code),
            message: message.unwrap_or(Cow::Borrowed(status_message(status))),
            param: own(self.param),
            raw,
        }
    }
}

/// A dialect's knowledge of its error object.
type ReadObject = for<'a> fn(Raw<'a>) -> ErrorFields<'a>;

/// Reads an error body of any shape.
pub(crate) fn read_error(status: u16, body: &[u8], read_object: ReadObject) -> ErrorReply<'_> {
    let mut index = Index::new();
    let fields = match index.read(body) {
        Ok(root) => read_root(root, read_object),
        Err(_) => ErrorFields::message(snippet(body).into()),
    };
    fields.into_reply(status, body)
}

/// Reads an error that came inside a stream, where no status stands beside it.
pub(crate) fn read_stream_error<'a>(root: Raw<'a>, read_object: ReadObject) -> ErrorReply<'a> {
    let fields = read_root(root, read_object);
    let status = implied_status(fields.kind.as_deref(), fields.code.as_deref());
    fields.into_reply(status, root.text().as_bytes())
}

fn read_root<'a>(root: Raw<'a>, read_object: ReadObject) -> ErrorFields<'a> {
    match root.kind() {
        Kind::Object => read_object(root),
        Kind::Array => match root.elements().next().filter(|first| !first.is_array()) {
            Some(first) => read_root(first, read_object),
            None => ErrorFields::default(),
        },
        Kind::String => ErrorFields::message(root.as_str().unwrap_or_default()),
        Kind::Number | Kind::Bool | Kind::Null => ErrorFields::message(root.text().into()),
    }
}

/// A string or number member as text; nothing for empty strings and other types.
pub(crate) fn scalar<'a>(object: Raw<'a>, name: &str) -> Option<Cow<'a, str>> {
    let value = object.member(name)?;
    match value.kind() {
        Kind::String => value.as_str().filter(|text| !text.is_empty()),
        Kind::Number => Some(Cow::Borrowed(value.text())),
        _ => None,
    }
}

/// The beginning of a body that is not JSON, without tags when it is a page.
fn snippet(body: &[u8]) -> String {
    let head = body.get(..SNIPPET_BYTES_MAX).unwrap_or(body);
    let text = String::from_utf8_lossy(head);
    if text.trim_start().starts_with('<') { strip_tags(&text) } else { text.trim().to_owned() }
}

fn strip_tags(page: &str) -> String {
    let texts = page.split('<').filter_map(|piece| piece.split_once('>').map(|(_, text)| text));
    let words: Vec<&str> = texts.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

fn status_message(status: u16) -> &'static str {
    let status = http::StatusCode::from_u16(status).ok();
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("the provider answered with an error")
}

/// The status an in-stream error stands for: the number it names, or what its type implies.
fn implied_status(kind: Option<&str>, code: Option<&str>) -> u16 {
    let named = code.and_then(|code| code.parse().ok()).filter(|code| (400..600).contains(code));
    named.unwrap_or(match kind {
        Some("invalid_request_error") => 400,
        Some("authentication_error") => 401,
        Some("billing_error") => 402,
        Some("permission_error") => 403,
        Some("not_found_error") => 404,
        Some("request_too_large") => 413,
        Some("rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota") => 429,
        Some("timeout_error") => 504,
        Some("overloaded_error") => 529,
        _ => 500,
    })
}
