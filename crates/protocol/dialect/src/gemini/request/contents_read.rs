//! Reading contents: who said what. Calls and results may come without ids; then order and names tell which belong
//! together.

use crate::canonical::{Message, Part, PartKind, Reasoning, Role};
use crate::error::{Error, What};
use crate::fields;
use crate::gemini::part::{NameCalls, read_part};
use crate::gemini::spelling::{elements, member};
use crate::json::{Raw, Text};

/// Reads contents in order. It remembers the calls that wait for a result.
#[derive(Default)]
pub(super) struct ContentReader<'a> {
    unanswered: Vec<(Text<'a>, Text<'a>)>,
    /// Where the content stands that is being read, and how many calls it made.
    position: usize,
    calls: usize,
}

impl<'a> ContentReader<'a> {
    /// Reads one content. Results of tools are messages of their own in the common vocabulary, ahead of what else the
    /// user says; a content that says nothing is none.
    pub(super) fn read(
        &mut self,
        position: usize,
        content: Raw<'a>,
        messages: &mut Vec<Message<'a>>,
    ) -> Result<(), Error> {
        if !content.is_object() {
            return Err(Error::new(What::WrongType("an object")));
        }
        (self.position, self.calls) = (position, 0);
        let role = read_role(content)?;
        let (results, said): (Vec<_>, Vec<_>) = read_parts(content, self)?
            .into_iter()
            .partition(|part| matches!(part.kind, PartKind::ToolResult(_)));
        if !results.is_empty() {
            messages.push(message(Role::Tool, results, Some(position)));
        }
        match messages.last_mut() {
            _ if said.is_empty() => {}
            // Clients keep a stream as it came: one content for each piece.
            Some(last) if role == Role::Assistant && last.role == role => last.parts.extend(said),
            _ => messages.push(message(role, said, Some(position))),
        }
        if let Some(last) = messages.last_mut().filter(|last| last.role == Role::Assistant) {
            join_thoughts(&mut last.parts);
        }
        Ok(())
    }
}

/// Another vendor's signature came behind the thought it belongs to, piece by piece; it proves the whole thought.
fn join_thoughts(parts: &mut Vec<Part<'_>>) {
    let Some(sealed) = parts.iter().position(is_bare_signature) else { return };
    let is_piece = |part: &Part<'_>| match &part.kind {
        PartKind::Reasoning(thought) => thought.signature.is_none() && thought.data.is_none(),
        _ => false,
    };
    let before = parts.get(..sealed).unwrap_or_default();
    let begin = before.iter().rposition(|part| !is_piece(part)).map_or(0, |last| last + 1);
    let mut whole = String::new();
    for part in parts.drain(begin..sealed) {
        if let PartKind::Reasoning(Reasoning { text: Some(text), .. }) = part.kind {
            whole.push_str(&text.plain());
        }
    }
    if let Some(Part { kind: PartKind::Reasoning(thought), .. }) = parts.get_mut(begin) {
        // Also where there was no thought to be seen, so that it is not looked at again.
        thought.text = Some(whole.into());
    }
}

fn is_bare_signature(part: &Part<'_>) -> bool {
    match &part.kind {
        PartKind::Reasoning(thought) => {
            thought.signature.is_some() && thought.text.is_none() && !thought.is_gemini()
        }
        _ => false,
    }
}

impl<'a> NameCalls<'a> for ContentReader<'a> {
    /// The signature of a call is the vendor's own affair; others get the request without.
    fn call(&mut self, id: Text<'a>, name: &Text<'a>, _signature: Option<Text<'a>>) -> Text<'a> {
        let id = if id.is_empty() {
            format!("call_{}_{}", self.position, self.calls).into()
        } else {
            id
        };
        self.calls += 1;
        self.unanswered.push((name.clone(), id.clone()));
        id
    }

    fn result(&mut self, id: Text<'a>, name: &Text<'a>) -> Text<'a> {
        if !id.is_empty() {
            self.unanswered.retain(|(_, unanswered)| *unanswered != id);
            return id;
        }
        match self.unanswered.iter().position(|(called, _)| called == name) {
            Some(position) => self.unanswered.remove(position).1,
            // It answers nothing; whoever gets the request says so.
            None => format!("call_{}_{}", self.position, name.plain()).into(),
        }
    }
}

fn read_role(content: Raw<'_>) -> Result<Role, Error> {
    let Some(role) = member(content, "role") else { return Ok(Role::User) };
    match &*fields::text("role", role)?.plain() {
        "" | "user" | "function" | "tool" => Ok(Role::User),
        "model" | "assistant" => Ok(Role::Assistant),
        "system" => Ok(Role::System),
        _ => Err(Error::at("role", What::Invalid("must be user or model"))),
    }
}

fn read_parts<'a>(content: Raw<'a>, names: &mut ContentReader<'a>) -> Result<Vec<Part<'a>>, Error> {
    let mut read = Vec::new();
    let parts = member(content, "parts");
    for (position, part) in parts.iter().flat_map(|parts| elements(*parts)).enumerate() {
        read_part(position, part, names, &mut read)
            .map_err(|error| error.in_element(position).in_member("parts"))?;
    }
    Ok(read)
}

fn message<'a>(role: Role, parts: Vec<Part<'a>>, position: Option<usize>) -> Message<'a> {
    Message { role, parts, cache_control: None, rest: Vec::new(), position }
}

/// `systemInstruction`: a content, whose role does not matter, or a text.
pub(super) fn read_system<'a>(
    system: Raw<'a>,
    messages: &mut Vec<Message<'a>>,
) -> Result<(), Error> {
    let parts = match system.as_text() {
        Some(text) => vec![Part::text(text)],
        None if system.is_object() => read_parts(system, &mut ContentReader::default())?,
        None => return Err(Error::new(What::WrongType("a content"))),
    };
    if !parts.is_empty() {
        messages.push(message(Role::System, parts, None));
    }
    Ok(())
}
