//! Cohere's shapes: chat, embed and rerank of version 2, tokenize, the model list, errors.

mod check;
mod write;

use serde_json::{Value, json};

use super::answer::{Answer, Ask, Output, Tool};
use super::conversation::{Conversation, items, joined_text, text, texts};
use super::openai::object_schema;
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;
use super::text::tokens;
use super::vectors::{base64, bytes, floats, vector};

const MODELS: [&str; 4] =
    ["command-a-03-2025", "command-a-reasoning-08-2025", "embed-v4.0", "rerank-v3.5"];
const DIMENSIONS: usize = 1536;

/// `POST …/v2/chat`.
pub(crate) fn serve_chat(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::chat(call.body, call.is_strict)?;
    let answer = Answer::new(&ask(call.body), &call.size);
    let message = write::Message { call, answer: &answer };
    Ok(match call.body.get("stream").and_then(Value::as_bool) {
        Some(true) => Reply::events(message.events(), write::break_off),
        _ => Reply::json(200, &message.whole()),
    })
}

/// `POST …/v2/embed`.
pub(crate) fn serve_embed(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::embed(call.body, call.is_strict)?;
    let body = call.body;
    let mut inputs = texts(body.get("texts"));
    let contents = items(body.get("inputs")).iter();
    inputs.extend(contents.map(|input| joined_text(input.get("content"))));
    let images = texts(body.get("images"));
    let vectors: Vec<Vec<f32>> =
        inputs.iter().chain(&images).map(|input| vector(input, dimensions(body))).collect();
    let mut kinds = texts(body.get("embedding_types"));
    if kinds.is_empty() {
        kinds.push("float".to_owned());
    }
    let embeddings: serde_json::Map<String, Value> =
        kinds.into_iter().map(|kind| (kind.clone(), of_kind(&kind, &vectors))).collect();
    let billed = tokens(inputs.iter().map(String::len).sum());
    Ok(Reply::json(
        200,
        &json!({
            "id": id(call.id),
            "embeddings": embeddings,
            "texts": inputs,
            "response_type": "embeddings_by_type",
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": billed}},
        }),
    ))
}

fn of_kind(kind: &str, vectors: &[Vec<f32>]) -> Value {
    let write = match kind {
        "float" => floats,
        "base64" => base64,
        _ => bytes,
    };
    vectors.iter().map(|vector| write(vector)).collect()
}

fn dimensions(request: &Value) -> usize {
    let wanted = request.get("output_dimension").and_then(Value::as_u64);
    wanted.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(DIMENSIONS)
}

/// `POST …/v2/rerank`: documents that share more words with the query come first.
pub(crate) fn serve_rerank(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::rerank(call.body, call.is_strict)?;
    let words: Vec<String> = words(text(call.body, "query"));
    let score = |document: &Value| {
        let found = self::words(document.as_str().unwrap_or_default());
        let shared = words.iter().filter(|word| found.contains(word)).count();
        (shared as f64 + 0.5) / (words.len() as f64 + 1.0)
    };
    let documents = items(call.body.get("documents")).iter().enumerate();
    let mut results: Vec<(usize, f64)> =
        documents.map(|(index, document)| (index, score(document))).collect();
    results.sort_by(|one, other| other.1.total_cmp(&one.1));
    let top = call.body.get("top_n").and_then(Value::as_u64).unwrap_or(u64::MAX);
    results.truncate(usize::try_from(top).unwrap_or(usize::MAX));
    let results: Vec<Value> = results
        .into_iter()
        .map(|(index, score)| json!({"index": index, "relevance_score": score}))
        .collect();
    Ok(Reply::json(
        200,
        &json!({
            "id": id(call.id),
            "results": results,
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        }),
    ))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// `POST …/v1/tokenize`: a token for each word.
pub(crate) fn serve_tokenize(call: &Call<'_>) -> Result<Reply, Refusal> {
    check::tokenize(call.body, call.is_strict)?;
    let words: Vec<&str> = text(call.body, "text").split_inclusive(' ').collect();
    let numbers: Vec<usize> = words.iter().map(|word| word.len()).collect();
    Ok(Reply::json(
        200,
        &json!({"tokens": numbers, "token_strings": words, "meta": {"api_version": {"version": "1"}}}),
    ))
}

/// `GET …/v1/models`.
pub(crate) fn serve_models(_: &Call<'_>) -> Result<Reply, Refusal> {
    let entry = |name: &&str| {
        let endpoint = name.split(['-']).next().map_or("chat", |kind| match kind {
            "embed" => "embed",
            "rerank" => "rerank",
            _ => "chat",
        });
        json!({"name": name, "endpoints": [endpoint], "finetuned": false, "context_length": 256_000})
    };
    Ok(Reply::json(200, &json!({"models": MODELS.iter().map(entry).collect::<Vec<_>>()})))
}

/// A refusal as an error reply.
pub(crate) fn error(refusal: &Refusal, number: u64) -> Reply {
    Reply::json(refusal.status, &json!({"id": id(number), "message": refusal.message}))
}

fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn ask(request: &Value) -> Ask {
    let mut conversation = Conversation::default();
    for message in items(request.get("messages")) {
        listen(&mut conversation, message);
    }
    let thinking = request.pointer("/thinking/type").and_then(Value::as_str);
    Ask {
        last: conversation.last(),
        tools: tools(request),
        allows_parallel: true,
        wants_reasoning: thinking == Some("enabled"),
        output: output(request),
        tokens_max: request.get("max_tokens").and_then(Value::as_u64),
        stops: texts(request.get("stop_sequences")),
        prompt_bytes: conversation.bytes,
        images: conversation.images,
        wants_cache: false,
    }
}

fn listen(conversation: &mut Conversation, message: &Value) {
    let content = message.get("content");
    let said = joined_text(content);
    match text(message, "role") {
        "user" => conversation.user(&said),
        "tool" => {
            let documents =
                items(content).iter().filter_map(|block| block.pointer("/document/data"));
            let data: String = documents
                .map(|data| data.as_str().map_or_else(|| data.to_string(), str::to_owned))
                .collect();
            conversation.tool_result(&format!("{said}{data}"));
        }
        _ => conversation.other(&said),
    }
    let images = items(content).iter().filter(|block| text(block, "type") == "image_url");
    images.for_each(|_| conversation.image());
}

fn tools(request: &Value) -> Vec<Tool> {
    if text(request, "tool_choice") == "NONE" {
        return Vec::new();
    }
    let functions = items(request.get("tools")).iter().filter_map(|tool| tool.get("function"));
    functions
        .map(|function| Tool {
            name: text(function, "name").to_owned(),
            schema: object_schema(function.get("parameters").cloned().unwrap_or_else(|| json!({}))),
        })
        .collect()
}

fn output(request: &Value) -> Output {
    let format = request.get("response_format");
    if format.map(|format| text(format, "type")) != Some("json_object") {
        return Output::Text;
    }
    let schema = format.and_then(|format| format.get("json_schema").or(format.get("schema")));
    schema
        .filter(|schema| !schema.is_null())
        .cloned()
        .map_or(Output::JsonObject, Output::JsonSchema)
}
