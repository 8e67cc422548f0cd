//! `:predict` of Google's Imagen models that change pictures.

use super::edit::{Edit, ImageEditing, base64};
use super::imagen::{read_reply, write_parameters};
use crate::Dialect;
use crate::error::{Error, What};
use crate::event_class::EventClass;
use crate::format::{Code, Format, Framing, UsagePlace};
use crate::gemini;
use crate::json::{Array, Object};
use crate::media::{File, Media, ProviderSide, Written};
use crate::options::{Notes, RequestOptions};

pub(crate) static FORMAT: Format = Format {
    name: "imagen_edits",
    framing: Framing::Sse,
    code: Code::ImageEdit(Media::<ImageEditing> {
        caller: None,
        provider: Some(ProviderSide {
            write_request,
            read_reply: |answer| read_reply(answer.json()?),
            stream_reader: None,
        }),
    }),
    errors: gemini::ERRORS,
    // Nothing is reported; pictures are billed by the piece.
    usage: UsagePlace::none(),
    event_class: |_, _| EventClass::Output,
};

/// Kinds of edits, and what the vendor calls them.
const MODES: &[(&str, &str)] = &[
    ("", "EDIT_MODE_DEFAULT"),
    ("inpainting", "EDIT_MODE_INPAINT_INSERTION"),
    ("inpaint_insertion", "EDIT_MODE_INPAINT_INSERTION"),
    ("inpaint_removal", "EDIT_MODE_INPAINT_REMOVAL"),
    ("removal", "EDIT_MODE_INPAINT_REMOVAL"),
    ("outpainting", "EDIT_MODE_OUTPAINT"),
    ("background_swap", "EDIT_MODE_BGSWAP"),
    ("bgswap", "EDIT_MODE_BGSWAP"),
];

/// Members of `parameters` with a meaning here only.
const OWN_PARAMETERS: &[&str] = &[
    "addWatermark",
    "guidanceScale",
    "includeRaiReason",
    "includeSafetyAttributes",
    "language",
    "personGeneration",
    "safetySetting",
];

fn write_request(
    request: &Edit<'_>,
    _: &RequestOptions<'_>,
    notes: &mut Notes,
    written: &mut Written,
) -> Result<(), Error> {
    let target = Dialect::ImagenEdits;
    let mode = mode(request)?;
    if request.is_variation {
        return Err(Error::at("image", What::Inexpressible(target)));
    }
    let mut body = Object::new(written.json());
    {
        let mut instances = body.array("instances");
        let mut instance = instances.object();
        instance.text("prompt", &request.drawing.prompt);
        write_references(request, instance.array("referenceImages"))?;
    }
    write_parameters(&request.drawing, body.object("parameters"), |parameters| {
        parameters.str("editMode", mode);
        let own = OWN_PARAMETERS.iter().filter_map(|name| Some((*name, request.own(name)?)));
        own.for_each(|(name, value)| parameters.raw(name, value));
    });
    request.drawing.note_size_word(notes);
    request.note(notes, &["num_inference_steps", "response_format", "user"]);
    request.note_rest(OWN_PARAMETERS, target, notes)
}

fn mode(request: &Edit<'_>) -> Result<&'static str, Error> {
    let kind = request.kind();
    let kind = if kind.is_empty() && request.mask.is_some() { "inpainting" } else { &kind };
    let known = MODES.iter().find(|(known, _)| *known == kind).map(|(_, mode)| *mode);
    known.ok_or(Error::at("type", What::Inexpressible(Dialect::ImagenEdits)))
}

/// The pictures, and the mask behind them, numbered from 1.
fn write_references(request: &Edit<'_>, mut references: Array<'_>) -> Result<(), Error> {
    let write = |id: u64, kind: &str, file: &File<'_>, field: &str, mut reference: Object<'_>| {
        reference.str("referenceType", kind);
        reference.u64("referenceId", id);
        let data = base64(file, field, Dialect::ImagenEdits)?;
        reference.object("referenceImage").text("bytesBase64Encoded", &data);
        if kind == MASK {
            reference.object("maskImageConfig").str("maskMode", "MASK_MODE_USER_PROVIDED");
        }
        Ok::<(), Error>(())
    };
    for (id, image) in (1..).zip(&request.images) {
        write(id, RAW, image, "image", references.object())?;
    }
    match &request.mask {
        Some(mask) => {
            write(request.images.len() as u64 + 1, MASK, mask, "mask", references.object())
        }
        None => Ok(()),
    }
}

const RAW: &str = "REFERENCE_TYPE_RAW";
const MASK: &str = "REFERENCE_TYPE_MASK";
