//! Writing a chat request: tools and settings. The messages are written in `write_messages`.

use crate::Dialect;
use crate::canonical::{
    FunctionTool, OutputFormat, ReasoningAsk, ReasoningMode, Request, Tool, ToolChoice,
};
use crate::effort;
use crate::error::Error;
use crate::functions::functions;
use crate::json::{Object, Raw};
use crate::options::{Notes, RequestOptions};

/// The smallest budget for thinking the vendor takes.
const BUDGET_MIN: u64 = 1;

/// Writes a request body.
pub(crate) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut writer = Writer { request, options, notes };
    let mut body = Object::new(out);
    body.str("model", options.model);
    writer.messages(body.array("messages"))?;
    writer.documents(&mut body)?;
    writer.tools(&mut body)?;
    writer.sampling(&mut body);
    writer.thinking(&mut body);
    writer.format(&mut body);
    writer.rest(&mut body);
    body.bool("stream", options.stream);
    Ok(())
}

/// What a request is written with.
pub(super) struct Writer<'w, 'a> {
    pub(super) request: &'w Request<'a>,
    options: &'w RequestOptions<'w>,
    pub(super) notes: &'w mut Notes,
}

impl Writer<'_, '_> {
    pub(super) fn is_own(&self) -> bool {
        self.request.source == Dialect::CohereChat
    }

    fn tools(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        if self.request.tools.is_empty() {
            return Ok(());
        }
        let functions = functions(self.request, Dialect::CohereChat, self.notes)?;
        if functions.is_empty() && !self.is_own() {
            return Ok(());
        }
        let mut array = body.array("tools");
        for function in &functions {
            self.tool(function, array.object());
        }
        for tool in self.request.tools.iter().filter(|_| self.is_own()) {
            match tool {
                Tool::Vendor { raw, .. } => array.raw(*raw),
                Tool::Function(_) | Tool::Custom(_) | Tool::Hosted(_) => {}
            }
        }
        drop(array);
        self.strictness(&functions, body);
        self.tool_choice(body);
        if self.request.parallel_tool_calls == Some(false) {
            self.notes.drop("parallel_tool_calls");
        }
        Ok(())
    }

