//! Reading a messages request.

use super::OWN_MEMBERS;
use crate::Dialect;
use crate::anthropic_messages::block::read_blocks;
use crate::canonical::{
    FunctionTool, HostedTool, Message, OutputFormat, Part, PartKind, ReasoningMode, Request, Role,
    Schema, ServerTool, Tool, ToolChoice,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::Raw;

/// Reads a request body.
pub(crate) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let mut request = Request::new(Dialect::AnthropicMessages);
    if let Some(system) = root.member("system") {
        read_system(system, &mut request)?;
    }
    let messages = fields::array("messages", fields::required(root, "messages")?)?;
    for (position, message) in messages.elements().enumerate() {
        read_message(position, message, &mut request.messages)
            .map_err(|error| error.in_element(position).in_member("messages"))?;
    }
    for (name, value) in root.members() {
        if !value.is_null() {
            read_member(&name, value, &mut request)?;
        }
    }
    Ok(request)
}

/// One member of the body: a table of names.
fn read_member<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let sampling = &mut request.sampling;
    match name {
        // The model to write is the caller's choice, and fallbacks are the gateway's own business.
        "model" | "messages" | "system" | "fallbacks" => {}
        "max_tokens" => request.output_tokens_max = Some(fields::count(name, value)?),
        "temperature" => sampling.temperature = Some(fields::number(name, value)?),
        "top_p" => sampling.top_p = Some(fields::number(name, value)?),
        "top_k" => sampling.top_k = Some(fields::number(name, value)?),
        "stop_sequences" => {
            request.stop = fields::each(name, value, |_, sequence| {
                sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
            })?;
        }
        "stream" => request.stream = Some(fields::boolean(name, value)?),
        "service_tier" => request.service_tier = Some(fields::text(name, value)?),
        "cache_control" => request.cache_control = Some(value),
        "tools" => request.tools = fields::each(name, value, |_, tool| read_tool(tool))?,
        "tool_choice" => read_tool_choice(value, request)?,
        "thinking" => read_thinking(value, request)?,
        "output_format" => request.output_format = Some(read_format(value)),
        "extra_params" => request.extra.extend(fields::object(name, value)?.members()),
        "metadata" => {
            request.user = fields::lenient_text(value, "user_id");
            request.rest.push((name.to_owned().into(), value));
        }
        "output_config" => {
            read_output_config(value, request)?;
            request.rest.push((name.to_owned().into(), value));
        }
        _ if OWN_MEMBERS.contains(&name) => request.rest.push((name.to_owned().into(), value)),
        _ => request.extra.push((name.to_owned().into(), value)),
    }
    Ok(())
}

fn read_system<'a>(system: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let parts = match system.as_text() {
        Some(text) => vec![Part::text(text)],
        None => read_blocks("system", system)?,
    };
    request.messages.push(message(Role::System, parts, None));
    Ok(())
}

fn message<'a>(role: Role, parts: Vec<Part<'a>>, position: Option<usize>) -> Message<'a> {
    Message { role, parts, cache_control: None, rest: Vec::new(), position }
}

/// One message. Tool results are messages of their own in the common vocabulary, ahead of what else the user says.
fn read_message<'a>(
    position: usize,
    value: Raw<'a>,
    messages: &mut Vec<Message<'a>>,
) -> Result<(), Error> {
    let role = match &*fields::required_text(value, "role")?.plain() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(Error::at("role", What::Invalid("must be user, assistant or system"))),
    };
    let content = fields::required(value, "content")?;
    let parts = match content.as_text() {
        Some(text) => vec![Part::text(text)],
        None => read_blocks("content", content)?,
    };
    let (results, said): (Vec<_>, Vec<_>) =
        parts.into_iter().partition(|part| matches!(part.kind, PartKind::ToolResult(_)));
    let has_results = !results.is_empty();
    if has_results {
        messages.push(message(Role::Tool, results, Some(position)));
    }
    if !said.is_empty() || !has_results {
        messages.push(message(role, said, Some(position)));
    }
    Ok(())
}

