//! Predictions that draw.

use super::{ERRORS, event_class, read_usage, time, usage_place, write_version};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Code, Format, Framing, Half, Upstream};
use crate::image::{Image, ImageMaking, Place, Reply, Request, Size};
use crate::json::{Cursor, Object, Raw, Text};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "replicate_image",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Image(Half::<ImageMaking> { write_request, read_reply })),
    errors: ERRORS,
    usage: usage_place(),
    event_class,
};

const TARGET: Dialect = Dialect::ReplicateImage;

/// Models that take a picture, one and not many, under a name of their own.
const IMAGE_INPUTS: &[(&str, &[&str])] = &[
    (
        "image_prompt",
        &[
            "black-forest-labs/flux-1.1-pro",
            "black-forest-labs/flux-1.1-pro-ultra",
            "black-forest-labs/flux-pro",
            "black-forest-labs/flux-1.1-pro-ultra-finetuned",
        ],
    ),
    (
        "input_image",
        &[
            "black-forest-labs/flux-kontext-pro",
            "black-forest-labs/flux-kontext-max",
            "black-forest-labs/flux-kontext-dev",
        ],
    ),
    (
        "image",
        &[
            "black-forest-labs/flux-dev",
            "black-forest-labs/flux-fill-pro",
            "black-forest-labs/flux-dev-lora",
            "black-forest-labs/flux-krea-dev",
        ],
    ),
];

/// The member of a request that holds pictures.
const INPUT_IMAGES: &str = "input_images";

/// Members that are about the reply's way to the caller.
const UNWANTED: &[&str] = &["partial_images", "stream"];

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    write_version(options.model, &mut body);
    let mut input = body.object("input");
    input.text("prompt", &request.prompt);
    input.raw_if("number_of_images", request.count);
    if let Some(Size::Pixels { width, height }) = &request.size {
        input.u64("width", *width);
        input.u64("height", *height);
    }
    request.note_size_word(notes);
    input.text_if("aspect_ratio", request.aspect_ratio.as_ref());
    input.text_if("resolution", request.resolution.as_ref());
    input.text_if("output_format", request.output_format.as_ref());
    input.raw_if("output_quality", request.output_compression);
    input.text_if("negative_prompt", request.negative_prompt.as_ref());
    input.raw_if("seed", request.seed);
    input.raw_if("num_inference_steps", request.steps);
    for (name, is_said) in [
        ("user", request.user.is_some()),
        ("response_format", request.response_format.as_ref().is_some_and(|it| *it != *"url")),
    ] {
        if is_said {
            notes.drop(name);
        }
    }
    for (name, value) in request.rest.iter().chain(&request.extra) {
        match &**name {
            INPUT_IMAGES => write_images(options.model, *value, &mut input)?,
            name if UNWANTED.contains(&name) => {}
            name => input.raw(name, *value),
        }
    }
    Ok(())
}

fn write_images(model: &str, images: Raw<'_>, input: &mut Object<'_>) -> Result<(), Error> {
    let mut listed = fields::array(INPUT_IMAGES, images)?.elements();
    let model = model.split(':').next().unwrap_or_default();
    let own = IMAGE_INPUTS.iter().find(|(_, models)| models.contains(&model));
    match (own, listed.next(), listed.next()) {
        (None, _, _) => input.raw(INPUT_IMAGES, images),
        (Some((name, _)), Some(only), None) => input.raw(name, only),
        (Some(_), None, _) => {}
        (Some(_), Some(_), Some(_)) => {
            return Err(Error::at(INPUT_IMAGES, What::Inexpressible(TARGET)).in_element(1));
        }
    }
    Ok(())
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let output = fields::required(root, "output")?;
    let images = match output.as_text() {
        Some(url) => vec![image(url)],
        None => fields::each("output", output, |_, url| Ok(image(fields::text("", url)?)))?,
    };
    let mut usage = Usage::default();
    if let Some(metrics) = root.member("metrics") {
        read_usage(&mut Cursor::new(metrics.text().as_bytes()), &mut usage);
    }
    Ok(Reply { created: time(root, "created_at"), images, usage })
}

/// An address, or the picture itself in a `data:` URL.
fn image<'a>(url: Text<'a>) -> Image<'a> {
    let bytes = split_data_url(&url.plain());
    let (place, media_type) = match bytes {
        Some((media_type, data)) => (Place::Base64(data.into()), Some(media_type.into())),
        None => (Place::Url(url), None),
    };
    Image { place, media_type, revised_prompt: None }
}

/// The media type and the base64 of a `data:` URL.
fn split_data_url(url: &str) -> Option<(String, String)> {
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    Some((media_type.to_owned(), data.to_owned()))
}
