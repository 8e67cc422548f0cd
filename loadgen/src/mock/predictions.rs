//! Replicate: jobs that are done at once, or streamed from an address in their description. The mock remembers no job:
//! what a stream says stands in its address.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::answer::{Answer, Ask, Last};
use super::conversation::text;
use super::form::{self, Form, may, must};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;
use super::text::{pieces, tokens};

const MADE_AT: &str = "2026-01-01T00:00:00Z";
const PICTURE: &str = "https://replicate.delivery/mock/out-0.png";
const FILM: &str = "https://replicate.delivery/mock/out-0.mp4";

/// Every model has inputs of its own.
const CREATE: Form = Form::Fields(&[
    must("input", Form::Object),
    may("version", Form::Text),
    may("stream", Form::Flag),
    may("webhook", Form::Text),
    may("webhook_events_filter", Form::List(&Form::Text)),
]);

/// `POST …/predictions`, of a version, a model or a deployment.
pub(crate) fn serve_create(call: &Call<'_>) -> Result<Reply, Refusal> {
    form::check(call.body, &CREATE).map_err(|misfit| {
        Refusal::new(422, format!("- {} is not as it must be", misfit.dotted()))
    })?;
    let names_model =
        call.request.path().contains("/models/") || call.request.path().contains("/deployments/");
    if names_model == call.body.get("version").is_some() {
        return Err(Refusal::new(422, "- version is required where the path names no model"));
    }
    let input = &call.body["input"];
    let prompt = text(input, "prompt").to_owned();
    let ask = Ask {
        prompt_bytes: prompt.len(),
        last: Last { text: prompt, is_tool_result: false },
        ..Ask::default()
    };
    let answer = Answer::new(&ask, &call.size);
    let mut job = json!({
        "id": format!("mock{}", call.id),
        "model": "mock/mock",
        "input": input,
        "logs": "",
        "error": null,
        "created_at": MADE_AT,
        "urls": {},
    });
    if call.body.get("stream") == Some(&Value::Bool(true)) {
        let host = call.request.header("host").unwrap_or_default();
        let said = utf8_percent_encode(&answer.text, NON_ALPHANUMERIC);
        job["status"] = json!("starting");
        job["urls"]["stream"] = json!(format!("http://{host}/v1/streams/{said}"));
        return Ok(Reply::json(201, &job));
    }
    job["status"] = json!("succeeded");
    job["completed_at"] = json!(MADE_AT);
    job["output"] = output(call, input, &answer);
    job["metrics"] = json!({"predict_time": 0.1});
    if let Some(used) = answer.usage {
        job["metrics"]["input_token_count"] = json!(used.prompt);
        job["metrics"]["output_token_count"] = json!(used.completion);
    }
    Ok(Reply::json(201, &job))
}

/// Models say by their inputs what they make.
fn output(call: &Call<'_>, input: &Value, answer: &Answer) -> Value {
    let has = |names: &[&str]| names.iter().any(|name| input.get(name).is_some());
    if has(&["duration", "seconds"]) {
        json!(FILM)
    } else if has(&["width", "aspect_ratio", "number_of_images"]) {
        json!([PICTURE])
    } else {
        json!(pieces(&answer.text, call.size.chunks))
    }
}

/// `GET …/predictions/ID`: a film that is there.
pub(crate) fn serve_job(call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.request.path().rsplit('/').next().unwrap_or_default();
    Ok(Reply::json(
        200,
        &json!({"id": id, "status": "succeeded", "output": FILM, "created_at": MADE_AT, "urls": {}}),
    ))
}

/// `GET …/streams/TEXT`.
pub(crate) fn serve_stream(call: &Call<'_>) -> Result<Reply, Refusal> {
    let said = call.request.path().rsplit('/').next().unwrap_or_default();
    let said = percent_decode_str(said).decode_utf8_lossy();
    let count = tokens(said.len()).max(1) as usize;
    let event = |piece: &str| {
        let lines: String = piece.split('\n').map(|line| format!("data: {line}\n")).collect();
        format!("event: output\n{lines}\n").into_bytes()
    };
    let events = pieces(&said, count).into_iter().map(event);
    let end = b"event: done\ndata: {}\n\n".to_vec();
    Ok(Reply::events(events.chain([end]).collect(), |refusal, _| {
        format!("event: error\ndata: {}\n\n", json!({"detail": refusal.message})).into_bytes()
    }))
}
