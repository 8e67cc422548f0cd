//! Recorded speech, transcriptions and pictures, through every other dialect of their purpose. Needs
//! `BIFROST_WIRE_FIXTURES`; without it the test says so and does nothing. What a target has no place for is refused by
//! name or noted; both are listed in `LOSSES`, and nothing else may be lost.

#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a test may")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dialect::{
    Body, Dialect, Notes, ReplyOptions, RequestOptions, Written, translate_media_reply,
    translate_media_request,
};
use serde_json::Value;
use wire::{FormReader, form_boundary};

/// What may be lost, and why.
const LOSSES: &[(&str, &str)] = &[
    ("chunking_strategy", "only OpenAI cuts recordings as it is told"),
    ("diarize", "elsewhere the format of the answer says that speakers are told apart"),
    ("file", "these fetch no recordings"),
    ("image", "only Google and Amazon change several pictures"),
    ("images", "recordings name pictures by URLs, which these do not fetch"),
    ("include", "only OpenAI tells probabilities"),
    ("instructions", "ElevenLabs, Sarvam and Hugging Face take no directions"),
    ("known_speaker_names", "only OpenAI knows speakers beforehand"),
    ("known_speaker_references", "only OpenAI knows speakers beforehand"),
    ("language", "Hugging Face is not told a language"),
    ("moderation", "only OpenAI moderates as it is told"),
    ("n", "these draw one picture at a time"),
    ("output_format", "these have one format"),
    ("partial_images", "these draw in one piece"),
    ("prompt", "these take no hints"),
    ("quality", "only Amazon has qualities"),
    ("background", "only OpenAI draws on nothing"),
    ("response_format", "Gemini tells no times and gives samples; Hugging Face has one format"),
    ("resolution", "Stability's models have one resolution"),
    ("size", "a word that is no size; Stability keeps the size of what it changes"),
    ("speed", "Gemini and Hugging Face have one speed"),
    ("stream", "these draw in one piece"),
    ("style", "only OpenAI has styles"),
    ("temperature", "Sarvam has no temperature"),
    ("timestamp_granularities", "Gemini tells no times"),
    ("user", "only OpenAI is told a user"),
    ("voice", "Hugging Face's models have one voice"),
];

/// A recorded exchange.
struct Exchange {
    path: String,
    provider: String,
    value: Value,
}

impl Exchange {
    /// A body and its content type; `None` where it was not recorded.
    fn body(&self, side: &str) -> Option<(String, Vec<u8>)> {
        let message = &self.value[side];
        let content_type =
            message["headers"]["content-type"].as_str().unwrap_or("application/json");
        let bytes = match (&message["body"], message["body"].get("base64")) {
            (Value::Null, _) => return None,
            (_, Some(base64)) => BASE64_STANDARD.decode(base64.as_str()?).expect("base64"),
            (body, None) => body.to_string().into_bytes(),
        };
        Some((content_type.to_owned(), bytes))
    }

    fn is_good(&self) -> bool {
        self.value["response"]["status"] == 200
    }
}

/// The recordings of an operation; `None` when there are none to be had.
fn recordings(operation: &str) -> Option<Vec<Exchange>> {
    let Some(root) = std::env::var_os("BIFROST_WIRE_FIXTURES").map(PathBuf::from) else {
        eprintln!("SKIPPED: BIFROST_WIRE_FIXTURES names no folder of recorded exchanges");
        return None;
    };
    let names = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let mut found = Vec::new();
    for provider in names(&root) {
        let folder = root.join(&provider).join(operation);
        for name in names(&folder) {
            let text = fs::read_to_string(folder.join(&name)).expect("a recording can be read");
            let value = serde_json::from_str(&text).expect("recordings are JSON");
            let path = format!("{provider}/{operation}/{name}");
            found.push(Exchange { path, provider: provider.clone(), value });
        }
    }
    assert!(!found.is_empty(), "the folder of recordings is not complete");
    Some(found)
}

/// What got lost, by target and name.
#[derive(Default)]
struct Report {
    good: usize,
    lost: BTreeMap<(&'static str, String), usize>,
}

impl Report {
    /// Counts a translation; `None` where it was refused.
    fn take(
        &mut self,
        exchange: &Exchange,
        to: Dialect,
        translated: Result<(Written, Notes), dialect::Error>,
    ) -> Option<Written> {
        let (names, written) = match translated {
            Ok((written, notes)) => (notes.dropped, Some(written)),
            Err(error) => {
                assert!(error.is_inexpressible(), "{} to {to:?}: {error}", exchange.path);
                (vec![error.path], None)
            }
        };
        for name in names {
            let is_known = LOSSES.iter().any(|(known, _)| *known == name);
            assert!(is_known, "{} to {to:?}: {name} is lost for no reason", exchange.path);
            *self.lost.entry((to.name(), name)).or_default() += 1;
        }
        self.good += usize::from(written.is_some());
        written
    }

