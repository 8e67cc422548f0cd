//! Writing what a model is asked as the inputs of a prediction: one text, and what models call their knobs.

use super::write_version;
use crate::Dialect;
use crate::canonical::{Message, OutputFormat, Part, PartKind, Request, Role, Source};
use crate::error::{Error, What};
use crate::functions::functions;
use crate::json::{Object, Text};
use crate::options::{Notes, RequestOptions};

const TARGET: Dialect = Dialect::ReplicateText;

/// The maker whose models take the output limit under another name.
const OPENAI_MODELS: &str = "openai/";

/// Models without an input for what the system says: it stands in front of the prompt.
const WITHOUT_SYSTEM_PROMPT: &[&str] = &[
    "meta/meta-llama-3-8b",
    "meta/llama-2-70b",
    "openai/gpt-oss-20b",
    "openai/o1-mini",
    "xai/grok-4",
];

/// Models of this kind have none either.
const WITHOUT_SYSTEM_PROMPT_PREFIX: &str = "deepseek-ai/deepseek";

/// Between the turns of a conversation.
const TURN: &str = "\n\n";

/// Writes a request body.
pub(super) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    refuse_what_is_no_text(request, notes)?;
    let said = Said::of(request, options.model)?;
    let mut body = Object::new(out);
    write_version(options.model, &mut body);
    if options.stream {
        body.bool("stream", true);
    }
    let mut input = body.object("input");
    said.write(&mut input);
    write_settings(request, options, notes, &mut input);
    // A model's own knobs have no other place than among its inputs.
    for (name, value) in &request.extra {
        input.raw(name, *value);
    }
    Ok(())
}

fn refuse_what_is_no_text(request: &Request<'_>, notes: &mut Notes) -> Result<(), Error> {
    if !functions(request, TARGET, notes)?.is_empty() {
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
    Error::at(path, What::Inexpressible(TARGET))
}

/// A conversation as two texts and the pictures in it.
#[derive(Default)]
struct Said {
    system: String,
    prompt: String,
    /// URLs, or pictures in `data:` URLs.
    images: Vec<String>,
}

impl Said {
    fn of(request: &Request<'_>, model: &str) -> Result<Self, Error> {
        let mut said = Self::default();
        for message in &request.messages {
            said.take(message).map_err(|error| request.in_message(error, message.position))?;
        }
        if !has_system_prompt(model) {
            let prompt = std::mem::take(&mut said.prompt);
            said.prompt = std::mem::take(&mut said.system);
            push(&prompt, TURN, &mut said.prompt);
        }
        if said.prompt.is_empty() && said.system.is_empty() {
            return Err(Error::at(request.messages_name, What::Missing));
        }
        Ok(said)
    }

    fn take(&mut self, message: &Message<'_>) -> Result<(), Error> {
        let mut text = String::new();
        for part in &message.parts {
            self.take_part(part, &mut text)
                .map_err(|error| error.in_element(part.position).in_member("content"))?;
        }
        match message.role {
            Role::System | Role::Developer => push(&text, "\n", &mut self.system),
            Role::User | Role::Assistant | Role::Tool => push(&text, TURN, &mut self.prompt),
        }
        Ok(())
    }

    fn take_part(&mut self, part: &Part<'_>, text: &mut String) -> Result<(), Error> {
        match &part.kind {
            PartKind::Text { text: said, .. } | PartKind::Refusal(said) => {
                push(&said.plain(), "\n", text);
            }
            PartKind::Document { source: Source::Plain(said), .. } => {
                push(&said.plain(), "\n", text);
            }
            PartKind::Image { source, .. } => self.images.push(image_url(source)?),
            // What the model thought before is nothing it could be told again.
            PartKind::Reasoning(_) => {}
            PartKind::ToolCall(_) | PartKind::ToolResult(_) => {
                return Err(inexpressible("tool_calls"));
            }
            PartKind::Document { .. }
            | PartKind::Audio { .. }
            | PartKind::Video { .. }
            | PartKind::SearchResult { .. }
            | PartKind::ServerCall(_)
            | PartKind::ServerResult(_)
            | PartKind::Other(_) => return Err(inexpressible("type")),
        }
        Ok(())
    }

    fn write(&self, input: &mut Object<'_>) {
        input.str("prompt", &self.prompt);
        if !self.system.is_empty() {
            input.str("system_prompt", &self.system);
        }
        if !self.images.is_empty() {
            let mut images = input.array("image_input");
            self.images.iter().for_each(|url| images.text(&Text::from(url.as_str())));
        }
    }
}

fn push(text: &str, separator: &str, onto: &mut String) {
    if text.is_empty() {
        return;
    }
    if !onto.is_empty() {
        onto.push_str(separator);
    }
    onto.push_str(text);
}

fn image_url(source: &Source<'_>) -> Result<String, Error> {
    match source {
        Source::Url(url) => Ok(url.plain().into_owned()),
        Source::Base64 { media_type, data } => {
            Ok(format!("data:{};base64,{}", media_type.plain(), data.plain()))
        }
        Source::FileId(_) | Source::Plain(_) | Source::Parts(_) => Err(inexpressible("source")),
    }
}

fn has_system_prompt(model: &str) -> bool {
    let model = model.split(':').next().unwrap_or_default().to_ascii_lowercase();
    !model.starts_with(WITHOUT_SYSTEM_PROMPT_PREFIX)
        && !WITHOUT_SYSTEM_PROMPT.contains(&model.as_str())
}

fn write_settings(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    input: &mut Object<'_>,
) {
    if let Some(limit) = request.output_tokens_max {
        let is_openai = options.model.starts_with(OPENAI_MODELS);
        input.u64(if is_openai { "max_completion_tokens" } else { "max_tokens" }, limit);
    }
    let sampling = &request.sampling;
    input.raw_if("temperature", sampling.temperature);
    input.raw_if("top_p", sampling.top_p);
    input.raw_if("top_k", sampling.top_k);
    input.raw_if("seed", sampling.seed);
    input.raw_if("presence_penalty", sampling.presence_penalty);
    input.raw_if("frequency_penalty", sampling.frequency_penalty);
    if !request.stop.is_empty() {
        let stop: Vec<_> = request.stop.iter().map(Text::plain).collect();
        input.str("stop_sequences", &stop.join(","));
    }
    if let Some(effort) = request.reasoning.as_ref().and_then(|ask| ask.effort.as_ref()) {
        input.text("reasoning_effort", effort);
    }
    note_losses(request, notes);
}

fn note_losses(request: &Request<'_>, notes: &mut Notes) {
    let sampling = &request.sampling;
    for (name, is_said) in [
        ("n", sampling.choices.is_some_and(|count| count.as_u64() != Some(1))),
        ("logprobs", sampling.logprobs.is_some() || sampling.wants_logprobs),
        ("top_logprobs", sampling.top_logprobs.is_some()),
        ("user", request.user.is_some()),
        ("service_tier", request.service_tier.is_some()),
        ("cache_control", request.cache_control.is_some()),
    ] {
        if is_said {
            notes.drop(name);
        }
    }
    request.rest.iter().for_each(|(name, _)| notes.drop(name));
}
