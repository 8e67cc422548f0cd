//! Recorded traffic of the operations that are one question and one answer: embeddings, reranking, counting tokens,
//! images. What each says is in a file of its own beside this; here is what they have in common.

mod embedding;
mod image;
mod rerank;
mod token_count;

use std::path::Path;

use dialect::{
    Dialect, Notes, Purpose, UsageReader, read_error, translate_reply, translate_request,
    write_error,
};
use serde_json::{Value, json};

use crate::Facts;
use crate::allowed::{Allowed, Mismatch};
use crate::exchange::{self, Body, Exchange};
use crate::report::{Direction, Report};

type Verdict = Result<(), String>;

/// Takes every exchange through every other dialect of its purpose and back.
pub(crate) fn check(report: &mut Report) {
    let Some(exchanges) = load() else { return };
    for exchange in &exchanges {
        if let Some(request) = &exchange.request {
            let there = [exchange.dialect].into_iter().chain(exchange.others());
            there.for_each(|there| check_request(exchange, request, there, report));
        }
        let Body::Json(body) = &exchange.response else { continue };
        for there in exchange.others() {
            if exchange.status >= 400 {
                check_error(exchange, body, there, report);
            } else {
                check_reply(exchange, body, there, report);
            }
        }
    }
}

/// The dialect of an exchange by its provider and what is in it; none where it is not checked here.
type DialectOf = fn(&str, &Value) -> Option<Dialect>;

/// The folders of these operations, with the dialect that is spoken in them.
const OPERATIONS: &[(&str, DialectOf)] = &[
    ("embeddings", |_, exchange| {
        // One of them is a report of what was used.
        (exchange["request"]["method"] != "GET").then_some(Dialect::OpenAiEmbeddings)
    }),
    ("embed", |_, _| Some(Dialect::CohereEmbed)),
    ("embed_v1", |_, _| Some(Dialect::CohereEmbed)),
    ("embed_content", |_, _| Some(Dialect::GeminiEmbedContent)),
    ("batch_embed_contents", |_, _| Some(Dialect::GeminiBatchEmbed)),
    ("predict", |_, exchange| {
        let path = exchange["request"]["path"].as_str().unwrap_or("");
        let is_embedding = path.contains("embedding");
        Some(if is_embedding { Dialect::VertexEmbed } else { Dialect::GeminiImagen })
    }),
    ("native_embed", |_, _| Some(Dialect::OllamaEmbed)),
    ("native_embeddings", |_, _| Some(Dialect::OllamaEmbed)),
    ("invoke_model", |_, exchange| match exchange["request"]["path"].as_str() {
        Some(path) if path.contains("titan-embed") => Some(Dialect::TitanEmbed),
        Some(path) if path.contains("cohere.embed") => Some(Dialect::BedrockCohereEmbed),
        _ => None,
    }),
    ("rerank", |provider, _| {
        let is_cohere = provider == "cohere";
        Some(if is_cohere { Dialect::CohereRerank } else { Dialect::JinaRerank })
    }),
    ("rerank_v1", |_, _| Some(Dialect::CohereRerank)),
    ("count_tokens", |provider, _| match provider {
        "anthropic" => Some(Dialect::AnthropicCountTokens),
        "gemini" => Some(Dialect::GeminiCountTokens),
        "vertex" => Some(Dialect::VertexCountTokens),
        "bedrock" => Some(Dialect::BedrockCountTokens),
        _ => None,
    }),
    ("responses_input_tokens", |_, _| Some(Dialect::OpenAiInputTokens)),
    ("tokenize", |_, _| Some(Dialect::CohereTokenize)),
    ("image_generation", |provider, _| match provider {
        "xai" => Some(Dialect::XaiImages),
        _ => Some(Dialect::OpenAiImages),
    }),
];

