//! Reading a request: tools and settings. The contents are read in `contents_read`.

use super::contents_read::{ContentReader, read_system};
use super::thinking::read_thinking;
use crate::Dialect;
use crate::canonical::{
    FunctionTool, HostedTool, OutputFormat, Request, Schema, ServerTool, Tool, ToolChoice,
};
use crate::error::{Error, What};
use crate::fields;
use crate::gemini::spelling::{elements, member, members};
use crate::json::{Raw, Text};

/// Members of the request that Google defines and that have no meaning all vendors share.
const OWN_MEMBERS: &[&str] = &["safetySettings", "labels", "modelArmorConfig", "store"];

/// Reads a request body.
pub(crate) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let mut request = Request::new(Dialect::Gemini);
    request.raw = Some(root);
    request.has_openapi_schemas = true;
    if let Some(system) = member(root, "systemInstruction") {
        read_system(system, &mut request.messages)
            .map_err(|error| error.in_member("systemInstruction"))?;
    }
    let contents = member(root, "contents").ok_or_else(|| Error::at("contents", What::Missing))?;
    if !contents.is_array() && !contents.is_object() {
        return Err(fields::wrong_type("contents", "an array"));
    }
    let mut reader = ContentReader::default();
    for (position, content) in elements(contents).enumerate() {
        reader
            .read(position, content, &mut request.messages)
            .map_err(|error| error.in_element(position).in_member("contents"))?;
    }
    for (name, value) in members(root) {
        read_member(&name, value, &mut request)?;
    }
    Ok(request)
}

/// One member of the body: a table of names.
fn read_member<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    match name {
        // The model to write is the caller's choice, and fallbacks are the gateway's own business.
        "model" | "contents" | "systemInstruction" | "fallbacks" => {}
        "tools" => {
            for (position, tool) in elements(value).enumerate() {
                read_tool(tool, &mut request.tools)
                    .map_err(|error| error.in_element(position).in_member("tools"))?;
            }
        }
        "toolConfig" => read_tool_config(value, request)?,
        "generationConfig" => {
            for (name, value) in members(fields::object(name, value)?) {
                read_setting(&name, value, request)
                    .map_err(|error| error.in_member("generationConfig"))?;
            }
        }
        "serviceTier" => request.service_tier = Some(read_tier(fields::text(name, value)?)),
        "extraParams" => request.extra.extend(fields::object(name, value)?.members()),
        "cachedContent" => {
            request.own_only.push(name.to_owned());
            request.rest.push((name.to_owned().into(), value));
        }
        _ if OWN_MEMBERS.contains(&name) => request.rest.push((name.to_owned().into(), value)),
        _ => request.extra.push((name.to_owned().into(), value)),
    }
    Ok(())
}

fn read_tier(tier: Text<'_>) -> Text<'_> {
    match &*tier.plain().to_ascii_lowercase() {
        "standard" => "default".into(),
        known @ ("flex" | "priority") => known.to_owned().into(),
        _ => tier,
    }
}

/// One member of `generationConfig`: a table of names.
fn read_setting<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let sampling = &mut request.sampling;
    let knob = match name {
        "temperature" => &mut sampling.temperature,
        "topP" => &mut sampling.top_p,
        "topK" => &mut sampling.top_k,
        "seed" => &mut sampling.seed,
        "frequencyPenalty" => &mut sampling.frequency_penalty,
        "presencePenalty" => &mut sampling.presence_penalty,
        "logprobs" => &mut sampling.top_logprobs,
        "candidateCount" => &mut sampling.choices,
        "responseLogprobs" => {
            fields::boolean(name, value)?;
            sampling.logprobs = Some(value);
            return Ok(());
        }
        _ => return read_other_setting(name, value, request),
    };
    *knob = Some(fields::number(name, value)?);
    Ok(())
}

fn read_other_setting<'a>(
    name: &str,
    value: Raw<'a>,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    match name {
        "maxOutputTokens" => request.output_tokens_max = Some(fields::count(name, value)?),
        "stopSequences" => {
            request.stop = fields::each(name, value, |_, sequence| {
                sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
            })?;
        }
        "responseMimeType" => read_media_type(value, request)?,
        "responseSchema" | "responseJsonSchema" => {
            read_schema(fields::object(name, value)?, request);
        }
        "thinkingConfig" => request.reasoning = read_thinking(fields::object(name, value)?)?,
        "responseModalities" if asks_for_text(value) => {}
        _ => request.rest.push((format!("generationConfig.{name}").into(), value)),
    }
    Ok(())
}

