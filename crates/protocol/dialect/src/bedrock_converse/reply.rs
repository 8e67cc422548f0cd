//! A message that came in one piece.

use super::block::read_blocks;
use super::block_write::{BlockWriter, Reader};
use super::media::image_format;
use super::names::DocumentNames;
use super::usage::{read_usage, write_usage};
use crate::Dialect;
use crate::canonical::{Choice, Part, PartKind, Reply, Role, Source, Stop};
use crate::error::Error;
use crate::fields;
use crate::json::{Array, Cursor, Object, Raw, Text};
use crate::options::{Notes, ReplyOptions};

/// Tiers a reply may name.
const TIERS: &[&str] = &["priority", "default", "flex", "reserved"];

/// Reads a reply.
pub(crate) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let output = fields::required(root, "output")?;
    let message = fields::required(output, "message").map_err(|error| error.in_member("output"))?;
    let parts = read_blocks("content", fields::required(message, "content")?, Role::Assistant)
        .map_err(|error| error.in_member("message").in_member("output"))?;
    let mut reply = Reply {
        choices: vec![Choice {
            parts,
            stop: fields::lenient_text(root, "stopReason").map(stop_of_reason),
            stop_sequence: read_stop_sequence(root),
            ..Choice::default()
        }],
        service_tier: root
            .member("serviceTier")
            .and_then(|tier| fields::lenient_text(tier, "type")),
        ..Reply::default()
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

/// The sequence that stopped the answer, if the request asked for it to be told.
pub(super) fn read_stop_sequence<'a>(parent: Raw<'a>) -> Option<Text<'a>> {
    fields::lenient_text(parent.member("additionalModelResponseFields")?, "stop_sequence")
}

/// The meaning of `stopReason`.
pub(super) fn stop_of_reason(reason: Text<'_>) -> Stop<'_> {
    match &*reason.plain() {
        "end_turn" => Stop::EndTurn,
        "stop_sequence" => Stop::Sequence,
        "max_tokens" => Stop::MaxTokens,
        "tool_use" => Stop::ToolUse,
        "content_filtered" | "guardrail_intervened" => Stop::ContentFilter,
        "model_context_window_exceeded" => Stop::ContextWindow,
        _ => Stop::Other(reason),
    }
}

/// The `stopReason` of a stop.
pub(super) fn reason_of_stop<'a>(stop: &'a Stop<'_>) -> std::borrow::Cow<'a, str> {
    std::borrow::Cow::Borrowed(match stop {
        // The service has no word for a turn that may go on.
        Stop::EndTurn | Stop::PauseTurn | Stop::Compaction => "end_turn",
        Stop::Sequence => "stop_sequence",
        Stop::MaxTokens => "max_tokens",
        Stop::ToolUse => "tool_use",
        Stop::Refusal | Stop::ContentFilter => "content_filtered",
        Stop::ContextWindow => "model_context_window_exceeded",
        Stop::Other(name) => return name.plain(),
    })
}

/// Writes a reply. The dialect knows one answer: the first; it has no place for id and model.
pub(crate) fn write_reply(
    reply: &Reply<'_>,
    source: Dialect,
    _options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let nothing = Choice::default();
    let choice = reply.choices.first().unwrap_or(&nothing);
    let mut object = Object::new(out);
    let mut output = object.object("output");
    let mut message = output.object("message");
    message.str("role", "assistant");
    write_content(choice, source, message.array("content"))?;
    drop(message);
    drop(output);
    let reason = choice.stop.as_ref().map_or("end_turn".into(), reason_of_stop);
    object.str("stopReason", &reason);
    write_usage(&reply.usage, &mut object.object("usage"));
    write_metrics(&mut object);
    if let Some(sequence) = &choice.stop_sequence {
        object.object("additionalModelResponseFields").text("stop_sequence", sequence);
    }
    let tier = reply.service_tier.as_ref();
    if let Some(tier) = tier.filter(|tier| TIERS.contains(&&*tier.plain())) {
        object.object("serviceTier").text("type", tier);
    }
    Ok(())
}

/// How long the model took. The member must be there, and nobody else tells.
pub(super) fn write_metrics(object: &mut Object<'_>) {
    object.object("metrics").u64("latencyMs", 0);
}

fn write_content(choice: &Choice<'_>, source: Dialect, mut blocks: Array<'_>) -> Result<(), Error> {
    let mut notes = Notes::default();
    let mut writer = BlockWriter {
        source,
        reader: Reader::Caller,
        documents: DocumentNames::default(),
        notes: &mut notes,
    };
    for part in choice.parts.iter().filter(|part| has_block(part)) {
        writer.part(Role::Assistant, part, None, &mut blocks)?;
    }
    let transcript = choice.audio.and_then(|audio| fields::lenient_text(audio, "transcript"));
    if let Some(transcript) = transcript {
        writer.part(Role::Assistant, &Part::text(transcript), None, &mut blocks)?;
    }
    Ok(())
}

/// Whether an answer's part can be a block. What another vendor gives beside text has none; a paid answer is not
/// refused for it.
fn has_block(part: &Part<'_>) -> bool {
    match &part.kind {
        PartKind::Image { source: Source::Base64 { media_type, .. }, .. } => {
            image_format(&media_type.plain()).is_some()
        }
        PartKind::Text { .. }
        | PartKind::Refusal(_)
        | PartKind::Reasoning(_)
        | PartKind::ToolCall(_)
        | PartKind::Other(_) => true,
        PartKind::Image { .. }
        | PartKind::Document { .. }
        | PartKind::Audio { .. }
        | PartKind::Video { .. }
        | PartKind::SearchResult { .. }
        | PartKind::ToolResult(_)
        | PartKind::ServerCall(_)
        | PartKind::ServerResult(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_to_stop_have_a_meaning() {
        let both = [
            ("end_turn", Stop::EndTurn),
            ("stop_sequence", Stop::Sequence),
            ("max_tokens", Stop::MaxTokens),
            ("tool_use", Stop::ToolUse),
            ("content_filtered", Stop::ContentFilter),
            ("model_context_window_exceeded", Stop::ContextWindow),
            ("malformed_tool_use", Stop::Other("malformed_tool_use".into())),
        ];
        for (reason, stop) in both {
            assert_eq!(stop_of_reason(reason.into()), stop);
            assert_eq!(reason_of_stop(&stop), reason);
        }
        assert_eq!(stop_of_reason("guardrail_intervened".into()), Stop::ContentFilter);
        assert_eq!(reason_of_stop(&Stop::Refusal), "content_filtered");
        assert_eq!(reason_of_stop(&Stop::PauseTurn), "end_turn");
    }
}