fn load() -> Option<Vec<Exchange>> {
    let root = std::env::var_os("BIFROST_WIRE_FIXTURES")?;
    let root = Path::new(&root);
    let mut exchanges = Vec::new();
    for provider in exchange::names(root) {
        for (operation, dialect_of) in OPERATIONS {
            let folder = root.join(&provider).join(operation);
            if !folder.is_dir() {
                continue;
            }
            for name in exchange::names(&folder) {
                let text = std::fs::read_to_string(folder.join(&name)).expect("it can be read");
                let value: Value = serde_json::from_str(&text).expect("recordings are JSON");
                let Some(dialect) = dialect_of(&provider, &value) else { continue };
                let path = format!("{provider}/{operation}/{name}");
                let mut exchange = exchange::parse(path, &provider, operation, dialect, &text);
                exchange.request = Some(value["request"]["body"].clone()).filter(Value::is_object);
                exchanges.push(exchange);
            }
        }
    }
    assert!(exchanges.len() > 90, "the folder of recordings is not complete");
    Some(exchanges)
}

fn check_request(exchange: &Exchange, request: &Value, there: Dialect, report: &mut Report) {
    let own = exchange.dialect;
    let expected = request_facts(own, request);
    let options = crate::request_options("model-name", false);
    let mut translated = Vec::new();
    let body = request.to_string();
    if let Err(error) = translate_request(own, there, body.as_bytes(), &options, &mut translated) {
        return report.refusal(exchange, there, &error);
    }
    let value: Value = serde_json::from_slice(&translated).expect("what is written is JSON");
    if own == there {
        let actual = request_facts(own, &value);
        return report.compare(exchange, there, Direction::Same, &expected, &actual);
    }
    report.valid(exchange, there, "request", valid_request(there, &value), &value);
    let actual = request_facts(there, &value);
    report.compare(exchange, there, Direction::There, &expected, &actual);
    let mut back = Vec::new();
    if let Err(error) = translate_request(there, own, &translated, &options, &mut back) {
        return report.refusal(exchange, there, &error);
    }
    let value: Value = serde_json::from_slice(&back).expect("what is written is JSON");
    report.valid(exchange, there, "request", valid_request(own, &value), &value);
    report.compare(exchange, there, Direction::Back, &expected, &request_facts(own, &value));
}

fn check_reply(exchange: &Exchange, body: &Value, there: Dialect, report: &mut Report) {
    let own = exchange.dialect;
    let notes = Notes::default();
    let options = crate::reply_options(&notes);
    let expected = reply_facts(own, body);
    let text = body.to_string();
    let mut translated = Vec::new();
    let usage = match translate_reply(own, there, text.as_bytes(), &options, &mut translated) {
        Ok(usage) => usage,
        Err(error) => return report.refusal(exchange, there, &error),
    };
    let value: Value = serde_json::from_slice(&translated).expect("what is written is JSON");
    report.valid(exchange, there, "reply", valid_reply(there, &value), &value);
    let actual = reply_facts(there, &value);
    report.compare(exchange, there, Direction::There, &expected, &actual);
    let mut reader = UsageReader::new(own);
    reader.reply(text.as_bytes());
    assert_eq!(reader.usage(), usage, "{}: usage of a relayed reply", exchange.path);

    let mut back = Vec::new();
    if let Err(error) = translate_reply(there, own, &translated, &options, &mut back) {
        return report.refusal(exchange, there, &error);
    }
    let value: Value = serde_json::from_slice(&back).expect("what is written is JSON");
    report.valid(exchange, there, "reply", valid_reply(own, &value), &value);
    report.compare(exchange, there, Direction::Back, &expected, &reply_facts(own, &value));
}

fn check_error(exchange: &Exchange, body: &Value, there: Dialect, report: &mut Report) {
    let expected = crate::answer::error_facts(exchange.status, body);
    let expected = only_message(expected);
    let text = body.to_string();
    let mut translated = Vec::new();
    let error = read_error(exchange.dialect, exchange.status, text.as_bytes());
    write_error(there, &error, &mut translated);
    let value: Value = serde_json::from_slice(&translated).expect("what is written is JSON");
    let valid = if error.message.is_empty() { Err("no message".into()) } else { Ok(()) };
    report.valid(exchange, there, "error", valid, &value);
    let actual = only_message(crate::answer::error_facts(exchange.status, &value));
    report.compare(exchange, there, Direction::There, &expected, &actual);
}

/// Vendors agree on nothing but the message and the status; what types become is tested with their tables.
fn only_message(facts: Facts) -> Facts {
    facts.into_iter().filter(|(name, _)| ["error", "error status"].contains(name)).collect()
}

