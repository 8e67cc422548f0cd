//! The task "automatic speech recognition" of Hugging Face's own inference: the recording itself in, or JSON with it.

use std::fmt::Write;

use super::{Reply, Request, Timed, Transcribing, Wanted};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::Object;
use crate::media::{Answer, Media, ProviderSide, Written};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "huggingface_transcription",
    framing: Framing::Sse,
    code: Code::Transcription(Media::<Transcribing> {
        caller: None,
        provider: Some(ProviderSide { write_request, read_reply, stream_reader: None }),
    }),
    errors: openai_chat::ERRORS,
    // Time is billed.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// The inference that Hugging Face runs itself, as it is named in front of a model.
const OWN_INFERENCE: &str = "hf-inference/";

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let target = Dialect::HuggingFaceTranscription;
    if request.format == Wanted::DiarizedJson {
        return Err(Error::at("response_format", What::Inexpressible(target)));
    }
    written.path = path_of_model(options.model, target)?;
    let bytes = request.bytes(target)?;
    if request.wants_times() || request.temperature.is_some() {
        let data = request.file.base64().ok_or(Error::at("file", What::Inexpressible(target)))?;
        let mut body = Object::new(written.json());
        body.text("inputs", &data);
        let mut parameters = body.object("parameters");
        if request.wants_times() {
            parameters.bool("return_timestamps", true);
        }
        if let Some(temperature) = request.temperature {
            parameters.object("generation_parameters").raw("temperature", temperature);
        }
    } else {
        let media_type = request.file.media_type();
        written.content_type = media_type.as_deref().unwrap_or("audio/mpeg").to_owned().into();
        written.body = bytes.into_owned();
    }
    request.note(notes, &["language", "prompt"]);
    request.rest.iter().for_each(|(name, _)| notes.drop(name));
    request.note_format(notes);
    Ok(())
}

/// The path of a model of Hugging Face's own inference; hosts behind its router have paths and bodies of their own.
pub(crate) fn path_of_model(model: &str, target: Dialect) -> Result<String, Error> {
    let model = model.strip_prefix(OWN_INFERENCE).unwrap_or(model);
    if model.split('/').count() > 2 {
        return Err(Error::at("model", What::Inexpressible(target)));
    }
    let mut path = String::new();
    for segment in model.split('/') {
        let encoded = percent_encoding::utf8_percent_encode(segment, crate::speech::ENCODED);
        write!(path, "/{encoded}").expect("writing into a string cannot fail");
    }
    Ok(path)
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let segments = match root.member("chunks") {
        Some(chunks) => fields::each("chunks", chunks, |_, chunk| {
            let mut times = chunk.member("timestamp").into_iter().flat_map(|it| it.elements());
            Ok(Timed {
                text: fields::required_text(chunk, "text")?,
                start: times.next().filter(|time| !time.is_null()),
                end: times.next().filter(|time| !time.is_null()),
                speaker: None,
            })
        })?,
        None => Vec::new(),
    };
    Ok(Reply { text: fields::required_text(root, "text")?, segments, ..Reply::default() })
}
