//! Reading a chat completions request.

use super::OWN_MEMBERS;
use crate::Dialect;
use crate::canonical::{
    CustomTool, FunctionTool, Grammar, OutputFormat, ReasoningAsk, ReasoningMode, Request, Schema,
    Tool, ToolChoice,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};
use crate::openai_chat::message::MessageReader;

/// Reads a request body.
pub(crate) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let mut reader = Reader { request: Request::new(Dialect::OpenAiChat), legacy_max_tokens: None };
    for (name, value) in root.members() {
        if !value.is_null() {
            reader.member(&name, value)?;
        }
    }
    fields::required(root, "messages")?;
    let mut request = reader.request;
    request.output_tokens_max = request.output_tokens_max.or(reader.legacy_max_tokens);
    Ok(request)
}

struct Reader<'a> {
    request: Request<'a>,
    legacy_max_tokens: Option<u64>,
}

impl<'a> Reader<'a> {
    /// One member of the body: a table of names.
    fn member(&mut self, name: &str, value: Raw<'a>) -> Result<(), Error> {
        let request = &mut self.request;
        match name {
            // The model to write is the caller's choice, and fallbacks are the gateway's own business.
            "model" | "fallbacks" => {}
            "messages" => {
                let mut reader = MessageReader::default();
                let read = |position, message| reader.read(position, message);
                request.messages = fields::each(name, value, read)?;
            }
            "tools" => request.tools.extend(fields::each(name, value, |_, tool| read_tool(tool))?),
            "functions" => {
                let read = |_, function| read_function(function).map(Tool::Function);
                request.tools.extend(fields::each(name, value, read)?);
            }
            "tool_choice" | "function_call" => request.tool_choice = Some(read_tool_choice(value)),
            "parallel_tool_calls" => {
                request.parallel_tool_calls = Some(fields::boolean(name, value)?);
            }
            "max_completion_tokens" => {
                request.output_tokens_max = Some(fields::count(name, value)?);
            }
            "max_tokens" => self.legacy_max_tokens = Some(fields::count(name, value)?),
            "stop" => request.stop = read_stop(value)?,
            "stream" => request.stream = Some(fields::boolean(name, value)?),
            "stream_options" => {
                let include = fields::object(name, value)?.member("include_usage");
                request.include_usage = include.and_then(|include| include.as_bool()) == Some(true);
            }
            "user" => request.user = Some(fields::text(name, value)?),
            "service_tier" => request.service_tier = Some(fields::text(name, value)?),
            "response_format" => request.output_format = Some(read_format(value)?),
            "cache_control" => request.cache_control = Some(value),
            "reasoning" | "reasoning_effort" | "reasoning_max_tokens" | "reasoning_display" => {
                self.reasoning(name, value)?;
            }
            "extra_params" => request.extra.extend(fields::object(name, value)?.members()),
            _ => self.sampling_or_rest(name, value)?,
        }
        Ok(())
    }

    fn sampling_or_rest(&mut self, name: &str, value: Raw<'a>) -> Result<(), Error> {
        let sampling = &mut self.request.sampling;
        let knob = match name {
            "temperature" => &mut sampling.temperature,
            "top_p" => &mut sampling.top_p,
            "top_k" => &mut sampling.top_k,
            // The latter is Mistral's.
            "seed" | "random_seed" => &mut sampling.seed,
            "frequency_penalty" => &mut sampling.frequency_penalty,
            "presence_penalty" => &mut sampling.presence_penalty,
            "top_logprobs" => &mut sampling.top_logprobs,
            "n" => &mut sampling.choices,
            "logprobs" => {
                fields::boolean(name, value)?;
                sampling.logprobs = Some(value);
                return Ok(());
            }
            _ => {
                self.rest(name, value);
                return Ok(());
            }
        };
        *knob = Some(fields::number(name, value)?);
        Ok(())
    }

    fn rest(&mut self, name: &str, value: Raw<'a>) {
        let member = (name.to_owned().into(), value);
        if OWN_MEMBERS.contains(&name) {
            self.request.rest.push(member);
            return;
        }
        if name == "thinking" {
            self.switch(value);
        }
        self.request.extra.push(member);
    }

    /// `thinking: {type, budget_tokens}`, as DeepSeek and Z.ai spell the switch and hosts of Claude take it.
    fn switch(&mut self, value: Raw<'a>) {
        let mode = fields::lenient_text(value, "type").and_then(|kind| match &*kind.plain() {
            "disabled" => Some(ReasoningMode::Disabled),
            "enabled" => Some(ReasoningMode::Enabled),
            _ => None,
        });
        if let Some(mode) = mode {
            let ask = self.request.reasoning.get_or_insert_default();
            ask.mode = Some(mode);
            ask.budget = value.member("budget_tokens").and_then(|budget| budget.as_i64());
        }
    }

    fn reasoning(&mut self, name: &str, value: Raw<'a>) -> Result<(), Error> {
        let ask = self.request.reasoning.get_or_insert_default();
        match name {
            "reasoning_effort" => {
                once(&mut ask.effort, fields::text(name, value)?, name, EFFORT_TWICE)
            }
            "reasoning_display" => {
                once(&mut ask.display, fields::text(name, value)?, name, DISPLAY_TWICE)
            }
            "reasoning_max_tokens" => {
                once(&mut ask.budget, budget(name, value)?, name, BUDGET_TWICE)
            }
            _ => read_reasoning(ask, fields::object(name, value)?),
        }
    }
}

