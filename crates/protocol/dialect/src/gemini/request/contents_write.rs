//! Writing contents: turns of the user and of the model, one after the other.

use std::borrow::Cow;

use super::write::Writer;
use crate::canonical::{Message, Part, PartKind, Reasoning, Role, Source, ToolResult};
use crate::error::{Error, What};
use crate::gemini::part_write::{Reader, Signed, is_written, sign, write_content, write_signed};
use crate::json::{Array, Index, Object, Raw, Text};
use crate::signature::split_call;

/// What Google names for calls that its model did not make.
const FOREIGN_CALL: &str = "skip_thought_signature_validator";

/// The calls of a conversation up to some turn: id, without signature, and name.
type Calls<'p, 'a> = Vec<(Cow<'p, str>, &'p Text<'a>)>;

impl<'w, 'a> Writer<'w, 'a> {
    pub(super) fn contents(&mut self, mut contents: Array<'_>) -> Result<(), Error> {
        let request = self.request;
        self.note_losses();
        let said: Vec<&Message<'a>> = request
            .messages
            .iter()
            .filter(|message| !is_system(message))
            .filter(|message| message.parts.iter().any(|part| is_said(message.role, part)))
            .collect();
        // Ids may be used again in later turns, so a result answers the last call before it.
        let mut calls = Calls::new();
        for turn in said.chunk_by(|one, next| wire_role(one.role) == wire_role(next.role)) {
            let role = turn.first().map_or("user", |message| wire_role(message.role));
            let mut content = contents.object();
            content.str("role", role);
            let parts = content.array("parts");
            if role == "model" {
                calls.extend(turn.iter().flat_map(|message| calls_of(message)));
                self.model_turn(turn, parts)?;
            } else {
                self.user_turn(turn, &calls, parts)?;
            }
        }
        Ok(())
    }

    /// All system messages as one content, wherever they stood.
    pub(super) fn system(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let request = self.request;
        let systems = || request.messages.iter().filter(|message| is_system(message));
        let is_empty = !systems()
            .flat_map(|message| &message.parts)
            .any(|part| is_written(part, Reader::Vendor));
        if is_empty {
            return Ok(());
        }
        let mut system = body.object("systemInstruction");
        let mut parts = system.array("parts");
        for message in systems() {
            for part in message.parts.iter().filter(|part| is_written(part, Reader::Vendor)) {
                write_content(part, self.notes, &mut parts)
                    .map_err(|error| in_part(error, message, part))?;
            }
        }
        Ok(())
    }

    /// What has no place in this dialect and goes without changing the question.
    fn note_losses(&mut self) {
        let messages = &self.request.messages;
        let parts = || messages.iter().flat_map(|message| &message.parts);
        let sets_breakpoint = |part: &Part<'_>| part.cache_control.is_some();
        if parts().any(sets_breakpoint) || messages.iter().any(|it| it.cache_control.is_some()) {
            self.notes.drop("cache_control");
        }
        let thoughts = || {
            parts().filter_map(|part| match &part.kind {
                PartKind::Reasoning(reasoning) => Some(reasoning),
                _ => None,
            })
        };
        let is_sealed = |it: &Reasoning<'_>| it.signature.is_some() || it.data.is_some();
        let is_foreign = |message: &Message<'_>| {
            let is_other = |part: &Part<'_>| {
                matches!(
                    part.kind,
                    PartKind::ServerCall(_) | PartKind::ServerResult(_) | PartKind::Other(_)
                )
            };
            message.role == Role::Assistant && message.parts.iter().any(is_other)
        };
        if messages.iter().any(is_foreign) {
            self.notes.drop("messages[].content[] of vendor tools");
        }
        if thoughts().any(|thought| is_sealed(thought) && !thought.is_gemini()) {
            self.notes.drop("messages[].reasoning signed by another vendor");
        }
    }

    fn model_turn(&mut self, turn: &[&Message<'a>], mut array: Array<'_>) -> Result<(), Error> {
        let parts: Vec<&Part<'a>> = turn
            .iter()
            .flat_map(|message| &message.parts)
            .filter(|part| is_said(Role::Assistant, part))
            .collect();
        let mut signed = sign(&parts, Reader::Vendor);
        if self.target.signed_calls {
            sign_first_call(&mut signed);
        }
        for signed in &signed {
            write_signed(signed, self.notes, &mut array).map_err(|error| {
                let message = turn.iter().find(|message| holds(message, signed.part));
                match message.zip(signed.part) {
                    Some((message, part)) => in_part(error, message, part),
                    None => error,
                }
            })?;
        }
        Ok(())
    }

    /// Results come first, in the order of the calls, then the files they brought, then what the user says.
    fn user_turn(
        &mut self,
        turn: &[&Message<'a>],
        calls: &Calls<'_, 'a>,
        mut array: Array<'_>,
    ) -> Result<(), Error> {
        let mut results = Vec::new();
        for message in turn.iter().filter(|message| message.role == Role::Tool) {
            for part in &message.parts {
                if let PartKind::ToolResult(result) = &part.kind {
                    let call = call_of(result, message, calls)
                        .map_err(|error| in_part(error, message, part))?;
                    results.push((call, *message, part, result));
                }
            }
        }
        results.sort_by_key(|((position, _), ..)| *position);
        let mut files = Vec::new();
        for ((_, name), message, part, result) in results {
            let beside = self
                .result(result, &name, array.object())
                .map_err(|error| in_part(error, message, part))?;
            files.extend(beside.into_iter().map(|part| (message, part)));
        }
        for (message, part) in files {
            write_content(part, self.notes, &mut array)
                .map_err(|error| in_part(error, message, part))?;
        }
        for message in turn.iter().filter(|message| message.role != Role::Tool) {
            for part in message.parts.iter().filter(|part| is_written(part, Reader::Vendor)) {
                write_content(part, self.notes, &mut array)
                    .map_err(|error| in_part(error, message, part))?;
            }
        }
        Ok(())
    }

    /// Writes one result. Files go into it where the model takes them there; else they are returned.
    fn result<'p>(
        &mut self,
        result: &'p ToolResult<'a>,
        name: &Text<'_>,
        mut part: Object<'_>,
    ) -> Result<Vec<&'p Part<'a>>, Error> {
        let (mut texts, mut files) = (Vec::new(), Vec::new());
        for part in &result.content {
            self.sort_content(part, &mut texts, &mut files);
        }
        let mut response = part.object("functionResponse");
        response.str("id", split_call(&result.call_id.plain()).0);
        response.text("name", name);
        write_response(&texts, result.is_error == Some(true), response.key("response"));
        if !self.target.media_in_results || files.is_empty() {
            return Ok(files);
        }
        let mut parts = response.array("parts");
        for file in files {
            write_content(file, self.notes, &mut parts)?;
        }
        Ok(Vec::new())
    }

    /// Texts, and what is none.
    fn sort_content<'p>(
        &mut self,
        part: &'p Part<'a>,
        texts: &mut Vec<&'p Text<'a>>,
        files: &mut Vec<&'p Part<'a>>,
    ) {
        match &part.kind {
            PartKind::Text { text, .. }
            | PartKind::Refusal(text)
            | PartKind::Document { source: Source::Plain(text), .. } => texts.push(text),
            PartKind::SearchResult { content, .. }
            | PartKind::Document { source: Source::Parts(content), .. } => {
                content.iter().for_each(|part| self.sort_content(part, texts, files));
            }
            PartKind::ServerCall(_) | PartKind::ServerResult(_) | PartKind::Other(_) => {
                self.notes.drop("messages[].content[].content[] of vendor tools");
            }
            PartKind::Image { .. }
            | PartKind::Document { .. }
            | PartKind::Audio { .. }
            | PartKind::Video { .. }
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::Reasoning(_) => files.push(part),
        }
    }
}