fn read_tool<'a>(tool: Raw<'a>) -> Result<Tool<'a>, Error> {
    if !tool.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let kind = fields::lenient_text(tool, "type").filter(|kind| *kind != *"custom");
    if let Some(kind) = kind {
        return Ok(match hosted_tool(&kind.plain()) {
            Some(hosted) => Tool::Hosted(HostedTool {
                tool: hosted,
                kind,
                allowed_domains: tool.member("allowed_domains"),
                blocked_domains: tool.member("blocked_domains"),
                user_location: tool.member("user_location"),
                raw: tool,
            }),
            None => Tool::Vendor { kind, raw: tool },
        });
    }
    let mut read =
        FunctionTool { name: fields::required_text(tool, "name")?, ..FunctionTool::default() };
    for (name, value) in tool.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "name" | "type" => {}
            "description" => read.description = Some(fields::text(&name, value)?),
            "input_schema" => read.parameters = Some(fields::object(&name, value)?),
            "strict" => read.strict = Some(fields::boolean(&name, value)?),
            "cache_control" => read.cache_control = Some(value),
            _ => read.rest.push((name, value)),
        }
    }
    Ok(Tool::Function(read))
}

/// The tool that the vendor runs itself, by its type, which ends in a date.
fn hosted_tool(kind: &str) -> Option<ServerTool> {
    let is = |name: &str| kind.strip_prefix(name).is_some_and(|date| date.starts_with("_20"));
    match () {
        () if is("web_search") => Some(ServerTool::WebSearch),
        () if is("web_fetch") => Some(ServerTool::WebFetch),
        () if is("code_execution") => Some(ServerTool::CodeExecution),
        () => None,
    }
}

fn read_tool_choice<'a>(choice: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let fail = |error: Error| error.in_member("tool_choice");
    let kind = fields::required_text(choice, "type").map_err(fail)?;
    request.tool_choice = Some(match &*kind.plain() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Named(fields::required_text(choice, "name").map_err(fail)?),
        _ => ToolChoice::Vendor(choice),
    });
    let disable = choice.member("disable_parallel_tool_use").and_then(|disable| disable.as_bool());
    request.parallel_tool_calls = disable.map(|disable| !disable);
    Ok(())
}

fn read_thinking<'a>(thinking: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let fail = |error: Error| error.in_member("thinking");
    let kind = fields::required_text(thinking, "type").map_err(fail)?;
    let ask = request.reasoning.get_or_insert_default();
    ask.mode = Some(match &*kind.plain() {
        "disabled" => ReasoningMode::Disabled,
        "adaptive" => ReasoningMode::Adaptive,
        "enabled" => ReasoningMode::Enabled,
        _ => {
            let what = What::Invalid("must be enabled, adaptive or disabled");
            return Err(fail(Error::at("type", what)));
        }
    });
    ask.budget = thinking.member("budget_tokens").and_then(|budget| budget.as_i64());
    ask.display = fields::lenient_text(thinking, "display");
    Ok(())
}

fn read_output_config<'a>(config: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    fields::object("output_config", config)?;
    if let Some(effort) = fields::lenient_text(config, "effort") {
        request.reasoning.get_or_insert_default().effort = Some(effort);
    }
    if let Some(format) = config.member("format") {
        request.output_format = Some(read_format(format));
    }
    Ok(())
}

fn read_format<'a>(format: Raw<'a>) -> OutputFormat<'a> {
    if fields::lenient_text(format, "type").is_none_or(|kind| kind != *"json_schema") {
        return OutputFormat::Vendor(format);
    }
    OutputFormat::JsonSchema {
        name: fields::lenient_text(format, "name"),
        description: None,
        schema: format.member("schema").map(Schema::Value),
        strict: None,
    }
}
