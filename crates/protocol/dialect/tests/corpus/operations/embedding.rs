//! What embedding requests and replies say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dialect::Dialect;
use serde_json::{Value, json};

use super::{Verdict, ensure, first, list};

pub(super) fn request_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    let item = match dialect {
        Dialect::GeminiBatchEmbed => &body["requests"][0],
        Dialect::VertexEmbed => &body["instances"][0],
        _ => body,
    };
    let parameters = if dialect == Dialect::VertexEmbed { &body["parameters"] } else { item };
    let dimensions = ["dimensions", "output_dimension", "outputDimensionality"];
    vec![
        ("inputs", inputs(dialect, body)),
        ("dimensions", first(parameters, &dimensions).clone()),
        ("input type", input_type(first(item, &["input_type", "taskType", "task_type"]))),
        ("number formats", number_formats(first(body, &["embedding_types", "encoding_format"]))),
        ("truncation", truncation(first(parameters, &["truncate", "autoTruncate"]))),
        ("title", item["title"].clone()),
        ("user", body["user"].clone()),
    ]
}

/// Each input as a text, an array of token numbers, or an array of pieces.
fn inputs(dialect: Dialect, body: &Value) -> Value {
    let content = |content: &Value| {
        let parts = match &content["parts"] {
            Value::Array(parts) => parts.clone(),
            part => vec![part.clone()],
        };
        pieces(&parts)
    };
    match dialect {
        Dialect::GeminiEmbedContent => json!([content(&body["content"])]),
        Dialect::GeminiBatchEmbed => {
            list(body, "requests").iter().map(|item| content(&item["content"])).collect()
        }
        Dialect::VertexEmbed => {
            list(body, "instances").iter().map(|item| item["content"].clone()).collect()
        }
        Dialect::CohereEmbed | Dialect::BedrockCohereEmbed => cohere_inputs(body),
        Dialect::TitanEmbed => match &body["inputImage"] {
            Value::Null => json!([body["inputText"]]),
            image => {
                let both = [&body["inputText"], image].into_iter();
                json!([both.filter(|piece| !piece.is_null()).collect::<Vec<_>>()])
            }
        },
        _ => match first(body, &["input", "prompt"]) {
            Value::Array(list) if list.first().is_some_and(Value::is_number) => json!([list]),
            Value::Array(list) => list.iter().map(openai_input).collect(),
            one => json!([one]),
        },
    }
}

fn openai_input(input: &Value) -> Value {
    if input.is_object() { pieces(list(input, "content")) } else { input.clone() }
}

fn cohere_inputs(body: &Value) -> Value {
    let images = list(body, "images").iter().map(|url| json!([bare(url)]));
    let inputs = list(body, "inputs").iter().map(|input| pieces(list(input, "content")));
    list(body, "texts").iter().cloned().chain(images).chain(inputs).collect()
}

fn pieces(parts: &[Value]) -> Value {
    if let [part] = parts
        && part["text"].is_string()
    {
        return part["text"].clone();
    }
    let piece = |part: &Value| match &part["text"] {
        Value::Null => match first(part, &["inlineData", "inline_data"]) {
            Value::Null => bare(&part["image_url"]["url"]),
            data => data["data"].clone(),
        },
        text => text.clone(),
    };
    parts.iter().map(piece).collect()
}

/// The bytes of a `data:` URL.
fn bare(url: &Value) -> Value {
    url.as_str().map_or(Value::Null, |url| url.rsplit(',').next().into())
}

fn input_type(word: &Value) -> Value {
    match word.as_str() {
        Some("RETRIEVAL_DOCUMENT") => "search_document".into(),
        Some("RETRIEVAL_QUERY" | "query") => "search_query".into(),
        Some("document") => "search_document".into(),
        Some(word) => word.to_lowercase().into(),
        None => Value::Null,
    }
}

fn number_formats(formats: &Value) -> Value {
    if formats.is_string() { json!([formats]) } else { formats.clone() }
}

fn truncation(value: &Value) -> Value {
    match value {
        Value::Bool(true) => "end".into(),
        Value::Bool(false) => "never".into(),
        Value::String(word) if word == "NONE" => "never".into(),
        Value::String(word) => word.to_lowercase().into(),
        _ => Value::Null,
    }
}

pub(super) fn reply_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    let (input, total) = usage(dialect, body);
    let count =
        |count: Option<u64>| count.filter(|count| *count > 0).map_or(Value::Null, Value::from);
    let has_id = matches!(
        dialect,
        Dialect::OpenAiEmbeddings | Dialect::CohereEmbed | Dialect::BedrockCohereEmbed
    );
    vec![
        ("vectors", vectors(dialect, body)),
        ("usage input", count(input)),
        ("usage total", count(total)),
        ("id", if has_id { body["id"].clone() } else { Value::Null }),
    ]
}

