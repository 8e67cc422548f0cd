//! A text completion that came in one piece.

use crate::canonical::{Choice, Part, PartKind, Reply, Stop};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Cursor, Object, Raw, Text};
use crate::openai_chat::{read_usage, stop_of_finish_reason, write_usage};
use crate::options::ReplyOptions;

/// Reads a reply. Only what makes it useless is an error: a paid answer is not thrown away for an odd member.
pub(crate) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let choices = fields::array("choices", fields::required(root, "choices")?)?;
    let mut reply = Reply {
        id: fields::lenient_text(root, "id").filter(|id| !id.is_empty()),
        model: fields::lenient_text(root, "model"),
        created: root.member("created").and_then(|created| created.as_u64()),
        choices: choices.elements().map(read_choice).collect(),
        ..Reply::default()
    };
    if reply.choices.is_empty() {
        return Err(Error::at("choices", What::Missing));
    }
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn read_choice<'a>(choice: Raw<'a>) -> Choice<'a> {
    let text = fields::lenient_text(choice, "text").filter(|text| !text.is_empty());
    let reason = fields::lenient_text(choice, "finish_reason").unwrap_or_default();
    Choice {
        parts: text.map(Part::text).into_iter().collect(),
        stop: Some(stop_of_finish_reason(reason)),
        ..Choice::default()
    }
}

/// Writes a reply: of every answer what is text.
pub(crate) fn write_reply(reply: &Reply<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    object.str("object", "text_completion");
    object.u64("created", reply.created.unwrap_or(options.created));
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    let mut choices = object.array("choices");
    for (index, choice) in reply.choices.iter().enumerate() {
        write_choice(choice, index as u64, choices.object());
    }
    drop(choices);
    if reply.usage.reported {
        write_usage(&reply.usage, &mut object.object("usage"));
    }
    object.members(options.trailer);
}

fn write_choice(choice: &Choice<'_>, index: u64, mut object: Object<'_>) {
    let out = object.key("text");
    out.push(b'"');
    for part in &choice.parts {
        if let PartKind::Text { text, .. } | PartKind::Refusal(text) = &part.kind {
            text.write_inner(out);
        }
    }
    let transcript = choice.audio.and_then(|audio| fields::lenient_text(audio, "transcript"));
    if let Some(transcript) = transcript {
        transcript.write_inner(out);
    }
    out.push(b'"');
    object.u64("index", index);
    object.null("logprobs");
    object.str("finish_reason", reason_of_stop(choice.stop.as_ref().unwrap_or(&Stop::EndTurn)));
}

/// The `finish_reason` of a stop: a closed list, shorter than that of chat.
pub(super) fn reason_of_stop(stop: &Stop<'_>) -> &'static str {
    match stop {
        Stop::EndTurn
        | Stop::Sequence
        | Stop::ToolUse
        | Stop::PauseTurn
        | Stop::Compaction
        | Stop::Other(_) => "stop",
        Stop::MaxTokens | Stop::ContextWindow => "length",
        Stop::Refusal | Stop::ContentFilter => "content_filter",
    }
}
