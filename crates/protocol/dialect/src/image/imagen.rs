//! `:predict` of Google's Imagen models.

use super::{Image, ImageMaking, Place, Reply, Request, Size};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace, Whole};
use crate::gemini;
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "imagen",
    framing: Framing::Sse,
    code: Code::Image(Whole::<ImageMaking> {
        read_request,
        write_request,
        read_reply,
        write_reply,
    }),
    errors: gemini::ERRORS,
    // Nothing is reported; pictures are billed by the piece.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Members of `parameters` with a meaning in the vendor's API only.
const OWN_PARAMETERS: &[&str] = &[
    "addWatermark",
    "enhancePrompt",
    "includeRaiReason",
    "includeSafetyAttributes",
    "language",
    "personGeneration",
    "safetyFilterLevel",
    "safetySetting",
    "storageUri",
];

/// The ratios the models draw in.
pub(super) const RATIOS: &[(&str, f64)] =
    &[("1:1", 1.0), ("3:4", 0.75), ("4:3", 4.0 / 3.0), ("9:16", 0.5625), ("16:9", 16.0 / 9.0)];

/// The longer side up to which a picture is one of `1K`; at 16:9 these have 1408 pixels.
const SIDE_1K_MAX: u64 = 1536;

fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new(Dialect::GeminiImagen);
    let instances = fields::required(fields::object("", root)?, "instances")?;
    let mut instances = fields::array("instances", instances)?.elements();
    let (Some(instance), None) = (instances.next(), instances.next()) else {
        return Err(Error::at("instances", What::Invalid("must hold one instance")));
    };
    request.prompt = fields::required_text(instance, "prompt")
        .map_err(|error| error.in_element(0).in_member("instances"))?;
    let others = instance.members().filter(|(name, _)| name != "prompt");
    request.rest.extend(others);
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "model" | "fallbacks" | "instances" => {}
            "parameters" => read_parameters(fields::object(&name, value)?, &mut request)
                .map_err(|error| error.in_member("parameters"))?,
            "extra_params" => request.extra.extend(fields::object(&name, value)?.members()),
            _ => request.keep(&["labels"], &name, value),
        }
    }
    Ok(request)
}

fn read_parameters<'a>(parameters: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in parameters.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "sampleCount" => request.count = Some(fields::number(&name, value)?),
            "aspectRatio" => request.aspect_ratio = Some(fields::text(&name, value)?),
            "sampleImageSize" | "imageSize" => {
                request.resolution = Some(fields::text(&name, value)?);
            }
            "negativePrompt" => request.negative_prompt = Some(fields::text(&name, value)?),
            "seed" => request.seed = Some(fields::number(&name, value)?),
            "outputOptions" => {
                let media_type = fields::lenient_text(value, "mimeType");
                request.output_format = media_type.map(|it| format_of(&it));
                request.output_compression = value.member("compressionQuality");
            }
            _ => request.keep(OWN_PARAMETERS, &name, value),
        }
    }
    Ok(())
}

/// `jpeg` of `image/jpeg`.
fn format_of<'a>(media_type: &Text<'_>) -> Text<'a> {
    media_type.plain().trim_start_matches("image/").to_owned().into()
}

fn write_request(
    request: &Request<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = Dialect::GeminiImagen;
    let is_own = request.source == target;
    let (parameters, other): (Vec<_>, Vec<_>) =
        request.rest.iter().partition(|(name, _)| OWN_PARAMETERS.contains(&&**name));
    let mut body = Object::new(out);
    {
        let mut instances = body.array("instances");
        let mut instance = instances.object();
        instance.text("prompt", &request.prompt);
        if is_own {
            other.iter().for_each(|(name, value)| instance.raw(name, *value));
        }
    }
    write_parameters(request, body.object("parameters"), |parameters_object| {
        if is_own {
            let own = parameters.iter().map(|member| &**member).chain(&request.extra);
            own.for_each(|(name, value)| parameters_object.raw(name, *value));
        }
    });
    if is_own {
        return Ok(());
    }
    note(request, notes);
    request.write_rest(target, notes, &mut body)
}

pub(super) fn write_parameters(
    request: &Request<'_>,
    mut parameters: Object<'_>,
    write_own: impl FnOnce(&mut Object<'_>),
) {
    parameters.raw_if("sampleCount", request.count);
    parameters.text_if("aspectRatio", request.aspect_ratio(RATIOS).as_ref());
    parameters.text_if("sampleImageSize", resolution(request).as_ref());
    parameters.text_if("negativePrompt", request.negative_prompt.as_ref());
    parameters.raw_if("seed", request.seed);
    if request.output_format.is_some() || request.output_compression.is_some() {
        let mut options = parameters.object("outputOptions");
        if let Some(format) = &request.output_format {
            options.str("mimeType", &format!("image/{}", format.plain()));
        }
        options.raw_if("compressionQuality", request.output_compression);
    }
    write_own(&mut parameters);
}

fn resolution<'a>(request: &Request<'a>) -> Option<Text<'a>> {
    match (&request.resolution, &request.size) {
        // Others spell it with a small letter.
        (Some(word), _) => Some(word.plain().to_ascii_uppercase().into()),
        (None, Some(Size::Pixels { width, height })) => {
            Some(if *width.max(height) > SIDE_1K_MAX { "2K" } else { "1K" }.into())
        }
        (None, _) => None,
    }
}

fn note(request: &Request<'_>, notes: &mut Notes) {
    request.note_size_word(notes);
    let wants_url = request.response_format.as_ref().is_some_and(|it| *it == *"url");
    for (name, is_said) in [
        ("response_format", wants_url),
        ("num_inference_steps", request.steps.is_some()),
        ("user", request.user.is_some()),
    ] {
        if is_said {
            notes.drop(name);
        }
    }
}

/// Reads a reply. Pictures that a filter withheld are left out, as other vendors do.
pub(super) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let predictions = fields::required(root, "predictions")?;
    let predictions = fields::each("predictions", predictions, |_, prediction| {
        let text = |name| fields::lenient_text(prediction, name);
        let base64 = text("bytesBase64Encoded").map(Place::Base64);
        let place = base64.or_else(|| text("gcsUri").map(Place::Url));
        Ok(place.map(|place| Image {
            place,
            media_type: text("mimeType"),
            revised_prompt: text("prompt"),
        }))
    })?;
    let images: Vec<Image<'_>> = predictions.into_iter().flatten().collect();
    if images.is_empty() {
        return Err(Error::at("predictions", What::Invalid("a filter withheld every image")));
    }
    Ok(Reply { images, ..Reply::default() })
}

fn write_reply(reply: &Reply<'_>, _: &ReplyOptions<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let mut object = Object::new(out);
    let mut predictions = object.array("predictions");
    for (position, image) in reply.images.iter().enumerate() {
        let mut prediction = predictions.object();
        prediction.text("mimeType", image.media_type.as_ref().unwrap_or(&"image/png".into()));
        match &image.place {
            Place::Base64(data) => prediction.text("bytesBase64Encoded", data),
            Place::Url(url) if url.plain().starts_with("gs://") => prediction.text("gcsUri", url),
            Place::Url(_) => {
                let error = Error::at("url", What::Inexpressible(Dialect::GeminiImagen));
                return Err(error.in_element(position).in_member("data"));
            }
        }
        prediction.text_if("prompt", image.revised_prompt.as_ref());
    }
    Ok(())
}
