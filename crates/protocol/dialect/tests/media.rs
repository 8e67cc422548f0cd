//! Speech, transcription and changed pictures: what OpenAI's callers ask for, as each provider gets it, and what they get
//! back.

use dialect::{
    Body, Dialect, Notes, ReplyOptions, RequestOptions, StreamTranslator, Usage, Written,
    translate_media_reply, translate_media_request,
};
use serde_json::{Value, json};
use wire::{FormReader, FormWriter, form_boundary};

const JSON: &str = "application/json";

/// A part of a form: name, file name, and value.
type Part = (String, Option<String>, Vec<u8>);

fn text(name: &str, value: &str) -> Part {
    (name.to_owned(), None, value.as_bytes().to_vec())
}

fn file(name: &str, file_name: &str, value: &[u8]) -> Part {
    (name.to_owned(), Some(file_name.to_owned()), value.to_vec())
}

/// A form as a caller sends it.
fn form(parts: &[Part]) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut form = FormWriter::new(&mut bytes);
    for (name, file_name, value) in parts {
        match file_name {
            Some(file_name) => form.file(name, file_name, "application/octet-stream", value),
            None => form.text(name, std::str::from_utf8(value).expect("text")),
        }
    }
    (form.end(), bytes)
}

/// The parts of a form that was written, those of the media type of a file included.
fn parts(written: &Written) -> Vec<Part> {
    let boundary =
        form_boundary(written.content_type.as_bytes()).expect("a boundary").expect("a form");
    let mut reader = FormReader::new(&boundary, &written.body);
    let mut parts = Vec::new();
    while let Some(part) = reader.next_part().expect("a part") {
        let file_name =
            part.file_name.map(|it| format!("{it} {}", part.content_type.unwrap_or("")));
        parts.push((part.name.into_owned(), file_name, written.body[part.value].to_vec()));
    }
    parts
}

fn options(model: &str, stream: bool) -> RequestOptions<'_> {
    RequestOptions { stream, ..RequestOptions::new(model) }
}

fn json_of(written: &Written) -> Value {
    assert_eq!(written.content_type, JSON);
    serde_json::from_slice(&written.body).expect("what is written is JSON")
}

fn speak(to: Dialect, request: &Value, stream: bool) -> Result<(Written, Notes), String> {
    let bytes = request.to_string();
    let body = Body { content_type: JSON, bytes: bytes.as_bytes() };
    translate_media_request(Dialect::OpenAiSpeech, to, body, &options("m", stream))
        .map_err(|error| error.to_string())
}

fn ask(
    from: Dialect,
    to: Dialect,
    parts: &[Part],
    stream: bool,
) -> Result<(Written, Notes), String> {
    let (content_type, bytes) = form(parts);
    let body = Body { content_type: &content_type, bytes: &bytes };
    translate_media_request(from, to, body, &options("m", stream))
        .map_err(|error| error.to_string())
}

fn transcribe(to: Dialect, more: &[Part]) -> Result<(Written, Notes), String> {
    let own = [text("model", "a/b"), file("file", "talk.mp3", b"\xff\xfbsound")];
    let sent: Vec<Part> = own.into_iter().chain(more.iter().cloned()).collect();
    ask(Dialect::OpenAiTranscription, to, &sent, false)
}

fn reply_options(notes: &Notes) -> ReplyOptions<'_> {
    ReplyOptions { notes, model: None, trailer: b"\"x\":1", id: "id", created: 7 }
}

fn answer(
    from: Dialect,
    to: Dialect,
    content_type: &str,
    bytes: &[u8],
    notes: &Notes,
) -> (Written, Usage) {
    let body = Body { content_type, bytes };
    translate_media_reply(from, to, body, &reply_options(notes)).expect("the reply can be read")
}

fn transcript(from: Dialect, reply: &Value, format: &str) -> Written {
    let notes = Notes { reply_format: Some(format.to_owned()), ..Notes::default() };
    let bytes = reply.to_string();
    answer(from, Dialect::OpenAiTranscription, JSON, bytes.as_bytes(), &notes).0
}

