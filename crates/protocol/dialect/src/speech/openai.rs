//! `POST …/audio/speech` of OpenAI: JSON in; sound out, or events with pieces of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem::Finder;

use super::{Reply, Request, Sound, Speaking, Voice};
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Code, Format, Framing, Trailer, UsagePlace};
use crate::json::{Object, Raw, Text};
use crate::media::stream::misplaced;
use crate::media::{
    Answer, CallerSide, Media, MediaEvent, ProviderSide, Question, WriteMedia, Written,
};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};
use crate::relayed;

pub(crate) static FORMAT: Format = Format {
    name: "openai_speech",
    framing: Framing::Sse,
    code: Code::Speech(Media::<Speaking> {
        caller: Some(CallerSide {
            read_request,
            write_reply,
            stream_writer: Some(|_| Box::new(StreamWriter)),
        }),
        provider: Some(ProviderSide { write_request, read_reply, stream_reader: None }),
    }),
    errors: openai_chat::ERRORS,
    usage: UsagePlace::outermost("usage", || Finder::new("\"usage\""), relayed::read_usage),
    event_class: relayed::event_class,
};

fn read_request<'a>(question: &Question<'a>) -> Result<Request<'a>, Error> {
    let root = fields::object("", question.root)?;
    let voice = fields::required(root, "voice")?;
    let mut request = Request {
        input: fields::required_text(root, "input")?,
        voice: read_voice(voice)?,
        instructions: None,
        format: None,
        speed: None,
        language: None,
        wants_timestamps: false,
        rest: Vec::new(),
    };
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "input" | "voice" | "stream_format" | "stream" => {}
            "instructions" => request.instructions = Some(fields::text(&name, value)?),
            "response_format" => request.format = Some(fields::text(&name, value)?),
            "speed" => request.speed = Some(fields::number(&name, value)?),
            "language_code" => request.language = Some(fields::text(&name, value)?),
            "with_timestamps" => request.wants_timestamps = fields::boolean(&name, value)?,
            "extra_params" => request.rest.extend(fields::object(&name, value)?.members()),
            _ => request.rest.push((name, value)),
        }
    }
    Ok(request)
}

/// A name, an object with an id, or a list of speakers.
fn read_voice(voice: Raw<'_>) -> Result<Voice<'_>, Error> {
    if let Some(name) = voice.as_text() {
        return Ok(Voice::One(name));
    }
    if voice.is_array() {
        let speakers = fields::each("voice", voice, |_, it| {
            Ok((fields::required_text(it, "speaker")?, fields::required_text(it, "voice")?))
        })?;
        return Ok(Voice::Several(speakers));
    }
    let id = fields::lenient_text(voice, "id");
    let wrong = || fields::wrong_type("voice", "a name, or a list of speakers with their voices");
    id.map(Voice::One).ok_or_else(wrong)
}

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let mut body = Object::new(written.json());
    body.str("model", options.model);
    body.text("input", &request.input);
    body.text("voice", request.only_voice(crate::Dialect::OpenAiSpeech)?);
    body.text_if("instructions", request.instructions.as_ref());
    body.text_if("response_format", request.format.as_ref());
    body.raw_if("speed", request.speed);
    if options.stream {
        body.str("stream_format", "sse");
    }
    request.note(notes, &["language_code", "with_timestamps"]);
    request.write_rest(&[], options, notes, &mut body);
    Ok(())
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    Reply::of_bytes(answer)
}

/// Sound is written as it is; where the caller wants to know when what is said, it stands in JSON beside that.
fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    written: &mut Written,
) -> Result<(), Error> {
    let (bytes, media_type) = reply.bytes_for(options.notes.reply_format.as_deref())?;
    let Some(alignment) = reply.alignment else {
        written.content_type = media_type.into_owned().into();
        written.body = bytes.into_owned();
        return Ok(());
    };
    let mut object = Object::new(written.json());
    match &reply.sound {
        Sound::Base64(text) => object.text("audio_base64", text),
        Sound::Bytes(bytes) => object.str("audio_base64", &STANDARD.encode(bytes)),
    }
    object.raw("alignment", alignment);
    object.raw_if("normalized_alignment", reply.normalized_alignment);
    object.members(options.trailer);
    Ok(())
}

/// Writes `speech.audio.delta` and, at the end, `speech.audio.done`.
#[derive(Debug)]
struct StreamWriter;

impl WriteMedia for StreamWriter {
    fn write(
        &mut self,
        event: MediaEvent<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let sound: Text<'_> = match event {
            MediaEvent::Bytes(bytes) => STANDARD.encode(bytes).into(),
            MediaEvent::Base64(text) => text,
            MediaEvent::Text(_)
            | MediaEvent::Segment { .. }
            | MediaEvent::Whole(_)
            | MediaEvent::Usage(_) => return Err(misplaced()),
        };
        write_event("speech.audio.delta", trailer, out, |object| object.text("audio", &sound));
        Ok(())
    }

    fn end(&mut self, usage: &Usage, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        write_event("speech.audio.done", trailer, out, |object| {
            let mut counts = object.object("usage");
            counts.u64("input_tokens", usage.input);
            counts.u64("output_tokens", usage.output);
            counts.u64("total_tokens", usage.total);
        });
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

/// Writes one event of OpenAI's streams of sound and of text made from sound.
pub(crate) fn write_event(
    kind: &str,
    trailer: Trailer<'_>,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Object<'_>),
) {
    out.extend_from_slice(b"data: ");
    let mut object = Object::new(out);
    object.str("type", kind);
    write(&mut object);
    let mut members = Vec::new();
    trailer(&mut members);
    object.members(&members);
    drop(object);
    out.extend_from_slice(b"\n\n");
}

/// Refuses a format that the target has not.
pub(super) fn refuse_format(target: crate::Dialect) -> Error {
    Error::at("response_format", What::Inexpressible(target))
}