fn is_system(message: &Message<'_>) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Whether a part of a message is written. An answer that cannot be said again is left out.
fn is_said(role: Role, part: &Part<'_>) -> bool {
    let is_foreign_answer = role == Role::Assistant && matches!(part.kind, PartKind::Other(_));
    !is_foreign_answer && is_written(part, Reader::Vendor)
}

fn wire_role(role: Role) -> &'static str {
    match role {
        Role::Assistant => "model",
        Role::User | Role::Tool | Role::System | Role::Developer => "user",
    }
}

fn holds(message: &Message<'_>, part: Option<&Part<'_>>) -> bool {
    part.is_some_and(|part| message.parts.iter().any(|held| std::ptr::eq(held, part)))
}

fn calls_of<'p, 'a>(
    message: &'p Message<'a>,
) -> impl Iterator<Item = (Cow<'p, str>, &'p Text<'a>)> {
    message.parts.iter().filter_map(|part| match &part.kind {
        PartKind::ToolCall(call) => Some((bare_id(&call.id), &call.name)),
        _ => None,
    })
}

fn bare_id<'p>(id: &'p Text<'_>) -> Cow<'p, str> {
    match id.plain() {
        Cow::Borrowed(id) => Cow::Borrowed(split_call(id).0),
        Cow::Owned(id) => Cow::Owned(split_call(&id).0.to_owned()),
    }
}

