//! A chat completion that came in one piece.

use super::message::{read_part, read_tool_calls, write_refusal};
use super::reasoning::{read_reasoning, write_details, write_plain};
use super::request::write_tool_call;
use super::usage::{read_usage, write_usage};
use crate::canonical::{Choice, Citation, Part, PartKind, Reply, Source, Stop};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Cursor, Object, Raw, Text};
use crate::options::ReplyOptions;

/// Reads a reply; calls without an id get one made from the reply's, or from `fallback_id`. Only what makes it useless is an error: a paid answer is not thrown away for an odd member.
pub(crate) fn read_reply<'a>(root: Raw<'a>, fallback_id: &str) -> Result<Reply<'a>, Error> {
    let choices = fields::array("choices", fields::required(root, "choices")?)?;
    let id = fields::lenient_text(root, "id").filter(|id| !id.is_empty());
    let prefix = id.as_ref().map_or_else(|| fallback_id.to_owned(), |id| id.plain().into_owned());
    let mut reply = Reply {
        id,
        model: fields::lenient_text(root, "model"),
        created: root.member("created").and_then(|created| created.as_u64()),
        service_tier: fields::lenient_text(root, "service_tier").filter(|tier| !tier.is_empty()),
        ..Reply::default()
    };
    for choice in choices.elements() {
        reply.choices.push(read_choice(choice, &prefix)?);
    }
    if reply.choices.is_empty() {
        return Err(Error::at("choices", What::Missing));
    }
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn read_choice<'a>(choice: Raw<'a>, prefix: &str) -> Result<Choice<'a>, Error> {
    let message = choice.member("message").unwrap_or(choice);
    let parts = read_message(message, prefix)?;
    Ok(Choice {
        stop: Some(read_stop(choice, &parts)),
        parts,
        logprobs: choice.member("logprobs"),
        audio: message.member("audio"),
        ..Choice::default()
    })
}

fn read_message<'a>(message: Raw<'a>, prefix: &str) -> Result<Vec<Part<'a>>, Error> {
    let mut parts = read_reasoning(message);
    if let Some(content) = message.member("content") {
        read_answer(content, &mut parts)?;
    }
    attach_citations(message, &mut parts);
    if let Some(refusal) = fields::lenient_text(message, "refusal").filter(|text| !text.is_empty())
    {
        parts.push(PartKind::Refusal(refusal).into());
    }
    if let Some(images) = message.member("images") {
        parts.extend(images.elements().filter_map(|image| read_part(image).ok()));
    }
    parts.extend(read_tool_calls(message, |index| format!("call_{prefix}_{index}"))?);
    Ok(parts)
}

/// `content`: a string; an array of parts; or, at Cloudflare, the object that structured output asked for.
fn read_answer<'a>(content: Raw<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Error> {
    if let Some(text) = content.as_text() {
        if !text.is_empty() {
            parts.push(Part::text(text));
        }
    } else if content.is_array() {
        parts.extend(fields::each("content", content, |_, part| read_part(part))?);
    } else {
        parts.push(Part::text(content.text().into()));
    }
    Ok(())
}

/// `annotations` stand beside the content; each belongs to the text.
fn attach_citations<'a>(message: Raw<'a>, parts: &mut [Part<'a>]) {
    let Some(annotations) = message.member("annotations") else { return };
    let text = parts.iter_mut().find_map(|part| match &mut part.kind {
        PartKind::Text { citations, .. } => Some(citations),
        _ => None,
    });
    let Some(citations) = text else { return };
    citations.extend(annotations.elements().filter_map(read_citation));
}

/// One `url_citation`.
pub(super) fn read_citation<'a>(annotation: Raw<'a>) -> Option<Citation<'a>> {
    let citation = annotation.member("url_citation")?;
    let count = |name| citation.member(name).and_then(|count| count.as_u64());
    Some(Citation {
        url: Some(fields::lenient_text(citation, "url")?),
        title: fields::lenient_text(citation, "title"),
        range: count("start_index").zip(count("end_index")),
        ..Citation::default()
    })
}

