//! Reading the parts of messages and of tool outputs.

use crate::canonical::{Citation, Part, PartKind, Source};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};

/// Reads the member `name`: a string, or a list of parts. Nothing when it is not there.
pub(super) fn read_content<'a>(item: Raw<'a>, name: &str) -> Result<Vec<Part<'a>>, Error> {
    let Some(content) = item.member(name) else { return Ok(Vec::new()) };
    if let Some(text) = content.as_text() {
        return Ok(vec![Part::text(text)]);
    }
    if !content.is_array() {
        return Err(fields::wrong_type(name, "a string or an array"));
    }
    fields::each(name, content, |position, part| Ok(Part { position, ..read_part(part)? }))
}

fn read_part<'a>(part: Raw<'a>) -> Result<Part<'a>, Error> {
    if let Some(text) = part.as_text() {
        return Ok(Part::text(text));
    }
    if !part.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let text = |name| fields::lenient_text(part, name);
    let kind = match &*text("type").unwrap_or_default().plain() {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            PartKind::Text {
                text: text("text").unwrap_or_default(),
                citations: read_citations(part),
            }
        }
        "refusal" => PartKind::Refusal(text("refusal").unwrap_or_default()),
        "input_image" => read_image(part)?,
        "input_file" => read_file(part)?,
        "input_audio" => read_audio(part)?,
        _ => PartKind::Other(part),
    };
    Ok(Part { cache_control: part.member("cache_control"), ..kind.into() })
}

fn read_image<'a>(part: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let url = part.member("image_url").and_then(|image| {
        // The elder dialect has an object here, and some clients keep to it.
        image.as_text().or_else(|| fields::lenient_text(image, "url"))
    });
    let source = match (url, fields::lenient_text(part, "file_id")) {
        (Some(url), _) => Source::from_url(url),
        (None, Some(id)) => Source::FileId(id),
        (None, None) => return Err(Error::at("image_url", What::Missing)),
    };
    Ok(PartKind::Image { source, detail: fields::lenient_text(part, "detail") })
}

fn read_file<'a>(part: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let text = |name| fields::lenient_text(part, name).filter(|text| !text.is_empty());
    let source = match (text("file_data"), text("file_url"), text("file_id")) {
        (Some(data), _, _) => read_file_data(data),
        (None, Some(url), _) => Source::from_url(url),
        (None, None, Some(id)) => Source::FileId(id),
        (None, None, None) => return Err(Error::at("file_data", What::Missing)),
    };
    Ok(PartKind::Document { source, name: text("filename") })
}

/// A `data:` URL, or bare base64, which is a PDF then.
fn read_file_data<'a>(data: Text<'a>) -> Source<'a> {
    match Source::from_url(data) {
        Source::Url(data) if !data.plain().contains(':') => {
            Source::Base64 { media_type: "application/pdf".into(), data }
        }
        source => source,
    }
}

fn read_audio<'a>(part: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let audio = fields::object("input_audio", fields::required(part, "input_audio")?)?;
    let data =
        fields::required_text(audio, "data").map_err(|error| error.in_member("input_audio"))?;
    Ok(PartKind::Audio { data, format: fields::lenient_text(audio, "format") })
}

fn read_citations<'a>(part: Raw<'a>) -> Vec<Citation<'a>> {
    let annotations = part.member("annotations");
    annotations.iter().flat_map(|list| list.elements()).map(read_citation).collect()
}

/// One annotation; only those of web pages have a URL. The range counts from the beginning of the part.
pub(super) fn read_citation<'a>(annotation: Raw<'a>) -> Citation<'a> {
    let count = |name| annotation.member(name).and_then(|count| count.as_u64());
    let text = |name| fields::lenient_text(annotation, name);
    Citation {
        url: text("url"),
        title: text("title").or_else(|| text("filename")),
        range: count("start_index").zip(count("end_index")),
        raw: Some(annotation),
        ..Citation::default()
    }
}
