//! Writing the messages of a chat completions request.

use super::write::Writer;
use crate::canonical::{Arguments, Message, Part, PartKind, Role, Source, ToolCall, ToolResult};
use crate::error::Error;
use crate::fields;
use crate::json::{Array, Object, Raw, write_str};
use crate::openai_chat::message::write_refusal;
use crate::openai_chat::reasoning::{write_details, write_plain};
use crate::options::ReasoningReplay;

/// A part of a tool result that goes into a message of its own, with the position of the message it came from.
type Carried<'p, 'a> = (Option<usize>, &'p Part<'a>);

impl<'a> Writer<'_, 'a> {
    pub(super) fn messages(&mut self, mut messages: Array<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut carried = Vec::new();
        for message in &request.messages {
            if self.says_nothing(message) {
                self.notes.drop("messages[].content[] of vendor tools");
                continue;
            }
            if message.role != Role::Tool {
                self.carried_content(&mut carried, &mut messages)?;
            }
            let written = match message.role {
                Role::Tool => self.tool_results(message, &mut carried, &mut messages),
                Role::Assistant => self.assistant(message, messages.object()),
                Role::System | Role::Developer | Role::User => {
                    self.said(message, messages.object())
                }
            };
            written.map_err(|error| request.in_message(error, message.position))?;
        }
        self.carried_content(&mut carried, &mut messages)
    }

    /// Whether a message is only about another vendor's tools.
    fn says_nothing(&self, message: &Message<'_>) -> bool {
        let is_left_out = |part: &Part<'_>| match part.kind {
            PartKind::Other(raw) => {
                !self.is_own() && (message.role == Role::Assistant || is_about_tools(raw))
            }
            PartKind::ServerCall(_) | PartKind::ServerResult(_) => true,
            _ => false,
        };
        !message.parts.is_empty() && message.parts.iter().all(is_left_out)
    }

    /// System and user messages.
    fn said(&mut self, message: &Message<'a>, mut object: Object<'_>) -> Result<(), Error> {
        object.str("role", role_name(message.role));
        self.content(&message.parts.iter().collect::<Vec<_>>(), &mut object)?;
        self.message_rest(message, &mut object);
        Ok(())
    }

    fn assistant(&mut self, message: &Message<'a>, mut object: Object<'_>) -> Result<(), Error> {
        object.str("role", "assistant");
        let is_own = self.is_own();
        let has_thinking_parts = self.target.reasoning_replay == ReasoningReplay::Parts;
        let is_said = |part: &&Part<'a>| match &part.kind {
            PartKind::Text { .. } => true,
            PartKind::Other(_) => is_own,
            PartKind::Reasoning(reasoning) if has_thinking_parts && part.raw.is_none() => {
                reasoning.text.is_some() || reasoning.summary.is_some()
            }
            _ => is_own && part.raw.is_some(),
        };
        let said: Vec<&Part<'a>> = message.parts.iter().filter(is_said).collect();
        if said.is_empty()
            && message.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall(_)))
        {
            object.null("content");
        } else {
            self.content(&said, &mut object)?;
        }
        for part in &message.parts {
            match &part.kind {
                PartKind::Other(_) if !is_own => {
                    self.notes.drop("messages[].content[] of vendor tools");
                }
                PartKind::ServerCall(_) | PartKind::ServerResult(_) => {
                    self.notes.drop("messages[].content[] of vendor tools");
                }
                PartKind::Image { .. }
                | PartKind::Document { .. }
                | PartKind::Audio { .. }
                | PartKind::Video { .. } => {
                    self.notes.drop("messages[].content[] of an assistant");
                }
                _ => {}
            }
        }
        write_refusal(&message.parts, &mut object);
        self.replay(&message.parts, &mut object);
        self.tool_calls(&message.parts, &mut object);
        self.message_rest(message, &mut object);
        Ok(())
    }

    fn replay(&mut self, parts: &[Part<'a>], object: &mut Object<'_>) {
        // What stands among the content in this dialect has been written there.
        if self.is_own() && parts.iter().any(|part| part.raw.is_some()) {
            return;
        }
        let has_reasoning = parts.iter().any(|part| matches!(part.kind, PartKind::Reasoning(_)));
        match self.target.reasoning_replay {
            ReasoningReplay::Omit if has_reasoning => self.notes.drop("messages[].reasoning"),
            // Written among the content, but for what is encrypted.
            ReasoningReplay::Parts if parts.iter().any(is_encrypted) => {
                self.notes.drop("messages[].reasoning");
            }
            ReasoningReplay::Omit | ReasoningReplay::Parts => {}
            ReasoningReplay::ReasoningContent => write_plain(parts, "reasoning_content", object),
            ReasoningReplay::Reasoning => write_plain(parts, "reasoning", object),
            ReasoningReplay::Details => {
                write_plain(parts, "reasoning", object);
                write_details(parts, object);
            }
        }
    }

    fn tool_calls(&mut self, parts: &[Part<'a>], object: &mut Object<'_>) {
        let mut calls = parts.iter().filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some((part, call)),
            _ => None,
        });
        let Some(first) = calls.next() else { return };
        let mut array = object.array("tool_calls");
        for (part, call) in std::iter::once(first).chain(calls) {
            let mut object = array.object();
            write_tool_call(call, &mut object);
            if self.is_own() {
                part.rest.iter().for_each(|(name, value)| object.raw(name, *value));
            }
            self.part_cache_control(part, &mut object);
        }
    }

    fn message_rest(&mut self, message: &Message<'a>, object: &mut Object<'_>) {
        if self.is_own() {
            message.rest.iter().for_each(|(name, value)| object.raw(name, *value));
        }
        if self.target.cache_control {
            object.raw_if("cache_control", message.cache_control);
        }
    }

    pub(super) fn part_cache_control(&self, part: &Part<'a>, object: &mut Object<'_>) {
        if self.target.cache_control {
            object.raw_if("cache_control", part.cache_control);
        }
    }

    /// One message for each result. What is not text cannot stand in one: it is carried on in a user message behind
    /// the last result.
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
            let texts = self.sort_result(result, message.position, carried);
            let mut object = messages.object();
            object.str("role", "tool");
            object.text("tool_call_id", &result.call_id);
            self.content(&texts, &mut object)?;
            self.message_rest(message, &mut object);
            self.part_cache_control(part, &mut object);
        }
        Ok(())
    }

    /// The text parts of a result; the others go to `carried`.
    fn sort_result<'p>(
        &mut self,
        result: &'p ToolResult<'a>,
        position: Option<usize>,
        carried: &mut Vec<Carried<'p, 'a>>,
    ) -> Vec<&'p Part<'a>> {
        let mut texts = Vec::new();
        for part in &result.content {
            match &part.kind {
                PartKind::Text { .. } | PartKind::Refusal(_) => texts.push(part),
                PartKind::SearchResult { content, .. } => texts.extend(content),
                PartKind::Document { source: Source::Plain(_), .. } => texts.push(part),
                PartKind::Document { source: Source::Parts(parts), .. } => texts.extend(parts),
                PartKind::Other(_) if !self.is_own() => {
                    self.notes.drop("messages[].content[].content[] of vendor tools");
                }
                _ => carried.push((position, part)),
            }
        }
        texts
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
        self.content(&parts, &mut object).map_err(|error| self.request.in_message(error, position))
    }
}