fn read_stop<'a>(choice: Raw<'a>, parts: &[Part<'a>]) -> Stop<'a> {
    let reason = fields::lenient_text(choice, "finish_reason").unwrap_or_default();
    settle_stop(
        stop_of_finish_reason(reason),
        parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_))),
        parts.iter().any(|part| matches!(part.kind, PartKind::Refusal(_))),
    )
}

/// What a stop means in view of what was said: OpenAI reports `stop` for a call it was forced to make, and for a
/// refusal.
pub(super) fn settle_stop(stop: Stop<'_>, has_tool_call: bool, has_refusal: bool) -> Stop<'_> {
    match stop {
        Stop::EndTurn if has_tool_call => Stop::ToolUse,
        Stop::EndTurn if has_refusal => Stop::Refusal,
        stop => stop,
    }
}

/// The meaning of `finish_reason`. Empty or missing means that the answer is complete.
pub(crate) fn stop_of_finish_reason(reason: Text<'_>) -> Stop<'_> {
    match &*reason.plain() {
        "" | "stop" | "eos" | "end_turn" => Stop::EndTurn,
        "stop_sequence" => Stop::Sequence,
        "length" | "max_tokens" => Stop::MaxTokens,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => Stop::ToolUse,
        "content_filter" => Stop::ContentFilter,
        "refusal" => Stop::Refusal,
        "pause_turn" => Stop::PauseTurn,
        "compaction" => Stop::Compaction,
        "model_context_window_exceeded" => Stop::ContextWindow,
        _ => Stop::Other(reason),
    }
}

/// The `finish_reason` of a stop.
pub(super) fn finish_reason_of_stop<'a>(stop: &'a Stop<'_>) -> std::borrow::Cow<'a, str> {
    std::borrow::Cow::Borrowed(match stop {
        Stop::EndTurn | Stop::Sequence => "stop",
        Stop::MaxTokens => "length",
        Stop::ToolUse => "tool_calls",
        Stop::ContentFilter => "content_filter",
        Stop::Refusal => "refusal",
        Stop::PauseTurn => "pause_turn",
        Stop::Compaction => "compaction",
        Stop::ContextWindow => "model_context_window_exceeded",
        Stop::Other(name) => return name.plain(),
    })
}

/// Writes a reply.
pub(crate) fn write_reply(reply: &Reply<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.text("id", reply.id.as_ref().unwrap_or(&options.id.into()));
    object.str("object", "chat.completion");
    object.u64("created", reply.created.unwrap_or(options.created));
    match options.model {
        Some(model) => object.str("model", model),
        None => object.text("model", reply.model.as_ref().unwrap_or(&Text::default())),
    }
    let mut choices = object.array("choices");
    for (index, choice) in reply.choices.iter().enumerate() {
        write_choice(choice, index as u64, options.notes.text_joint, choices.object());
    }
    drop(choices);
    if reply.usage.reported {
        write_usage(&reply.usage, &mut object.object("usage"));
    }
    if let Some(tier) = reply.service_tier.as_ref().and_then(service_tier) {
        object.str("service_tier", tier);
    }
    object.members(options.trailer);
}

/// The tier in the words of this dialect, which are a closed list.
fn service_tier(tier: &Text<'_>) -> Option<&'static str> {
    const TIERS: [&str; 5] = ["auto", "default", "flex", "scale", "priority"];
    let tier = tier.plain();
    match &*tier {
        "standard" => Some("default"),
        tier => TIERS.into_iter().find(|known| *known == tier),
    }
}

fn write_choice(choice: &Choice<'_>, index: u64, joint: &str, mut object: Object<'_>) {
    object.u64("index", index);
    write_message(choice, joint, object.object("message"));
    match choice.logprobs {
        // The other dialect of OpenAI gives the list alone.
        Some(list) if list.is_array() => object.object("logprobs").raw("content", list),
        logprobs => object.raw_if("logprobs", logprobs),
    }
    let reason = choice.stop.as_ref().map_or("stop".into(), finish_reason_of_stop);
    object.str("finish_reason", &reason);
}

fn write_message(choice: &Choice<'_>, joint: &str, mut message: Object<'_>) {
    let parts = &choice.parts;
    message.str("role", "assistant");
    write_content(parts, joint, &mut message);
    write_refusal(parts, &mut message);
    write_plain(parts, "reasoning", &mut message);
    write_details(parts, &mut message);
    write_annotations(parts, joint, &mut message);
    write_tool_calls(parts, &mut message);
    write_images(parts, &mut message);
    match choice.audio {
        Some(audio) => message.raw("audio", audio),
        None => write_audio(parts, &mut message),
    }
}

/// Images the model made, as hosts have added them to the dialect.
fn write_images(parts: &[Part<'_>], message: &mut Object<'_>) {
    let mut images = parts.iter().filter_map(|part| match &part.kind {
        PartKind::Image { source: Source::Base64 { media_type, data }, .. } => {
            Some((media_type, data))
        }
        _ => None,
    });
    let Some(first) = images.next() else { return };
    let mut array = message.array("images");
    for (media_type, data) in std::iter::once(first).chain(images) {
        write_image(media_type, data, array.object());
    }
}

/// Writes one image as a `data:` URL.
pub(super) fn write_image(media_type: &Text<'_>, data: &Text<'_>, mut image: Object<'_>) {
    image.str("type", "image_url");
    let mut url = image.object("image_url");
    let out = url.key("url");
    out.extend_from_slice(b"\"data:");
    media_type.write_inner(out);
    out.extend_from_slice(b";base64,");
    data.write_inner(out);
    out.push(b'"');
}

/// A spoken answer of another vendor; it names no id and does not expire.
fn write_audio(parts: &[Part<'_>], message: &mut Object<'_>) {
    let spoken = parts.iter().find_map(|part| match &part.kind {
        PartKind::Audio { data, .. } => Some(data),
        _ => None,
    });
    if let Some(data) = spoken {
        let mut audio = message.object("audio");
        audio.str("id", "");
        audio.text("data", data);
        audio.str("transcript", "");
        audio.u64("expires_at", 0);
    }
}

fn texts<'p, 'a>(
    parts: &'p [Part<'a>],
) -> impl Iterator<Item = (&'p Text<'a>, &'p [Citation<'a>])> {
    parts.iter().filter_map(|part| match &part.kind {
        PartKind::Text { text, citations } => Some((text, &citations[..])),
        _ => None,
    })
}

/// All text as one string: clients of this dialect expect a string.
fn write_content(parts: &[Part<'_>], joint: &str, message: &mut Object<'_>) {
    if texts(parts).next().is_none() {
        return message.null("content");
    }
    let out = message.key("content");
    out.push(b'"');
    for (position, (text, _)) in texts(parts).enumerate() {
        if position > 0 {
            Text::from(joint).write_inner(out);
        }
        text.write_inner(out);
    }
    out.push(b'"');
}

fn write_annotations(parts: &[Part<'_>], joint: &str, message: &mut Object<'_>) {
    if texts(parts).all(|(_, citations)| citations.iter().all(|citation| citation.url.is_none())) {
        return;
    }
    let mut annotations = message.array("annotations");
    let mut start = 0;
    for (text, citations) in texts(parts) {
        let end = start + text.plain().chars().count() as u64;
        for citation in citations {
            let (from, to) = citation.range.unwrap_or((start, end));
            if let Some(url) = &citation.url {
                write_citation(url, citation.title.as_ref(), (from, to), annotations.object());
            }
        }
        start = end + joint.chars().count() as u64;
    }
}

/// Writes one `url_citation`.
pub(super) fn write_citation(
    url: &Text<'_>,
    title: Option<&Text<'_>>,
    range: (u64, u64),
    mut annotation: Object<'_>,
) {
    annotation.str("type", "url_citation");
    let mut citation = annotation.object("url_citation");
    citation.u64("start_index", range.0);
    citation.u64("end_index", range.1);
    citation.text("url", url);
    citation.text("title", title.unwrap_or(&Text::default()));
}

fn write_tool_calls(parts: &[Part<'_>], message: &mut Object<'_>) {
    let mut calls = parts.iter().filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some(call),
        _ => None,
    });
    let Some(first) = calls.next() else { return };
    let mut array = message.array("tool_calls");
    for call in std::iter::once(first).chain(calls) {
        write_tool_call(call, &mut array.object());
    }
}
