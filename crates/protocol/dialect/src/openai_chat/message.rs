//! Chat messages as callers send them back: roles, content parts, tool calls, reasoning.

use super::reasoning::read_reasoning;
use crate::canonical::{
    Arguments, Message, Part, PartKind, Reasoning, Role, Source, ToolCall, ToolResult,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Object, Raw, Text};

/// Reads messages in order. It remembers the calls of the last assistant message, because imitators and the legacy
/// function interface leave ids out and mean "the next one".
#[derive(Default)]
pub(super) struct MessageReader<'a> {
    unanswered: Vec<Text<'a>>,
}

impl<'a> MessageReader<'a> {
    pub(super) fn read(&mut self, position: usize, message: Raw<'a>) -> Result<Message<'a>, Error> {
        if !message.is_object() {
            return Err(Error::new(What::WrongType("an object")));
        }
        let role = read_role(message)?;
        let parts = match role {
            Role::Tool => vec![self.tool_result(message)?],
            Role::Assistant => self.assistant(position, message)?,
            Role::System | Role::Developer | Role::User => read_content(message)?,
        };
        let rest =
            message.members().filter(|(name, value)| !is_read(role, name) && !value.is_null());
        Ok(Message {
            role,
            parts,
            cache_control: message.member("cache_control"),
            rest: rest.collect(),
            position: Some(position),
        })
    }

    fn tool_result(&mut self, message: Raw<'a>) -> Result<Part<'a>, Error> {
        let named = fields::lenient_text(message, "tool_call_id").filter(|id| !id.is_empty());
        let call_id = match named {
            Some(id) => {
                self.unanswered.retain(|unanswered| *unanswered != id);
                id
            }
            None if self.unanswered.is_empty() => {
                return Err(Error::at("tool_call_id", What::Missing));
            }
            None => self.unanswered.remove(0),
        };
        let content = read_content(message)?;
        Ok(PartKind::ToolResult(ToolResult { call_id, content, is_error: None }).into())
    }

    fn assistant(&mut self, position: usize, message: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
        self.unanswered.clear();
        let mut parts = read_reasoning(message);
        parts.extend(read_content(message)?);
        if let Some(refusal) =
            fields::lenient_text(message, "refusal").filter(|text| !text.is_empty())
        {
            parts.push(PartKind::Refusal(refusal).into());
        }
        for call in read_tool_calls(message, |index| format!("call_{position}_{index}"))? {
            if let PartKind::ToolCall(call) = &call.kind {
                self.unanswered.push(call.id.clone());
            }
            parts.push(call);
        }
        Ok(parts)
    }
}

fn read_role(message: Raw<'_>) -> Result<Role, Error> {
    match &*fields::required_text(message, "role")?.plain() {
        "system" => Ok(Role::System),
        "developer" => Ok(Role::Developer),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" | "function" => Ok(Role::Tool),
        _ => Err(Error::at(
            "role",
            What::Invalid("must be system, developer, user, assistant or tool"),
        )),
    }
}

/// Whether a member of a message has its place in the canonical form.
fn is_read(role: Role, name: &str) -> bool {
    match name {
        "role" | "content" | "cache_control" => true,
        "tool_call_id" => role == Role::Tool,
        "refusal" | "reasoning" | "reasoning_content" | "reasoning_details" | "thinking_blocks"
        | "tool_calls" | "function_call" => role == Role::Assistant,
        _ => false,
    }
}

/// The calls of an assistant message; `name_call` gives an id to those that come without one.
pub(crate) fn read_tool_calls<'a>(
    message: Raw<'a>,
    name_call: impl Fn(usize) -> String,
) -> Result<Vec<Part<'a>>, Error> {
    let mut calls = match message.member("tool_calls") {
        Some(calls) => fields::each("tool_calls", calls, |index, call| {
            read_tool_call(call, || name_call(index))
        })?,
        None => Vec::new(),
    };
    let legacy = message.member("function_call").filter(|call| call.is_object());
    if let Some(function) = legacy.filter(|_| calls.is_empty()) {
        let name = fields::lenient_text(function, "name").unwrap_or_default();
        if !name.is_empty() {
            let arguments = read_arguments(function.member("arguments"));
            let id = name_call(0).into();
            calls.push(
                PartKind::ToolCall(ToolCall { id, name, arguments, is_custom: false }).into(),
            );
        }
    }
    Ok(calls)
}

