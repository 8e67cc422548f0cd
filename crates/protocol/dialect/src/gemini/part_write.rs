//! Writing the parts of a content.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::media::{is_file, write_audio, write_source};
use super::part::is_about_own_tools;
use crate::Dialect;
use crate::canonical::{Part, PartKind, Reasoning, Source, ToolCall};
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw, Text};
use crate::options::Notes;
use crate::signature::{padded, seal, split_call};

/// For whom parts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// The vendor, who takes no signatures but its own.
    Vendor,
    /// A caller, who brings back later what it gets, so that all signatures go along.
    Caller,
}

/// A part, or an empty text, with the signature it is written with.
pub(super) struct Signed<'p, 'a> {
    pub(super) part: Option<&'p Part<'a>>,
    pub(super) signature: Option<Cow<'p, str>>,
}

/// Puts signatures where the vendor wants them: on thoughts, on texts, on calls. One that stands alone, because other
/// dialects have no place for it on a text, goes to the text before or behind it, or to the call it names.
pub(super) fn sign<'p, 'a>(parts: &[&'p Part<'a>], reader: Reader) -> Vec<Signed<'p, 'a>> {
    let mut signed: Vec<Signed<'p, 'a>> = Vec::with_capacity(parts.len());
    let mut waiting = VecDeque::new();
    for part in parts.iter().copied() {
        let signature = match &part.kind {
            PartKind::Reasoning(reasoning) => match loose_signature(reasoning) {
                Some(_) if names_call(reasoning, parts) => continue,
                Some(signature) => {
                    match signed.last_mut().filter(|last| is_unsigned_text(last)) {
                        Some(text) => text.signature = Some(signature),
                        None => waiting.push_back(signature),
                    }
                    continue;
                }
                None => signature_of_thought(reasoning, reader),
            },
            PartKind::Text { .. } | PartKind::Refusal(_) => waiting.pop_front(),
            PartKind::ToolCall(call) => signature_of_call(call, parts),
            _ => None,
        };
        signed.push(Signed { part: Some(part), signature });
    }
    let rest =
        waiting.into_iter().map(|signature| Signed { part: None, signature: Some(signature) });
    signed.extend(rest);
    signed
}

fn is_unsigned_text(signed: &Signed<'_, '_>) -> bool {
    let is_text =
        |part: &Part<'_>| matches!(part.kind, PartKind::Text { .. } | PartKind::Refusal(_));
    signed.signature.is_none() && signed.part.is_some_and(is_text)
}

/// A signature of Google's that came without the thought, text or call it belongs to.
fn loose_signature<'p>(reasoning: &'p Reasoning<'_>) -> Option<Cow<'p, str>> {
    if !reasoning.is_gemini() || thought_text(reasoning).is_some() {
        return None;
    }
    reasoning.data.as_ref().or(reasoning.signature.as_ref()).map(Text::plain)
}

/// Whether it is the signature of a call that says so by its id.
fn names_call(reasoning: &Reasoning<'_>, parts: &[&Part<'_>]) -> bool {
    let Some(id) = &reasoning.id else { return false };
    parts.iter().any(|part| matches!(&part.kind, PartKind::ToolCall(call) if is_id_of(id, call)))
}

fn is_id_of(id: &Text<'_>, call: &ToolCall<'_>) -> bool {
    split_call(&id.plain()).0 == split_call(&call.id.plain()).0
}

fn signature_of_call<'p>(call: &ToolCall<'_>, parts: &[&'p Part<'_>]) -> Option<Cow<'p, str>> {
    if let (_, Some(signature)) = split_call(&call.id.plain()) {
        return Some(padded(signature).into());
    }
    parts.iter().find_map(|part| match &part.kind {
        PartKind::Reasoning(reasoning)
            if reasoning.id.as_ref().is_some_and(|id| is_id_of(id, call)) =>
        {
            loose_signature(reasoning)
        }
        _ => None,
    })
}

fn signature_of_thought<'p>(reasoning: &'p Reasoning<'_>, reader: Reader) -> Option<Cow<'p, str>> {
    match reader {
        _ if reasoning.is_gemini() => reasoning.signature.as_ref().map(Text::plain),
        Reader::Vendor => None,
        Reader::Caller => seal(reasoning).map(Cow::Owned),
    }
}

fn thought_text<'p, 'a>(reasoning: &'p Reasoning<'a>) -> Option<&'p Text<'a>> {
    let filled = |text: &&Text<'a>| !text.is_empty();
    reasoning.text.as_ref().filter(filled).or(reasoning.summary.as_ref().filter(filled))
}

