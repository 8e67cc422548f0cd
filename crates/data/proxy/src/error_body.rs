//! Refusals as the caller's SDK expects them: the product's error JSON, or the vendor's own shape.

use dialect::{Dialect, ErrorReply};
use net::Buffer;
use sonic_rs::JsonValueTrait;

use crate::extra_fields::{Routed, push_routed};
use crate::json::{push_number, push_string};
use crate::reject::Reject;
use crate::routes::{ErrorShape, Family, VendorErrors};

/// Bytes of a provider's text that an error message may repeat.
const SNIPPET_BYTES_MAX: usize = 512;

/// The body of an error reply.
pub(crate) fn write(
    family: Family,
    reject: &Reject,
    routed: Option<&Routed<'_>>,
    out: &mut Buffer,
) {
    match family.habits().errors {
        ErrorShape::Product { .. } => write_product(reject, routed, out),
        ErrorShape::Vendor(errors) => write_vendor(errors, reject, out),
        ErrorShape::Aws => write_aws(reject, out),
        ErrorShape::S3 => write_s3(reject, out),
    }
}

/// Header lines that belong to the body.
pub(crate) fn header_lines(family: Family, reject: &Reject) -> String {
    match family.habits().errors {
        ErrorShape::Product { .. } | ErrorShape::Vendor(_) => JSON_LINE.to_owned(),
        // The provider's own type is among the headers that are passed on.
        ErrorShape::Aws if has_aws_type(reject) => JSON_LINE.to_owned(),
        ErrorShape::Aws => format!("{JSON_LINE}{AWS_TYPE}: {}\r\n", aws_type(reject.status)),
        ErrorShape::S3 => "content-type: application/xml\r\n".to_owned(),
    }
}

const JSON_LINE: &str = "content-type: application/json\r\n";

/// An error inside a stream that has begun, as frames of the caller's dialect.
pub(crate) fn write_stream(
    family: Family,
    caller: Dialect,
    reject: &Reject,
    routed: Option<&Routed<'_>>,
    out: &mut Buffer,
) {
    match family.habits().errors {
        ErrorShape::Product { says_done } if caller != Dialect::OpenAiResponses => {
            out.extend_from_slice(b"data: ");
            write_product(reject, routed, out);
            out.extend_from_slice(b"\n\n");
            if says_done {
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
        }
        ErrorShape::Product { .. } | ErrorShape::Vendor(_) | ErrorShape::Aws | ErrorShape::S3 => {
            let mut frames = Vec::new();
            dialect::write_stream_error(caller, &said(reject), &mut frames);
            out.extend_from_slice(&frames);
        }
    }
}

/// What the refusal says, by the provider's word where there is one.
fn said(reject: &Reject) -> ErrorReply<'_> {
    match &reject.reply {
        Some(reply) => dialect::read_error(reply.dialect, reject.status, &reply.body),
        None => ErrorReply {
            status: reject.status,
            kind: reject.kind.error_type().map(Into::into),
            code: reject.kind.code().map(Into::into),
            message: (*reject.public).into(),
            param: None,
            raw: &[],
        },
    }
}

fn write_vendor(errors: &VendorErrors, reject: &Reject, out: &mut Buffer) {
    if let Some(reply) = &reject.reply
        && reply.dialect == errors.dialect
        && errors.texts.iter().all(|path| is_text(&reply.body, path))
    {
        return out.extend_from_slice(&reply.body);
    }
    let mut body = Vec::new();
    dialect::write_error(errors.dialect, &said(reject), &mut body);
    out.extend_from_slice(&body);
}

fn is_text(body: &[u8], path: &[&str]) -> bool {
    sonic_rs::get(body, path).is_ok_and(|value| value.is_str())
}

/// The header in which AWS names the type of an error.
const AWS_TYPE: &str = "x-amzn-errortype";

fn write_aws(reject: &Reject, out: &mut Buffer) {
    out.extend_from_slice(b"{\"message\":");
    push_string(out, &said(reject).message);
    out.extend_from_slice(b"}");
}

