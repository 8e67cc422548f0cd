//! Models of fal.ai that draw, as Hugging Face serves them.

use super::{Image, ImageMaking, Place, Reply, Request};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, Half, Upstream, UsagePlace};
use crate::json::{Object, Raw, Text};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "fal_images",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Image(Half::<ImageMaking> { write_request, read_reply })),
    // `{"detail": …}`, which is one of the shapes there.
    errors: openai_chat::ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

const TARGET: Dialect = Dialect::FalImages;

/// Members of OpenAI's that these models have, too.
const KEPT: &[&str] = &["guidance_scale", "loras"];

fn write_request(
    request: &Request<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    body.text("prompt", &request.prompt);
    body.raw_if("num_images", request.count);
    if let Some((width, height)) = request.pixels() {
        let mut size = body.object("image_size");
        size.u64("width", width);
        size.u64("height", height);
    }
    request.note_size_word(notes);
    body.text_if("negative_prompt", request.negative_prompt.as_ref());
    body.raw_if("num_inference_steps", request.steps);
    body.raw_if("seed", request.seed);
    if let Some(format) = &request.output_format {
        let format = format.plain();
        body.str("output_format", if format == "jpg" { "jpeg" } else { &format });
    }
    // The bytes are in the answer only when it is waited for.
    if request.response_format.as_ref().is_some_and(|format| *format == *"b64_json") {
        body.bool("sync_mode", true);
    }
    for (name, is_said) in [
        ("output_compression", request.output_compression.is_some()),
        ("user", request.user.is_some()),
    ] {
        if is_said {
            notes.drop(name);
        }
    }
    write_rest(request, notes, &mut body)
}

fn write_rest(
    request: &Request<'_>,
    notes: &mut Notes,
    body: &mut Object<'_>,
) -> Result<(), Error> {
    for (name, value) in &request.rest {
        match &**name {
            "moderation" => body.bool("enable_safety_checker", value.text() != "\"low\""),
            name if KEPT.contains(&name) => body.raw(name, *value),
            name if super::ESSENTIAL_MEMBERS.contains(&name) => {
                return Err(Error::at(name, What::Inexpressible(TARGET)));
            }
            name => notes.drop(name),
        }
    }
    request.extra.iter().for_each(|(name, value)| body.raw(name, *value));
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let images = fields::required(root, "images")?;
    let images = fields::each("images", images, |_, image| {
        let text = |name| fields::lenient_text(image, name);
        let base64 = text("b64_json").map(Place::Base64);
        let place = base64.map_or_else(|| fields::required_text(image, "url").map(place), Ok)?;
        Ok(Image { place, media_type: text("content_type"), revised_prompt: None })
    })?;
    Ok(Reply { images, ..Reply::default() })
}

/// What was waited for is in a `data:` URL.
fn place<'a>(url: Text<'a>) -> Place<'a> {
    let bytes = url.plain().split_once(";base64,").map(|(_, data)| data.to_owned());
    match bytes.filter(|_| url.plain().starts_with("data:")) {
        Some(data) => Place::Base64(data.into()),
        None => Place::Url(url),
    }
}
