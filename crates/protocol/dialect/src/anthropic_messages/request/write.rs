//! Writing a messages request.

use super::SHARED_MEMBERS;
use crate::Dialect;
use crate::anthropic_messages::block_write::BlockWriter;
use crate::canonical::{
    FunctionTool, HostedTool, Message, OutputFormat, Part, PartKind, ReasoningMode, Request, Role,
    Schema, ServerTool, Tool, ToolChoice,
};
use crate::effort::{self, Thinking};
use crate::error::{Error, What};
use crate::json::{Array, Object, Raw, Text};
use crate::options::{AnthropicTarget, Notes, RequestOptions};

/// Prefix of the tool that stands in for structured output.
const STRUCTURED_TOOL_PREFIX: &str = "bf_so_";

/// Name of the schema when it came without one.
const SCHEMA_NAME: &str = "response";

/// What the stand-in tool tells the model.
const STRUCTURED_TOOL_DESCRIPTION: &str = "Give the answer in this form.";

/// Writes a request body.
pub(crate) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let target = options.anthropic;
    let limit = request.output_tokens_max.unwrap_or(u64::from(options.max_tokens_default));
    let is_as_asked =
        request.source == Dialect::AnthropicMessages && !target.adaptive_thinking_only;
    let thinking = match &request.reasoning {
        Some(ask) if is_as_asked => effort::thinking_as_asked(ask),
        Some(ask) => effort::anthropic_thinking(ask, limit, target.adaptive_thinking_only)?,
        None => None,
    };
    let mut writer = Writer { request, target, thinking, notes };
    let mut body = Object::new(out);
    body.str("model", options.model);
    body.u64("max_tokens", limit);
    writer.system(&mut body)?;
    writer.messages(body.array("messages"))?;
    writer.tools(&mut body)?;
    writer.sampling(&mut body);
    writer.thinking(&mut body);
    writer.output_config(&mut body);
    writer.rest(&mut body);
    if options.stream {
        body.bool("stream", true);
    }
    Ok(())
}

struct Writer<'w, 'a> {
    request: &'w Request<'a>,
    target: AnthropicTarget,
    thinking: Option<Thinking<'a>>,
    notes: &'w mut Notes,
}

impl<'w, 'a> Writer<'w, 'a> {
    fn is_own(&self) -> bool {
        self.request.source == Dialect::AnthropicMessages
    }

