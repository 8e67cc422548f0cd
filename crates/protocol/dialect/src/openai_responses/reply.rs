//! A response that came in one piece.

use super::item::{Item, read_item};
use super::output::{
    Call, is_signed_alone, write_annotation, write_call, write_message, write_reasoning,
    write_refusal_part, write_text_part,
};
use super::response::{Head, Outcome, read_stop, service_tier, status_of_stop, write_response};
use super::server_tool::write_server_item;
use super::usage::read_usage;
use crate::canonical::{
    Arguments, Choice, Citation, Part, PartKind, Reasoning, Reply, ServerCall, Source, Stop,
    ToolCall,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Array, Cursor, Object, Raw, Text, write_str};
use crate::options::{Notes, ReplyOptions};

/// Reads a reply. Only what makes it useless is an error: a paid answer is not thrown away for an odd member.
pub(super) fn read_reply<'a>(root: Raw<'a>) -> Result<Reply<'a>, Error> {
    let output = fields::array("output", fields::required(root, "output")?)?;
    let mut parts = Vec::new();
    for (position, item) in output.elements().enumerate() {
        read_output_item(item, &mut parts)
            .map_err(|error| error.in_element(position).in_member("output"))?;
    }
    shift_citations(&mut parts);
    let status = fields::lenient_text(root, "status");
    if parts.is_empty() && status.is_some_and(|status| status == *"failed") {
        return Err(Error::at("status", What::Invalid("says that the response failed")));
    }
    let has = |is_such: fn(&PartKind<'_>) -> bool| parts.iter().any(|part| is_such(&part.kind));
    let stop = read_stop(
        root,
        has(|kind| matches!(kind, PartKind::ToolCall(_))),
        has(|kind| matches!(kind, PartKind::Refusal(_))),
    );
    let mut reply = Reply {
        id: fields::lenient_text(root, "id").filter(|id| !id.is_empty()),
        model: fields::lenient_text(root, "model"),
        created: root.member("created_at").and_then(|created| created.as_u64()),
        service_tier: fields::lenient_text(root, "service_tier").filter(|tier| !tier.is_empty()),
        choices: vec![Choice {
            stop: Some(stop),
            logprobs: logprobs(output),
            parts,
            ..Choice::default()
        }],
        ..Reply::default()
    };
    if let Some(usage) = root.member("usage") {
        read_usage(&mut Cursor::new(usage.text().as_bytes()), &mut reply.usage);
    }
    Ok(reply)
}

fn read_output_item<'a>(item: Raw<'a>, parts: &mut Vec<Part<'a>>) -> Result<(), Error> {
    match read_item(item)? {
        Item::Message(_, said) | Item::Assistant(said) => parts.extend(said),
        Item::Picture { media_type, data } => {
            let source = Source::Base64 { media_type, data };
            let kind = PartKind::Image { source, detail: None };
            parts.push(Part { raw: Some(item), ..kind.into() });
        }
        Item::Results(_) | Item::Tools(_) | Item::Own { .. } => {
            parts.push(PartKind::Other(item).into());
        }
    }
    Ok(())
}

/// The log probabilities of the first text that has any.
fn logprobs<'a>(output: Raw<'a>) -> Option<Raw<'a>> {
    let lists = output.elements().flat_map(|item| {
        let content = item.member("content");
        content.into_iter().flat_map(|content| content.elements())
    });
    lists.filter_map(|part| part.member("logprobs")).find(|list| list.elements().next().is_some())
}