/// As S3 itself writes them; what it has said is passed on.
fn write_s3(reject: &Reject, out: &mut Buffer) {
    if let Some(reply) = &reject.reply
        && reply.body.trim_ascii_start().starts_with(b"<")
    {
        return out.extend_from_slice(&reply.body);
    }
    let code = match reject.status {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        429 | 503 => "SlowDown",
        400..=499 => "InvalidRequest",
        _ => "InternalError",
    };
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>");
    out.extend_from_slice(code.as_bytes());
    out.extend_from_slice(b"</Code><Message>");
    for character in said(reject).message.chars() {
        match character {
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            '&' => out.extend_from_slice(b"&amp;"),
            // XML has no way to say most control characters.
            other if other.is_control() => out.extend_from_slice(b" "),
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.extend_from_slice(b"</Message></Error>");
}

fn has_aws_type(reject: &Reject) -> bool {
    let lines = reject.reply.as_ref().map(|reply| reply.header_lines.to_ascii_lowercase());
    lines.is_some_and(|lines| memchr::memmem::find(&lines, AWS_TYPE.as_bytes()).is_some())
}

/// The exception that a status stands for.
fn aws_type(status: u16) -> &'static str {
    match status {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        400..=499 => "ValidationException",
        503 | 529 => "ServiceUnavailableException",
        _ => "InternalServerException",
    }
}

/// The product's error JSON.
fn write_product(reject: &Reject, routed: Option<&Routed<'_>>, out: &mut Buffer) {
    out.extend_from_slice(b"{");
    if let Some(policy) = reject.kind.policy() {
        out.extend_from_slice(b"\"type\":");
        push_string(out, policy);
        out.extend_from_slice(b",");
    }
    out.extend_from_slice(b"\"is_bifrost_error\":");
    out.extend_from_slice(if reject.kind.is_ours() { b"true" } else { b"false" });
    out.extend_from_slice(b",\"status_code\":");
    push_number(out, u64::from(reject.status));
    out.extend_from_slice(b",\"error\":");
    write_error_member(reject, out);
    out.extend_from_slice(b",\"extra_fields\":{");
    match routed {
        Some(routed) => push_routed(out, routed),
        None => out.extend_from_slice(b"\"routing_info\":{}"),
    }
    out.extend_from_slice(b"}}");
}

/// `error`: the known members first, then whatever else the provider said.
fn write_error_member(reject: &Reject, out: &mut Buffer) {
    let error = said(reject);
    let mut separator = "{";
    let mut member = |out: &mut Buffer, name: &str, value: &str| {
        out.extend_from_slice(separator.as_bytes());
        push_string(out, name);
        out.extend_from_slice(b":");
        push_string(out, value);
        separator = ",";
    };
    if let Some(kind) = &error.kind {
        member(out, "type", kind);
    }
    if let Some(code) = &error.code {
        member(out, "code", code);
    }
    member(out, "message", &error.message);
    if let Some(param) = &error.param {
        member(out, "param", param);
    }
    let own = sonic_rs::get(error.raw, ["error"]).ok();
    let others = own.filter(|own| own.is_object()).and_then(|own| own.into_object_iter());
    for (name, value) in others.into_iter().flatten().filter_map(Result::ok) {
        if !matches!(&*name, "type" | "code" | "message" | "param") {
            out.extend_from_slice(b",");
            push_string(out, &name);
            out.extend_from_slice(b":");
            out.extend_from_slice(value.as_raw_str().as_bytes());
        }
    }
    out.extend_from_slice(b"}");
}

/// The beginning of a provider's text for an error message, cut at a character.
pub(crate) fn snippet(body: &[u8]) -> String {
    let end = body.len().min(SNIPPET_BYTES_MAX);
    let text = String::from_utf8_lossy(body.get(..end).unwrap_or_default());
    text.trim_end_matches('\u{fffd}').to_owned()
}

#[cfg(test)]
mod tests {
    use sonic_rs::Value;

    use super::*;
    use crate::reject::{Kind, ProviderError};

    fn rendered(family: Family, reject: &Reject) -> Value {
        let mut out = Buffer::new();
        write(family, reject, None, &mut out);
        sonic_rs::from_slice(out.as_slice()).unwrap()
    }

    fn refused(dialect: Dialect, status: u16, body: &str) -> Reject {
        let reply = ProviderError {
            dialect,
            body: body.into(),
            header_lines: Vec::new(),
            retry_after_ms: None,
        };
        Reject { status, reply: Some(Box::new(reply)), ..Reject::new(Kind::Refused, "") }
    }

    #[test]
    fn a_providers_error_keeps_all_it_says() {
        let body =
            r#"{"error":{"message":"no","type":"t","code":42,"param":null,"inner":{"a":[1]}}}"#;
        let json = rendered(Family::Base, &refused(Dialect::OpenAiChat, 429, body));
        assert_eq!(json["status_code"].as_u64(), Some(429));
        assert_eq!(json["is_bifrost_error"].as_bool(), Some(false));
        assert_eq!(json["error"]["message"].as_str(), Some("no"));
        assert_eq!(json["error"]["code"].as_str(), Some("42"));
        assert_eq!(json["error"]["inner"]["a"][0].as_u64(), Some(1));
        assert!(json["extra_fields"]["routing_info"].is_object());
    }

    #[test]
    fn a_policy_names_itself() {
        let json = rendered(Family::OpenAi, &Reject::new(Kind::Unauthenticated, "key"));
        assert_eq!(json["type"].as_str(), Some("virtual_key_required"));
        assert_eq!(json["status_code"].as_u64(), Some(401));
    }

    #[test]
    fn anthropics_callers_get_anthropics_shape() {
        let json = rendered(Family::Anthropic, &Reject::new(Kind::Dropped, "later"));
        assert_eq!(json["type"].as_str(), Some("error"));
        assert_eq!(json["error"]["message"].as_str(), Some("later"));
        let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"},"x":1}"#;
        let json = rendered(Family::Anthropic, &refused(Dialect::AnthropicMessages, 529, body));
        assert_eq!(json["x"].as_u64(), Some(1));
    }

    #[test]
    fn each_stream_ends_in_an_error_of_its_dialect() {
        let ended = |family, caller| {
            let mut out = Buffer::new();
            write_stream(family, caller, &Reject::new(Kind::TimedOut, "late"), None, &mut out);
            String::from_utf8_lossy(out.as_slice()).into_owned()
        };
        assert!(ended(Family::Base, Dialect::OpenAiChat).ends_with("data: [DONE]\n\n"));
        for (family, caller) in [
            (Family::Base, Dialect::OpenAiResponses),
            (Family::OpenAi, Dialect::OpenAiChat),
            (Family::GenAi, Dialect::Gemini),
            (Family::Bedrock, Dialect::BedrockConverse),
        ] {
            let text = ended(family, caller);
            assert!(text.contains("late") && !text.contains("[DONE]"), "{text}");
        }
    }

    #[test]
    fn amazons_callers_get_a_message_and_the_type_in_a_header() {
        let reject = refused(Dialect::OpenAiChat, 429, r#"{"error":{"message":"slow down"}}"#);
        let json = rendered(Family::Bedrock, &reject);
        assert_eq!(json["message"].as_str(), Some("slow down"));
        let line = header_lines(Family::Bedrock, &reject);
        let expected =
            "content-type: application/json\r\nx-amzn-errortype: ThrottlingException\r\n";
        assert_eq!(line, expected);
        assert_eq!(header_lines(Family::Base, &reject), JSON_LINE);
        let mut own = refused(Dialect::OpenAiChat, 400, r#"{"message":"no"}"#);
        let lines = b"X-Amzn-ErrorType: ValidationException\r\n".to_vec();
        own.reply.as_mut().unwrap().header_lines = lines;
        assert_eq!(header_lines(Family::Bedrock, &own), JSON_LINE);
    }

    #[test]
    fn callers_of_s3_get_xml() {
        let mut out = Buffer::new();
        write(Family::S3, &Reject::new(Kind::Malformed, "a < b\n& c"), None, &mut out);
        let text = String::from_utf8_lossy(out.as_slice()).into_owned();
        assert!(text.ends_with(
            "<Error><Code>InvalidRequest</Code><Message>a &lt; b &amp; c</Message></Error>"
        ));
        let own = "<Error><Code>NoSuchBucket</Code></Error>";
        let mut out = Buffer::new();
        write(Family::S3, &refused(Dialect::S3Objects, 404, own), None, &mut out);
        assert_eq!(out.as_slice(), own.as_bytes());
    }

    #[test]
    fn snippets_are_cut_at_a_character() {
        let text = "é".repeat(SNIPPET_BYTES_MAX);
        assert_eq!(snippet(&text.as_bytes()[1..]).chars().filter(|c| *c == '\u{fffd}').count(), 1);
        assert_eq!(snippet(text.as_bytes()).len(), SNIPPET_BYTES_MAX);
    }
}
