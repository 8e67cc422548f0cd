//! ElevenLabs' shapes: text to speech, speech to text, sounds, errors.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::form::{Form, Misfit, check, may, must};
use super::openai::{bytes, sound, transcript};
use super::refusal::Refusal;
use super::reply::{Body, Reply};
use super::routes::Call;

const SPEECH: Form = Form::Fields(&[
    must("text", Form::Text),
    may("model_id", Form::Text),
    may("language_code", Form::Text),
    may("voice_settings", Form::Object),
    may("pronunciation_dictionary_locators", Form::List(&Form::Object)),
    may("seed", Form::Integer),
    may("previous_text", Form::Text),
    may("next_text", Form::Text),
    may("previous_request_ids", Form::List(&Form::Text)),
    may("next_request_ids", Form::List(&Form::Text)),
    may("apply_text_normalization", Form::Choice(&["auto", "on", "off"])),
    may("apply_language_text_normalization", Form::Flag),
    may("use_pvc_as_ivc", Form::Flag),
]);

const SOUND: Form = Form::Fields(&[
    must("text", Form::Text),
    may("model_id", Form::Text),
    may("duration_seconds", Form::Decimal),
    may("prompt_influence", Form::Decimal),
    may("loop", Form::Flag),
]);

/// Fields of a form are texts.
const TRANSCRIPTION: Form = Form::Open(&[
    must("model_id", Form::Text),
    may("file", Form::Object),
    may("cloud_storage_url", Form::Text),
    may("language_code", Form::Text),
    may("diarize", Form::Choice(&["true", "false"])),
]);

/// Bytes in one piece of a stream.
const PIECE_BYTES: usize = 64;

/// `POST …/text-to-speech/VOICE`.
pub(crate) fn serve_speech(call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(bytes("audio/mpeg", spoken(call)?))
}

/// `POST …/text-to-speech/VOICE/stream`.
pub(crate) fn serve_stream(call: &Call<'_>) -> Result<Reply, Refusal> {
    let pieces = spoken(call)?.chunks(PIECE_BYTES).map(<[u8]>::to_vec).collect();
    Ok(Reply { body: Body::Pieces(pieces), ..bytes("audio/mpeg", Vec::new()) })
}

/// `POST …/text-to-speech/VOICE/with-timestamps`.
pub(crate) fn serve_with_timestamps(call: &Call<'_>) -> Result<Reply, Refusal> {
    let text = call.body["text"].as_str().unwrap_or_default();
    let characters: Vec<String> = text.chars().map(String::from).collect();
    let alignment = json!({
        "characters": characters,
        "character_start_times_seconds": vec![0.0; characters.len()],
        "character_end_times_seconds": vec![0.1; characters.len()],
    });
    let reply = json!({"audio_base64": STANDARD.encode(spoken(call)?), "alignment": alignment,
        "normalized_alignment": alignment});
    Ok(Reply::json(200, &reply))
}

fn spoken(call: &Call<'_>) -> Result<Vec<u8>, Refusal> {
    check(call.body, &SPEECH).map_err(|misfit| refusal(&misfit))?;
    let format = call.request.query("output_format");
    let codec = format.as_deref().and_then(|format| format.split('_').next()).unwrap_or("mp3");
    if !["mp3", "pcm", "ulaw", "alaw", "opus", "wav"].contains(&codec) {
        return Err(Refusal::invalid(format!("output_format: {codec} is not supported")));
    }
    Ok(sound(call.body["text"].as_str().unwrap_or_default(), codec))
}

/// `POST …/sound-generation`.
pub(crate) fn serve_sound(call: &Call<'_>) -> Result<Reply, Refusal> {
    check(call.body, &SOUND).map_err(|misfit| refusal(&misfit))?;
    Ok(bytes("audio/mpeg", sound(call.body["text"].as_str().unwrap_or_default(), "mp3")))
}

/// `POST …/speech-to-text`.
pub(crate) fn serve_transcription(call: &Call<'_>) -> Result<Reply, Refusal> {
    check(call.body, &TRANSCRIPTION).map_err(|misfit| refusal(&misfit))?;
    if call.body["file"].is_null() && call.body["cloud_storage_url"].is_null() {
        return Err(Refusal::invalid("Either file or cloud_storage_url must be provided."));
    }
    let text = transcript(&call.body["file"]);
    let word = |(position, word): (usize, &str)| {
        let start = position as f64 / 4.0;
        json!({"text": word, "start": start, "end": start + 0.25, "type": "word",
            "speaker_id": "speaker_0", "logprob": -0.1})
    };
    let words: Vec<Value> = text.split_inclusive(' ').enumerate().map(word).collect();
    let reply = json!({"language_code": "eng", "language_probability": 0.9, "text": text,
        "words": words, "transcription_id": format!("mock{}", call.id)});
    Ok(Reply::json(200, &reply))
}

/// A refusal as an error reply.
pub(crate) fn error(refusal: &Refusal) -> Reply {
    let status = match refusal.status {
        401 => "invalid_api_key",
        404 => "not_found",
        429 => "too_many_concurrent_requests",
        500.. => "internal_error",
        _ => "invalid_request",
    };
    let status = refusal.code.as_deref().unwrap_or(status);
    let detail = json!({"status": status, "message": refusal.message});
    Reply::json(refusal.status, &json!({"detail": detail}))
}

fn refusal(misfit: &Misfit) -> Refusal {
    let place = misfit.dotted();
    Refusal::new(422, format!("Invalid body: {place}")).param(place)
}
