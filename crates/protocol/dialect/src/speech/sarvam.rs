//! `POST /text-to-speech` of Sarvam, which speaks the languages of India; `/stream` sends the sound while it is made.

use super::openai::refuse_format;
use super::{Reply, Request, Sound, Speaking, type_of_format};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::{Object, Text};
use crate::media::stream::PlainBytes;
use crate::media::{Answer, Media, ProviderSide, Written};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "sarvam_speech",
    framing: Framing::Bytes,
    code: Code::Speech(Media::<Speaking> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply,
            stream_reader: Some(|_| Box::new(PlainBytes)),
        }),
    }),
    errors: openai_chat::ERRORS,
    // Characters are billed.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Members with a meaning here only.
const OWN_MEMBERS: &[&str] =
    &["enable_preprocessing", "loudness", "pitch", "speech_sample_rate", "temperature"];

/// The language of a text whose caller names none: the API demands one.
const LANGUAGE_DEFAULT: &str = "en-IN";

/// What the API calls the formats it has.
const CODECS: &[(&str, &str)] = &[
    ("mp3", "mp3"),
    ("opus", "opus"),
    ("aac", "aac"),
    ("flac", "flac"),
    ("wav", "wav"),
    ("pcm", "linear16"),
];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let format = request.format();
    let format = if format.is_empty() { "mp3" } else { &*format };
    let codec = CODECS.iter().find(|(known, _)| *known == format);
    let (_, codec) = codec.ok_or_else(|| refuse_format(Dialect::SarvamSpeech))?;
    if options.stream {
        written.path = "/stream".to_owned();
    }
    let mut body = Object::new(written.json());
    body.text("text", &request.input);
    let default = Text::from(LANGUAGE_DEFAULT);
    body.text("target_language_code", request.language.as_ref().unwrap_or(&default));
    body.text("speaker", request.only_voice(Dialect::SarvamSpeech)?);
    body.str("model", options.model);
    body.raw_if("pace", request.speed);
    body.str("output_audio_codec", codec);
    request.note(notes, &["instructions", "with_timestamps"]);
    request.write_rest(OWN_MEMBERS, options, notes, &mut body);
    notes.reply_format = Some(format.to_owned());
    notes.is_byte_stream = options.stream;
    Ok(())
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let audios = fields::required(answer.json()?, "audios")?;
    let audios = fields::each("audios", audios, |_, audio| fields::text("", audio))?;
    let format = answer.notes.reply_format.as_deref().unwrap_or_default();
    match <[_; 1]>::try_from(audios) {
        Ok([audio]) => Ok(Reply::new(Sound::Base64(audio), type_of_format(format).into())),
        Err(_) => Err(Error::at("audios", What::Invalid("must hold one recording"))),
    }
}
