//! Writing content blocks.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::citation::write_citation;
use super::media::{document_format, image_format, video_format};
use super::model::Family;
use super::names::{DocumentNames, call_id, tool_name};
use super::redacted;
use crate::Dialect;
use crate::canonical::{
    Citation, Member, Part, PartKind, Reasoning, Role, Source, ToolCall, ToolResult,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Array, Object, Raw, Text};
use crate::options::Notes;
use crate::signature::mark;

/// Whom blocks are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The vendor, for a model of that family.
    Vendor(Family),
    /// A caller: ids and names are its own, and thinking needs no proof of origin.
    Caller,
}

/// What decides how blocks are written.
pub(super) struct BlockWriter<'n> {
    /// The dialect the parts were read from.
    pub(super) source: Dialect,
    pub(super) reader: Reader,
    pub(super) documents: DocumentNames,
    pub(super) notes: &'n mut Notes,
}

impl BlockWriter<'_> {
    fn is_own(&self) -> bool {
        self.source == Dialect::BedrockConverse
    }

    /// Whether a part of what that one says becomes a block at all.
    pub(super) fn is_written(&self, role: Role, part: &Part<'_>) -> bool {
        match &part.kind {
            PartKind::Text { text, citations } => {
                !text.is_empty() || (!citations.is_empty() && self.is_own())
            }
            PartKind::Refusal(text) => !text.is_empty(),
            PartKind::Reasoning(reasoning) => self.takes(reasoning),
            // What another vendor's own tools did has no block here, and is no part of the question.
            PartKind::ServerCall(_) | PartKind::ServerResult(_) => false,
            PartKind::Other(raw) => {
                self.is_own()
                    || is_cache_point(*raw)
                    || !matches!(role, Role::Assistant | Role::Tool)
            }
            PartKind::Image { .. }
            | PartKind::Document { .. }
            | PartKind::Audio { .. }
            | PartKind::Video { .. }
            | PartKind::SearchResult { .. }
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_) => true,
        }
    }

    /// Claude refuses thinking that it did not sign, and other models cannot read what is encrypted.
    fn takes(&self, reasoning: &Reasoning<'_>) -> bool {
        let has_text = reasoning.text.is_some() || reasoning.summary.is_some();
        match self.reader {
            Reader::Caller => !reasoning.is_empty(),
            Reader::Vendor(Family::Claude) => reasoning.is_claude(),
            Reader::Vendor(_) => has_text || (self.is_own() && reasoning.data.is_some()),
        }
    }

    /// Writes one part; nothing when there is no block for it. A cache breakpoint becomes a block behind it.
    pub(super) fn part(
        &mut self,
        role: Role,
        part: &Part<'_>,
        cache_control: Option<Raw<'_>>,
        blocks: &mut Array<'_>,
    ) -> Result<(), Error> {
        if self.is_written(role, part) {
            self.block(part, blocks)?;
            if let Some(control) = cache_control.or_else(|| inner_breakpoint(part)) {
                write_cache_point(control, &mut blocks.object());
            }
            return Ok(());
        }
        match &part.kind {
            PartKind::Reasoning(_) => self.notes.drop("messages[].reasoning"),
            PartKind::ServerCall(_) | PartKind::ServerResult(_) | PartKind::Other(_) => {
                self.notes.drop("messages[].content[] of vendor tools");
            }
            _ => {}
        }
        Ok(())
    }

    fn block(&mut self, part: &Part<'_>, blocks: &mut Array<'_>) -> Result<(), Error> {
        match (&part.kind, part.raw) {
            (_, Some(raw)) if self.is_own() => {
                blocks.raw(raw);
                return Ok(());
            }
            (PartKind::Other(raw), _) if is_cache_point(*raw) => {
                blocks.raw(*raw);
                return Ok(());
            }
            _ => {}
        }
        if let PartKind::Reasoning(reasoning) = &part.kind {
            self.reasoning(reasoning, blocks);
            return Ok(());
        }
        let mut block = blocks.object();
        match &part.kind {
            PartKind::Text { text, citations } => self.text(text, citations, &mut block),
            PartKind::Refusal(text) => block.text("text", text),
            PartKind::Image { source, .. } => self.image(source, block.object("image"))?,
            PartKind::Document { source, name } => {
                self.document(source, name.as_ref(), &part.rest, &mut block)?;
            }
            PartKind::Video { source } => write_video(source, block.object("video"))?,
            PartKind::Audio { data, format } => write_audio(data, format.as_ref(), &mut block)?,
            PartKind::SearchResult { source, title, content } => {
                let mut inner = block.object("searchResult");
                inner.text("source", source.as_ref().unwrap_or(&Text::default()));
                inner.text("title", title.as_ref().unwrap_or(&Text::default()));
                write_pieces(content, inner.array("content"))?;
                self.shared_members(&part.rest, &mut inner);
            }
            PartKind::ToolCall(call) => self.tool_use(call, block.object("toolUse")),
            PartKind::ToolResult(result) => {
                self.tool_result(result, block.object("toolResult"))?;
            }
            PartKind::Reasoning(_)
            | PartKind::ServerCall(_)
            | PartKind::ServerResult(_)
            | PartKind::Other(_) => return Err(inexpressible("type")),
        }
        Ok(())
    }

    fn text(&mut self, text: &Text<'_>, citations: &[Citation<'_>], block: &mut Object<'_>) {
        let kept: Vec<_> = citations.iter().filter(|citation| self.keeps(citation)).collect();
        if kept.len() < citations.len() {
            self.notes.drop("messages[].content[].citations");
        }
        if kept.is_empty() {
            return block.text("text", text);
        }
        let mut inner = block.object("citationsContent");
        inner.array("content").object().text("text", text);
        let mut list = inner.array("citations");
        for citation in kept {
            match citation.raw {
                Some(raw) if self.is_own() => list.raw(raw),
                _ => write_citation(citation, &mut list.object()),
            }
        }
    }

    /// Claude takes its own citations back, of what the request brought along.
    fn keeps(&self, citation: &Citation<'_>) -> bool {
        match self.reader {
            Reader::Caller => citation.has_source(),
            Reader::Vendor(family) => {
                self.is_own() || (family == Family::Claude && citation.place.is_some())
            }
        }
    }

    fn image(&mut self, source: &Source<'_>, mut image: Object<'_>) -> Result<(), Error> {
        match source {
            Source::Base64 { media_type, data } => {
                let format = image_format(&media_type.plain());
                image.str("format", format.ok_or_else(|| inexpressible("source.media_type"))?);
                image.object("source").text("bytes", data);
            }
            Source::Url(url) => write_stored(url, image_ending, &mut image)?,
            Source::FileId(_) | Source::Plain(_) | Source::Parts(_) => {
                return Err(inexpressible("source"));
            }
        }
        Ok(())
    }

    fn document(
        &mut self,
        source: &Source<'_>,
        name: Option<&Text<'_>>,
        rest: &[Member<'_>],
        block: &mut Object<'_>,
    ) -> Result<(), Error> {
        if let Source::Base64 { media_type, .. } = source
            && media_type.plain().starts_with("image/")
        {
            return self.image(source, block.object("image"));
        }
        let mut document = block.object("document");
        match source {
            Source::Base64 { media_type, data } => {
                let plain_name = name.map(Text::plain);
                let format = document_format(&media_type.plain(), plain_name.as_deref());
                document.str("format", format.ok_or_else(|| inexpressible("source.media_type"))?);
                document.object("source").text("bytes", data);
            }
            Source::Plain(text) => {
                document.str("format", "txt");
                self.plain_source(text, document.object("source"));
            }
            Source::Parts(parts) if self.takes_text() => {
                document.str("format", "txt");
                write_pieces(parts, document.object("source").array("content"))?;
            }
            Source::Parts(parts) => {
                document.str("format", "txt");
                let texts: Result<Vec<_>, Error> = parts.iter().map(plain_text).collect();
                self.plain_source(&texts?.join("\n").into(), document.object("source"));
            }
            Source::Url(url) => write_stored(url, document_ending, &mut document)?,
            Source::FileId(_) => return Err(inexpressible("source")),
        }
        document.str("name", self.documents.give(name));
        self.shared_members(rest, &mut document);
        Ok(())
    }

    /// Documents as text are for citations, which are Claude's; other models want a file.
    fn takes_text(&self) -> bool {
        matches!(self.reader, Reader::Caller | Reader::Vendor(Family::Claude))
    }

    fn plain_source(&self, text: &Text<'_>, mut source: Object<'_>) {
        if self.takes_text() {
            source.text("text", text);
        } else {
            source.str("bytes", &BASE64_STANDARD.encode(text.plain().as_bytes()));
        }
    }

    /// Members that the dialect has from Anthropic.
    fn shared_members(&self, rest: &[Member<'_>], object: &mut Object<'_>) {
        if self.source == Dialect::AnthropicMessages {
            let is_shared = |name: &str| name == "citations" || name == "context";
            let shared = rest.iter().filter(|(name, _)| is_shared(name));
            shared.for_each(|(name, value)| object.raw(name, *value));
        }
    }

    fn tool_use(&mut self, call: &ToolCall<'_>, mut object: Object<'_>) {
        match self.reader {
            Reader::Caller => {
                object.text("toolUseId", &call.id);
                object.text("name", &call.name);
            }
            Reader::Vendor(_) => {
                object.text("toolUseId", &call_id(&call.id));
                object.str("name", &self.tool_name(&call.name.plain()));
            }
        }
        call.arguments.write_object(object.key("input"));
    }

    /// The name a tool goes by, noted where it is not its own.
    pub(super) fn tool_name<'t>(&mut self, name: &'t str) -> Cow<'t, str> {
        let written = tool_name(name);
        if written != name {
            self.notes.rename_tool(&written, name);
        }
        written
    }

    fn tool_result(
        &mut self,
        result: &ToolResult<'_>,
        mut object: Object<'_>,
    ) -> Result<(), Error> {
        match self.reader {
            Reader::Caller => object.text("toolUseId", &result.call_id),
            Reader::Vendor(_) => object.text("toolUseId", &call_id(&result.call_id)),
        }
        let mut content = object.array("content");
        for part in &result.content {
            // Content of a result has no cache points of its own: the one behind the result stands for them.
            self.part(Role::Tool, part, None, &mut content)
                .map_err(|error| error.in_element(part.position).in_member("content"))?;
        }
        drop(content);
        if let Some(is_error) = result.is_error {
            object.str("status", if is_error { "error" } else { "success" });
        }
        Ok(())
    }

    /// Thinking in words and thinking that is encrypted are blocks apart.
    fn reasoning(&self, reasoning: &Reasoning<'_>, blocks: &mut Array<'_>) {
        let text = reasoning.text.as_ref().or(reasoning.summary.as_ref());
        if text.is_some() || reasoning.signature.is_some() {
            let mut block = blocks.object();
            let mut content = block.object("reasoningContent");
            let mut inner = content.object("reasoningText");
            inner.text("text", text.unwrap_or(&Text::default()));
            let signature = reasoning.signature.as_ref().filter(|_| self.signs());
            let marked = signature.map(|signature| mark(reasoning, signature));
            inner.text_if("signature", marked.as_ref());
        }
        if let Some(data) = &reasoning.data
            && self.signs()
        {
            let data = mark(reasoning, data);
            let bytes = redacted::write(&data);
            blocks.object().object("reasoningContent").str("redactedContent", &bytes);
        }
    }

    /// Whether proofs of origin are read by whom they are for.
    fn signs(&self) -> bool {
        matches!(self.reader, Reader::Caller | Reader::Vendor(Family::Claude))
    }
}