fn read_tool_call<'a>(call: Raw<'a>, name_call: impl Fn() -> String) -> Result<Part<'a>, Error> {
    let id = fields::lenient_text(call, "id").filter(|id| !id.is_empty());
    let id = id.unwrap_or_else(|| name_call().into());
    let (name, arguments, is_custom) = match call.member("custom") {
        Some(custom) => {
            let name =
                fields::required_text(custom, "name").map_err(|error| error.in_member("custom"))?;
            (name, Arguments::Text(fields::lenient_text(custom, "input").unwrap_or_default()), true)
        }
        None => {
            let function = fields::object("function", fields::required(call, "function")?)?;
            let name = fields::required_text(function, "name")
                .map_err(|error| error.in_member("function"))?;
            (name, read_arguments(function.member("arguments")), false)
        }
    };
    let known = ["id", "type", "index", "function", "custom", "cache_control"];
    Ok(Part {
        kind: PartKind::ToolCall(ToolCall { id, name, arguments, is_custom }),
        cache_control: call.member("cache_control"),
        rest: call.members().filter(|(name, _)| !known.contains(&&**name)).collect(),
        raw: None,
        position: 0,
    })
}

fn read_arguments<'a>(arguments: Option<Raw<'a>>) -> Arguments<'a> {
    match arguments {
        None => Arguments::Text(Text::default()),
        Some(value) => value.as_text().map_or(Arguments::Value(value), Arguments::Text),
    }
}

/// `content`: a string, an array of parts, or nothing.
fn read_content<'a>(message: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
    let Some(content) = message.member("content") else { return Ok(Vec::new()) };
    if let Some(text) = content.as_text() {
        return Ok(vec![Part::text(text)]);
    }
    if !content.is_array() {
        return Err(fields::wrong_type("content", "a string or an array"));
    }
    let parts = fields::each("content", content, |position, part| {
        let mut part = read_part(part)?;
        part.position = position;
        Ok(part)
    });
    Ok(parts?.into_iter().collect())
}

/// One content part.
pub(super) fn read_part<'a>(part: Raw<'a>) -> Result<Part<'a>, Error> {
    if let Some(text) = part.as_text() {
        return Ok(Part::text(text));
    }
    if !part.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let kind = fields::lenient_text(part, "type").unwrap_or_default();
    let kind = kind.plain();
    let read = match &*kind {
        "text" => PartKind::Text {
            text: fields::lenient_text(part, "text").unwrap_or_default(),
            citations: Vec::new(),
        },
        "refusal" => PartKind::Refusal(fields::lenient_text(part, "refusal").unwrap_or_default()),
        "image_url" => read_image(part)?,
        "input_audio" => read_audio(part)?,
        "video_url" => read_video(part)?,
        "file" => read_file(part)?,
        "document_url" => PartKind::Document {
            source: Source::from_url(fields::required_text(part, "document_url")?),
            name: fields::lenient_text(part, "document_name"),
        },
        "thinking" | "redacted_thinking" => PartKind::Reasoning(read_thinking(part)),
        _ => PartKind::Other(part),
    };
    let known = ["type", "cache_control", "document_name", "signature", "data", "closed"];
    let rest = part.members().filter(|(name, _)| **name != *kind && !known.contains(&&**name));
    let is_imitated =
        matches!(&*kind, "document_url" | "thinking" | "redacted_thinking" | "video_url")
            || part.member("image_url").is_some_and(|url| !url.is_object());
    Ok(Part {
        rest: if matches!(read, PartKind::Other(_)) { Vec::new() } else { rest.collect() },
        kind: read,
        cache_control: part.member("cache_control"),
        raw: is_imitated.then_some(part),
        position: 0,
    })
}