    fn print(&self, what: &str) {
        println!("{what}: {} translated", self.good);
        for ((to, name), count) in &self.lost {
            let reason = LOSSES.iter().find(|(known, _)| known == name).map_or("", |it| it.1);
            println!("{count:4} × {to}: {name} ({reason})");
        }
    }
}

fn request(
    from: Dialect,
    to: Dialect,
    (content_type, bytes): &(String, Vec<u8>),
) -> Result<(Written, Notes), dialect::Error> {
    let options = RequestOptions::new("model-name");
    translate_media_request(from, to, Body { content_type, bytes }, &options)
}

/// The parts of a form by name; a file by its bytes.
fn fields(content_type: &str, bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let boundary = form_boundary(content_type.as_bytes()).expect("a boundary").expect("a form");
    let mut reader = FormReader::new(&boundary, bytes);
    let mut fields = BTreeMap::new();
    while let Some(part) = reader.next_part().expect("the form can be read") {
        fields.insert(part.name.into_owned(), bytes[part.value].to_vec());
    }
    fields
}

/// Whether the recording stands in what was written, as bytes or in base64.
fn holds(written: &Written, recording: &[u8]) -> bool {
    let holds = |wanted: &[u8]| written.body.windows(wanted.len()).any(|window| window == wanted);
    let edge = recording.len().min(512);
    let base64 = BASE64_STANDARD.encode(recording);
    (holds(&recording[..edge]) && holds(&recording[recording.len() - edge..]))
        || holds(&base64.as_bytes()[..base64.len().min(512)])
}

const TRANSCRIPTIONS: &[Dialect] = &[
    Dialect::OpenAiTranscription,
    Dialect::VllmTranscription,
    Dialect::MistralTranscription,
    Dialect::ElevenLabsTranscription,
    Dialect::GeminiTranscription,
    Dialect::SarvamTranscription,
    Dialect::HuggingFaceTranscription,
];

/// Providers whose recorded requests are OpenAI's.
const SPEAK_OPENAI: &[&str] = &["openai", "openrouter", "groq", "mistral", "venice", "llamacpp"];

#[test]
fn forms_with_recordings_reach_every_provider() {
    let operations = ["transcription", "transcription_stream", "translation"];
    let mut report = Report::default();
    for exchange in operations.iter().filter_map(|it| recordings(it)).flatten() {
        let Some(body) = exchange.body("request").filter(|(_, bytes)| bytes.starts_with(b"--"))
        else {
            continue;
        };
        if !SPEAK_OPENAI.contains(&exchange.provider.as_str()) {
            continue;
        }
        let sent = fields(&body.0, &body.1);
        let recording = &sent["file"];
        for to in TRANSCRIPTIONS.iter().copied() {
            let translated = request(Dialect::OpenAiTranscription, to, &body);
            let Some(written) = report.take(&exchange, to, translated) else { continue };
            assert!(holds(&written, recording), "{} to {to:?}: no recording", exchange.path);
            if written.content_type.starts_with("multipart/") {
                let got = fields(&written.content_type, &written.body);
                let model = got.get("model").or_else(|| got.get("model_id"));
                assert_eq!(model.map(Vec::as_slice), Some(&b"model-name"[..]), "{}", exchange.path);
                assert_eq!(&got["file"], recording, "{} to {to:?}", exchange.path);
                let language = got.get("language").or_else(|| got.get("language_code"));
                assert_eq!(language, sent.get("language"), "{} to {to:?}", exchange.path);
            }
        }
    }
    report.print("transcription requests");
}

#[test]
fn transcripts_keep_their_text_and_times() {
    let Some(exchanges) = recordings("transcription") else { return };
    let mut checked = 0;
    for exchange in exchanges.iter().filter(|exchange| exchange.is_good()) {
        let from = match exchange.provider.as_str() {
            "elevenlabs" => Dialect::ElevenLabsTranscription,
            "mistral" => Dialect::MistralTranscription,
            // An API of its own.
            "deepgram" => continue,
            _ => Dialect::OpenAiTranscription,
        };
        let reply = &exchange.value["response"]["body"];
        let bytes = reply.to_string();
        for format in ["json", "text", "verbose_json", "srt", "vtt", "diarized_json"] {
            let notes = Notes { reply_format: Some(format.to_owned()), ..Notes::default() };
            let options =
                ReplyOptions { notes: &notes, model: None, trailer: b"", id: "id", created: 1 };
            let body = Body { content_type: "application/json", bytes: bytes.as_bytes() };
            let translated =
                translate_media_reply(from, Dialect::OpenAiTranscription, body, &options);
            let has_times = ["segments", "words"]
                .iter()
                .any(|name| reply[*name].as_array().is_some_and(|list| !list.is_empty()));
            let written = match translated {
                Ok((written, _)) => written,
                Err(error) => {
                    assert!(!has_times, "{} as {format}: {error}", exchange.path);
                    continue;
                }
            };
            checked += 1;
            check_transcript(exchange, format, reply, &written.body);
        }
    }
    assert!(checked > 50, "{checked}");
}

fn check_transcript(exchange: &Exchange, format: &str, reply: &Value, written: &[u8]) {
    let (path, text) = (&exchange.path, reply["text"].as_str().expect("a text"));
    if ["text", "srt", "vtt"].contains(&format) {
        let said = String::from_utf8_lossy(written);
        let first = text.split_whitespace().next().unwrap_or_default();
        assert!(said.contains(first), "{path} as {format}: {said}");
        return;
    }
    let json: Value = serde_json::from_slice(written).expect("JSON");
    assert_eq!(json["text"], text, "{path} as {format}");
    let total = &reply["usage"]["total_tokens"];
    assert_eq!(&json["usage"]["total_tokens"], total, "{path} as {format}");
    let Some(segments) = reply["segments"].as_array().filter(|it| !it.is_empty()) else { return };
    let times = |list: &Value| -> Vec<(Value, Value)> {
        let list = list.as_array().into_iter().flatten();
        list.map(|it| (it["start"].clone(), it["end"].clone())).collect()
    };
    assert_eq!(times(&json["segments"]), times(&segments.clone().into()), "{path} as {format}");
}

#[test]
fn speech_requests_reach_every_provider() {
    let Some(exchanges) = recordings("speech") else { return };
    let targets = [
        Dialect::OpenAiSpeech,
        Dialect::ElevenLabsSpeech,
        Dialect::GeminiSpeech,
        Dialect::SarvamSpeech,
        Dialect::HuggingFaceSpeech,
    ];
    let mut report = Report::default();
    for exchange in &exchanges {
        let Some(body) = exchange.body("request") else { continue };
        let sent = &exchange.value["request"]["body"];
        let (Some(input), Some(voice)) = (sent["input"].as_str(), sent["voice"].as_str()) else {
            continue;
        };
        for to in targets {
            let translated = request(Dialect::OpenAiSpeech, to, &body);
            let Some(written) = report.take(exchange, to, translated) else { continue };
            let json: Value = serde_json::from_slice(&written.body).expect("JSON");
            let all = format!("{json} {}", written.path);
            assert!(all.contains(&Value::from(input).to_string()[1..][..4]), "{}", exchange.path);
            let has_voice = all.contains(voice);
            assert!(has_voice || to == Dialect::HuggingFaceSpeech, "{} to {to:?}", exchange.path);
        }
    }
    report.print("speech requests");
    assert!(report.good > 20, "{}", report.good);
}

#[test]
fn pictures_are_asked_for_everywhere() {
    let mut report = Report::default();
    let changed = recordings("image_edit").into_iter().flatten();
    let drawn = recordings("image_generation").into_iter().flatten();
    let of = |dialect| move |exchange| (dialect, exchange);
    let exchanges = changed.map(of(Dialect::OpenAiImageEdits));
    for (from, exchange) in exchanges.chain(drawn.map(of(Dialect::OpenAiImages))) {
        let Some(body) = exchange.body("request").filter(|_| exchange.provider != "runway") else {
            continue;
        };
        let prompt = exchange.value["request"]["body"]["prompt"].as_str().unwrap_or_default();
        for to in [
            Dialect::GeminiImages,
            Dialect::TitanImages,
            Dialect::StabilityImages,
            Dialect::XaiImageEdits,
        ] {
            // xAI draws by another operation.
            if from == Dialect::OpenAiImages && to == Dialect::XaiImageEdits {
                continue;
            }
            let translated = request(from, to, &body);
            let Some(written) = report.take(&exchange, to, translated) else { continue };
            let json: Value = serde_json::from_slice(&written.body).expect("JSON");
            let spelt = Value::from(prompt).to_string();
            assert!(json.to_string().contains(&spelt), "{} to {to:?}: {json}", exchange.path);
        }
    }
    report.print("picture requests");
}
