//! Writing a chat completions request: tools and settings. The messages are written in `write_messages`.

use std::borrow::Cow;

use super::{ORIGINAL_ONLY, SHARED_MEMBERS};
use crate::Dialect;
use crate::canonical::{CustomTool, OutputFormat, ReasoningMode, Request, Tool, ToolChoice};
use crate::effort;
use crate::error::{Error, What};
use crate::json::{Array, Object, Text, find_member};
use crate::options::{Notes, OpenAiTarget, RequestOptions};

/// OpenAI refuses fewer answer tokens than this.
const OUTPUT_TOKENS_MIN: u64 = 16;

/// OpenAI refuses a longer `user`.
const USER_CHARACTERS_MAX: usize = 64;

/// Name of a schema that came without one; the dialect wants one.
const SCHEMA_NAME: &str = "response";

/// Writes a request body.
pub(crate) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut writer = Writer { request, options, target: options.openai, notes };
    let mut body = Object::new(out);
    body.str("model", options.model);
    writer.messages(body.array("messages"))?;
    writer.tools(&mut body)?;
    writer.sampling(&mut body);
    writer.reasoning(&mut body);
    writer.format(&mut body);
    writer.rest(&mut body);
    if options.stream {
        body.bool("stream", true);
        body.object("stream_options").bool("include_usage", true);
    }
    Ok(())
}

/// What a request is written with.
pub(super) struct Writer<'w, 'a> {
    pub(super) request: &'w Request<'a>,
    options: &'w RequestOptions<'w>,
    pub(super) target: OpenAiTarget,
    pub(super) notes: &'w mut Notes,
}

impl Writer<'_, '_> {
    pub(super) fn is_own(&self) -> bool {
        self.request.source == Dialect::OpenAiChat
    }

