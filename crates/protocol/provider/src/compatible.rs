//! What the providers that copy OpenAI's chat completions have in common.

use dialect::{Dialect, OpenAiTarget, Operation, ReasoningReplay};

use crate::{
    Auth, BaseUrl, BodyRules, Endpoint, Flatten, Listing, MessageRules, Provider, Replace, When,
};

/// Base of the rows of OpenAI-compatible hosts.
pub(crate) const COMPATIBLE: Provider = Provider {
    name: "",
    base_url: BaseUrl::PerKey,
    auth: Auth::Bearer,
    headers: &[],
    endpoints: V1,
    kept: &[],
    listing: Listing::DATA,
    body: BODY,
    openai: REASONING_CONTENT,
    tells_usage_when_asked: false,
    models: &[],
    key_optional: false,
    variants: &[],
};

/// Base of the rows of servers that everyone runs for themselves.
pub(crate) const SELF_HOSTED: Provider = Provider {
    auth: Auth::OptionalBearer,
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
        embeddings("/v1/embeddings"),
    ],
    key_optional: true,
    ..COMPATIBLE
};

/// The endpoints of a base URL without version, as OpenAI has them.
pub(crate) const V1: &[Endpoint] = &[
    Endpoint::list("/v1/models"),
    chat(Operation::ChatCompletion, "/v1/chat/completions"),
    chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
];

/// An endpoint that speaks OpenAI's chat completions.
pub(crate) const fn chat(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiChat)
}

/// An endpoint that speaks OpenAI's responses.
pub(crate) const fn responses(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiResponses).with_body(&RESPONSES_BODY)
}

/// An endpoint that makes OpenAI's responses shorter, for later turns.
pub(crate) const fn compact(path: &'static str) -> Endpoint {
    responses(Operation::Compaction, path)
}

/// An endpoint that counts the tokens of OpenAI's responses.
pub(crate) const fn input_tokens(path: &'static str) -> Endpoint {
    Endpoint::new(Operation::CountTokens, path, Dialect::OpenAiInputTokens).with_body(&PLAIN_BODY)
}

/// An endpoint that speaks OpenAI's text completions.
pub(crate) const fn completions(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiCompletions)
}

/// An endpoint that speaks OpenAI's embeddings.
pub(crate) const fn embeddings(path: &'static str) -> Endpoint {
    Endpoint::new(Operation::Embedding, path, Dialect::OpenAiEmbeddings).with_body(&PLAIN_BODY)
}

/// An endpoint that speaks OpenAI's transcriptions.
pub(crate) const fn transcriptions(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiTranscription).with_body(&BodyRules::NONE)
}

/// Sessions over WebSockets at the path, and what belongs to them below it. Errors are told as those of
/// responses.
pub(crate) const fn realtime(path: &'static str) -> Endpoint {
    Endpoint::new(Operation::Realtime, path, Dialect::OpenAiResponses).with_body(&BodyRules::NONE)
}

/// An endpoint that speaks OpenAI's speech.
pub(crate) const fn speech(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiSpeech).with_body(&BodyRules::NONE)
}

/// An endpoint that speaks OpenAI's images.
pub(crate) const fn images(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiImages).with_body(&PLAIN_BODY)
}

/// An endpoint that changes pictures as OpenAI does.
pub(crate) const fn image_edits(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiImageEdits).with_body(&BodyRules::NONE)
}

/// An endpoint that speaks OpenAI's videos.
pub(crate) const fn videos(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiVideos).with_body(&BodyRules::NONE)
}

/// What all of OpenAI's operations refuse.
pub(crate) const PLAIN_BODY: BodyRules =
    BodyRules { lengths_max: &[("user", 64)], ..BodyRules::NONE };

/// In responses `reasoning` is an object of their own.
pub(crate) const RESPONSES_BODY: BodyRules =
    BodyRules { strips_cache_control: true, minimums: &[("max_output_tokens", 16)], ..PLAIN_BODY };

/// What OpenAI itself wants changed: its smallest output limit and longest `user`, the cache markers
/// of other vendors, and the product's own `reasoning` object.
pub(crate) const OPENAI_BODY: BodyRules = BodyRules {
    lengths_max: &[("user", 64)],
    strips_cache_control: true,
    flattens: &[Flatten { object: "reasoning", member: "effort", to: "reasoning_effort" }],
    minimums: &[("max_completion_tokens", 16)],
    ..BodyRules::NONE
};

/// Beyond that, copies of the API refuse members that only OpenAI has.
pub(crate) const BODY: BodyRules = BodyRules {
    drops: &[
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "verbosity",
        "store",
        "web_search_options",
    ],
    replaces: &[MINIMAL_EFFORT],
    ..OPENAI_BODY
};

/// Hosts that take earlier reasoning back as `reasoning_content`: most that took the API over.
pub(crate) const REASONING_CONTENT: OpenAiTarget = OpenAiTarget {
    reasoning_replay: ReasoningReplay::ReasoningContent,
    ..OpenAiTarget::COMPATIBLE
};

/// Hosts that take it back as `reasoning`.
pub(crate) const REASONING: OpenAiTarget =
    OpenAiTarget { reasoning_replay: ReasoningReplay::Reasoning, ..OpenAiTarget::COMPATIBLE };

/// What callers send back under the other of the two names is not lost there.
pub(crate) const AS_REASONING_CONTENT: MessageRules =
    MessageRules { rename: Some(("reasoning", "reasoning_content")), ..MessageRules::NONE };
pub(crate) const AS_REASONING: MessageRules =
    MessageRules { rename: Some(("reasoning_content", "reasoning")), ..MessageRules::NONE };

/// Hosts that refuse it.
pub(crate) const NO_REASONING: OpenAiTarget =
    OpenAiTarget { reasoning_replay: ReasoningReplay::Omit, ..OpenAiTarget::COMPATIBLE };

/// For hosts that only know the older name of the output limit.
pub(crate) const MAX_TOKENS: &[(&str, &str)] = &[("max_completion_tokens", "max_tokens")];

/// `minimal` is an effort of OpenAI alone.
pub(crate) const MINIMAL_EFFORT: Replace =
    Replace { member: "reasoning_effort", when: When::Text("minimal"), to: "low" };
