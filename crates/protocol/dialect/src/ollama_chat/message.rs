//! Messages as callers send them and the vendor answers them.

use crate::canonical::{Message, Part, PartKind, Reasoning, Role, Source, ToolResult};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};
use crate::openai_chat::read_tool_calls;

/// Reads messages in order. It remembers the calls of the last assistant message, because results may name the tool
/// only.
#[derive(Default)]
pub(super) struct MessageReader<'a> {
    unanswered: Vec<(Text<'a>, Text<'a>)>,
}

impl<'a> MessageReader<'a> {
    pub(super) fn read(&mut self, position: usize, message: Raw<'a>) -> Result<Message<'a>, Error> {
        if !message.is_object() {
            return Err(Error::new(What::WrongType("an object")));
        }
        let role = read_role(message)?;
        let parts = match role {
            Role::Tool => vec![self.result(message)?],
            Role::Assistant => self.assistant(position, message)?,
            Role::System | Role::Developer | Role::User => read_content(message)?,
        };
        let rest =
            message.members().filter(|(name, value)| !is_read(role, name) && !value.is_null());
        Ok(Message {
            role,
            parts,
            cache_control: None,
            rest: rest.collect(),
            position: Some(position),
        })
    }

    fn assistant(&mut self, position: usize, message: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
        let parts = read_assistant(message, |index| format!("call_{position}_{index}"))?;
        self.unanswered.clear();
        self.unanswered.extend(parts.iter().filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some((call.id.clone(), call.name.clone())),
            _ => None,
        }));
        Ok(parts)
    }

    /// A result names the call, or its tool, or nothing: the next one, then.
    fn result(&mut self, message: Raw<'a>) -> Result<Part<'a>, Error> {
        let filled = |name| fields::lenient_text(message, name).filter(|text| !text.is_empty());
        let id = filled("tool_call_id");
        let tool = filled("tool_name").or_else(|| filled("name"));
        let found = self.unanswered.iter().position(|(call, name)| match (&id, &tool) {
            (Some(id), _) => call == id,
            (None, Some(tool)) => name == tool,
            (None, None) => true,
        });
        let answered = found.map(|found| self.unanswered.remove(found).0);
        let call_id = id.or(answered).ok_or_else(|| Error::at("tool_name", What::Missing))?;
        let content = read_content(message)?;
        Ok(PartKind::ToolResult(ToolResult { call_id, content, is_error: None }).into())
    }
}

fn read_role(message: Raw<'_>) -> Result<Role, Error> {
    match &*fields::required_text(message, "role")?.plain() {
        "system" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        _ => Err(Error::at("role", What::Invalid("must be system, user, assistant or tool"))),
    }
}

/// Whether a member of a message has its place in the canonical form.
fn is_read(role: Role, name: &str) -> bool {
    match name {
        "role" | "content" | "images" => true,
        "tool_call_id" | "tool_name" | "name" => role == Role::Tool,
        "thinking" | "tool_calls" => role == Role::Assistant,
        _ => false,
    }
}

/// Reads what an assistant said, in a request or a reply; `name_call` gives an id to calls that come without one.
pub(super) fn read_assistant<'a>(
    message: Raw<'a>,
    name_call: impl Fn(usize) -> String,
) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::new();
    let thinking = fields::lenient_text(message, "thinking").filter(|text| !text.is_empty());
    if let Some(text) = thinking {
        let reasoning = Reasoning { text: Some(text), ..Reasoning::default() };
        parts.push(PartKind::Reasoning(reasoning).into());
    }
    parts.extend(read_content(message)?);
    parts.extend(read_tool_calls(message, name_call)?);
    Ok(parts)
}

/// The text, if there is any, and the images.
fn read_content<'a>(message: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::new();
    if let Some(content) = message.member("content") {
        let text = fields::text("content", content)?;
        parts.extend(Some(text).filter(|text| !text.is_empty()).map(Part::text));
    }
    if let Some(images) = message.member("images") {
        parts.extend(fields::each("images", images, read_image)?);
    }
    Ok(parts)
}

fn read_image<'a>(position: usize, image: Raw<'a>) -> Result<Part<'a>, Error> {
    let data = image.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))?;
    let source = Source::Base64 { media_type: media_type(&data.plain()).into(), data };
    Ok(Part { position, ..PartKind::Image { source, detail: None }.into() })
}

/// What the first bytes of an image say that it is; the base64 of each format's signature.
fn media_type(encoded: &str) -> &'static str {
    const SIGNATURES: &[(&str, &str)] =
        &[("/9j/", "image/jpeg"), ("R0lG", "image/gif"), ("UklG", "image/webp")];
    let known = SIGNATURES.iter().find(|(signature, _)| encoded.starts_with(signature));
    known.map_or("image/png", |(_, media_type)| media_type)
}
