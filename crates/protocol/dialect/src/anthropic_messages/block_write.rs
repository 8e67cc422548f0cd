//! Writing content blocks.

use std::borrow::Cow;

use super::server_tool::{self, write_call_head, write_result};
use crate::Dialect;
use crate::anthropic_messages::block::PLACES;
use crate::canonical::{
    Citation, Part, PartKind, Place, PlaceUnit, Reasoning, ServerCall, ServerResult, Source,
    ToolCall, ToolResult,
};
use crate::error::{Error, What};
use crate::gemini;
use crate::json::{Array, Object, Raw, Text};
use crate::options::Notes;
use crate::signature::mark;

/// Members of documents and search results that Bedrock took over with name and meaning.
const SHARED: &[&str] = &["citations", "context"];

/// What decides how blocks are written.
pub(super) struct BlockWriter<'n> {
    /// The dialect the parts were read from.
    pub(super) source: Dialect,
    /// Write thinking that carries no proof of origin: fine for callers, refused by the vendor.
    pub(super) unsigned_thinking: bool,
    /// Write what other vendors' own tools did: fine for callers, refused by the vendor, which knows of no such call.
    pub(super) foreign_server_tools: bool,
    /// Characters of the answer's text written, where citations count from its beginning.
    pub(super) characters: Option<u64>,
    /// Write citations of web pages without the vendor's own mark: fine for callers, refused by the vendor.
    pub(super) unmarked_citations: bool,
    pub(super) notes: &'n mut Notes,
}

