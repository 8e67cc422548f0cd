//! A reply that came in one piece.

use super::characters::Characters;
use super::finish::{reason_of_stop, stop_of_reason};
use super::grounding::{Placed, read_citations, write_citations};
use super::media::write_audio;
use super::part::{NameCalls, read_part};
use super::part_write::{Reader, Signed, is_written, sign, write_signed};
use super::spelling::elements;
use super::usage::{read_usage, write_usage};
use crate::Dialect;
use crate::canonical::{Choice, Part, PartKind, Reply, Stop};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Array, Cursor, Object, Raw, Text};
use crate::options::{Notes, ReplyOptions};
use crate::signature::sign_call;

/// Reads a reply; calls get ids made from the reply's, or from `fallback_id`.
pub(crate) fn read_reply<'a>(root: Raw<'a>, fallback_id: &str) -> Result<Reply<'a>, Error> {
    let id = fields::lenient_text(root, "responseId").filter(|id| !id.is_empty());
    let prefix = id.as_ref().map_or_else(|| fallback_id.to_owned(), |id| id.plain().into_owned());
    let mut reply = Reply { id, model: model_version(root), ..Reply::default() };
    if let Some(usage) = root.member("usageMetadata") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
        reply.service_tier = fields::lenient_text(usage, "serviceTier");
    }
    if let Some(candidates) = root.member("candidates") {
        let mut names = CallNames::new(&prefix);
        reply.choices = fields::each("candidates", candidates, |_, candidate| {
            read_candidate(candidate, &mut names)
        })?;
    }
    if reply.choices.is_empty() {
        if !is_blocked(root) {
            return Err(Error::at("candidates", What::Missing));
        }
        reply.choices.push(Choice { stop: Some(Stop::ContentFilter), ..Choice::default() });
    }
    Ok(reply)
}

pub(super) fn model_version<'a>(root: Raw<'a>) -> Option<Text<'a>> {
    fields::lenient_text(root, "modelVersion").filter(|model| !model.is_empty())
}

/// Whether the question was not let through to the model.
pub(super) fn is_blocked(root: Raw<'_>) -> bool {
    root.member("promptFeedback").is_some_and(|feedback| feedback.member("blockReason").is_some())
}

/// Names the calls of a reply: they get an id where they have none, and carry their signature in it.
#[derive(Debug)]
pub(super) struct CallNames<'p> {
    prefix: &'p str,
    /// How many calls there have been.
    pub(super) calls: u32,
}

impl<'p> CallNames<'p> {
    pub(super) fn new(prefix: &'p str) -> Self {
        Self { prefix, calls: 0 }
    }
}

impl<'a> NameCalls<'a> for CallNames<'_> {
    fn call(&mut self, id: Text<'a>, _name: &Text<'a>, signature: Option<Text<'a>>) -> Text<'a> {
        let number = self.calls;
        self.calls += 1;
        let id = if id.is_empty() { format!("call_{}_{number}", self.prefix).into() } else { id };
        match signature {
            Some(signature) => sign_call(&id.plain(), &signature.plain()).into(),
            None => id,
        }
    }

    /// Replies hold no results of the caller's tools.
    fn result(&mut self, id: Text<'a>, _name: &Text<'a>) -> Text<'a> {
        id
    }
}

fn read_candidate<'a>(candidate: Raw<'a>, names: &mut CallNames<'_>) -> Result<Choice<'a>, Error> {
    let parts = candidate.member("content").and_then(|content| content.member("parts"));
    let mut read = Vec::new();
    for (position, part) in parts.iter().flat_map(|parts| elements(*parts)).enumerate() {
        read_part(position, part, names, &mut read)
            .map_err(|error| error.in_element(position).in_member("parts").in_member("content"))?;
    }
    attach_citations(candidate, &mut read);
    let has_calls = read.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
    let reason = fields::lenient_text(candidate, "finishReason").unwrap_or_else(|| "STOP".into());
    Ok(Choice { parts: read, stop: Some(stop_of_reason(reason, has_calls)), ..Choice::default() })
}