fn request_facts(dialect: Dialect, body: &Value) -> Facts {
    let facts = match dialect.purpose() {
        Purpose::Embedding => embedding::request_facts(dialect, body),
        Purpose::Rerank => rerank::request_facts(dialect, body),
        Purpose::TokenCount => token_count::request_facts(dialect, body),
        Purpose::Image => image::request_facts(dialect, body),
        Purpose::Generation
        | Purpose::ImageEdit
        | Purpose::Completion
        | Purpose::Speech
        | Purpose::Sound
        | Purpose::Transcription
        | Purpose::Ocr
        | Purpose::Video
        | Purpose::Decision
        | Purpose::File
        | Purpose::Batch
        | Purpose::Container
        | Purpose::Cache => panic!("{} is not checked here", dialect.name()),
    };
    said(facts)
}

fn reply_facts(dialect: Dialect, body: &Value) -> Facts {
    let facts = match dialect.purpose() {
        Purpose::Embedding => embedding::reply_facts(dialect, body),
        Purpose::Rerank => rerank::reply_facts(dialect, body),
        Purpose::TokenCount => token_count::reply_facts(dialect, body),
        Purpose::Image => image::reply_facts(dialect, body),
        Purpose::Generation
        | Purpose::ImageEdit
        | Purpose::Completion
        | Purpose::Speech
        | Purpose::Sound
        | Purpose::Transcription
        | Purpose::Ocr
        | Purpose::Video
        | Purpose::Decision
        | Purpose::File
        | Purpose::Batch
        | Purpose::Container
        | Purpose::Cache => panic!("{} is not checked here", dialect.name()),
    };
    said(facts)
}

fn said(facts: Vec<(&'static str, Value)>) -> Facts {
    facts.into_iter().filter(|(_, value)| !value.is_null() && *value != json!([])).collect()
}

fn valid_request(dialect: Dialect, body: &Value) -> Verdict {
    match dialect.purpose() {
        Purpose::Embedding => embedding::valid_request(dialect, body),
        Purpose::Rerank => rerank::valid_request(dialect, body),
        Purpose::TokenCount => token_count::valid_request(dialect, body),
        Purpose::Image => image::valid_request(dialect, body),
        Purpose::Generation
        | Purpose::ImageEdit
        | Purpose::Completion
        | Purpose::Speech
        | Purpose::Sound
        | Purpose::Transcription
        | Purpose::Ocr
        | Purpose::Video
        | Purpose::Decision
        | Purpose::File
        | Purpose::Batch
        | Purpose::Container
        | Purpose::Cache => panic!("{} is not checked here", dialect.name()),
    }
}

fn valid_reply(dialect: Dialect, body: &Value) -> Verdict {
    match dialect.purpose() {
        Purpose::Embedding => embedding::valid_reply(dialect, body),
        Purpose::Rerank => rerank::valid_reply(dialect, body),
        Purpose::TokenCount => token_count::valid_reply(dialect, body),
        Purpose::Image => image::valid_reply(dialect, body),
        Purpose::Generation
        | Purpose::ImageEdit
        | Purpose::Completion
        | Purpose::Speech
        | Purpose::Sound
        | Purpose::Transcription
        | Purpose::Ocr
        | Purpose::Video
        | Purpose::Decision
        | Purpose::File
        | Purpose::Batch
        | Purpose::Container
        | Purpose::Cache => panic!("{} is not checked here", dialect.name()),
    }
}

/// Fails with what is not as it must be.
fn ensure(condition: bool, message: &str) -> Verdict {
    if condition { Ok(()) } else { Err(message.to_owned()) }
}

/// The elements of an array member; none for anything else.
fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// The first of some members that is there.
fn first<'v>(value: &'v Value, names: &[&str]) -> &'v Value {
    names.iter().map(|name| &value[*name]).find(|value| !value.is_null()).unwrap_or(&Value::Null)
}

