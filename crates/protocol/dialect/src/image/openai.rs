//! `POST …/images/generations` as OpenAI defined it, and as xAI and Nebius changed it: one names ratios instead of
//! sizes, the other width and height.

use memchr::memmem::Finder;

use super::{Image, ImageMaking, Place, Reply, Request, Size};
use crate::Dialect;
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::json::{Cursor, Object, Raw, Text};
use crate::openai_chat;
use crate::options::{Notes, ReplyOptions, RequestOptions};

/// OpenAI itself.
pub(crate) static FORMAT: Format = Format {
    name: "openai_images",
    framing: Framing::Sse,
    code: Code::Image(Whole::<ImageMaking> {
        read_request: |root| read_request(root, Dialect::OpenAiImages),
        write_request: write_openai,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

/// xAI.
pub(crate) static XAI: Format = Format {
    name: "xai_images",
    framing: Framing::Sse,
    code: Code::Image(Whole::<ImageMaking> {
        read_request: |root| read_request(root, Dialect::XaiImages),
        write_request: write_xai,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

/// Nebius.
pub(crate) static NEBIUS: Format = Format {
    name: "nebius_images",
    framing: Framing::Sse,
    code: Code::Image(Whole::<ImageMaking> {
        read_request: |root| read_request(root, Dialect::NebiusImages),
        write_request: write_nebius,
        read_reply,
        write_reply,
    }),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

pub(super) const fn usage_place() -> UsagePlace {
    UsagePlace::outermost("usage", || Finder::new("\"usage\""), read_usage)
}

/// Members with a meaning in one of these APIs only.
const OWN_MEMBERS: &[&str] = &[
    "background",
    "guidance_scale",
    "image",
    "images",
    "input_images",
    "loras",
    "mask",
    "moderation",
    "partial_images",
    "quality",
    "stream",
    "style",
];

/// The ratios xAI draws in.
pub(super) const XAI_RATIOS: &[(&str, f64)] = &[
    ("1:1", 1.0),
    ("3:4", 0.75),
    ("4:3", 4.0 / 3.0),
    ("9:16", 0.5625),
    ("16:9", 16.0 / 9.0),
    ("2:3", 2.0 / 3.0),
    ("3:2", 1.5),
    ("1:2", 0.5),
    ("2:1", 2.0),
];

/// Reads a request of any of the three: their members do not contradict each other.
fn read_request<'a>(root: Raw<'a>, source: Dialect) -> Result<Request<'a>, Error> {
    let mut request = Request::new(source);
    fields::required_text(fields::object("", root)?, "prompt")?;
    read_members(root, &mut request)?;
    Ok(request)
}

/// Reads whatever is there.
pub(super) fn read_members<'a>(root: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let (mut width, mut height) = (None, None);
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            // The model to write is the caller's choice, and fallbacks are the gateway's own business.
            "model" | "fallbacks" => {}
            "prompt" => request.prompt = fields::text(&name, value)?,
            "n" => request.count = Some(fields::number(&name, value)?),
            "size" => request.size = Some(Size::read(fields::text(&name, value)?)),
            "width" => width = Some(fields::count(&name, value)?),
            "height" => height = Some(fields::count(&name, value)?),
            "aspect_ratio" => request.aspect_ratio = Some(fields::text(&name, value)?),
            "resolution" => request.resolution = Some(fields::text(&name, value)?),
            "output_format" => request.output_format = Some(fields::text(&name, value)?),
            "response_extension" => {
                let extension = fields::text(&name, value)?;
                let is_jpg = extension == *"jpg";
                request.output_format = Some(if is_jpg { "jpeg".into() } else { extension });
            }
            "output_compression" => {
                request.output_compression = Some(fields::number(&name, value)?);
            }
            "response_format" => request.response_format = Some(fields::text(&name, value)?),
            "negative_prompt" => request.negative_prompt = Some(fields::text(&name, value)?),
            "seed" => request.seed = Some(fields::number(&name, value)?),
            "num_inference_steps" => request.steps = Some(fields::number(&name, value)?),
            "user" => request.user = Some(fields::text(&name, value)?),
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(OWN_MEMBERS, &name, value),
        }
    }
    if let (Some(width), Some(height)) = (width, height) {
        request.size = Some(Size::Pixels { width, height });
    }
    Ok(())
}

fn write_openai(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = head(request, options, out);
    let is_own = request.source == Dialect::OpenAiImages;
    let size = request.size.as_ref().map(Size::spelt);
    let of_ratio = || size_of_ratio(request, options.model).filter(|_| !is_own).map(Text::from);
    let size = size.or_else(of_ratio);
    body.text_if("size", size.as_ref());
    body.text_if("output_format", request.output_format.as_ref());
    body.raw_if("output_compression", request.output_compression);
    // Its newer models answer with bytes and refuse to be asked how.
    if is_own || !options.model.starts_with("gpt-image") {
        let bytes = Text::from("b64_json");
        let default = (request.source == Dialect::GeminiImagen).then_some(&bytes);
        body.text_if("response_format", request.response_format.as_ref().or(default));
    }
    body.text_if("user", request.user.as_ref());
    if is_own {
        body.text_if("aspect_ratio", request.aspect_ratio.as_ref());
        body.text_if("resolution", request.resolution.as_ref());
        body.text_if("negative_prompt", request.negative_prompt.as_ref());
        body.raw_if("seed", request.seed);
        body.raw_if("num_inference_steps", request.steps);
    } else {
        note(request, notes, &["negative_prompt", "seed", "num_inference_steps"]);
        if size.is_none() {
            note(request, notes, &["aspect_ratio", "resolution"]);
        }
    }
    request.write_rest(Dialect::OpenAiImages, notes, &mut body)
}

/// The size that comes nearest to the ratio, of those that the family of models has.
fn size_of_ratio(request: &Request<'_>, model: &str) -> Option<&'static str> {
    let (width, height) = request.pixels()?;
    let sizes = if model.starts_with("gpt-image") {
        ["1024x1024", "1536x1024", "1024x1536"]
    } else if model.starts_with("dall-e-3") {
        ["1024x1024", "1792x1024", "1024x1792"]
    } else {
        return None;
    };
    let [square, wide, tall] = sizes;
    Some(match width.cmp(&height) {
        std::cmp::Ordering::Less => tall,
        std::cmp::Ordering::Equal => square,
        std::cmp::Ordering::Greater => wide,
    })
}

fn write_xai(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = head(request, options, out);
    body.text_if("aspect_ratio", request.aspect_ratio(XAI_RATIOS).as_ref());
    let resolution = request.resolution.as_ref().map(|it| it.plain().to_ascii_lowercase().into());
    body.text_if("resolution", resolution.as_ref());
    write_response_format(request, &mut body);
    body.text_if("user", request.user.as_ref());
    let unknown =
        ["negative_prompt", "output_compression", "output_format", "seed", "num_inference_steps"];
    note(request, notes, &unknown);
    request.note_size_word(notes);
    request.write_rest(Dialect::XaiImages, notes, &mut body)
}

fn write_nebius(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = head(request, options, out);
    if let Some((width, height)) = request.pixels() {
        body.u64("width", width);
        body.u64("height", height);
    } else {
        note(request, notes, &["aspect_ratio", "resolution"]);
    }
    request.note_size_word(notes);
    if let Some(format) = &request.output_format {
        let extension = if *format == *"jpeg" { &"jpg".into() } else { format };
        body.text("response_extension", extension);
    }
    write_response_format(request, &mut body);
    body.text_if("negative_prompt", request.negative_prompt.as_ref());
    body.raw_if("seed", request.seed);
    body.raw_if("num_inference_steps", request.steps);
    note(request, notes, &["output_compression", "user"]);
    request.write_rest(Dialect::NebiusImages, notes, &mut body)
}

fn head<'w>(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    out: &'w mut Vec<u8>,
) -> Object<'w> {
    let mut body = Object::new(out);
    body.str("model", options.model);
    body.text("prompt", &request.prompt);
    body.raw_if("n", request.count);
    body
}

/// Callers of Google expect the bytes.
fn write_response_format(request: &Request<'_>, body: &mut Object<'_>) {
    match &request.response_format {
        None if request.source == Dialect::GeminiImagen => body.str("response_format", "b64_json"),
        format => body.text_if("response_format", format.as_ref()),
    }
}

fn note(request: &Request<'_>, notes: &mut Notes, names: &[&str]) {
    for name in names {
        let is_said = match *name {
            "aspect_ratio" => request.aspect_ratio.is_some(),
            "resolution" => request.resolution.is_some(),
            "negative_prompt" => request.negative_prompt.is_some(),
            "output_compression" => request.output_compression.is_some(),
            "output_format" => request.output_format.is_some(),
            "seed" => request.seed.is_some(),
            "num_inference_steps" => request.steps.is_some(),
            "user" => request.user.is_some(),
            _ => false,
        };
        if is_said {
            notes.drop(name);
        }
    }
}

pub(super) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let format = fields::lenient_text(root, "output_format");
    let data = fields::required(root, "data")?;
    let images = fields::each("data", data, |_, image| {
        let text = |name| fields::lenient_text(image, name);
        let base64 = text("b64_json").map(Place::Base64);
        let place = base64.or_else(|| text("url").map(Place::Url));
        let of_format = format.as_ref().map(|it| format!("image/{}", it.plain()).into());
        Ok(Image {
            place: place.ok_or_else(|| Error::at("b64_json", What::Missing))?,
            media_type: text("mime_type").or(of_format),
            revised_prompt: text("revised_prompt").filter(|prompt| !prompt.is_empty()),
        })
    })?;
    let mut reply = Reply {
        created: root.member("created").and_then(|created| created.as_u64()),
        images,
        ..Reply::default()
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn read_usage(usage: &mut Cursor<'_>, into: &mut Usage) -> Option<()> {
    let (mut total, mut is_reported) = (None, false);
    usage.object(|name, value| {
        is_reported |= name.ends_with(b"_tokens");
        match name {
            b"input_tokens" => Usage::set(&mut into.input, value.count()?),
            b"output_tokens" => Usage::set(&mut into.output, value.count()?),
            b"total_tokens" => total = value.count()?,
            b"input_tokens_details" => value.object_or_skip(|name, value| {
                match name {
                    b"image_tokens" => Usage::set(&mut into.image_input, value.count()?),
                    b"cached_tokens" => Usage::set(&mut into.cached_read, value.count()?),
                    _ => drop(value.value()?),
                }
                Some(())
            })?,
            _ => drop(value.value()?),
        }
        Some(())
    })?;
    into.reported = is_reported;
    into.total = into.input.saturating_add(into.output);
    Usage::set(&mut into.total, total);
    Some(())
}

pub(super) fn write_reply(
    reply: &Reply<'_>,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut object = Object::new(out);
    object.u64("created", reply.created.unwrap_or(options.created));
    let mut data = object.array("data");
    for image in &reply.images {
        let mut element = data.object();
        match &image.place {
            Place::Base64(data) => element.text("b64_json", data),
            Place::Url(url) => element.text("url", url),
        }
        element.text_if("revised_prompt", image.revised_prompt.as_ref());
    }
    drop(data);
    if let Some(format) = output_format(reply) {
        object.str("output_format", format);
    }
    if reply.usage.reported {
        write_usage(&reply.usage, object.object("usage"));
    }
    object.members(options.trailer);
    Ok(())
}

/// The format in the words of this dialect, which are a closed list.
fn output_format(reply: &Reply<'_>) -> Option<&'static str> {
    const FORMATS: [&str; 3] = ["png", "jpeg", "webp"];
    let media_type = reply.images.first()?.media_type.as_ref()?.plain();
    let format = media_type.strip_prefix("image/")?;
    FORMATS.into_iter().find(|known| *known == format)
}

fn write_usage(usage: &Usage, mut object: Object<'_>) {
    object.u64("input_tokens", usage.input);
    let mut details = object.object("input_tokens_details");
    details.u64("image_tokens", usage.image_input);
    details.u64("text_tokens", usage.input.saturating_sub(usage.image_input));
    drop(details);
    object.u64("output_tokens", usage.output);
    object.u64("total_tokens", usage.total);
}
