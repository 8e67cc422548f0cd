//! Anthropic: its own messages API.

use dialect::{Dialect, OpenAiTarget, Operation};

use crate::{Auth, BaseUrl, BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "anthropic",
    base_url: BaseUrl::Fixed("https://api.anthropic.com"),
    auth: Auth::Header("x-api-key"),
    headers: &[("anthropic-version", "2023-06-01")],
    endpoints: &[
        Endpoint { operation: Operation::ListModels, path: "/v1/models", dialect: None },
        messages(Operation::ChatCompletion),
        messages(Operation::ChatCompletionStream),
    ],
    body: BodyRules::NONE,
    openai: OpenAiTarget::ORIGINAL,
    tells_usage_when_asked: false,
    models: &["claude-*"],
    key_optional: false,
    variants: &[],
};

const fn messages(operation: Operation) -> Endpoint {
    Endpoint { operation, path: "/v1/messages", dialect: Some(Dialect::AnthropicMessages) }
}
