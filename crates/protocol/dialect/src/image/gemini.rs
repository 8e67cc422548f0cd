//! `:generateContent` of Google's models that draw, from words and from pictures.

use super::edit::{Edit, ImageEditing};
use super::{Image, Place, Reply, Size};
use crate::Dialect;
use crate::error::{Error, What};
use crate::format::{Code, Format, Framing};
use crate::gemini::{self, media_parts};
use crate::json::Object;
use crate::media::{Answer, Content, File, Media, ProviderSide, Written};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "gemini_images",
    framing: Framing::Sse,
    code: Code::ImageEdit(Media::<ImageEditing> {
        caller: None,
        provider: Some(ProviderSide { write_request, read_reply, stream_reader: None }),
    }),
    errors: gemini::ERRORS,
    usage: gemini::usage_place(),
    event_class: gemini::event_class,
};

/// The ratios the models draw in.
const RATIOS: &[(&str, f64)] = &[
    ("1:1", 1.0),
    ("2:3", 2.0 / 3.0),
    ("3:2", 1.5),
    ("3:4", 0.75),
    ("4:3", 4.0 / 3.0),
    ("4:5", 0.8),
    ("5:4", 1.25),
    ("9:16", 0.5625),
    ("16:9", 16.0 / 9.0),
    ("21:9", 21.0 / 9.0),
];

fn write_request(
    request: &Edit<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let target = Dialect::GeminiImages;
    let drawing = &request.drawing;
    let count = drawing.count.and_then(|count| count.as_u64()).unwrap_or(1);
    for (name, is_said) in
        [("mask", request.mask.is_some()), ("n", count != 1), ("image", request.is_variation)]
    {
        if is_said {
            return Err(Error::at(name, What::Inexpressible(target)));
        }
    }
    let mut body = Object::new(written.json());
    {
        let mut contents = body.array("contents");
        let mut content = contents.object();
        content.str("role", "user");
        let mut parts = content.array("parts");
        for image in &request.images {
            write_picture(image, parts.object());
        }
        parts.object().text("text", &drawing.prompt);
    }
    {
        let mut config = body.object("generationConfig");
        let mut modalities = config.array("responseModalities");
        modalities.text(&"TEXT".into());
        modalities.text(&"IMAGE".into());
        drop(modalities);
        config.raw_if("seed", drawing.seed);
        write_image_config(request, &mut config);
    }
    let known = ["safetySettings"];
    let own = known.iter().filter_map(|name| Some((*name, request.own(name)?)));
    own.for_each(|(name, value)| body.raw(name, value));
    drawing.note_size_word(notes);
    request.note(
        notes,
        &[
            "negative_prompt",
            "num_inference_steps",
            "output_compression",
            "output_format",
            "response_format",
            "type",
            "user",
        ],
    );
    if options.pass_extra {
        drawing.extra.iter().for_each(|(name, value)| body.raw(name, *value));
    }
    request.note_rest(&known, target, notes)
}

fn write_picture(image: &File<'_>, mut part: Object<'_>) {
    let media_type = image.media_type();
    let media_type = media_type.as_deref().unwrap_or("image/png");
    match (&image.content, image.base64()) {
        (Content::Url(url), _) => {
            let mut file = part.object("fileData");
            file.str("mimeType", media_type);
            file.text("fileUri", url);
        }
        (_, data) => {
            let mut inline = part.object("inlineData");
            inline.str("mimeType", media_type);
            inline.text_if("data", data.as_ref());
        }
    }
}

fn write_image_config(request: &Edit<'_>, config: &mut Object<'_>) {
    let drawing = &request.drawing;
    let ratio = drawing.aspect_ratio(RATIOS);
    let size = drawing.resolution.as_ref().map(|it| it.plain().to_ascii_uppercase().into());
    // What is changed keeps its shape unless the caller names another.
    let is_kept = matches!(drawing.size, None | Some(Size::Word(_)));
    if ratio.is_none() && size.is_none() && is_kept {
        return;
    }
    let mut image = config.object("imageConfig");
    image.text_if("aspectRatio", ratio.as_ref());
    image.text_if("imageSize", size.as_ref());
}

fn read_reply<'a>(answer: &Answer<'a>) -> Result<Reply<'a>, Error> {
    let root = answer.json()?;
    let images: Vec<Image<'a>> = media_parts::inline(root)
        .map(|(media_type, data)| Image {
            place: Place::Base64(data),
            media_type: Some(media_type),
            revised_prompt: None,
        })
        .collect();
    if images.is_empty() {
        let nothing = What::Invalid("there is no picture in the reply");
        return Err(Error::at("candidates", nothing));
    }
    Ok(Reply { images, usage: media_parts::usage(root), ..Reply::default() })
}
