//! Reading items: what a conversation and an answer are made of in this dialect.

use super::content::read_content;
use super::server_tool::read_server_item;
use crate::canonical::{Arguments, Part, PartKind, Reasoning, Role, ToolCall, ToolResult};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};

/// One item.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Message(Role, Vec<Part<'a>>),
    /// Something that the assistant says, thinks or does beside its messages.
    Assistant(Vec<Part<'a>>),
    /// What tools of the caller's gave back.
    Results(Vec<Part<'a>>),
    /// More tools, in the middle of the conversation.
    Tools(Raw<'a>),
    /// A picture that was made: part of an answer; a question goes on without.
    Picture {
        media_type: Text<'a>,
        data: Text<'a>,
    },
    /// An item only this dialect has.
    Own {
        /// Whether the conversation makes no sense without it.
        is_needed: bool,
    },
}

/// Items only this dialect has that say nothing to other models: what is there to be found, and pictures that did not
/// come about.
const LEFT_OUT: &[&str] = &[
    "image_generation_call",
    "mcp_list_tools",
    "tool_search_call",
    // It asks for the context to be compacted, and says nothing itself.
    "compaction_trigger",
];

/// Reads an item.
pub(super) fn read_item<'a>(item: Raw<'a>) -> Result<Item<'a>, Error> {
    if !item.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let kind = fields::lenient_text(item, "type");
    let Some(kind) = kind else {
        let is_message = item.member("role").is_some();
        return if is_message { read_message(item) } else { Ok(Item::Own { is_needed: true }) };
    };
    Ok(match &*kind.plain() {
        "message" => return read_message(item),
        "function_call" => Item::Assistant(vec![read_call(item, "arguments", false)?]),
        "custom_tool_call" => Item::Assistant(vec![read_call(item, "input", true)?]),
        "function_call_output" | "custom_tool_call_output" => {
            Item::Results(vec![read_result(item)?])
        }
        "reasoning" => Item::Assistant(read_reasoning(item)),
        "image_generation_call" => read_picture(item),
        "additional_tools" | "tool_search_output" => match item.member("tools") {
            Some(tools) => Item::Tools(tools),
            None => Item::Own { is_needed: false },
        },
        kind => match read_server_item(kind, item) {
            Some(parts) => Item::Assistant(parts),
            None => Item::Own { is_needed: !LEFT_OUT.contains(&kind) },
        },
    })
}

fn read_message<'a>(item: Raw<'a>) -> Result<Item<'a>, Error> {
    let role = match &*fields::required_text(item, "role")?.plain() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        _ => {
            let what = What::Invalid("must be system, developer, user or assistant");
            return Err(Error::at("role", what));
        }
    };
    let mut parts = read_content(item, "content")?;
    // A breakpoint after the message is one after its last part.
    if let (Some(last), Some(breakpoint)) = (parts.last_mut(), item.member("cache_control")) {
        last.cache_control.get_or_insert(breakpoint);
    }
    Ok(Item::Message(role, parts))
}

fn read_picture<'a>(item: Raw<'a>) -> Item<'a> {
    let filled = |name| fields::lenient_text(item, name).filter(|text: &Text<'_>| !text.is_empty());
    let Some(data) = filled("result") else { return Item::Own { is_needed: false } };
    let media_type = match filled("output_format") {
        Some(format) => format!("image/{}", format.plain()).into(),
        // What the vendor makes when not told otherwise.
        None => "image/png".into(),
    };
    Item::Picture { media_type, data }
}

/// The id that ties a call to its output. Hosts that know only one id give that.
pub(super) fn call_id<'a>(item: Raw<'a>) -> Option<Text<'a>> {
    let filled = |name| fields::lenient_text(item, name).filter(|id| !id.is_empty());
    filled("call_id").or_else(|| filled("id"))
}

fn read_call<'a>(item: Raw<'a>, input: &str, is_custom: bool) -> Result<Part<'a>, Error> {
    let arguments = item.member(input).map_or_else(
        || Arguments::Text(Text::default()),
        |value| value.as_text().map_or(Arguments::Value(value), Arguments::Text),
    );
    let call = ToolCall {
        id: call_id(item).ok_or_else(|| Error::at("call_id", What::Missing))?,
        name: fields::required_text(item, "name")?,
        arguments,
        is_custom,
    };
    Ok(Part { cache_control: item.member("cache_control"), ..PartKind::ToolCall(call).into() })
}

fn read_result<'a>(item: Raw<'a>) -> Result<Part<'a>, Error> {
    let result = ToolResult {
        call_id: call_id(item).ok_or_else(|| Error::at("call_id", What::Missing))?,
        content: read_content(item, "output")?,
        is_error: None,
    };
    Ok(Part { cache_control: item.member("cache_control"), ..PartKind::ToolResult(result).into() })
}

/// Reads a reasoning item: one part for each piece of text. Encrypted content is thinking that the vendor keeps to
/// itself, and a part of its own; but of vendors that sign what they show it is the last piece's signature, even if
/// that piece is empty.
pub(super) fn read_reasoning<'a>(item: Raw<'a>) -> Vec<Part<'a>> {
    let filled = |name| fields::lenient_text(item, name).filter(|text| !text.is_empty());
    let mut pieces: Vec<Reasoning<'a>> = Vec::new();
    for (list, is_summary) in [("summary", true), ("content", false)] {
        for piece in item.member(list).iter().flat_map(|list| list.elements()) {
            if let Some(text) = fields::lenient_text(piece, "text") {
                pieces.push(reasoning_piece(text, is_summary));
            }
        }
    }
    let format = filled("format");
    if let Some(proof) = filled("encrypted_content") {
        match pieces.last_mut().filter(|_| !is_encrypted(&proof, format.as_ref())) {
            Some(last) => last.signature = Some(proof),
            None => pieces.push(Reasoning { data: Some(proof), ..Reasoning::default() }),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    let part = |piece| {
        let reasoning = Reasoning { id: filled("id"), format: format.clone(), ..piece };
        PartKind::Reasoning(reasoning).into()
    };
    pieces.into_iter().map(part).collect()
}

/// Whether the vendor is known to encrypt its thinking and not to sign it.
fn is_encrypted(proof: &Text<'_>, format: Option<&Text<'_>>) -> bool {
    match format.map(Text::plain) {
        Some(format) => format.starts_with("openai") || format.starts_with("xai"),
        None => proof.is_fernet(),
    }
}

/// A piece of thinking, or of thinking retold.
pub(super) fn reasoning_piece(text: Text<'_>, is_summary: bool) -> Reasoning<'_> {
    let text = Some(text).filter(|text| !text.is_empty());
    if is_summary {
        Reasoning { summary: text, ..Reasoning::default() }
    } else {
        Reasoning { text, ..Reasoning::default() }
    }
}
