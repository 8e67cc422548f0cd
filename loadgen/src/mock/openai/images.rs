//! OpenAI's pictures: drawn from words, changed, and varied.

use serde_json::{Value, json};

use super::misfit::refusal;
use super::{CREATED, error_event, with_headers};
use crate::mock::form::{Field, Form, check, may, must};
use crate::mock::refusal::Refusal;
use crate::mock::reply::{Reply, named_event};
use crate::mock::routes::Call;

/// A picture of one pixel.
pub(crate) const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const GENERATION: Form = Form::Fields(&[
    must("prompt", Form::Text),
    must("model", Form::Text),
    may("n", Form::Integer),
    may("size", Form::Text),
    may("quality", Form::Text),
    may("style", Form::Text),
    may("background", Form::Text),
    may("moderation", Form::Text),
    may("output_format", FORMAT),
    may("output_compression", Form::Integer),
    may("partial_images", Form::Integer),
    may("response_format", RESPONSE_FORMAT),
    may("stream", Form::Flag),
    may("user", Form::Text),
]);

const FORMAT: Form = Form::Choice(&["png", "jpeg", "webp"]);
const RESPONSE_FORMAT: Form = Form::Choice(&["url", "b64_json"]);

/// One file, or several.
const FILES: Form = Form::Either(&[Form::Object, Form::List(&Form::Object)]);

/// What edits and variations share. Fields of a form are texts.
const fn form_field(name: &'static str) -> Field {
    may(name, Form::Text)
}

const EDIT: Form = Form::Fields(&[
    must("image", FILES),
    must("prompt", Form::Text),
    must("model", Form::Text),
    may("mask", Form::Object),
    may("output_format", FORMAT),
    may("response_format", RESPONSE_FORMAT),
    may("stream", Form::Choice(&["true", "false", "True", "False"])),
    form_field("background"),
    form_field("input_fidelity"),
    form_field("n"),
    form_field("output_compression"),
    form_field("partial_images"),
    form_field("quality"),
    form_field("size"),
    form_field("user"),
]);

const VARIATION: Form = Form::Fields(&[
    must("image", Form::Object),
    must("model", Form::Text),
    may("response_format", RESPONSE_FORMAT),
    form_field("n"),
    form_field("size"),
    form_field("user"),
]);

/// `POST …/images/generations`.
pub(crate) fn serve_generation(call: &Call<'_>) -> Result<Reply, Refusal> {
    serve(call, &GENERATION, "image_generation")
}

/// `POST …/images/edits`.
pub(crate) fn serve_edit(call: &Call<'_>) -> Result<Reply, Refusal> {
    serve(call, &EDIT, "image_edit")
}

/// `POST …/images/variations`.
pub(crate) fn serve_variation(call: &Call<'_>) -> Result<Reply, Refusal> {
    serve(call, &VARIATION, "image_variation")
}

fn serve(call: &Call<'_>, form: &Form, operation: &str) -> Result<Reply, Refusal> {
    check(call.body, form).map_err(|misfit| refusal(&misfit))?;
    let is_true = |value: &Value| {
        value.as_bool() == Some(true) || matches!(value.as_str(), Some("true" | "True"))
    };
    let usage = json!({
        "input_tokens": 5, "output_tokens": 7, "total_tokens": 12,
        "input_tokens_details": {"text_tokens": 5, "image_tokens": 0},
    });
    if call.body.get("stream").is_some_and(is_true) {
        return Ok(with_headers(events(operation, &usage)));
    }
    let is_url = call.body["response_format"] == "url";
    let image = |number: u64| match is_url {
        true => json!({"url": format!("https://images.example/{number}.png")}),
        false => json!({"b64_json": PIXEL}),
    };
    let data: Vec<Value> = (0..count(call.body)?).map(image).collect();
    let reply = json!({"created": CREATED, "data": data, "usage": usage});
    Ok(with_headers(Reply::json(200, &reply)))
}

/// Pictures asked for, in JSON or in a form.
fn count(request: &Value) -> Result<u64, Refusal> {
    let wanted = match request.get("n") {
        None | Some(Value::Null) => Some(1),
        Some(Value::String(text)) => text.parse().ok(),
        Some(number) => number.as_u64(),
    };
    let wanted = wanted.filter(|wanted| (1..=10).contains(wanted));
    wanted.ok_or_else(|| Refusal::invalid("'n' must be from 1 to 10.").param("n"))
}

fn events(operation: &str, usage: &Value) -> Reply {
    let shared = json!({"b64_json": PIXEL, "created_at": CREATED, "size": "1024x1024",
        "quality": "high", "background": "opaque", "output_format": "png"});
    let event = |kind: &str, more: Value| {
        let mut event = shared.clone();
        let members = event.as_object_mut().into_iter();
        for members in members {
            members.insert("type".to_owned(), json!(format!("{operation}.{kind}")));
            members.extend(more.as_object().cloned().unwrap_or_default());
        }
        named_event(&event)
    };
    let events = vec![
        event("partial_image", json!({"partial_image_index": 0})),
        event("completed", json!({"usage": usage})),
    ];
    Reply::events(events, error_event)
}
