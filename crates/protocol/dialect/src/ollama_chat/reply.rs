//! An answer that came in one piece.

use std::borrow::Cow;

use super::call::write_call;
use super::message::read_assistant;
use super::timestamp::{read_timestamp, timestamp};
use super::usage::{read_usage, write_usage};
use crate::canonical::{Choice, Part, PartKind, Reply, Stop};
use crate::error::Error;
use crate::fields;
use crate::json::{Cursor, Object, Raw, Text};
use crate::options::ReplyOptions;

/// Reads a reply; calls without an id get one made from `fallback_id`.
pub(crate) fn read_reply<'a>(root: Raw<'a>, fallback_id: &str) -> Result<Reply<'a>, Error> {
    let message = fields::object("message", fields::required(root, "message")?)?;
    let parts = read_assistant(message, |index| format!("call_{fallback_id}_{index}"))
        .map_err(|error| error.in_member("message"))?;
    let has_calls = parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let reason = fields::lenient_text(root, "done_reason").unwrap_or_default();
    let choice =
        Choice { parts, stop: Some(stop_of_reason(reason, has_calls)), ..Choice::default() };
    let mut reply = Reply {
        model: fields::lenient_text(root, "model"),
        created: created(root),
        choices: vec![choice],
        ..Reply::default()
    };
    read_usage(&mut Cursor::new(root.text().as_bytes()), &mut reply.usage);
    Ok(reply)
}

/// When a reply or a line was made.
pub(super) fn created(root: Raw<'_>) -> Option<u64> {
    read_timestamp(&fields::lenient_text(root, "created_at")?.plain())
}

/// The meaning of `done_reason`. The vendor has no word for an answer that ends with a call.
pub(super) fn stop_of_reason(reason: Text<'_>, has_calls: bool) -> Stop<'_> {
    match &*reason.plain() {
        "" | "stop" if has_calls => Stop::ToolUse,
        "" | "stop" => Stop::EndTurn,
        "length" => Stop::MaxTokens,
        _ => Stop::Other(reason),
    }
}

/// The `done_reason` of a stop.
pub(super) fn reason_of_stop<'a>(stop: &'a Stop<'_>) -> Cow<'a, str> {
    Cow::Borrowed(match stop {
        Stop::EndTurn
        | Stop::Sequence
        | Stop::ToolUse
        | Stop::Refusal
        | Stop::ContentFilter
        | Stop::PauseTurn
        | Stop::Compaction => "stop",
        Stop::MaxTokens | Stop::ContextWindow => "length",
        Stop::Other(name) => return name.plain(),
    })
}

/// Writes a reply. The dialect knows one answer: the first.
pub(crate) fn write_reply(reply: &Reply<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) {
    let nothing = Choice::default();
    let choice = reply.choices.first().unwrap_or(&nothing);
    let mut object = Object::new(out);
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    object.str("created_at", &timestamp(reply.created.unwrap_or(options.created)));
    write_message(choice, object.object("message"));
    object.bool("done", true);
    let reason = choice.stop.as_ref().map_or("stop".into(), reason_of_stop);
    object.str("done_reason", &reason);
    write_usage(&reply.usage, &mut object);
}

fn write_message(choice: &Choice<'_>, mut message: Object<'_>) {
    message.str("role", "assistant");
    let transcript = choice.audio.and_then(|audio| fields::lenient_text(audio, "transcript"));
    let out = message.key("content");
    out.push(b'"');
    for part in &choice.parts {
        if let PartKind::Text { text, .. } | PartKind::Refusal(text) = &part.kind {
            text.write_inner(out);
        }
    }
    if let Some(transcript) = transcript {
        transcript.write_inner(out);
    }
    out.push(b'"');
    write_thinking(&choice.parts, &mut message);
    write_calls(&choice.parts, &mut message);
}

/// Writes all thinking as one text; nothing when there is none.
pub(super) fn write_thinking(parts: &[Part<'_>], message: &mut Object<'_>) {
    let texts = || {
        parts.iter().filter_map(|part| match &part.kind {
            PartKind::Reasoning(reasoning) => {
                reasoning.text.as_ref().or(reasoning.summary.as_ref())
            }
            _ => None,
        })
    };
    if texts().next().is_none() {
        return;
    }
    let out = message.key("thinking");
    out.push(b'"');
    texts().for_each(|text| text.write_inner(out));
    out.push(b'"');
}

/// Writes all tool calls; nothing when there is none.
pub(super) fn write_calls(parts: &[Part<'_>], message: &mut Object<'_>) {
    let mut calls = parts.iter().filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some(call),
        _ => None,
    });
    let Some(first) = calls.next() else { return };
    let mut array = message.array("tool_calls");
    for (index, call) in std::iter::once(first).chain(calls).enumerate() {
        write_call(call, index as u64, &mut array.object());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_mapped() {
        assert_eq!(stop_of_reason("stop".into(), false), Stop::EndTurn);
        assert_eq!(stop_of_reason("stop".into(), true), Stop::ToolUse);
        assert_eq!(stop_of_reason("length".into(), true), Stop::MaxTokens);
        assert_eq!(stop_of_reason("load".into(), false), Stop::Other("load".into()));
        assert_eq!(reason_of_stop(&Stop::ContextWindow), "length");
        assert_eq!(reason_of_stop(&Stop::Other("load".into())), "load");
    }
}
