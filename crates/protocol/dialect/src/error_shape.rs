//! What reading an error has in common for all dialects: bodies that are no JSON, arrays, numbers as codes.

use std::borrow::Cow;

use crate::canonical::ErrorReply;
use crate::json::{Index, Kind, Raw};

/// Longest piece of a body that is quoted as a message when it is not JSON, in bytes.
const SNIPPET_BYTES_MAX: usize = 512;

/// The status of an error in a stream that does not say what it is.
const STATUS_UNKNOWN: u16 = 500;

/// What an error object says.
#[derive(Debug, Default)]
pub(crate) struct ErrorFields<'a> {
    pub(crate) kind: Option<Cow<'a, str>>,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) param: Option<Cow<'a, str>>,
    /// A number, or the name of one.
    pub(crate) status: Option<Cow<'a, str>>,
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

/// An error that does not say itself what it is takes the name of its event, if that is one of an error.
pub(crate) fn named_by_event<'a>(error: ErrorReply<'a>, event: Option<&str>) -> ErrorReply<'a> {
    let known = event.and_then(|event| status_of(event).map(|status| (event, status)));
    match known {
        Some((event, status)) if error.kind.is_none() => {
            // A status of its own says more.
            let status = if error.status == STATUS_UNKNOWN { status } else { error.status };
            ErrorReply { status, kind: Some(Cow::Owned(event.to_owned())), ..error }
        }
        _ => error,
    }
}

/// A dialect's knowledge of its error object.
type ReadObject = for<'a> fn(Raw<'a>) -> ErrorFields<'a>;

/// Reads an error body of any shape.
pub(crate) fn read_error(status: u16, body: &[u8], read_object: ReadObject) -> ErrorReply<'_> {
    read_body(&mut Index::new(), body, read_object).into_reply(status, body)
}

/// Reads an error that came inside a stream, where no status stands beside it.
pub(crate) fn read_stream_error(data: &[u8], read_object: ReadObject) -> ErrorReply<'_> {
    let mut index = Index::new();
    let fields = read_body(&mut index, data, read_object);
    let status = fields.implied_status();
    fields.into_reply(status, data)
}

/// The same, of an event that is being read already.
pub(crate) fn read_stream_error_at<'a>(root: Raw<'a>, read_object: ReadObject) -> ErrorReply<'a> {
    let fields = read_root(root, read_object);
    let status = fields.implied_status();
    fields.into_reply(status, root.text().as_bytes())
}

fn read_body<'a>(index: &'a mut Index, body: &'a [u8], read_object: ReadObject) -> ErrorFields<'a> {
    match index.read(body) {
        Ok(root) => read_root(root, read_object),
        Err(_) => ErrorFields::message(snippet(body).into()),
    }
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

/// What codes, types and names of statuses stand for, in the spelling of whoever coined them.
const STATUS_OF: &[(&str, u16)] = &[
    ("invalid_request_error", 400),
    ("invalid_argument", 400),
    ("bad_request", 400),
    ("context_length_exceeded", 400),
    ("content_filter", 400),
    ("content_policy_violation", 400),
    ("failed_precondition", 400),
    ("authentication_error", 401),
    ("invalid_api_key", 401),
    ("unauthenticated", 401),
    ("unauthorized", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("permission_denied", 403),
    ("forbidden", 403),
    ("not_found_error", 404),
    ("not_found", 404),
    ("model_not_found", 404),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("insufficient_quota", 429),
    ("resource_exhausted", 429),
    ("too_many_requests", 429),
    ("api_error", 500),
    ("server_error", 500),
    ("internal_error", 500),
    ("internal_server_error", 500),
    ("internal", 500),
    ("bad_gateway", 502),
    ("service_unavailable", 503),
    ("unavailable", 503),
    ("timeout_error", 504),
    ("timeout", 504),
    ("deadline_exceeded", 504),
    ("gateway_timeout", 504),
    ("overloaded_error", 529),
    ("ValidationException", 400),
    ("ServiceQuotaExceededException", 400),
    ("UnrecognizedClientException", 403),
    ("ExpiredTokenException", 403),
    ("InvalidSignatureException", 403),
    ("AccessDeniedException", 403),
    ("ResourceNotFoundException", 404),
    ("ModelTimeoutException", 408),
    ("ModelErrorException", 424),
    ("ModelStreamErrorException", 424),
    ("ThrottlingException", 429),
    ("ModelNotReadyException", 429),
    ("InternalServerException", 500),
    ("ServiceUnavailableException", 503),
];

/// The status a code, a type or the name of an event stands for.
fn status_of(name: &str) -> Option<u16> {
    STATUS_OF.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, status)| *status)
}

