//! The body of Amazon's Titan and Nova models that draw, on Bedrock: a task each for words, for parts of a picture, for
//! what lies around it, for its background and for variations.

use super::edit::{Edit, ImageEditing, base64};
use super::{Image, Place, Reply};
use crate::Dialect;
use crate::bedrock_converse;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::json::{Object, Text};
use crate::media::{Answer, File, Media, ProviderSide, Written};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "titan_images",
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

/// A task, and the member that holds what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Task {
    name: &'static str,
    member: &'static str,
}

const TEXT: Task = Task { name: "TEXT_IMAGE", member: "textToImageParams" };
const INPAINTING: Task = Task { name: "INPAINTING", member: "inPaintingParams" };
const OUTPAINTING: Task = Task { name: "OUTPAINTING", member: "outPaintingParams" };
const VARIATION: Task = Task { name: "IMAGE_VARIATION", member: "imageVariationParams" };
const BACKGROUND: Task = Task { name: "BACKGROUND_REMOVAL", member: "backgroundRemovalParams" };

/// Members of the tasks with a meaning here only, as callers name them and as the vendor does.
const TASK_MEMBERS: &[(&str, &str)] = &[
    ("mask_prompt", "maskPrompt"),
    ("outpainting_mode", "outPaintingMode"),
    ("similarity_strength", "similarityStrength"),
];

const CFG_SCALE: &str = "cfg_scale";
const QUALITY: &str = "quality";

fn write_request(
    request: &Edit<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let task = task(request)?;
    let mut body = Object::new(written.json());
    body.str("taskType", task.name);
    write_task(request, task, body.object(task.member))?;
    if task != BACKGROUND {
        write_config(request, body.object("imageGenerationConfig"));
    }
    request.drawing.note_size_word(notes);
    let unknown =
        ["num_inference_steps", "output_compression", "output_format", "response_format", "user"];
    request.note(notes, &unknown);
    let own = TASK_MEMBERS.iter().map(|(own, _)| *own);
    let known: Vec<&str> = own.chain([CFG_SCALE, QUALITY]).collect();
    request.note_rest(&known, Dialect::TitanImages, notes)
}

fn task(request: &Edit<'_>) -> Result<Task, Error> {
    let has_mask = request.mask.is_some() || request.own("mask_prompt").is_some();
    Ok(match &*request.kind() {
        "" if request.images.is_empty() => TEXT,
        "" if request.is_variation || !has_mask => VARIATION,
        "" | "inpainting" => INPAINTING,
        "outpainting" => OUTPAINTING,
        "image_variation" | "variation" => VARIATION,
        "background_removal" => BACKGROUND,
        _ => return Err(Error::at("type", What::Inexpressible(Dialect::TitanImages))),
    })
}

fn write_task(request: &Edit<'_>, task: Task, mut params: Object<'_>) -> Result<(), Error> {
    let drawing = &request.drawing;
    let picture = |file: &File<'_>, field: &str| {
        base64(file, field, Dialect::TitanImages).map(Text::into_owned)
    };
    if task != BACKGROUND {
        params.text_if("text", Some(&drawing.prompt).filter(|prompt| !prompt.is_empty()));
        params.text_if("negativeText", drawing.negative_prompt.as_ref());
    }
    match (task, &request.images[..]) {
        (TEXT, _) | (_, []) => {}
        (VARIATION, images) => {
            let mut array = params.array("images");
            for image in images {
                array.text(&picture(image, "image")?);
            }
        }
        (_, [image]) => params.text("image", &picture(image, "image")?),
        (_, _) => return Err(Error::at("image", What::Inexpressible(Dialect::TitanImages))),
    }
    if let Some(mask) = &request.mask {
        params.text("maskImage", &picture(mask, "mask")?);
    }
    let own = TASK_MEMBERS.iter().filter_map(|(own, name)| Some((*name, request.own(own)?)));
    own.for_each(|(name, value)| params.raw(name, value));
    Ok(())
}

fn write_config(request: &Edit<'_>, mut config: Object<'_>) {
    let drawing = &request.drawing;
    config.raw_if("numberOfImages", drawing.count);
    if let Some((width, height)) = drawing.pixels() {
        config.u64("width", width);
        config.u64("height", height);
    }
    config.raw_if("cfgScale", request.own(CFG_SCALE));
    config.raw_if("seed", drawing.seed);
    let quality = request.own(QUALITY).and_then(|quality| quality.as_str());
    if let Some(quality) = quality {
        let is_high = ["high", "hd", "premium"].contains(&&*quality);
        config.str(QUALITY, if is_high { "premium" } else { "standard" });
    }
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let Some(images) = root.member("images") else {
        return Err(Error::at("images", What::Missing));
    };
    let images = fields::each("images", images, |_, image| {
        let place = Place::Base64(fields::text("", image)?);
        Ok(Image { place, media_type: Some("image/png".into()), revised_prompt: None })
    })?;
    if images.is_empty() {
        return Err(Error::at("images", What::Invalid("a filter withheld every image")));
    }
    Ok(Reply { images, ..Reply::default() })
}
