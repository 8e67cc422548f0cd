//! The task "text to speech" of Hugging Face's own inference: `POST /hf-inference/models/{model}`.

use super::openai::refuse_format;
use super::{Reply, Request, Speaking};
use crate::Dialect;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::Object;
use crate::media::{Media, ProviderSide, Written};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};
use crate::transcription::huggingface::path_of_model;

pub(crate) static FORMAT: Format = Format {
    name: "huggingface_speech",
    framing: Framing::Bytes,
    code: Code::Speech(Media::<Speaking> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply: |answer| Reply::of_bytes(answer),
            stream_reader: None,
        }),
    }),
    errors: openai_chat::ERRORS,
    // Time is billed.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Writes the text. A model has one voice, which is named with it, and one format, which the reply tells.
fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    request.only_voice(Dialect::HuggingFaceSpeech)?;
    if !["", "flac", "wav"].contains(&&*request.format()) {
        return Err(refuse_format(Dialect::HuggingFaceSpeech));
    }
    written.path = path_of_model(options.model, Dialect::HuggingFaceSpeech)?;
    let mut body = Object::new(written.json());
    body.text("inputs", &request.input);
    notes.drop("voice");
    request.note(notes, &["instructions", "speed", "language_code", "with_timestamps"]);
    request.write_rest(&["parameters"], options, notes, &mut body);
    Ok(())
}
