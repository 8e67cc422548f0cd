//! Writing the settings of a Converse request: sampling, thinking, output format and what only some models take.

use super::write::Writer;
use super::{ADDITIONAL, OWN_MEMBERS};
use crate::bedrock_converse::model::Family;
use crate::canonical::{OutputFormat, ReasoningAsk, ReasoningMode};
use crate::effort::{Thinking, effort_of_budget};
use crate::json::{Object, Raw, Text};

/// Name under which other dialects may give [`ADDITIONAL`].
const ADDITIONAL_ALIAS: &str = "additionalModelRequestFieldPaths";

/// Tiers of the service.
const TIERS: &[&str] = &["priority", "default", "flex", "reserved"];

/// Tiers that mean what is done without one.
const USUAL_TIERS: &[&str] = &["auto", "standard", "standard_only"];

/// Effort at which Nova sets its own limits.
const NOVA_EFFORT_MAX: &str = "high";

impl<'w, 'a> Writer<'w, 'a> {
    pub(super) fn inference_config(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        let mut config = Vec::new();
        let mut object = Object::new(&mut config);
        let sampling = &request.sampling;
        match request.output_tokens_max {
            Some(_) if self.sets_own_limits() => self.notes.drop("max_tokens"),
            Some(limit) => object.u64("maxTokens", limit),
            None => {}
        }
        let knobs = [
            ("temperature", "temperature", sampling.temperature),
            ("topP", "top_p", sampling.top_p),
        ];
        for (name, own_name, value) in knobs {
            let Some(value) = value else { continue };
            if self.refuses_knob(own_name, value) {
                self.notes.drop(own_name);
            } else {
                object.raw(name, value);
            }
        }
        let sequences = || request.stop.iter().filter(|sequence| !sequence.is_empty());
        if sequences().next().is_some() {
            let mut stop = object.array("stopSequences");
            sequences().for_each(|sequence| stop.text(sequence));
        }
        if self.is_own() {
            for (name, value) in &request.rest {
                if let Some(name) = name.strip_prefix("inferenceConfig.") {
                    object.raw(name, *value);
                }
            }
        }
        drop(object);
        if config != b"{}" {
            body.key("inferenceConfig").extend_from_slice(&config);
        }
        self.foreign_knobs();
    }

    /// Knobs nobody here has.
    fn foreign_knobs(&mut self) {
        let sampling = &self.request.sampling;
        let foreign = [
            ("frequency_penalty", sampling.frequency_penalty),
            ("presence_penalty", sampling.presence_penalty),
            ("seed", sampling.seed),
            ("logprobs", sampling.logprobs),
            ("top_logprobs", sampling.top_logprobs),
            ("n", sampling.choices.filter(|count| count.as_u64() != Some(1))),
        ];
        for (name, value) in foreign {
            if value.is_some() || (name == "logprobs" && sampling.wants_logprobs) {
                self.notes.drop(name);
            }
        }
    }

