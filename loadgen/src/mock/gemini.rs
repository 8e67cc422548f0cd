//! Google's shapes, of AI Studio and Vertex: generateContent, embeddings, token counts, the model list, errors.

mod check;
mod embed;
mod media;
mod write;

use serde_json::{Value, json};

use super::answer::{Answer, Ask, Output, Tool};
use super::conversation::{Conversation, items, text, texts};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;
use super::text::tokens;

pub(crate) use embed::{serve as serve_embed, serve_batch as serve_batch_embed, serve_predict};

const MODELS: [&str; 4] =
    ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-pro-preview", "gemini-embedding-001"];

/// `POST …/models/MODEL:generateContent`.
pub(crate) fn serve_generate(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = checked(call)?;
    if let Some(chunks) = media::chunks(call, &request)? {
        return Ok(media::whole(call, &chunks));
    }
    let answer = Answer::new(&ask(&request), &call.size);
    let response = write::Response::new(call, &request, &answer);
    Ok(Reply::json(200, &response.whole()))
}

/// `POST …/models/MODEL:streamGenerateContent`: events where `alt=sse` asks for them, else the pieces of one array.
pub(crate) fn serve_stream(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = checked(call)?;
    let answer = Answer::new(&ask(&request), &call.size);
    let text = || write::Response::new(call, &request, &answer).chunks();
    let chunks = media::chunks(call, &request)?.unwrap_or_else(text);
    Ok(match call.request.query("alt").as_deref() {
        Some("sse") => {
            let events = chunks.iter().map(write::event).collect();
            Reply::stream("text/event-stream", events, write::break_off_events)
        }
        _ => {
            let pieces = write::array(&chunks);
            Reply::stream("application/json; charset=UTF-8", pieces, write::break_off_array)
        }
    })
}

/// `POST …/models/MODEL:countTokens`.
pub(crate) fn serve_count_tokens(call: &Call<'_>) -> Result<Reply, Refusal> {
    let body = check::with_camel_case_names(call.body);
    let request = match body.get("generateContentRequest") {
        Some(request) => request.clone(),
        None => body,
    };
    check::check(&request, call.model)?;
    let count = tokens(ask(&request).prompt_bytes).max(1);
    let details = json!([{"modality": "TEXT", "tokenCount": count}]);
    Ok(Reply::json(200, &json!({"totalTokens": count, "promptTokensDetails": details})))
}

/// `GET …/models`.
pub(crate) fn serve_models(_: &Call<'_>) -> Result<Reply, Refusal> {
    let models: Vec<Value> = MODELS.iter().map(|id| model_entry(id)).collect();
    Ok(Reply::json(200, &json!({"models": models})))
}

/// `GET …/models/{id}`.
pub(crate) fn serve_model(call: &Call<'_>) -> Result<Reply, Refusal> {
    match MODELS.contains(&call.model) {
        true => Ok(Reply::json(200, &model_entry(call.model))),
        false => {
            let model = call.model;
            let message = format!("models/{model} is not found for API version v1beta.");
            Err(Refusal::new(404, message))
        }
    }
}

fn model_entry(id: &str) -> Value {
    let methods = match id.contains("embedding") {
        true => json!(["embedContent", "countTokens"]),
        false => json!(["generateContent", "countTokens", "createCachedContent"]),
    };
    json!({
        "name": format!("models/{id}"),
        "version": "001",
        "displayName": id,
        "description": "A mock model.",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": methods,
    })
}

/// A refusal as an error reply.
pub(crate) fn error(refusal: &Refusal) -> Reply {
    Reply::json(refusal.status, &error_object(refusal))
}

fn error_object(refusal: &Refusal) -> Value {
    let status = match refusal.status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        503 | 529 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "FAILED_PRECONDITION",
    };
    let status = refusal.code.as_deref().unwrap_or(status);
    let mut error = json!({"code": refusal.status, "message": refusal.message, "status": status});
    if let Some(field) = &refusal.param {
        error["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": field, "description": refusal.message}],
        }]);
    }
    json!({"error": error})
}

