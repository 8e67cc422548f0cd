//! OpenAI's sound: speech and transcriptions.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::misfit::refusal;
use super::{error_event, with_headers};
use crate::mock::form::{Form, check, may, must};
use crate::mock::refusal::Refusal;
use crate::mock::reply::{Body, Reply, data_event};
use crate::mock::routes::Call;
use crate::mock::text::tokens;

const SPEECH: Form = Form::Fields(&[
    must("input", Form::Text),
    must("model", Form::Text),
    must("voice", Form::Either(&[Form::Text, Form::Object])),
    may("instructions", Form::Text),
    may("response_format", Form::Choice(&["mp3", "opus", "aac", "flac", "wav", "pcm"])),
    may("speed", Form::Decimal),
    may("stream_format", Form::Choice(&["audio", "sse"])),
]);

/// Fields of a form are texts.
const TRANSCRIPTION: Form = Form::Fields(&[
    must("file", Form::Object),
    must("model", Form::Text),
    may("chunking_strategy", Form::Text),
    may("include", Form::List(&Form::Text)),
    may("language", Form::Text),
    may("prompt", Form::Text),
    may("response_format", Form::Choice(FORMATS)),
    may("stream", Form::Choice(&["true", "false", "True", "False"])),
    may("temperature", Form::Text),
    may("timestamp_granularities", Form::List(&Form::Choice(&["word", "segment"]))),
]);

const FORMATS: &[&str] = &["json", "text", "srt", "vtt", "verbose_json", "diarized_json"];

/// Pieces of a stream of sound.
const PIECE_BYTES: usize = 64;

/// `POST …/audio/speech`.
pub(crate) fn serve_speech(call: &Call<'_>) -> Result<Reply, Refusal> {
    check(call.body, &SPEECH).map_err(|misfit| refusal(&misfit))?;
    let text = |name| call.body.get(name).and_then(Value::as_str).unwrap_or_default();
    let sound = sound(text("input"), text("response_format"));
    if text("stream_format") != "sse" {
        return Ok(with_headers(bytes(media_type(text("response_format")), sound)));
    }
    let delta = |piece| json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)});
    let (input, output) = (tokens(text("input").len()).max(1), sound.len() as u64);
    let usage =
        json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output});
    let done = json!({"type": "speech.audio.done", "usage": usage});
    let events = sound.chunks(PIECE_BYTES).map(delta).chain([done]);
    Ok(with_headers(Reply::events(events.map(|event| data_event(&event)).collect(), error_event)))
}

/// Bytes that begin as such a file does and depend on the text.
pub(crate) fn sound(text: &str, format: &str) -> Vec<u8> {
    let begin: &[u8] = match format {
        "wav" => b"RIFF\x24\0\0\0WAVEfmt ",
        "flac" => b"fLaC",
        "opus" => b"OggS",
        "aac" | "pcm" => b"",
        _ => b"ID3\x04",
    };
    let bytes = text.bytes().flat_map(|byte| [byte, !byte]);
    begin.iter().copied().chain(bytes).chain([0; 256]).collect()
}

fn media_type(format: &str) -> &'static str {
    match format {
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "opus" => "audio/ogg",
        "aac" => "audio/aac",
        "pcm" => "audio/pcm",
        _ => "audio/mpeg",
    }
}

/// A reply of bytes.
pub(crate) fn bytes(content_type: &str, body: Vec<u8>) -> Reply {
    let headers = vec![("content-type".to_owned(), content_type.to_owned())];
    Reply { status: 200, headers, body: Body::Whole(body), break_off: None }
}

/// `POST …/audio/transcriptions`.
pub(crate) fn serve_transcription(call: &Call<'_>) -> Result<Reply, Refusal> {
    check(call.body, &TRANSCRIPTION).map_err(|misfit| refusal(&misfit))?;
    let field = |name| call.body.get(name).and_then(Value::as_str).unwrap_or_default();
    let text = transcript(&call.body["file"]);
    let output = tokens(text.len());
    let usage = json!({
        "type": "tokens", "input_tokens": 10, "output_tokens": output, "total_tokens": 10 + output,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 10},
    });
    if matches!(field("stream"), "true" | "True") {
        return Ok(with_headers(events(&text, &usage)));
    }
    let plain = |text: String| bytes("text/plain; charset=utf-8", text.into_bytes());
    Ok(with_headers(match field("response_format") {
        "text" => plain(format!("{text}\n")),
        "srt" => plain(format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n")),
        "vtt" => plain(format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n")),
        "verbose_json" => Reply::json(200, &verbose(&text)),
        "diarized_json" => {
            let segment = json!({"type": "transcript.text.segment", "id": "seg_0", "start": 0.0,
                "end": 1.0, "text": text, "speaker": "A"});
            let reply = json!({"task": "transcribe", "duration": 1.0, "text": text,
                "segments": [segment], "usage": usage});
            Reply::json(200, &reply)
        }
        _ => Reply::json(200, &json!({"text": text, "usage": usage})),
    }))
}

/// What is said in a recording, which is told by its name and size.
pub(crate) fn transcript(file: &Value) -> String {
    let name = file.get("filename").and_then(Value::as_str).unwrap_or("sound");
    let bytes = file.get("bytes").and_then(Value::as_u64).unwrap_or_default();
    format!("mock transcript of {name} with {bytes} bytes")
}

fn verbose(text: &str) -> Value {
    let segment = json!({
        "id": 0, "seek": 0, "start": 0.0, "end": 1.0, "text": text, "tokens": [1], "temperature": 0.0,
        "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01,
    });
    json!({"task": "transcribe", "language": "english", "duration": 1.0, "text": text,
        "segments": [segment], "usage": {"type": "duration", "seconds": 1}})
}

fn events(text: &str, usage: &Value) -> Reply {
    let words = text.split_inclusive(' ');
    let delta = |word| json!({"type": "transcript.text.delta", "delta": word});
    let done = json!({"type": "transcript.text.done", "text": text, "usage": usage});
    let events = words.map(delta).chain([done]).map(|event| data_event(&event)).collect();
    Reply::events(events, error_event)
}