/// Ranges count from the beginning of a part here, and from that of the answer everywhere else.
fn shift_citations(parts: &mut [Part<'_>]) {
    let cites = |part: &Part<'_>| matches!(&part.kind, PartKind::Text { citations, .. } if !citations.is_empty());
    if !parts.iter().any(cites) {
        return;
    }
    let mut start = 0;
    for part in parts {
        let PartKind::Text { text, citations } = &mut part.kind else { continue };
        for range in citations.iter_mut().filter_map(|citation| citation.range.as_mut()) {
            *range = (range.0.saturating_add(start), range.1.saturating_add(start));
        }
        start += text.character_count();
    }
}

/// Writes a reply. The dialect knows one answer: the first.
pub(super) fn write_reply(reply: &Reply<'_>, options: &ReplyOptions<'_>, out: &mut Vec<u8>) {
    let nothing = Choice::default();
    let choice = reply.choices.first().unwrap_or(&nothing);
    let stop = choice.stop.as_ref().unwrap_or(&Stop::EndTurn);
    let (fallback_id, fallback_model) = (Text::from(options.id), Text::default());
    let asked_model = options.model.map(Text::from);
    let head = Head {
        id: reply.id.as_ref().unwrap_or(&fallback_id),
        model: asked_model.as_ref().or(reply.model.as_ref()).unwrap_or(&fallback_model),
        created: reply.created.unwrap_or(options.created),
        service_tier: reply.service_tier.as_ref().and_then(service_tier),
    };
    let mut object = Object::new(out);
    let outcome = Outcome::Stopped(stop);
    write_response(&head, &outcome, &reply.usage, &mut object, |out| {
        let id = head.id.plain();
        let notes = options.notes;
        OutputWriter { id: &id, choice, notes, count: 0, characters: 0 }
            .items(stop, Array::new(out));
    });
    object.members(options.trailer);
}

/// Writes the items of an answer.
struct OutputWriter<'w, 'a> {
    /// The response's, from which those of its items are made.
    id: &'w str,
    choice: &'w Choice<'a>,
    notes: &'w Notes,
    /// Items written.
    count: usize,
    /// Characters of the answer's text written.
    characters: u64,
}

impl<'a> OutputWriter<'_, 'a> {
    fn items(mut self, stop: &Stop<'_>, mut array: Array<'_>) {
        let choice = self.choice;
        let parts = &choice.parts[..];
        let mut at = 0;
        while let Some(part) = parts.get(at) {
            let rest = parts.get(at..).unwrap_or_default();
            let taken = match &part.kind {
                PartKind::Text { .. } | PartKind::Refusal(_) => {
                    let said = rest.iter().take_while(|part| is_said(part)).count();
                    let is_last = at + said == parts.len();
                    let status = if is_last { status_of_stop(stop) } else { "completed" };
                    self.message(rest.get(..said).unwrap_or_default(), status, &mut array);
                    said
                }
                PartKind::Reasoning(_) => self.reasoning(rest, &mut array),
                PartKind::ToolCall(call) => self.call(call, &mut array),
                PartKind::ServerCall(call) => self.server_call(call, rest, &mut array),
                PartKind::Image { source: Source::Base64 { media_type, data }, .. } => {
                    self.image(media_type, data, &mut array)
                }
                // The answer of a tool stands in the item of its call; what another dialect has alone, nowhere.
                PartKind::ServerResult(_)
                | PartKind::Image { .. }
                | PartKind::Document { .. }
                | PartKind::Audio { .. }
                | PartKind::Video { .. }
                | PartKind::SearchResult { .. }
                | PartKind::ToolResult(_)
                | PartKind::Other(_) => 1,
            };
            at += taken;
        }
        let transcript = choice.audio.and_then(|audio| fields::lenient_text(audio, "transcript"));
        if let Some(transcript) = transcript {
            self.message(&[Part::text(transcript)], "completed", &mut array);
        }
    }

    fn next_id(&mut self, prefix: &str) -> String {
        let id = item_id(prefix, self.id, self.count);
        self.count += 1;
        id
    }

    fn message(&mut self, parts: &[Part<'_>], status: &str, array: &mut Array<'_>) {
        let id = self.next_id("msg");
        let mut content = Vec::new();
        let mut list = Array::new(&mut content);
        for part in parts {
            match &part.kind {
                PartKind::Text { text, citations } => {
                    self.text(text, citations, list.object());
                }
                PartKind::Refusal(refusal) => {
                    write_refusal_part(&mut list.object(), |out| refusal.write_inner(out));
                }
                _ => {}
            }
        }
        drop(list);
        write_message(&id, status, unbracketed(&content), &mut array.object());
    }

    fn text(&mut self, text: &Text<'_>, citations: &[Citation<'_>], mut object: Object<'_>) {
        let mut annotations = Vec::new();
        let is_first = self.characters == 0;
        // Counting is for citations only.
        if self.choice.parts.iter().any(cites) {
            let length = text.character_count();
            let mut list = Array::new(&mut annotations);
            for citation in citations {
                write_annotation(citation, (self.characters, length), &mut list);
            }
            drop(list);
            self.characters += length;
        }
        write_text_part(unbracketed(&annotations), &mut object, |out| text.write_inner(out));
        match self.choice.logprobs.filter(|_| is_first) {
            Some(list) if list.is_array() => object.raw("logprobs", list),
            Some(logprobs) => match logprobs.member("content") {
                Some(list) => object.raw("logprobs", list),
                None => drop(object.array("logprobs")),
            },
            None => drop(object.array("logprobs")),
        }
    }

    /// One item of all pieces that came with one id; how many parts it took.
    fn reasoning(&mut self, rest: &[Part<'_>], array: &mut Array<'_>) -> usize {
        let pieces = same_item(rest);
        let made_up = self.next_id("rs");
        let id = pieces.iter().find_map(|piece| piece.id.as_ref()).map(Text::plain);
        let mut summary = Vec::new();
        let mut list = Array::new(&mut summary);
        let texts =
            pieces.iter().filter_map(|piece| piece.summary.as_ref().or(piece.text.as_ref()));
        // An empty piece keeps what is signed apart from what is encrypted.
        let nothing = Text::default();
        let signed = pieces.iter().any(|piece| is_signed_alone(piece)).then_some(&nothing);
        for text in texts.chain(signed) {
            let mut part = list.object();
            part.str("type", "summary_text");
            part.text("text", text);
        }
        drop(list);
        let proof = pieces.iter().find(|piece| piece.data.is_some() || piece.signature.is_some());
        write_reasoning(
            id.as_deref().unwrap_or(&made_up),
            "completed",
            unbracketed(&summary),
            proof.copied(),
            &mut array.object(),
        );
        pieces.len()
    }

    fn call(&mut self, call: &ToolCall<'_>, array: &mut Array<'_>) -> usize {
        let id = self.next_id(if call.is_custom { "ctc" } else { "fc" });
        let grouped = self.notes.grouped_tool(&call.name.plain());
        let own_name = grouped.map(|tool| Text::from(&*tool.name));
        let named = Call {
            call_id: &call.id,
            name: own_name.as_ref().unwrap_or(&call.name),
            namespace: grouped.map(|tool| &*tool.namespace),
            is_custom: call.is_custom,
        };
        write_call(&id, "completed", &named, &mut array.object(), |out| match &call.arguments {
            Arguments::Text(text) => text.write_inner(out),
            Arguments::Value(value) => write_str(value.text(), out),
        });
        1
    }

    fn server_call(
        &mut self,
        call: &ServerCall<'_>,
        rest: &[Part<'_>],
        array: &mut Array<'_>,
    ) -> usize {
        let result = rest.iter().find_map(|part| match &part.kind {
            PartKind::ServerResult(result) if result.call_id == call.id => Some(result),
            _ => None,
        });
        self.count += 1;
        write_server_item(call, result, "completed", &mut array.object());
        1
    }

    fn image(&mut self, media_type: &Text<'_>, data: &Text<'_>, array: &mut Array<'_>) -> usize {
        let id = self.next_id("ig");
        write_picture(&id, "completed", media_type, Some(data), &mut array.object());
        1
    }
}

/// Writes a picture; while it is being made there is none.
pub(super) fn write_picture(
    id: &str,
    status: &str,
    media_type: &Text<'_>,
    data: Option<&Text<'_>>,
    item: &mut Object<'_>,
) {
    item.str("id", id);
    item.str("type", "image_generation_call");
    item.str("status", status);
    if let Some(format) = media_type.plain().strip_prefix("image/") {
        item.str("output_format", format);
    }
    match data {
        Some(data) => item.text("result", data),
        None => item.null("result"),
    }
}

fn is_said(part: &Part<'_>) -> bool {
    matches!(part.kind, PartKind::Text { .. } | PartKind::Refusal(_))
}

fn cites(part: &Part<'_>) -> bool {
    matches!(&part.kind, PartKind::Text { citations, .. } if !citations.is_empty())
}

/// The reasoning at the beginning of the parts that belongs to one item: what has the same id, or the first alone.
pub(super) fn same_item<'p, 'a>(parts: &'p [Part<'a>]) -> Vec<&'p Reasoning<'a>> {
    let mut pieces: Vec<&Reasoning<'a>> = Vec::new();
    for part in parts {
        let PartKind::Reasoning(piece) = &part.kind else { break };
        let continues = |first: &&Reasoning<'a>| first.id.is_some() && first.id == piece.id;
        if !pieces.first().is_none_or(continues) {
            break;
        }
        pieces.push(piece);
    }
    pieces
}

/// An id for an item that came without one.
pub(super) fn item_id(prefix: &str, response: &str, number: usize) -> String {
    let response = response.strip_prefix("resp_").unwrap_or(response);
    format!("{prefix}_{response}_{number}")
}

/// The elements of an array that was written, without its brackets.
fn unbracketed(array: &[u8]) -> &[u8] {
    array.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or_default()
}