fn asks_for_text(modalities: Raw<'_>) -> bool {
    elements(modalities).all(|modality| {
        modality.as_str().is_some_and(|modality| modality.eq_ignore_ascii_case("text"))
    })
}

fn read_media_type<'a>(value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let format = match &*fields::text("responseMimeType", value)?.plain() {
        // Beside it the schema may stand, which says more.
        "application/json" if request.output_format.is_some() => return Ok(()),
        "application/json" => OutputFormat::JsonObject,
        "text/plain" => OutputFormat::Text,
        _ => OutputFormat::Vendor(value),
    };
    request.output_format = Some(format);
    Ok(())
}

fn read_schema<'a>(schema: Raw<'a>, request: &mut Request<'a>) {
    if matches!(request.output_format, Some(OutputFormat::Vendor(_))) {
        return;
    }
    // What is strict elsewhere allows no optional members, which are usual here.
    request.output_format = Some(OutputFormat::JsonSchema {
        name: None,
        description: None,
        schema: Some(Schema::Value(schema)),
        strict: Some(false),
    });
}

/// A tool that Google runs itself.
fn own_tool<'a>(name: String, raw: Raw<'a>) -> Tool<'a> {
    let tool = match &*name {
        "googleSearch" | "googleSearchRetrieval" => ServerTool::WebSearch,
        "codeExecution" => ServerTool::CodeExecution,
        _ => return Tool::Vendor { kind: name.into(), raw },
    };
    Tool::Hosted(HostedTool {
        tool,
        kind: name.into(),
        allowed_domains: None,
        blocked_domains: None,
        user_location: None,
        raw,
    })
}

/// One element of `tools`, which may hold functions and tools of the vendor's own.
fn read_tool<'a>(tool: Raw<'a>, tools: &mut Vec<Tool<'a>>) -> Result<(), Error> {
    if !tool.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    for (name, value) in members(tool) {
        if name == "functionDeclarations" {
            let functions = fields::each(&name, value, |_, function| read_function(function))?;
            tools.extend(functions.into_iter().map(Tool::Function));
        } else {
            tools.push(own_tool(name.into_owned(), value));
        }
    }
    Ok(())
}

fn read_function<'a>(function: Raw<'a>) -> Result<FunctionTool<'a>, Error> {
    let mut read =
        FunctionTool { name: fields::required_text(function, "name")?, ..FunctionTool::default() };
    for (name, value) in members(function) {
        match &*name {
            "name" => {}
            "description" => read.description = Some(fields::text(&name, value)?),
            "parameters" | "parametersJsonSchema" => {
                read.parameters = Some(fields::object(&name, value)?);
            }
            _ => read.rest.push((name, value)),
        }
    }
    Ok(read)
}

fn read_tool_config<'a>(config: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    for (name, value) in members(fields::object("toolConfig", config)?) {
        if name == "functionCallingConfig" {
            request.tool_choice = read_tool_choice(value);
        } else if name != "includeServerSideToolInvocations" {
            request.rest.push((format!("toolConfig.{name}").into(), value));
        }
    }
    Ok(())
}

fn read_tool_choice<'a>(config: Raw<'a>) -> Option<ToolChoice<'a>> {
    let mode = member(config, "mode").and_then(|mode| mode.as_str())?;
    let names = member(config, "allowedFunctionNames");
    let mut names = names.iter().flat_map(|names| names.elements());
    match &*mode.to_ascii_uppercase() {
        // What the caller may call is validated anyway, or nowhere.
        "AUTO" | "VALIDATED" => Some(ToolChoice::Auto),
        "NONE" => Some(ToolChoice::None),
        "ANY" => match (names.next().and_then(|name| name.as_text()), names.next()) {
            (Some(name), None) => Some(ToolChoice::Named(name)),
            _ => Some(ToolChoice::Required),
        },
        "MODE_UNSPECIFIED" => None,
        _ => Some(ToolChoice::Vendor(config)),
    }
}