impl BlockWriter<'_> {
    fn is_own(&self) -> bool {
        self.source == Dialect::AnthropicMessages
    }

    /// Whether a part becomes a block at all.
    pub(super) fn is_written(&self, part: &Part<'_>) -> bool {
        match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => !text.is_empty(),
            PartKind::Reasoning(reasoning) => self.takes(reasoning),
            PartKind::ServerCall(ServerCall { tool, .. })
            | PartKind::ServerResult(ServerResult { tool, .. }) => {
                self.is_own() || (self.foreign_server_tools && server_tool::is_known(*tool))
            }
            PartKind::Other(raw) => !self.is_left_out(*raw),
            PartKind::Image { .. }
            | PartKind::Document { .. }
            | PartKind::Audio { .. }
            | PartKind::Video { .. }
            | PartKind::SearchResult { .. }
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_) => true,
        }
    }

    /// What another vendor's own tools did goes without changing the question.
    fn is_left_out(&self, raw: Raw<'_>) -> bool {
        self.source == Dialect::Gemini && gemini::is_about_own_tools(raw)
    }

    fn takes(&self, reasoning: &Reasoning<'_>) -> bool {
        !reasoning.is_empty() && (self.is_own() || self.unsigned_thinking || reasoning.is_claude())
    }

    /// Writes one part; nothing when there is no block for it.
    pub(super) fn part(&mut self, part: &Part<'_>, blocks: &mut Array<'_>) -> Result<(), Error> {
        self.part_with_cache_control(part, part.cache_control, blocks)
    }

    /// The same with a cache breakpoint that need not be the part's own.
    pub(super) fn part_with_cache_control(
        &mut self,
        part: &Part<'_>,
        cache_control: Option<Raw<'_>>,
        blocks: &mut Array<'_>,
    ) -> Result<(), Error> {
        if !self.is_written(part) {
            match part.kind {
                PartKind::Reasoning(_) => {
                    self.notes.drop("messages[].reasoning without signature");
                }
                PartKind::ServerCall(_) | PartKind::ServerResult(_) | PartKind::Other(_) => {
                    self.notes.drop("messages[].content[] of vendor tools");
                }
                _ => {}
            }
            return Ok(());
        }
        if let Some(raw) = part.raw.filter(|_| self.is_own()) {
            blocks.raw(raw);
            return Ok(());
        }
        if let PartKind::Other(raw) = part.kind {
            return self.other(raw, blocks);
        }
        let mut block = blocks.object();
        match &part.kind {
            PartKind::Text { text, citations } => self.text(text, citations, &mut block),
            PartKind::Refusal(text) => self.text(text, &[], &mut block),
            PartKind::Image { source, .. } => self.image(source, &mut block)?,
            PartKind::Document { source, name } => {
                self.document(source, name.as_ref(), &mut block)?
            }
            PartKind::SearchResult { source, title, content } => {
                block.str("type", "search_result");
                block.text("source", source.as_ref().unwrap_or(&Text::default()));
                block.text("title", title.as_ref().unwrap_or(&Text::default()));
                self.parts(content, &mut block.array("content"))?;
            }
            PartKind::ToolCall(call) => write_tool_use(call, &mut block),
            PartKind::ToolResult(result) => self.tool_result(result, &mut block)?,
            PartKind::Reasoning(reasoning) => write_reasoning(reasoning, &mut block),
            PartKind::ServerCall(call) => {
                write_call_head(call, &mut block);
                server_tool::write_input(call, block.key("input"));
            }
            PartKind::ServerResult(result) => write_result(result, &mut block),
            PartKind::Video { .. } => return Err(inexpressible("video_url")),
            PartKind::Audio { .. } | PartKind::Other(_) => {
                return Err(inexpressible("input_audio"));
            }
        }
        let is_own = self.is_own();
        let is_shared =
            |name: &str| self.source == Dialect::BedrockConverse && SHARED.contains(&name);
        for (name, value) in part.rest.iter().filter(|(name, _)| is_own || is_shared(name)) {
            block.raw(name, *value);
        }
        block.raw_if("cache_control", cache_control);
        Ok(())
    }

    fn parts(&mut self, parts: &[Part<'_>], blocks: &mut Array<'_>) -> Result<(), Error> {
        parts.iter().try_for_each(|part| self.part(part, blocks))
    }

    fn other(&mut self, raw: Raw<'_>, blocks: &mut Array<'_>) -> Result<(), Error> {
        if self.is_own() {
            blocks.raw(raw);
            return Ok(());
        }
        if raw.member("cachePoint").is_some() {
            self.notes.drop("messages[].content[].cachePoint");
            return Ok(());
        }
        Err(inexpressible("type"))
    }

    fn text(&mut self, text: &Text<'_>, citations: &[Citation<'_>], block: &mut Object<'_>) {
        block.str("type", "text");
        block.text("text", text);
        let start = self.characters.unwrap_or(0);
        self.characters = self.characters.map(|start| start + text.character_count());
        let kept: Vec<_> = citations.iter().filter(|citation| self.keeps(citation)).collect();
        if kept.len() < citations.len() {
            self.notes.drop("messages[].content[].citations");
        }
        if kept.is_empty() {
            return;
        }
        let mut list = block.array("citations");
        for citation in kept {
            match citation.raw {
                Some(raw) if self.is_own() => list.raw(raw),
                _ => {
                    write_citation(citation, &cited(text, citation.range, start), list.object());
                }
            }
        }
    }

    fn keeps(&self, citation: &Citation<'_>) -> bool {
        self.is_own()
            || citation.place.is_some()
            || (self.unmarked_citations && citation.url.is_some())
    }

    fn image(&mut self, source: &Source<'_>, block: &mut Object<'_>) -> Result<(), Error> {
        if let Source::Plain(_) | Source::Parts(_) = source {
            return Err(inexpressible("source"));
        }
        block.str("type", "image");
        self.source(source, block.object("source"))
    }

    fn document(
        &mut self,
        source: &Source<'_>,
        name: Option<&Text<'_>>,
        block: &mut Object<'_>,
    ) -> Result<(), Error> {
        if let Source::Base64 { media_type, .. } = source
            && media_type.plain().starts_with("image/")
        {
            return self.image(source, block);
        }
        block.str("type", "document");
        self.source(source, block.object("source"))?;
        block.text_if("title", name);
        Ok(())
    }

    fn source(&mut self, source: &Source<'_>, mut object: Object<'_>) -> Result<(), Error> {
        match source {
            Source::Base64 { media_type, data } => match plain_document(media_type, data) {
                Some(text) => write_plain(&text, &mut object),
                None => {
                    object.str("type", "base64");
                    object.text("media_type", media_type);
                    object.text("data", data);
                }
            },
            Source::Url(url) => {
                object.str("type", "url");
                object.text("url", url);
            }
            Source::FileId(id) => {
                object.str("type", "file");
                object.text("file_id", id);
            }
            Source::Plain(text) => write_plain(text, &mut object),
            Source::Parts(parts) => {
                object.str("type", "content");
                self.parts(parts, &mut object.array("content"))?;
            }
        }
        Ok(())
    }

    fn tool_result(
        &mut self,
        result: &ToolResult<'_>,
        block: &mut Object<'_>,
    ) -> Result<(), Error> {
        block.str("type", "tool_result");
        block.text("tool_use_id", &sanitize_id(&result.call_id));
        match &result.content[..] {
            [] => {}
            [Part { kind: PartKind::Text { text, .. }, cache_control: None, rest, .. }]
                if rest.is_empty() =>
            {
                block.text("content", text);
            }
            content => self.parts(content, &mut block.array("content"))?,
        }
        if let Some(is_error) = result.is_error {
            block.bool("is_error", is_error);
        }
        Ok(())
    }
}

