//! Recorded replies in the dialects that only providers speak: what they say reaches callers of every dialect.
//!
//! The recordings stand outside of this repository, in the folder named by `BIFROST_WIRE_FIXTURES`; without it the
//! test says so and does nothing.

#![expect(clippy::panic, clippy::print_stderr, reason = "a test may")]

use std::fs;
use std::path::{Path, PathBuf};

use dialect::{
    Dialect, Notes, PredictionState, Purpose, ReplyOptions, StreamTranslator, prediction,
    read_error, translate_reply,
};
use serde_json::Value;

/// The recordings of an operation; none where there are no recordings to be had.
fn recordings(provider: &str, operation: &str) -> Vec<(PathBuf, Value)> {
    let Some(root) = std::env::var_os("BIFROST_WIRE_FIXTURES") else {
        eprintln!("SKIPPED: BIFROST_WIRE_FIXTURES names no folder of recorded exchanges");
        return Vec::new();
    };
    let folder = Path::new(&root).join(provider).join(operation);
    let entries = fs::read_dir(&folder).expect("the folder of recordings is complete");
    let read = |path: PathBuf| {
        let text = fs::read(&path).expect("a recording can be read");
        (path, serde_json::from_slice(&text).expect("recordings are JSON"))
    };
    entries.map(|entry| read(entry.expect("an entry").path())).collect()
}

fn told(from: Dialect, to: Dialect, body: &Value) -> Value {
    let notes = Notes::default();
    let options = ReplyOptions { notes: &notes, model: None, trailer: b"", id: "x", created: 7 };
    let mut out = Vec::new();
    translate_reply(from, to, body.to_string().as_bytes(), &options, &mut out)
        .unwrap_or_else(|error| panic!("{from:?} to {to:?}: {error}"));
    serde_json::from_slice(&out).expect("what is written is JSON")
}

fn speaking(purpose: Purpose) -> impl Iterator<Item = Dialect> {
    Dialect::ALL
        .into_iter()
        .filter(move |dialect| dialect.purpose() == purpose && dialect.peers().next().is_some())
}

#[test]
fn jobs_are_known_by_their_descriptions() {
    for operation in ["prediction_create", "prediction_get", "prediction_cancel"] {
        for (path, recording) in recordings("replicate", operation) {
            let body = &recording["response"]["body"];
            let job = prediction(body.to_string().as_bytes());
            let state = match body["status"].as_str() {
                Some("succeeded") => Some(PredictionState::Done),
                Some("canceled" | "failed") => Some(PredictionState::Failed),
                Some(_) => Some(PredictionState::Running),
                None => None,
            };
            assert_eq!(job.as_ref().map(|job| job.state), state, "{}", path.display());
            let url = body["urls"]["stream"].as_str();
            assert_eq!(job.and_then(|job| job.stream_url).as_deref(), url, "{}", path.display());
        }
    }
}

#[test]
fn outputs_reach_callers_of_every_dialect() {
    for operation in ["prediction_create", "prediction_get"] {
        for (path, recording) in recordings("replicate", operation) {
            let body = &recording["response"]["body"];
            let Some(output) = body["output"].as_array() else { continue };
            let pieces: Vec<&str> = output.iter().filter_map(Value::as_str).collect();
            if pieces[0].starts_with("https://") || pieces[0].starts_with("data:") {
                for to in speaking(Purpose::Image).filter(|to| *to != Dialect::GeminiImagen) {
                    let image = &told(Dialect::ReplicateImage, to, body)["data"][0];
                    let bytes = pieces[0].split_once(";base64,").map(|(_, data)| data);
                    let said = image["url"].as_str().or(image["b64_json"].as_str());
                    assert_eq!(said, bytes.or(Some(pieces[0])), "{}", path.display());
                }
            } else {
                for to in speaking(Purpose::Generation) {
                    check_text(to, body, &pieces.concat());
                }
            }
        }
    }
}

/// A text, at once and as a stream.
fn check_text(to: Dialect, body: &Value, text: &str) {
    let told = told(Dialect::ReplicateText, to, body);
    assert!(texts(&told).contains(text), "{to:?}: {told}");
    let notes = Notes::default();
    let options = ReplyOptions { notes: &notes, model: None, trailer: b"", id: "x", created: 7 };
    let mut translator = StreamTranslator::new(Dialect::ReplicateText, to, &options);
    let mut out = Vec::new();
    for piece in body["output"].as_array().expect("an output") {
        let piece = piece.as_str().expect("a text").as_bytes();
        translator.event(Some("output"), piece, &mut out).expect("an event");
    }
    assert!(!translator.is_finished());
    translator.event(Some("done"), b"{}", &mut out).expect("the end");
    assert!(translator.is_finished(), "{to:?}");
    translator.end(&mut out).expect("a complete stream can be closed");
    assert!(!out.is_empty());
}

/// All strings of a document, one behind the other.
fn texts(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(texts).collect(),
        Value::Object(members) => members.values().map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

#[test]
fn refusals_say_why() {
    for (_, recording) in recordings("replicate", "prediction_create") {
        let (status, body) = (&recording["response"]["status"], &recording["response"]["body"]);
        if status == 401 {
            let body = body.to_string();
            let error = read_error(Dialect::ReplicateText, 401, body.as_bytes());
            assert_eq!(error.message, "You did not pass a valid authentication token");
        }
    }
    for (_, recording) in recordings("huggingface", "inference") {
        if recording["response"]["status"] == 400 {
            let body = recording["response"]["body"].to_string();
            let error = read_error(Dialect::HuggingFaceEmbed, 400, body.as_bytes());
            assert!(error.message.contains("field required"), "{}", error.message);
        }
    }
}

#[test]
fn vectors_of_the_pipeline_reach_callers_of_every_dialect() {
    for (path, recording) in recordings("huggingface", "inference") {
        let body = &recording["response"]["body"];
        if !body[0].is_number() {
            continue;
        }
        let told = told(Dialect::HuggingFaceEmbed, Dialect::OpenAiEmbeddings, body);
        assert_eq!(told["data"][0]["embedding"], *body, "{}", path.display());
    }
}
