//! Writing the items of a request.

use super::write::Writer;
use crate::Dialect;
use crate::canonical::{
    Arguments, Message, Part, PartKind, Reasoning, Role, Source, ToolCall, ToolResult,
};
use crate::error::{Error, What};
use crate::json::{Array, Object, Text, write_str};
use crate::openai_responses::output::is_signed_alone;
use crate::openai_responses::reply::same_item;

/// Name of a document that came without one; OpenAI wants one beside its data.
const FILE_NAME: &str = "document.pdf";

impl<'a> Writer<'_, 'a> {
    /// Writes `instructions`, where something stands outside of the messages, and `input`.
    pub(super) fn messages(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut messages = &request.messages[..];
        if let Some((first, rest)) = messages.split_first()
            && let Some(text) = instructions(first)
        {
            body.text("instructions", text);
            messages = rest;
        }
        let mut input = body.array("input");
        let mut custom_calls = Vec::new();
        for message in messages {
            let written = match message.role {
                Role::System | Role::Developer | Role::User => self.said(message, &mut input),
                Role::Assistant => self.assistant(message, &mut custom_calls, &mut input),
                Role::Tool => self.results(message, &custom_calls, &mut input),
            };
            written.map_err(|error| request.in_message(error, message.position))?;
        }
        Ok(())
    }

    /// System and user messages.
    fn said(&mut self, message: &Message<'a>, input: &mut Array<'_>) -> Result<(), Error> {
        let parts: Vec<&Part<'a>> = message.parts.iter().collect();
        let mut item = message_item(message.role, input);
        self.content("content", &parts, false, &mut item)?;
        self.message_breakpoint(message, &mut item);
        Ok(())
    }

    fn message_breakpoint(&self, message: &Message<'a>, item: &mut Object<'_>) {
        if self.target.cache_control {
            item.raw_if("cache_control", message.cache_control);
        }
    }

    /// What the assistant said, thought and did, in that order of items in which it was.
    fn assistant<'p>(
        &mut self,
        message: &'p Message<'a>,
        custom_calls: &mut Vec<&'p Text<'a>>,
        input: &mut Array<'_>,
    ) -> Result<(), Error> {
        let parts = &message.parts[..];
        let mut at = 0;
        while let Some(part) = parts.get(at) {
            let rest = parts.get(at..).unwrap_or_default();
            at += match &part.kind {
                PartKind::Text { .. } | PartKind::Refusal(_) => {
                    self.answer(message, rest, input)?
                }
                PartKind::Reasoning(_) => self.reasoning_item(rest, input),
                PartKind::ToolCall(call) => {
                    if call.is_custom {
                        custom_calls.push(&call.id);
                    }
                    self.call(call, part, input);
                    1
                }
                PartKind::Image { .. }
                | PartKind::Document { .. }
                | PartKind::Audio { .. }
                | PartKind::Video { .. }
                | PartKind::SearchResult { .. } => {
                    self.notes.drop("messages[].content[] of an assistant");
                    1
                }
                PartKind::ServerCall(_) | PartKind::ServerResult(_) | PartKind::Other(_) => {
                    self.notes.drop("messages[].content[] of vendor tools");
                    1
                }
                PartKind::ToolResult(_) => 1,
            };
        }
        Ok(())
    }

    /// One message of the assistant; how many parts it took.
    fn answer(
        &mut self,
        message: &Message<'a>,
        rest: &[Part<'a>],
        input: &mut Array<'_>,
    ) -> Result<usize, Error> {
        let is_said =
            |part: &&Part<'_>| matches!(part.kind, PartKind::Text { .. } | PartKind::Refusal(_));
        let said: Vec<&Part<'a>> = rest.iter().take_while(is_said).collect();
        let mut item = message_item(Role::Assistant, input);
        self.content("content", &said, true, &mut item)?;
        self.message_breakpoint(message, &mut item);
        Ok(said.len())
    }

    /// One reasoning item, of all pieces that came with one id; how many parts it took.
    fn reasoning_item(&mut self, rest: &[Part<'a>], input: &mut Array<'_>) -> usize {
        let pieces: Vec<&Reasoning<'a>> = same_item(rest);
        if self.target.is_original && !pieces.iter().any(|piece| piece.is_openai()) {
            self.notes.drop("messages[].reasoning");
        } else {
            write_reasoning(&pieces, input.object());
        }
        pieces.len()
    }

    fn call(&self, call: &ToolCall<'_>, part: &Part<'_>, input: &mut Array<'_>) {
        let mut item = input.object();
        let (kind, name) = if call.is_custom {
            ("custom_tool_call", "input")
        } else {
            ("function_call", "arguments")
        };
        item.str("type", kind);
        item.text("call_id", &call.id);
        item.text("name", &call.name);
        write_arguments(&call.arguments, item.key(name));
        self.part_breakpoint(part, &mut item);
    }

    fn results(
        &mut self,
        message: &Message<'a>,
        custom_calls: &[&Text<'a>],
        input: &mut Array<'_>,
    ) -> Result<(), Error> {
        for part in &message.parts {
            if let PartKind::ToolResult(result) = &part.kind {
                let is_custom = custom_calls.iter().any(|id| **id == result.call_id);
                self.result(result, is_custom, part, input)?;
            }
        }
        Ok(())
    }

    fn result(
        &mut self,
        result: &ToolResult<'a>,
        is_custom: bool,
        part: &Part<'a>,
        input: &mut Array<'_>,
    ) -> Result<(), Error> {
        if result.is_error == Some(true) {
            self.notes.drop("messages[].content[].is_error");
        }
        let mut item = input.object();
        item.str(
            "type",
            if is_custom { "custom_tool_call_output" } else { "function_call_output" },
        );
        item.text("call_id", &result.call_id);
        let content: Vec<&Part<'a>> = result.content.iter().collect();
        self.content("output", &content, false, &mut item)?;
        self.part_breakpoint(part, &mut item);
        Ok(())
    }

    /// A string when it is one plain text, else a list of parts.
    fn content(
        &mut self,
        name: &str,
        parts: &[&Part<'a>],
        is_answer: bool,
        item: &mut Object<'_>,
    ) -> Result<(), Error> {
        match parts {
            [] => item.str(name, ""),
            [Part { kind: PartKind::Text { text, .. }, cache_control, .. }]
                if cache_control.is_none() || !self.target.cache_control =>
            {
                item.text(name, text);
            }
            parts => {
                let mut array = item.array(name);
                for part in parts {
                    self.part(part, is_answer, &mut array)
                        .map_err(|error| error.in_element(part.position).in_member("content"))?;
                }
            }
        }
        Ok(())
    }

    fn part(
        &mut self,
        part: &Part<'a>,
        is_answer: bool,
        array: &mut Array<'_>,
    ) -> Result<(), Error> {
        let mut object = match &part.kind {
            PartKind::Text { text, .. } => text_part(text, is_answer, array),
            PartKind::Document { source: Source::Plain(text), .. } => {
                text_part(text, is_answer, array)
            }
            PartKind::Refusal(refusal) => {
                let mut object = array.object();
                object.str("type", "refusal");
                object.text("refusal", refusal);
                object
            }
            PartKind::Document { source: Source::Parts(parts), .. }
            | PartKind::SearchResult { content: parts, .. } => {
                return parts.iter().try_for_each(|part| self.part(part, is_answer, array));
            }
            PartKind::Image { source, detail } => image_part(source, detail.as_ref(), array)?,
            PartKind::Document { source, name } => file_part(source, name.as_ref(), array),
            PartKind::Video { .. } => return Err(inexpressible("video_url")),
            PartKind::Audio { data, format } => audio_part(data, format.as_ref(), array)?,
            PartKind::ServerCall(_) | PartKind::ServerResult(_) => {
                self.notes.drop("messages[].content[] of vendor tools");
                return Ok(());
            }
            PartKind::Other(raw) if raw.member("cachePoint").is_some() => {
                self.notes.drop("messages[].content[].cachePoint");
                return Ok(());
            }
            PartKind::Other(_) => return Err(inexpressible("type")),
            PartKind::Reasoning(_) | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {
                return Ok(());
            }
        };
        self.part_breakpoint(part, &mut object);
        Ok(())
    }

    fn part_breakpoint(&self, part: &Part<'_>, object: &mut Object<'_>) {
        if self.target.cache_control {
            object.raw_if("cache_control", part.cache_control);
        }
    }
}

fn inexpressible(path: &str) -> Error {
    Error::at(path, What::Inexpressible(Dialect::OpenAiResponses))
}

/// What stands outside of the messages, if it is one plain text.
fn instructions<'p, 'a>(message: &'p Message<'a>) -> Option<&'p Text<'a>> {
    match &message.parts[..] {
        [Part { kind: PartKind::Text { text, .. }, cache_control: None, .. }]
            if message.role == Role::System
                && message.position.is_none()
                && message.cache_control.is_none() =>
        {
            Some(text)
        }
        _ => None,
    }
}

fn message_item<'o>(role: Role, input: &'o mut Array<'_>) -> Object<'o> {
    let mut item = input.object();
    item.str("type", "message");
    item.str(
        "role",
        match role {
            Role::System => "system",
            Role::Developer => "developer",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        },
    );
    item
}

/// An id is left out: the vendor looks it up and finds nothing where it did not give it.
fn write_reasoning(pieces: &[&Reasoning<'_>], mut item: Object<'_>) {
    item.str("type", "reasoning");
    let mut summary = item.array("summary");
    let retold = pieces.iter().filter_map(|piece| piece.summary.as_ref());
    // An empty piece keeps what is signed apart from what is encrypted.
    let nothing = Text::default();
    let signed = pieces.iter().any(|piece| is_signed_alone(piece)).then_some(&nothing);
    for text in retold.chain(signed) {
        let mut part = summary.object();
        part.str("type", "summary_text");
        part.text("text", text);
    }
    drop(summary);
    if pieces.iter().any(|piece| piece.text.is_some()) {
        let mut content = item.array("content");
        for text in pieces.iter().filter_map(|piece| piece.text.as_ref()) {
            let mut part = content.object();
            part.str("type", "reasoning_text");
            part.text("text", text);
        }
    }
    let proof = pieces.iter().find_map(|piece| piece.data.as_ref().or(piece.signature.as_ref()));
    item.text_if("encrypted_content", proof);
    item.text_if("format", pieces.iter().find_map(|piece| piece.format.as_ref()));
}

fn text_part<'o>(text: &Text<'_>, is_answer: bool, array: &'o mut Array<'_>) -> Object<'o> {
    let mut object = array.object();
    object.str("type", if is_answer { "output_text" } else { "input_text" });
    object.text("text", text);
    if is_answer {
        object.array("annotations");
    }
    object
}

fn image_part<'o>(
    source: &Source<'_>,
    detail: Option<&Text<'_>>,
    array: &'o mut Array<'_>,
) -> Result<Object<'o>, Error> {
    if let Source::Plain(_) | Source::Parts(_) = source {
        return Err(inexpressible("source"));
    }
    let mut object = array.object();
    object.str("type", "input_image");
    object.text("detail", detail.unwrap_or(&Text::from("auto")));
    match source {
        Source::FileId(id) => object.text("file_id", id),
        source => write_url(source, object.key("image_url")),
    }
    Ok(object)
}

