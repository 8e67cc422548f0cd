//! Reading a responses request.

use super::tools::{read_tool_choice, read_tools, restrict_tools};
use super::{INCLUDE_ENCRYPTED, INCLUDE_LOGPROBS, OWN_MEMBERS, STATE_MEMBERS};
use crate::Dialect;
use crate::canonical::{Message, OutputFormat, Part, Request, Role, Schema};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};
use crate::openai_responses::item::{Item, read_item};
use crate::openai_responses::namespace;

/// Reads a request body.
pub(in crate::openai_responses) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    let mut request = Request {
        raw: Some(root),
        messages_name: "input",
        system_name: "instructions",
        ..Request::new(Dialect::OpenAiResponses)
    };
    if let Some(instructions) = root.member("instructions") {
        let part = Part::text(fields::text("instructions", instructions)?);
        request.messages.push(message(Role::System, vec![part], None));
    }
    // More of them may come among the items.
    if let Some(tools) = root.member("tools") {
        read_tools("tools", tools, &mut request)?;
    }
    for (name, value) in root.members().filter(|(_, value)| !value.is_null()) {
        read_member(&name, value, &mut request)?;
    }
    restrict_tools(&mut request);
    // How many of them is no matter where none are included.
    if !request.sampling.wants_logprobs {
        request.sampling.top_logprobs = None;
    }
    let is_continued = STATE_MEMBERS.iter().any(|name| root.member(name).is_some());
    if root.member("input").is_none() && !is_continued {
        return Err(Error::at("input", What::Missing));
    }
    Ok(request)
}

fn message<'a>(role: Role, parts: Vec<Part<'a>>, position: Option<usize>) -> Message<'a> {
    Message { role, parts, cache_control: None, rest: Vec::new(), position }
}

/// One member of the body: a table of names.
fn read_member<'a>(name: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    match name {
        // The model to write is the caller's choice, and fallbacks are the gateway's own business.
        "model" | "instructions" | "tools" | "fallbacks" => {}
        // How much is sent beside an answer's events, not what.
        "stream_options" => {}
        "input" => read_input(value, request)?,
        "tool_choice" => read_tool_choice(value, request),
        "parallel_tool_calls" => request.parallel_tool_calls = Some(fields::boolean(name, value)?),
        "max_output_tokens" => request.output_tokens_max = Some(fields::count(name, value)?),
        "stream" => request.stream = Some(fields::boolean(name, value)?),
        "user" => request.user = Some(fields::text(name, value)?),
        "service_tier" => request.service_tier = Some(fields::text(name, value)?),
        "text" => read_text(fields::object(name, value)?, request)?,
        "reasoning" => read_reasoning(fields::object(name, value)?, request)?,
        "include" => read_include(name, value, request)?,
        "cache_control" => request.cache_control = Some(value),
        "extra_params" => request.extra.extend(fields::object(name, value)?.members()),
        "stop" => request.stop = read_stop(name, value)?,
        _ if STATE_MEMBERS.contains(&name) => {
            if value.as_bool() != Some(false) {
                request.own_only.push(name.to_owned());
            }
        }
        _ => read_sampling_or_rest(name, value, request)?,
    }
    Ok(())
}

fn read_sampling_or_rest<'a>(
    name: &str,
    value: Raw<'a>,
    request: &mut Request<'a>,
) -> Result<(), Error> {
    let sampling = &mut request.sampling;
    let knob = match name {
        "temperature" => &mut sampling.temperature,
        "top_p" => &mut sampling.top_p,
        "top_logprobs" => &mut sampling.top_logprobs,
        // Not OpenAI's, but taken by hosts of the dialect.
        "top_k" => &mut sampling.top_k,
        "seed" => &mut sampling.seed,
        "frequency_penalty" => &mut sampling.frequency_penalty,
        "presence_penalty" => &mut sampling.presence_penalty,
        _ => {
            let member = (name.to_owned().into(), value);
            if OWN_MEMBERS.contains(&name) {
                request.rest.push(member);
            } else {
                request.extra.push(member);
            }
            return Ok(());
        }
    };
    *knob = Some(fields::number(name, value)?);
    Ok(())
}

fn read_stop<'a>(name: &str, stop: Raw<'a>) -> Result<Vec<Text<'a>>, Error> {
    match stop.as_text() {
        Some(one) => Ok(vec![one]),
        None => fields::each(name, stop, |_, sequence| {
            sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
        }),
    }
}