const EFFORT_TWICE: &str =
    "both reasoning_effort and reasoning.effort cannot be present at the same time";
const BUDGET_TWICE: &str =
    "both reasoning_max_tokens and reasoning.max_tokens cannot be present at the same time";
const DISPLAY_TWICE: &str =
    "both reasoning_display and reasoning.display cannot be present at the same time";

fn read_reasoning<'a>(ask: &mut ReasoningAsk<'a>, value: Raw<'a>) -> Result<(), Error> {
    for (name, value) in value.members().filter(|(_, value)| !value.is_null()) {
        let read = match &*name {
            "effort" => fields::text(&name, value)
                .and_then(|effort| once(&mut ask.effort, effort, "", EFFORT_TWICE)),
            "max_tokens" => budget(&name, value)
                .and_then(|budget| once(&mut ask.budget, budget, "", BUDGET_TWICE)),
            "display" => fields::text(&name, value)
                .and_then(|display| once(&mut ask.display, display, "", DISPLAY_TWICE)),
            "enabled" => fields::boolean(&name, value).map(|is_on| {
                let mode = if is_on { ReasoningMode::Enabled } else { ReasoningMode::Disabled };
                ask.mode = Some(mode);
            }),
            _ => Ok(()),
        };
        read.map_err(|error| error.in_member("reasoning"))?;
    }
    Ok(())
}

fn budget(name: &str, value: Raw<'_>) -> Result<i64, Error> {
    value.as_i64().ok_or_else(|| fields::wrong_type(name, "a whole number"))
}

/// Fills in what may be said in one place only.
fn once<T>(place: &mut Option<T>, value: T, name: &str, twice: &'static str) -> Result<(), Error> {
    if place.replace(value).is_some() {
        return Err(Error::at(name, What::Invalid(twice)));
    }
    Ok(())
}

/// Reads one tool.
pub(crate) fn read_tool<'a>(tool: Raw<'a>) -> Result<Tool<'a>, Error> {
    if !tool.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let kind = fields::lenient_text(tool, "type").unwrap_or_else(|| "function".into());
    if kind == *"custom" {
        return read_custom(tool).map(Tool::Custom);
    }
    if kind != *"function" {
        return Ok(Tool::Vendor { kind, raw: tool });
    }
    let function = fields::object("function", fields::required(tool, "function")?)?;
    let mut read = read_function(function).map_err(|error| error.in_member("function"))?;
    read.cache_control = tool.member("cache_control");
    Ok(Tool::Function(read))
}

fn read_custom<'a>(tool: Raw<'a>) -> Result<CustomTool<'a>, Error> {
    let custom = fields::object("custom", fields::required(tool, "custom")?)?;
    let grammar = custom.member("format").and_then(|format| format.member("grammar"));
    let of_grammar = |name| fields::lenient_text(grammar?, name);
    Ok(CustomTool {
        name: fields::required_text(custom, "name").map_err(|error| error.in_member("custom"))?,
        description: fields::lenient_text(custom, "description"),
        grammar: of_grammar("syntax")
            .zip(of_grammar("definition"))
            .map(|(syntax, definition)| Grammar { syntax, definition }),
        raw: tool,
    })
}

fn read_function<'a>(function: Raw<'a>) -> Result<FunctionTool<'a>, Error> {
    let mut tool =
        FunctionTool { name: fields::required_text(function, "name")?, ..FunctionTool::default() };
    for (name, value) in function.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "name" => {}
            "description" => tool.description = Some(fields::text(&name, value)?),
            "parameters" => tool.parameters = Some(fields::object(&name, value)?),
            "strict" => tool.strict = Some(fields::boolean(&name, value)?),
            _ => tool.rest.push((name, value)),
        }
    }
    Ok(tool)
}

fn read_tool_choice<'a>(choice: Raw<'a>) -> ToolChoice<'a> {
    if let Some(word) = choice.as_str() {
        return match &*word {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Required,
            _ => ToolChoice::Vendor(choice),
        };
    }
    let named = choice.member("function").or_else(|| choice.member("custom")).unwrap_or(choice);
    let kind = fields::lenient_text(choice, "type").map_or("function".into(), Text::into_plain);
    match fields::lenient_text(named, "name") {
        Some(name) if matches!(&*kind, "function" | "tool" | "custom") => ToolChoice::Named(name),
        _ => ToolChoice::Vendor(choice),
    }
}

fn read_stop<'a>(stop: Raw<'a>) -> Result<Vec<Text<'a>>, Error> {
    match stop.as_text() {
        Some(one) => Ok(vec![one]),
        None => fields::each("stop", stop, |_, sequence| {
            sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
        }),
    }
}

fn read_format<'a>(format: Raw<'a>) -> Result<OutputFormat<'a>, Error> {
    let fail = |error: Error| error.in_member("response_format");
    fields::object("response_format", format)?;
    let kind = fields::required_text(format, "type").map_err(fail)?;
    match &*kind.plain() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => read_schema(format).map_err(fail),
        _ => Ok(OutputFormat::Vendor(format)),
    }
}

fn read_schema<'a>(format: Raw<'a>) -> Result<OutputFormat<'a>, Error> {
    let value = fields::object("json_schema", fields::required(format, "json_schema")?)?;
    Ok(OutputFormat::JsonSchema {
        name: fields::lenient_text(value, "name"),
        description: fields::lenient_text(value, "description"),
        schema: value.member("schema").filter(|schema| schema.is_object()).map(Schema::Value),
        strict: value.member("strict").and_then(|strict| strict.as_bool()),
    })
}