fn read_image<'a>(part: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let image = fields::required(part, "image_url")?;
    let url = match image.as_text() {
        Some(url) => url,
        None => {
            fields::required_text(image, "url").map_err(|error| error.in_member("image_url"))?
        }
    };
    Ok(PartKind::Image {
        source: Source::from_url(url),
        detail: fields::lenient_text(image, "detail"),
    })
}

/// As hosts of models that watch take it.
fn read_video<'a>(part: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let video = fields::required(part, "video_url")?;
    let url = match video.as_text() {
        Some(url) => url,
        None => {
            fields::required_text(video, "url").map_err(|error| error.in_member("video_url"))?
        }
    };
    Ok(PartKind::Video { source: Source::from_url(url) })
}

fn read_audio<'a>(part: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let audio = fields::required(part, "input_audio")?;
    if let Some(data) = audio.as_text() {
        return Ok(PartKind::Audio { data, format: None });
    }
    let data =
        fields::required_text(audio, "data").map_err(|error| error.in_member("input_audio"))?;
    Ok(PartKind::Audio { data, format: fields::lenient_text(audio, "format") })
}

fn read_file<'a>(part: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let file = fields::object("file", fields::required(part, "file")?)?;
    let source =
        match (fields::lenient_text(file, "file_data"), fields::lenient_text(file, "file_id")) {
            (Some(data), _) => read_file_data(data),
            (None, Some(id)) => Source::FileId(id),
            (None, None) => return Err(Error::at("file.file_data", What::Missing)),
        };
    Ok(PartKind::Document { source, name: fields::lenient_text(file, "filename") })
}

/// A `data:` URL as OpenAI wants it, a plain URL as OpenRouter takes it, or bare base64, which is a PDF then.
fn read_file_data<'a>(data: Text<'a>) -> Source<'a> {
    let is_url = ["data:", "http://", "https://"].iter().any(|head| data.plain().starts_with(head));
    if is_url {
        Source::from_url(data)
    } else {
        Source::Base64 { media_type: "application/pdf".into(), data }
    }
}

/// A thinking part: Mistral nests text parts inside, others give the text or the encrypted data.
pub(super) fn read_thinking<'a>(part: Raw<'a>) -> Reasoning<'a> {
    let text = part.member("thinking").map(|thinking| match thinking.as_text() {
        Some(text) => text,
        None => join_texts(thinking),
    });
    Reasoning {
        text,
        signature: fields::lenient_text(part, "signature"),
        data: fields::lenient_text(part, "data"),
        ..Reasoning::default()
    }
}

/// The texts of an array of text parts, as one.
fn join_texts<'a>(parts: Raw<'a>) -> Text<'a> {
    let mut texts = parts.elements().filter_map(|part| fields::lenient_text(part, "text"));
    match (texts.next(), texts.next()) {
        (None, _) => Text::default(),
        (Some(one), None) => one,
        (Some(first), Some(second)) => {
            let mut joined = first.into_plain().into_owned();
            joined.push_str(&second.plain());
            texts.for_each(|text| joined.push_str(&text.plain()));
            joined.into()
        }
    }
}

/// Writes all refusals of a message as one; nothing when there is none.
pub(super) fn write_refusal(parts: &[Part<'_>], message: &mut Object<'_>) {
    let mut refusals = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Refusal(refusal) => Some(refusal),
        _ => None,
    });
    let Some(first) = refusals.next() else { return };
    let out = message.key("refusal");
    out.push(b'"');
    std::iter::once(first).chain(refusals).for_each(|refusal| refusal.write_inner(out));
    out.push(b'"');
}
