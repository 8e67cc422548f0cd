//! A text completion that came in one piece.

use crate::canonical::{Choice, Part, PartKind, Reply, Stop};
use crate::error::Error;
use crate::fields;
use crate::json::{Object, Raw, Text};
use crate::options::ReplyOptions;

/// Reads a reply. Only what makes it useless is an error: a paid answer is not thrown away for an odd member.
pub(super) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let text = fields::required_text(root, "completion")?;
    let reason = fields::lenient_text(root, "stop_reason");
    let choice = Choice {
        parts: Some(text).filter(|text| !text.is_empty()).map(Part::text).into_iter().collect(),
        stop: reason.map(|reason| stop_of_reason(&reason)),
        ..Choice::default()
    };
    Ok(Reply {
        id: fields::lenient_text(root, "id").filter(|id| !id.is_empty()),
        model: fields::lenient_text(root, "model"),
        choices: vec![choice],
        ..Reply::default()
    })
}

/// A turn ends where the human's would begin, which is a sequence that stops the text.
pub(super) fn stop_of_reason(reason: &Text<'_>) -> Stop<'static> {
    match &*reason.plain() {
        "max_tokens" => Stop::MaxTokens,
        _ => Stop::EndTurn,
    }
}

pub(super) fn reason_of_stop(stop: &Stop<'_>) -> &'static str {
    match stop {
        Stop::MaxTokens | Stop::ContextWindow => "max_tokens",
        Stop::EndTurn
        | Stop::Sequence
        | Stop::ToolUse
        | Stop::PauseTurn
        | Stop::Compaction
        | Stop::Refusal
        | Stop::ContentFilter
        | Stop::Other(_) => "stop_sequence",
    }
}

/// Writes a reply: of the first answer what is text.
pub(super) fn write_reply(reply: &Reply<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) {
    let choice = reply.choices.first();
    let mut object = Object::new(out);
    object.str("type", "completion");
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    let completion = object.key("completion");
    completion.push(b'"');
    for part in choice.into_iter().flat_map(|choice| &choice.parts) {
        if let PartKind::Text { text, .. } | PartKind::Refusal(text) = &part.kind {
            text.write_inner(completion);
        }
    }
    completion.push(b'"');
    let stop = choice.and_then(|choice| choice.stop.as_ref()).unwrap_or(&Stop::EndTurn);
    object.str("stop_reason", reason_of_stop(stop));
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    object.null("stop");
}
