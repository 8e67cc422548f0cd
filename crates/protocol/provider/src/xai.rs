//! xAI. Its reasoning models refuse some sampling members, each generation others.

use dialect::{Dialect, Operation};

use crate::compatible::{BODY, COMPATIBLE, PLAIN_BODY, chat, compact, completions, responses};
use crate::{BaseUrl, BodyRules, Endpoint, ModelRule, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "xai",
    base_url: BaseUrl::Fixed("https://api.x.ai"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        responses(Operation::Responses, "/v1/responses"),
        responses(Operation::ResponsesStream, "/v1/responses"),
        compact("/v1/responses/compact"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
        Endpoint::new(Operation::ImageGeneration, "/v1/images/generations", Dialect::XaiImages)
            .with_body(&PLAIN_BODY),
        Endpoint::new(Operation::ImageEdit, "/v1/images/edits", Dialect::XaiImageEdits),
    ],
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
