//! Writing the content of chat messages: text, images, files.

use std::borrow::Cow;

use super::write::Writer;
use super::write_messages::is_about_tools;
use crate::Dialect;
use crate::canonical::{Part, PartKind, Reasoning, Source};
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw, Text};

impl<'a> Writer<'_, 'a> {
    /// `content`: a string when it is one plain text, else an array.
    pub(super) fn content(
        &mut self,
        parts: &[&Part<'a>],
        object: &mut Object<'_>,
    ) -> Result<(), Error> {
        match parts {
            [] => object.str("content", ""),
            [Part { kind: PartKind::Text { text, .. }, cache_control, rest, .. }]
                if (cache_control.is_none() || !self.target.cache_control)
                    && (rest.is_empty() || !self.is_own()) =>
            {
                object.text("content", text);
            }
            parts => {
                let mut array = object.array("content");
                for part in parts {
                    self.part(part, &mut array)
                        .map_err(|error| error.in_element(part.position).in_member("content"))?;
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &Part<'a>, array: &mut Array<'_>) -> Result<(), Error> {
        if let Some(raw) = part.raw.filter(|_| self.is_own()) {
            array.raw(raw);
            return Ok(());
        }
        let mut object = match &part.kind {
            PartKind::Text { text, .. } => text_part(text, array),
            PartKind::Document { source: Source::Plain(text), .. } => text_part(text, array),
            PartKind::Refusal(refusal) => {
                let mut object = array.object();
                object.str("type", "refusal");
                object.text("refusal", refusal);
                object
            }
            PartKind::Image { source, detail } => image_part(source, detail.as_ref(), array)?,
            PartKind::Document { source: Source::Parts(parts), .. }
            | PartKind::SearchResult { content: parts, .. } => {
                return parts.iter().try_for_each(|part| self.part(part, array));
            }
            PartKind::Document { source, name } => file_part(source, name.as_ref(), array)?,
            PartKind::Video { source } if !self.target.is_original => {
                // Which piece of it is meant, and how finely it is looked at.
                let is_own = self.is_own();
                for (name, _) in part.rest.iter().filter(|_| !is_own) {
                    self.notes.drop(&format!("messages[].content[].{name}"));
                }
                video_part(source, array)?
            }
            PartKind::Video { .. } => {
                return Err(Error::at("video_url", What::Inexpressible(Dialect::OpenAiChat)));
            }
            PartKind::Audio { data, format } => audio_part(data, format.as_ref(), array),
            PartKind::Other(raw) if self.is_own() => {
                array.raw(*raw);
                return Ok(());
            }
            PartKind::Other(raw) => return self.foreign_part(*raw),
            PartKind::Reasoning(reasoning) => {
                write_thinking(reasoning, array);
                return Ok(());
            }
            PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::ServerCall(_)
            | PartKind::ServerResult(_) => return Ok(()),
        };
        if self.is_own() {
            part.rest.iter().for_each(|(name, value)| object.raw(name, *value));
        }
        self.part_cache_control(part, &mut object);
        Ok(())
    }

    /// A block of another vendor: changes to its tools can be left out, content cannot.
    fn foreign_part(&mut self, raw: Raw<'_>) -> Result<(), Error> {
        if is_about_tools(raw) {
            self.notes.drop("messages[].content[] of vendor tools");
            return Ok(());
        }
        Err(Error::at("type", What::Inexpressible(Dialect::OpenAiChat)))
    }
}

/// Writes thinking as a part, where the host takes such.
fn write_thinking(reasoning: &Reasoning<'_>, array: &mut Array<'_>) {
    let Some(text) = reasoning.text.as_ref().or(reasoning.summary.as_ref()) else { return };
    let mut object = array.object();
    object.str("type", "thinking");
    let mut texts = object.array("thinking");
    text_part(text, &mut texts);
}

fn text_part<'o>(text: &Text<'_>, array: &'o mut Array<'_>) -> Object<'o> {
    let mut object = array.object();
    object.str("type", "text");
    object.text("text", text);
    object
}

fn image_part<'o>(
    source: &Source<'_>,
    detail: Option<&Text<'_>>,
    array: &'o mut Array<'_>,
) -> Result<Object<'o>, Error> {
    if let Source::FileId(_) | Source::Plain(_) | Source::Parts(_) = source {
        return Err(Error::at("source", What::Inexpressible(Dialect::OpenAiChat)));
    }
    let mut object = array.object();
    object.str("type", "image_url");
    let mut image = object.object("image_url");
    write_url(source, image.key("url"));
    image.text_if("detail", detail);
    drop(image);
    Ok(object)
}

/// OpenAI itself takes none; hosts that do agree on this form.
fn video_part<'o>(source: &Source<'_>, array: &'o mut Array<'_>) -> Result<Object<'o>, Error> {
    if let Source::FileId(_) | Source::Plain(_) | Source::Parts(_) = source {
        return Err(Error::at("source", What::Inexpressible(Dialect::OpenAiChat)));
    }
    let mut object = array.object();
    object.str("type", "video_url");
    let mut video = object.object("video_url");
    write_url(source, video.key("url"));
    drop(video);
    Ok(object)
}

fn file_part<'o>(
    source: &Source<'_>,
    name: Option<&Text<'_>>,
    array: &'o mut Array<'_>,
) -> Result<Object<'o>, Error> {
    if let Source::Url(_) = source {
        return Err(Error::at("source", What::Inexpressible(Dialect::OpenAiChat)));
    }
    let mut object = array.object();
    object.str("type", "file");
    let mut file = object.object("file");
    match source {
        Source::FileId(id) => file.text("file_id", id),
        source => {
            file.text("filename", name.unwrap_or(&FILE_NAME));
            write_url(source, file.key("file_data"));
        }
    }
    drop(file);
    Ok(object)
}

/// Name of a document that came without one; OpenAI wants one beside `file_data`.
const FILE_NAME: Text<'static> = Text::Plain(Cow::Borrowed("document.pdf"));

fn audio_part<'o>(
    data: &Text<'_>,
    format: Option<&Text<'_>>,
    array: &'o mut Array<'_>,
) -> Object<'o> {
    let mut object = array.object();
    object.str("type", "input_audio");
    match format {
        None => object.text("input_audio", data),
        Some(format) => {
            let mut audio = object.object("input_audio");
            audio.text("data", data);
            audio.text("format", format);
        }
    }
    object
}

/// A URL, or the bytes as a `data:` URL.
pub(crate) fn write_url(source: &Source<'_>, out: &mut Vec<u8>) {
    match source {
        Source::Url(url) => url.write(out),
        Source::Base64 { media_type, data } => {
            out.extend_from_slice(b"\"data:");
            media_type.write_inner(out);
            out.extend_from_slice(b";base64,");
            data.write_inner(out);
            out.push(b'"');
        }
        Source::FileId(_) | Source::Plain(_) | Source::Parts(_) => out.extend_from_slice(b"\"\""),
    }
}