fn is_encrypted(part: &Part<'_>) -> bool {
    matches!(&part.kind, PartKind::Reasoning(reasoning) if reasoning.data.is_some())
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// Blocks that change what the vendor's tools offer or how it caches, and say nothing.
pub(crate) fn is_about_tools(raw: Raw<'_>) -> bool {
    raw.member("cachePoint").is_some()
        || fields::lenient_text(raw, "type").is_some_and(|kind| kind == *"tool_addition")
}

/// Writes one element of `tool_calls`, without `index`.
pub(crate) fn write_tool_call(call: &ToolCall<'_>, object: &mut Object<'_>) {
    object.text("id", &call.id);
    if call.is_custom {
        object.str("type", "custom");
        let mut custom = object.object("custom");
        custom.text("name", &call.name);
        custom.str("input", &call.arguments.plain());
        return;
    }
    object.str("type", "function");
    let mut function = object.object("function");
    function.text("name", &call.name);
    write_arguments(&call.arguments, function.key("arguments"));
}

/// Arguments are JSON inside a JSON string.
fn write_arguments(arguments: &Arguments<'_>, out: &mut Vec<u8>) {
    match arguments {
        Arguments::Text(text) => text.write(out),
        Arguments::Value(value) => {
            out.push(b'"');
            write_str(value.text(), out);
            out.push(b'"');
        }
    }
}