/// The events a stream becomes.
fn events(from: Dialect, to: Dialect, notes: &Notes, pieces: &[&[u8]]) -> Vec<Value> {
    let mut translator = StreamTranslator::new(from, to, &reply_options(notes));
    let mut out = Vec::new();
    let mut trailer = |out: &mut Vec<u8>| out.extend_from_slice(b"\"x\":1");
    for piece in pieces {
        translator.event_with(None, piece, &mut trailer, &mut out).expect("an event");
    }
    assert!(translator.is_finished());
    translator.end_with(&mut trailer, &mut out).expect("an end");
    let text = String::from_utf8(out).expect("text");
    let (text, end) = text.rsplit_once("data: ").expect("an event");
    assert_eq!(end, "[DONE]\n\n");
    let frames = text.split_terminator("\n\n");
    frames
        .map(|frame| {
            serde_json::from_str(frame.strip_prefix("data: ").expect("an event")).expect("JSON")
        })
        .collect()
}

#[test]
fn elevenlabs_finds_voice_and_format_in_the_path() {
    let request = json!({
        "model": "x", "input": "hi", "voice": "a b", "response_format": "opus", "speed": 1.25,
        "instructions": "softly", "stability": 0.5, "enable_logging": false, "seed": 3, "odd": 1,
        "voice_settings": {"stability": 1, "style": 0.1},
    });
    let (written, notes) = speak(Dialect::ElevenLabsSpeech, &request, false).unwrap();
    assert_eq!(written.path, "/a%20b?output_format=opus_48000_128&enable_logging=false");
    let expected = json!({
        "text": "hi", "model_id": "m", "seed": 3,
        "voice_settings": {"style": 0.1, "stability": 0.5, "speed": 1.25},
    });
    assert_eq!(json_of(&written), expected);
    assert_eq!(notes.dropped, ["odd", "instructions"]);

    let (written, notes) = speak(Dialect::ElevenLabsSpeech, &request, true).unwrap();
    assert!(written.path.starts_with("/a%20b/stream?") && notes.is_byte_stream);
    let request = json!({"input": "hi", "voice": "v", "response_format": "aac"});
    let refusal = speak(Dialect::ElevenLabsSpeech, &request, false).unwrap_err();
    assert_eq!(refusal, "response_format: cannot be expressed in elevenlabs_speech");
}

#[test]
fn elevenlabs_tells_when_what_is_said() {
    let request = json!({"input": "hi", "voice": "v", "with_timestamps": true});
    let (written, notes) = speak(Dialect::ElevenLabsSpeech, &request, false).unwrap();
    assert_eq!(written.path, "/v/with-timestamps?output_format=mp3_44100_128");
    let reply = json!({"audio_base64": "AAEC", "alignment": {"characters": ["h"]}});
    let (from, to) = (Dialect::ElevenLabsSpeech, Dialect::OpenAiSpeech);
    let (written, _) = answer(from, to, JSON, reply.to_string().as_bytes(), &notes);
    let expected = json!({"audio_base64": "AAEC", "alignment": {"characters": ["h"]}, "x": 1});
    assert_eq!(json_of(&written), expected);
}

#[test]
fn sound_is_handed_on_as_it_is_or_as_a_file() {
    let (from, to) = (Dialect::ElevenLabsSpeech, Dialect::OpenAiSpeech);
    let (written, _) = answer(from, to, "audio/mpeg", b"\xff\xfb", &Notes::default());
    assert_eq!((&*written.content_type, &written.body[..]), ("audio/mpeg", &b"\xff\xfb"[..]));
    let notes = Notes { reply_format: Some("wav".into()), ..Notes::default() };
    let (written, _) = answer(from, to, "application/octet-stream", b"\x01\x00", &notes);
    assert_eq!(written.content_type, "audio/wav");
    assert!(written.body.starts_with(b"RIFF") && written.body.ends_with(b"\x02\0\0\0\x01\x00"));
}