fn inexpressible(path: &str) -> Error {
    Error::at(path, What::Inexpressible(Dialect::BedrockConverse))
}

/// A block of this dialect's that other dialects of the gateway take, too: it marks where a cached prefix ends.
pub(super) fn is_cache_point(raw: Raw<'_>) -> bool {
    raw.member("cachePoint").is_some()
}

/// A cache breakpoint inside of a tool's result.
fn inner_breakpoint<'a>(part: &Part<'a>) -> Option<Raw<'a>> {
    match &part.kind {
        PartKind::ToolResult(result) => result.content.iter().rev().find_map(|it| it.cache_control),
        _ => None,
    }
}

/// Writes the block a cache breakpoint becomes.
pub(super) fn write_cache_point(control: Raw<'_>, block: &mut Object<'_>) {
    let mut point = block.object("cachePoint");
    point.str("type", "default");
    let ttl = fields::lenient_text(control, "ttl");
    point.text_if("ttl", ttl.as_ref().filter(|ttl| **ttl == *"5m" || **ttl == *"1h"));
}

/// Writes format and source of what lies in S3. Nothing is fetched from elsewhere.
fn write_stored(
    url: &Text<'_>,
    format_of: fn(&str) -> Option<&'static str>,
    object: &mut Object<'_>,
) -> Result<(), Error> {
    let plain = url.plain();
    let format = format_of(&plain).filter(|_| plain.starts_with("s3://"));
    object.str("format", format.ok_or_else(|| inexpressible("source.url"))?);
    object.object("source").object("s3Location").text("uri", url);
    Ok(())
}

