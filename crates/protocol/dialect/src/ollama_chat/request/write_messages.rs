//! Writing the messages of a chat request. A message holds one text and its images: several texts are several messages,
//! as the vendor itself takes other dialects apart.

use super::write::Writer;
use crate::Dialect;
use crate::anthropic_messages::plain_document;
use crate::canonical::{Message, Part, PartKind, Role, Source, ToolResult};
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw, Text};
use crate::ollama_chat::reply::{write_calls, write_thinking};
use crate::openai_chat::is_about_tools;

/// One text and the images said with it.
#[derive(Debug, Default)]
struct Piece<'a> {
    text: Option<Text<'a>>,
    /// Base64.
    images: Vec<Text<'a>>,
}

impl<'w, 'a> Writer<'w, 'a> {
    pub(super) fn messages(&mut self, mut messages: Array<'_>) -> Result<(), Error> {
        let request = self.request;
        for message in &request.messages {
            self.breakpoint(message.cache_control);
            let written = match message.role {
                Role::System | Role::Developer => self.said("system", message, &mut messages),
                Role::User => self.said("user", message, &mut messages),
                Role::Assistant => self.assistant(message, &mut messages),
                Role::Tool => self.tool_results(message, &mut messages),
            };
            written.map_err(|error| match message.position {
                Some(position) => error.in_element(position).in_member("messages"),
                None => error.in_member("system"),
            })?;
        }
        Ok(())
    }

    /// System and user messages.
    fn said(
        &mut self,
        role: &str,
        message: &Message<'a>,
        messages: &mut Array<'_>,
    ) -> Result<(), Error> {
        let mut pieces = Vec::new();
        for part in &message.parts {
            self.take(part, &mut pieces)
                .map_err(|error| error.in_element(part.position).in_member("content"))?;
        }
        if pieces.is_empty() {
            if !message.parts.is_empty() {
                return Ok(());
            }
            pieces.push(Piece::default());
        }
        let last = pieces.len() - 1;
        for (number, piece) in pieces.iter().enumerate() {
            let mut object = messages.object();
            object.str("role", role);
            piece.write(&mut object);
            self.message_rest(message, number == last, &mut object);
        }
        Ok(())
    }

