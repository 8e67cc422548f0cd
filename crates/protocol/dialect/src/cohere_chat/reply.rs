//! An answer that came in one piece.

use std::borrow::Cow;

use super::PLAN_FORMAT;
use super::citation::{Place, is_written, read_citation, write_citation};
use super::message::{read_assistant, write_call};
use super::usage::{read_usage, write_usage};
use crate::canonical::{Choice, Part, PartKind, Reasoning, Reply, Stop};
use crate::error::Error;
use crate::fields;
use crate::json::{Array, Cursor, Object, Raw, Text};
use crate::options::ReplyOptions;

/// Reads a reply; calls without an id get one made from the reply's, or from `fallback_id`.
pub(crate) fn read_reply<'a>(root: Raw<'a>, fallback_id: &str) -> Result<Reply<'a>, Error> {
    let message = fields::object("message", fields::required(root, "message")?)?;
    let id = fields::lenient_text(root, "id").filter(|id| !id.is_empty());
    let prefix = id.as_ref().map_or_else(|| Cow::Borrowed(fallback_id), Text::plain);
    let mut parts = read_assistant(message, |index| format!("call_{prefix}_{index}"))
        .map_err(|error| error.in_member("message"))?;
    attach_citations(message, &mut parts);
    parts.retain(|part| !says_nothing(part));
    let stop = fields::lenient_text(root, "finish_reason").map(stop_of_reason);
    let choice = Choice { parts, stop, ..Choice::default() };
    let mut reply = Reply {
        id: id.clone(),
        model: fields::lenient_text(root, "model"),
        choices: vec![choice],
        ..Reply::default()
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn says_nothing(part: &Part<'_>) -> bool {
    matches!(&part.kind, PartKind::Text { text, .. } if text.is_empty())
}

/// `citations` stand beside the content; each names the block it belongs to, or means the first that is text.
fn attach_citations<'a>(message: Raw<'a>, parts: &mut [Part<'a>]) {
    let Some(list) = message.member("citations") else { return };
    for citation in list.elements() {
        let index = citation.member("content_index").and_then(|index| index.as_u64());
        let mut start = 0;
        for (position, part) in parts.iter_mut().enumerate() {
            let PartKind::Text { text, citations } = &mut part.kind else { continue };
            if index.is_none_or(|index| index <= position as u64) {
                citations.extend(read_citation(citation, start));
                break;
            }
            start += text.character_count();
        }
    }
}

/// The meaning of `finish_reason`.
pub(super) fn stop_of_reason(reason: Text<'_>) -> Stop<'_> {
    match &*reason.plain() {
        "" | "COMPLETE" => Stop::EndTurn,
        "STOP_SEQUENCE" => Stop::Sequence,
        "MAX_TOKENS" => Stop::MaxTokens,
        "TOOL_CALL" => Stop::ToolUse,
        "ERROR_TOXIC" => Stop::ContentFilter,
        "ERROR_LIMIT" => Stop::ContextWindow,
        _ => Stop::Other(reason),
    }
}

/// The `finish_reason` of a stop. The dialect has one reason for a normal end, and one for a bad one.
pub(super) fn reason_of_stop<'a>(stop: &'a Stop<'_>) -> Cow<'a, str> {
    Cow::Borrowed(match stop {
        Stop::EndTurn | Stop::Refusal | Stop::PauseTurn | Stop::Compaction => "COMPLETE",
        Stop::Sequence => "STOP_SEQUENCE",
        Stop::MaxTokens | Stop::ContextWindow => "MAX_TOKENS",
        Stop::ToolUse => "TOOL_CALL",
        Stop::ContentFilter => "ERROR_TOXIC",
        Stop::Other(name) => return name.plain(),
    })
}

/// Writes a reply. The dialect knows one answer: the first.
pub(crate) fn write_reply(reply: &Reply<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) {
    let nothing = Choice::default();
    let choice = reply.choices.first().unwrap_or(&nothing);
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    write_message(choice, object.object("message"));
    let reason = choice.stop.as_ref().map_or("COMPLETE".into(), reason_of_stop);
    object.str("finish_reason", &reason);
    if reply.usage.reported {
        write_usage(&reply.usage, &mut object.object("usage"));
    }
}

fn write_message(choice: &Choice<'_>, mut message: Object<'_>) {
    message.str("role", "assistant");
    write_content(choice, &mut message);
    write_plan(&choice.parts, &mut message);
    let mut calls = choice.parts.iter().filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some(call),
        _ => None,
    });
    if let Some(first) = calls.next() {
        let mut array = message.array("tool_calls");
        for call in std::iter::once(first).chain(calls) {
            write_call(call, &mut array.object());
        }
    }
    write_citations(&choice.parts, &mut message);
}

