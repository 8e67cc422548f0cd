//! Reading a Converse request.

use super::{ADDITIONAL, OWN_MEMBERS};
use crate::Dialect;
use crate::bedrock_converse::block::{read_blocks, read_cache_point};
use crate::canonical::{
    FunctionTool, Message, OutputFormat, Part, PartKind, ReasoningMode, Request, Role, Schema,
    Tool, ToolChoice,
};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Index, Raw, Text};

/// Reads a request body.
pub(crate) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let mut request = Request::new(Dialect::BedrockConverse);
    if let Some(system) = root.member("system") {
        let parts = read_blocks("system", system, Role::System)?;
        if !parts.is_empty() {
            request.messages.push(message(Role::System, parts, None));
        }
    }
    // A prompt kept by the vendor needs no messages.
    if let Some(messages) = root.member("messages") {
        let messages = fields::array("messages", messages)?;
        for (position, message) in messages.elements().enumerate() {
            read_message(position, message, &mut request.messages)
                .map_err(|error| error.in_element(position).in_member("messages"))?;
        }
    }
    for (name, value) in root.members() {
        if !value.is_null() {
            read_member(&name, value, &mut request).map_err(|error| match &*name {
                "inferenceConfig" | "toolConfig" | "outputConfig" => error.in_member(&name),
                _ => error,
            })?;
        }
    }
    Ok(request)
}

/// One member of the body: a table of names.
fn read_member<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    match name {
        // The model to write is the caller's choice, and fallbacks are the gateway's own business.
        "messages" | "system" | "modelId" | "fallbacks" => {}
        "inferenceConfig" => {
            for (name, value) in an_object(value)?.members().filter(|(_, value)| !value.is_null()) {
                read_inference_member(&name, value, request)?;
            }
        }
        "toolConfig" => read_tool_config(an_object(value)?, request)?,
        "serviceTier" => request.service_tier = fields::lenient_text(value, "type"),
        "outputConfig" => {
            read_output_config(an_object(value)?, request)?;
            request.spelt.push((name.to_owned().into(), value));
        }
        ADDITIONAL => {
            let members = fields::object(name, value)?.members();
            members.for_each(|(name, value)| read_additional(&name, value, request));
            request.spelt.push((name.to_owned().into(), value));
        }
        _ if OWN_MEMBERS.contains(&name) => request.rest.push((name.to_owned().into(), value)),
        _ => request.extra.push((name.to_owned().into(), value)),
    }
    Ok(())
}

fn an_object(value: Raw<'_>) -> Result<Raw<'_>, Error> {
    if value.is_object() { Ok(value) } else { Err(Error::new(What::WrongType("an object"))) }
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
    let parts = read_blocks("content", fields::required(value, "content")?, role)?;
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

fn read_inference_member<'a>(
    name: &str,
    value: Raw<'a>,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    match name {
        "maxTokens" => request.output_tokens_max = Some(fields::count(name, value)?),
        "temperature" => request.sampling.temperature = Some(fields::number(name, value)?),
        "topP" => request.sampling.top_p = Some(fields::number(name, value)?),
        "stopSequences" => {
            request.stop = fields::each(name, value, |_, sequence| {
                sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
            })?;
        }
        _ => request.rest.push((format!("inferenceConfig.{name}").into(), value)),
    }
    Ok(())
}

fn read_tool_config<'a>(config: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    if let Some(tools) = config.member("tools") {
        for (position, tool) in fields::array("tools", tools)?.elements().enumerate() {
            read_tool(tool, &mut request.tools)
                .map_err(|error| error.in_element(position).in_member("tools"))?;
        }
    }
    if let Some(choice) = config.member("toolChoice") {
        request.tool_choice = Some(read_tool_choice(choice)?);
    }
    Ok(())
}

/// One tool, or a cache point, which belongs to the tool before it.
fn read_tool<'a>(tool: Raw<'a>, tools: &mut Vec<Tool<'a>>) -> Result<(), Error> {
    an_object(tool)?;
    if let (Some(point), Some(Tool::Function(last))) = (tool.member("cachePoint"), tools.last_mut())
        && last.cache_control.is_none()
    {
        last.cache_control = Some(read_cache_point(point));
        return Ok(());
    }
    tools.push(match tool.member("toolSpec") {
        Some(spec) => {
            Tool::Function(read_tool_spec(spec).map_err(|error| error.in_member("toolSpec"))?)
        }
        None => Tool::Vendor { kind: vendor_kind(tool), raw: tool },
    });
    Ok(())
}

