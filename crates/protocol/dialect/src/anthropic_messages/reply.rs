//! A message that came in one piece.

use super::block::read_block;
use super::block_write::BlockWriter;
use super::usage::{read_usage, write_usage};
use crate::Dialect;
use crate::canonical::{Choice, Part, PartKind, Reply, Stop};
use crate::error::Error;
use crate::fields;
use crate::json::{Cursor, Object, Raw, Text};
use crate::options::{Notes, ReplyOptions};

/// Reads a reply.
pub(crate) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let parts = fields::each("content", fields::required(root, "content")?, read_block)?;
    let reason = fields::lenient_text(root, "stop_reason").map(stop_of_reason);
    let mut reply = Reply {
        id: fields::lenient_text(root, "id"),
        model: fields::lenient_text(root, "model"),
        choices: vec![Choice {
            parts,
            stop: reason,
            stop_sequence: fields::lenient_text(root, "stop_sequence"),
            ..Choice::default()
        }],
        ..Reply::default()
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
        reply.service_tier = fields::lenient_text(usage, "service_tier");
    }
    Ok(reply)
}

/// The meaning of `stop_reason`.
pub(super) fn stop_of_reason(reason: Text<'_>) -> Stop<'_> {
    match &*reason.plain() {
        "end_turn" => Stop::EndTurn,
        "stop_sequence" => Stop::Sequence,
        "max_tokens" => Stop::MaxTokens,
        "tool_use" => Stop::ToolUse,
        "refusal" => Stop::Refusal,
        "pause_turn" => Stop::PauseTurn,
        "compaction" => Stop::Compaction,
        "model_context_window_exceeded" => Stop::ContextWindow,
        _ => Stop::Other(reason),
    }
}

/// The `stop_reason` of a stop.
pub(super) fn reason_of_stop<'a>(stop: &'a Stop<'_>) -> std::borrow::Cow<'a, str> {
    std::borrow::Cow::Borrowed(match stop {
        Stop::EndTurn => "end_turn",
        Stop::Sequence => "stop_sequence",
        Stop::MaxTokens => "max_tokens",
        Stop::ToolUse => "tool_use",
        Stop::Refusal | Stop::ContentFilter => "refusal",
        Stop::PauseTurn => "pause_turn",
        Stop::Compaction => "compaction",
        Stop::ContextWindow => "model_context_window_exceeded",
        Stop::Other(name) => return name.plain(),
    })
}

/// Writes a reply. The dialect knows one answer: the first.
pub(crate) fn write_reply(
    reply: &Reply<'_>,
    source: Dialect,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let nothing = Choice::default();
    let choice = reply.choices.first().unwrap_or(&nothing);
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    object.str("type", "message");
    object.str("role", "assistant");
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    write_content(choice, source, &mut object)?;
    let reason = choice.stop.as_ref().map_or("end_turn".into(), reason_of_stop);
    object.str("stop_reason", &reason);
    match &choice.stop_sequence {
        Some(sequence) => object.text("stop_sequence", sequence),
        None => object.null("stop_sequence"),
    }
    write_usage(&reply.usage, &mut object.object("usage"));
    Ok(())
}

fn write_content(
    choice: &Choice<'_>,
    source: Dialect,
    object: &mut Object<'_>,
) -> Result<(), Error> {
    let mut notes = Notes::default();
    let cites = |part: &Part<'_>| matches!(&part.kind, PartKind::Text { citations, .. } if !citations.is_empty());
    let mut writer = BlockWriter {
        source,
        unsigned_thinking: true,
        foreign_server_tools: true,
        characters: choice.parts.iter().any(cites).then_some(0),
        unmarked_citations: true,
        notes: &mut notes,
    };
    let mut blocks = object.array("content");
    for part in &choice.parts {
        let is_foreign = matches!(
            part.kind,
            PartKind::Other(_)
                | PartKind::Image { .. }
                | PartKind::Audio { .. }
                | PartKind::Video { .. }
        );
        // What another vendor's own tools did or made has no block here; a paid answer is not refused for it.
        if !is_foreign || source == Dialect::AnthropicMessages {
            writer.part(part, &mut blocks)?;
        }
    }
    let transcript = choice.audio.and_then(|audio| fields::lenient_text(audio, "transcript"));
    if let Some(transcript) = transcript {
        writer.part(&Part::text(transcript), &mut blocks)?;
    }
    Ok(())
}
