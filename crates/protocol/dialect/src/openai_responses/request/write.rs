//! Writing a responses request: settings. Items are written in `write_input`, tools in `write_tools`.

use super::write_own::write_own;
use super::{INCLUDE_ENCRYPTED, INCLUDE_LOGPROBS, is_shared};
use crate::Dialect;
use crate::canonical::{OutputFormat, ReasoningAsk, Request};
use crate::effort;
use crate::error::Error;
use crate::json::{Object, Text};
use crate::options::{Notes, OpenAiTarget, RequestOptions};

/// OpenAI refuses fewer answer tokens than this.
pub(super) const OUTPUT_TOKENS_MIN: u64 = 16;

/// OpenAI refuses a longer `user`.
pub(super) const USER_CHARACTERS_MAX: u64 = 64;

/// Name of a schema that came without one; the dialect wants one.
const SCHEMA_NAME: &str = "response";

/// Writes a request body.
pub(in crate::openai_responses) fn write_request(
    request: &Request<'_>,
    options: &RequestOptions<'_>,
    notes: &mut Notes,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut body = Object::new(out);
    body.str("model", options.model);
    match request.raw.filter(|_| request.source == Dialect::OpenAiResponses) {
        Some(root) => write_own(request, root, options, notes, &mut body)?,
        None => {
            let writer = Writer { request, options, target: options.openai, notes };
            writer.members(&mut body)?;
        }
    }
    if options.stream {
        body.bool("stream", true);
    }
    Ok(())
}

/// What a request of another dialect is written with.
pub(super) struct Writer<'w, 'a> {
    pub(super) request: &'w Request<'a>,
    pub(super) options: &'w RequestOptions<'w>,
    pub(super) target: OpenAiTarget,
    pub(super) notes: &'w mut Notes,
}

