//! `POST /v1/text-to-speech/{voice}` of ElevenLabs and its variants: `/stream` sends the sound while it is made,
//! `/with-timestamps` tells in JSON when each character is said.

use percent_encoding::utf8_percent_encode;

use super::openai::refuse_format;
use super::{ENCODED, Reply, Request, Sound, Speaking, type_of_format};
use crate::Dialect;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::{Object, Raw};
use crate::media::stream::PlainBytes;
use crate::media::{Answer, Media, ProviderSide, Written};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "elevenlabs_speech",
    framing: Framing::Bytes,
    code: Code::Speech(Media::<Speaking> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply,
            stream_reader: Some(|_: &ReplyOptions<'_>| Box::new(PlainBytes)),
        }),
    }),
    errors: openai_chat::ERRORS,
    // Characters are billed, and told in a header.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Members of the body with a meaning here only.
const OWN_MEMBERS: &[&str] = &[
    "apply_language_text_normalization",
    "apply_text_normalization",
    "next_request_ids",
    "next_text",
    "previous_request_ids",
    "previous_text",
    "pronunciation_dictionary_locators",
    "seed",
    "use_pvc_as_ivc",
];

/// Members of `voice_settings`.
const VOICE_SETTINGS: &[&str] = &["similarity_boost", "stability", "style", "use_speaker_boost"];

/// What stands in the query.
const QUERY: &[&str] = &["enable_logging", "optimize_streaming_latency"];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let format = request.format();
    let wire_format =
        wire_format(&format).ok_or_else(|| refuse_format(Dialect::ElevenLabsSpeech))?;
    let voice = request.only_voice(Dialect::ElevenLabsSpeech)?.plain().into_owned();
    let has_timestamps = request.wants_timestamps && !options.stream;
    let variant = match (options.stream, has_timestamps) {
        (true, _) => "/stream",
        (false, true) => "/with-timestamps",
        (false, false) => "",
    };
    let voice = utf8_percent_encode(&voice, ENCODED);
    written.path = format!("/{voice}{variant}?output_format={wire_format}");
    for (name, value) in request.rest.iter().filter(|(name, _)| QUERY.contains(&&**name)) {
        written.path.push_str(&format!("&{name}={}", query_value(*value)));
    }
    let mut body = Object::new(written.json());
    body.text("text", &request.input);
    body.str("model_id", options.model);
    body.text_if("language_code", request.language.as_ref());
    write_settings(request, &mut body);
    for (name, value) in &request.rest {
        match &**name {
            "voice_settings" => {}
            name if QUERY.contains(&name) || VOICE_SETTINGS.contains(&name) => {}
            name if OWN_MEMBERS.contains(&name) || options.pass_extra => body.raw(name, *value),
            name => notes.drop(name),
        }
    }
    request.note(notes, &["instructions"]);
    if !has_timestamps {
        request.note(notes, &["with_timestamps"]);
    }
    request.note_format(notes);
    notes.is_byte_stream = options.stream;
    Ok(())
}

/// `voice_settings`, put together from what the caller says for it and from the speed.
fn write_settings(request: &Request<'_>, body: &mut Object<'_>) {
    let named = request.rest.iter().filter(|(name, _)| VOICE_SETTINGS.contains(&&**name)).cloned();
    let given = request.rest.iter().find(|(name, _)| name == "voice_settings");
    let given = given.into_iter().flat_map(|(_, settings)| settings.members());
    let settings: Vec<_> = given.chain(named).collect();
    if settings.is_empty() && request.speed.is_none() {
        return;
    }
    let mut object = body.object("voice_settings");
    for (position, (name, value)) in settings.iter().enumerate() {
        let is_last = !settings.iter().skip(position + 1).any(|(later, _)| later == name);
        let is_speed = request.speed.is_some() && name == "speed";
        if is_last && !is_speed {
            object.raw(name, *value);
        }
    }
    object.raw_if("speed", request.speed);
}

/// The vendor's name of a format, sample and bit rates included; `wav` is made of samples.
fn wire_format(format: &str) -> Option<&str> {
    Some(match format {
        "" | "mp3" => "mp3_44100_128",
        "opus" => "opus_48000_128",
        "pcm" | "wav" => "pcm_24000",
        // A caller that knows the vendor's own names may use them.
        own if own.contains('_') && own.bytes().all(is_plain) => own,
        _ => return None,
    })
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn query_value(value: Raw<'_>) -> String {
    let text = value.as_str().unwrap_or_else(|| value.text().into());
    utf8_percent_encode(&text, ENCODED).to_string()
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let Some(root) = answer.root else {
        let mut reply = Reply::of_bytes(answer)?;
        // Samples come with a type that tells nothing.
        let wanted = answer.notes.reply_format.as_deref();
        if matches!(wanted, Some("wav" | "pcm")) {
            reply.media_type = "audio/pcm;rate=24000".into();
        }
        return Ok(reply);
    };
    let sound = Sound::Base64(fields::required_text(root, "audio_base64")?);
    let media_type = match answer.notes.reply_format.as_deref() {
        Some("wav" | "pcm") => "audio/pcm;rate=24000",
        format => type_of_format(format.unwrap_or_default()),
    };
    let mut reply = Reply::new(sound, media_type.into());
    reply.alignment = root.member("alignment");
    reply.normalized_alignment = root.member("normalized_alignment");
    Ok(reply)
}