impl ErrorFields<'_> {
    /// The status an in-stream error stands for: a number it names, or what it is called, the most particular first.
    fn implied_status(&self) -> u16 {
        let texts = || [&self.code, &self.status, &self.kind].into_iter().flatten();
        let number = |text: &Cow<'_, str>| text.parse().ok().filter(|n| (400..600).contains(n));
        let named = |text: &Cow<'_, str>| status_of(text);
        texts().find_map(number).or_else(|| texts().find_map(named)).unwrap_or(STATUS_UNKNOWN)
    }
}

/// The status that an error object or what is around it names.
pub(crate) fn status<'a>(inner: Raw<'a>, root: Raw<'a>) -> Option<Cow<'a, str>> {
    let names = ["status", "status_code"];
    [inner, root].into_iter().find_map(|object| names.iter().find_map(|name| scalar(object, name)))
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, read_stream_error};

    #[test]
    fn an_error_in_a_stream_says_its_status_itself() {
        for (data, status) in [
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#, 529),
            (r#"{"type":"error","error":{"type":"rate_limit_error","message":"m"}}"#, 429),
            (r#"{"error":{"type":"authentication_error","message":"m"}}"#, 401),
            (r#"{"error":{"type":"permission_error"}}"#, 403),
            (r#"{"error":{"type":"invalid_request_error"}}"#, 400),
            (r#"{"error":{"type":"not_found_error"}}"#, 404),
            (r#"{"error":{"type":"api_error"}}"#, 500),
            (r#"{"error":{"type":"server_error"}}"#, 500),
            // A number wins over names, and a code over a type.
            (r#"{"error":{"type":"invalid_request_error","code":503}}"#, 503),
            (r#"{"error":{"type":"server_error","code":"429"}}"#, 429),
            (r#"{"error":{"type":"invalid_request_error","code":"invalid_api_key"}}"#, 401),
            (r#"{"error":{"type":"tokens","code":"rate_limit_exceeded"}}"#, 429),
            (r#"{"error":{"message":"m","status_code":404}}"#, 404),
            (r#"{"status":422,"error":{"message":"m"}}"#, 422),
            (r#"{"error":{"message":"m","status":"RESOURCE_EXHAUSTED"}}"#, 429),
            // What is no status of an error is none.
            (r#"{"error":{"type":"rate_limit_error","code":200}}"#, 429),
            (r#"{"error":{"code":"429000"}}"#, 500),
            (r#"{"error":"m"}"#, 500),
            ("<h1>m</h1>", 500),
            ("", 500),
        ] {
            for dialect in Dialect::ALL {
                let error = read_stream_error(dialect, None, data.as_bytes());
                assert_eq!((error.status, error.raw), (status, data.as_bytes()), "{data}");
                assert!(!error.message.is_empty(), "{data}");
            }
        }
    }

    #[test]
    fn the_error_of_one_choice_is_found() {
        let data =
            br#"{"id":"x","choices":[{"index":0,"error":{"code":502,"message":"upstream"}}]}"#;
        let error = read_stream_error(Dialect::OpenAiChat, None, data);
        assert_eq!((error.status, &*error.message), (502, "upstream"));
    }
}
