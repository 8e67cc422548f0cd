//! Recorded traffic of real providers, taken through the other dialect and back: what was said must still be there.
//!
//! The recordings stand outside of this repository, in the folder named by `BIFROST_WIRE_FIXTURES`; without it the
//! test says so and does nothing. What the other dialect has no place for is listed in `allowed.rs`, each with its
//! reason; any other difference is a failure. `UPDATE_GOLDEN=1` writes the table to `FIDELITY.md`.

#![expect(clippy::panic, clippy::print_stderr, clippy::print_stdout, reason = "a test may")]

mod allowed;
mod answer;
mod bedrock_converse;
mod cohere_chat;
mod exchange;
#[path = "../support/frames.rs"]
mod frames;
mod gemini;
mod ollama_chat;
mod openai_completions;
mod openai_responses;
mod operations;
mod question;
mod report;
mod sse;
mod validate;

use std::collections::BTreeMap;

use dialect::{
    AnthropicTarget, Dialect, Notes, OpenAiTarget, ReplyOptions, RequestOptions, StreamTranslator,
    UsageReader, event_class, read_error, translate_reply, translate_request, write_error,
};
use exchange::{Body, Exchange};
use report::{Direction, Report};
use serde_json::Value;

/// What a document says, by feature; what it does not say is not there.
type Facts = BTreeMap<&'static str, Value>;

#[test]
fn recorded_traffic_survives_the_other_dialect() {
    let Some(exchanges) = exchange::load() else { return };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = exchanges.len().div_ceil(threads);
    let mut report = std::thread::scope(|scope| {
        let shares: Vec<_> = exchanges
            .chunks(share)
            .map(|exchanges| scope.spawn(|| check_exchanges(exchanges)))
            .collect();
        let reports = shares.into_iter().map(|share| share.join().expect("no check panics"));
        reports.fold(Report::default(), Report::and)
    });
    operations::check(&mut report);
    report.finish();
}

fn check_exchanges(exchanges: &[Exchange]) -> Report {
    let mut report = Report::default();
    for exchange in exchanges {
        for there in exchange.others() {
            check_exchange(exchange, there, &mut report);
        }
        if let Some(request) = &exchange.request {
            check_same_dialect(exchange, request, &mut report);
        }
    }
    report
}

fn check_exchange(exchange: &Exchange, there: Dialect, report: &mut Report) {
    if let Some(request) = &exchange.request {
        check_request(exchange, request, there, report);
    }
    match &exchange.response {
        Body::Json(body) if exchange.is_error() => check_error(exchange, body, there, report),
        Body::Json(body) => check_reply(exchange, body, there, report),
        Body::Sse(text) => {
            for stream in sse::split_streams(text) {
                check_stream(exchange, &stream, there, report);
            }
        }
        Body::Lines(text) => check_stream(exchange, &sse::lines(text), there, report),
        Body::None => {}
    }
}

/// The model to ask in a dialect in which models take different requests.
fn model(dialect: Dialect) -> &'static str {
    match dialect {
        // The family of the model decides what is written.
        Dialect::BedrockConverse => "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        _ => "model-name",
    }
}

fn request_options(model: &'static str, stream: bool) -> RequestOptions<'static> {
    RequestOptions {
        stream,
        openai: OpenAiTarget { cache_control: true, ..OpenAiTarget::COMPATIBLE },
        anthropic: AnthropicTarget::ORIGINAL,
        ..RequestOptions::new(model)
    }
}

fn check_request(exchange: &Exchange, request: &Value, there: Dialect, report: &mut Report) {
    let expected = question::facts(exchange.dialect, request);
    let options = request_options(model(there), exchange.asks_for_stream(request));
    let body = request.to_string();
    let mut translated = Vec::new();
    let result =
        translate_request(exchange.dialect, there, body.as_bytes(), &options, &mut translated);
    if let Err(error) = result {
        return report.refusal(exchange, there, &error);
    }
    let value: Value = serde_json::from_slice(&translated).expect("what is written is JSON");
    report.valid(exchange, there, "request", validate::request(there, &value), &value);
    report.compare(exchange, there, Direction::There, &expected, &question::facts(there, &value));
    let options = RequestOptions { model: model(exchange.dialect), ..options };
    let mut back = Vec::new();
    let result = translate_request(there, exchange.dialect, &translated, &options, &mut back);
    if let Err(error) = result {
        return report.refusal(exchange, there, &error);
    }
    let value: Value = serde_json::from_slice(&back).expect("what is written is JSON");
    report.valid(exchange, there, "request", validate::request(exchange.dialect, &value), &value);
    report.compare(
        exchange,
        there,
        Direction::Back,
        &expected,
        &question::facts(exchange.dialect, &value),
    );
}

/// Written again in its own dialect nothing may be lost at all.
fn check_same_dialect(exchange: &Exchange, request: &Value, report: &mut Report) {
    let expected = question::facts(exchange.dialect, request);
    let options = request_options("model-name", exchange.asks_for_stream(request));
    let mut out = Vec::new();
    let body = request.to_string();
    let own = exchange.dialect;
    if let Err(error) = translate_request(own, own, body.as_bytes(), &options, &mut out) {
        return report.refusal(exchange, own, &error);
    }
    let value: Value = serde_json::from_slice(&out).expect("what is written is JSON");
    report.compare(
        exchange,
        exchange.dialect,
        Direction::Same,
        &expected,
        &question::facts(exchange.dialect, &value),
    );
}

fn reply_options(notes: &Notes) -> ReplyOptions<'_> {
    ReplyOptions { notes, model: None, trailer: b"", id: "fallback-id", created: 1 }
}

