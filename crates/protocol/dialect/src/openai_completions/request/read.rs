//! Reading a text completion request.

use super::OWN_MEMBERS;
use crate::Dialect;
use crate::canonical::{Message, Part, PartKind, Request, Role};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Raw, Text};

/// Reads a request body. One text is what a user says; tokens, or several prompts at once, only this dialect knows.
pub(crate) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    fields::required(root, "prompt")?;
    let mut request = Request::new(Dialect::OpenAiCompletions);
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
        "model" | "fallbacks" => {}
        "prompt" => read_prompt(value, request)?,
        "max_tokens" => request.output_tokens_max = Some(fields::count(name, value)?),
        "temperature" => sampling.temperature = Some(fields::number(name, value)?),
        "top_p" => sampling.top_p = Some(fields::number(name, value)?),
        // Hosts take it, OpenAI does not.
        "top_k" => sampling.top_k = Some(fields::number(name, value)?),
        "n" => sampling.choices = Some(fields::number(name, value)?),
        "seed" => sampling.seed = Some(fields::number(name, value)?),
        "frequency_penalty" => sampling.frequency_penalty = Some(fields::number(name, value)?),
        "presence_penalty" => sampling.presence_penalty = Some(fields::number(name, value)?),
        "stop" => request.stop = read_stop(value)?,
        "stream" => request.stream = Some(fields::boolean(name, value)?),
        "stream_options" => {
            let include = fields::object(name, value)?.member("include_usage");
            request.include_usage = include.and_then(|include| include.as_bool()) == Some(true);
        }
        "user" => request.user = Some(fields::text(name, value)?),
        "suffix" => {
            if !fields::text(name, value)?.is_empty() {
                request.own_only.push("suffix".to_owned());
            }
            request.rest.push((name.to_owned().into(), value));
        }
        "echo" => {
            if fields::boolean(name, value)? {
                request.own_only.push("echo".to_owned());
            }
            request.rest.push((name.to_owned().into(), value));
        }
        "extra_params" => request.extra.extend(fields::object(name, value)?.members()),
        _ if OWN_MEMBERS.contains(&name) => request.rest.push((name.to_owned().into(), value)),
        _ => request.extra.push((name.to_owned().into(), value)),
    }
    Ok(())
}

fn read_prompt<'a>(prompt: Raw<'a>, request: &mut Request<'a>) -> Result<(), Error> {
    if !prompt.is_array() && prompt.as_text().is_none() {
        return Err(fields::wrong_type("prompt", "a string or an array"));
    }
    let kind = match single_text(prompt) {
        Some(text) => Part::text(text).kind,
        None => {
            request.own_only.push("prompt".to_owned());
            PartKind::Other(prompt)
        }
    };
    request.messages.push(Message {
        role: Role::User,
        parts: vec![Part { raw: Some(prompt), ..kind.into() }],
        cache_control: None,
        rest: Vec::new(),
        position: Some(0),
    });
    Ok(())
}

/// The text of a prompt that is one: a string, or an array of one string.
fn single_text<'a>(prompt: Raw<'a>) -> Option<Text<'a>> {
    let mut elements = prompt.elements();
    prompt.as_text().or_else(|| match (elements.next(), elements.next()) {
        (Some(only), None) => only.as_text(),
        _ => None,
    })
}

fn read_stop<'a>(stop: Raw<'a>) -> Result<Vec<Text<'a>>, Error> {
    match stop.as_text() {
        Some(one) => Ok(vec![one]),
        None => fields::each("stop", stop, |_, sequence| {
            sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
        }),
    }
}
