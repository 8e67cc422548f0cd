//! Golden files: each folder under `fixtures/<dialect>/` is a case in that dialect, and what it becomes in the others
//! lies beside it. `UPDATE_GOLDEN=1` writes what is expected; the difference is the review.
//!
//! | file | is |
//! | --- | --- |
//! | `request.json`, `reply.json`, `stream.sse` or `stream.ndjson`, `error.json` or `error.txt` | what comes in |
//! | `options.json` | what differs from the default options |
//! | `*.to_<dialect>.golden` | what goes out, or why nothing does |

#![expect(clippy::panic, reason = "a test may")]

#[path = "support/frames.rs"]
#[expect(dead_code, reason = "shared with tests that need more of it")]
mod frames;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use dialect::{
    AnthropicTarget, Dialect, Framing, Notes, NumberFormat, OpenAiTarget, ReasoningReplay,
    ReplyOptions, RequestOptions, StreamTranslator, Usage, read_error, translate_reply,
    translate_request, write_error,
};
use serde_json::Value;

#[test]
fn cases_become_what_is_on_file() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.peers().next().is_some()) {
        for case in folders(&root().join(dialect.name())) {
            for target in dialect.peers() {
                seen += check_case(dialect, target, &case, &mut wrong);
            }
        }
    }
    assert!(seen >= 30, "only {seen} documents were found");
    assert!(wrong.is_empty(), "{}\nUPDATE_GOLDEN=1 writes what is found", wrong.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).expect("fixtures can be listed");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    folders.sort();
    folders
}

/// Turns a document of one dialect, read with some options, into what is on file for another.
type Translate = fn(Dialect, Dialect, &[u8], &Value) -> String;

/// Checks every document of a case; returns how many there are.
fn check_case(from: Dialect, to: Dialect, case: &Path, wrong: &mut Vec<String>) -> usize {
    let options: Value = match fs::read(case.join("options.json")) {
        Ok(text) => serde_json::from_slice(&text).expect("options are JSON"),
        Err(_) => Value::Null,
    };
    let documents: [(&str, Translate); 6] = [
        ("request.json", request),
        ("reply.json", reply),
        ("stream.sse", stream),
        ("stream.ndjson", stream),
        ("error.json", error),
        ("error.txt", error),
    ];
    let mut seen = 0;
    for (name, translate) in documents {
        let Ok(document) = fs::read(case.join(name)) else { continue };
        // Replies that stay in their dialect are relayed, not translated.
        if from == to && matches!(name, "reply.json" | "stream.sse" | "stream.ndjson") {
            continue;
        }
        seen += 1;
        let found = translate(from, to, &document, &options);
        let stem = name.split('.').next().expect("a name");
        check_file(&case.join(format!("{stem}.to_{}.golden", to.name())), &found, wrong);
    }
    seen
}

fn check_file(path: &Path, found: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, found).expect("golden can be written");
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected != found {
        wrong.push(format!("{}:\n{found}", path.display()));
    }
}

fn request(from: Dialect, to: Dialect, document: &[u8], options: &Value) -> String {
    let is = |name: &str| options[name] == true;
    let openai = if is("mistral") {
        OpenAiTarget::MISTRAL
    } else if is("compatible_host") {
        OpenAiTarget::COMPATIBLE
    } else {
        OpenAiTarget::ORIGINAL
    };
    let body: Value = serde_json::from_slice(document).unwrap_or_default();
    let options = RequestOptions {
        pass_extra: is("pass_extra"),
        stream: body["stream"] == true,
        openai: OpenAiTarget {
            reasoning_object: is("reasoning_object"),
            tool_choice_any: is("tool_choice_any") || openai.tool_choice_any,
            reasoning_replay: match options["reasoning_replay"].as_str() {
                Some("reasoning_content") => ReasoningReplay::ReasoningContent,
                Some("reasoning") => ReasoningReplay::Reasoning,
                _ => openai.reasoning_replay,
            },
            ..openai
        },
        anthropic: AnthropicTarget {
            adaptive_thinking_only: is("adaptive_thinking_only"),
            output_format: !is("no_output_format"),
            ..AnthropicTarget::ORIGINAL
        },
        ..RequestOptions::new(options["wire_model"].as_str().unwrap_or("wire-model"))
    };
    let mut out = Vec::new();
    match translate_request(from, to, document, &options, &mut out) {
        Err(error) => format!("error: {error}\n"),
        Ok(notes) => {
            let mut text = pretty(&out);
            if !notes.dropped.is_empty() {
                writeln!(text, "dropped: {}", notes.dropped.join(", "))
                    .expect("a string takes all");
            }
            for (written, own) in &notes.renamed_tools {
                writeln!(text, "renamed tool: {own} to {written}").expect("a string takes all");
            }
            if !notes.number_formats.is_empty() {
                writeln!(text, "number formats: {:?}", notes.number_formats)
                    .expect("a string takes all");
            }
            for document in notes.documents {
                writeln!(text, "document: {document}").expect("a string takes all");
            }
            if let Some(tool) = notes.structured_tool {
                writeln!(text, "structured tool: {tool}").expect("a string takes all");
            }
            text
        }
    }
}