/// The position and the name of the call a result answers: results must name their function here.
fn call_of<'p, 'a>(
    result: &ToolResult<'a>,
    message: &'p Message<'a>,
    calls: &Calls<'p, 'a>,
) -> Result<(usize, Cow<'p, Text<'a>>), Error> {
    let id = bare_id(&result.call_id);
    if let Some(position) = calls.iter().rposition(|(call, _)| *call == id) {
        return Ok((position, Cow::Borrowed(calls[position].1)));
    }
    let named = message.rest.iter().find(|(name, _)| name == "name");
    match named.and_then(|(_, name)| name.as_text()) {
        Some(name) => Ok((calls.len(), Cow::Owned(name))),
        None => Err(Error::at("tool_call_id", What::Invalid("must be the id of an earlier call"))),
    }
}

/// The first call of a turn must be signed.
fn sign_first_call(signed: &mut [Signed<'_, '_>]) {
    let is_call = |signed: &&mut Signed<'_, '_>| {
        signed.part.is_some_and(|part| matches!(part.kind, PartKind::ToolCall(_)))
    };
    if let Some(first) = signed.iter_mut().find(is_call) {
        first.signature.get_or_insert(FOREIGN_CALL.into());
    }
}

/// `response` must be an object: by convention with `output` or `error`. An output that is an object itself stands for
/// itself, unless it could be taken for that convention.
fn write_response(texts: &[&Text<'_>], is_error: bool, out: &mut Vec<u8>) {
    let name = if is_error { "error" } else { "output" };
    if let [text] = texts {
        let plain = text.plain();
        let mut index = Index::new();
        let value = Some(&plain)
            .filter(|plain| plain.starts_with(['{', '[']) && plain.ends_with(['}', ']']));
        match value.and_then(|plain| index.read(plain.as_bytes()).ok()) {
            Some(value) if value.is_object() && !is_error && !is_convention(value) => {
                out.extend_from_slice(value.text().as_bytes());
            }
            Some(value) => Object::new(out).raw(name, value),
            None => Object::new(out).str(name, &plain),
        }
        return;
    }
    let mut object = Object::new(out);
    let out = object.key(name);
    out.push(b'"');
    for (position, text) in texts.iter().enumerate() {
        if position > 0 {
            out.extend_from_slice(b"\\n");
        }
        text.write_inner(out);
    }
    out.push(b'"');
}

fn is_convention(value: Raw<'_>) -> bool {
    let mut members = value.members();
    let first = members.next().is_some_and(|(name, _)| name == "output" || name == "error");
    first && members.next().is_none()
}

fn in_part(error: Error, message: &Message<'_>, part: &Part<'_>) -> Error {
    let error = error.in_element(part.position).in_member("content");
    match message.position {
        Some(position) => error.in_element(position).in_member("messages"),
        None => error.in_member("system"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_become_objects() {
        let cases: &[(&[&'static str], bool, &str)] = &[
            (&["40 C"], false, r#"{"output":"40 C"}"#),
            (&["40 C"], true, r#"{"error":"40 C"}"#),
            (&[r#"{"a": 1}"#], false, r#"{"a": 1}"#),
            (&[r#"{"a": 1}"#], true, r#"{"error":{"a": 1}}"#),
            (&[r#"{"error":"x"}"#], false, r#"{"output":{"error":"x"}}"#),
            (&["[1,2]"], false, r#"{"output":[1,2]}"#),
            (&["[1,2"], false, r#"{"output":"[1,2"}"#),
            (&["5"], false, r#"{"output":"5"}"#),
            (&["a", "b"], false, r#"{"output":"a\nb"}"#),
            (&[], false, r#"{"output":""}"#),
        ];
        for (texts, is_error, expected) in cases {
            let texts: Vec<Text<'_>> = texts.iter().map(|text| Text::from(*text)).collect();
            let mut out = Vec::new();
            write_response(&texts.iter().collect::<Vec<_>>(), *is_error, &mut out);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), *expected);
        }
    }
}