/// A film: its bytes, or where the vendor's own storage keeps it.
fn write_video(source: &Source<'_>, mut video: Object<'_>) -> Result<(), Error> {
    match source {
        Source::Base64 { media_type, data } => {
            let format = video_format(&media_type.plain());
            video.str("format", format.ok_or_else(|| inexpressible("source.media_type"))?);
            video.object("source").text("bytes", data);
        }
        Source::Url(url) => write_stored(url, video_ending, &mut video)?,
        Source::FileId(_) | Source::Plain(_) | Source::Parts(_) => {
            return Err(inexpressible("source"));
        }
    }
    Ok(())
}

fn video_ending(uri: &str) -> Option<&'static str> {
    let (_, ending) = uri.rsplit_once('.')?;
    video_format(&format!("video/{ending}"))
}

fn image_ending(uri: &str) -> Option<&'static str> {
    let (_, ending) = uri.rsplit_once('.')?;
    image_format(&format!("image/{ending}"))
}

fn document_ending(uri: &str) -> Option<&'static str> {
    document_format("", Some(uri))
}

/// Formats of audio the vendor takes.
const AUDIO_FORMATS: &[&str] = &[
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg",
    "mpga", "pcm", "webm",
];

fn write_audio(
    data: &Text<'_>,
    format: Option<&Text<'_>>,
    block: &mut Object<'_>,
) -> Result<(), Error> {
    let known = format.and_then(|format| AUDIO_FORMATS.iter().find(|known| *format == ***known));
    let mut audio = block.object("audio");
    audio.str("format", known.ok_or_else(|| inexpressible("input_audio.format"))?);
    audio.object("source").text("bytes", data);
    Ok(())
}

/// Writes texts as pieces of a document or a search result.
fn write_pieces(parts: &[Part<'_>], mut pieces: Array<'_>) -> Result<(), Error> {
    for part in parts {
        pieces.object().str("text", &plain_text(part)?);
    }
    Ok(())
}

fn plain_text<'p>(part: &'p Part<'_>) -> Result<Cow<'p, str>, Error> {
    match &part.kind {
        PartKind::Text { text, .. } => Ok(text.plain()),
        _ => Err(inexpressible("type").in_element(part.position).in_member("content")),
    }
}