/// What these operations may lose, and why.
pub(crate) const ALLOWED: &[Allowed] = &[
    Allowed {
        feature: "input type",
        applies: |loss| {
            let is_lost = loss.actual.is_null() || *loss.actual == "search_document";
            is_lost && !(tells_input_type(loss.there) && tells_input_type(loss.exchange.dialect))
        },
        reason: "these embedding APIs are not told what vectors are for",
    },
    Allowed {
        feature: "input type",
        applies: |loss| *loss.expected == "image" && loss.actual.is_null(),
        reason: "only Cohere wants images announced; elsewhere they are seen",
    },
    Allowed {
        feature: "input type",
        applies: |loss| {
            loss.expected.is_null()
                && ["search_document", "image"].iter().any(|default| *loss.actual == **default)
        },
        reason: "Cohere wants to be told; requests without it get the default",
    },
    Allowed {
        feature: "number formats",
        applies: |loss| loss.expected.is_null() && *loss.actual == json!(["float"]),
        reason: "Cohere wants to be told; requests without it get floats",
    },
    Allowed {
        feature: "number formats",
        applies: |loss| {
            let floats_only = loss.actual.is_null() || *loss.actual == json!(["float"]);
            floats_only
                && (*loss.expected == json!(["float"]) || *loss.expected == json!(["base64"]))
        },
        reason: "these give floats; base64 is made of them for the caller who asked",
    },
    Allowed {
        feature: "truncation",
        applies: |loss| loss.actual.is_null() && *loss.expected != "never",
        reason: "these embedding APIs are not told what to do with long texts, or know only one way",
    },
    Allowed {
        feature: "truncation",
        applies: |loss| loss.actual.is_null() && is_not_told(loss.there),
        reason: "these refuse a text that is too long unasked, or, as Gemini outside of Vertex AI, cannot be told to",
    },
    Allowed {
        feature: "title",
        applies: |loss| loss.actual.is_null() && !is_google(loss.there),
        reason: "only Google's embedding APIs take a title",
    },
    Allowed {
        feature: "user",
        applies: |loss| loss.actual.is_null() && loss.there.purpose() == Purpose::Embedding,
        reason: "only OpenAI's embedding API takes a user",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_inexpressible(loss, Purpose::Embedding),
        reason: "refused: token numbers and images to APIs that take texts, several texts to those that take one, bytes to those that give floats",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            loss.exchange.provider == "perplexity"
                && loss.actual.as_str().is_some_and(|error| error.contains("32-bit floats"))
        },
        reason: "refused: this host puts bytes where 32-bit floats belong",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_inexpressible(loss, Purpose::TokenCount),
        reason: "refused: Cohere counts texts only, and wants the tokens themselves back",
    },
    Allowed {
        feature: "translation",
        applies: |loss| is_inexpressible(loss, Purpose::Image),
        reason: "refused: a link where the other API has bytes",
    },
    Allowed {
        feature: "translation",
        applies: |loss| loss.there == Dialect::Rerank && *loss.actual == "documents: is required",
        reason: "refused: nothing to rank, which the product's own route does not take",
    },
    Allowed {
        feature: "counted tools",
        applies: |loss| loss.actual.is_null() && loss.there == Dialect::CohereTokenize,
        reason: "Cohere counts the text alone",
    },
    Allowed {
        feature: "counted tools",
        applies: |loss| {
            let stands_in = |name: &str| name.starts_with("bf_so_");
            loss.there == Dialect::BedrockCountTokens
                && loss.expected.is_null()
                && loss.actual[0].as_str().is_some_and(stands_in)
        },
        reason: "Claude on Bedrock answers in a given form by calling a tool, which counts, too",
    },
    Allowed {
        feature: "translation",
        applies: |loss| {
            let request = loss.exchange.request.as_ref();
            loss.exchange.dialect == Dialect::BedrockCountTokens
                && request.is_some_and(|request| request["input"]["invokeModel"].is_object())
        },
        reason: "refused: a question to be counted that is itself in the dialect of some model's maker",
    },
    Allowed {
        feature: "tokens",
        applies: |loss| loss.actual.is_null() && loss.exchange.dialect == Dialect::CohereTokenize,
        reason: "only Cohere says which tokens there are, and not how many alone",
    },
    Allowed {
        feature: "usage input",
        applies: |loss| loss.actual.is_null() && reports_nothing(loss.there),
        reason: "these have no place for what was used",
    },
    Allowed {
        feature: "usage total",
        applies: |loss| loss.actual.is_null() && reports_nothing(loss.there),
        reason: "these have no place for what was used",
    },
    Allowed {
        feature: "usage output",
        applies: |loss| loss.actual.is_null() && reports_nothing(loss.there),
        reason: "these have no place for what was used",
    },
    Allowed {
        feature: "search units",
        applies: |loss| loss.actual.is_null() && reports_nothing(loss.there),
        reason: "these have no place for what was used",
    },
    Allowed {
        feature: "tokens per document",
        applies: |loss| loss.actual.is_null(),
        reason: "these rerankers take no limit per document",
    },
    Allowed {
        feature: "model",
        applies: |loss| loss.actual.is_null() || *loss.actual == "",
        reason: "these replies name no model",
    },
    Allowed {
        feature: "id",
        applies: |loss| {
            let has_id = has_reply_id(loss.there) && has_reply_id(loss.exchange.dialect);
            loss.actual.is_null() && !has_id
        },
        reason: "these replies have no id",
    },
    Allowed {
        feature: "id",
        applies: |loss| {
            *loss.actual == "fallback-id" && loss.there.purpose() != Purpose::Generation
        },
        reason: "replies that came without an id get one",
    },
    Allowed {
        feature: "image size",
        applies: |loss| loss.there.purpose() == Purpose::Image && loss.actual.is_null(),
        reason: "these take a ratio instead of a size",
    },
    Allowed {
        feature: "image size",
        applies: |loss| loss.there == Dialect::NebiusImages && loss.expected.is_null(),
        reason: "these take a size instead of a ratio",
    },
    Allowed {
        feature: "image ratio",
        applies: |loss| loss.there == Dialect::NebiusImages && loss.actual.is_null(),
        reason: "these take a size instead of a ratio",
    },
    Allowed {
        feature: "image ratio",
        applies: |loss| loss.there.purpose() == Purpose::Image && loss.expected.is_null(),
        reason: "these take a ratio instead of a size",
    },
    Allowed {
        feature: "image ratio",
        applies: |loss| loss.actual.is_null() && loss.there == Dialect::OpenAiImages,
        reason: "sizes differ from model to model; without one the model decides",
    },
    Allowed {
        feature: "image resolution",
        applies: |loss| loss.there.purpose() == Purpose::Image,
        reason: "these take a size instead, or have one resolution",
    },
    Allowed {
        feature: "image settings",
        applies: |loss| loss.there.purpose() == Purpose::Image && loss.actual.is_null(),
        reason: "quality and background are settings of OpenAI's models",
    },
    Allowed {
        feature: "image format",
        applies: |loss| loss.actual.is_null() && loss.there == Dialect::XaiImages,
        reason: "xAI chooses the format itself",
    },
    Allowed {
        feature: "response format",
        applies: |loss| {
            loss.there == Dialect::GeminiImagen
                && (loss.actual.is_null() || *loss.actual == "b64_json")
        },
        reason: "Imagen answers with bytes only",
    },
    Allowed {
        feature: "created",
        applies: |loss| loss.there.purpose() == Purpose::Image,
        reason: "only OpenAI says when",
    },
];