#[test]
fn gemini_speaks_samples() {
    let request = json!({"input": "hi", "voice": "Kore", "instructions": "Say softly.", "language_code": "de"});
    let (written, notes) = speak(Dialect::GeminiSpeech, &request, false).unwrap();
    let voice = json!({"prebuiltVoiceConfig": {"voiceName": "Kore"}});
    let expected = json!({
        "contents": [{"role": "user", "parts": [{"text": "Say softly: hi"}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": voice, "languageCode": "de"},
        },
    });
    assert_eq!(json_of(&written), expected);
    let two = json!({"input": "A: hi\nB: ho", "voice": [
        {"speaker": "A", "voice": "Kore"}, {"speaker": "B", "voice": "Puck"}]});
    let (written, _) = speak(Dialect::GeminiSpeech, &two, false).unwrap();
    let config = &json_of(&written)["generationConfig"]["speechConfig"]["multiSpeakerVoiceConfig"];
    assert_eq!(config["speakerVoiceConfigs"][0], json!({"speaker": "A", "voiceConfig": voice}));
    let mp3 = json!({"input": "hi", "voice": "v", "response_format": "mp3"});
    let refusal = speak(Dialect::GeminiSpeech, &mp3, false).unwrap_err();
    assert_eq!(refusal, "response_format: cannot be expressed in gemini_speech");

    let sound =
        json!({"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=16000", "data": "AQA="}});
    let chunk = json!({
        "candidates": [{"content": {"parts": [sound]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 2, "candidatesTokenCount": 5, "totalTokenCount": 7},
    });
    let bytes = chunk.to_string();
    let (from, to) = (Dialect::GeminiSpeech, Dialect::OpenAiSpeech);
    let (written, usage) = answer(from, to, JSON, bytes.as_bytes(), &notes);
    assert_eq!((&*written.content_type, written.body.len()), ("audio/wav", 46));
    assert_eq!(written.body[24..28], 16_000_u32.to_le_bytes());
    assert_eq!((usage.input, usage.output), (2, 5));

    let pcm = Notes { reply_format: Some("pcm".into()), ..Notes::default() };
    let found = events(from, to, &pcm, &[bytes.as_bytes()]);
    let expected = json!([
        {"type": "speech.audio.delta", "audio": "AQA=", "x": 1},
        {"type": "speech.audio.done",
         "usage": {"input_tokens": 2, "output_tokens": 5, "total_tokens": 7}, "x": 1},
    ]);
    assert_eq!(Value::from(found), expected);
    let found = events(from, to, &Notes::default(), &[bytes.as_bytes()]);
    assert!(found[0]["audio"].as_str().unwrap().starts_with("UklGR") && found.len() == 3);
}

#[test]
fn a_stream_of_bytes_becomes_events() {
    let (from, to) = (Dialect::SarvamSpeech, Dialect::OpenAiSpeech);
    let found = events(from, to, &Notes::default(), &[b" \x00", b"\x01"]);
    let sounds: Vec<&Value> = found.iter().map(|event| &event["audio"]).collect();
    assert_eq!(sounds, [&json!("IAA="), &json!("AQ=="), &Value::Null]);
}

#[test]
fn sarvam_wants_a_language_and_answers_in_json() {
    let request = json!({"input": "hi", "voice": "anushka", "speed": 1.5, "pitch": 0.1});
    let (written, notes) = speak(Dialect::SarvamSpeech, &request, false).unwrap();
    let expected = json!({
        "text": "hi", "target_language_code": "en-IN", "speaker": "anushka", "model": "m",
        "pace": 1.5, "output_audio_codec": "mp3", "pitch": 0.1,
    });
    assert_eq!(json_of(&written), expected);
    let reply = json!({"request_id": "r", "audios": ["AAEC"]}).to_string();
    let (from, to) = (Dialect::SarvamSpeech, Dialect::OpenAiSpeech);
    let (written, _) = answer(from, to, JSON, reply.as_bytes(), &notes);
    assert_eq!((&*written.content_type, &written.body[..]), ("audio/mpeg", &[0, 1, 2][..]));
    let (written, _) = speak(Dialect::SarvamSpeech, &request, true).unwrap();
    assert_eq!(written.path, "/stream");
}

#[test]
fn hugging_face_gets_the_text_or_the_recording() {
    let request = json!({"input": "hi", "voice": "v"});
    let (written, notes) = speak(Dialect::HuggingFaceSpeech, &request, false).unwrap();
    assert_eq!((json_of(&written), &*written.path), (json!({"inputs": "hi"}), "/m"));
    assert_eq!(notes.dropped, ["voice"]);
    let (written, _) = transcribe(Dialect::HuggingFaceTranscription, &[]).unwrap();
    assert_eq!((&*written.content_type, &written.body[..]), ("audio/mpeg", &b"\xff\xfbsound"[..]));
    let wanted = [text("response_format", "verbose_json")];
    let (written, _) = transcribe(Dialect::HuggingFaceTranscription, &wanted).unwrap();
    let expected = json!({"inputs": "//tzb3VuZA==", "parameters": {"return_timestamps": true}});
    assert_eq!(json_of(&written), expected);
    let reply = json!({"text": "a b", "chunks": [{"text": "a b", "timestamp": [0.0, 1.5]}]});
    let written = transcript(Dialect::HuggingFaceTranscription, &reply, "srt");
    assert_eq!(written.content_type, "text/plain; charset=utf-8");
    assert_eq!(written.body, b"1\n00:00:00,000 --> 00:00:01,500\na b\n\n");
}

#[test]
fn a_form_becomes_the_form_of_another_vendor() {
    let more = [
        text("language", "de"),
        text("temperature", "0.2"),
        text("prompt", "names"),
        text("response_format", "diarized_json"),
        text("num_speakers", "2"),
        text("odd", "1"),
    ];
    let (written, notes) = transcribe(Dialect::ElevenLabsTranscription, &more).unwrap();
    let expected = [
        text("model_id", "m"),
        text("language_code", "de"),
        text("temperature", "0.2"),
        text("diarize", "true"),
        text("num_speakers", "2"),
        file("file", "talk.mp3 audio/mpeg", b"\xff\xfbsound"),
    ];
    assert_eq!(parts(&written), expected);
    assert_eq!(notes.dropped, ["odd", "prompt"]);

    let (written, _) = transcribe(Dialect::SarvamTranscription, &more[..1]).unwrap();
    let expected = [
        text("model", "m"),
        text("language_code", "de"),
        file("file", "talk.mp3 audio/mpeg", b"\xff\xfbsound"),
    ];
    assert_eq!(parts(&written), expected);

    let (written, _) = transcribe(Dialect::MistralTranscription, &more[3..4]).unwrap();
    let expected = [
        text("model", "m"),
        text("timestamp_granularities", "segment"),
        text("diarize", "true"),
        file("file", "talk.mp3 audio/mpeg", b"\xff\xfbsound"),
    ];
    assert_eq!(parts(&written), expected);
}

#[test]
fn words_with_their_times_become_what_the_caller_wants() {
    let word = |text: &str, kind: &str, start: f64, end: f64, speaker: &str| json!({"text": text, "type": kind, "start": start, "end": end, "speaker_id": speaker});
    let reply = json!({"language_code": "eng", "text": "Hi you. Yes", "words": [
        word("Hi", "word", 0.0, 0.5, "s0"), word(" ", "spacing", 0.5, 0.6, "s0"),
        word("you.", "word", 0.6, 1.0, "s0"), word(" ", "spacing", 1.0, 1.1, "s0"),
        word("Yes", "word", 1.2, 1.5, "s1"),
    ]});
    let own = Dialect::ElevenLabsTranscription;
    let json = json_of(&transcript(own, &reply, "json"));
    assert_eq!(json["text"], "Hi you. Yes");
    let expected = json!({"word": "Hi", "start": 0.0, "end": 0.5, "speaker": "s0"});
    assert_eq!((&json["words"][0], &json["x"]), (&expected, &json!(1)));
    let verbose = json_of(&transcript(own, &reply, "verbose_json"));
    assert_eq!((&verbose["language"], &verbose["duration"]), (&json!("eng"), &json!(1.5)));
    let spoken = |json: &Value| -> Vec<Value> {
        let segments = json["segments"].as_array().unwrap().iter();
        segments.map(|it| json!([it["text"], it["start"], it["end"], it["speaker"]])).collect()
    };
    let expected = [json!(["Hi you.", 0.0, 1.0, "s0"]), json!(["Yes", 1.2, 1.5, "s1"])];
    assert_eq!(spoken(&verbose), expected);
    let diarized = json_of(&transcript(own, &reply, "diarized_json"));
    assert_eq!(spoken(&diarized), expected);
    assert_eq!(diarized["segments"][1]["id"], "seg_1");
    let vtt = transcript(own, &reply, "vtt").body;
    assert!(vtt.starts_with(b"WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHi you.\n\n"));
    assert_eq!(transcript(own, &reply, "text").body, b"Hi you. Yes\n");
}

#[test]
fn times_that_nobody_told_are_not_invented() {
    let notes = Notes { reply_format: Some("srt".into()), ..Notes::default() };
    let body = Body { content_type: JSON, bytes: br#"{"text":"a","language_code":"x"}"# };
    let own = Dialect::ElevenLabsTranscription;
    let to = Dialect::OpenAiTranscription;
    let error = translate_media_reply(own, to, body, &reply_options(&notes)).unwrap_err();
    assert_eq!(error.to_string(), "segments: the provider told no times");
}

#[test]
fn sarvam_lists_texts_and_times_apart() {
    let reply = json!({"transcript": "a b", "language_code": "hi-IN", "timestamps": {
        "words": ["a", "b"], "start_time_seconds": [0, 1], "end_time_seconds": [1, 2]}});
    let verbose = json_of(&transcript(Dialect::SarvamTranscription, &reply, "verbose_json"));
    assert_eq!((&verbose["segments"][1]["start"], &verbose["text"]), (&json!(1), &json!("a b")));
}

#[test]
fn gemini_is_asked_to_write_it_down() {
    let more = [text("language", "de"), text("temperature", "0")];
    let (written, _) = transcribe(Dialect::GeminiTranscription, &more).unwrap();
    let prompt = "Generate a transcript of the speech. The language of the speech is de.";
    let expected = json!({
        "contents": [{"role": "user", "parts": [
            {"text": prompt},
            {"inlineData": {"mimeType": "audio/mp3", "data": "//tzb3VuZA=="}},
        ]}],
        "generationConfig": {"temperature": 0},
    });
    assert_eq!(json_of(&written), expected);
    let refusal = transcribe(Dialect::GeminiTranscription, &[text("response_format", "srt")]);
    assert_eq!(
        refusal.unwrap_err(),
        "response_format: cannot be expressed in gemini_transcription"
    );
    let reply = json!({
        "candidates": [{"content": {"parts": [{"text": "no", "thought": true}, {"text": "Gu"},
            {"text": "ten Tag"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11,
            "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}]},
    });
    let json = json_of(&transcript(Dialect::GeminiTranscription, &reply, "json"));
    assert_eq!(json["text"], "Guten Tag");
    assert_eq!(json["usage"]["input_token_details"]["audio_tokens"], 6);
    let (from, to) = (Dialect::GeminiTranscription, Dialect::OpenAiTranscription);
    let found = events(from, to, &Notes::default(), &[reply.to_string().as_bytes()]);
    let said: Vec<&Value> = found.iter().map(|event| &event["delta"]).collect();
    assert_eq!(said, [&json!("Gu"), &json!("ten Tag"), &Value::Null]);
    assert_eq!(
        (&found[2]["text"], &found[2]["usage"]["total_tokens"]),
        (&json!("Guten Tag"), &json!(11))
    );
}

#[test]
fn streams_of_other_hosts_become_openais() {
    let mistral: &[&[u8]] = &[
        br#"{"type":"transcription.language","audio_language":"en"}"#,
        br#"{"type":"transcription.text.delta","text":"Hi"}"#,
        br#"{"type":"transcription.segment","text":"Hi","start":0.1,"end":0.9,"speaker_id":null}"#,
        br#"{"type":"transcription.done","text":"Hi","model":"v","language":"en","segments":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":9}}"#,
    ];
    let to = Dialect::OpenAiTranscription;
    let found = events(Dialect::MistralTranscription, to, &Notes::default(), mistral);
    let kinds: Vec<&str> = found.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["transcript.text.delta", "transcript.text.segment", "transcript.text.done"]);
    assert_eq!((&found[1]["start"], &found[2]["usage"]["total_tokens"]), (&json!(0.1), &json!(9)));

    let vllm: &[&[u8]] = &[
        br#"{"object":"transcription.chunk","choices":[{"delta":{"content":"H"}}]}"#,
        br#"{"object":"transcription.chunk","choices":[{"delta":{"content":"i"},"finish_reason":"stop"}]}"#,
    ];
    let found = events(Dialect::VllmTranscription, to, &Notes::default(), vllm);
    assert_eq!((&found[1]["delta"], &found[2]["text"]), (&json!("i"), &json!("Hi")));
}

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const BASE64: &str = "iVBORw0KGgo=";

fn edit(to: Dialect, more: &[Part]) -> Result<Value, String> {
    let own = [text("prompt", "green"), file("image", "a.png", PICTURE)];
    let sent: Vec<Part> = own.into_iter().chain(more.iter().cloned()).collect();
    ask(Dialect::OpenAiImageEdits, to, &sent, false).map(|(written, _)| json_of(&written))
}

#[test]
fn pictures_are_changed_by_google() {
    let (part, words) = (
        json!({"inlineData": {"mimeType": "image/png", "data": BASE64}}),
        json!({"text": "green"}),
    );
    let expected = json!({
        "contents": [{"role": "user", "parts": [part, words]}],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"], "imageConfig": {"aspectRatio": "3:2"}},
    });
    assert_eq!(edit(Dialect::GeminiImages, &[text("size", "1536x1024")]), Ok(expected));
    let mask = [file("mask", "m.png", PICTURE)];
    let refusal = edit(Dialect::GeminiImages, &mask).unwrap_err();
    assert_eq!(refusal, "mask: cannot be expressed in gemini_images");

    let reference = |kind: &str, id: u64| json!({"referenceType": kind, "referenceId": id, "referenceImage": {"bytesBase64Encoded": BASE64}});
    let mut mask_reference = reference("REFERENCE_TYPE_MASK", 2);
    mask_reference["maskImageConfig"] = json!({"maskMode": "MASK_MODE_USER_PROVIDED"});
    let expected = json!({
        "instances": [{"prompt": "green",
            "referenceImages": [reference("REFERENCE_TYPE_RAW", 1), mask_reference]}],
        "parameters": {"sampleCount": 2, "editMode": "EDIT_MODE_INPAINT_INSERTION"},
    });
    let more = [mask[0].clone(), text("n", "2")];
    assert_eq!(edit(Dialect::ImagenEdits, &more), Ok(expected));
    assert_eq!(edit(Dialect::ImagenEdits, &[text("n", "x")]), Err("n: must be a number".into()));
}

#[test]
fn pictures_are_changed_on_bedrock() {
    let config = json!({"numberOfImages": 1, "width": 512, "height": 512, "quality": "premium"});
    let more = [
        text("type", "outpainting"),
        text("mask_prompt", "sky"),
        text("n", "1"),
        text("size", "512x512"),
        text("quality", "hd"),
    ];
    let expected = json!({
        "taskType": "OUTPAINTING",
        "outPaintingParams": {"text": "green", "image": BASE64, "maskPrompt": "sky"},
        "imageGenerationConfig": config,
    });
    assert_eq!(edit(Dialect::TitanImages, &more), Ok(expected));
    let background = edit(Dialect::TitanImages, &[text("type", "background_removal")]);
    let expected =
        json!({"taskType": "BACKGROUND_REMOVAL", "backgroundRemovalParams": {"image": BASE64}});
    assert_eq!(background, Ok(expected));
    let odd = edit(Dialect::TitanImages, &[text("type", "odd")]).unwrap_err();
    assert_eq!(odd, "type: cannot be expressed in titan_images");

    let sent = [text("model", "x"), file("image", "a.png", PICTURE), text("n", "3")];
    let variations = Dialect::OpenAiImageVariations;
    let (written, _) = ask(variations, Dialect::TitanImages, &sent, false).unwrap();
    let expected = json!({
        "taskType": "IMAGE_VARIATION", "imageVariationParams": {"images": [BASE64]},
        "imageGenerationConfig": {"numberOfImages": 3},
    });
    assert_eq!(json_of(&written), expected);

    let more = [file("mask", "m.png", PICTURE), text("grow_mask", "5")];
    let expected = json!({"prompt": "green", "image": BASE64, "mask": BASE64, "grow_mask": "5"});
    assert_eq!(edit(Dialect::StabilityImages, &more), Ok(expected));
}

#[test]
fn xai_takes_pictures_in_json() {
    let url = format!("data:image/png;base64,{BASE64}");
    let expected = json!({"model": "m", "prompt": "green",
        "images": [{"type": "image_url", "url": url}]});
    assert_eq!(edit(Dialect::XaiImageEdits, &[]), Ok(expected));
    let body =
        json!({"prompt": "green", "images": [{"image_url": "https://a.b/c.png"}]}).to_string();
    let body = Body { content_type: JSON, bytes: body.as_bytes() };
    let (from, to) = (Dialect::OpenAiImageEdits, Dialect::XaiImageEdits);
    let (written, _) = translate_media_request(from, to, body, &options("m", false)).unwrap();
    assert_eq!(json_of(&written)["images"][0]["url"], "https://a.b/c.png");
}

#[test]
fn models_that_change_pictures_draw_from_words_too() {
    let request =
        json!({"model": "x", "prompt": "a cat", "size": "1024x1024", "seed": 4}).to_string();
    let body = Body { content_type: JSON, bytes: request.as_bytes() };
    let of_words =
        |to| translate_media_request(Dialect::OpenAiImages, to, body, &options("m", false));
    let titan = json_of(&of_words(Dialect::TitanImages).unwrap().0);
    let expected = json!({
        "taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a cat"},
        "imageGenerationConfig": {"width": 1024, "height": 1024, "seed": 4},
    });
    assert_eq!(titan, expected);
    let stability = json_of(&of_words(Dialect::StabilityImages).unwrap().0);
    assert_eq!(stability, json!({"prompt": "a cat", "aspect_ratio": "1:1", "seed": 4}));
    let gemini = json_of(&of_words(Dialect::GeminiImages).unwrap().0);
    assert_eq!(gemini["contents"][0]["parts"], json!([{"text": "a cat"}]));

    for (from, reply) in [
        (Dialect::TitanImages, json!({"images": [BASE64], "error": null})),
        (
            Dialect::StabilityImages,
            json!({"images": [BASE64], "seeds": [1], "finish_reasons": [null]}),
        ),
        (
            Dialect::GeminiImages,
            json!({"candidates": [{"content": {"parts": [{"text": "Here"},
                {"inlineData": {"mimeType": "image/png", "data": BASE64}}]}}]}),
        ),
        (
            Dialect::ImagenEdits,
            json!({"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": BASE64}]}),
        ),
    ] {
        for to in [Dialect::OpenAiImages, Dialect::OpenAiImageEdits, Dialect::OpenAiImageVariations]
        {
            let bytes = reply.to_string();
            let (written, _) = answer(from, to, JSON, bytes.as_bytes(), &Notes::default());
            let json = json_of(&written);
            assert_eq!(json["data"], json!([{"b64_json": BASE64}]), "{from:?}");
            assert_eq!((&json["created"], &json["x"]), (&json!(7), &json!(1)));
        }
    }
    let filtered = json!({"images": [""], "finish_reasons": ["Filter reason: prompt"]}).to_string();
    let body = Body { content_type: JSON, bytes: filtered.as_bytes() };
    let (from, to) = (Dialect::StabilityImages, Dialect::OpenAiImages);
    let notes = Notes::default();
    let error = translate_media_reply(from, to, body, &reply_options(&notes)).unwrap_err();
    assert_eq!(error.to_string(), "images: a filter withheld every image");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let missing = ask(
        Dialect::OpenAiTranscription,
        Dialect::ElevenLabsTranscription,
        &[text("model", "x")],
        false,
    );
    assert_eq!(missing.unwrap_err(), "file: is required");
    let wrong = transcribe(Dialect::GeminiTranscription, &[text("response_format", "pdf")]);
    assert!(wrong.unwrap_err().starts_with("response_format: must be json, text"));
    let voiceless = speak(Dialect::GeminiSpeech, &json!({"input": "hi"}), false);
    assert_eq!(voiceless.unwrap_err(), "voice: is required");
    let two = json!({"input": "hi", "voice": [{"speaker": "A", "voice": "v"}]});
    let refusal = speak(Dialect::ElevenLabsSpeech, &two, false).unwrap_err();
    assert_eq!(refusal, "voice: cannot be expressed in elevenlabs_speech");
    let body = Body { content_type: "multipart/form-data; boundary=b", bytes: b"--b\r\n" };
    let (from, to) = (Dialect::OpenAiTranscription, Dialect::GeminiTranscription);
    let cut = translate_media_request(from, to, body, &options("m", false)).unwrap_err();
    assert_eq!(cut.to_string(), "the form is cut short (at byte 3)");
}
