//! Sound and pictures of the built-in provider: a short tone, a sentence about the recording, one grey point.

use axum::Json;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wire::{FormReader, form_boundary};

use super::refuse;

/// A picture of one point.
const PICTURE: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// Samples of the tone a second, and how many of them it has: a quarter of a second.
const RATE: u32 = 8_000;
const SAMPLES: u32 = RATE / 4;

/// Half a period of the tone, in samples.
const HALF_PERIOD: u32 = 9;

/// How far the tone swings to either side: quietly.
const SWING: i16 = 1_000;

/// `POST /mock/v1/audio/speech`.
pub(crate) async fn speech(body: Bytes) -> Response {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return refuse("The body is not valid JSON.");
    };
    let is_text = |name: &&str| request[*name].is_string();
    if let Some(missing) = ["model", "input", "voice"].iter().find(|name| !is_text(name)) {
        return refuse(&format!("`{missing}` must be a string."));
    }
    if request["stream_format"] != "sse" {
        return ([(CONTENT_TYPE, "audio/wav")], tone()).into_response();
    }
    let delta = json!({"type": "speech.audio.delta", "audio": STANDARD.encode(tone())});
    let usage = json!({"input_tokens": 1, "output_tokens": 1, "total_tokens": 2});
    events(&[delta, json!({"type": "speech.audio.done", "usage": usage})])
}

/// `POST /mock/v1/audio/transcriptions`.
pub(crate) async fn transcription(headers: HeaderMap, body: Bytes) -> Response {
    let form = match Form::read(&headers, &body) {
        Ok(form) => form,
        Err(message) => return refuse(&message),
    };
    let Some((_, bytes)) = form.files.iter().find(|(name, _)| name == "file") else {
        return refuse("`file` must be a file.");
    };
    let text = format!(
        "This is the mock provider of the gateway: it got your recording of {bytes} bytes. Set \
         OPENAI_API_KEY, or put a provider key into config.json, for a real transcript."
    );
    if form.field("stream") == Some("true") {
        let delta = json!({"type": "transcript.text.delta", "delta": text});
        return events(&[delta, json!({"type": "transcript.text.done", "text": text})]);
    }
    match form.field("response_format") {
        Some("text") => format!("{text}\n").into_response(),
        Some("srt") => format!("1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n").into_response(),
        Some("vtt") => {
            format!("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n{text}\n\n").into_response()
        }
        Some("verbose_json") => {
            let whole = json!({"task": "transcribe", "language": "english", "duration": 1.0,
                "text": text, "segments": []});
            Json(whole).into_response()
        }
        _ => Json(json!({"text": text})).into_response(),
    }
}

/// `POST /mock/v1/images/generations`.
pub(crate) async fn drawing(body: Bytes) -> Response {
    match serde_json::from_slice::<Value>(&body) {
        Ok(request) if request["prompt"].is_string() => picture(),
        Ok(_) => refuse("`prompt` must be a string."),
        Err(_) => refuse("The body is not valid JSON."),
    }
}

/// `POST /mock/v1/images/edits` and `/mock/v1/images/variations`.
pub(crate) async fn changed_picture(headers: HeaderMap, body: Bytes) -> Response {
    match Form::read(&headers, &body) {
        Ok(form) if form.files.iter().any(|(name, _)| name.starts_with("image")) => picture(),
        Ok(_) => refuse("`image` must be a file."),
        Err(message) => refuse(&message),
    }
}

fn picture() -> Response {
    Json(json!({"created": 0, "data": [{"b64_json": PICTURE}]})).into_response()
}

fn events(events: &[Value]) -> Response {
    let frames: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, frames + "data: [DONE]\n\n").into_response()
}

/// A file with the tone: one channel of 16-bit samples.
fn tone() -> Vec<u8> {
    const HEADER_BYTES: u32 = 44;
    const SAMPLE_BYTES: u32 = 2;
    let length = SAMPLES * SAMPLE_BYTES;
    let mut file = Vec::with_capacity((HEADER_BYTES + length) as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(HEADER_BYTES - 8 + length).to_le_bytes());
    // Sixteen bytes of format: plain samples, one channel.
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * SAMPLE_BYTES).to_le_bytes());
    // Bytes and bits of a sample.
    file.extend_from_slice(b"\x02\0\x10\0data");
    file.extend_from_slice(&length.to_le_bytes());
    for sample in 0..SAMPLES {
        let is_up = (sample / HALF_PERIOD).is_multiple_of(2);
        file.extend_from_slice(&(if is_up { SWING } else { -SWING }).to_le_bytes());
    }
    file
}