    fn tool(&mut self, tool: &FunctionTool<'_>, mut object: Object<'_>) {
        object.str("type", "function");
        let mut function = object.object("function");
        function.text("name", &tool.name);
        function.text_if("description", tool.description.as_ref());
        match tool.parameters {
            Some(parameters) => function.raw("parameters", parameters),
            None => function.verbatim("parameters", r#"{"type":"object","properties":{}}"#),
        }
        if self.is_own() {
            tool.rest.iter().for_each(|(name, value)| function.raw(name, *value));
        }
        self.breakpoint(tool.cache_control);
    }

    /// The dialect is strict about all tools or none, and only about tools that require an argument.
    fn strictness(&mut self, functions: &[&FunctionTool<'_>], body: &mut Object<'_>) {
        let strict = functions.iter().filter(|function| function.strict == Some(true)).count();
        if strict == 0 {
            return;
        }
        let is_taken = functions.iter().all(|function| requires_argument(function));
        if strict == functions.len() && (is_taken || self.is_own()) {
            body.bool("strict_tools", true);
        } else {
            self.notes.drop("tools[].function.strict");
        }
    }

    /// The dialect forces a call or forbids it. To leave it to the model is its default and has no name; a certain tool
    /// cannot be forced.
    fn tool_choice(&mut self, body: &mut Object<'_>) {
        match &self.request.tool_choice {
            None | Some(ToolChoice::Auto) => {}
            Some(ToolChoice::None) => body.str("tool_choice", "NONE"),
            Some(ToolChoice::Required) => body.str("tool_choice", "REQUIRED"),
            Some(ToolChoice::Named(_)) => {
                body.str("tool_choice", "REQUIRED");
                if self.request.tools.len() > 1 {
                    self.notes.drop("tool_choice.function");
                }
            }
            Some(ToolChoice::Vendor(raw)) if self.is_own() => body.raw("tool_choice", *raw),
            Some(ToolChoice::Vendor(_)) => self.notes.drop("tool_choice"),
        }
    }

    fn sampling(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        if let Some(limit) = request.output_tokens_max {
            body.u64("max_tokens", limit);
        }
        let sampling = &request.sampling;
        body.raw_if("temperature", sampling.temperature);
        body.raw_if("p", sampling.top_p);
        body.raw_if("k", sampling.top_k);
        body.raw_if("seed", sampling.seed);
        body.raw_if("frequency_penalty", sampling.frequency_penalty);
        body.raw_if("presence_penalty", sampling.presence_penalty);
        let foreign = [
            ("logprobs", sampling.logprobs),
            ("top_logprobs", sampling.top_logprobs),
            ("n", sampling.choices.filter(|count| count.as_u64() != Some(1))),
        ];
        for (name, value) in foreign {
            if value.is_some() || (name == "logprobs" && sampling.wants_logprobs) {
                self.notes.drop(name);
            }
        }
        if !request.stop.is_empty() {
            let mut stop = body.array("stop_sequences");
            request.stop.iter().for_each(|sequence| stop.text(sequence));
        }
    }

    fn thinking(&mut self, body: &mut Object<'_>) {
        let Some(ask) = &self.request.reasoning else { return };
        let limit =
            self.request.output_tokens_max.unwrap_or(u64::from(self.options.max_tokens_default));
        let Some(thinking) = thinking_of(ask, limit) else { return };
        let mut object = body.object("thinking");
        match thinking {
            Thinking::Disabled => object.str("type", "disabled"),
            Thinking::Enabled { budget } => {
                object.str("type", "enabled");
                if let Some(budget) = budget {
                    object.u64("token_budget", budget);
                }
            }
        }
    }

    fn format(&mut self, body: &mut Object<'_>) {
        match &self.request.output_format {
            None => {}
            Some(OutputFormat::Text) => body.object("response_format").str("type", "text"),
            Some(OutputFormat::JsonObject) => {
                body.object("response_format").str("type", "json_object");
            }
            Some(OutputFormat::JsonSchema { schema, description, .. }) => {
                let mut format = body.object("response_format");
                format.str("type", "json_object");
                if let Some(schema) = schema {
                    format.verbatim("json_schema", schema.text());
                }
                if description.is_some() {
                    self.notes.drop("response_format.json_schema.description");
                }
            }
            Some(OutputFormat::Vendor(raw)) if self.is_own() => body.raw("response_format", *raw),
            Some(OutputFormat::Vendor(_)) => self.notes.drop("response_format"),
        }
    }

    fn rest(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        for (name, is_said) in
            [("user", request.user.is_some()), ("service_tier", request.service_tier.is_some())]
        {
            if is_said {
                self.notes.drop(name);
            }
        }
        self.breakpoint(request.cache_control);
        if self.is_own() {
            let members = request.rest.iter().chain(&request.extra);
            return members.for_each(|(name, value)| body.raw(name, *value));
        }
        // What these two say about thinking and the format has been written.
        let is_read = |name: &str| {
            name == "output_config" || (name == "thinking" && request.reasoning.is_some())
        };
        let members = request.rest.iter().chain(&request.extra);
        members.filter(|(name, _)| !is_read(name)).for_each(|(name, _)| self.notes.drop(name));
    }

    /// The vendor decides itself what it caches.
    pub(super) fn breakpoint(&mut self, breakpoint: Option<Raw<'_>>) {
        if breakpoint.is_some() {
            self.notes.drop("cache_control");
        }
    }
}

fn requires_argument(function: &FunctionTool<'_>) -> bool {
    let required = function.parameters.and_then(|parameters| parameters.member("required"));
    required.is_some_and(|required| required.elements().next().is_some())
}

#[derive(Debug, PartialEq)]
enum Thinking {
    Disabled,
    /// Without a budget the vendor decides.
    Enabled {
        budget: Option<u64>,
    },
}

/// What an effort or a budget means to the vendor; `limit` is the most tokens the answer may have. Nothing where
/// nothing was asked for.
fn thinking_of(ask: &ReasoningAsk<'_>, limit: u64) -> Option<Thinking> {
    let effort = ask.effort.as_ref().map(|effort| effort.plain());
    let is_off = ask.mode == Some(ReasoningMode::Disabled)
        || ask.budget == Some(0)
        || effort.as_deref() == Some("none");
    if is_off {
        return Some(Thinking::Disabled);
    }
    let budget = match (ask.budget, effort) {
        (Some(budget), _) => u64::try_from(budget).ok(),
        // Adaptive thinking names an effort for the model, which decides.
        (None, Some(effort)) if ask.mode != Some(ReasoningMode::Adaptive) && effort != "auto" => {
            effort::budget_above(BUDGET_MIN, &effort, limit)
        }
        (None, _) => None,
    };
    let is_asked = ask.mode.is_some() || ask.budget.is_some() || ask.effort.is_some();
    is_asked.then_some(Thinking::Enabled { budget })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinking_is_switched_and_limited() {
        let ask = |mode, effort: Option<&'static str>, budget| ReasoningAsk {
            mode,
            effort: effort.map(Into::into),
            budget,
            ..ReasoningAsk::default()
        };
        let enabled = |budget| Some(Thinking::Enabled { budget });
        let cases = [
            (ask(None, None, None), None),
            (ask(Some(ReasoningMode::Disabled), None, Some(9)), Some(Thinking::Disabled)),
            (ask(None, Some("none"), None), Some(Thinking::Disabled)),
            (ask(None, None, Some(0)), Some(Thinking::Disabled)),
            (ask(None, None, Some(-1)), enabled(None)),
            (ask(None, None, Some(1)), enabled(Some(1))),
            (ask(Some(ReasoningMode::Enabled), None, None), enabled(None)),
            (ask(Some(ReasoningMode::Adaptive), Some("high"), None), enabled(None)),
            (ask(None, Some("auto"), None), enabled(None)),
            (ask(None, Some("low"), None), enabled(Some(151))),
            (ask(None, Some("high"), Some(77)), enabled(Some(77))),
        ];
        for (ask, expected) in cases {
            assert_eq!(thinking_of(&ask, 1001), expected, "{ask:?}");
        }
    }
}
