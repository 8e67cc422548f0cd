//! Messages as callers send them and the vendor answers them: content blocks, tool calls, plans.

use super::PLAN_FORMAT;
use super::document::read_document;
use crate::canonical::{
    Arguments, Message, Part, PartKind, Reasoning, Role, Source, ToolCall, ToolResult,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Object, Raw, Text};
use crate::openai_chat::{read_tool_calls, write_tool_call};

/// Reads one message of a request.
pub(super) fn read_message<'a>(position: usize, message: Raw<'a>) -> Result<Message<'a>, Error> {
    if !message.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let role = read_role(message)?;
    let parts = match role {
        Role::Tool => vec![read_result(message)?],
        Role::Assistant => read_assistant(message, |index| format!("call_{position}_{index}"))?,
        Role::System | Role::Developer | Role::User => read_content(message)?,
    };
    let rest = message.members().filter(|(name, value)| !is_read(role, name) && !value.is_null());
    Ok(Message { role, parts, cache_control: None, rest: rest.collect(), position: Some(position) })
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
        "role" | "content" => true,
        "tool_call_id" => role == Role::Tool,
        "tool_plan" | "tool_calls" => role == Role::Assistant,
        _ => false,
    }
}

fn read_result<'a>(message: Raw<'a>) -> Result<Part<'a>, Error> {
    let call_id = fields::required_text(message, "tool_call_id")?;
    let content = read_content(message)?;
    Ok(PartKind::ToolResult(ToolResult { call_id, content, is_error: None }).into())
}

/// Reads what an assistant said, in a request or a reply; `name_call` gives an id to calls that come without one.
pub(super) fn read_assistant<'a>(
    message: Raw<'a>,
    name_call: impl Fn(usize) -> String,
) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = read_content(message)?;
    let plan = fields::lenient_text(message, "tool_plan").filter(|plan| !plan.is_empty());
    parts.extend(plan.map(|plan| Part::from(PartKind::Reasoning(plan_of(plan)))));
    parts.extend(read_tool_calls(message, name_call)?);
    Ok(parts)
}

/// The reasoning a plan is.
pub(super) fn plan_of(plan: Text<'_>) -> Reasoning<'_> {
    Reasoning { text: Some(plan), format: Some(PLAN_FORMAT.into()), ..Reasoning::default() }
}

/// `content`: a string, an array of blocks, or nothing.
fn read_content<'a>(message: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
    let Some(content) = message.member("content") else { return Ok(Vec::new()) };
    if let Some(text) = content.as_text() {
        return Ok(vec![Part::text(text)]);
    }
    if !content.is_array() {
        return Err(fields::wrong_type("content", "a string or an array"));
    }
    fields::each("content", content, read_block)
}

/// Reads one block. The spelling of documents is kept, because they may hold more than a text and its title.
fn read_block<'a>(position: usize, block: Raw<'a>) -> Result<Part<'a>, Error> {
    if !block.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let kind = fields::lenient_text(block, "type").unwrap_or_default();
    let kind = kind.plain();
    let (read, raw) = match &*kind {
        "text" => (Part::text(fields::required_text(block, "text")?).kind, None),
        "thinking" => {
            let text = Some(fields::required_text(block, "thinking")?);
            (PartKind::Reasoning(Reasoning { text, ..Reasoning::default() }), None)
        }
        "image_url" => (read_image(block)?, None),
        "document" => {
            let document = read_document(fields::required(block, "document")?)
                .map_err(|error| error.in_member("document"))?;
            (document, Some(block))
        }
        _ => (PartKind::Other(block), None),
    };
    let is_known = |name: &str| name == "type" || *name == *kind;
    let is_kept = !matches!(read, PartKind::Other(_)) && raw.is_none();
    let rest =
        block.members().filter(|(name, value)| is_kept && !is_known(name) && !value.is_null());
    Ok(Part { rest: rest.collect(), kind: read, cache_control: None, raw, position })
}

fn read_image<'a>(block: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let image = fields::object("image_url", fields::required(block, "image_url")?)?;
    let url = fields::required_text(image, "url").map_err(|error| error.in_member("image_url"))?;
    let detail = fields::lenient_text(image, "detail");
    Ok(PartKind::Image { source: Source::from_url(url), detail })
}

/// Writes the members of a tool call, whose arguments are JSON in a string: none at all are an empty object, and free
/// text becomes the one member `arguments` of an object.
pub(super) fn write_call(call: &ToolCall<'_>, object: &mut Object<'_>) {
    let plain = call.arguments.plain();
    let arguments = if call.is_custom {
        let mut arguments = Vec::new();
        Object::new(&mut arguments).str("arguments", &plain);
        String::from_utf8_lossy(&arguments).into_owned()
    } else if plain.trim().is_empty() {
        "{}".to_owned()
    } else {
        return write_tool_call(call, object);
    };
    let function = ToolCall {
        id: call.id.clone(),
        name: call.name.clone(),
        arguments: Arguments::Text(arguments.into()),
        is_custom: false,
    };
    write_tool_call(&function, object);
}