/// The name of a tool that the vendor runs itself, or what else stands there.
fn vendor_kind(tool: Raw<'_>) -> Text<'_> {
    let system = tool.member("systemTool");
    let name = system.and_then(|system| fields::lenient_text(system, "name"));
    name.or_else(|| tool.members().next().map(|(name, _)| Text::from(name))).unwrap_or_default()
}

fn read_tool_spec<'a>(spec: Raw<'a>) -> Result<FunctionTool<'a>, Error> {
    let mut tool =
        FunctionTool { name: fields::required_text(spec, "name")?, ..FunctionTool::default() };
    for (name, value) in spec.members().filter(|(_, value)| !value.is_null()) {
        match &*name {
            "name" => {}
            "description" => tool.description = Some(fields::text(&name, value)?),
            "inputSchema" => {
                let schema = value.member("json").map(|json| fields::object("json", json));
                tool.parameters = schema.transpose().map_err(|error| error.in_member(&name))?;
            }
            "strict" => tool.strict = Some(fields::boolean(&name, value)?),
            _ => tool.rest.push((name, value)),
        }
    }
    Ok(tool)
}

fn read_tool_choice<'a>(choice: Raw<'a>) -> Result<ToolChoice<'a>, Error> {
    let is = |name| choice.member(name).is_some();
    Ok(match choice.member("tool") {
        Some(tool) => {
            let name = fields::required_text(tool, "name");
            ToolChoice::Named(
                name.map_err(|error| error.in_member("tool").in_member("toolChoice"))?,
            )
        }
        None if is("any") => ToolChoice::Required,
        None if is("auto") => ToolChoice::Auto,
        None => ToolChoice::Vendor(choice),
    })
}

fn read_output_config<'a>(config: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    if let Some(effort) = fields::lenient_text(config, "effort") {
        request.reasoning.get_or_insert_default().effort = Some(effort);
    }
    let Some(format) = config.member("textFormat") else { return Ok(()) };
    let structure = format.member("structure");
    request.output_format = Some(match structure.and_then(|it| it.member("jsonSchema")) {
        None => OutputFormat::Vendor(format),
        Some(definition) => OutputFormat::JsonSchema {
            name: fields::lenient_text(definition, "name"),
            description: fields::lenient_text(definition, "description"),
            schema: Some(read_schema(definition).map_err(|error| {
                error.in_member("jsonSchema").in_member("structure").in_member("textFormat")
            })?),
            strict: None,
        },
    });
    Ok(())
}

/// A schema that is JSON inside a string.
fn read_schema<'a>(definition: Raw<'a>) -> Result<Schema<'a>, Error> {
    let schema = fields::required_text(definition, "schema")?.into_plain();
    let is_object = Index::new().read(schema.as_bytes()).is_ok_and(|root| root.is_object());
    if is_object {
        Ok(Schema::Text(schema))
    } else {
        Err(Error::at("schema", What::WrongType("a string that holds a JSON object")))
    }
}

/// One of the wishes that families of models spell in their own ways; what it does not know is kept by its name.
fn read_additional<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) {
    let is_read = match name {
        "thinking" | "reasoning_config" => read_claude_thinking(value, request),
        "reasoningConfig" => read_nova_thinking(value, request),
        "reasoning_effort" => read_effort(value.as_text(), request),
        "output_config" => {
            let is_effort_alone = value.members().all(|(name, _)| name == "effort");
            read_effort(fields::lenient_text(value, "effort"), request) && is_effort_alone
        }
        "top_k" | "k" => read_top_k(Some(value), request),
        "inferenceConfig" => {
            let is_alone = value.members().all(|(name, _)| name == "topK");
            read_top_k(value.member("topK"), request) && is_alone
        }
        _ => false,
    };
    if !is_read {
        request.rest.push((format!("{ADDITIONAL}.{name}").into(), value));
    }
}

fn read_claude_thinking<'a>(thinking: Raw<'a>, request: &mut Request<'a>) -> bool {
    let mode = match fields::lenient_text(thinking, "type").as_ref().map(Text::plain).as_deref() {
        Some("enabled") => ReasoningMode::Enabled,
        Some("adaptive") => ReasoningMode::Adaptive,
        Some("disabled") => ReasoningMode::Disabled,
        _ => return false,
    };
    let ask = request.reasoning.get_or_insert_default();
    ask.mode = Some(mode);
    ask.budget = thinking.member("budget_tokens").and_then(|budget| budget.as_i64());
    ask.display = fields::lenient_text(thinking, "display");
    true
}

fn read_nova_thinking<'a>(thinking: Raw<'a>, request: &mut Request<'a>) -> bool {
    let mode = match fields::lenient_text(thinking, "type").as_ref().map(Text::plain).as_deref() {
        Some("enabled") => ReasoningMode::Enabled,
        Some("disabled") => ReasoningMode::Disabled,
        _ => return false,
    };
    let ask = request.reasoning.get_or_insert_default();
    ask.mode = Some(mode);
    ask.effort = fields::lenient_text(thinking, "maxReasoningEffort").or(ask.effort.take());
    true
}

fn read_effort<'a>(effort: Option<Text<'a>>, request: &mut Request<'a>) -> bool {
    let Some(effort) = effort else { return false };
    request.reasoning.get_or_insert_default().effort = Some(effort);
    true
}

fn read_top_k<'a>(value: Option<Raw<'a>>, request: &mut Request<'a>) -> bool {
    let number = value.and_then(|value| fields::number("top_k", value).ok());
    if number.is_some() {
        request.sampling.top_k = number;
    }
    number.is_some()
}
