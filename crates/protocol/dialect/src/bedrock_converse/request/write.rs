//! Writing a Converse request: messages and tools. The settings are written in `write_settings`.

use std::collections::BTreeSet;

use crate::Dialect;
use crate::bedrock_converse::block_write::{
    BlockWriter, Reader, is_cache_point, write_cache_point,
};
use crate::bedrock_converse::model::{Family, takes_schema};
use crate::bedrock_converse::names::{DocumentNames, tool_name};
use crate::canonical::{
    FunctionTool, Message, OutputFormat, Part, PartKind, Request, Role, Schema, Tool, ToolChoice,
};
use crate::effort::{self, Thinking};
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw, Text};
use crate::options::{Notes, RequestOptions};

/// Prefix of the tool that stands in for structured output.
const STRUCTURED_TOOL_PREFIX: &str = "bf_so_";

/// Name of the schema when it came without one.
const SCHEMA_NAME: &str = "response";

/// What the stand-in tool tells the model.
const STRUCTURED_TOOL_DESCRIPTION: &str = "Give the answer in this form.";

/// The schema of a tool without parameters.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes a request body.
pub(crate) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut writer = Writer::new(request, options, notes)?;
    let mut body = Object::new(out);
    writer.system(&mut body)?;
    writer.messages(body.array("messages"))?;
    writer.inference_config(&mut body);
    writer.tool_config(&mut body)?;
    writer.output_config(&mut body);
    writer.additional(&mut body);
    writer.rest(&mut body);
    Ok(())
}

pub(super) struct Writer<'w, 'a> {
    pub(super) request: &'w Request<'a>,
    pub(super) options: &'w RequestOptions<'w>,
    pub(super) family: Family,
    /// The model follows JSON schemas.
    pub(super) takes_schema: bool,
    /// What to ask Claude for.
    pub(super) thinking: Option<Thinking<'a>>,
    pub(super) notes: &'w mut Notes,
}

/// The tool that stands in for structured output.
struct StandIn<'w, 'a> {
    name: String,
    schema: Option<&'w Schema<'a>>,
}

impl<'w, 'a> Writer<'w, 'a> {
    fn new(
        request: &'w Request<'a>,
        options: &'w RequestOptions<'w>,
        notes: &'w mut Notes,
    ) -> Result<Self, Error> {
        let family = Family::of(options.model);
        let limit = request.output_tokens_max.unwrap_or(u64::from(options.max_tokens_default));
        let is_own = request.source == Dialect::BedrockConverse;
        let is_adaptive_only = options.anthropic.adaptive_thinking_only;
        let thinking = match &request.reasoning {
            Some(ask) if family == Family::Claude && !is_own => {
                effort::anthropic_thinking(ask, limit, is_adaptive_only)?
            }
            _ => None,
        };
        let takes_schema = takes_schema(options.model);
        Ok(Self { request, options, family, takes_schema, thinking, notes })
    }

    pub(super) fn is_own(&self) -> bool {
        self.request.source == Dialect::BedrockConverse
    }

