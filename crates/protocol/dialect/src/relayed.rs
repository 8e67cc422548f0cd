//! Operations of one wire format only, or whose bodies are no JSON: they are relayed as they are, and asked for nothing
//! but their errors and what they used.

use memchr::memmem::Finder;

use crate::canonical::Usage;
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing, Purpose, UsagePlace};
use crate::json::{Cursor, find_member};
use crate::openai_chat;

/// A text in JSON to sound in bytes, or in events that end with one that says what was used.
pub(crate) static SPEECH: Format = Format {
    name: "openai_speech",
    framing: Framing::Sse,
    code: Code::Relayed(Purpose::Speech),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class,
};

/// A form with a recording to its text.
pub(crate) static TRANSCRIPTION: Format = Format {
    name: "openai_transcription",
    framing: Framing::Sse,
    code: Code::Relayed(Purpose::Transcription),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class,
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

const fn usage_place() -> UsagePlace {
    UsagePlace::outermost("usage", || Finder::new("\"usage\""), read_usage)
}

/// Reads tokens, in OpenAI's spelling or in that of hosts which spell them as for chat. What is measured in seconds has
/// none.
fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
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
fn event_class(_: Option<&str>, data: &[u8]) -> EventClass {
    if data.trim_ascii() == b"[DONE]" {
        return EventClass::Done;
    }
    match find_member(data, "error") {
        Some(error) if error != b"null" => EventClass::Error,
        _ => EventClass::Output,
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, EventClass, UsageReader, event_class};

    #[test]
    fn the_last_event_says_what_was_used() {
        let mut reader = UsageReader::new(Dialect::OpenAiTranscription);
        reader.event(None, br#"{"type":"transcript.text.delta","delta":"\"usage\":{"}"#);
        assert!(!reader.usage().reported);
        reader.event(
            None,
            br#"{"type":"transcript.text.done","text":"a","usage":{"type":"tokens","total_tokens":9,"input_tokens":4,"input_token_details":{"audio_tokens":3},"output_tokens":5}}"#,
        );
        let usage = reader.usage();
        assert_eq!((usage.input, usage.output, usage.total), (4, 5, 9));
        assert_eq!(usage.audio_input, 3);
    }

    #[test]
    fn seconds_are_no_tokens() {
        let mut reader = UsageReader::new(Dialect::OpenAiTranscription);
        reader.reply(br#"{"text":"a","usage":{"type":"duration","seconds":6}}"#);
        assert!(!reader.usage().reported);
    }

    #[test]
    fn events_are_output_unless_they_say_otherwise() {
        for (data, class) in [
            (r#"{"type":"speech.audio.delta","audio":"AA=="}"#, EventClass::Output),
            (r#"{"error":{"message":"x"}}"#, EventClass::Error),
            ("[DONE]", EventClass::Done),
        ] {
            assert_eq!(event_class(Dialect::OpenAiSpeech, None, data.as_bytes()), class, "{data}");
        }
    }
}
