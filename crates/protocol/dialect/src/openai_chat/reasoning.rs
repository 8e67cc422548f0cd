//! Reasoning in chat messages: `reasoning_details[]`, and the plain spellings beside or instead of it.

use super::message::read_thinking;
use crate::canonical::{Part, PartKind, Reasoning};
use crate::fields;
use crate::json::{Array, Object, Raw, Text};

/// The members some host or other puts plain reasoning text in.
const PLAIN_NAMES: [&str; 2] = ["reasoning_content", "reasoning"];

/// The reasoning of a message or a delta, in the order it was thought.
pub(super) fn read_reasoning<'a>(message: Raw<'a>) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut has_text = false;
    let details = message.member("reasoning_details").or_else(|| message.member("thinking_blocks"));
    for detail in details.iter().flat_map(|details| details.elements()) {
        let reasoning = read_detail(detail);
        if !reasoning.is_empty() {
            has_text |= reasoning.text.is_some() || reasoning.summary.is_some();
            parts.push(PartKind::Reasoning(reasoning).into());
        }
    }
    if !has_text && let Some(text) = plain_reasoning(message) {
        let reasoning = Reasoning { text: Some(text), ..Reasoning::default() };
        parts.insert(0, PartKind::Reasoning(reasoning).into());
    }
    parts
}

/// Reasoning spelt as a plain string. Hosts that know both names repeat it under both.
pub(super) fn plain_reasoning<'a>(message: Raw<'a>) -> Option<Text<'a>> {
    let mut texts = PLAIN_NAMES.iter().filter_map(|name| fields::lenient_text(message, name));
    texts.find(|text| !text.is_empty())
}

/// One element of `reasoning_details` or `thinking_blocks`.
pub(super) fn read_detail<'a>(detail: Raw<'a>) -> Reasoning<'a> {
    let filled = |name| fields::lenient_text(detail, name).filter(|text| !text.is_empty());
    Reasoning {
        text: filled("text").or_else(|| read_thinking(detail).text),
        summary: filled("summary"),
        signature: filled("signature"),
        data: filled("data"),
        id: filled("id"),
        format: filled("format"),
    }
}

/// Writes `reasoning_details` of a whole message; nothing when there is no reasoning.
pub(super) fn write_details(parts: &[Part<'_>], message: &mut Object<'_>) {
    let mut reasoning = all_reasoning(parts).peekable();
    if reasoning.peek().is_none() {
        return;
    }
    let mut details = message.array("reasoning_details");
    for (index, reasoning) in reasoning.enumerate() {
        write_detail(reasoning, index as u64, &mut details);
    }
}

/// Writes one element of `reasoning_details`.
pub(super) fn write_detail(reasoning: &Reasoning<'_>, index: u64, details: &mut Array<'_>) {
    let mut detail = details.object();
    detail.u64("index", index);
    let kind = if reasoning.data.is_some() {
        "reasoning.encrypted"
    } else if reasoning.summary.is_some() {
        "reasoning.summary"
    } else {
        "reasoning.text"
    };
    detail.str("type", kind);
    detail.text_if("summary", reasoning.summary.as_ref());
    detail.text_if("text", reasoning.text.as_ref());
    detail.text_if("signature", reasoning.signature.as_ref());
    detail.text_if("data", reasoning.data.as_ref());
    detail.text_if("id", reasoning.id.as_ref());
    detail.text_if("format", reasoning.format.as_ref());
}

/// Writes all thinking of a message as one plain string; nothing when there is none.
pub(super) fn write_plain(parts: &[Part<'_>], name: &str, message: &mut Object<'_>) {
    let texts =
        || all_reasoning(parts).filter_map(|one| one.text.as_ref().or(one.summary.as_ref()));
    if texts().next().is_none() {
        return;
    }
    let out = message.key(name);
    out.push(b'"');
    texts().for_each(|text| text.write_inner(out));
    out.push(b'"');
}

fn all_reasoning<'p, 'a>(parts: &'p [Part<'a>]) -> impl Iterator<Item = &'p Reasoning<'a>> {
    parts.iter().filter_map(|part| match &part.kind {
        PartKind::Reasoning(reasoning) => Some(reasoning),
        _ => None,
    })
}
