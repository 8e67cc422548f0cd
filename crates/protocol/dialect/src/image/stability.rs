//! The body of Stability AI's models on Bedrock: those that draw, and those that change a picture.

use super::edit::{Edit, ImageEditing, base64};
use super::{Image, Place, Reply, Size};
use crate::Dialect;
use crate::bedrock_converse;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::{Object, Raw};
use crate::media::{Answer, Media, ProviderSide, Written};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "stability_images",
    framing: Framing::EventStream,
    code: Code::ImageEdit(Media::<ImageEditing> {
        caller: None,
        provider: Some(ProviderSide { write_request, read_reply, stream_reader: None }),
    }),
    errors: bedrock_converse::ERRORS,
    // Nothing is reported; pictures are billed by the piece.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Members with a meaning here only.
const OWN_MEMBERS: &[&str] = &[
    "control_strength",
    "creativity",
    "down",
    "fidelity",
    "grow_mask",
    "left",
    "right",
    "search_prompt",
    "select_prompt",
    "strength",
    "style_preset",
    "up",
];

/// How far a picture may go from the one it began as, where the caller does not say: the API demands it.
const STRENGTH_DEFAULT: &str = "0.7";

/// The ratios the models draw in.
const RATIOS: &[(&str, f64)] = &[
    ("1:1", 1.0),
    ("2:3", 2.0 / 3.0),
    ("3:2", 1.5),
    ("4:5", 0.8),
    ("5:4", 1.25),
    ("9:16", 0.5625),
    ("16:9", 16.0 / 9.0),
    ("9:21", 9.0 / 21.0),
    ("21:9", 21.0 / 9.0),
];

fn write_request(
    request: &Edit<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let target = Dialect::StabilityImages;
    let drawing = &request.drawing;
    let count = drawing.count.and_then(|count| count.as_u64()).unwrap_or(1);
    let has_several = request.images.len() > 1 || request.is_variation;
    for (name, is_said) in [("n", count != 1), ("image", has_several)] {
        if is_said {
            return Err(Error::at(name, What::Inexpressible(target)));
        }
    }
    let mut body = Object::new(written.json());
    body.text_if("prompt", Some(&drawing.prompt).filter(|prompt| !prompt.is_empty()));
    // The one family that both draws and changes wants to be told which.
    let is_diffusion = options.model.contains("stability.sd3");
    match request.images.first() {
        Some(image) => {
            body.text("image", &base64(image, "image", target)?);
            if is_diffusion {
                body.str("mode", "image-to-image");
                let strength = request.own("strength").map_or(STRENGTH_DEFAULT, |it| it.text());
                body.verbatim("strength", strength);
            }
        }
        None => body.text_if("aspect_ratio", drawing.aspect_ratio(RATIOS).as_ref()),
    }
    if let Some(mask) = &request.mask {
        body.text("mask", &base64(mask, "mask", target)?);
    }
    body.text_if("negative_prompt", drawing.negative_prompt.as_ref());
    body.raw_if("seed", drawing.seed);
    body.text_if("output_format", drawing.output_format.as_ref());
    for name in OWN_MEMBERS.iter().filter(|name| !(is_diffusion && **name == "strength")) {
        body.raw_if(name, request.own(name));
    }
    note(request, notes);
    request.note_rest(OWN_MEMBERS, target, notes)
}

fn note(request: &Edit<'_>, notes: &mut Notes) {
    let is_kept = !request.images.is_empty();
    if is_kept && matches!(request.drawing.size, Some(Size::Pixels { .. })) {
        notes.drop("size");
    }
    request.drawing.note_size_word(notes);
    let unknown = [
        "num_inference_steps",
        "output_compression",
        "resolution",
        "response_format",
        "type",
        "user",
    ];
    request.note(notes, &unknown);
}

/// Reads a reply. A picture that a filter withheld has a reason in its place.
fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let reasons = root.member("finish_reasons");
    let mut reasons = reasons.into_iter().flat_map(|reasons| reasons.elements());
    let is_withheld = reasons.any(|reason: Raw<'_>| !reason.is_null());
    let images = root.member("images").filter(|_| !is_withheld);
    let Some(images) = images else {
        return Err(Error::at("images", What::Invalid("a filter withheld every image")));
    };
    let images = fields::each("images", images, |_, image| {
        let place = Place::Base64(fields::text("", image)?);
        Ok(Image { place, media_type: None, revised_prompt: None })
    })?;
    Ok(Reply { images, ..Reply::default() })
}