    fn blocks(&mut self) -> BlockWriter<'_> {
        BlockWriter {
            source: self.request.source,
            reader: Reader::Vendor(self.family),
            documents: DocumentNames::default(),
            notes: self.notes,
        }
    }

    /// All system messages as one list, wherever they stood.
    fn system(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut blocks = self.blocks();
        let is_system = |message: &&Message<'_>| is_system_prompt(message, request.source);
        let messages: Vec<_> = request.messages.iter().filter(is_system).collect();
        if !messages.iter().any(|message| is_written(message, &blocks)) {
            return Ok(());
        }
        let mut array = body.array("system");
        for message in messages {
            let is_text = |part: &&Part<'_>| match part.kind {
                PartKind::Text { .. } | PartKind::Refusal(_) => true,
                PartKind::Other(raw) => is_cache_point(raw),
                _ => false,
            };
            if request.source != Dialect::BedrockConverse
                && let Some(part) = message.parts.iter().find(|part| !is_text(part))
            {
                let what = What::Inexpressible(Dialect::BedrockConverse);
                return Err(in_part(Error::at("type", what), message, part));
            }
            write_message_parts(message, message.cache_control, &mut blocks, &mut array)?;
        }
        Ok(())
    }

    fn messages(&mut self, mut array: Array<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut blocks = self.blocks();
        let said: Vec<&Message<'a>> = request
            .messages
            .iter()
            .filter(|message| !is_system_prompt(message, request.source))
            .filter(|message| is_written(message, &blocks))
            .collect();
        let is_own = request.source == Dialect::BedrockConverse;
        let is_same_turn = |one: &&Message<'_>, next: &&Message<'_>| {
            wire_role(one.role) == wire_role(next.role)
                && (!is_own || one.position == next.position)
        };
        let turns = said.chunk_by(is_same_turn);
        let last = turns.clone().count().saturating_sub(1);
        for (position, turn) in turns.enumerate() {
            let mut object = array.object();
            object.str("role", turn.first().map_or("user", |message| wire_role(message.role)));
            let mut content = object.array("content");
            write_turn(turn, &mut blocks, &mut content)?;
            // A breakpoint for the request as a whole is one after its last block.
            let has_own = turn.last().is_some_and(|message| ends_with_breakpoint(message));
            if let Some(control) = request.cache_control.filter(|_| position == last && !has_own) {
                write_cache_point(control, &mut content.object());
            }
        }
        Ok(())
    }

    fn tool_config(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut kept: Vec<&Tool<'_>> = Vec::new();
        for (position, tool) in request.tools.iter().enumerate() {
            match tool {
                Tool::Vendor { kind, .. } if !self.is_own() => {
                    self.foreign_tool(&kind.plain(), position)?;
                }
                Tool::Hosted(hosted) if !self.is_own() => {
                    self.foreign_tool(&hosted.kind.plain(), position)?;
                }
                Tool::Custom(_) => self.foreign_tool("custom", position)?,
                Tool::Function(_) | Tool::Hosted(_) | Tool::Vendor { .. } => kept.push(tool),
            }
        }
        let stand_in = self.stand_in();
        let synthesised = if kept.is_empty() { self.tools_of_history() } else { BTreeSet::new() };
        if kept.is_empty() && synthesised.is_empty() && stand_in.is_none() {
            return Ok(());
        }
        let mut config = body.object("toolConfig");
        let mut array = config.array("tools");
        kept.iter().for_each(|tool| self.tool(tool, &mut array));
        for name in &synthesised {
            write_tool_spec(name, None, NO_PARAMETERS, &mut array.object().object("toolSpec"));
        }
        if let Some(StandIn { name, schema }) = &stand_in {
            let schema = schema.map_or(NO_PARAMETERS, |schema| schema.text());
            let description = Text::from(STRUCTURED_TOOL_DESCRIPTION);
            let mut tool = array.object();
            write_tool_spec(name, Some(&description), schema, &mut tool.object("toolSpec"));
        }
        drop(array);
        match stand_in {
            Some(stand_in) => self.force(stand_in.name, &mut config),
            None => self.tool_choice(&kept, &mut config),
        }
        Ok(())
    }

    /// A tool of another vendor: what that vendor runs itself can be left out, what the caller runs cannot.
    fn foreign_tool(&mut self, kind: &str, position: usize) -> Result<(), Error> {
        let is_run_by_caller = ["custom", "computer_", "bash_", "text_editor_", "memory_"]
            .iter()
            .any(|head| kind.starts_with(head));
        if is_run_by_caller {
            let what = What::Inexpressible(Dialect::BedrockConverse);
            return Err(Error::at("type", what).in_element(position).in_member("tools"));
        }
        self.notes.drop(&format!("tools[].{kind}"));
        Ok(())
    }

    /// The names of all tools that were called: the vendor refuses calls in a conversation without tools.
    fn tools_of_history(&self) -> BTreeSet<String> {
        let parts = self.request.messages.iter().flat_map(|message| &message.parts);
        parts
            .filter_map(|part| match &part.kind {
                PartKind::ToolCall(call) => Some(tool_name(&call.name.plain()).into_owned()),
                _ => None,
            })
            .collect()
    }

    /// The tool that stands in for structured output where the model has none.
    fn stand_in(&self) -> Option<StandIn<'w, 'a>> {
        let request = self.request;
        match &request.output_format {
            Some(OutputFormat::JsonSchema { name, schema, .. })
                if !self.takes_schema && !self.is_own() =>
            {
                let name = name.as_ref().map_or(SCHEMA_NAME.into(), Text::plain);
                let name = tool_name(&format!("{STRUCTURED_TOOL_PREFIX}{name}")).into_owned();
                Some(StandIn { name, schema: schema.as_ref() })
            }
            _ => None,
        }
    }

    fn tool(&mut self, tool: &Tool<'_>, array: &mut Array<'_>) {
        let tool: &FunctionTool<'_> = match tool {
            Tool::Vendor { raw, .. } => return array.raw(*raw),
            Tool::Hosted(hosted) => return array.raw(hosted.raw),
            Tool::Custom(_) => return,
            Tool::Function(tool) => tool,
        };
        let mut object = array.object();
        let mut spec = object.object("toolSpec");
        let name = tool.name.plain();
        let written =
            if self.is_own() { name } else { self.blocks().tool_name(&name).into_owned().into() };
        let schema = match tool.parameters {
            Some(parameters) if self.is_own() => parameters.text().into(),
            parameters => with_type(parameters),
        };
        write_tool_spec(&written, tool.description.as_ref(), &schema, &mut spec);
        match tool.strict {
            Some(strict) if self.is_own() || self.takes_schema => spec.bool("strict", strict),
            Some(true) => self.notes.drop("tools[].strict"),
            Some(false) | None => {}
        }
        if self.is_own() {
            tool.rest.iter().for_each(|(name, value)| spec.raw(name, *value));
        }
        drop(spec);
        drop(object);
        if let Some(control) = tool.cache_control {
            write_cache_point(control, &mut array.object());
        }
    }

    /// Demands the stand-in tool. Claude cannot be made to call one while it thinks.
    fn force(&mut self, name: String, config: &mut Object<'_>) {
        let is_thinking =
            matches!(self.thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }));
        if is_thinking || self.family == Family::Llama {
            drop(config.object("toolChoice").object("auto"));
        } else {
            config.object("toolChoice").object("tool").str("name", &name);
        }
        self.notes.structured_tool = Some(name);
    }

    fn tool_choice(&mut self, kept: &[&Tool<'_>], config: &mut Object<'_>) {
        if self.request.parallel_tool_calls == Some(false) {
            self.notes.drop("parallel_tool_calls");
        }
        match &self.request.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => drop(config.object("toolChoice").object("auto")),
            Some(ToolChoice::Required) => drop(config.object("toolChoice").object("any")),
            Some(ToolChoice::Named(name))
                if !self.is_own() && (self.family == Family::Llama || !has_tool(kept, name)) =>
            {
                self.notes.drop("tool_choice");
            }
            Some(ToolChoice::Named(name)) => {
                let name = name.plain();
                let written =
                    if self.is_own() { name } else { tool_name(&name).into_owned().into() };
                config.object("toolChoice").object("tool").str("name", &written);
            }
            Some(ToolChoice::Vendor(raw)) if self.is_own() => config.raw("toolChoice", *raw),
            // There is no word for it, and a conversation with calls must keep its tools.
            Some(ToolChoice::None | ToolChoice::Vendor(_)) => self.notes.drop("tool_choice"),
        }
    }
}

