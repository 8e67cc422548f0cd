//! `imageInference` of Runware: a list with one task in it, and a list of pictures back.

use super::{Image, ImageMaking, Place, Reply, Request};
use crate::Dialect;
use crate::error::{Error, What};
use crate::error_shape;
use crate::event_class::EventClass;
use crate::fields;
use crate::format::{Code, Errors, Format, Framing, Half, Upstream, UsagePlace};
use crate::json::{Array, Object, Raw};
use crate::openai_chat;
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "runware_images",
    framing: Framing::Sse,
    code: Code::Upstream(Upstream::Image(Half::<ImageMaking> { write_request, read_reply })),
    errors: ERRORS,
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// `{"errors": [{code, message, parameter}]}`.
pub(crate) const ERRORS: Errors = Errors {
    read: |status, body| error_shape::read_error(status, body, read_error),
    read_event: |data| error_shape::read_stream_error(data, read_error),
    ..openai_chat::ERRORS
};

fn read_error<'a>(root: Raw<'a>) -> error_shape::ErrorFields<'a> {
    let first = root.member("errors").and_then(|errors| errors.elements().next());
    let mut fields = openai_chat::read_error_object(first.unwrap_or(root));
    fields.param = first.and_then(|error| error_shape::scalar(error, "parameter")).or(fields.param);
    fields
}

const TARGET: Dialect = Dialect::RunwareImages;

/// The side of a picture that nobody gave a size, in pixels.
const SIDE: u64 = 1024;

fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut tasks = Array::new(out);
    let mut task = tasks.object();
    task.str("taskType", "imageInference");
    task.str("taskUUID", &task_id(options));
    task.str("model", options.model);
    task.text("positivePrompt", &request.prompt);
    task.text_if("negativePrompt", request.negative_prompt.as_ref());
    let (width, height) = request.pixels().unwrap_or((SIDE, SIDE));
    task.u64("width", width);
    task.u64("height", height);
    request.note_size_word(notes);
    task.raw_if("steps", request.steps);
    task.raw_if("seed", request.seed);
    task.raw_if("numberResults", request.count);
    if let Some(format) = &request.response_format {
        task.str("outputType", if *format == *"b64_json" { "base64Data" } else { "URL" });
    }
    write_format(request, &mut task);
    task.raw_if("outputQuality", request.output_compression);
    if request.user.is_some() {
        notes.drop("user");
    }
    for (name, _) in &request.rest {
        if super::ESSENTIAL_MEMBERS.contains(&&**name) {
            return Err(Error::at(name, What::Inexpressible(TARGET)));
        }
        notes.drop(name);
    }
    // Whatever else a model takes: `seedImage`, `CFGScale` ….
    request.extra.iter().for_each(|(name, value)| task.raw(name, *value));
    Ok(())
}

fn write_format(request: &Request<'_>, task: &mut Object<'_>) {
    let Some(format) = &request.output_format else { return };
    match &*format.plain() {
        "jpeg" | "jpg" => task.str("outputFormat", "JPG"),
        other => task.str("outputFormat", &other.to_ascii_uppercase()),
    }
}

/// Callers name their tasks: a UUID of version 4.
pub(crate) fn task_id(options: &RequestOptions<'_>) -> String {
    const VERSION: u128 = 0x4 << 76;
    const VARIANT: u128 = 0x8 << 60;
    let bits = (options.nonce)() & !(0xf << 76) & !(0xc << 60) | VERSION | VARIANT;
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let data = fields::required(root, "data")?;
    let images = fields::each("data", data, |_, image| {
        let text = |name| fields::lenient_text(image, name);
        let base64 = text("imageBase64Data").map(Place::Base64);
        let place = base64.or_else(|| text("imageURL").map(Place::Url));
        Ok(Image {
            place: place.ok_or_else(|| Error::at("imageURL", What::Missing))?,
            media_type: None,
            revised_prompt: None,
        })
    })?;
    if images.is_empty() {
        return Err(Error::at("data", What::Missing));
    }
    Ok(Reply { images, ..Reply::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_named_by_random_uuids() {
        let named = |nonce| task_id(&RequestOptions { nonce, ..RequestOptions::new("m") });
        assert_eq!(named(|| 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(named(|| u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