fn write_content(choice: &Choice<'_>, message: &mut Object<'_>) {
    let transcript = choice.audio.and_then(|audio| fields::lenient_text(audio, "transcript"));
    if transcript.is_none() && !choice.parts.iter().any(is_said) {
        return;
    }
    let mut content = message.array("content");
    for part in choice.parts.iter().filter(|part| is_said(part)) {
        write_said(part, &mut content);
    }
    if let Some(transcript) = transcript {
        write_text(&transcript, &mut content);
    }
}

/// Whether a part becomes a block of content.
pub(super) fn is_said(part: &Part<'_>) -> bool {
    match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => !text.is_empty(),
        PartKind::Reasoning(reasoning) => thought(reasoning).is_some(),
        _ => false,
    }
}

/// Writes a block of text or thought; nothing for other parts.
pub(super) fn write_said(part: &Part<'_>, content: &mut Array<'_>) {
    match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => write_text(text, content),
        PartKind::Reasoning(reasoning) => {
            if let Some(text) = thought(reasoning) {
                let mut block = content.object();
                block.str("type", "thinking");
                block.text("thinking", text);
            }
        }
        _ => {}
    }
}

fn write_text(text: &Text<'_>, content: &mut Array<'_>) {
    let mut block = content.object();
    block.str("type", "text");
    block.text("text", text);
}

pub(super) fn is_plan(reasoning: &Reasoning<'_>) -> bool {
    reasoning.format.as_ref().is_some_and(|format| *format == *PLAN_FORMAT)
}

/// The text of reasoning that is not a plan.
pub(super) fn thought<'r, 'a>(reasoning: &'r Reasoning<'a>) -> Option<&'r Text<'a>> {
    let text = reasoning.text.as_ref().or(reasoning.summary.as_ref());
    text.filter(|text| !text.is_empty() && !is_plan(reasoning))
}

/// Writes all plans as one; nothing when there is none.
pub(super) fn write_plan(parts: &[Part<'_>], message: &mut Object<'_>) {
    let mut plans = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Reasoning(reasoning) if is_plan(reasoning) => reasoning.text.as_ref(),
        _ => None,
    });
    let Some(first) = plans.next() else { return };
    let out = message.key("tool_plan");
    out.push(b'"');
    std::iter::once(first).chain(plans).for_each(|plan| plan.write_inner(out));
    out.push(b'"');
}

/// Citations count from the beginning of the block they belong to; in the common form they count from that of the
/// answer.
fn write_citations(parts: &[Part<'_>], message: &mut Object<'_>) {
    let has_any = parts.iter().any(|part| match &part.kind {
        PartKind::Text { citations, .. } => citations.iter().any(is_written),
        _ => false,
    });
    if !has_any {
        return;
    }
    let mut array = message.array("citations");
    let (mut start, said) = (0, parts.iter().filter(|part| is_said(part)));
    for (block, part) in said.enumerate() {
        let PartKind::Text { text, citations } = &part.kind else { continue };
        let plain = text.plain();
        let length = plain.chars().count() as u64;
        for citation in citations.iter().filter(|citation| is_written(citation)) {
            let range = within(citation.range, start, length);
            let cited = plain.chars().skip(range.0 as usize);
            let cited: String = cited.take((range.1 - range.0) as usize).collect();
            let place = Place { range: Some(range), block: Some(block as u64), text: Some(&cited) };
            write_citation(citation, &place, array.object());
        }
        start += length;
    }
}

/// What a citation covers of a block of so many characters that begins at `start`: all of it where a vendor did not say
/// or named a place outside.
fn within(range: Option<(u64, u64)>, start: u64, length: u64) -> (u64, u64) {
    let place = |(from, to): (u64, u64)| {
        let (from, to) = (from.saturating_sub(start), to.saturating_sub(start).min(length));
        (from < to).then_some((from, to))
    };
    range.and_then(place).unwrap_or((0, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_citation_covers_lies_in_its_block() {
        for (range, expected) in [
            (Some((12, 15)), (2, 5)),
            (Some((12, 99)), (2, 8)),
            (Some((40, 50)), (0, 8)),
            (Some((15, 12)), (0, 8)),
            (None, (0, 8)),
        ] {
            assert_eq!(within(range, 10, 8), expected, "{range:?}");
        }
    }

    #[test]
    fn reasons_are_mapped_both_ways() {
        for (reason, stop) in [
            ("COMPLETE", Stop::EndTurn),
            ("STOP_SEQUENCE", Stop::Sequence),
            ("MAX_TOKENS", Stop::MaxTokens),
            ("TOOL_CALL", Stop::ToolUse),
            ("ERROR_TOXIC", Stop::ContentFilter),
            ("TIMEOUT", Stop::Other("TIMEOUT".into())),
        ] {
            assert_eq!(stop_of_reason(reason.into()), stop, "{reason}");
            assert_eq!(reason_of_stop(&stop), reason, "{reason}");
        }
    }
}
