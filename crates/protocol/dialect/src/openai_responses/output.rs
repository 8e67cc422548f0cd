//! Writing the items of an answer, for replies and for events alike.

use crate::canonical::{Citation, Reasoning};
use crate::json::{Array, Object, Text};

/// Writes an `output_text` part; the text comes escaped, without its quotes.
pub(super) fn write_text_part(
    annotations: &[u8],
    object: &mut Object<'_>,
    text: impl FnOnce(&mut Vec<u8>),
) {
    object.str("type", "output_text");
    write_list(annotations, object.key("annotations"));
    write_quoted(object.key("text"), text);
}

/// Writes a `refusal` part.
pub(super) fn write_refusal_part(object: &mut Object<'_>, refusal: impl FnOnce(&mut Vec<u8>)) {
    object.str("type", "refusal");
    write_quoted(object.key("refusal"), refusal);
}

/// Writes a message item with content that has been written.
pub(super) fn write_message(id: &str, status: &str, content: &[u8], object: &mut Object<'_>) {
    object.str("id", id);
    object.str("type", "message");
    object.str("status", status);
    object.str("role", "assistant");
    write_list(content, object.key("content"));
}

/// Writes a reasoning item with a summary that has been written. Thinking itself is shown as its summary, too: that is
/// where clients of this dialect look for it.
pub(super) fn write_reasoning(
    id: &str,
    status: &str,
    summary: &[u8],
    proof: Option<&Reasoning<'_>>,
    object: &mut Object<'_>,
) {
    object.str("id", id);
    object.str("type", "reasoning");
    object.str("status", status);
    write_list(summary, object.key("summary"));
    if let Some(proof) = proof {
        object.text_if("encrypted_content", proof.data.as_ref().or(proof.signature.as_ref()));
        object.text_if("format", proof.format.as_ref());
    }
}

/// Whether a piece of thinking has a signature and no text, because the vendor does not show it.
pub(super) fn is_signed_alone(piece: &Reasoning<'_>) -> bool {
    piece.signature.is_some()
        && piece.text.is_none()
        && piece.summary.is_none()
        && piece.data.is_none()
}

/// A call of a tool that the caller runs.
#[derive(Debug)]
pub(super) struct Call<'c> {
    pub(super) call_id: &'c Text<'c>,
    pub(super) name: &'c Text<'c>,
    pub(super) namespace: Option<&'c str>,
    pub(super) is_custom: bool,
}

/// Writes the item of a call; the arguments come escaped, without their quotes.
pub(super) fn write_call(
    id: &str,
    status: &str,
    call: &Call<'_>,
    object: &mut Object<'_>,
    arguments: impl FnOnce(&mut Vec<u8>),
) {
    object.str("id", id);
    object.str("type", if call.is_custom { "custom_tool_call" } else { "function_call" });
    object.str("status", status);
    object.text("call_id", call.call_id);
    if let Some(namespace) = call.namespace {
        object.str("namespace", namespace);
    }
    object.text("name", call.name);
    write_quoted(object.key(if call.is_custom { "input" } else { "arguments" }), arguments);
}

/// Writes the annotation of a web page; `start` is where the part begins in the text of the answer, and `length` how
/// long it is, both in characters. Nothing for other citations, which name files the vendor keeps.
pub(super) fn write_annotation(
    citation: &Citation<'_>,
    (start, length): (u64, u64),
    annotations: &mut Array<'_>,
) -> bool {
    let Some(url) = &citation.url else { return false };
    let range = citation
        .range
        .map_or((0, length), |(from, to)| (from.saturating_sub(start), to.saturating_sub(start)));
    let mut annotation = annotations.object();
    annotation.str("type", "url_citation");
    annotation.u64("start_index", range.0);
    annotation.u64("end_index", range.1);
    annotation.text("url", url);
    annotation.text("title", citation.title.as_ref().unwrap_or(&Text::default()));
    true
}

/// Brackets around elements that have been written.
pub(super) fn write_list(elements: &[u8], out: &mut Vec<u8>) {
    out.push(b'[');
    out.extend_from_slice(elements);
    out.push(b']');
}

fn write_quoted(out: &mut Vec<u8>, inner: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    inner(out);
    out.push(b'"');
}
