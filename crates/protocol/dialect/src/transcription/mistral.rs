//! `POST /v1/audio/transcriptions` of Mistral: OpenAI's form with fewer fields, and events of its own.

use memchr::memmem::Finder;

use super::openai::{read_json, write_head};
use super::{Request, Transcribing, Wanted, write_form};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::Error;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::{Cursor, Index};
use crate::media::stream::Emit;
use crate::media::{Content, Media, MediaEvent, ProviderSide, ReadMedia, Written};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};
use crate::relayed;

pub(crate) static FORMAT: Format = Format {
    name: "mistral_transcription",
    framing: Framing::Sse,
    code: Code::Transcription(Media::<Transcribing> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply: |answer| read_json(answer.json()?),
            stream_reader: Some(|_| Box::new(StreamReader::default())),
        }),
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::outermost("usage", || Finder::new("\"usage\""), relayed::read_usage),
    event_class: relayed::event_class,
};

/// Fields with a meaning here only.
const OWN_FIELDS: &[&str] = &["context_bias", "diarize", "file_id"];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    write_form(written, |form| {
        write_head(request, options, form);
        if request.granularities.is_empty() && request.format.has_times() {
            form.text("timestamp_granularities", "segment");
        }
        let granularities = request.granularities.iter();
        granularities.for_each(|it| form.text("timestamp_granularities", &it.plain()));
        let says_diarize = request.rest.iter().any(|(name, _)| name == "diarize");
        if request.format == Wanted::DiarizedJson && !says_diarize {
            form.text("diarize", "true");
        }
        request.write_rest(OWN_FIELDS, options, notes, form);
        match &request.file.content {
            Content::Url(url) => form.text("file_url", &url.plain()),
            Content::Bytes(_) | Content::Base64(_) => {
                let bytes = request.bytes(Dialect::MistralTranscription)?;
                request.write_file(&bytes, form);
            }
        }
        Ok(())
    })?;
    request.note(notes, &["prompt"]);
    request.note_format(notes);
    Ok(())
}

/// Reads `transcription.text.delta`, `transcription.segment` and `transcription.done`.
#[derive(Debug, Default)]
struct StreamReader {
    is_finished: bool,
    index: Index,
}

impl ReadMedia for StreamReader {
    fn read(&mut self, _: Option<&str>, data: &[u8], emit: Emit<'_>) -> Result<(), Error> {
        let root = self.index.read(data)?;
        let kind = fields::required_text(root, "type")?;
        let text = || fields::required_text(root, "text");
        match &*kind.plain() {
            "transcription.text.delta" => emit(MediaEvent::Text(text()?))?,
            "transcription.segment" => emit(MediaEvent::Segment {
                text: text()?,
                start: root.member("start"),
                end: root.member("end"),
                speaker: fields::lenient_text(root, "speaker_id"),
            })?,
            "transcription.done" => {
                emit(MediaEvent::Whole(text()?))?;
                self.is_finished = true;
            }
            // The language, and what may come.
            _ => {}
        }
        let mut usage = Usage::default();
        if let Some(counts) = root.member("usage") {
            relayed::read_usage(&mut Cursor::new(counts.text().as_bytes()), &mut usage);
        }
        if usage.reported { emit(MediaEvent::Usage(usage)) } else { Ok(()) }
    }

    fn is_finished(&self) -> bool {
        self.is_finished
    }
}
