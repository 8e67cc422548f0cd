//! Anthropic: its own messages API.

use dialect::{Dialect, OpenAiTarget, Operation};

use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider, kept};

pub(crate) static PROVIDER: Provider = Provider {
    name: "anthropic",
    base_url: BaseUrl::Fixed("https://api.anthropic.com"),
    auth: Auth::Header("x-api-key"),
    headers: VERSION,
    endpoints: &[
        // A page has 20 models unless more are asked for.
        Endpoint::list("/v1/models?limit=1000"),
        messages(Operation::ChatCompletion, "/v1/messages"),
        messages(Operation::ChatCompletionStream, "/v1/messages"),
        count_tokens("/v1/messages/count_tokens"),
        complete(Operation::TextCompletion),
        complete(Operation::TextCompletionStream),
    ],
    kept: kept::ANTHROPIC,
    listing: Listing::DATA,
    body: BodyRules::NONE,
    openai: OpenAiTarget::ORIGINAL,
    tells_usage_when_asked: false,
    models: &["claude-*"],
    key_optional: false,
    variants: &[],
};

/// What every request to a host of this API says.
pub(crate) const VERSION: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

/// An endpoint that speaks Anthropic's messages.
pub(crate) const fn messages(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::AnthropicMessages)
}

/// The endpoint that goes on with a text.
const fn complete(operation: Operation) -> Endpoint {
    Endpoint::new(operation, "/v1/complete", Dialect::AnthropicComplete)
}

/// An endpoint that counts tokens as Anthropic does.
pub(crate) const fn count_tokens(path: &'static str) -> Endpoint {
    Endpoint::new(Operation::CountTokens, path, Dialect::AnthropicCountTokens)
}