fn inexpressible(path: &str) -> Error {
    Error::at(path, What::Inexpressible(Dialect::AnthropicMessages))
}

fn write_plain(text: &Text<'_>, object: &mut Object<'_>) {
    object.str("type", "text");
    object.str("media_type", "text/plain");
    object.text("data", text);
}

/// Documents in base64 must be PDFs here; text goes as text.
pub(crate) fn plain_document(media_type: &Text<'_>, data: &Text<'_>) -> Option<Text<'static>> {
    if !media_type.plain().starts_with("text/") {
        return None;
    }
    String::from_utf8(decode_base64(&data.plain())?).ok().map(Text::from)
}

fn decode_base64(encoded: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(encoded.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in encoded.trim_end_matches('=').bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\n' | b'\r' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// Writes the members of a `tool_use` block.
pub(super) fn write_tool_use(call: &ToolCall<'_>, block: &mut Object<'_>) {
    block.str("type", "tool_use");
    block.text("id", &sanitize_id(&call.id));
    block.text("name", &call.name);
    call.arguments.write_object(block.key("input"));
}

/// Writes the members of a `thinking` or `redacted_thinking` block.
pub(super) fn write_reasoning(reasoning: &Reasoning<'_>, block: &mut Object<'_>) {
    if let Some(data) = &reasoning.data {
        block.str("type", "redacted_thinking");
        block.text("data", &mark(reasoning, data));
        return;
    }
    block.str("type", "thinking");
    let text = reasoning.text.as_ref().or(reasoning.summary.as_ref());
    block.text("thinking", text.unwrap_or(&Text::default()));
    let signature = reasoning.signature.as_ref().map(|signature| mark(reasoning, signature));
    block.text("signature", &signature.unwrap_or_default());
}

/// Writes a citation: of a place in what the request brought along, or of a web page.
pub(super) fn write_citation(citation: &Citation<'_>, cited: &str, mut object: Object<'_>) {
    if let Some(place) = citation.place {
        return write_place(citation, place, &mut object);
    }
    object.str("type", "web_search_result_location");
    object.str("cited_text", cited);
    object.text("url", citation.url.as_ref().unwrap_or(&Text::default()));
    object.text("title", citation.title.as_ref().unwrap_or(&Text::default()));
    object.str("encrypted_index", "");
}

fn write_place(citation: &Citation<'_>, place: Place, object: &mut Object<'_>) {
    let Some(form) = PLACES.iter().find(|form| form.unit == place.unit) else { return };
    object.str("type", form.kind);
    object.text("cited_text", citation.quote.as_ref().unwrap_or(&Text::default()));
    object.u64(form.document, place.document);
    if place.unit == PlaceUnit::ResultPieces {
        object.text("source", citation.url.as_ref().unwrap_or(&Text::default()));
        object.text("title", citation.title.as_ref().unwrap_or(&Text::default()));
    } else {
        match &citation.title {
            Some(title) => object.text("document_title", title),
            None => object.null("document_title"),
        }
        object.null("file_id");
    }
    object.u64(form.start, place.start);
    object.u64(form.end, place.end);
}

/// The characters that a citation covers of a text that begins at `start`.
fn cited(text: &Text<'_>, range: Option<(u64, u64)>, start: u64) -> String {
    let Some((from, to)) = range else { return String::new() };
    let (from, to) = (from.saturating_sub(start), to.saturating_sub(start));
    let length = to.saturating_sub(from) as usize;
    text.plain().chars().skip(from as usize).take(length).collect()
}

/// An id in the characters Anthropic takes: `[A-Za-z0-9_-]`.
pub(super) fn sanitize_id<'a>(id: &Text<'a>) -> Text<'a> {
    let is_fine =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let plain = id.plain();
    if plain.chars().all(is_fine) {
        return id.clone();
    }
    let cleaned = plain.chars().map(|character| if is_fine(character) { character } else { '_' });
    Text::Plain(Cow::Owned(cleaned.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sanitised() {
        assert_eq!(sanitize_id(&"functions.weather:0".into()), *"functions_weather_0");
        assert_eq!(sanitize_id(&"toolu_01-Ab".into()), *"toolu_01-Ab");
        assert_eq!(sanitize_id(&"é".into()), *"_");
    }

    #[test]
    fn base64_is_decoded() {
        assert_eq!(decode_base64("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(decode_base64("aGVsbG8h").as_deref(), Some(&b"hello!"[..]));
        assert_eq!(decode_base64("").as_deref(), Some(&b""[..]));
        assert_eq!(decode_base64("a*b"), None);
    }
}