fn has_tool(tools: &[&Tool<'_>], name: &Text<'_>) -> bool {
    tools.iter().any(|tool| matches!(tool, Tool::Function(tool) if tool.name == *name))
}

/// Writes what every tool has.
fn write_tool_spec(
    name: &str,
    description: Option<&Text<'_>>,
    schema: &str,
    spec: &mut Object<'_>,
) {
    spec.str("name", name);
    spec.text_if("description", description.filter(|text| !text.is_empty()));
    spec.object("inputSchema").verbatim("json", schema);
}

/// The schema of a tool's arguments, whose type the vendor wants to be said.
fn with_type(parameters: Option<Raw<'_>>) -> std::borrow::Cow<'_, str> {
    let Some(parameters) = parameters else { return NO_PARAMETERS.into() };
    if parameters.member("type").is_some() {
        return parameters.text().into();
    }
    let mut out = Vec::new();
    let mut object = Object::new(&mut out);
    object.str("type", "object");
    let others = parameters.members().filter(|(name, _)| name != "type");
    others.for_each(|(name, value)| object.raw(&name, value));
    drop(object);
    String::from_utf8(out).unwrap_or_default().into()
}

/// System messages go to the top; in its own dialect one among the messages stays where it is.
fn is_system_prompt(message: &Message<'_>, source: Dialect) -> bool {
    match message.role {
        Role::System | Role::Developer => {
            source != Dialect::BedrockConverse || message.position.is_none()
        }
        Role::User | Role::Assistant | Role::Tool => false,
    }
}

/// Whether there is a cache breakpoint behind a message already.
fn ends_with_breakpoint(message: &Message<'_>) -> bool {
    message.cache_control.is_some()
        || message.parts.last().is_some_and(|part| part.cache_control.is_some())
}

/// Whether anything of a message becomes a block.
fn is_written(message: &Message<'_>, blocks: &BlockWriter<'_>) -> bool {
    message.parts.iter().any(|part| blocks.is_written(message.role, part))
}

fn wire_role(role: Role) -> &'static str {
    match role {
        Role::Assistant => "assistant",
        Role::User | Role::Tool => "user",
        Role::System | Role::Developer => "system",
    }
}

/// The content of neighbouring messages of one role; results of tools come first, as models want it.
fn write_turn(
    turn: &[&Message<'_>],
    blocks: &mut BlockWriter<'_>,
    content: &mut Array<'_>,
) -> Result<(), Error> {
    let (results, said): (Vec<&Message<'_>>, Vec<&Message<'_>>) =
        turn.iter().partition(|message| message.role == Role::Tool);
    results.iter().chain(&said).try_for_each(|message| {
        write_message_parts(message, message.cache_control, blocks, content)
    })
}

fn write_message_parts(
    message: &Message<'_>,
    cache_control: Option<Raw<'_>>,
    blocks: &mut BlockWriter<'_>,
    array: &mut Array<'_>,
) -> Result<(), Error> {
    let last = message.parts.iter().rposition(|part| blocks.is_written(message.role, part));
    for (position, part) in message.parts.iter().enumerate() {
        // A breakpoint after the message is one after its last block.
        let breakpoint = cache_control.filter(|_| Some(position) == last);
        blocks
            .part(message.role, part, part.cache_control.or(breakpoint), array)
            .map_err(|error| in_part(error, message, part))?;
    }
    Ok(())
}

fn in_part(error: Error, message: &Message<'_>, part: &Part<'_>) -> Error {
    let error = error.in_element(part.position).in_member("content");
    match message.position {
        Some(position) => error.in_element(position).in_member("messages"),
        None => error.in_member("system"),
    }
}
