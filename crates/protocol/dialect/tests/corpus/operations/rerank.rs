//! What reranking requests and replies say.

use dialect::Dialect;
use serde_json::{Value, json};

use super::{Verdict, ensure, first, list};

pub(super) fn request_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    let bedrock = &body["rerankingConfiguration"]["bedrockRerankingConfiguration"];
    let more = &bedrock["modelConfiguration"]["additionalModelRequestFields"];
    let is_bedrock = dialect == Dialect::BedrockRerank;
    let limit = if is_bedrock { more } else { body };
    let results_max = match dialect {
        Dialect::BedrockRerank => &bedrock["numberOfResults"],
        _ => first(body, &["top_n", "top_k", "topN"]),
    };
    vec![
        ("query", query(dialect, body).clone()),
        ("ranked documents", documents(dialect, body)),
        ("result limit", results_max.clone()),
        ("tokens per document", limit["max_tokens_per_doc"].clone()),
    ]
}

fn query(dialect: Dialect, body: &Value) -> &Value {
    match dialect {
        Dialect::BedrockRerank => &body["queries"][0]["textQuery"]["text"],
        _ => &body["query"],
    }
}

fn documents(dialect: Dialect, body: &Value) -> Value {
    match dialect {
        Dialect::BedrockRerank => {
            let text = |it: &Value| it["inlineDocumentSource"]["textDocument"]["text"].clone();
            list(body, "sources").iter().map(text).collect()
        }
        Dialect::VertexRank => {
            list(body, "records").iter().map(|it| it["content"].clone()).collect()
        }
        _ => {
            let text = |it: &Value| if it.is_string() { it.clone() } else { it["text"].clone() };
            list(body, "documents").iter().map(text).collect()
        }
    }
}

pub(super) fn reply_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    let usage = &body["usage"];
    let units = first(usage, &["search_units"]);
    let billed = &body["meta"]["billed_units"];
    let units = if units.is_null() { &billed["search_units"] } else { units };
    let count = |value: &Value| if *value == 0 { Value::Null } else { value.clone() };
    let total = first(usage, &["total_tokens"]);
    let total = if total.is_null() { &billed["input_tokens"] } else { total };
    let has_id = matches!(dialect, Dialect::CohereRerank | Dialect::JinaRerank | Dialect::Rerank);
    vec![
        ("ranking", results(body).iter().map(ranked).collect()),
        ("returned documents", returned(dialect, body)),
        ("usage total", count(total)),
        ("search units", count(units)),
        ("id", if has_id { body["id"].clone() } else { Value::Null }),
        ("model", body["model"].as_str().filter(|it| !it.is_empty()).into()),
    ]
}

fn results(body: &Value) -> &[Value] {
    ["results", "data", "records"]
        .iter()
        .map(|name| list(body, name))
        .find(|it| !it.is_empty())
        .unwrap_or(&[])
}

fn ranked(result: &Value) -> Value {
    let number = |id: &Value| id.as_str().and_then(|id| id.parse::<u64>().ok());
    let index = result["index"].as_u64().or_else(|| number(&result["id"]));
    json!([index, first(result, &["relevance_score", "relevanceScore", "score"])])
}

fn returned(dialect: Dialect, body: &Value) -> Value {
    let text = |it: &Value| match dialect {
        Dialect::VertexRank => it["content"].clone(),
        Dialect::BedrockRerank => it["document"]["textDocument"]["text"].clone(),
        _ => it["document"]["text"].clone(),
    };
    results(body).iter().map(text).filter(|text| !text.is_null()).collect()
}

pub(super) fn valid_request(dialect: Dialect, body: &Value) -> Verdict {
    let names_model = dialect != Dialect::BedrockRerank;
    ensure(names_model == body["model"].is_string(), "model")?;
    ensure(query(dialect, body).is_string(), "no query")?;
    let documents = documents(dialect, body);
    let are_texts = documents.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    ensure(are_texts, "a document without text")?;
    match dialect {
        Dialect::CohereRerank | Dialect::JinaRerank => {
            ensure(list(body, "documents").iter().all(Value::is_string), "documents are no strings")
        }
        Dialect::VertexRank => {
            let ids = list(body, "records").iter().all(|record| record["id"].is_string());
            ensure(ids, "a record without id")
        }
        Dialect::BedrockRerank => {
            let bedrock = &body["rerankingConfiguration"]["bedrockRerankingConfiguration"];
            ensure(bedrock["modelConfiguration"]["modelArn"].is_string(), "no modelArn")
        }
        _ => Ok(()),
    }
}

pub(super) fn valid_reply(dialect: Dialect, body: &Value) -> Verdict {
    let name = if dialect == Dialect::VertexRank { "records" } else { "results" };
    ensure(body[name].is_array(), "no results")?;
    let is_sound = |it: &Value| match dialect {
        Dialect::VertexRank => it["id"].is_string() && it["score"].is_number(),
        Dialect::BedrockRerank => it["index"].is_u64() && it["relevanceScore"].is_number(),
        _ => it["index"].is_u64() && it["relevance_score"].is_number(),
    };
    ensure(list(body, name).iter().all(is_sound), "a result")?;
    match dialect {
        Dialect::CohereRerank => ensure(body["id"].is_string(), "no id"),
        Dialect::JinaRerank | Dialect::Rerank => {
            ensure(body["id"].is_string() && body["model"].is_string(), "head")
        }
        _ => Ok(()),
    }
}