    fn tools(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let mut kept = Vec::new();
        for (position, tool) in self.request.tools.iter().enumerate() {
            match tool {
                Tool::Vendor { kind, .. } if !self.is_own() => {
                    let name = kind.plain();
                    if is_run_by_caller(&name) {
                        let what = What::Inexpressible(Dialect::OpenAiChat);
                        return Err(Error::at("type", what)
                            .in_element(position)
                            .in_member("tools"));
                    }
                    self.notes.drop(&format!("tools[].{name}"));
                }
                Tool::Hosted(hosted) if !self.is_own() => {
                    self.notes.drop(&format!("tools[].{}", hosted.kind.plain()));
                }
                tool => kept.push(tool),
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let mut array = body.array("tools");
        for tool in &kept {
            self.tool(tool, &mut array);
        }
        drop(array);
        self.tool_choice(&kept, body);
        if let Some(parallel) = self.request.parallel_tool_calls {
            body.bool("parallel_tool_calls", parallel);
        }
        Ok(())
    }

    fn tool(&self, tool: &Tool<'_>, array: &mut Array<'_>) {
        let tool = match tool {
            Tool::Vendor { raw, .. } => return array.raw(*raw),
            Tool::Hosted(hosted) => return array.raw(hosted.raw),
            Tool::Custom(custom) if self.is_own() => return array.raw(custom.raw),
            Tool::Custom(custom) => return write_custom(custom, array.object()),
            Tool::Function(tool) => tool,
        };
        let mut object = array.object();
        object.str("type", "function");
        let mut function = object.object("function");
        function.text("name", &tool.name);
        function.text_if("description", tool.description.as_ref());
        function.raw_if("parameters", tool.parameters);
        if let Some(strict) = tool.strict {
            function.bool("strict", strict);
        }
        if self.is_own() {
            tool.rest.iter().for_each(|(name, value)| function.raw(name, *value));
        }
        drop(function);
        if self.target.cache_control {
            object.raw_if("cache_control", tool.cache_control);
        }
    }

    fn tool_choice(&mut self, kept: &[&Tool<'_>], body: &mut Object<'_>) {
        match &self.request.tool_choice {
            None => {}
            Some(ToolChoice::Auto) => body.str("tool_choice", "auto"),
            Some(ToolChoice::None) => body.str("tool_choice", "none"),
            Some(ToolChoice::Required | ToolChoice::Named(_)) if self.target.tool_choice_any => {
                body.str("tool_choice", "any");
            }
            Some(ToolChoice::Required) => body.str("tool_choice", "required"),
            Some(ToolChoice::Named(name)) => {
                let has =
                    |is_such: &dyn Fn(&Tool<'_>) -> bool| kept.iter().any(|tool| is_such(tool));
                let is_custom =
                    has(&|tool| matches!(tool, Tool::Custom(tool) if tool.name == *name));
                let is_function =
                    has(&|tool| matches!(tool, Tool::Function(tool) if tool.name == *name));
                if !is_function && !is_custom && !self.is_own() {
                    return self.notes.drop("tool_choice");
                }
                let kind = if is_custom { "custom" } else { "function" };
                let mut choice = body.object("tool_choice");
                choice.str("type", kind);
                choice.object(kind).text("name", name);
            }
            Some(ToolChoice::Vendor(raw)) if self.is_own() => body.raw("tool_choice", *raw),
            Some(ToolChoice::Vendor(_)) => self.notes.drop("tool_choice"),
        }
    }

    fn sampling(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        if let Some(limit) = request.output_tokens_max {
            let name =
                if self.target.old_max_tokens { "max_tokens" } else { "max_completion_tokens" };
            body.u64(name, limit.max(OUTPUT_TOKENS_MIN));
        }
        let sampling = &request.sampling;
        body.raw_if("temperature", sampling.temperature);
        body.raw_if("top_p", sampling.top_p);
        if self.target.is_original && sampling.top_k.is_some() {
            self.notes.drop("top_k");
        } else {
            body.raw_if("top_k", sampling.top_k);
        }
        body.raw_if("n", sampling.choices);
        body.raw_if(if self.target.random_seed { "random_seed" } else { "seed" }, sampling.seed);
        body.raw_if("frequency_penalty", sampling.frequency_penalty);
        body.raw_if("presence_penalty", sampling.presence_penalty);
        body.raw_if("logprobs", sampling.logprobs);
        if sampling.wants_logprobs && sampling.logprobs.is_none() {
            body.bool("logprobs", true);
        }
        body.raw_if("top_logprobs", sampling.top_logprobs);
        if !request.stop.is_empty() {
            let mut stop = body.array("stop");
            request.stop.iter().for_each(|sequence| stop.text(sequence));
        }
    }

    fn reasoning(&mut self, body: &mut Object<'_>) {
        let Some(ask) = &self.request.reasoning else { return };
        if self.target.reasoning_object {
            let mut reasoning = body.object("reasoning");
            match (&ask.effort, ask.budget) {
                (_, Some(budget)) if budget > 0 => {
                    reasoning.u64("max_tokens", budget.unsigned_abs())
                }
                (Some(effort), _) => reasoning.text("effort", effort),
                _ => reasoning.bool("enabled", ask.mode != Some(ReasoningMode::Disabled)),
            }
            return;
        }
        let limit =
            self.request.output_tokens_max.unwrap_or(u64::from(self.options.max_tokens_default));
        if let Some(effort) = effort::openai_effort(ask, limit) {
            let is_lowest = !self.target.is_original && effort == *"minimal";
            body.text("reasoning_effort", if is_lowest { &LOW } else { &effort });
        }
    }

    fn format(&mut self, body: &mut Object<'_>) {
        match &self.request.output_format {
            None => {}
            Some(OutputFormat::Text) => body.object("response_format").str("type", "text"),
            Some(OutputFormat::JsonObject) => {
                body.object("response_format").str("type", "json_object")
            }
            Some(OutputFormat::Vendor(raw)) if self.is_own() => body.raw("response_format", *raw),
            Some(OutputFormat::Vendor(_)) => self.notes.drop("output_format"),
            Some(OutputFormat::JsonSchema { name, description, schema, strict }) => {
                let mut format = body.object("response_format");
                format.str("type", "json_schema");
                let mut inner = format.object("json_schema");
                inner.text("name", name.as_ref().unwrap_or(&Text::from(SCHEMA_NAME)));
                inner.text_if("description", description.as_ref());
                if let Some(schema) = schema {
                    inner.verbatim("schema", schema.text());
                }
                let is_held_to = !self.is_own()
                    && schema.as_ref().is_some_and(|schema| is_closed(schema.text()));
                if let Some(strict) = strict.or(is_held_to.then_some(true)) {
                    inner.bool("strict", strict);
                }
            }
        }
    }

    fn rest(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        match &request.user {
            Some(user) if user.plain().chars().count() > USER_CHARACTERS_MAX => {
                self.notes.drop("user")
            }
            user => body.text_if("user", user.as_ref()),
        }
        if let Some(tier) = &request.service_tier {
            self.service_tier(tier, body);
        }
        if self.target.cache_control {
            body.raw_if("cache_control", request.cache_control);
        }
        for (name, value) in &request.rest {
            if !self.knows(name) {
                // The user and the format inside of these two have been written.
                if name != "metadata" && name != "output_config" {
                    self.notes.drop(name);
                }
            } else if self.target.is_original || !ORIGINAL_ONLY.contains(&&**name) {
                body.raw(name, *value);
            } else {
                self.notes.drop(name);
            }
        }
        for (name, value) in &request.extra {
            if self.is_own() {
                body.raw(name, *value);
            } else {
                self.notes.drop(name);
            }
        }
    }

    /// Whether a member without a common meaning means the same here as in the source dialect.
    fn knows(&self, name: &str) -> bool {
        match self.request.source {
            Dialect::OpenAiChat => true,
            // OpenAI refuses metadata of an answer that it is not to keep.
            Dialect::OpenAiResponses if name == "metadata" => self.keeps_answer(),
            Dialect::OpenAiResponses => SHARED_MEMBERS.contains(&name),
            _ => false,
        }
    }

    fn keeps_answer(&self) -> bool {
        let store = self.request.rest.iter().find(|(name, _)| name == "store");
        store.is_some_and(|(_, store)| store.as_bool() == Some(true))
    }

    fn service_tier(&mut self, tier: &Text<'_>, body: &mut Object<'_>) {
        match &*tier.plain() {
            "standard_only" => body.str("service_tier", "default"),
            _ => body.text("service_tier", tier),
        }
    }
}

/// Writes a tool that takes free text.
fn write_custom(tool: &CustomTool<'_>, mut object: Object<'_>) {
    object.str("type", "custom");
    let mut custom = object.object("custom");
    custom.text("name", &tool.name);
    custom.text_if("description", tool.description.as_ref());
    if let Some(grammar) = &tool.grammar {
        let mut format = custom.object("format");
        format.str("type", "grammar");
        let mut inner = format.object("grammar");
        inner.text("syntax", &grammar.syntax);
        inner.text("definition", &grammar.definition);
    }
}

/// Whether a schema forbids members it does not name: OpenAI is strict about such schemas only, and refuses to be about
/// others.
fn is_closed(schema: &str) -> bool {
    find_member(schema.as_bytes(), "additionalProperties") == Some(b"false")
}

const LOW: Text<'static> = Text::Plain(Cow::Borrowed("low"));

/// Anthropic's tools that the caller runs itself: without them the conversation makes no sense.
pub(crate) fn is_run_by_caller(kind: &str) -> bool {
    ["computer_", "bash_", "text_editor_", "memory_"].iter().any(|head| kind.starts_with(head))
}