impl<'a> Writer<'_, 'a> {
    fn members(mut self, body: &mut Object<'_>) -> Result<(), Error> {
        self.messages(body)?;
        self.tools(body)?;
        self.sampling(body);
        let is_thinking = self.reasoning(body);
        self.include(is_thinking, body);
        self.text(body);
        self.rest(body);
        Ok(())
    }

    fn sampling(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        if let Some(limit) = request.output_tokens_max {
            body.u64("max_output_tokens", limit.max(OUTPUT_TOKENS_MIN));
        }
        let sampling = &request.sampling;
        body.raw_if("temperature", sampling.temperature);
        body.raw_if("top_p", sampling.top_p);
        body.raw_if("top_logprobs", sampling.top_logprobs);
        if sampling.choices.is_some_and(|count| count.as_u64() != Some(1)) {
            self.notes.drop("n");
        }
        // OpenAI has none of these here; hosts that took the dialect over do.
        let foreign = [
            ("top_k", sampling.top_k),
            ("seed", sampling.seed),
            ("frequency_penalty", sampling.frequency_penalty),
            ("presence_penalty", sampling.presence_penalty),
        ];
        for (name, value) in foreign {
            if self.target.is_original && value.is_some() {
                self.notes.drop(name);
            } else {
                body.raw_if(name, value);
            }
        }
        if request.stop.is_empty() {
            return;
        }
        if self.target.is_original {
            return self.notes.drop("stop");
        }
        let mut stop = body.array("stop");
        request.stop.iter().for_each(|sequence| stop.text(sequence));
    }

    /// Writes how much thinking is wanted; whether any is.
    fn reasoning(&mut self, body: &mut Object<'_>) -> bool {
        let Some(ask) = &self.request.reasoning else { return false };
        let limit =
            self.request.output_tokens_max.unwrap_or(u64::from(self.options.max_tokens_default));
        let effort = effort::openai_effort(ask, limit);
        let is_off = effort.as_ref().is_some_and(|effort| *effort == *"none");
        let summary = summary(ask).filter(|_| !is_off);
        if effort.is_some() || summary.is_some() {
            let mut reasoning = body.object("reasoning");
            reasoning.text_if("effort", effort.as_ref());
            reasoning.text_if("summary", summary.as_ref());
        }
        !is_off
    }

    /// What answers are to hold so that the caller, who sends the whole conversation each time, can send them back.
    fn include(&mut self, is_thinking: bool, body: &mut Object<'_>) {
        let sampling = &self.request.sampling;
        let is_asked = sampling.logprobs.is_some_and(|asked| asked.as_bool() == Some(true));
        let wants_logprobs = sampling.wants_logprobs || is_asked;
        if !is_thinking && !wants_logprobs {
            return;
        }
        let mut include = body.array("include");
        if is_thinking {
            include.text(&INCLUDE_ENCRYPTED.into());
        }
        if wants_logprobs {
            include.text(&INCLUDE_LOGPROBS.into());
        }
    }

    fn text(&mut self, body: &mut Object<'_>) {
        let verbosity = self.request.rest.iter().find(|(name, _)| name == "verbosity");
        let verbosity = verbosity
            .map(|(_, value)| *value)
            .filter(|_| self.request.source == Dialect::OpenAiChat && self.target.is_original);
        let format = match &self.request.output_format {
            Some(OutputFormat::Vendor(_)) => {
                self.notes.drop("output_format");
                None
            }
            format => format.as_ref(),
        };
        if verbosity.is_none() && format.is_none() {
            return;
        }
        let mut text = body.object("text");
        if let Some(format) = format {
            self.format(format, text.object("format"));
        }
        text.raw_if("verbosity", verbosity);
    }

    fn format(&self, format: &OutputFormat<'_>, mut object: Object<'_>) {
        match format {
            OutputFormat::Text | OutputFormat::Vendor(_) => object.str("type", "text"),
            OutputFormat::JsonObject => object.str("type", "json_object"),
            OutputFormat::JsonSchema { name, description, schema, strict } => {
                object.str("type", "json_schema");
                object.text("name", name.as_ref().unwrap_or(&Text::from(SCHEMA_NAME)));
                object.text_if("description", description.as_ref());
                match schema {
                    Some(schema) => object.verbatim("schema", schema.text()),
                    None => drop(object.object("schema")),
                }
                // Elsewhere a schema is always kept to; in the elder dialect only if asked.
                let is_strict = self.request.source != Dialect::OpenAiChat;
                if let Some(strict) = strict.or(is_strict.then_some(true)) {
                    object.bool("strict", strict);
                }
            }
        }
    }

    fn rest(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        match &request.user {
            Some(user) if user.character_count() > USER_CHARACTERS_MAX => self.notes.drop("user"),
            user => body.text_if("user", user.as_ref()),
        }
        match &request.service_tier {
            Some(tier) if *tier == *"standard_only" => body.str("service_tier", "default"),
            tier => body.text_if("service_tier", tier.as_ref()),
        }
        if self.target.cache_control {
            body.raw_if("cache_control", request.cache_control);
        }
        let mut has_store = false;
        for (name, value) in &request.rest {
            match &**name {
                // They have been written in other places.
                "verbosity" | "web_search_options" if request.source == Dialect::OpenAiChat => {}
                "metadata" | "output_config" if request.source == Dialect::AnthropicMessages => {}
                name if is_shared(request.source, name) => {
                    has_store |= name == "store";
                    body.raw(name, *value);
                }
                name => self.notes.drop(name),
            }
        }
        // Others keep nothing unless asked to, and OpenAI everything unless asked not to.
        if self.target.is_original && !has_store {
            body.bool("store", false);
        }
        request.extra.iter().for_each(|(name, _)| self.notes.drop(name));
    }
}

/// How thinking is to be retold.
fn summary<'a>(ask: &ReasoningAsk<'a>) -> Option<Text<'a>> {
    let is_shown = ask.display.as_ref().is_some_and(|display| *display == *"summarized");
    ask.summary.clone().or_else(|| is_shown.then(|| "auto".into()))
}