/// `text`: the format of the answer and how wordy it is.
fn read_text<'a>(text: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    if let Some(verbosity) = text.member("verbosity") {
        request.rest.push(("verbosity".into(), verbosity));
    }
    let Some(format) = text.member("format") else { return Ok(()) };
    let kind = fields::object("format", format)
        .and_then(|format| {
            fields::required_text(format, "type").map_err(|error| error.in_member("format"))
        })
        .map_err(|error| error.in_member("text"))?;
    request.output_format = Some(match &*kind.plain() {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::JsonObject,
        "json_schema" => OutputFormat::JsonSchema {
            name: fields::lenient_text(format, "name"),
            description: fields::lenient_text(format, "description"),
            schema: format.member("schema").filter(|schema| schema.is_object()).map(Schema::Value),
            strict: format.member("strict").and_then(|strict| strict.as_bool()),
        },
        _ => OutputFormat::Vendor(format),
    });
    Ok(())
}

fn read_reasoning<'a>(reasoning: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let ask = request.reasoning.get_or_insert_default();
    for (name, value) in reasoning.members().filter(|(_, value)| !value.is_null()) {
        let text = || fields::text(&name, value).map_err(|error| error.in_member("reasoning"));
        match &*name {
            "effort" => ask.effort = Some(text()?),
            "summary" | "generate_summary" => ask.summary = Some(text()?),
            "max_tokens" => {
                let budget = value.as_i64().ok_or_else(|| {
                    fields::wrong_type(&name, "a whole number").in_member("reasoning")
                })?;
                ask.budget = Some(budget);
            }
            // Which earlier turns' reasoning is looked at, and with how much computing: the vendor's own knobs.
            _ => request.rest.push((format!("reasoning.{name}").into(), value)),
        }
    }
    Ok(())
}

fn read_include<'a>(name: &str, include: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    let mut has_more = false;
    for asked in fields::array(name, include)?.elements().filter_map(|asked| asked.as_str()) {
        match &*asked {
            INCLUDE_LOGPROBS => request.sampling.wants_logprobs = true,
            // Other dialects always give what is needed to go on.
            INCLUDE_ENCRYPTED => {}
            _ => has_more = true,
        }
    }
    if has_more {
        request.rest.push((name.to_owned().into(), include));
    }
    Ok(())
}

/// `input`: what the user says, or the items of a conversation.
fn read_input<'a>(input: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    if let Some(text) = input.as_text() {
        request.messages.push(message(Role::User, vec![Part::text(text)], Some(0)));
        return Ok(());
    }
    if !input.is_array() {
        return Err(fields::wrong_type("input", "a string or an array"));
    }
    for (position, item) in input.elements().enumerate() {
        take_item(position, item, request)
            .map_err(|error| error.in_element(position).in_member("input"))?;
    }
    Ok(())
}

fn take_item<'a>(position: usize, item: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    match read_item(item)? {
        Item::Message(Role::Assistant, mut parts) | Item::Assistant(mut parts) => {
            namespace::rename_calls(item, &mut parts, request);
            join(Role::Assistant, parts, position, request);
        }
        Item::Message(role, parts) => {
            note_breakpoints(item, request);
            request.messages.push(message(role, parts, Some(position)));
        }
        Item::Results(parts) => join(Role::Tool, parts, position, request),
        Item::Tools(tools) => read_tools("tools", tools, request)?,
        Item::Own { is_needed: true } => request.own_only.push(format!("input[{position}].type")),
        Item::Picture { .. } | Item::Own { is_needed: false } => leave_out(item, request),
    }
    Ok(())
}

/// Items that follow each other are one turn of the assistant, or the results of one turn.
fn join<'a>(role: Role, parts: Vec<Part<'a>>, position: usize, request: &mut Request<'a>) {
    match request.messages.last_mut() {
        Some(last) if last.role == role => last.parts.extend(parts),
        _ => request.messages.push(message(role, parts, Some(position))),
    }
}

/// An item only this dialect has and that can be missed: other dialects say that they left it out.
fn leave_out<'a>(item: Raw<'a>, request: &mut Request<'a>) {
    let kind = fields::lenient_text(item, "type").unwrap_or_default();
    let name = format!("input[].{}", kind.plain());
    if !request.rest.iter().any(|(known, _)| *known == *name) {
        request.rest.push((name.into(), item));
    }
}

/// Breakpoints of the vendor's own prompt cache are known to no other.
fn note_breakpoints<'a>(item: Raw<'a>, request: &mut Request<'a>) {
    const NAME: &str = "input[].content[].prompt_cache_breakpoint";
    let content = item.member("content");
    let breakpoint = content
        .iter()
        .flat_map(|content| content.elements())
        .find_map(|part| part.member("prompt_cache_breakpoint"));
    if let Some(breakpoint) = breakpoint
        && !request.rest.iter().any(|(name, _)| name == NAME)
    {
        request.rest.push((NAME.into(), breakpoint));
    }
}