/// Whether a part becomes one of this dialect at all.
pub(super) fn is_written(part: &Part<'_>, reader: Reader) -> bool {
    match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => !text.is_empty(),
        PartKind::Reasoning(reasoning) => {
            thought_text(reasoning).is_some()
                || loose_signature(reasoning).is_some()
                || (reader == Reader::Caller && !reasoning.is_empty())
        }
        // What another vendor's own tools did has no part here; a paid answer is not refused for it.
        PartKind::ServerCall(_) | PartKind::ServerResult(_) => false,
        PartKind::Other(_) => reader == Reader::Vendor,
        PartKind::Document { source: Source::Plain(_) | Source::Parts(_), .. } => true,
        PartKind::Image { source, .. }
        | PartKind::Video { source }
        | PartKind::Document { source, .. } => reader == Reader::Vendor || is_file(source),
        PartKind::Audio { .. }
        | PartKind::SearchResult { .. }
        | PartKind::ToolCall(_)
        | PartKind::ToolResult(_) => true,
    }
}

/// Writes one part with its signature.
pub(super) fn write_signed(
    signed: &Signed<'_, '_>,
    notes: &mut Notes,
    parts: &mut Array<'_>,
) -> Result<(), Error> {
    let Some(part) = signed.part else {
        let mut object = parts.object();
        object.str("text", "");
        write_signature(signed, &mut object);
        return Ok(());
    };
    match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => {
            let mut object = parts.object();
            object.text("text", text);
            write_signature(signed, &mut object);
        }
        PartKind::Reasoning(reasoning) => {
            let mut object = parts.object();
            object.text("text", thought_text(reasoning).unwrap_or(&Text::default()));
            object.bool("thought", true);
            write_signature(signed, &mut object);
        }
        PartKind::ToolCall(call) => {
            let mut object = parts.object();
            write_call(call, &mut object);
            write_signature(signed, &mut object);
        }
        _ => write_content(part, notes, parts)?,
    }
    Ok(())
}

fn write_signature(signed: &Signed<'_, '_>, object: &mut Object<'_>) {
    if let Some(signature) = &signed.signature {
        object.str("thoughtSignature", signature);
    }
}

/// Writes `functionCall`.
pub(super) fn write_call(call: &ToolCall<'_>, object: &mut Object<'_>) {
    let mut written = object.object("functionCall");
    written.str("id", split_call(&call.id.plain()).0);
    written.text("name", &call.name);
    call.arguments.write_object(written.key("args"));
}

/// Writes a part that bears no signature.
pub(super) fn write_content(
    part: &Part<'_>,
    notes: &mut Notes,
    parts: &mut Array<'_>,
) -> Result<(), Error> {
    match &part.kind {
        PartKind::Text { text, .. } | PartKind::Refusal(text) => parts.object().text("text", text),
        PartKind::Document { source: Source::Plain(text), name } => {
            drop_name(name.as_ref(), notes);
            parts.object().text("text", text);
        }
        PartKind::Document { source: Source::Parts(inner), .. }
        | PartKind::SearchResult { content: inner, .. } => {
            inner.iter().try_for_each(|part| write_content(part, notes, parts))?;
        }
        PartKind::Document { source, name } => {
            drop_name(name.as_ref(), notes);
            write_source(source, "application/pdf", &mut parts.object())?;
        }
        PartKind::Image { source, .. } => {
            write_source(source, "image/jpeg", &mut parts.object())?;
        }
        PartKind::Video { source } => write_source(source, "video/mp4", &mut parts.object())?,
        PartKind::Audio { data, format } => {
            write_audio(data, format.as_ref(), &mut parts.object());
        }
        PartKind::Other(raw) => write_other(*raw, notes)?,
        PartKind::ToolCall(_)
        | PartKind::ToolResult(_)
        | PartKind::ServerCall(_)
        | PartKind::ServerResult(_)
        | PartKind::Reasoning(_) => {}
    }
    Ok(())
}

/// The API of AI Studio refuses names of files.
fn drop_name(name: Option<&Text<'_>>, notes: &mut Notes) {
    if name.is_some() {
        notes.drop("messages[].content[] names of files");
    }
}

/// A part of another vendor: what is about its tools or its cache can be left out, content cannot.
fn write_other(raw: Raw<'_>, notes: &mut Notes) -> Result<(), Error> {
    if raw.member("cachePoint").is_some() {
        notes.drop("messages[].content[].cachePoint");
        return Ok(());
    }
    if is_about_own_tools(raw) {
        notes.drop("messages[].content[] of vendor tools");
        return Ok(());
    }
    Err(Error::at("type", What::Inexpressible(Dialect::Gemini)))
}
