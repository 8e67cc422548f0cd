//! Reading content blocks: objects with one member, which says what kind of block it is.

use super::citation::read_citation;
use super::media::{document_type, image_type, video_type};
use super::redacted;
use crate::canonical::{
    Arguments, Citation, Part, PartKind, Reasoning, Role, Source, ToolCall, ToolResult,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Constant, Raw, Text};
use crate::signature::unmark;

/// What a cache point means in the words of those who set breakpoints on the block before it.
static EPHEMERAL: Constant = Constant::new(r#"{"type":"ephemeral"}"#);
static EPHEMERAL_5M: Constant = Constant::new(r#"{"type":"ephemeral","ttl":"5m"}"#);
static EPHEMERAL_1H: Constant = Constant::new(r#"{"type":"ephemeral","ttl":"1h"}"#);

/// Media type of what came without a format, or in one without a name.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Reads the blocks of one message.
pub(super) fn read_blocks<'a>(
    name: &str,
    blocks: Raw<'a>,
    role: Role,
) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = Vec::new();
    for (position, block) in fields::array(name, blocks)?.elements().enumerate() {
        read_block(position, block, role, &mut parts)
            .map_err(|error| error.in_element(position).in_member(name))?;
    }
    Ok(parts)
}

/// Reads one block. Cache points, and citations without a text of their own, belong to the block before.
fn read_block<'a>(
    position: usize,
    block: Raw<'a>,
    role: Role,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Error> {
    let (name, inner) = only_member(block)?;
    match (&*name, parts.last_mut()) {
        ("cachePoint", Some(last)) if last.cache_control.is_none() => {
            last.cache_control = Some(read_cache_point(inner));
            return Ok(());
        }
        (
            "citationsContent",
            Some(Part { kind: PartKind::Text { citations, .. }, raw, cache_control: None, .. }),
        ) if inner.member("content").is_none() => {
            citations.extend(read_citations(inner));
            *raw = None;
            return Ok(());
        }
        _ => {}
    }
    let kind = read_kind(&name, inner, role).map_err(|error| error.in_member(&name))?;
    let (kind, rest) = match kind {
        Some(PartKind::Reasoning(reasoning)) if reasoning.is_empty() => return Ok(()),
        Some(kind @ (PartKind::Document { .. } | PartKind::SearchResult { .. })) => {
            (kind, shared_members(inner))
        }
        Some(kind) => (kind, Vec::new()),
        None => (PartKind::Other(block), Vec::new()),
    };
    parts.push(Part { kind, cache_control: None, rest, raw: Some(block), position });
    Ok(())
}

/// The member that says what a block is. `type` beside it is how some clients mark blocks of their own.
fn only_member<'a>(block: Raw<'a>) -> Result<(std::borrow::Cow<'a, str>, Raw<'a>), Error> {
    if !block.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    block
        .members()
        .find(|(name, value)| name != "type" && !value.is_null())
        .ok_or_else(|| Error::new(What::Invalid("must have a member that says what it is")))
}

/// Members that Anthropic has under the same names.
fn shared_members<'a>(inner: Raw<'a>) -> Vec<crate::canonical::Member<'a>> {
    let is_shared = |name: &str| name == "citations" || name == "context";
    inner.members().filter(|(name, value)| is_shared(name) && !value.is_null()).collect()
}

/// The breakpoint a cache point stands for.
pub(super) fn read_cache_point(point: Raw<'_>) -> Raw<'static> {
    let ttl = fields::lenient_text(point, "ttl").unwrap_or_default();
    match &*ttl.plain() {
        "5m" => EPHEMERAL_5M.raw(),
        "1h" => EPHEMERAL_1H.raw(),
        _ => EPHEMERAL.raw(),
    }
}

/// What a block says; nothing where only this dialect knows.
fn read_kind<'a>(name: &str, inner: Raw<'a>, role: Role) -> Result<Option<PartKind<'a>>, Error> {
    Ok(match name {
        "text" => {
            let text = inner.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))?;
            Some(PartKind::Text { text, citations: Vec::new() })
        }
        "image" => read_image(inner)?,
        "document" => read_document(inner)?,
        "audio" => read_audio(inner)?,
        "video" => read_video(inner)?,
        "searchResult" => Some(read_search_result(inner)?),
        "toolUse" => read_tool_use(inner)?,
        // Beside the call of a tool that the vendor runs itself stands its result.
        "toolResult" if role == Role::Assistant => None,
        "toolResult" => Some(read_tool_result(inner, role)?),
        "reasoningContent" => Some(PartKind::Reasoning(read_reasoning(inner))),
        "citationsContent" => Some(read_cited(inner)?),
        // What it says is said to the model, too.
        "guardContent" => read_guarded(inner, role)?,
        "json" => Some(PartKind::Text { text: inner.text().into(), citations: Vec::new() }),
        _ => None,
    })
}

/// The bytes in base64, if a source gives them; other places are known to the vendor alone.
fn read_bytes<'a>(inner: Raw<'a>) -> Result<Option<Text<'a>>, Error> {
    let source = fields::object("source", fields::required(inner, "source")?)?;
    let bytes = source.member("bytes").map(|bytes| fields::text("bytes", bytes)).transpose();
    bytes.map_err(|error| error.in_member("source"))
}

fn read_image<'a>(inner: Raw<'a>) -> Result<Option<PartKind<'a>>, Error> {
    let format = fields::required_text(inner, "format")?;
    let Some(media_type) = image_type(&format.plain()) else {
        return Err(Error::at("format", What::Invalid("must be png, jpeg, gif or webp")));
    };
    let source =
        read_bytes(inner)?.map(|data| Source::Base64 { media_type: media_type.into(), data });
    Ok(source.map(|source| PartKind::Image { source, detail: None }))
}

