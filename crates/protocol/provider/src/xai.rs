//! xAI. Its reasoning models refuse some sampling members, each generation others.

use crate::compatible::{BODY, COMPATIBLE};
use crate::{BaseUrl, BodyRules, ModelRule, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "xai",
    base_url: BaseUrl::Fixed("https://api.x.ai"),
    body: BodyRules {
        by_model: &[
            ModelRule { models: "*non-reasoning*", drops: &[] },
            ModelRule {
                models: "grok-3-mini*",
                drops: &["presence_penalty", "frequency_penalty", "stop"],
            },
            ModelRule { models: "grok-3*", drops: &["presence_penalty", "reasoning_effort"] },
            ModelRule { models: "grok-4*", drops: REASONING },
            ModelRule { models: "grok-code*", drops: REASONING },
        ],
        ..BODY
    },
    models: &["grok-*"],
    ..COMPATIBLE
};

const REASONING: &[&str] = &["presence_penalty", "frequency_penalty", "stop", "reasoning_effort"];
