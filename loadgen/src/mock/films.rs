//! Films: jobs of OpenAI, tasks of Runway, and operations of Google. The mock remembers none: whoever asks again is told
//! that the film is there.

use serde_json::json;

use super::form::{self, Form, may, must};
use super::refusal::Refusal;
use super::reply::Reply;
use super::routes::Call;

const MADE_AT: u64 = 1_767_225_600;
const FILM: &str = "https://example.com/mock.mp4";

const OPENAI: Form = Form::Fields(&[
    must("model", Form::Text),
    must("prompt", Form::Text),
    may("seconds", Form::Choice(&["4", "8", "12"])),
    may("size", Form::Choice(&["720x1280", "1280x720", "1024x1792", "1792x1024"])),
    may("input_reference", Form::Open(&[may("image_url", Form::Text), may("file_id", Form::Text)])),
]);

const RUNWAY: Form = Form::Open(&[
    must("model", Form::Text),
    must("ratio", Form::Text),
    may("promptText", Form::Text),
    may("promptImage", Form::Text),
    may("videoUri", Form::Text),
    may("duration", Form::Integer),
    may("seed", Form::Integer),
]);

const GOOGLE: Form = Form::Fields(&[
    must(
        "instances",
        Form::List(&Form::Open(&[may("prompt", Form::Text), may("image", Form::Object)])),
    ),
    may(
        "parameters",
        Form::Open(&[
            may("durationSeconds", Form::Integer),
            may("aspectRatio", Form::Choice(&["16:9", "9:16"])),
        ]),
    ),
]);

/// `POST …/videos`.
pub(crate) fn serve_openai(call: &Call<'_>) -> Result<Reply, Refusal> {
    fits(call, &OPENAI)?;
    Ok(Reply::json(
        200,
        &json!({
            "id": format!("video_mock{}", call.id),
            "object": "video",
            "model": call.model,
            "status": "queued",
            "progress": 0,
            "created_at": MADE_AT,
            "seconds": call.body.get("seconds").cloned().unwrap_or(json!("4")),
            "size": call.body.get("size").cloned().unwrap_or(json!("720x1280")),
        }),
    ))
}

/// `POST …/text_to_video` and its like.
pub(crate) fn serve_runway(call: &Call<'_>) -> Result<Reply, Refusal> {
    fits(call, &RUNWAY)?;
    Ok(Reply::json(200, &json!({"id": format!("task-mock-{}", call.id)})))
}

/// `GET …/tasks/ID`.
pub(crate) fn serve_task(call: &Call<'_>) -> Result<Reply, Refusal> {
    let id = call.request.path().rsplit('/').next().unwrap_or_default();
    let task = json!({"id": id, "status": "SUCCEEDED", "createdAt": "2026-01-01T00:00:00Z", "output": [FILM]});
    Ok(Reply::json(200, &task))
}

/// `POST …/models/MODEL:predictLongRunning`.
pub(crate) fn serve_google(call: &Call<'_>) -> Result<Reply, Refusal> {
    fits(call, &GOOGLE)?;
    let name = format!("models/{}/operations/mock{}", call.model, call.id);
    Ok(Reply::json(200, &json!({"name": name})))
}

fn fits(call: &Call<'_>, form: &Form) -> Result<(), Refusal> {
    form::check(call.body, form).map_err(|misfit| {
        let place = misfit.dotted();
        Refusal::invalid(format!("Invalid value: '{place}'.")).param(place)
    })
}
