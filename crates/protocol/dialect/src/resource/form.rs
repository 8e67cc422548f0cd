//! Files in forms.

use std::borrow::Cow;

use wire::{FormReader, FormWriter, form_boundary};

use super::thing::Upload;
use super::{ResourceCall, ResourceRequest};
use crate::error::{Error, What};

/// What a file is where the form does not say.
const MEDIA_TYPE_DEFAULT: &str = "application/octet-stream";

/// The file in the field of that name.
pub(super) fn file<'a>(request: &ResourceRequest<'a>, name: &str) -> Result<Upload<'a>, Error> {
    let found = field(request, name)?.ok_or_else(|| Error::at(name, What::Missing))?;
    let (part_name, media_type, bytes) = found;
    Ok(Upload {
        name: part_name.unwrap_or_else(|| name.to_owned()),
        media_type: media_type.unwrap_or(MEDIA_TYPE_DEFAULT).to_owned(),
        purpose: None,
        bytes,
    })
}

/// The text in the field of that name.
pub(super) fn text(request: &ResourceRequest<'_>, name: &str) -> Result<Option<String>, Error> {
    let found = field(request, name)?;
    Ok(found.map(|(_, _, bytes)| String::from_utf8_lossy(bytes).into_owned()))
}

/// What a field's file is called, what it is, and what is in it.
type Field<'a> = (Option<String>, Option<&'a str>, &'a [u8]);

fn field<'a>(request: &ResourceRequest<'a>, name: &str) -> Result<Option<Field<'a>>, Error> {
    let no_form = || Error::new(What::Invalid("the body must be a form (multipart/form-data)"));
    let boundary = form_boundary(request.content_type).map_err(|_| no_form())?;
    let boundary: Cow<'_, [u8]> = boundary.ok_or_else(no_form)?;
    let mut reader = FormReader::new(&boundary, request.body);
    while let Some(part) = reader.next_part().map_err(|_| no_form())? {
        if part.name == name {
            let bytes = request.body.get(part.value).unwrap_or_default();
            return Ok(Some((part.file_name.map(Cow::into_owned), part.content_type, bytes)));
        }
    }
    Ok(None)
}

/// Writes a form with these texts and the file.
pub(super) fn write(call: &mut ResourceCall, texts: &[(&str, &str)], upload: &Upload<'_>) {
    let mut form = FormWriter::with_boundary(boundary(upload.bytes), &mut call.body);
    for (name, value) in texts {
        form.text(name, value);
    }
    form.file("file", &upload.name, &upload.media_type, upload.bytes);
    call.content_type = form.end();
}

/// A boundary that does not stand in `bytes`.
pub(super) fn boundary(bytes: &[u8]) -> String {
    let mut number: u64 = 0x9e37_79b9_7f4a_7c15;
    loop {
        let boundary = format!("form-{number:016x}");
        if memchr::memmem::find(bytes, boundary.as_bytes()).is_none() {
            return boundary;
        }
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
}
