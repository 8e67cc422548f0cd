//! Errors as hosts of the chat dialect answer them. Few agree on a shape.

use std::borrow::Cow;

use crate::canonical::ErrorReply;
use crate::error_shape::{self, ErrorFields, scalar, status};
use crate::json::{Object, Raw};
use crate::sse;

/// Reads an error body of any shape: `{"error":{…}}`, `{"error":"text"}`, `{"error":["text"]}`, `{"detail":…}`,
/// `{"message":…}`, arrays of these, text, or a page of HTML.
pub(crate) fn read_error(status: u16, body: &[u8]) -> ErrorReply<'_> {
    error_shape::read_error(status, body, read_object)
}

/// Reads the data of an event that reports an error, for the whole answer or for one choice.
pub(crate) fn read_stream_error(data: &[u8]) -> ErrorReply<'_> {
    error_shape::read_stream_error(data, read_event)
}

fn read_event<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let of_choice = || {
        let choices = root.member("choices")?;
        choices.elements().find_map(|choice| choice.member("error").filter(|it| it.is_object()))
    };
    match root.member("error") {
        Some(_) => read_object(root),
        None => read_object(of_choice().unwrap_or(root)),
    }
}

/// Reads an error object, and what stands beside it.
pub(crate) fn read_object<'a>(root: Raw<'a>) -> ErrorFields<'a> {
    let inner = root.member("error").filter(|inner| inner.is_object()).unwrap_or(root);
    let beside = || scalar(root, "error").or_else(|| scalar(root, "message"));
    ErrorFields {
        kind: scalar(inner, "type").or_else(|| scalar(root, "type").filter(|kind| kind != "error")),
        code: code(inner).or_else(|| code(root)),
        param: scalar(inner, "param"),
        status: status(inner, root),
        message: scalar(inner, "message")
            .or_else(beside)
            .or_else(|| detail(inner))
            .or_else(|| detail(root))
            .or_else(|| first_text(root.member("error"))),
    }
}

/// `code`, or `error_code` as Databricks calls it, or the name that ElevenLabs has for it as the status of a `detail`.
fn code<'a>(object: Raw<'a>) -> Option<Cow<'a, str>> {
    let of_detail = || object.member("detail").and_then(|detail| scalar(detail, "status"));
    scalar(object, "code").or_else(|| scalar(object, "error_code")).or_else(of_detail)
}

/// The first of a list of complaints in plain text.
fn first_text(list: Option<Raw<'_>>) -> Option<Cow<'_, str>> {
    list?.elements().find_map(|element| element.as_str())
}

/// `detail`: text, or FastAPI's list of complaints.
fn detail<'a>(object: Raw<'a>) -> Option<Cow<'a, str>> {
    let detail = object.member("detail").or_else(|| object.member("details"))?;
    let complaint = detail.elements().find_map(|element| scalar(element, "msg"));
    detail.as_str().or(complaint).or_else(|| scalar(detail, "message"))
}

/// Writes the error body of this dialect.
pub(crate) fn write_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    let mut inner = object.object("error");
    inner.str("message", &error.message);
    inner.str("type", error.kind.as_deref().unwrap_or("api_error"));
    write_or_null(&mut inner, "param", error.param.as_deref());
    write_or_null(&mut inner, "code", error.code.as_deref());
}

fn write_or_null(object: &mut Object<'_>, name: &str, value: Option<&str>) {
    match value {
        Some(value) => object.str(name, value),
        None => object.null(name),
    }
}

/// Writes the frame that ends a broken stream.
pub(crate) fn write_stream_error(error: &ErrorReply<'_>, out: &mut Vec<u8>) {
    sse::frame(None, out, |out| write_error(error, out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_hosts_with_ideas_of_their_own_are_read() {
        let cases = [
            (r#"{"error":["m","other"]}"#, None),
            (
                r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"m"}"#,
                Some("RESOURCE_DOES_NOT_EXIST"),
            ),
            (r#"{"code":"invalid-argument","error":"m"}"#, Some("invalid-argument")),
            (r#"{"object":"error","message":"m","code":"1500"}"#, Some("1500")),
            (r#"{"error":[{"message":"n"}],"detail":"m"}"#, None),
            (r#"{"detail":{"status":"quota_exceeded","message":"m"}}"#, Some("quota_exceeded")),
        ];
        for (body, code) in cases {
            let error = read_error(400, body.as_bytes());
            assert_eq!((&*error.message, error.code.as_deref()), ("m", code), "{body}");
        }
    }
}
