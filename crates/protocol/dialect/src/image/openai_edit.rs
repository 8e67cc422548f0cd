//! `POST …/images/edits` and `POST …/images/variations` of OpenAI: a form with pictures in, or JSON with their URLs; JSON
//! or events out.

use super::Request;
use super::edit::{Edit, ImageEditing, read_images};
use super::openai::{read_members, usage_place, write_reply};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Format, Framing};
use crate::json::find_member;
use crate::media::{CallerSide, File, Media, Question, ReadQuestion};
use crate::openai_chat;

/// Edits.
pub(crate) static EDITS: Format =
    format("openai_image_edits", |question| read_edit(question, Dialect::OpenAiImageEdits));

/// Variations.
pub(crate) static VARIATIONS: Format = format("openai_image_variations", read_variation);

const fn format(name: &'static str, read_request: ReadQuestion<ImageEditing>) -> Format {
    Format {
        name,
        framing: Framing::Sse,
        code: Code::ImageEdit(Media::<ImageEditing> {
            caller: Some(CallerSide {
                read_request,
                write_reply: |reply, options, written| write_reply(reply, options, written.json()),
                stream_writer: None,
            }),
            provider: None,
        }),
        errors: openai_chat::ERRORS,
        usage: usage_place(),
        event_class,
    }
}

fn event_class(_: Option<&str>, data: &[u8]) -> EventClass {
    match find_member(data, "error") {
        Some(error) if error != b"null" => EventClass::Error,
        _ => EventClass::Output,
    }
}

fn read_edit<'a>(question: &Question<'a>, source: Dialect) -> Result<Edit<'a>, Error> {
    let root = fields::object("", question.root)?;
    let mut drawing = Request::new(source);
    read_members(root, &mut drawing)?;
    let images = read_pictures(question, &mut drawing)?;
    let mut kind = None;
    let mut mask = question.files("mask").next().cloned();
    for (name, value) in std::mem::take(&mut drawing.rest) {
        match &*name {
            "mask" => mask = read_images("mask", value)?.pop(),
            _ => drawing.rest.push((name, value)),
        }
    }
    for (name, value) in std::mem::take(&mut drawing.extra) {
        match &*name {
            "type" => kind = Some(fields::text("type", value)?),
            _ => drawing.extra.push((name, value)),
        }
    }
    // To take a background away nobody has to say anything.
    if drawing.prompt.is_empty() && kind.is_none() {
        return Err(Error::at("prompt", What::Missing));
    }
    Ok(Edit { drawing, images, mask, kind, is_variation: false })
}

fn read_variation<'a>(question: &Question<'a>) -> Result<Edit<'a>, Error> {
    let root = fields::object("", question.root)?;
    let mut drawing = Request::new(Dialect::OpenAiImageVariations);
    read_members(root, &mut drawing)?;
    let images = read_pictures(question, &mut drawing)?;
    Ok(Edit { drawing, images, mask: None, kind: None, is_variation: true })
}

/// The pictures: parts of the form, or URLs in JSON.
fn read_pictures<'a>(
    question: &Question<'a>,
    drawing: &mut Request<'a>,
) -> Result<Vec<File<'a>>, Error> {
    let mut images: Vec<File<'a>> = question.files("image").cloned().collect();
    for (name, value) in std::mem::take(&mut drawing.rest) {
        match &*name {
            "image" | "images" => images.extend(read_images(&name, value)?),
            _ => drawing.rest.push((name, value)),
        }
    }
    if images.is_empty() { Err(Error::at("image", What::Missing)) } else { Ok(images) }
}
