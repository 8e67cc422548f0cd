//! Writing the messages of a chat request, and the documents beside them.

use super::write::Writer;
use crate::Dialect;
use crate::canonical::{Message, Part, PartKind, Role, Source, ToolCall, ToolResult};
use crate::cohere_chat::document::write_document;
use crate::cohere_chat::message::write_call;
use crate::cohere_chat::reply::{is_said, write_plan, write_said};
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw};
use crate::openai_chat::{is_about_tools, write_url};

/// A part of a tool result that goes into a message of its own, with the position of the message it came from.
type Carried<'p, 'a> = (Option<usize>, &'p Part<'a>);

impl<'a> Writer<'_, 'a> {
    pub(super) fn messages(&mut self, mut messages: Array<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut carried = Vec::new();
        for message in &request.messages {
            self.breakpoint(message.cache_control);
            if self.says_nothing(message) {
                continue;
            }
            if message.role != Role::Tool {
                self.carried_content(&mut carried, &mut messages)?;
            }
            let written = match message.role {
                Role::Tool => self.tool_results(message, &mut carried, &mut messages),
                Role::Assistant => self.assistant(message, messages.object()),
                Role::System | Role::Developer => self.said("system", message, messages.object()),
                Role::User => self.said("user", message, messages.object()),
            };
            written.map_err(|error| in_message(error, message.position))?;
        }
        self.carried_content(&mut carried, &mut messages)
    }

    /// Whether a message is only about another vendor's tools, or nothing but documents that no message holds.
    fn says_nothing(&mut self, message: &Message<'_>) -> bool {
        let is_foreign = !self.is_own();
        let is_vendors = |part: &Part<'_>| match part.kind {
            PartKind::Other(raw) => {
                is_foreign && (message.role == Role::Assistant || is_about_tools(raw))
            }
            PartKind::ServerCall(_) | PartKind::ServerResult(_) => true,
            _ => false,
        };
        if message.parts.is_empty() {
            return false;
        }
        let is_dropped = message.parts.iter().all(is_vendors);
        if is_dropped {
            self.notes.drop("messages[].content[] of vendor tools");
        }
        let is_listed = self.is_own()
            && message.position.is_none()
            && message.parts.iter().all(|part| part.raw.is_some());
        is_dropped || (message.role == Role::User && is_listed)
    }

    /// System and user messages.
    fn said(
        &mut self,
        role: &str,
        message: &Message<'a>,
        mut object: Object<'_>,
    ) -> Result<(), Error> {
        object.str("role", role);
        let said = message.parts.iter().filter(|part| !self.is_beside(part));
        self.content(&said.collect::<Vec<_>>(), &mut object)?;
        self.message_rest(message, &mut object);
        Ok(())
    }

    /// `content`: a string when it is one plain text, else an array.
    fn content(&mut self, parts: &[&Part<'a>], object: &mut Object<'_>) -> Result<(), Error> {
        match parts {
            [] => object.str("content", ""),
            [Part { kind: PartKind::Text { text, .. }, cache_control, rest, .. }]
                if rest.is_empty() || !self.is_own() =>
            {
                self.breakpoint(*cache_control);
                object.text("content", text);
            }
            parts => {
                let mut array = object.array("content");
                for part in parts {
                    self.part(part, &mut array)
                        .map_err(|error| error.in_element(part.position).in_member("content"))?;
                }
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &Part<'a>, array: &mut Array<'_>) -> Result<(), Error> {
        self.breakpoint(part.cache_control);
        let mut block = match &part.kind {
            PartKind::Text { text, .. } | PartKind::Refusal(text) => {
                let mut block = array.object();
                block.str("type", "text");
                block.text("text", text);
                block
            }
            PartKind::Image { source, detail } => {
                if let Source::FileId(_) | Source::Plain(_) | Source::Parts(_) = source {
                    return Err(inexpressible("source"));
                }
                let mut block = array.object();
                block.str("type", "image_url");
                let mut image = block.object("image_url");
                write_url(source, image.key("url"));
                image.text_if("detail", detail.as_ref());
                drop(image);
                block
            }
            PartKind::Document { .. } | PartKind::SearchResult { .. } => {
                return self.document(part, array);
            }
            PartKind::Other(raw) if self.is_own() => {
                array.raw(*raw);
                return Ok(());
            }
            PartKind::Other(raw) => return self.foreign_part(*raw),
            PartKind::Audio { .. } => return Err(inexpressible("input_audio")),
            PartKind::Video { .. } => return Err(inexpressible("video_url")),
            PartKind::Reasoning(_) | PartKind::ToolCall(_) | PartKind::ToolResult(_) => {
                return Ok(());
            }
            PartKind::ServerCall(_) | PartKind::ServerResult(_) => {
                self.notes.drop("messages[].content[] of vendor tools");
                return Ok(());
            }
        };
        if self.is_own() {
            part.rest.iter().for_each(|(name, value)| block.raw(name, *value));
        }
        Ok(())
    }

    /// A document inside of a tool's result.
    fn document(&mut self, part: &Part<'a>, array: &mut Array<'_>) -> Result<(), Error> {
        if let Some(raw) = part.raw.filter(|_| self.is_own()) {
            array.raw(raw);
            return Ok(());
        }
        let mut block = array.object();
        block.str("type", "document");
        write_document(part, block.object("document"))
    }

    /// A block of another vendor: changes to its tools can be left out, content cannot.
    fn foreign_part(&mut self, raw: Raw<'_>) -> Result<(), Error> {
        if is_about_tools(raw) {
            self.notes.drop("messages[].content[] of vendor tools");
            return Ok(());
        }
        Err(inexpressible("type"))
    }

    fn assistant(&mut self, message: &Message<'a>, mut object: Object<'_>) -> Result<(), Error> {
        object.str("role", "assistant");
        for part in &message.parts {
            self.note_losses(part);
        }
        let parts = &message.parts;
        let has_calls = parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)));
        self.assistant_content(parts, has_calls, &mut object);
        write_plan(parts, &mut object);
        let calls = parts.iter().filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some((part, call)),
            _ => None,
        });
        if has_calls {
            let mut array = object.array("tool_calls");
            calls.for_each(|(part, call)| self.tool_call(part, call, array.object()));
        }
        self.message_rest(message, &mut object);
        Ok(())
    }

    fn note_losses(&mut self, part: &Part<'a>) {
        self.breakpoint(part.cache_control);
        match &part.kind {
            PartKind::Image { .. }
            | PartKind::Document { .. }
            | PartKind::Audio { .. }
            | PartKind::Video { .. }
            | PartKind::SearchResult { .. } => {
                self.notes.drop("messages[].content[] of an assistant");
            }
            PartKind::ServerCall(_) | PartKind::ServerResult(_) => {
                self.notes.drop("messages[].content[] of vendor tools");
            }
            PartKind::Other(_) if !self.is_own() => {
                self.notes.drop("messages[].content[] of vendor tools");
            }
            PartKind::Reasoning(reasoning)
                if reasoning.signature.is_some() || reasoning.data.is_some() =>
            {
                self.notes.drop("messages[].reasoning[].signature");
            }
            PartKind::Text { .. }
            | PartKind::Refusal(_)
            | PartKind::Reasoning(_)
            | PartKind::ToolCall(_)
            | PartKind::ToolResult(_)
            | PartKind::Other(_) => {}
        }
    }

    fn assistant_content(&self, parts: &[Part<'a>], has_calls: bool, object: &mut Object<'_>) {
        let is_own = self.is_own();
        let is_block =
            |part: &&Part<'a>| is_said(part) || (is_own && matches!(part.kind, PartKind::Other(_)));
        let mut blocks = parts.iter().filter(is_block).peekable();
        match (blocks.peek(), parts) {
            (None, _) if has_calls => {}
            (None, _) => object.str("content", ""),
            (_, [Part { kind: PartKind::Text { text, .. }, rest, .. }]) if rest.is_empty() => {
                object.text("content", text);
            }
            _ => {
                let mut array = object.array("content");
                for part in blocks {
                    match part.kind {
                        PartKind::Other(raw) => array.raw(raw),
                        _ => write_said(part, &mut array),
                    }
                }
            }
        }
    }

    fn tool_call(&self, part: &Part<'a>, call: &ToolCall<'a>, mut object: Object<'_>) {
        write_call(call, &mut object);
        if self.is_own() {
            part.rest.iter().for_each(|(name, value)| object.raw(name, *value));
        }
    }

    fn message_rest(&self, message: &Message<'a>, object: &mut Object<'_>) {
        if self.is_own() {
            message.rest.iter().for_each(|(name, value)| object.raw(name, *value));
        }
    }

    /// One message for each result. What is neither text nor a document cannot stand in one: it is carried on in a user
    /// message behind the last result.
    fn tool_results<'p>(
        &mut self,
        message: &'p Message<'a>,
        carried: &mut Vec<Carried<'p, 'a>>,
        messages: &mut Array<'_>,
    ) -> Result<(), Error> {
        for part in &message.parts {
            let PartKind::ToolResult(result) = &part.kind else { continue };
            if result.is_error == Some(true) {
                self.notes.drop("messages[].content[].is_error");
            }
            self.breakpoint(part.cache_control);
            let kept = self.sort_result(result, message.position, carried);
            let mut object = messages.object();
            object.str("role", "tool");
            object.text("tool_call_id", &result.call_id);
            self.content(&kept, &mut object)?;
            self.message_rest(message, &mut object);
        }
        Ok(())
    }

    /// The parts a result can hold; the others go to `carried`.
    fn sort_result<'p>(
        &mut self,
        result: &'p ToolResult<'a>,
        position: Option<usize>,
        carried: &mut Vec<Carried<'p, 'a>>,
    ) -> Vec<&'p Part<'a>> {
        let mut kept = Vec::new();
        for part in &result.content {
            match &part.kind {
                PartKind::Image { .. } | PartKind::Audio { .. } | PartKind::Video { .. } => {
                    carried.push((position, part))
                }
                PartKind::Other(_) if !self.is_own() => {
                    self.notes.drop("messages[].content[].content[] of vendor tools");
                }
                _ => kept.push(part),
            }
        }
        kept
    }

    fn carried_content(
        &mut self,
        carried: &mut Vec<Carried<'_, 'a>>,
        messages: &mut Array<'_>,
    ) -> Result<(), Error> {
        let Some((position, _)) = carried.first().copied() else { return Ok(()) };
        let parts: Vec<&Part<'a>> = carried.drain(..).map(|(_, part)| part).collect();
        let mut object = messages.object();
        object.str("role", "user");
        self.content(&parts, &mut object).map_err(|error| in_message(error, position))
    }

    /// What users gave as documents, in messages or beside them.
    pub(super) fn documents(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let request = self.request;
        let said = request.messages.iter().filter(|message| is_of_caller(message.role));
        let mut documents = said
            .flat_map(|message| message.parts.iter().map(move |part| (message.position, part)))
            .filter(|(_, part)| self.is_beside(part))
            .peekable();
        if documents.peek().is_none() {
            return Ok(());
        }
        let mut array = body.array("documents");
        for (position, part) in documents {
            if let Some(raw) = part.raw.filter(|_| self.is_own()) {
                array.raw(raw);
                continue;
            }
            write_document(part, array.object()).map_err(|error| {
                in_message(error.in_element(part.position).in_member("content"), position)
            })?;
        }
        Ok(())
    }

    /// Whether a part stands among the documents beside the messages: all do but those that this dialect had in a
    /// message already.
    fn is_beside(&self, part: &Part<'_>) -> bool {
        let is_document =
            matches!(part.kind, PartKind::Document { .. } | PartKind::SearchResult { .. });
        let own = part.raw.filter(|_| self.is_own());
        is_document && own.is_none_or(|raw| raw.member("document").is_none())
    }
}

fn is_of_caller(role: Role) -> bool {
    match role {
        Role::System | Role::Developer | Role::User => true,
        Role::Assistant | Role::Tool => false,
    }
}

fn inexpressible(path: &str) -> Error {
    Error::at(path, What::Inexpressible(Dialect::CohereChat))
}

fn in_message(error: Error, position: Option<usize>) -> Error {
    match position {
        Some(position) => error.in_element(position).in_member("messages"),
        None => error.in_member("system"),
    }
}