/// Places are those of the whole text, so all citations go to its first piece.
fn attach_citations<'a>(candidate: Raw<'a>, parts: &mut [Part<'a>]) {
    if candidate.member("groundingMetadata").is_none()
        && candidate.member("citationMetadata").is_none()
    {
        return;
    }
    let mut text = Characters::default();
    parts.iter().for_each(|part| feed_text(part, &mut text));
    let first = parts.iter_mut().find_map(|part| match &mut part.kind {
        PartKind::Text { citations, .. } => Some(citations),
        _ => None,
    });
    if let Some(citations) = first {
        citations.extend(read_citations(candidate, &text));
    }
}

fn feed_text(part: &Part<'_>, characters: &mut Characters) {
    if let PartKind::Text { text, .. } = &part.kind {
        characters.feed(&text.plain());
    }
}

/// Writes a reply.
pub(crate) fn write_reply(
    reply: &Reply<'_>,
    source: Dialect,
    options: &ReplyOptions<'_>,
    out: &mut Vec<u8>,
) {
    let mut object = Object::new(out);
    let mut candidates = object.array("candidates");
    for (index, choice) in reply.choices.iter().enumerate() {
        let mut candidate = candidates.object();
        write_content(choice, source, &mut candidate);
        let reason = choice.stop.as_ref().map_or("STOP".into(), reason_of_stop);
        candidate.str("finishReason", &reason);
        candidate.u64("index", index as u64);
        write_sources(choice, &mut candidate);
    }
    drop(candidates);
    if reply.usage.reported {
        write_usage(&reply.usage, &mut object.object("usageMetadata"));
    }
    match options.model {
        Some(model) => object.str("modelVersion", model),
        None => object.text("modelVersion", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    object.text("responseId", reply.id.as_ref().unwrap_or(&options.id.into()));
}

fn write_content(choice: &Choice<'_>, source: Dialect, candidate: &mut Object<'_>) {
    let mut content = candidate.object("content");
    let mut array = content.array("parts");
    let is_own_part =
        |part: &Part<'_>| source == Dialect::Gemini && matches!(part.kind, PartKind::Other(_));
    let parts: Vec<&Part<'_>> = choice
        .parts
        .iter()
        .filter(|part| is_written(part, Reader::Caller) || is_own_part(part))
        .collect();
    let mut notes = Notes::default();
    for signed in sign(&parts, Reader::Caller) {
        match signed.part.map(|part| &part.kind) {
            Some(PartKind::Other(raw)) => array.raw(*raw),
            _ => write_answer(&signed, &mut notes, &mut array),
        }
    }
    if let Some(audio) = choice.audio {
        write_spoken(audio, &mut array);
    }
    drop(array);
    content.str("role", "model");
}

/// Only parts that the format can say get here, so nothing is refused.
fn write_answer(signed: &Signed<'_, '_>, notes: &mut Notes, array: &mut Array<'_>) {
    let written = write_signed(signed, notes, array);
    debug_assert!(written.is_ok(), "parts of replies are chosen before: {written:?}");
}

/// A spoken answer and what it says: `{id, data, transcript, expires_at}`.
fn write_spoken(audio: Raw<'_>, array: &mut Array<'_>) {
    let filled = |name| fields::lenient_text(audio, name).filter(|text| !text.is_empty());
    if let Some(transcript) = filled("transcript") {
        array.object().text("text", &transcript);
    }
    if let Some(data) = filled("data") {
        write_audio(&data, None, &mut array.object());
    }
}

fn write_sources(choice: &Choice<'_>, candidate: &mut Object<'_>) {
    let mut text = Characters::default();
    let mut placed: Vec<Placed<'_, '_>> = Vec::new();
    let mut start = 0;
    for part in &choice.parts {
        let PartKind::Text { text: piece, citations } = &part.kind else { continue };
        let end = start + piece.character_count();
        // A citation without a place covers the text it stands at.
        placed.extend(citations.iter().map(|it| (it, it.range.or(Some((start, end))))));
        start = end;
    }
    if !placed.is_empty() {
        choice.parts.iter().for_each(|part| feed_text(part, &mut text));
        write_citations(placed, &text, candidate);
    }
}
