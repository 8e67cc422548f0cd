//! Lists of models in the shapes of Google and of Cohere.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::reply::{Entry, count};
use crate::refusal::Refusal;

/// Entries on a page of Google's: default and maximum of the original API.
const GENAI_PAGE: PageSizes = PageSizes { usual: 50, max: 1000 };

/// The same of Cohere's.
const COHERE_PAGE: PageSizes = PageSizes { usual: 20, max: 1000 };

/// What all models can be asked for by Google's SDKs.
const METHODS: [&str; 3] = ["generateContent", "streamGenerateContent", "countTokens"];

/// And those that make vectors.
const EMBEDDING_METHODS: [&str; 2] = ["embedContent", "batchEmbedContents"];

/// A word in the names of models that make vectors.
const EMBEDDING: &str = "embed";

/// A word in the names of models that sort documents.
const RERANK: &str = "rerank";

/// Which page.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PageQuery {
    #[serde(alias = "pageSize")]
    page_size: Option<String>,
    /// The last name of the page before, so that pages stay put while lists change.
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
}

struct PageSizes {
    usual: usize,
    max: usize,
}

/// `GET /genai/v1beta/models`.
pub(super) fn genai(all: &[Entry<'_>], query: &PageQuery) -> Result<Value, Refusal> {
    let (page, next) = page(all, query, &GENAI_PAGE)?;
    let mut reply = json!({ "models": page.iter().map(genai_entry).collect::<Vec<_>>() });
    if let Some(next) = next {
        reply["nextPageToken"] = json!(next);
    }
    Ok(reply)
}

/// `GET /genai/v1beta/models/{model}`.
pub(super) fn genai_entry(entry: &Entry<'_>) -> Value {
    let details = &entry.model.details;
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("name", json!(format!("models/{}", entry.id)));
    put("baseModelId", json!(entry.name()));
    put("version", details.get("version").cloned().unwrap_or_else(|| json!("")));
    put("displayName", json!(entry.display_name()));
    for (from, to) in [
        ("description", "description"),
        ("max_input_tokens", "inputTokenLimit"),
        ("max_output_tokens", "outputTokenLimit"),
        ("temperature", "temperature"),
        ("maxTemperature", "maxTemperature"),
        ("topP", "topP"),
        ("topK", "topK"),
        ("thinking", "thinking"),
    ] {
        if let Some(value) = details.get(from).filter(|value| !value.is_null()) {
            put(to, value.clone());
        }
    }
    let guessed = match entry.name().contains(EMBEDDING) {
        true => json!(EMBEDDING_METHODS),
        false => json!(METHODS),
    };
    let methods = details.get("supportedGenerationMethods").cloned();
    put("supportedGenerationMethods", methods.unwrap_or(guessed));
    Value::Object(object)
}

/// `GET /cohere/v1/models`.
pub(super) fn cohere(all: &[Entry<'_>], query: &PageQuery) -> Result<Value, Refusal> {
    let (page, next) = page(all, query, &COHERE_PAGE)?;
    let mut reply = json!({ "models": page.iter().map(cohere_entry).collect::<Vec<_>>() });
    if let Some(next) = next {
        reply["next_page_token"] = json!(next);
    }
    Ok(reply)
}

/// `GET /cohere/v1/models/{model}`.
pub(super) fn cohere_entry(entry: &Entry<'_>) -> Value {
    let details = &entry.model.details;
    let name = entry.name();
    let guessed = match (name.contains(EMBEDDING), name.contains(RERANK)) {
        (true, _) => json!(["embed"]),
        (_, true) => json!(["rerank"]),
        (false, false) => json!(["chat"]),
    };
    let mut reply = json!({
        "name": entry.id,
        "endpoints": details.get("endpoints").cloned().unwrap_or(guessed),
        "finetuned": details.get("finetuned").cloned().unwrap_or(json!(false)),
    });
    let length = details.get("context_length").or_else(|| details.get("max_input_tokens"));
    if let Some(length) = length {
        reply["context_length"] = length.clone();
    }
    for name in ["tokenizer_url", "default_endpoints", "features", "is_deprecated"] {
        if let Some(value) = details.get(name).filter(|value| !value.is_null()) {
            reply[name] = value.clone();
        }
    }
    reply
}

/// The entries of a page, and the token of the next where there is one.
fn page<'e, 'l>(
    all: &'e [Entry<'l>],
    query: &PageQuery,
    sizes: &PageSizes,
) -> Result<(&'e [Entry<'l>], Option<&'e str>), Refusal> {
    let size = count("page_size", query.page_size.as_deref())?.filter(|size| *size > 0);
    let size = size.unwrap_or(sizes.usual).min(sizes.max);
    let token = query.page_token.as_ref().filter(|token| !token.is_empty());
    let start = token.map_or(0, |token| all.partition_point(|entry| entry.id <= *token));
    let rest = &all[start..];
    let page = &rest[..size.min(rest.len())];
    let next = page.last().filter(|_| page.len() < rest.len()).map(|last| &*last.id);
    Ok((page, next))
}
