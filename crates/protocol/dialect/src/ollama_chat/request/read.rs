//! Reading a chat request.

use super::{OPTION_PREFIX, OWN_MEMBERS};
use crate::Dialect;
use crate::canonical::{OutputFormat, ReasoningMode, Request, Schema};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};
use crate::ollama_chat::message::MessageReader;
use crate::openai_chat::read_tool;

/// Reads a request body. A request that says nothing about it asks for a stream.
pub(crate) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    fields::required(root, "messages")?;
    let mut request = Request::new(Dialect::OllamaChat);
    request.stream = Some(true);
    for (name, value) in root.members() {
        if !value.is_null() {
            read_member(&name, value, &mut request)?;
        }
    }
    Ok(request)
}

/// One member of the body: a table of names.
fn read_member<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    match name {
        // The model to write is the caller's choice, and fallbacks are the gateway's own business.
        "model" | "fallbacks" => {}
        "messages" => {
            let mut reader = MessageReader::default();
            request.messages =
                fields::each(name, value, |position, message| reader.read(position, message))?;
        }
        "tools" => request.tools = fields::each(name, value, |_, tool| read_tool(tool))?,
        "format" => request.output_format = read_format(value)?,
        "options" => {
            for (name, value) in fields::object(name, value)?.members() {
                if !value.is_null() {
                    read_option(&name, value, request)
                        .map_err(|error| error.in_member("options"))?;
                }
            }
        }
        "think" => read_think(value, request)?,
        "stream" => request.stream = Some(fields::boolean(name, value)?),
        "extra_params" => request.extra.extend(fields::object(name, value)?.members()),
        _ if OWN_MEMBERS.contains(&name) => request.rest.push((name.to_owned().into(), value)),
        _ => request.extra.push((name.to_owned().into(), value)),
    }
    Ok(())
}

/// One member of `options`. A limit below 0 means none, in several ways only the vendor knows.
fn read_option<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let sampling = &mut request.sampling;
    match name {
        "num_predict" if value.as_i64().is_some_and(|limit| limit >= 0) => {
            request.output_tokens_max = Some(fields::count(name, value)?);
        }
        "temperature" => sampling.temperature = Some(fields::number(name, value)?),
        "top_p" => sampling.top_p = Some(fields::number(name, value)?),
        "top_k" => sampling.top_k = Some(fields::number(name, value)?),
        "seed" => sampling.seed = Some(fields::number(name, value)?),
        "frequency_penalty" => sampling.frequency_penalty = Some(fields::number(name, value)?),
        "presence_penalty" => sampling.presence_penalty = Some(fields::number(name, value)?),
        "stop" => request.stop = read_stop(value)?,
        _ => request.rest.push((format!("{OPTION_PREFIX}{name}").into(), value)),
    }
    Ok(())
}

fn read_stop<'a>(stop: Raw<'a>) -> Result<Vec<Text<'a>>, Error> {
    match stop.as_text() {
        Some(one) => Ok(vec![one]),
        None => fields::each("stop", stop, |_, sequence| {
            sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
        }),
    }
}

/// `format`: the word `json`, or a schema; clients send an empty word for neither.
fn read_format<'a>(format: Raw<'a>) -> Result<Option<OutputFormat<'a>>, Error> {
    if format.is_object() {
        let schema = Some(Schema::Value(format));
        return Ok(Some(OutputFormat::JsonSchema {
            name: None,
            description: None,
            schema,
            strict: None,
        }));
    }
    match format.as_str().as_deref() {
        Some("") => Ok(None),
        Some("json") => Ok(Some(OutputFormat::JsonObject)),
        _ => Err(fields::wrong_type("format", "\"json\" or an object")),
    }
}

/// `think`: yes or no, or for some models how much.
fn read_think<'a>(think: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let ask = request.reasoning.get_or_insert_default();
    match (think.as_bool(), think.as_text()) {
        (Some(true), _) => ask.mode = Some(ReasoningMode::Enabled),
        (Some(false), _) => ask.mode = Some(ReasoningMode::Disabled),
        (None, Some(effort)) => ask.effort = Some(effort),
        (None, None) => return Err(fields::wrong_type("think", "true, false or a string")),
    }
    Ok(())
}