    /// Thinking asked for in another dialect is no reason to fail on a knob that does not go with it.
    fn refuses_knob(&self, name: &str, value: Raw<'_>) -> bool {
        let is_thinking =
            matches!(self.thinking, Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }));
        let is_default = name == "temperature" && value.text().parse() == Ok(1.0_f64);
        let is_adaptive =
            self.family == Family::Claude && self.options.anthropic.adaptive_thinking_only;
        is_adaptive || self.sets_own_limits() || (is_thinking && name != "top_p" && !is_default)
    }

    /// Whether Nova is asked to think as much as it likes, and then takes no limits.
    fn sets_own_limits(&self) -> bool {
        !self.is_own() && self.nova_effort() == Some(NOVA_EFFORT_MAX)
    }

    /// The effort to ask Nova for; nothing when it shall not think.
    fn nova_effort(&self) -> Option<&'static str> {
        let ask = self.request.reasoning.as_ref()?;
        if self.family != (Family::Nova { thinks: true }) || is_off(ask) {
            return None;
        }
        effort_word(ask, self.limit())
    }

    fn limit(&self) -> u64 {
        self.request.output_tokens_max.unwrap_or(u64::from(self.options.max_tokens_default))
    }

    pub(super) fn output_config(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        if self.is_own() {
            for (name, value) in request.spelt.iter().filter(|(name, _)| name == "outputConfig") {
                body.raw(name, *value);
            }
            return;
        }
        match &request.output_format {
            Some(OutputFormat::JsonSchema { name, description, schema, .. })
                if self.takes_schema =>
            {
                let mut config = body.object("outputConfig");
                let mut format = config.object("textFormat");
                format.str("type", "json_schema");
                let mut structure = format.object("structure");
                let mut definition = structure.object("jsonSchema");
                let schema = schema.as_ref().map_or(r#"{"type":"object"}"#, |schema| schema.text());
                definition.str("schema", schema);
                definition.text_if("name", name.as_ref());
                definition.text_if("description", description.as_ref());
            }
            // A tool stands in.
            Some(OutputFormat::JsonSchema { .. }) | Some(OutputFormat::Text) | None => {}
            Some(OutputFormat::JsonObject | OutputFormat::Vendor(_)) => {
                self.notes.drop("response_format");
            }
        }
    }

    /// What only a family of models takes, in its own spelling.
    pub(super) fn additional(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        if self.is_own() {
            for (name, value) in request.spelt.iter().filter(|(name, _)| name == ADDITIONAL) {
                body.raw(name, *value);
            }
            return;
        }
        let mut fields = Vec::new();
        let mut object = Object::new(&mut fields);
        let given = request.extra.iter().find(|(name, value)| is_additional(name, *value));
        let given: Vec<_> = given.iter().flat_map(|(_, value)| value.members()).collect();
        given.iter().for_each(|(name, value)| object.raw(name, *value));
        let has = |names: &[&str]| given.iter().any(|(name, _)| names.contains(&&**name));
        if !has(&["thinking", "reasoning_config", "reasoningConfig", "reasoning_effort"]) {
            self.reasoning(has(&["output_config"]), &mut object);
        }
        if !has(&["top_k", "k", "inferenceConfig"]) {
            self.top_k(&mut object);
        }
        drop(object);
        if fields != b"{}" {
            body.key(ADDITIONAL).extend_from_slice(&fields);
        }
    }

    fn reasoning(&mut self, has_output_config: bool, fields: &mut Object<'_>) {
        let request = self.request;
        let Some(ask) = &request.reasoning else { return };
        match self.family {
            Family::Claude => self.claude_thinking(ask, has_output_config, fields),
            Family::Nova { thinks: true } => {
                let effort = self.nova_effort();
                let mut config = fields.object("reasoningConfig");
                config.str("type", if effort.is_some() { "enabled" } else { "disabled" });
                if let Some(effort) = effort {
                    config.str("maxReasoningEffort", effort);
                }
            }
            Family::GptOss => match effort_word(ask, self.limit()).filter(|_| !is_off(ask)) {
                Some(effort) => fields.str("reasoning_effort", effort),
                None => self.notes.drop("reasoning"),
            },
            Family::Nova { thinks: false }
            | Family::Llama
            | Family::Mistral
            | Family::Cohere
            | Family::Other => {
                if !is_off(ask) {
                    self.notes.drop("reasoning");
                }
            }
        }
    }

    fn claude_thinking(
        &mut self,
        ask: &ReasoningAsk<'_>,
        has_output_config: bool,
        fields: &mut Object<'_>,
    ) {
        let kind = match &self.thinking {
            None => return,
            Some(Thinking::Disabled) => "disabled",
            Some(Thinking::Enabled { .. }) => "enabled",
            Some(Thinking::Adaptive { .. }) => "adaptive",
        };
        let mut thinking = fields.object("thinking");
        thinking.str("type", kind);
        if let Some(Thinking::Enabled { budget }) = self.thinking {
            thinking.u64("budget_tokens", budget);
        }
        if kind != "disabled" {
            thinking.text_if("display", ask.display.as_ref());
        }
        drop(thinking);
        match &self.thinking {
            Some(Thinking::Adaptive { effort: Some(effort) }) if !has_output_config => {
                fields.object("output_config").text("effort", effort);
            }
            _ => {}
        }
    }

    fn top_k(&mut self, fields: &mut Object<'_>) {
        let Some(value) = self.request.sampling.top_k else { return };
        match self.family {
            Family::Claude if self.refuses_knob("top_k", value) => self.notes.drop("top_k"),
            Family::Claude | Family::Mistral => fields.raw("top_k", value),
            Family::Nova { .. } => fields.object("inferenceConfig").raw("topK", value),
            Family::Cohere => fields.raw("k", value),
            Family::Llama | Family::GptOss | Family::Other => self.notes.drop("top_k"),
        }
    }

    pub(super) fn rest(&mut self, body: &mut Object<'_>) {
        let request = self.request;
        if let Some(tier) = &request.service_tier {
            self.service_tier(tier, body);
        }
        if request.user.is_some() {
            self.notes.drop("user");
        }
        for (name, value) in &request.rest {
            match &**name {
                name if self.is_own() && OWN_MEMBERS.contains(&name) => body.raw(name, *value),
                // Written with what they are part of.
                _ if self.is_own() => {}
                "metadata" | "output_config" => {}
                name => self.notes.drop(name),
            }
        }
        for (name, value) in &request.extra {
            match &**name {
                name if self.is_own() || OWN_MEMBERS.contains(&name) => body.raw(name, *value),
                name if is_additional(name, *value) => {}
                "thinking" if self.thinking.is_some() => {}
                name => self.notes.drop(name),
            }
        }
    }

    fn service_tier(&mut self, tier: &Text<'_>, body: &mut Object<'_>) {
        let plain = tier.plain();
        if self.is_own() || TIERS.contains(&&*plain) {
            body.object("serviceTier").text("type", tier);
        } else if !USUAL_TIERS.contains(&&*plain) {
            self.notes.drop("service_tier");
        }
    }
}

fn is_additional(name: &str, value: Raw<'_>) -> bool {
    (name == ADDITIONAL || name == ADDITIONAL_ALIAS) && value.is_object()
}

fn is_off(ask: &ReasoningAsk<'_>) -> bool {
    ask.mode == Some(ReasoningMode::Disabled)
        || ask.budget == Some(0)
        || ask.effort.as_ref().is_some_and(|effort| *effort == *"none")
}

/// The nearest of the three efforts that all know.
fn effort_word(ask: &ReasoningAsk<'_>, limit: u64) -> Option<&'static str> {
    if let Some(effort) = &ask.effort {
        return Some(match &*effort.plain() {
            "minimal" | "low" => "low",
            "high" | "xhigh" | "max" => "high",
            _ => "medium",
        });
    }
    match ask.budget.map(u64::try_from) {
        Some(Ok(budget)) => Some(effort_of_budget(budget, limit)),
        Some(Err(_)) => Some("medium"),
        None => ask.mode.map(|_| "medium"),
    }
}