    fn blocks(&mut self) -> BlockWriter<'_> {
        BlockWriter {
            source: self.request.source,
            unsigned_thinking: self.target.unsigned_thinking,
            foreign_server_tools: false,
            characters: None,
            unmarked_citations: false,
            notes: self.notes,
        }
    }

    /// All system messages as one list, wherever they stood.
    fn system(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let request = self.request;
        let is_system = |message: &&Message<'_>| is_system_prompt(message, request.source);
        let messages: Vec<_> = request.messages.iter().filter(is_system).collect();
        let mut blocks = self.blocks();
        let parts = messages.iter().flat_map(|message| &message.parts);
        let parts: Vec<_> = parts.filter(|part| blocks.is_written(part)).collect();
        match (&parts[..], &messages[..]) {
            ([], _) => Ok(()),
            ([Part { kind: PartKind::Text { text, .. }, cache_control: None, .. }], [message])
                if message.cache_control.is_none() =>
            {
                body.text("system", text);
                Ok(())
            }
            _ => {
                let mut array = body.array("system");
                messages.iter().try_for_each(|message| {
                    write_message_parts(message, &mut blocks, &mut array)
                        .map_err(|error| request.in_message(error, message.position))
                })
            }
        }
    }

    fn messages(&mut self, mut array: Array<'_>) -> Result<(), Error> {
        let request = self.request;
        let mut blocks = self.blocks();
        let said: Vec<&Message<'a>> = request
            .messages
            .iter()
            .filter(|message| !is_system_prompt(message, request.source))
            .filter(|message| message.parts.iter().any(|part| blocks.is_written(part)))
            .collect();
        for turn in said.chunk_by(|one, next| wire_role(one.role) == wire_role(next.role)) {
            let mut object = array.object();
            object.str("role", turn.first().map_or("user", |message| wire_role(message.role)));
            write_turn(request, turn, &mut blocks, &mut object)?;
        }
        Ok(())
    }

    fn tools(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let mut kept = Vec::new();
        for (position, tool) in self.request.tools.iter().enumerate() {
            match tool {
                Tool::Custom(_) => {
                    let what = What::Inexpressible(Dialect::AnthropicMessages);
                    return Err(Error::at("custom", what).in_element(position).in_member("tools"));
                }
                Tool::Vendor { kind, .. } if !self.is_own() => {
                    self.notes.drop(&format!("tools[].{}", kind.plain()));
                }
                Tool::Hosted(HostedTool { tool: ServerTool::WebSearch, .. }) => kept.push(tool),
                Tool::Hosted(hosted) if !self.is_own() => {
                    self.notes.drop(&format!("tools[].{}", hosted.kind.plain()));
                }
                Tool::Function(_) | Tool::Hosted(_) | Tool::Vendor { .. } => kept.push(tool),
            }
        }
        let structured = self.structured_tool();
        if kept.is_empty() && structured.is_none() {
            return Ok(());
        }
        let mut array = body.array("tools");
        for tool in &kept {
            self.tool(tool, &mut array);
        }
        if let Some((name, schema)) = &structured {
            let mut tool = array.object();
            tool.str("name", name);
            tool.str("description", STRUCTURED_TOOL_DESCRIPTION);
            write_schema(schema.map(Schema::text), &mut tool);
        }
        drop(array);
        match structured {
            Some((name, _)) => {
                let mut choice = body.object("tool_choice");
                choice.str("type", "tool");
                choice.str("name", &name);
                drop(choice);
                self.notes.structured_tool = Some(name);
            }
            None => self.tool_choice(body),
        }
        Ok(())
    }

    /// The tool that stands in for structured output where the host has none.
    fn structured_tool(&self) -> Option<(String, Option<&'w Schema<'a>>)> {
        let request = self.request;
        match &request.output_format {
            Some(OutputFormat::JsonSchema { name, schema, .. }) if !self.target.output_format => {
                let name = name.as_ref().map_or(SCHEMA_NAME.into(), Text::plain);
                Some((format!("{STRUCTURED_TOOL_PREFIX}{name}"), schema.as_ref()))
            }
            _ => None,
        }
    }

    fn tool(&self, tool: &Tool<'_>, array: &mut Array<'_>) {
        let tool: &FunctionTool<'_> = match tool {
            Tool::Vendor { raw, .. } => return array.raw(*raw),
            Tool::Hosted(hosted) if self.is_own() => return array.raw(hosted.raw),
            Tool::Hosted(hosted) => return write_web_search(hosted, array.object()),
            Tool::Custom(_) => return,
            Tool::Function(tool) => tool,
        };
        let mut object = array.object();
        object.text("name", &tool.name);
        object.text_if("description", tool.description.as_ref());
        write_schema(tool.parameters.as_ref().map(Raw::text), &mut object);
        if let Some(strict) = tool.strict {
            object.bool("strict", strict);
        }
        if self.is_own() {
            tool.rest.iter().for_each(|(name, value)| object.raw(name, *value));
        }
        object.raw_if("cache_control", tool.cache_control);
    }

    /// The choice, which is also where parallel calls are forbidden.
    fn tool_choice(&mut self, body: &mut Object<'_>) {
        let is_single = self.request.parallel_tool_calls == Some(false);
        let choice = match &self.request.tool_choice {
            None if is_single => &ToolChoice::Auto,
            None => return,
            Some(choice) => choice,
        };
        if let ToolChoice::Vendor(raw) = choice {
            if self.is_own() {
                body.raw("tool_choice", *raw);
            } else {
                self.notes.drop("tool_choice");
            }
            return;
        }
        let mut object = body.object("tool_choice");
        match choice {
            ToolChoice::Auto => object.str("type", "auto"),
            ToolChoice::None => object.str("type", "none"),
            ToolChoice::Required => object.str("type", "any"),
            ToolChoice::Named(name) => {
                object.str("type", "tool");
                object.text("name", name);
            }
            ToolChoice::Vendor(_) => {}
        }
        match self.request.parallel_tool_calls {
            Some(parallel)
                if !matches!(choice, ToolChoice::None) && (is_single || self.is_own()) =>
            {
                object.bool("disable_parallel_tool_use", !parallel);
            }
            _ => {}
        }
    }

    fn sampling(&mut self, body: &mut Object<'_>) {
        let sampling = &self.request.sampling;
        let knobs = [
            ("temperature", sampling.temperature),
            ("top_p", sampling.top_p),
            ("top_k", sampling.top_k),
        ];
        for (name, value) in knobs {
            let Some(value) = value else { continue };
            if self.refuses_knob(name, value) {
                self.notes.drop(name);
            } else {
                body.raw(name, value);
            }
        }
        let foreign = [
            ("frequency_penalty", sampling.frequency_penalty),
            ("presence_penalty", sampling.presence_penalty),
            ("seed", sampling.seed),
            ("logprobs", sampling.logprobs),
            ("top_logprobs", sampling.top_logprobs),
            ("n", sampling.choices.filter(|count| count.as_u64() != Some(1))),
        ];
        for (name, value) in foreign {
            if value.is_some() || (name == "logprobs" && sampling.wants_logprobs) {
                self.notes.drop(name);
            }
        }
        if !self.request.stop.is_empty() {
            let mut stop = body.array("stop_sequences");
            self.request.stop.iter().for_each(|sequence| stop.text(sequence));
        }
    }

    /// Adaptive models take no sampling knobs, and thinking asked for in another dialect is no reason to fail on one.
    fn refuses_knob(&self, name: &str, value: Raw<'_>) -> bool {
        let is_thinking =
            matches!(self.thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }));
        let is_default = name == "temperature" && value.text().parse() == Ok(1.0_f64);
        self.target.adaptive_thinking_only
            || (is_thinking && !self.is_own() && name != "top_p" && !is_default)
    }

    fn thinking(&mut self, body: &mut Object<'_>) {
        let mode = self.request.reasoning.as_ref().and_then(|ask| ask.mode);
        let ask = self.request.reasoning.as_ref();
        let display = ask.and_then(|ask| ask.display.as_ref());
        let is_retold = display.is_none() && ask.is_some_and(|ask| ask.summary.is_some());
        let kind = match &self.thinking {
            None => return,
            // An effort of its own does not switch thinking on in this dialect.
            Some(_) if self.is_own() && mode.is_none() => return,
            Some(Thinking::Disabled) => "disabled",
            Some(Thinking::Enabled { .. }) => "enabled",
            Some(Thinking::Adaptive { .. }) => "adaptive",
        };
        let mut thinking = body.object("thinking");
        thinking.str("type", kind);
        if let Some(Thinking::Enabled { budget }) = self.thinking {
            thinking.u64("budget_tokens", budget);
        }
        if mode != Some(ReasoningMode::Disabled) {
            thinking.text_if("display", display);
        }
        // Models that think adaptively keep it to themselves unless asked.
        if is_retold && kind == "adaptive" {
            thinking.str("display", "summarized");
        }
    }

    fn output_config(&mut self, body: &mut Object<'_>) {
        if self.is_own() && self.target.output_format && !self.target.adaptive_thinking_only {
            let written = self.request.rest.iter().find(|(name, _)| name == "output_config");
            if let Some((name, value)) = written {
                return body.raw(name, *value);
            }
        }
        let effort = match &self.thinking {
            Some(Thinking::Adaptive { effort }) => effort.clone(),
            _ if self.is_own() => {
                self.request.reasoning.as_ref().and_then(|ask| ask.effort.clone())
            }
            _ => None,
        };
        let format = self.format();
        if effort.is_none() && format.is_none() {
            return;
        }
        let mut config = body.object("output_config");
        config.text_if("effort", effort.as_ref());
        match format {
            Some(OutputFormat::Vendor(raw)) => config.raw("format", *raw),
            Some(OutputFormat::JsonSchema { schema, .. }) => {
                let mut format = config.object("format");
                format.str("type", "json_schema");
                if let Some(schema) = schema {
                    format.verbatim("schema", schema.text());
                }
            }
            _ => {}
        }
    }

    /// The format that goes into `output_config`.
    fn format(&mut self) -> Option<&'w OutputFormat<'a>> {
        let request = self.request;
        match request.output_format.as_ref()? {
            OutputFormat::Text => None,
            format @ OutputFormat::JsonSchema { .. } => {
                Some(format).filter(|_| self.target.output_format)
            }
            format @ OutputFormat::Vendor(_) if self.is_own() => Some(format),
            OutputFormat::JsonObject | OutputFormat::Vendor(_) => {
                self.notes.drop("response_format");
                None
            }
        }
    }

    fn rest(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        body.raw_if("cache_control", request.cache_control);
        if let Some(tier) = &request.service_tier {
            self.service_tier(tier, body);
        }
        let metadata = request.rest.iter().any(|(name, _)| name == "metadata");
        if let Some(user) = request.user.as_ref().filter(|_| !(self.is_own() && metadata)) {
            body.object("metadata").text("user_id", user);
        }
        for (name, value) in &request.rest {
            match &**name {
                "output_config" if self.is_own() => {}
                name if self.is_own() || self.shares(name) => body.raw(name, *value),
                name => self.notes.drop(name),
            }
        }
        for (name, value) in &request.extra {
            if self.is_own() {
                body.raw(name, *value);
            } else if !(name == "thinking" && self.thinking.is_some()) {
                self.notes.drop(name);
            }
        }
    }

    /// Whether a member without a common meaning is this vendor's, although another dialect says it.
    fn shares(&self, name: &str) -> bool {
        self.request.source == Dialect::OpenAiChat && SHARED_MEMBERS.contains(&name)
    }

    fn service_tier(&mut self, tier: &Text<'_>, body: &mut Object<'_>) {
        match &*tier.plain() {
            _ if self.is_own() => body.text("service_tier", tier),
            "auto" => body.str("service_tier", "auto"),
            "default" => body.str("service_tier", "standard_only"),
            _ => self.notes.drop("service_tier"),
        }
    }
}

