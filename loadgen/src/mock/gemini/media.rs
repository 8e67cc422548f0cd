//! Google's models that speak and draw: sound and pictures in place of text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::mock::conversation::{items, text, texts};
use crate::mock::form::{Form, check, may, must};
use crate::mock::openai::{PIXEL, sound};
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;
use crate::mock::routes::Call;

/// Bytes of sound in one chunk of a stream.
const CHUNK_BYTES: usize = 96;

/// The chunks of an answer that is no text; `None` where text is asked for.
pub(super) fn chunks(call: &Call<'_>, request: &Value) -> Result<Option<Vec<Value>>, Refusal> {
    let setting = |name: &str| request.pointer(&format!("/generationConfig/{name}"));
    let modalities = texts(setting("responseModalities"));
    let has = |wanted: &str| modalities.iter().any(|modality| modality == wanted);
    if has("AUDIO") {
        let voice = setting("speechConfig").filter(|config| config.is_object());
        if voice.is_none() {
            let message = "speechConfig is required for a response in AUDIO";
            return Err(Refusal::invalid(message).param("generation_config.speech_config"));
        }
        let samples = sound(&said(request), "pcm");
        let part = |piece: &[u8]| inline("audio/L16;codec=pcm;rate=24000", STANDARD.encode(piece));
        let parts: Vec<Value> = samples.chunks(CHUNK_BYTES).map(part).collect();
        return Ok(Some(envelopes(call, parts, "AUDIO")));
    }
    let parts = vec![json!({"text": "Here you are."}), inline("image/png", PIXEL.to_owned())];
    Ok(has("IMAGE").then(|| envelopes(call, parts, "IMAGE")))
}

/// All chunks as one response.
pub(super) fn whole(call: &Call<'_>, chunks: &[Value]) -> Reply {
    let parts = chunks.iter().flat_map(|it| items(it.pointer("/candidates/0/content/parts")));
    let mut all = chunks.last().cloned().unwrap_or_default();
    let parts: Vec<Value> = parts.cloned().collect();
    // Sound comes in one part.
    let data = parts.iter().filter_map(|part| part.pointer("/inlineData/data")?.as_str());
    let joined: Vec<u8> = data.filter_map(|data| STANDARD.decode(data).ok()).flatten().collect();
    let is_sound = parts.iter().all(|part| part.get("text").is_none());
    let mime = parts.iter().find_map(|part| part.pointer("/inlineData/mimeType")?.as_str());
    let parts = match (is_sound, mime) {
        (true, Some(mime)) => vec![inline(mime, STANDARD.encode(joined))],
        _ => parts,
    };
    all["candidates"][0]["content"]["parts"] = parts.into();
    all["responseId"] = json!(format!("mock{}", call.id));
    Reply::json(200, &all)
}

const PREDICT: Form = Form::Fields(&[
    must("instances", Form::List(&INSTANCE)),
    may("parameters", Form::Object),
    may("labels", Form::Object),
]);

const INSTANCE: Form =
    Form::Fields(&[must("prompt", Form::Text), may("referenceImages", Form::List(&REFERENCE))]);

const REFERENCE: Form = Form::Open(&[
    must("referenceType", Form::Text),
    must("referenceId", Form::Integer),
    must("referenceImage", Form::Open(&[may("bytesBase64Encoded", Form::Base64)])),
]);

/// `POST …/models/MODEL:predict` of a model that draws.
pub(super) fn draw(call: &Call<'_>) -> Result<Reply, Refusal> {
    check(call.body, &PREDICT).map_err(|misfit| {
        let place = misfit.dotted();
        Refusal::invalid(format!("Invalid value at '{place}'")).param(place)
    })?;
    let count = call.body.pointer("/parameters/sampleCount").and_then(Value::as_u64).unwrap_or(1);
    let picture = json!({"mimeType": "image/png", "bytesBase64Encoded": PIXEL});
    let predictions = vec![picture; count.min(COUNT_MAX) as usize];
    Ok(Reply::json(200, &json!({"predictions": predictions})))
}

/// Pictures of one answer.
const COUNT_MAX: u64 = 4;

fn said(request: &Value) -> String {
    let contents = items(request.get("contents")).iter();
    let parts = contents.flat_map(|content| items(content.get("parts")));
    parts.map(|part| text(part, "text")).collect()
}

fn inline(mime: &str, data: String) -> Value {
    json!({"inlineData": {"mimeType": mime, "data": data}})
}

fn envelopes(call: &Call<'_>, parts: Vec<Value>, modality: &str) -> Vec<Value> {
    let count = parts.len();
    let envelope = |(position, part): (usize, Value)| {
        let mut candidate = json!({"content": {"role": "model", "parts": [part]}, "index": 0});
        let mut chunk = json!({"modelVersion": call.model});
        if position + 1 == count {
            candidate["finishReason"] = json!("STOP");
            let details = json!([{"modality": modality, "tokenCount": 20}]);
            chunk["usageMetadata"] = json!({"promptTokenCount": 4, "candidatesTokenCount": 20,
                "totalTokenCount": 24, "candidatesTokensDetails": details});
        }
        chunk["candidates"] = json!([candidate]);
        chunk
    };
    parts.into_iter().enumerate().map(envelope).collect()
}