/// A form: texts by their names, and files with their names and sizes.
struct Form {
    texts: Vec<(String, String)>,
    files: Vec<(String, usize)>,
}

impl Form {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, String> {
        let content_type = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let boundary = form_boundary(content_type).map_err(|error| error.to_string())?;
        let boundary = boundary.ok_or("The body must be a form (multipart/form-data).")?;
        let mut reader = FormReader::new(&boundary, body);
        let mut form = Self { texts: Vec::new(), files: Vec::new() };
        while let Some(part) = reader.next_part().map_err(|error| error.to_string())? {
            let (name, value) = (part.name.into_owned(), body.get(part.value).unwrap_or_default());
            match part.file_name {
                Some(_) => form.files.push((name, value.len())),
                None => form.texts.push((name, String::from_utf8_lossy(value).into_owned())),
            }
        }
        Ok(form)
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use http_body_util::BodyExt;
    use wire::FormWriter;

    use super::*;

    async fn body(response: Response) -> (u16, Vec<u8>) {
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.expect("a body").to_bytes().to_vec())
    }

    fn form(fields: &[(&str, &str)], files: &[&str]) -> (HeaderMap, Bytes) {
        let mut bytes = Vec::new();
        let mut form = FormWriter::new(&mut bytes);
        fields.iter().for_each(|(name, value)| form.text(name, value));
        files.iter().for_each(|name| form.file(name, "a.bin", "audio/wav", b"12345"));
        let content_type = HeaderValue::from_str(&form.end()).expect("a header");
        (HeaderMap::from_iter([(CONTENT_TYPE, content_type)]), bytes.into())
    }

    #[tokio::test]
    async fn a_tone_is_a_file() {
        let request = json!({"model": "m", "input": "hi", "voice": "v"}).to_string();
        let (status, file) = body(speech(request.into()).await).await;
        assert_eq!((status, file.len()), (200, 44 + 4_000));
        assert!(file.starts_with(b"RIFF\xc4\x0f\0\0WAVE"));
        let (status, refusal) = body(speech("{\"model\":\"m\"}".into()).await).await;
        assert!(status == 400 && String::from_utf8_lossy(&refusal).contains("`input`"));
    }

    #[tokio::test]
    async fn a_recording_is_told_by_its_size() {
        for (format, start) in [("json", "{\"text\":\"This"), ("text", "This"), ("vtt", "WEBVTT")] {
            let (headers, bytes) = form(&[("response_format", format)], &["file"]);
            let (status, text) = body(transcription(headers, bytes).await).await;
            let text = String::from_utf8(text).expect("text");
            assert!(status == 200 && text.starts_with(start), "{text}");
            assert!(text.contains("recording of 5 bytes"), "{text}");
        }
        let (headers, bytes) = form(&[("stream", "true")], &["file"]);
        let (_, events) = body(transcription(headers, bytes).await).await;
        assert!(events.ends_with(b"data: [DONE]\n\n"));
        let (headers, bytes) = form(&[], &[]);
        assert_eq!(body(transcription(headers, bytes).await).await.0, 400);
        assert_eq!(body(transcription(HeaderMap::new(), Bytes::new()).await).await.0, 400);
    }

    #[tokio::test]
    async fn a_picture_comes_for_words_and_for_pictures() {
        let (headers, bytes) = form(&[("prompt", "green")], &["image[]"]);
        assert_eq!(body(changed_picture(headers, bytes).await).await.0, 200);
        let (headers, bytes) = form(&[("prompt", "green")], &[]);
        assert_eq!(body(changed_picture(headers, bytes).await).await.0, 400);
        assert_eq!(body(drawing("{\"prompt\":\"a cat\"}".into()).await).await.0, 200);
        assert_eq!(body(drawing("{}".into()).await).await.0, 400);
    }
}
