//! Writing a text completion request. A prompt is one text: of a conversation only what one user says in one text can
//! be asked this way.

use crate::Dialect;
use crate::canonical::{Message, OutputFormat, Part, PartKind, Request, Role};
use crate::error::{Error, What};
use crate::functions::functions;
use crate::json::{Object, Raw, Text};
use crate::options::{Notes, RequestOptions};

/// Writes a request body.
pub(crate) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let is_own = request.source == Dialect::OpenAiCompletions;
    let mut body = Object::new(out);
    body.str("model", options.model);
    match own_prompt(request).filter(|_| is_own) {
        Some(prompt) => body.raw("prompt", prompt),
        None => body.text("prompt", prompt(request)?),
    }
    refuse_what_is_no_text(request, notes)?;
    write_settings(request, options, notes, &mut body);
    if is_own {
        let members = request.rest.iter().chain(&request.extra);
        members.for_each(|(name, value)| body.raw(name, *value));
    } else {
        note_losses(request, notes);
    }
    if options.stream {
        body.bool("stream", true);
        body.object("stream_options").bool("include_usage", true);
    }
    Ok(())
}

/// The prompt as it was spelt.
fn own_prompt<'a>(request: &Request<'a>) -> Option<Raw<'a>> {
    request.messages.first()?.parts.first()?.raw
}

/// What the user says, if that is one text and the whole conversation.
fn prompt<'r, 'a>(request: &'r Request<'a>) -> Result<&'r Text<'a>, Error> {
    let is_prompt = |message: &Message<'_>| message.role == Role::User && message.parts.len() == 1;
    if let Some(position) = request.messages.iter().position(|message| !is_prompt(message)) {
        return Err(inexpressible("").in_element(position).in_member("messages"));
    }
    match &request.messages[..] {
        [Message { parts, .. }] => match &parts[..] {
            [Part { kind: PartKind::Text { text, .. }, .. }] => Ok(text),
            _ => Err(inexpressible("content").in_element(0).in_member("messages")),
        },
        [] => Err(Error::at("messages", What::Missing)),
        _ => Err(inexpressible("").in_element(1).in_member("messages")),
    }
}

fn refuse_what_is_no_text(request: &Request<'_>, notes: &mut Notes) -> Result<(), Error> {
    if !functions(request, Dialect::OpenAiCompletions, notes)?.is_empty() {
        return Err(inexpressible("tools"));
    }
    match &request.output_format {
        None | Some(OutputFormat::Text) => Ok(()),
        Some(
            OutputFormat::JsonObject | OutputFormat::JsonSchema { .. } | OutputFormat::Vendor(_),
        ) => Err(inexpressible("response_format")),
    }
}

fn inexpressible(path: &str) -> Error {
    Error::at(path, What::Inexpressible(Dialect::OpenAiCompletions))
}

fn write_settings(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    body: &mut Object<'_>,
) {
    if let Some(limit) = request.output_tokens_max {
        body.u64("max_tokens", limit);
    }
    let sampling = &request.sampling;
    body.raw_if("temperature", sampling.temperature);
    body.raw_if("top_p", sampling.top_p);
    if options.openai.is_original && sampling.top_k.is_some() {
        notes.drop("top_k");
    } else {
        body.raw_if("top_k", sampling.top_k);
    }
    body.raw_if("n", sampling.choices);
    body.raw_if("seed", sampling.seed);
    body.raw_if("frequency_penalty", sampling.frequency_penalty);
    body.raw_if("presence_penalty", sampling.presence_penalty);
    if !request.stop.is_empty() {
        let mut stop = body.array("stop");
        request.stop.iter().for_each(|sequence| stop.text(sequence));
    }
    body.text_if("user", request.user.as_ref());
}

fn note_losses(request: &Request<'_>, notes: &mut Notes) {
    let message = request.messages.first();
    let part = message.and_then(|message| message.parts.first());
    let has_breakpoint = request.cache_control.is_some()
        || message.is_some_and(|message| message.cache_control.is_some())
        || part.is_some_and(|part| part.cache_control.is_some());
    let sampling = &request.sampling;
    for (name, is_said) in [
        ("cache_control", has_breakpoint),
        ("logprobs", sampling.logprobs.is_some() || sampling.wants_logprobs),
        ("top_logprobs", sampling.top_logprobs.is_some()),
        ("reasoning", request.reasoning.is_some()),
        ("service_tier", request.service_tier.is_some()),
    ] {
        if is_said {
            notes.drop(name);
        }
    }
    // The user and the format inside of these two have been looked at.
    let members = request.rest.iter().chain(&request.extra);
    let members = members.filter(|(name, _)| name != "metadata" && name != "output_config");
    members.for_each(|(name, _)| notes.drop(name));
}