fn read_document<'a>(inner: Raw<'a>) -> Result<Option<PartKind<'a>>, Error> {
    let source = fields::object("source", fields::required(inner, "source")?)?;
    let text = source.member("text").map(|text| fields::text("text", text)).transpose();
    let pieces = source.member("content").map(read_pieces).transpose();
    let format = fields::lenient_text(inner, "format");
    let media_type = match &format {
        None => UNKNOWN_TYPE,
        Some(format) => document_type(&format.plain()).unwrap_or(UNKNOWN_TYPE),
    };
    let fail = |error: Error| error.in_member("source");
    let source = match (text.map_err(fail)?, pieces.map_err(fail)?) {
        (Some(text), _) => Source::Plain(text),
        (None, Some(pieces)) => Source::Parts(pieces),
        (None, None) => match read_bytes(inner)? {
            Some(data) => Source::Base64 { media_type: media_type.into(), data },
            None => return Ok(None),
        },
    };
    Ok(Some(PartKind::Document { source, name: fields::lenient_text(inner, "name") }))
}

/// A document, a search result or a statement in pieces of text.
fn read_pieces<'a>(pieces: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
    fields::each("content", pieces, |position, piece| {
        let part = Part::text(fields::required_text(piece, "text")?);
        Ok(Part { raw: Some(piece), position, ..part })
    })
}

fn read_audio<'a>(inner: Raw<'a>) -> Result<Option<PartKind<'a>>, Error> {
    let format = fields::required_text(inner, "format")?;
    Ok(read_bytes(inner)?.map(|data| PartKind::Audio { data, format: Some(format) }))
}

fn read_video<'a>(inner: Raw<'a>) -> Result<Option<PartKind<'a>>, Error> {
    let format = fields::required_text(inner, "format")?;
    let media_type = video_type(&format.plain()).unwrap_or(UNKNOWN_TYPE);
    let source =
        read_bytes(inner)?.map(|data| Source::Base64 { media_type: media_type.into(), data });
    Ok(source.map(|source| PartKind::Video { source }))
}

fn read_search_result<'a>(inner: Raw<'a>) -> Result<PartKind<'a>, Error> {
    Ok(PartKind::SearchResult {
        source: fields::lenient_text(inner, "source"),
        title: fields::lenient_text(inner, "title"),
        content: read_pieces(fields::required(inner, "content")?)?,
    })
}

/// A call; nothing where the vendor ran the tool itself.
fn read_tool_use<'a>(inner: Raw<'a>) -> Result<Option<PartKind<'a>>, Error> {
    if fields::lenient_text(inner, "type").is_some_and(|kind| kind == *"server_tool_use") {
        return Ok(None);
    }
    let input = inner.member("input");
    Ok(Some(PartKind::ToolCall(ToolCall {
        id: fields::required_text(inner, "toolUseId")?,
        name: fields::required_text(inner, "name")?,
        arguments: input.map_or_else(|| Arguments::Text("{}".into()), Arguments::Value),
        is_custom: false,
    })))
}

fn read_tool_result<'a>(inner: Raw<'a>, role: Role) -> Result<PartKind<'a>, Error> {
    let content = inner.member("content");
    let status = fields::lenient_text(inner, "status");
    Ok(PartKind::ToolResult(ToolResult {
        call_id: fields::required_text(inner, "toolUseId")?,
        content: match content {
            Some(content) => read_blocks("content", content, role)?,
            None => Vec::new(),
        },
        is_error: status.map(|status| status == *"error"),
    }))
}

/// Thinking, in the shape a message has and in the one a stream has.
pub(super) fn read_reasoning<'a>(inner: Raw<'a>) -> Reasoning<'a> {
    let text = inner.member("reasoningText").unwrap_or(inner);
    let filled = |object, name| {
        fields::lenient_text(object, name).filter(|text: &Text<'_>| !text.is_empty())
    };
    let mut reasoning = Reasoning {
        text: filled(text, "text"),
        signature: filled(text, "signature"),
        data: filled(inner, "redactedContent").map(redacted::read),
        ..Reasoning::default()
    };
    unmark(&mut reasoning);
    reasoning
}

fn read_cited<'a>(inner: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let pieces = inner.member("content").map(read_pieces).transpose()?.unwrap_or_default();
    let mut texts = pieces.iter().filter_map(|piece| match &piece.kind {
        PartKind::Text { text, .. } => Some(text),
        _ => None,
    });
    let text = match (texts.next(), texts.next()) {
        (None, _) => Text::default(),
        (Some(only), None) => only.clone(),
        (Some(first), Some(second)) => {
            let more = [first, second].into_iter().chain(texts);
            more.map(|text| text.plain().into_owned()).collect::<String>().into()
        }
    };
    Ok(PartKind::Text { text, citations: read_citations(inner) })
}

fn read_citations<'a>(inner: Raw<'a>) -> Vec<Citation<'a>> {
    let citations = inner.member("citations");
    citations.iter().flat_map(|list| list.elements()).map(read_citation).collect()
}

fn read_guarded<'a>(inner: Raw<'a>, role: Role) -> Result<Option<PartKind<'a>>, Error> {
    let (name, guarded) = only_member(inner)?;
    match &*name {
        "text" => {
            let text = fields::required_text(guarded, "text")?;
            Ok(Some(PartKind::Text { text, citations: Vec::new() }))
        }
        "image" => read_kind("image", guarded, role),
        _ => Ok(None),
    }
}