fn check_reply(exchange: &Exchange, body: &Value, there: Dialect, report: &mut Report) {
    let notes = Notes::default();
    let options = reply_options(&notes);
    let expected = answer::reply_facts(exchange.dialect, body);
    let text = body.to_string();
    let mut translated = Vec::new();
    let usage =
        translate_reply(exchange.dialect, there, text.as_bytes(), &options, &mut translated)
            .unwrap_or_else(|error| panic!("{}: {error}", exchange.path));
    let value: Value = serde_json::from_slice(&translated).expect("what is written is JSON");
    report.valid(exchange, there, "reply", validate::reply(there, &value), &value);
    report.compare(
        exchange,
        there,
        Direction::There,
        &expected,
        &answer::reply_facts(there, &value),
    );

    let mut reader = UsageReader::new(exchange.dialect);
    reader.reply(text.as_bytes());
    assert_eq!(reader.usage(), usage, "{}: usage of a relayed reply", exchange.path);

    let mut back = Vec::new();
    translate_reply(there, exchange.dialect, &translated, &options, &mut back)
        .unwrap_or_else(|error| panic!("{}: our own reply is not read: {error}", exchange.path));
    let value: Value = serde_json::from_slice(&back).expect("what is written is JSON");
    report.valid(exchange, there, "reply", validate::reply(exchange.dialect, &value), &value);
    report.compare(
        exchange,
        there,
        Direction::Back,
        &expected,
        &answer::reply_facts(exchange.dialect, &value),
    );
}

fn check_stream(exchange: &Exchange, stream: &[sse::Event], there: Dialect, report: &mut Report) {
    let expected = answer::stream_facts(exchange.dialect, stream);
    let translated = translate_stream(exchange, exchange.dialect, there, stream);
    report.valid(exchange, there, "stream", validate::stream(there, &translated), &Value::Null);
    report.compare(
        exchange,
        there,
        Direction::There,
        &expected,
        &answer::stream_facts(there, &translated),
    );
    let back = translate_stream(exchange, there, exchange.dialect, &translated);
    report.valid(
        exchange,
        there,
        "stream",
        validate::stream(exchange.dialect, &back),
        &Value::Null,
    );
    report.compare(
        exchange,
        there,
        Direction::Back,
        &expected,
        &answer::stream_facts(exchange.dialect, &back),
    );
}

fn translate_stream(
    exchange: &Exchange,
    from: Dialect,
    to: Dialect,
    stream: &[sse::Event],
) -> Vec<sse::Event> {
    let notes = Notes { include_usage: true, ..Notes::default() };
    let mut translator = StreamTranslator::new(from, to, &reply_options(&notes));
    let mut reader = UsageReader::new(from);
    let mut out = Vec::new();
    for event in stream {
        let before = out.len();
        translator
            .event(event.name.as_deref(), event.data.as_bytes(), &mut out)
            .unwrap_or_else(|error| panic!("{}: {error} in {}", exchange.path, event.data));
        // Torn events are no frames.
        sse::written(to, &out[before..]);
        reader.event(event.name.as_deref(), event.data.as_bytes());
        event_class(from, event.name.as_deref(), event.data.as_bytes());
    }
    let has_failed = answer::stream_facts(from, stream).contains_key("error");
    if !has_failed {
        assert!(translator.is_finished(), "{}: the stream is complete", exchange.path);
        assert_eq!(
            reader.usage(),
            translator.usage(),
            "{}: usage of a relayed stream",
            exchange.path
        );
        translator.end(&mut out).expect("a complete stream can be closed");
    }
    sse::written(to, &out)
}

fn check_error(exchange: &Exchange, body: &Value, there: Dialect, report: &mut Report) {
    let expected = answer::error_facts(exchange.status, body);
    let text = body.to_string();
    let mut translated = Vec::new();
    write_error(
        there,
        &read_error(exchange.dialect, exchange.status, text.as_bytes()),
        &mut translated,
    );
    let value: Value = serde_json::from_slice(&translated).expect("what is written is JSON");
    report.valid(exchange, there, "error", validate::error(there, exchange.status, &value), &value);
    report.compare(
        exchange,
        there,
        Direction::There,
        &expected,
        &answer::error_facts(exchange.status, &value),
    );
    let mut back = Vec::new();
    write_error(exchange.dialect, &read_error(there, exchange.status, &translated), &mut back);
    let value: Value = serde_json::from_slice(&back).expect("what is written is JSON");
    report.compare(
        exchange,
        there,
        Direction::Back,
        &expected,
        &answer::error_facts(exchange.status, &value),
    );
}
