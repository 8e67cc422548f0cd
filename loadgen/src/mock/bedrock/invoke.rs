//! Invoke: the body is the hosted model's own. Claude takes messages, Titan and Cohere make embeddings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::write::event;
use super::{EVENT_STREAM, break_off, check_signed, pictures, signed_for};
use crate::mock::anthropic;
use crate::mock::conversation::{items, text};
use crate::mock::form::bytes_of_base64;
use crate::mock::limits::{DIMENSIONS_MAX, INPUTS_MAX};
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;
use crate::mock::routes::Call;
use crate::mock::text::tokens;
use crate::mock::vectors::{floats, vector};

const CLAUDE_VERSION: &str = "bedrock-2023-05-31";
const TITAN_DIMENSIONS: u64 = 1024;
const COHERE_DIMENSIONS: usize = 1024;

/// `POST …/model/MODEL/invoke`.
pub(crate) fn serve(call: &Call<'_>) -> Result<Reply, Refusal> {
    check_signed(call)?;
    let reply = match family(call)? {
        Family::Claude => {
            let request = anthropic::hosted(call, CLAUDE_VERSION, false)?;
            anthropic::messages(&request, call.model, call.id, &call.size)
        }
        Family::Titan => titan(call.body)?,
        Family::Cohere => cohere(call)?,
        Family::Pictures => pictures::serve(call)?,
    };
    Ok(signed_for(call, reply))
}

/// `POST …/model/MODEL/invoke-with-response-stream`.
pub(crate) fn serve_stream(call: &Call<'_>) -> Result<Reply, Refusal> {
    check_signed(call)?;
    if !matches!(family(call)?, Family::Claude) {
        return Err(Refusal::invalid("The model is unsupported for streaming"));
    }
    let request = anthropic::hosted(call, CLAUDE_VERSION, true)?;
    let events = anthropic::stream_events(&request, call.model, call.id, &call.size);
    let chunk =
        |inner: &Value| event("chunk", &json!({"bytes": STANDARD.encode(inner.to_string())}));
    let messages = events.iter().map(chunk).collect();
    Ok(signed_for(call, Reply::stream(EVENT_STREAM, messages, break_off)))
}

/// The body inside a request to count tokens.
pub(super) fn body_to_count(request: &Value) -> Result<Vec<u8>, Refusal> {
    let body = request.pointer("/input/invokeModel/body").and_then(Value::as_str);
    let bytes = body.and_then(bytes_of_base64);
    bytes.ok_or_else(|| {
        Refusal::invalid("input.invokeModel.body is not valid base64")
            .param("input.invokeModel.body")
    })
}

enum Family {
    Claude,
    Titan,
    Cohere,
    Pictures,
}

fn family(call: &Call<'_>) -> Result<Family, Refusal> {
    let families = [
        ("anthropic.", Family::Claude),
        ("titan-embed", Family::Titan),
        ("cohere.embed", Family::Cohere),
        ("titan-image", Family::Pictures),
        ("nova-canvas", Family::Pictures),
        ("stability.", Family::Pictures),
    ];
    let found = families.into_iter().find(|(part, _)| call.model.contains(part));
    found
        .map(|(_, family)| family)
        .ok_or_else(|| Refusal::invalid("The provided model identifier is invalid."))
}

fn titan(request: &Value) -> Result<Reply, Refusal> {
    let input = request.get("inputText").and_then(Value::as_str).filter(|input| !input.is_empty());
    let Some(input) = input else {
        let message = "Malformed input request: #: required key [inputText] not found, please reformat your input and \
                       try again.";
        return Err(Refusal::invalid(message).param("inputText"));
    };
    let dimensions =
        match request.get("dimensions").and_then(Value::as_u64).unwrap_or(TITAN_DIMENSIONS) {
            wanted @ 1..=DIMENSIONS_MAX => wanted as usize,
            _ => {
                return Err(
                    Refusal::invalid("Malformed input request: dimensions").param("dimensions")
                );
            }
        };
    let embedding = floats(&vector(input, dimensions));
    let count = tokens(input.len());
    let reply = json!({"embedding": embedding, "embeddingsByType": {"float": embedding}, "inputTextTokenCount": count});
    Ok(Reply::json(200, &reply).with_header("x-amzn-bedrock-input-token-count", count.to_string()))
}

fn cohere(call: &Call<'_>) -> Result<Reply, Refusal> {
    let texts = items(call.body.get("texts"));
    let is_right = (1..=INPUTS_MAX).contains(&texts.len()) && texts.iter().all(Value::is_string);
    if !is_right || text(call.body, "input_type").is_empty() {
        let name = if is_right { "input_type" } else { "texts" };
        let message = format!(
            "Malformed input request: #: required key [{name}] not found, please reformat your input and try again."
        );
        return Err(Refusal::invalid(message).param(name));
    }
    let inputs = texts.iter().filter_map(Value::as_str);
    let embeddings: Vec<Value> =
        inputs.map(|input| floats(&vector(input, COHERE_DIMENSIONS))).collect();
    let reply = json!({
        "id": format!("mock{:08}", call.id),
        "response_type": "embeddings_floats",
        "embeddings": embeddings,
        "texts": texts,
    });
    Ok(Reply::json(200, &reply))
}
