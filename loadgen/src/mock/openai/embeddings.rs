//! OpenAI's embeddings.

use serde_json::{Value, json};

use super::misfit::refusal;
use super::with_headers;
use crate::mock::form::{Form, check, may, must};
use crate::mock::limits::{DIMENSIONS_MAX, INPUTS_MAX};
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;
use crate::mock::routes::Call;
use crate::mock::text::tokens;
use crate::mock::vectors::{base64, floats, vector};

const FORM: Form = Form::Fields(&[
    must("input", Form::Either(&[Form::Text, Form::List(&Form::Any)])),
    must("model", Form::Text),
    may("dimensions", Form::Integer),
    may("encoding_format", Form::Choice(&["float", "base64"])),
    may("user", Form::Text),
]);

const DIMENSIONS: u64 = 1536;

/// `POST …/embeddings`.
pub(crate) fn serve(call: &Call<'_>) -> Result<Reply, Refusal> {
    Ok(with_headers(Reply::json(200, &embed(call)?)))
}

/// The embeddings a request asks for.
pub(crate) fn embed(call: &Call<'_>) -> Result<Value, Refusal> {
    check(call.body, &FORM).map_err(|misfit| refusal(&misfit))?;
    let inputs = inputs(call.body)?;
    let dimensions = dimensions(call.body)?;
    let write = match call.body.get("encoding_format").and_then(Value::as_str) {
        Some("base64") => base64,
        _ => floats,
    };
    let entry = |(index, input): (usize, &String)| json!({"object": "embedding", "index": index, "embedding": write(&vector(input, dimensions))});
    let prompt = tokens(inputs.iter().map(String::len).sum()).max(1);
    Ok(json!({
        "object": "list",
        "data": inputs.iter().enumerate().map(entry).collect::<Vec<_>>(),
        "model": call.model,
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
    }))
}

/// Texts, or tokens as text.
fn inputs(request: &Value) -> Result<Vec<String>, Refusal> {
    let inputs = match request.get("input") {
        Some(Value::Array(items)) if items.iter().all(Value::is_number) => {
            vec![Value::Array(items.clone()).to_string()]
        }
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
            .collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    };
    let is_wrong = inputs.is_empty()
        || inputs.len() > INPUTS_MAX
        || inputs.iter().any(|text| text.is_empty() || text == "[]");
    match is_wrong {
        true => Err(Refusal::invalid("'$.input' is invalid. Please check the API reference.")
            .param("input")),
        false => Ok(inputs),
    }
}

fn dimensions(request: &Value) -> Result<usize, Refusal> {
    match request.get("dimensions").and_then(Value::as_u64).unwrap_or(DIMENSIONS) {
        wanted @ 1..=DIMENSIONS_MAX => Ok(wanted as usize),
        _ => {
            let message =
                format!("Invalid value for 'dimensions': expected 1 to {DIMENSIONS_MAX}.");
            Err(Refusal::invalid(message).param("dimensions"))
        }
    }
}