fn checked(call: &Call<'_>) -> Result<Value, Refusal> {
    let request = check::with_camel_case_names(call.body);
    check::check(&request, call.model)?;
    Ok(request)
}

fn ask(request: &Value) -> Ask {
    let conversation = conversation(request);
    let setting = |name: &str| request.pointer(&format!("/generationConfig/{name}"));
    let thinking = setting("thinkingConfig");
    let budget = thinking.and_then(|thinking| thinking.get("thinkingBudget"));
    let shows_thoughts = thinking.and_then(|thinking| thinking.get("includeThoughts"));
    Ask {
        last: conversation.last(),
        tools: tools(request),
        allows_parallel: true,
        wants_reasoning: shows_thoughts.and_then(Value::as_bool) == Some(true)
            && budget.and_then(Value::as_i64) != Some(0),
        output: output(request),
        tokens_max: setting("maxOutputTokens").and_then(Value::as_u64),
        stops: texts(setting("stopSequences")),
        prompt_bytes: conversation.bytes,
        images: conversation.images,
        wants_cache: false,
    }
}

fn conversation(request: &Value) -> Conversation {
    let mut conversation = Conversation::default();
    let system = request.pointer("/systemInstruction/parts");
    items(system).iter().for_each(|part| conversation.other(text(part, "text")));
    for content in items(request.get("contents")) {
        listen(&mut conversation, content);
    }
    conversation
}

fn listen(conversation: &mut Conversation, content: &Value) {
    let parts = items(content.get("parts"));
    let said: String = parts.iter().map(|part| text(part, "text")).collect();
    if text(content, "role") == "model" {
        return conversation.other(&said);
    }
    let results: Vec<&Value> =
        parts.iter().filter_map(|part| part.get("functionResponse")).collect();
    match results.is_empty() {
        true => conversation.user(&said),
        false => {
            results.into_iter().for_each(|result| conversation.tool_result(&result_text(result)))
        }
    }
    let is_image = |data: &Value| text(data, "mimeType").starts_with("image/");
    let data = parts.iter().filter_map(|part| part.get("inlineData").or(part.get("fileData")));
    data.filter(|data| is_image(data)).for_each(|_| conversation.image());
}

/// The text of a function's response: of its usual fields, or all of it.
fn result_text(result: &Value) -> String {
    let response = result.get("response").unwrap_or(&Value::Null);
    let usual =
        ["output", "result", "content"].iter().find_map(|name| response.get(name)?.as_str());
    usual.map_or_else(|| response.to_string(), str::to_owned)
}

fn tools(request: &Value) -> Vec<Tool> {
    let setting = request.pointer("/toolConfig/functionCallingConfig");
    if setting.is_some_and(|setting| text(setting, "mode").eq_ignore_ascii_case("none")) {
        return Vec::new();
    }
    let allowed = texts(setting.and_then(|setting| setting.get("allowedFunctionNames")));
    let declared = items(request.get("tools")).iter();
    let declared = declared.flat_map(|tool| items(tool.get("functionDeclarations")));
    let functions = declared.map(|function| Tool {
        name: text(function, "name").to_owned(),
        schema: schema(function.get("parametersJsonSchema").or(function.get("parameters"))),
    });
    functions.filter(|tool| allowed.is_empty() || allowed.contains(&tool.name)).collect()
}

fn output(request: &Value) -> Output {
    let setting = |name: &str| request.pointer(&format!("/generationConfig/{name}"));
    if setting("responseMimeType").and_then(Value::as_str) != Some("application/json") {
        return Output::Text;
    }
    match setting("responseJsonSchema").or(setting("responseSchema")) {
        Some(given) => Output::JsonSchema(schema(Some(given))),
        None => Output::JsonObject,
    }
}

/// A schema of Google's, with types in capitals, as a JSON schema.
fn schema(given: Option<&Value>) -> Value {
    let mut schema = given.cloned().unwrap_or_else(|| json!({"type": "object"}));
    lower_types(&mut schema);
    schema
}

fn lower_types(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get_mut("type") {
                name.make_ascii_lowercase();
            }
            fields.values_mut().for_each(lower_types);
        }
        Value::Array(items) => items.iter_mut().for_each(lower_types),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