fn is_not_told(dialect: Dialect) -> bool {
    [
        Dialect::OpenAiEmbeddings,
        Dialect::TitanEmbed,
        Dialect::GeminiEmbedContent,
        Dialect::GeminiBatchEmbed,
    ]
    .contains(&dialect)
}

fn tells_input_type(dialect: Dialect) -> bool {
    is_google(dialect) || [Dialect::CohereEmbed, Dialect::BedrockCohereEmbed].contains(&dialect)
}

fn is_google(dialect: Dialect) -> bool {
    [Dialect::GeminiEmbedContent, Dialect::GeminiBatchEmbed, Dialect::VertexEmbed]
        .contains(&dialect)
}

fn is_inexpressible(loss: &Mismatch<'_>, purpose: Purpose) -> bool {
    let error = loss.actual.as_str().unwrap_or("");
    loss.there.purpose() == purpose && error.contains("cannot be expressed in")
}

fn reports_nothing(dialect: Dialect) -> bool {
    [
        Dialect::BedrockCohereEmbed,
        Dialect::BedrockRerank,
        Dialect::VertexRank,
        Dialect::GeminiImagen,
    ]
    .contains(&dialect)
}

fn has_reply_id(dialect: Dialect) -> bool {
    [
        Dialect::CohereEmbed,
        Dialect::BedrockCohereEmbed,
        Dialect::CohereRerank,
        Dialect::JinaRerank,
        Dialect::Rerank,
    ]
    .contains(&dialect)
}
