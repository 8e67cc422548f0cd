//! A request's body as JSON and files, whether it came as a form or as JSON.

use std::borrow::Cow;

use wire::{FormPart, FormReader, form_boundary};

use super::{Body, Content, File};
use crate::error::{Error, What};
use crate::json::{Object, Raw, Text};

/// Fields of forms that are numbers, and refused where they are not.
const NUMBERS: &[&str] = &[
    "cfg_scale",
    "diarization_threshold",
    "guidance_scale",
    "n",
    "num_inference_steps",
    "num_speakers",
    "output_compression",
    "partial_images",
    "seed",
    "similarity_strength",
    "strength",
    "temperature",
];

/// Fields of forms that are true or false, and refused where they are neither.
const FLAGS: &[&str] = &["diarize", "stream", "tag_audio_events", "use_multi_channel"];

/// Fields that are files even where nobody gave them a name.
const FILES: &[&str] = &["file", "image", "mask"];

/// A body, taken apart.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    /// An object with all that is no file.
    pub(crate) json: Cow<'a, [u8]>,
    pub(crate) files: Vec<(Cow<'a, str>, File<'a>)>,
}

/// A request that can be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) root: Raw<'a>,
    /// Each with the name of its field, without the brackets that stand for a list.
    pub(crate) files: &'a [(Cow<'a, str>, File<'a>)],
}

impl<'a> Question<'a> {
    /// The files of a field.
    pub(crate) fn files(&self, field: &str) -> impl Iterator<Item = &'a File<'a>> {
        self.files.iter().filter(move |(name, _)| name == field).map(|(_, file)| file)
    }
}

impl<'a> Document<'a> {
    pub(crate) fn read(body: Body<'a>) -> Result<Self, Error> {
        let unreadable = |error: wire::FormError| Error::new(What::Form(error));
        match form_boundary(body.content_type.as_bytes()).map_err(unreadable)? {
            None => Ok(Self { json: Cow::Borrowed(body.bytes), files: Vec::new() }),
            Some(boundary) => {
                let mut reader = FormReader::new(&boundary, body.bytes);
                let mut parts = Vec::new();
                while let Some(part) = reader.next_part().map_err(unreadable)? {
                    parts.push(part);
                }
                Self::of_parts(parts, body.bytes)
            }
        }
    }

    fn of_parts(parts: Vec<FormPart<'a>>, bytes: &'a [u8]) -> Result<Self, Error> {
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        for part in parts {
            let value = bytes.get(part.value.clone()).unwrap_or_default();
            let (name, is_list) = match part.name.strip_suffix("[]") {
                Some(name) => (name.to_owned(), true),
                None => (part.name.clone().into_owned(), false),
            };
            if part.file_name.is_some() || FILES.contains(&&*name) {
                let media_type = part.content_type.map(Cow::Borrowed);
                let file =
                    File { content: Content::Bytes(value), name: part.file_name, media_type };
                files.push((Cow::Owned(name), file));
                continue;
            }
            let text = std::str::from_utf8(value)
                .map_err(|_| Error::at(&name, What::WrongType("text in UTF-8")))?;
            fields.push(Field { name, text, is_list });
        }
        let mut json = Vec::new();
        write_fields(&fields, &mut json)?;
        Ok(Self { json: Cow::Owned(json), files })
    }
}

/// A field of a form that is no file.
struct Field<'a> {
    name: String,
    text: &'a str,
    is_list: bool,
}

fn write_fields(fields: &[Field<'_>], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut object = Object::new(out);
    for (at, field) in fields.iter().enumerate() {
        let is_same = |other: &&Field<'_>| other.is_list && other.name == field.name;
        if !field.is_list {
            write_scalar(field, &mut object)?;
        } else if !fields.iter().take(at).any(|other| is_same(&other)) {
            let mut array = object.array(&field.name);
            let elements = fields.iter().filter(is_same);
            elements.for_each(|element| array.text(&Text::from(element.text)));
        }
    }
    Ok(())
}

fn write_scalar(field: &Field<'_>, object: &mut Object<'_>) -> Result<(), Error> {
    let Field { name, text, .. } = field;
    if NUMBERS.contains(&name.as_str()) {
        let number = text.trim();
        if !is_number(number) {
            return Err(Error::at(name, What::WrongType("a number")));
        }
        object.verbatim(name, number);
    } else if FLAGS.contains(&name.as_str()) {
        match text.trim() {
            "true" | "True" => object.bool(name, true),
            "false" | "False" => object.bool(name, false),
            _ => return Err(Error::at(name, What::WrongType("true or false"))),
        }
    } else {
        object.str(name, text);
    }
    Ok(())
}

/// Whether it is spelt as JSON spells a number.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let starts = unsigned.starts_with(|first: char| first.is_ascii_digit());
    let has_zeros = unsigned.len() > 1
        && unsigned.starts_with('0')
        && !unsigned.starts_with("0.")
        && !unsigned.starts_with(['e', 'E']);
    let is_decimal = unsigned.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    starts && !has_zeros && is_decimal && !unsigned.ends_with('.') && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use wire::FormWriter;

    use super::*;

    fn json(fields: &[(&str, &str)]) -> Result<String, String> {
        let mut bytes = Vec::new();
        let mut form = FormWriter::new(&mut bytes);
        fields.iter().for_each(|(name, value)| form.text(name, value));
        form.file("image[]", "a.png", "image/png", b"\x89PNG");
        let content_type = form.end();
        let document = Document::read(Body { content_type: &content_type, bytes: &bytes })
            .map_err(|error| error.to_string())?;
        assert_eq!(document.files.len(), 1);
        assert_eq!(document.files[0].0, "image");
        Ok(String::from_utf8(document.json.into_owned()).expect("JSON is text"))
    }

    #[test]
    fn fields_become_members_of_their_types() {
        let fields =
            [("prompt", "42 \"x\""), ("n", "2"), ("stream", "true"), ("a[]", "b"), ("a[]", "c")];
        let expected = r#"{"prompt":"42 \"x\"","n":2,"stream":true,"a":["b","c"]}"#;
        assert_eq!(json(&fields), Ok(expected.to_owned()));
    }

    #[test]
    fn what_must_be_a_number_is_refused_by_name() {
        for text in ["two", "", "01", "1.", "0x1", "+1", "NaN", "1e", "--1"] {
            assert_eq!(json(&[("n", text)]), Err("n: must be a number".to_owned()), "{text}");
        }
        for text in ["0", "0.5", "-1", "1e3", " 7 "] {
            assert!(json(&[("seed", text)]).is_ok(), "{text}");
        }
        assert_eq!(json(&[("stream", "1")]), Err("stream: must be true or false".to_owned()));
    }
}
