//! What requests for images, and the images, say.

use dialect::Dialect;
use serde_json::{Value, json};

use super::{Verdict, ensure, first, list};

pub(super) fn request_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    let is_imagen = dialect == Dialect::GeminiImagen;
    let prompt = if is_imagen { &body["instances"][0]["prompt"] } else { &body["prompt"] };
    let how = if is_imagen { &body["parameters"] } else { body };
    let size = match (&how["width"], &how["height"]) {
        (Value::Number(width), Value::Number(height)) => format!("{width}x{height}").into(),
        _ => how["size"].clone(),
    };
    vec![
        ("prompt", prompt.clone()),
        ("image count", first(how, &["n", "sampleCount"]).clone()),
        ("image size", size),
        ("image ratio", first(how, &["aspect_ratio", "aspectRatio"]).clone()),
        ("image resolution", lower(first(how, &["resolution", "sampleImageSize"]))),
        ("image format", format_of(how)),
        ("image settings", settings(body)),
        ("response format", body["response_format"].clone()),
    ]
}

fn lower(word: &Value) -> Value {
    word.as_str().map(str::to_lowercase).into()
}

fn format_of(how: &Value) -> Value {
    let format = first(how, &["output_format", "response_extension"]);
    match (format.as_str(), how["outputOptions"]["mimeType"].as_str()) {
        (Some("jpg"), _) => "jpeg".into(),
        (Some(format), _) => format.into(),
        (None, media_type) => media_type.map(|it| it.replace("image/", "")).into(),
    }
}

fn settings(body: &Value) -> Value {
    let known = ["quality", "background", "style", "moderation"];
    let said = known.iter().filter(|name| !body[**name].is_null());
    said.map(|name| json!([name, body[*name]])).collect()
}

pub(super) fn reply_facts(dialect: Dialect, body: &Value) -> Vec<(&'static str, Value)> {
    let images = if dialect == Dialect::GeminiImagen { "predictions" } else { "data" };
    let image =
        |it: &Value| first(it, &["b64_json", "url", "bytesBase64Encoded", "gcsUri"]).clone();
    let images: Value =
        list(body, images).iter().map(image).filter(|image| !image.is_null()).collect();
    vec![
        ("pictures", images),
        ("usage input", body["usage"]["input_tokens"].clone()),
        ("usage output", body["usage"]["output_tokens"].clone()),
        ("usage total", body["usage"]["total_tokens"].clone()),
        ("created", body["created"].clone()),
    ]
}

pub(super) fn valid_request(dialect: Dialect, body: &Value) -> Verdict {
    match dialect {
        Dialect::GeminiImagen => {
            ensure(body["instances"][0]["prompt"].is_string(), "no prompt")?;
            ensure(body["model"].is_null(), "a model")?;
            let ratio = body["parameters"]["aspectRatio"].as_str().unwrap_or("1:1");
            ensure(["1:1", "3:4", "4:3", "9:16", "16:9"].contains(&ratio), "aspectRatio")
        }
        Dialect::XaiImages => {
            ensure(body["prompt"].is_string() && body["model"].is_string(), "head")?;
            ensure(body["size"].is_null() && body["quality"].is_null(), "a member of OpenAI's")
        }
        Dialect::NebiusImages => {
            ensure(body["prompt"].is_string() && body["model"].is_string(), "head")?;
            ensure(body["size"].is_null() && body["aspect_ratio"].is_null(), "a size")
        }
        _ => ensure(body["prompt"].is_string() && body["model"].is_string(), "head"),
    }
}

pub(super) fn valid_reply(dialect: Dialect, body: &Value) -> Verdict {
    match dialect {
        Dialect::GeminiImagen => {
            let is_sound = |it: &Value| it["mimeType"].is_string();
            ensure(list(body, "predictions").iter().all(is_sound), "a prediction")
        }
        _ => {
            ensure(body["created"].is_u64(), "no created")?;
            ensure(!list(body, "data").is_empty(), "no data")
        }
    }
}