/// System messages go to the top; in its own dialect one among the messages stays where it is.
fn is_system_prompt(message: &Message<'_>, source: Dialect) -> bool {
    match message.role {
        Role::System | Role::Developer => {
            source != Dialect::AnthropicMessages || message.position.is_none()
        }
        Role::User | Role::Assistant | Role::Tool => false,
    }
}

fn wire_role(role: Role) -> &'static str {
    match role {
        Role::Assistant => "assistant",
        Role::User | Role::Tool => "user",
        Role::System | Role::Developer => "system",
    }
}

/// The content of neighbouring messages of one role; results of tools come first, as the vendor wants it.
fn write_turn(
    request: &Request<'_>,
    turn: &[&Message<'_>],
    blocks: &mut BlockWriter<'_>,
    object: &mut Object<'_>,
) -> Result<(), Error> {
    if let [message] = turn
        && let [Part { kind: PartKind::Text { text, .. }, cache_control: None, rest, .. }] =
            &message.parts[..]
        && rest.is_empty()
        && message.cache_control.is_none()
    {
        object.text("content", text);
        return Ok(());
    }
    let mut content = object.array("content");
    let (results, said): (Vec<&Message<'_>>, Vec<&Message<'_>>) =
        turn.iter().partition(|message| message.role == Role::Tool);
    results.iter().chain(&said).try_for_each(|message| {
        write_message_parts(message, blocks, &mut content)
            .map_err(|error| request.in_message(error, message.position))
    })
}

fn write_message_parts(
    message: &Message<'_>,
    blocks: &mut BlockWriter<'_>,
    array: &mut Array<'_>,
) -> Result<(), Error> {
    let last = message.parts.iter().rposition(|part| blocks.is_written(part));
    for (position, part) in message.parts.iter().enumerate() {
        // A breakpoint after the message is one after its last block.
        let breakpoint = message.cache_control.filter(|_| Some(position) == last);
        blocks
            .part_with_cache_control(part, part.cache_control.or(breakpoint), array)
            .map_err(|error| error.in_element(part.position).in_member("content"))?;
    }
    Ok(())
}

/// The version of the web search tool that every model of the vendor takes which searches at all.
const WEB_SEARCH: &str = "web_search_20250305";

fn write_web_search(hosted: &HostedTool<'_>, mut object: Object<'_>) {
    object.str("type", WEB_SEARCH);
    object.str("name", "web_search");
    object.raw_if("allowed_domains", hosted.allowed_domains);
    object.raw_if("blocked_domains", hosted.blocked_domains);
    object.raw_if("user_location", hosted.user_location);
}

/// A tool without parameters takes an empty object.
fn write_schema(schema: Option<&str>, object: &mut Object<'_>) {
    match schema {
        Some(schema) => object.verbatim("input_schema", schema),
        None => object.verbatim("input_schema", r#"{"type":"object","properties":{}}"#),
    }
}
