//! Reading content blocks.

use super::server_tool::{read_call, read_result};
use crate::canonical::{
    Arguments, Citation, Part, PartKind, Place, PlaceUnit, Reasoning, Source, ToolCall, ToolResult,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};
use crate::signature::unmark;

/// Reads an array of blocks.
pub(super) fn read_blocks<'a>(name: &str, blocks: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
    if !blocks.is_array() {
        return Err(fields::wrong_type(name, "a string or an array"));
    }
    fields::each(name, blocks, read_block)
}

/// Reads one block. Blocks of tools the vendor runs itself stay as they are.
pub(super) fn read_block<'a>(position: usize, block: Raw<'a>) -> Result<Part<'a>, Error> {
    if !block.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let kind = fields::required_text(block, "type")?;
    let (kind, known): (PartKind<'a>, &[&str]) = match &*kind.plain() {
        "text" => (read_text(block)?, &["text", "citations"]),
        "image" => {
            let source = read_source(fields::required(block, "source")?)?;
            (PartKind::Image { source, detail: None }, &["source"])
        }
        "document" => {
            let source = read_source(fields::required(block, "source")?)?;
            let name = fields::lenient_text(block, "title");
            (PartKind::Document { source, name }, &["source", "title"])
        }
        "search_result" => (read_search_result(block)?, &["source", "title", "content"]),
        "tool_use" => (read_tool_use(block)?, &["id", "name", "input"]),
        "tool_result" => (read_tool_result(block)?, &["tool_use_id", "content", "is_error"]),
        "thinking" => (PartKind::Reasoning(read_thinking(block)), &["thinking", "signature"]),
        "redacted_thinking" => (PartKind::Reasoning(read_thinking(block)), &["data"]),
        _ => {
            let kind = read_server_tool(block).unwrap_or(PartKind::Other(block));
            return Ok(Part { position, raw: Some(block), ..kind.into() });
        }
    };
    let is_known = |name: &str| name == "type" || name == "cache_control" || known.contains(&name);
    Ok(Part {
        kind,
        cache_control: block.member("cache_control"),
        rest: block.members().filter(|(name, value)| !is_known(name) && !value.is_null()).collect(),
        raw: None,
        position,
    })
}

/// A block of a tool that the vendor runs itself and others have, too.
fn read_server_tool<'a>(block: Raw<'a>) -> Option<PartKind<'a>> {
    let call = || read_call(block, block.member("input")).map(PartKind::ServerCall);
    let result = || read_result(block).map(PartKind::ServerResult);
    call().or_else(result)
}

fn read_text<'a>(block: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let citations = block.member("citations");
    Ok(PartKind::Text {
        text: fields::required_text(block, "text")?,
        citations: citations.iter().flat_map(|list| list.elements()).map(read_citation).collect(),
    })
}

/// One citation; only those of web pages and named sources have a URL.
pub(super) fn read_citation<'a>(citation: Raw<'a>) -> Citation<'a> {
    let text = |name| fields::lenient_text(citation, name);
    let source = || text("source").filter(|source| source.plain().contains("://"));
    Citation {
        url: text("url").or_else(source),
        title: text("title").or_else(|| text("document_title")),
        range: None,
        quote: text("cited_text").filter(|quote| !quote.is_empty()),
        place: read_place(citation),
        raw: Some(citation),
    }
}

fn read_place(citation: Raw<'_>) -> Option<Place> {
    let kind = fields::lenient_text(citation, "type")?;
    let form = PLACES.iter().find(|form| kind == *form.kind)?;
    let count = |name| citation.member(name).and_then(|count| count.as_u64());
    Some(Place {
        unit: form.unit,
        document: count(form.document)?,
        start: count(form.start)?,
        end: count(form.end)?,
    })
}

/// How a citation spells where its words stand.
pub(super) struct PlaceForm {
    pub(super) unit: PlaceUnit,
    /// The `type` of the citation.
    pub(super) kind: &'static str,
    pub(super) document: &'static str,
    pub(super) start: &'static str,
    pub(super) end: &'static str,
}

pub(super) const PLACES: [PlaceForm; 4] = [
    PlaceForm {
        unit: PlaceUnit::Characters,
        kind: "char_location",
        document: "document_index",
        start: "start_char_index",
        end: "end_char_index",
    },
    PlaceForm {
        unit: PlaceUnit::Pages,
        kind: "page_location",
        document: "document_index",
        start: "start_page_number",
        end: "end_page_number",
    },
    PlaceForm {
        unit: PlaceUnit::Pieces,
        kind: "content_block_location",
        document: "document_index",
        start: "start_block_index",
        end: "end_block_index",
    },
    PlaceForm {
        unit: PlaceUnit::ResultPieces,
        kind: "search_result_location",
        document: "search_result_index",
        start: "start_block_index",
        end: "end_block_index",
    },
];

fn read_source<'a>(source: Raw<'a>) -> Result<Source<'a>, Error> {
    let fail = |error: Error| error.in_member("source");
    let text = |name| fields::required_text(source, name).map_err(fail);
    match &*text("type")?.plain() {
        "base64" => Ok(Source::Base64 { media_type: text("media_type")?, data: text("data")? }),
        "url" => text("url").map(Source::Url),
        "file" => text("file_id").map(Source::FileId),
        "text" => text("data").map(Source::Plain),
        "content" => {
            let content = fields::required(source, "content").map_err(fail)?;
            read_content(content).map(Source::Parts).map_err(fail)
        }
        _ => {
            let what = What::Invalid("must be base64, url, file, text or content");
            Err(fail(Error::at("type", what)))
        }
    }
}

fn read_search_result<'a>(block: Raw<'a>) -> Result<PartKind<'a>, Error> {
    Ok(PartKind::SearchResult {
        source: fields::lenient_text(block, "source"),
        title: fields::lenient_text(block, "title"),
        content: read_content(fields::required(block, "content")?)?,
    })
}

fn read_tool_use<'a>(block: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let input = block.member("input");
    Ok(PartKind::ToolCall(ToolCall {
        id: fields::required_text(block, "id")?,
        name: fields::required_text(block, "name")?,
        arguments: input.map_or_else(|| Arguments::Text("{}".into()), Arguments::Value),
        is_custom: false,
    }))
}

fn read_tool_result<'a>(block: Raw<'a>) -> Result<PartKind<'a>, Error> {
    Ok(PartKind::ToolResult(ToolResult {
        call_id: fields::required_text(block, "tool_use_id")?,
        content: block.member("content").map_or_else(|| Ok(Vec::new()), read_content)?,
        is_error: block.member("is_error").and_then(|is_error| is_error.as_bool()),
    }))
}

fn read_content<'a>(content: Raw<'a>) -> Result<Vec<Part<'a>>, Error> {
    match content.as_text() {
        Some(text) => Ok(vec![Part::text(text)]),
        None => read_blocks("content", content),
    }
}

pub(super) fn read_thinking<'a>(block: Raw<'a>) -> Reasoning<'a> {
    let filled =
        |name| fields::lenient_text(block, name).filter(|text: &Text<'_>| !text.is_empty());
    let mut reasoning = Reasoning {
        text: filled("thinking"),
        signature: filled("signature"),
        data: filled("data"),
        ..Reasoning::default()
    };
    unmark(&mut reasoning);
    reasoning
}
