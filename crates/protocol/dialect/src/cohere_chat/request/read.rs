//! Reading a chat request.

use super::OWN_MEMBERS;
use crate::Dialect;
use crate::canonical::{
    Message, OutputFormat, Part, ReasoningMode, Request, Role, Schema, Tool, ToolChoice,
};
use crate::cohere_chat::document::read_document;
use crate::cohere_chat::message::read_message;
use crate::error::{Error, What};
use crate::fields;
use crate::json::Raw;
use crate::openai_chat::read_tool;

/// Reads a request body.
pub(crate) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    fields::required(root, "messages")?;
    let mut request = Request::new(Dialect::CohereChat);
    for (name, value) in root.members() {
        if !value.is_null() {
            read_member(&name, value, &mut request)?;
        }
    }
    // What follows looks at the messages and tools, which may stand behind these members.
    if let Some(documents) = root.member("documents") {
        read_documents(documents, &mut request.messages)?;
    }
    if let Some(strict) = root.member("strict_tools") {
        read_strictness(strict, &mut request.tools)?;
    }
    Ok(request)
}

/// One member of the body: a table of names.
fn read_member<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let sampling = &mut request.sampling;
    match name {
        // The model to write is the caller's choice, and fallbacks are the gateway's own business.
        "model" | "fallbacks" | "documents" | "strict_tools" => {}
        "messages" => request.messages = fields::each(name, value, read_message)?,
        "tools" => request.tools = fields::each(name, value, |_, tool| read_tool(tool))?,
        "tool_choice" => request.tool_choice = Some(read_tool_choice(value)),
        "max_tokens" => request.output_tokens_max = Some(fields::count(name, value)?),
        "temperature" => sampling.temperature = Some(fields::number(name, value)?),
        "p" => sampling.top_p = Some(fields::number(name, value)?),
        "k" => sampling.top_k = Some(fields::number(name, value)?),
        "seed" => sampling.seed = Some(fields::number(name, value)?),
        "frequency_penalty" => sampling.frequency_penalty = Some(fields::number(name, value)?),
        "presence_penalty" => sampling.presence_penalty = Some(fields::number(name, value)?),
        "stop_sequences" => {
            request.stop = fields::each(name, value, |_, sequence| {
                sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
            })?;
        }
        "stream" => request.stream = Some(fields::boolean(name, value)?),
        "response_format" => request.output_format = Some(read_format(value)?),
        "thinking" => read_thinking(value, request)?,
        "extra_params" => request.extra.extend(fields::object(name, value)?.members()),
        _ if OWN_MEMBERS.contains(&name) => request.rest.push((name.to_owned().into(), value)),
        _ => request.extra.push((name.to_owned().into(), value)),
    }
    Ok(())
}

/// Documents stand beside the messages; they belong to what the user said last.
fn read_documents<'a>(documents: Raw<'a>, messages: &mut Vec<Message<'a>>) -> Result<(), Error> {
    let parts = fields::each("documents", documents, |_, document| {
        Ok(Part { raw: Some(document), ..read_document(document)?.into() })
    })?;
    if parts.is_empty() {
        return Ok(());
    }
    match messages.iter_mut().rfind(|message| message.role == Role::User) {
        Some(message) => drop(message.parts.splice(0..0, parts)),
        None => messages.push(Message {
            role: Role::User,
            parts,
            cache_control: None,
            rest: Vec::new(),
            position: None,
        }),
    }
    Ok(())
}

fn read_strictness(strict: Raw<'_>, tools: &mut [Tool<'_>]) -> Result<(), Error> {
    if !fields::boolean("strict_tools", strict)? {
        return Ok(());
    }
    for tool in tools {
        match tool {
            Tool::Function(function) => function.strict = Some(true),
            Tool::Custom(_) | Tool::Hosted(_) | Tool::Vendor { .. } => {}
        }
    }
    Ok(())
}

fn read_tool_choice<'a>(choice: Raw<'a>) -> ToolChoice<'a> {
    let word = choice.as_str().unwrap_or_default();
    match &*word.to_ascii_uppercase() {
        "NONE" => ToolChoice::None,
        "REQUIRED" => ToolChoice::Required,
        "AUTO" => ToolChoice::Auto,
        _ => ToolChoice::Vendor(choice),
    }
}

/// `response_format`: JSON, with or without a schema.
fn read_format<'a>(format: Raw<'a>) -> Result<OutputFormat<'a>, Error> {
    fields::object("response_format", format)?;
    let kind = fields::required_text(format, "type")
        .map_err(|error| error.in_member("response_format"))?;
    let schema = format.member("json_schema").or_else(|| format.member("schema"));
    Ok(match &*kind.plain() {
        "text" => OutputFormat::Text,
        "json_object" => match schema.filter(|schema| schema.is_object()) {
            None => OutputFormat::JsonObject,
            schema => OutputFormat::JsonSchema {
                name: None,
                description: None,
                schema: schema.map(Schema::Value),
                strict: None,
            },
        },
        _ => OutputFormat::Vendor(format),
    })
}

fn read_thinking<'a>(thinking: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let fail = |error: Error| error.in_member("thinking");
    let kind = fields::required_text(thinking, "type").map_err(fail)?;
    let ask = request.reasoning.get_or_insert_default();
    ask.mode = Some(match &*kind.plain() {
        "disabled" => ReasoningMode::Disabled,
        "enabled" => ReasoningMode::Enabled,
        _ => return Err(fail(Error::at("type", What::Invalid("must be enabled or disabled")))),
    });
    if let Some(budget) = thinking.member("token_budget") {
        let wrong = || fail(fields::wrong_type("token_budget", "a whole number"));
        ask.budget = Some(budget.as_i64().ok_or_else(wrong)?);
    }
    Ok(())
}
