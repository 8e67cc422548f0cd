//! `POST /v1/speech-to-text` of ElevenLabs: a form in; the text and each of its words with its time out.

use super::{Reply, Request, Timed, Transcribing, Wanted, write_form};
use crate::Dialect;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::Raw;
use crate::media::{Answer, Content, Media, ProviderSide, Written};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "elevenlabs_transcription",
    framing: Framing::Sse,
    code: Code::Transcription(Media::<Transcribing> {
        caller: None,
        provider: Some(ProviderSide { write_request, read_reply, stream_reader: None }),
    }),
    errors: openai_chat::ERRORS,
    // Seconds are billed.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Fields with a meaning here only.
const OWN_FIELDS: &[&str] = &[
    "additional_formats",
    "diarization_threshold",
    "diarize",
    "entity_detection",
    "file_format",
    "keyterms",
    "num_speakers",
    "seed",
    "tag_audio_events",
    "timestamps_granularity",
    "use_multi_channel",
];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    write_form(written, |form| {
        form.text("model_id", options.model);
        if let Some(language) = &request.language {
            form.text("language_code", &language.plain());
        }
        if let Some(temperature) = request.temperature {
            form.text("temperature", temperature.text());
        }
        let says = |wanted: &str| request.rest.iter().any(|(name, _)| name == wanted);
        if request.format == Wanted::DiarizedJson && !says("diarize") {
            form.text("diarize", "true");
        }
        request.write_rest(OWN_FIELDS, options, notes, form);
        match &request.file.content {
            Content::Url(url) => form.text("cloud_storage_url", &url.plain()),
            Content::Bytes(_) | Content::Base64(_) => {
                let bytes = request.bytes(Dialect::ElevenLabsTranscription)?;
                request.write_file(&bytes, form);
            }
        }
        Ok(())
    })?;
    // Words have their times unasked.
    request.note(notes, &["prompt"]);
    request.note_format(notes);
    Ok(())
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let words = match root.member("words") {
        Some(words) => fields::each("words", words, |_, word| read_word(word))?,
        None => Vec::new(),
    };
    Ok(Reply {
        text: fields::required_text(root, "text")?,
        language: fields::lenient_text(root, "language_code"),
        duration: root.member("audio_duration_secs").or_else(|| words.last().and_then(|it| it.end)),
        words: joined(words),
        ..Reply::default()
    })
}

fn read_word<'a>(word: Raw<'a>) -> Result<Timed<'a>, Error> {
    Ok(Timed {
        text: fields::required_text(word, "text")?,
        start: word.member("start"),
        end: word.member("end"),
        speaker: fields::lenient_text(word, "speaker_id"),
    })
}

/// Words with the spaces behind them, which the vendor lists like words.
fn joined(words: Vec<Timed<'_>>) -> Vec<Timed<'_>> {
    let mut joined: Vec<Timed<'_>> = Vec::with_capacity(words.len());
    for word in words {
        let text = word.text.plain();
        match joined.last_mut() {
            Some(last) if text.trim().is_empty() => {
                last.text = format!("{}{text}", last.text.plain()).into();
            }
            _ => {
                drop(text);
                joined.push(word);
            }
        }
    }
    joined
}
