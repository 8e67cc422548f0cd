//! Writing a chat request: tools and settings. The messages are written in `write_messages`.

use super::OPTION_PREFIX;
use crate::Dialect;
use crate::canonical::{
    FunctionTool, OutputFormat, ReasoningAsk, ReasoningMode, Request, ToolChoice,
};
use crate::error::Error;
use crate::functions::functions;
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, RequestOptions};

/// In the name of a model that takes an effort; the others refuse all but yes and no.
const EFFORT_MODEL: &str = "gpt-oss";

/// Writes a request body.
pub(crate) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut writer = Writer { request, options, notes, calls: Vec::new() };
    let mut body = Object::new(out);
    body.str("model", options.model);
    writer.messages(body.array("messages"))?;
    writer.tools(&mut body)?;
    writer.format(&mut body);
    writer.options(&mut body);
    writer.think(&mut body);
    writer.rest(&mut body);
    body.bool("stream", options.stream);
    Ok(())
}

/// What a request is written with.
pub(super) struct Writer<'w, 'a> {
    pub(super) request: &'w Request<'a>,
    options: &'w RequestOptions<'w>,
    pub(super) notes: &'w mut Notes,
    /// Ids and tools of the calls up to now.
    pub(super) calls: Vec<(&'w Text<'a>, &'w Text<'a>)>,
}

impl Writer<'_, '_> {
    pub(super) fn is_own(&self) -> bool {
        self.request.source == Dialect::OllamaChat
    }

    /// The dialect cannot force a call. To forbid calls, tools are left out.
    fn tools(&mut self, body: &mut Object<'_>) -> Result<(), Error> {
        let functions = functions(self.request, Dialect::OllamaChat, self.notes)?;
        match &self.request.tool_choice {
            None | Some(ToolChoice::Auto) => {}
            Some(ToolChoice::None) => {
                self.notes.drop("tools");
                return Ok(());
            }
            Some(ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Vendor(_)) => {
                self.notes.drop("tool_choice");
            }
        }
        if functions.is_empty() {
            return Ok(());
        }
        let mut array = body.array("tools");
        for function in &functions {
            self.tool(function, array.object());
        }
        drop(array);
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
        match tool.strict {
            Some(strict) if self.is_own() => function.bool("strict", strict),
            Some(true) => self.notes.drop("tools[].function.strict"),
            Some(false) | None => {}
        }
        if self.is_own() {
            tool.rest.iter().for_each(|(name, value)| function.raw(name, *value));
        }
        drop(function);
        self.breakpoint(tool.cache_control);
    }

    fn format(&mut self, body: &mut Object<'_>) {
        match &self.request.output_format {
            None | Some(OutputFormat::Text) => {}
            Some(OutputFormat::JsonObject | OutputFormat::JsonSchema { schema: None, .. }) => {
                body.str("format", "json");
            }
            Some(OutputFormat::JsonSchema { schema: Some(schema), description, .. }) => {
                body.verbatim("format", schema.text());
                if description.is_some() {
                    self.notes.drop("response_format.json_schema.description");
                }
            }
            Some(OutputFormat::Vendor(_)) => self.notes.drop("response_format"),
        }
    }

    fn options(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        let mut written = Vec::new();
        let mut options = Object::new(&mut written);
        if let Some(limit) = request.output_tokens_max {
            options.u64("num_predict", limit);
        }
        let sampling = &request.sampling;
        options.raw_if("temperature", sampling.temperature);
        options.raw_if("top_p", sampling.top_p);
        options.raw_if("top_k", sampling.top_k);
        options.raw_if("seed", sampling.seed);
        options.raw_if("frequency_penalty", sampling.frequency_penalty);
        options.raw_if("presence_penalty", sampling.presence_penalty);
        if !request.stop.is_empty() {
            let mut stop = options.array("stop");
            request.stop.iter().for_each(|sequence| stop.text(sequence));
        }
        if self.is_own() {
            for (name, value) in &request.rest {
                if let Some(name) = name.strip_prefix(OPTION_PREFIX) {
                    options.raw(name, *value);
                }
            }
        }
        drop(options);
        if written != b"{}" {
            body.key("options").extend_from_slice(&written);
        }
    }

    fn think(&mut self, body: &mut Object<'_>) {
        let Some(ask) = &self.request.reasoning else { return };
        match think_of(ask, self.is_own() || self.options.model.contains(EFFORT_MODEL)) {
            None => {}
            Some(Think::Switch(is_on)) => body.bool("think", is_on),
            Some(Think::Effort(effort)) => body.text("think", &effort),
        }
    }

    fn rest(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        if self.is_own() {
            let members = request.rest.iter().chain(&request.extra);
            let members = members.filter(|(name, _)| !name.starts_with(OPTION_PREFIX));
            return members.for_each(|(name, value)| body.raw(name, *value));
        }
        let sampling = &request.sampling;
        for (name, is_said) in [
            ("user", request.user.is_some()),
            ("service_tier", request.service_tier.is_some()),
            ("logprobs", sampling.logprobs.is_some() || sampling.wants_logprobs),
            ("top_logprobs", sampling.top_logprobs.is_some()),
            ("n", sampling.choices.is_some_and(|count| count.as_u64() != Some(1))),
        ] {
            if is_said {
                self.notes.drop(name);
            }
        }
        self.breakpoint(request.cache_control);
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

#[derive(Debug, PartialEq)]
enum Think<'a> {
    Switch(bool),
    Effort(Text<'a>),
}

/// Whether, or how much, the model is to think; nothing where nothing was asked for.
fn think_of<'a>(ask: &ReasoningAsk<'a>, takes_effort: bool) -> Option<Think<'a>> {
    let is_off = ask.mode == Some(ReasoningMode::Disabled)
        || ask.budget == Some(0)
        || ask.effort.as_ref().is_some_and(|effort| *effort == *"none");
    if is_off {
        return Some(Think::Switch(false));
    }
    if ask.mode.is_none() && ask.budget.is_none() && ask.effort.is_none() {
        return None;
    }
    Some(match ask.effort.as_ref().filter(|_| takes_effort) {
        None => Think::Switch(true),
        Some(effort) => Think::Effort(match &*effort.plain() {
            "minimal" => "low".into(),
            "xhigh" | "max" => "high".into(),
            _ => effort.clone(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efforts_are_named_to_models_that_know_them() {
        let ask = |effort: &'static str| ReasoningAsk {
            effort: Some(effort.into()),
            ..ReasoningAsk::default()
        };
        let cases = [
            ("none", true, Think::Switch(false)),
            ("none", false, Think::Switch(false)),
            ("low", false, Think::Switch(true)),
            ("low", true, Think::Effort("low".into())),
            ("minimal", true, Think::Effort("low".into())),
            ("xhigh", true, Think::Effort("high".into())),
        ];
        for (effort, takes_effort, expected) in cases {
            assert_eq!(think_of(&ask(effort), takes_effort), Some(expected), "{effort}");
        }
        assert_eq!(think_of(&ReasoningAsk::default(), true), None);
    }
}
