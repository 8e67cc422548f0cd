//! `POST /speech-to-text` of Sarvam: a form in, JSON out.

use super::{Reply, Request, Timed, Transcribing, write_form};
use crate::Dialect;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::Raw;
use crate::media::{Answer, Media, ProviderSide, Written};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "sarvam_transcription",
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
const OWN_FIELDS: &[&str] = &["input_audio_codec", "mode", "with_diarization"];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let bytes = request.bytes(Dialect::SarvamTranscription)?;
    write_form(written, |form| {
        form.text("model", options.model);
        if let Some(language) = &request.language {
            form.text("language_code", &language.plain());
        }
        if request.wants_times() {
            form.text("with_timestamps", "true");
        }
        request.write_rest(OWN_FIELDS, options, notes, form);
        request.write_file(&bytes, form);
        Ok(())
    })?;
    request.note(notes, &["prompt", "temperature"]);
    request.note_format(notes);
    Ok(())
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let diarized = root.member("diarized_transcript").and_then(|it| it.member("entries"));
    let segments = match (root.member("timestamps"), diarized) {
        (_, Some(entries)) => fields::each("entries", entries, |_, entry| {
            Ok(Timed {
                text: fields::required_text(entry, "transcript")?,
                start: entry.member("start_time_seconds"),
                end: entry.member("end_time_seconds"),
                speaker: fields::lenient_text(entry, "speaker_id"),
            })
        })?,
        (Some(timestamps), None) => read_timestamps(timestamps)?,
        (None, None) => Vec::new(),
    };
    Ok(Reply {
        text: fields::required_text(root, "transcript")?,
        language: fields::lenient_text(root, "language_code"),
        segments,
        ..Reply::default()
    })
}

/// Three lists of the same length: texts, beginnings and ends.
fn read_timestamps<'a>(timestamps: Raw<'a>) -> Result<Vec<Timed<'a>>, Error> {
    let list = |name| timestamps.member(name).into_iter().flat_map(|list: Raw<'a>| list.elements());
    let times = list("start_time_seconds").zip(list("end_time_seconds"));
    let texts = fields::required(timestamps, "words")?;
    let texts = fields::each("words", texts, |_, word| fields::text("", word))?;
    let timed = texts.into_iter().zip(times);
    Ok(timed
        .map(|(text, (start, end))| Timed {
            text,
            start: Some(start),
            end: Some(end),
            speaker: None,
        })
        .collect())
}
