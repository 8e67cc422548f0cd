//! The bodies of the hosted models that draw: Amazon's tasks, and what Stability AI takes.

use serde_json::{Value, json};

use crate::mock::form::{Form, check, may, must};
use crate::mock::openai::PIXEL;
use crate::mock::refusal::Refusal;
use crate::mock::reply::Reply;
use crate::mock::routes::Call;

/// Tasks, each with the member that holds what it needs.
const TASKS: &[(&str, &str, Form)] = &[
    ("TEXT_IMAGE", "textToImageParams", Form::Open(&[must("text", Form::Text)])),
    (
        "INPAINTING",
        "inPaintingParams",
        Form::Open(&[
            must("image", Form::Base64),
            may("maskImage", Form::Base64),
            may("maskPrompt", Form::Text),
        ]),
    ),
    ("OUTPAINTING", "outPaintingParams", Form::Open(&[must("image", Form::Base64)])),
    (
        "IMAGE_VARIATION",
        "imageVariationParams",
        Form::Open(&[must("images", Form::List(&Form::Base64)), may("text", Form::Text)]),
    ),
    ("BACKGROUND_REMOVAL", "backgroundRemovalParams", Form::Open(&[must("image", Form::Base64)])),
];

const CONFIG: Form = Form::Fields(&[
    may("numberOfImages", Form::Integer),
    may("width", Form::Integer),
    may("height", Form::Integer),
    may("cfgScale", Form::Decimal),
    may("seed", Form::Integer),
    may("quality", Form::Choice(&["standard", "premium"])),
]);

const STABILITY: Form = Form::Open(&[
    may("prompt", Form::Text),
    may("image", Form::Base64),
    may("mask", Form::Base64),
    may("seed", Form::Integer),
]);

/// Answers a model that draws.
pub(super) fn serve(call: &Call<'_>) -> Result<Reply, Refusal> {
    if call.model.contains("stability.") {
        fits(call.body, &STABILITY)?;
        let reply = json!({"images": [PIXEL], "seeds": [1], "finish_reasons": [null]});
        return Ok(Reply::json(200, &reply));
    }
    let task = call.body["taskType"].as_str().unwrap_or_default();
    let Some((_, member, form)) = TASKS.iter().find(|(known, ..)| *known == task) else {
        return Err(Refusal::invalid("Malformed input request: taskType").param("taskType"));
    };
    fits(&call.body[*member], form)?;
    let config = &call.body["imageGenerationConfig"];
    if !config.is_null() {
        fits(config, &CONFIG)?;
    }
    let count = config["numberOfImages"].as_u64().unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(Refusal::invalid("Malformed input request: numberOfImages"));
    }
    let images = vec![PIXEL; count as usize];
    Ok(Reply::json(200, &json!({"images": images, "error": null})))
}

/// Pictures of one answer.
const COUNT_MAX: u64 = 5;

fn fits(value: &Value, form: &Form) -> Result<(), Refusal> {
    check(value, form).map_err(|misfit| {
        let place = misfit.dotted();
        Refusal::invalid(format!("Malformed input request: #: {place}")).param(place)
    })
}
