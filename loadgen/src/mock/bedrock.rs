//! AWS Bedrock's shapes: Converse and its event stream, Invoke of hosted models, token counts, errors.

mod check;
mod invoke;
mod pictures;
mod write;

use serde_json::{Value, json};
use wire::write_exception_message;

use super::answer::{Answer, Ask, Output, Tool};
use super::conversation::{Conversation, items, text, texts};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;
use super::text::tokens;

pub(crate) use invoke::{serve as serve_invoke, serve_stream as serve_invoke_stream};

const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// `POST …/model/MODEL/converse`.
pub(crate) fn serve_converse(call: &Call<'_>) -> Result<Reply, Refusal> {
    check_signed(call)?;
    check::check(call.body)?;
    let answer = Answer::new(&ask(call.body), &call.size);
    Ok(signed_for(call, Reply::json(200, &write::Message { call, answer: &answer }.whole())))
}

/// `POST …/model/MODEL/converse-stream`.
pub(crate) fn serve_converse_stream(call: &Call<'_>) -> Result<Reply, Refusal> {
    check_signed(call)?;
    check::check(call.body)?;
    let answer = Answer::new(&ask(call.body), &call.size);
    let messages = write::Message { call, answer: &answer }.stream();
    Ok(signed_for(call, Reply::stream(EVENT_STREAM, messages, break_off)))
}

/// `POST …/model/MODEL/count-tokens`.
pub(crate) fn serve_count_tokens(call: &Call<'_>) -> Result<Reply, Refusal> {
    check_signed(call)?;
    check::check_count(call.body)?;
    let count = match call.body.pointer("/input/converse") {
        Some(request) => tokens(ask(request).prompt_bytes),
        None => tokens(invoke::body_to_count(call.body)?.len()),
    };
    Ok(signed_for(call, Reply::json(200, &json!({"inputTokens": count.max(1)}))))
}

/// The access key of a request signed by SigV4.
pub(crate) fn access_key(authorization: &str) -> Option<&str> {
    let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ")?;
    field(fields, "Credential")?.split('/').next()
}

/// What can be seen of a signature without the secret: its parts are there, of the right service, and the headers it
/// covers were sent.
fn check_signed(call: &Call<'_>) -> Result<(), Refusal> {
    let authorization = call.request.header("authorization").unwrap_or_default();
    let Some(fields) = authorization.strip_prefix("AWS4-HMAC-SHA256 ") else { return Ok(()) };
    let incomplete = |what: &str| {
        let message = format!(
            "Authorization header requires '{what}' parameter. Authorization={authorization}"
        );
        Refusal::new(403, message).code("IncompleteSignatureException")
    };
    let credential = field(fields, "Credential").ok_or_else(|| incomplete("Credential"))?;
    let headers = field(fields, "SignedHeaders").ok_or_else(|| incomplete("SignedHeaders"))?;
    let signature = field(fields, "Signature").ok_or_else(|| incomplete("Signature"))?;
    let scope: Vec<&str> = credential.split('/').collect();
    let is_scope =
        matches!(scope.as_slice(), [_, _, _, "bedrock" | "bedrock-mantle", "aws4_request"]);
    if !is_scope {
        let message = "Credential should be scoped to correct service: 'bedrock'.";
        return Err(Refusal::new(403, message).code("InvalidSignatureException"));
    }
    let is_hex = signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_sent = |name: &str| call.request.header(name).is_some();
    let covers = |name: &str| headers.split(';').any(|covered| covered == name);
    match is_hex && covers("host") && covers("x-amz-date") && headers.split(';').all(is_sent) {
        true => Ok(()),
        false => {
            let message = "The request signature we calculated does not match the signature you provided. Check your \
                           AWS Secret Access Key and signing method.";
            Err(Refusal::new(403, message).code("InvalidSignatureException"))
        }
    }
}

fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = fields.split(',').filter_map(|field| field.trim().split_once('='));
    fields.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// The headers every reply has.
fn signed_for(call: &Call<'_>, reply: Reply) -> Reply {
    reply.with_header("x-amzn-requestid", request_id(call.id))
}

fn request_id(id: u64) -> String {
    format!("00000000-0000-4000-8000-{id:012}")
}

/// A refusal as an error reply.
pub(crate) fn error(refusal: &Refusal, id: u64) -> Reply {
    let kind = match refusal.status {
        400 => "ValidationException",
        401 => "UnrecognizedClientException",
        403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 => "ModelTimeoutException",
        424 => "ModelErrorException",
        429 => "ThrottlingException",
        500 => "InternalServerException",
        501.. => "ServiceUnavailableException",
        _ => "ValidationException",
    };
    let kind = refusal.code.as_deref().unwrap_or(kind);
    Reply::json(refusal.status, &json!({"message": refusal.message}))
        .with_header("x-amzn-errortype", kind)
        .with_header("x-amzn-requestid", request_id(id))
}

