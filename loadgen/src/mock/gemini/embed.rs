//! Google's embeddings: one content, several, and the form of Vertex.

use serde_json::{Value, json};

use super::check::{fits, with_camel_case_names};
use crate::mock::conversation::{items, text};
use crate::mock::form::{Form, may, must};
use crate::mock::limits::{DIMENSIONS_MAX, INPUTS_MAX};
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;
use crate::mock::routes::Call;
use crate::mock::text::tokens;
use crate::mock::vectors::{floats, vector};

const ONE: Form = Form::Fields(&[
    may("model", Form::Text),
    must(
        "content",
        Form::Open(&[must("parts", Form::List(&Form::Open(&[may("text", Form::Text)])))]),
    ),
    may("taskType", Form::Text),
    may("title", Form::Text),
    may("outputDimensionality", Form::Integer),
    may("autoTruncate", Form::Flag),
    may("embedContentConfig", Form::Object),
]);

const SEVERAL: Form = Form::Fields(&[must("requests", Form::List(&ONE))]);

const PREDICT: Form = Form::Fields(&[
    must("instances", Form::List(&Form::Open(&[must("content", Form::Text)]))),
    may("parameters", Form::Object),
]);

const DIMENSIONS: u64 = 3072;

/// `POST …/models/MODEL:embedContent`.
pub(crate) fn serve(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = with_camel_case_names(call.body);
    fits(&request, &ONE)?;
    Ok(Reply::json(200, &json!({"embedding": embedding(&request)?})))
}

/// `POST …/models/MODEL:batchEmbedContents`.
pub(crate) fn serve_batch(call: &Call<'_>) -> Result<Reply, Refusal> {
    let request = with_camel_case_names(call.body);
    fits(&request, &SEVERAL)?;
    let requests = bounded(items(request.get("requests")), "requests")?;
    // Each names the model again.
    let wanted = format!("models/{}", call.model);
    if let Some(index) = requests.iter().position(|request| text(request, "model") != wanted) {
        let message =
            format!("* BatchEmbedContentsRequest.requests[{index}].model: must be '{wanted}'\n");
        return Err(Refusal::invalid(message).param(format!("requests[{index}].model")));
    }
    let embeddings = requests.iter().map(embedding).collect::<Result<Vec<_>, _>>()?;
    Ok(Reply::json(200, &json!({"embeddings": embeddings})))
}

/// `POST …/models/MODEL:predict`.
pub(crate) fn serve_predict(call: &Call<'_>) -> Result<Reply, Refusal> {
    if call.body.pointer("/instances/0/prompt").is_some() {
        return super::media::draw(call);
    }
    fits(call.body, &PREDICT)?;
    let instances = bounded(items(call.body.get("instances")), "instances")?;
    let dimensions = dimensions(call.body.pointer("/parameters/outputDimensionality"))?;
    let predict = |instance: &Value| {
        let content = text(instance, "content");
        let statistics = json!({"truncated": false, "token_count": tokens(content.len())});
        json!({"embeddings": {"values": floats(&vector(content, dimensions)), "statistics": statistics}})
    };
    Ok(Reply::json(200, &json!({"predictions": instances.iter().map(predict).collect::<Vec<_>>()})))
}

fn embedding(request: &Value) -> Result<Value, Refusal> {
    let parts = items(request.pointer("/content/parts")).iter();
    let content: String = parts.map(|part| text(part, "text")).collect();
    let dimensions = dimensions(request.get("outputDimensionality"))?;
    Ok(json!({"values": floats(&vector(&content, dimensions))}))
}

fn bounded<'a>(inputs: &'a [Value], name: &str) -> Result<&'a [Value], Refusal> {
    match inputs.len() {
        1..=INPUTS_MAX => Ok(inputs),
        _ => Err(Refusal::invalid(format!(
            "{name}: at least one and at most {INPUTS_MAX} are allowed"
        ))
        .param(name)),
    }
}

fn dimensions(wanted: Option<&Value>) -> Result<usize, Refusal> {
    match wanted.and_then(Value::as_u64).unwrap_or(DIMENSIONS) {
        wanted @ 1..=DIMENSIONS_MAX => Ok(wanted as usize),
        _ => {
            Err(Refusal::invalid("output_dimensionality is out of range")
                .param("outputDimensionality"))
        }
    }
}