fn file_part<'o>(
    source: &Source<'_>,
    name: Option<&Text<'_>>,
    array: &'o mut Array<'_>,
) -> Object<'o> {
    let mut object = array.object();
    object.str("type", "input_file");
    match source {
        Source::FileId(id) => object.text("file_id", id),
        Source::Url(url) => object.text("file_url", url),
        source => {
            object.text("filename", name.unwrap_or(&Text::from(FILE_NAME)));
            write_url(source, object.key("file_data"));
        }
    }
    object
}

fn audio_part<'o>(
    data: &Text<'_>,
    format: Option<&Text<'_>>,
    array: &'o mut Array<'_>,
) -> Result<Object<'o>, Error> {
    let format = format.ok_or_else(|| inexpressible("input_audio"))?;
    let mut object = array.object();
    object.str("type", "input_audio");
    let mut audio = object.object("input_audio");
    audio.text("data", data);
    audio.text("format", format);
    drop(audio);
    Ok(object)
}

/// A URL, or the bytes as a `data:` URL.
fn write_url(source: &Source<'_>, out: &mut Vec<u8>) {
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

/// Arguments are JSON inside a JSON string.
fn write_arguments(arguments: &Arguments<'_>, out: &mut Vec<u8>) {
    match arguments {
        Arguments::Text(text) => text.write(out),
        Arguments::Value(value) => {
            out.push(b'"');
            write_str(value.text(), out);
            out.push(b'"');
        }
    }
}
