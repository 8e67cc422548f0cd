//! `POST …/v1/complete`: the request body. The prompt is a dialogue between `Human` and `Assistant`; of a dialogue with
//! one turn other dialects get what the human says, of any other the whole text.

use std::borrow::Cow;

use crate::Dialect;
use crate::canonical::{Message, Part, PartKind, Request, Role};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, RequestOptions};

const HUMAN: &str = "\n\nHuman:";
const ASSISTANT: &str = "\n\nAssistant:";

/// Reads a request body.
pub(super) fn read_request<'a>(root: Raw<'a>) -> Result<Request<'a>, Error> {
    if !root.is_object() {
        return Err(Error::new(What::WrongType("an object")));
    }
    fields::required(root, "prompt")?;
    let mut request = Request::new(Dialect::AnthropicComplete);
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
        // The model to write is the caller's choice, fallbacks are the gateway's own business, and the version belongs
        // to the platform that hosts the model.
        "model" | "fallbacks" | "anthropic_version" => {}
        "prompt" => read_prompt(fields::text(name, value)?, value, request),
        "max_tokens_to_sample" => request.output_tokens_max = Some(fields::count(name, value)?),
        "temperature" => sampling.temperature = Some(fields::number(name, value)?),
        "top_p" => sampling.top_p = Some(fields::number(name, value)?),
        "top_k" => sampling.top_k = Some(fields::number(name, value)?),
        "stop_sequences" => {
            request.stop = fields::each(name, value, |_, sequence| {
                sequence.as_text().ok_or_else(|| Error::new(What::WrongType("a string")))
            })?;
        }
        "stream" => request.stream = Some(fields::boolean(name, value)?),
        "metadata" => {
            request.user = fields::lenient_text(fields::object(name, value)?, "user_id");
        }
        "extra_params" => request.extra.extend(fields::object(name, value)?.members()),
        _ => request.extra.push((name.to_owned().into(), value)),
    }
    Ok(())
}

fn read_prompt<'a>(prompt: Text<'a>, raw: Raw<'a>, request: &mut Request<'a>) {
    let text = match only_turn(&prompt.plain()) {
        Some(turn) => turn.to_owned().into(),
        None => prompt,
    };
    request.messages.push(Message {
        role: Role::User,
        parts: vec![Part { raw: Some(raw), ..Part::text(text) }],
        cache_control: None,
        rest: Vec::new(),
        position: Some(0),
    });
}

/// What the human says, if that is all there is in the dialogue.
fn only_turn(prompt: &str) -> Option<&str> {
    let turn = prompt.trim().strip_prefix(HUMAN.trim_start())?;
    let turn = turn.strip_suffix(ASSISTANT)?;
    let is_only = !turn.contains(HUMAN) && !turn.contains(ASSISTANT);
    is_only.then_some(turn.trim())
}

/// Writes a request body.
pub(super) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let is_own = request.source == Dialect::AnthropicComplete;
    let mut body = Object::new(out);
    body.str("model", options.model);
    match own_prompt(request).filter(|_| is_own) {
        Some(prompt) => body.raw("prompt", prompt),
        None => body.str("prompt", &dialogue(&prompt(request)?.plain())),
    }
    let limit = request.output_tokens_max.unwrap_or(u64::from(options.max_tokens_default));
    body.u64("max_tokens_to_sample", limit);
    let sampling = &request.sampling;
    body.raw_if("temperature", sampling.temperature);
    body.raw_if("top_p", sampling.top_p);
    body.raw_if("top_k", sampling.top_k);
    if !request.stop.is_empty() {
        let mut stop = body.array("stop_sequences");
        request.stop.iter().for_each(|sequence| stop.text(sequence));
    }
    if let Some(user) = &request.user {
        body.object("metadata").text("user_id", user);
    }
    if options.stream {
        body.bool("stream", true);
    }
    if is_own {
        request.extra.iter().for_each(|(name, value)| body.raw(name, *value));
    } else {
        note_losses(request, notes);
    }
    Ok(())
}

/// The prompt as it was spelt.
fn own_prompt<'a>(request: &Request<'a>) -> Option<Raw<'a>> {
    request.messages.first()?.parts.first()?.raw
}

/// The one text that is asked.
fn prompt<'r, 'a>(request: &'r Request<'a>) -> Result<&'r Text<'a>, Error> {
    let inexpressible = || Error::at("prompt", What::Inexpressible(Dialect::AnthropicComplete));
    let [Message { role: Role::User, parts, .. }] = &request.messages[..] else {
        return Err(inexpressible());
    };
    match &parts[..] {
        [Part { kind: PartKind::Text { text, .. }, .. }] => Ok(text),
        _ => Err(inexpressible()),
    }
}

/// A text as the only turn of a dialogue, unless it is one already.
fn dialogue(text: &str) -> Cow<'_, str> {
    match text.contains(HUMAN) {
        true => text.into(),
        false => format!("{HUMAN} {text}{ASSISTANT}").into(),
    }
}

fn note_losses(request: &Request<'_>, notes: &mut Notes) {
    let sampling = &request.sampling;
    for (name, is_said) in [
        ("n", sampling.choices.is_some()),
        ("seed", sampling.seed.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
    ] {
        if is_said {
            notes.drop(name);
        }
    }
    let members = request.rest.iter().chain(&request.extra);
    members.for_each(|(name, _)| notes.drop(name));
}