/// A refusal in the middle of a stream.
fn break_off(refusal: &Refusal, _: usize) -> Vec<u8> {
    let kind = match refusal.status {
        400 => "validationException",
        424 => "modelStreamErrorException",
        429 => "throttlingException",
        503 => "serviceUnavailableException",
        _ => "internalServerException",
    };
    let kind = refusal.code.as_deref().unwrap_or(kind);
    let payload = json!({"message": refusal.message}).to_string();
    let mut message = Vec::new();
    write_exception_message(kind, &mut message, |out| out.extend_from_slice(payload.as_bytes()));
    message
}

fn ask(request: &Value) -> Ask {
    let conversation = conversation(request);
    let setting = |name: &str| request.pointer(&format!("/inferenceConfig/{name}"));
    Ask {
        last: conversation.last(),
        tools: tools(request),
        allows_parallel: request
            .pointer("/additionalModelRequestFields/tool_choice/disable_parallel_tool_use")
            != Some(&Value::Bool(true)),
        wants_reasoning: wants_reasoning(request),
        output: output(request),
        tokens_max: setting("maxTokens").and_then(Value::as_u64),
        stops: texts(setting("stopSequences")),
        prompt_bytes: conversation.bytes,
        images: conversation.images,
        wants_cache: has_cache_point(request),
    }
}

fn conversation(request: &Value) -> Conversation {
    let mut conversation = Conversation::default();
    items(request.get("system")).iter().for_each(|block| conversation.other(text(block, "text")));
    for message in items(request.get("messages")) {
        listen(&mut conversation, message);
    }
    conversation
}

fn listen(conversation: &mut Conversation, message: &Value) {
    let blocks = items(message.get("content"));
    let said: String = blocks.iter().map(|block| text(block, "text")).collect();
    if text(message, "role") == "assistant" {
        return conversation.other(&said);
    }
    let results: Vec<&Value> = blocks.iter().filter_map(|block| block.get("toolResult")).collect();
    match results.is_empty() {
        true => conversation.user(&said),
        false => results.iter().for_each(|result| conversation.tool_result(&result_text(result))),
    }
    let inner = results.iter().flat_map(|result| items(result.get("content")));
    let images = blocks.iter().chain(inner).filter(|block| block.get("image").is_some());
    images.for_each(|_| conversation.image());
}

fn result_text(result: &Value) -> String {
    let content = items(result.get("content")).iter();
    content
        .map(|block| {
            block.get("json").map_or_else(|| text(block, "text").to_owned(), Value::to_string)
        })
        .collect()
}

fn tools(request: &Value) -> Vec<Tool> {
    let named = request.pointer("/toolConfig/toolChoice/tool/name").and_then(Value::as_str);
    let specs = items(request.pointer("/toolConfig/tools")).iter();
    let tools = specs.filter_map(|tool| tool.get("toolSpec")).map(|spec| Tool {
        name: text(spec, "name").to_owned(),
        schema: spec
            .pointer("/inputSchema/json")
            .cloned()
            .unwrap_or_else(|| json!({"type": "object"})),
    });
    tools.filter(|tool| named.is_none_or(|named| named == tool.name)).collect()
}

/// Claude and Nova take their settings in different shapes.
fn wants_reasoning(request: &Value) -> bool {
    let setting = |name: &str| {
        let pointer = format!("/additionalModelRequestFields/{name}/type");
        request.pointer(&pointer).and_then(Value::as_str)
    };
    let claude = setting("thinking").or(setting("reasoning_config"));
    claude.or(setting("reasoningConfig")).is_some_and(|kind| kind != "disabled")
}

/// The schema is text in here, or among the fields that are passed to Claude.
fn output(request: &Value) -> Output {
    let of_claude = request.pointer("/additionalModelRequestFields/output_config/format/schema");
    if let Some(schema) = of_claude {
        return Output::JsonSchema(schema.clone());
    }
    let schema = request.pointer("/outputConfig/textFormat/structure/jsonSchema/schema");
    match schema.and_then(Value::as_str).and_then(|schema| serde_json::from_str(schema).ok()) {
        Some(schema) => Output::JsonSchema(schema),
        None => Output::Text,
    }
}

fn has_cache_point(request: &Value) -> bool {
    let blocks =
        items(request.get("messages")).iter().flat_map(|message| items(message.get("content")));
    let tools = items(request.pointer("/toolConfig/tools"));
    let mut all = blocks.chain(items(request.get("system"))).chain(tools);
    all.any(|block| block.get("cachePoint").is_some())
}