fn notes(options: &Value) -> Notes {
    Notes {
        structured_tool: options["structured_tool"].as_str().map(str::to_owned),
        include_usage: options["include_usage"] == true,
        renamed_tools: options["renamed_tools"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(written, own)| (written.clone(), own.as_str().unwrap_or("").to_owned()))
            .collect(),
        number_formats: number_formats(&options["number_formats"]),
        documents: texts(&options["documents"]),
        ..Notes::default()
    }
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.map(|text| text.as_str().expect("a string").to_owned()).collect()
}

fn number_formats(names: &Value) -> Vec<NumberFormat> {
    let format = |name: String| match name.as_str() {
        "float" => NumberFormat::Float,
        "base64" => NumberFormat::Base64,
        "int8" => NumberFormat::Int8,
        other => panic!("{other} is not used in any case"),
    };
    texts(names).into_iter().map(format).collect()
}

fn reply_options<'n>(notes: &'n Notes, options: &'n Value) -> ReplyOptions<'n> {
    ReplyOptions {
        notes,
        model: options["model"].as_str(),
        trailer: br#""extra_fields":{"provider":"x"}"#,
        id: "made-up-id",
        created: 1_700_000_000,
    }
}

fn reply(from: Dialect, to: Dialect, document: &[u8], options: &Value) -> String {
    let notes = notes(options);
    let mut out = Vec::new();
    match translate_reply(from, to, document, &reply_options(&notes, options), &mut out) {
        Err(error) => format!("error: {error}\n"),
        Ok(usage) => format!("{}{}\n", pretty(&out), shown(usage)),
    }
}

fn stream(from: Dialect, to: Dialect, document: &[u8], options: &Value) -> String {
    let notes = notes(options);
    let mut translator = StreamTranslator::new(from, to, &reply_options(&notes, options));
    let mut out = Vec::new();
    let mut index = 0;
    let mut trailer = |out: &mut Vec<u8>| {
        out.extend_from_slice(format!("\"extra_fields\":{{\"chunk_index\":{index}}}").as_bytes());
        index += 1;
    };
    let text = std::str::from_utf8(document).expect("UTF-8");
    for (name, data) in events(from, text) {
        if let Err(error) = translator.event_with(name, data.as_bytes(), &mut trailer, &mut out) {
            return format!("{}error: {error}\n", written(to, &out));
        }
    }
    let is_finished = translator.is_finished();
    if is_finished {
        translator.end_with(&mut trailer, &mut out).expect("a finished stream can be closed");
    }
    let usage = shown(translator.usage());
    format!("{}finished: {is_finished}, {usage}\n", written(to, &out))
}

/// The events of a stream: their names, if they have any, and their data.
fn events(from: Dialect, text: &str) -> Vec<(Option<&str>, &str)> {
    if from.framing() == Framing::Lines {
        return text.lines().map(|line| (None, line)).collect();
    }
    let blocks = text.split("\n\n").map(|block| {
        let member = |head: &str| block.lines().find_map(|line| line.strip_prefix(head));
        (member("event: "), member("data: ").unwrap_or(""))
    });
    blocks.collect()
}

/// A written stream as it is, or binary messages in the form that text would have.
fn written(dialect: Dialect, stream: &[u8]) -> String {
    if dialect.framing() != Framing::EventStream {
        return String::from_utf8(stream.to_vec()).expect("UTF-8");
    }
    let frames = frames::messages(stream).into_iter();
    frames
        .map(|(name, data)| format!("event: {}\ndata: {data}\n\n", name.unwrap_or_default()))
        .collect()
}

/// Usage, without what only rerankers report.
fn shown(usage: Usage) -> String {
    format!("{usage:?}").replace(", search_units: 0", "")
}

fn error(from: Dialect, to: Dialect, document: &[u8], options: &Value) -> String {
    let status = options["status"].as_u64().unwrap_or(400) as u16;
    let mut out = Vec::new();
    write_error(to, &read_error(from, status, document), &mut out);
    pretty(&out)
}

fn pretty(json: &[u8]) -> String {
    let value: Value = serde_json::from_slice(json).expect("what is written is JSON");
    serde_json::to_string_pretty(&value).expect("JSON can be printed") + "\n"
}