/// All vectors as 32-bit floats.
fn vectors(dialect: Dialect, body: &Value) -> Value {
    let vectors: Vec<&Value> = match dialect {
        Dialect::GeminiEmbedContent => vec![&body["embedding"]["values"]],
        Dialect::GeminiBatchEmbed => {
            list(body, "embeddings").iter().map(|it| &it["values"]).collect()
        }
        Dialect::VertexEmbed => {
            let predictions = list(body, "predictions").iter();
            predictions.map(|it| &it["embeddings"]["values"]).collect()
        }
        Dialect::TitanEmbed => vec![&body["embedding"]],
        Dialect::CohereEmbed | Dialect::BedrockCohereEmbed => match &body["embeddings"] {
            Value::Array(list) => list.iter().collect(),
            types => {
                let list = first(types, &["float", "int8", "uint8", "binary", "ubinary"]);
                list.as_array().into_iter().flatten().collect()
            }
        },
        Dialect::OllamaEmbed => match &body["embeddings"] {
            Value::Array(list) => list.iter().collect(),
            _ => vec![&body["embedding"]],
        },
        _ => list(body, "data").iter().map(|it| &it["embedding"]).collect(),
    };
    vectors.into_iter().map(floats).collect()
}

fn floats(vector: &Value) -> Value {
    let single = |number: &Value| {
        let text = number.to_string();
        Value::from(text.parse::<f32>().expect("a number"))
    };
    match vector {
        Value::String(base64) => {
            let bytes = STANDARD.decode(base64).expect("base64");
            let float = |bytes: &[u8]| {
                Value::from(f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            };
            bytes.chunks_exact(4).map(float).collect()
        }
        Value::Array(numbers) => numbers.iter().map(single).collect(),
        _ => Value::Null,
    }
}

/// Tokens of the input, and in all.
fn usage(dialect: Dialect, body: &Value) -> (Option<u64>, Option<u64>) {
    let of = |value: &Value| value.as_u64();
    match dialect {
        Dialect::GeminiEmbedContent | Dialect::GeminiBatchEmbed => {
            let usage = &body["usageMetadata"];
            let input = of(&usage["promptTokenCount"]);
            (input, of(&usage["totalTokenCount"]).or(input))
        }
        Dialect::VertexEmbed => {
            let predictions = list(body, "predictions").iter();
            let count = |it: &Value| of(&it["embeddings"]["statistics"]["token_count"]);
            let sum = predictions.filter_map(count).sum();
            (Some(sum), Some(sum))
        }
        Dialect::CohereEmbed | Dialect::BedrockCohereEmbed => {
            let units = &body["meta"]["billed_units"];
            let sum =
                of(&units["input_tokens"]).unwrap_or(0) + of(&units["image_tokens"]).unwrap_or(0);
            (Some(sum), Some(sum))
        }
        Dialect::TitanEmbed => (of(&body["inputTextTokenCount"]), of(&body["inputTextTokenCount"])),
        Dialect::OllamaEmbed => (of(&body["prompt_eval_count"]), of(&body["prompt_eval_count"])),
        _ => {
            let usage = &body["usage"];
            let total = of(&usage["total_tokens"]);
            (of(&usage["prompt_tokens"]).or(total), total)
        }
    }
}

pub(super) fn valid_request(dialect: Dialect, body: &Value) -> Verdict {
    let names_model =
        matches!(dialect, Dialect::OpenAiEmbeddings | Dialect::CohereEmbed | Dialect::OllamaEmbed);
    ensure(names_model == body["model"].is_string(), "model")?;
    let texts = inputs(dialect, body);
    let has_input = texts.as_array().is_some_and(|texts| !texts.is_empty() && !texts[0].is_null());
    ensure(has_input, "no input")?;
    match dialect {
        Dialect::CohereEmbed => {
            ensure(body["input_type"].is_string(), "no input_type")?;
            ensure(body["embedding_types"].is_array(), "no embedding_types")
        }
        Dialect::BedrockCohereEmbed => ensure(body["input_type"].is_string(), "no input_type"),
        Dialect::GeminiBatchEmbed => {
            let is_named = |item: &Value| {
                item["model"].as_str().is_some_and(|model| model.starts_with("models/"))
            };
            ensure(list(body, "requests").iter().all(is_named), "a request without model")
        }
        _ => Ok(()),
    }
}

pub(super) fn valid_reply(dialect: Dialect, body: &Value) -> Verdict {
    let vectors = vectors(dialect, body);
    let vectors = vectors.as_array().map_or(&[][..], Vec::as_slice);
    ensure(vectors.iter().all(|it| it.as_array().is_some_and(|it| !it.is_empty())), "no vector")?;
    match dialect {
        Dialect::OpenAiEmbeddings => {
            ensure(body["object"] == "list" && body["model"].is_string(), "head")?;
            ensure(body["usage"]["prompt_tokens"].is_u64(), "no prompt_tokens")?;
            ensure(body["usage"]["total_tokens"].is_u64(), "no total_tokens")?;
            let mut elements = list(body, "data").iter().enumerate();
            let are_sound = elements.all(|(index, element)| {
                element["object"] == "embedding" && element["index"] == index
            });
            ensure(are_sound, "an element of data")
        }
        Dialect::CohereEmbed => {
            ensure(body["id"].is_string(), "no id")?;
            ensure(body["embeddings"].is_object(), "embeddings are not by type")?;
            ensure(body["response_type"] == "embeddings_by_type", "response_type")
        }
        Dialect::BedrockCohereEmbed => ensure(body["response_type"].is_string(), "response_type"),
        Dialect::TitanEmbed => ensure(body["inputTextTokenCount"].is_u64(), "no token count"),
        _ => Ok(()),
    }
}
