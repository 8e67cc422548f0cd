//! Operations of one wire format only: they are relayed as they are, and asked for nothing but their errors and what they
//! used. And what sound and text made from sound have in common wherever OpenAI's formats are spoken.

use crate::canonical::Usage;
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing, Purpose, UsagePlace};
use crate::json::{Cursor, find_member};
use crate::openai_chat;

/// The description of a sound to the sound, at ElevenLabs.
pub(crate) static SOUND: Format = Format {
    name: "elevenlabs_sound",
    framing: Framing::Sse,
    code: Code::Relayed(Purpose::Sound),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// A document to text, in JSON both; pages are billed, not tokens.
pub(crate) static OCR: Format = Format {
    name: "mistral_ocr",
    framing: Framing::Sse,
    code: Code::Relayed(Purpose::Ocr),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Reads tokens, in OpenAI's spelling or in that of hosts which spell them as for chat. What is measured in seconds has
/// none.
pub(crate) fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let (mut total, mut is_reported) = (None, false);
    usage.object(|name, value| {
        is_reported |= name.ends_with(b"_tokens");
        match name {
            b"input_tokens" | b"prompt_tokens" => Usage::set(&mut into.input, value.count()?),
            b"output_tokens" | b"completion_tokens" => {
                Usage::set(&mut into.output, value.count()?);
            }
            b"total_tokens" => total = value.count()?,
            b"input_token_details" | b"prompt_tokens_details" => {
                value.object_or_skip(|name, value| {
                    match name {
                        b"audio_tokens" => Usage::set(&mut into.audio_input, value.count()?),
                        b"cached_tokens" => Usage::set(&mut into.cached_read, value.count()?),
                        _ => drop(value.value()?),
                    }
                    Some(())
                })?;
            }
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = is_reported;
    into.total = into.input.saturating_add(into.output);
    Usage::set(&mut into.total, total);
    Some(())
}

/// `speech.audio.delta`, `transcript.text.done` and their like; the last one carries the usage.
pub(crate) fn event_class(_: Option<&str>, data: &[u8]) -> EventClass {
    if data.trim_ascii() == b"[DONE]" {
        return EventClass::Done;
    }
    match find_member(data, "error") {
        Some(error) if error != b"null" => EventClass::Error,
        _ => EventClass::Output,
    }
}