    /// Adds a part to the last piece that has room for it, or to a new one.
    fn take(&mut self, part: &Part<'a>, pieces: &mut Vec<Piece<'a>>) -> Result<(), Error> {
        self.breakpoint(part.cache_control);
        match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => add_text(text.clone(), pieces),
            PartKind::Image { source, .. } => return add_image(source, pieces),
            PartKind::Document { source: Source::Plain(text), .. } => {
                add_text(text.clone(), pieces)
            }
            PartKind::Document { source: Source::Parts(parts), .. }
            | PartKind::SearchResult { content: parts, .. } => {
                return parts.iter().try_for_each(|part| self.take(part, pieces));
            }
            PartKind::Document { source: Source::Base64 { media_type, data }, .. } => {
                let text = plain_document(media_type, data);
                add_text(text.ok_or_else(|| inexpressible("source"))?, pieces);
            }
            PartKind::Document { source: Source::Url(_) | Source::FileId(_), .. } => {
                return Err(inexpressible("source"));
            }
            PartKind::Audio { .. } => return Err(inexpressible("input_audio")),
            PartKind::Video { .. } => return Err(inexpressible("video_url")),
            PartKind::Other(raw) => return self.foreign_part(*raw),
            PartKind::ServerCall(_) | PartKind::ServerResult(_) => {
                self.notes.drop("messages[].content[] of vendor tools");
            }
            PartKind::Reasoning(_) | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {}
        }
        Ok(())
    }

    /// A block of another vendor: changes to its tools can be left out, content cannot.
    fn foreign_part(&mut self, raw: Raw<'_>) -> Result<(), Error> {
        if is_about_tools(raw) {
            self.notes.drop("messages[].content[] of vendor tools");
            return Ok(());
        }
        Err(inexpressible("type"))
    }

    /// The thinking goes with the first piece, the calls with the last.
    fn assistant(
        &mut self,
        message: &'w Message<'a>,
        messages: &mut Array<'_>,
    ) -> Result<(), Error> {
        let mut pieces = Vec::new();
        for part in &message.parts {
            self.take_said(part, &mut pieces)?;
        }
        let is_left_out = |part: &Part<'_>| matches!(part.kind, PartKind::Other(_));
        if !message.parts.is_empty() && message.parts.iter().all(is_left_out) {
            return Ok(());
        }
        if pieces.is_empty() {
            pieces.push(Piece::default());
        }
        let last = pieces.len() - 1;
        for (number, piece) in pieces.iter().enumerate() {
            let mut object = messages.object();
            object.str("role", "assistant");
            piece.write(&mut object);
            if number == 0 {
                write_thinking(&message.parts, &mut object);
            }
            if number == last {
                write_calls(&message.parts, &mut object);
            }
            self.message_rest(message, number == last, &mut object);
        }
        Ok(())
    }

    /// Adds what an assistant said to the pieces, and remembers what it called.
    fn take_said(&mut self, part: &'w Part<'a>, pieces: &mut Vec<Piece<'a>>) -> Result<(), Error> {
        self.breakpoint(part.cache_control);
        match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => add_text(text.clone(), pieces),
            PartKind::Image { source, .. } if self.is_own() => add_image(source, pieces)?,
            PartKind::Image { .. }
            | PartKind::Document { .. }
            | PartKind::Audio { .. }
            | PartKind::Video { .. }
            | PartKind::SearchResult { .. } => {
                self.notes.drop("messages[].content[] of an assistant");
            }
            PartKind::ServerCall(_) | PartKind::ServerResult(_) | PartKind::Other(_) => {
                self.notes.drop("messages[].content[] of vendor tools");
            }
            PartKind::Reasoning(reasoning) => {
                if reasoning.signature.is_some() || reasoning.data.is_some() {
                    self.notes.drop("messages[].reasoning[].signature");
                }
            }
            PartKind::ToolCall(call) => self.calls.push((&call.id, &call.name)),
            PartKind::ToolResult(_) => {}
        }
        Ok(())
    }

    fn tool_results(
        &mut self,
        message: &Message<'a>,
        messages: &mut Array<'_>,
    ) -> Result<(), Error> {
        for part in &message.parts {
            let PartKind::ToolResult(result) = &part.kind else { continue };
            self.breakpoint(part.cache_control);
            if result.is_error == Some(true) {
                self.notes.drop("messages[].content[].is_error");
            }
            let mut object = messages.object();
            object.str("role", "tool");
            self.result_content(result, &mut object)?;
            let called = self.calls.iter().rfind(|(id, _)| **id == result.call_id);
            object.text_if("tool_name", called.map(|(_, name)| *name));
            object.text("tool_call_id", &result.call_id);
            self.message_rest(message, true, &mut object);
        }
        Ok(())
    }

    /// All texts of a result as one, each on a line of its own.
    fn result_content(
        &mut self,
        result: &ToolResult<'a>,
        object: &mut Object<'_>,
    ) -> Result<(), Error> {
        let mut pieces = Vec::new();
        for part in &result.content {
            match &part.kind {
                PartKind::Other(_) => {
                    self.notes.drop("messages[].content[].content[] of vendor tools");
                }
                _ => self
                    .take(part, &mut pieces)
                    .map_err(|error| error.in_element(part.position).in_member("content"))?,
            }
        }
        let out = object.key("content");
        out.push(b'"');
        for (number, text) in pieces.iter().filter_map(|piece| piece.text.as_ref()).enumerate() {
            if number > 0 {
                out.extend_from_slice(b"\\n");
            }
            text.write_inner(out);
        }
        out.push(b'"');
        let images = pieces.iter().flat_map(|piece| &piece.images);
        write_images(images, object);
        Ok(())
    }

    fn message_rest(&self, message: &Message<'a>, is_last: bool, object: &mut Object<'_>) {
        if self.is_own() && is_last {
            message.rest.iter().for_each(|(name, value)| object.raw(name, *value));
        }
    }
}

impl Piece<'_> {
    fn write(&self, object: &mut Object<'_>) {
        object.text("content", self.text.as_ref().unwrap_or(&Text::default()));
        write_images(self.images.iter(), object);
    }
}

fn write_images<'i, 'a: 'i>(images: impl Iterator<Item = &'i Text<'a>>, object: &mut Object<'_>) {
    let mut images = images.peekable();
    if images.peek().is_some() {
        let mut array = object.array("images");
        images.for_each(|image| array.text(image));
    }
}

fn add_text<'a>(text: Text<'a>, pieces: &mut Vec<Piece<'a>>) {
    match pieces.last_mut() {
        Some(last) if last.text.is_none() => last.text = Some(text),
        _ => pieces.push(Piece { text: Some(text), images: Vec::new() }),
    }
}

/// The dialect takes the bytes of an image and no address.
fn add_image<'a>(source: &Source<'a>, pieces: &mut Vec<Piece<'a>>) -> Result<(), Error> {
    let Source::Base64 { data, .. } = source else { return Err(inexpressible("source")) };
    match pieces.last_mut() {
        Some(last) => last.images.push(data.clone()),
        None => pieces.push(Piece { text: None, images: vec![data.clone()] }),
    }
    Ok(())
}

fn inexpressible(path: &str) -> Error {
    Error::at(path, What::Inexpressible(Dialect::OllamaChat))
}
