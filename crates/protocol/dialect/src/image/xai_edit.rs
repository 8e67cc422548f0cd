//! `POST /v1/images/edits` of xAI: JSON with the pictures in it.

use super::edit::{Edit, ImageEditing, base64};
use super::openai::{XAI_RATIOS, read_reply, usage_place};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing};
use crate::json::Object;
use crate::media::{Content, File, Media, ProviderSide, Written};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "xai_image_edits",
    framing: Framing::Sse,
    code: Code::ImageEdit(Media::<ImageEditing> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply: |answer| read_reply(answer.json()?),
            stream_reader: None,
        }),
    }),
    errors: openai_chat::ERRORS,
    usage: usage_place(),
    event_class: |_, _| EventClass::Output,
};

fn write_request(
    request: &Edit<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let target = Dialect::XaiImageEdits;
    let drawing = &request.drawing;
    if request.mask.is_some() {
        return Err(Error::at("mask", What::Inexpressible(target)));
    }
    let mut body = Object::new(written.json());
    body.str("model", options.model);
    body.text("prompt", &drawing.prompt);
    {
        let mut images = body.array("images");
        for image in &request.images {
            let mut element = images.object();
            element.str("type", "image_url");
            element.str("url", &url(image)?);
        }
    }
    body.raw_if("n", drawing.count);
    body.text_if("aspect_ratio", drawing.aspect_ratio(XAI_RATIOS).as_ref());
    body.text_if("resolution", drawing.resolution.as_ref());
    body.text_if("response_format", drawing.response_format.as_ref());
    body.text_if("user", drawing.user.as_ref());
    drawing.note_size_word(notes);
    let unknown = [
        "negative_prompt",
        "num_inference_steps",
        "output_compression",
        "output_format",
        "seed",
        "type",
    ];
    request.note(notes, &unknown);
    request.note_rest(&[], target, notes)
}

/// Where the picture is, or the picture itself as a URL.
fn url(image: &File<'_>) -> Result<String, Error> {
    if let Content::Url(url) = &image.content {
        return Ok(url.plain().into_owned());
    }
    let media_type = image.media_type();
    let data = base64(image, "image", Dialect::XaiImageEdits)?;
    Ok(format!("data:{};base64,{}", media_type.as_deref().unwrap_or("image/png"), data.plain()))
}
