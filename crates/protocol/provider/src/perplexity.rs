//! Perplexity: chat with search, without tools and without a list of models.

use dialect::Operation;

use crate::compatible::{COMPATIBLE, MAX_TOKENS, MINIMAL_EFFORT, NO_REASONING, OPENAI_BODY, chat};
use crate::{BaseUrl, BodyRules, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "perplexity",
    base_url: BaseUrl::Fixed("https://api.perplexity.ai"),
    endpoints: &[
        chat(Operation::ChatCompletion, "/chat/completions"),
        chat(Operation::ChatCompletionStream, "/chat/completions"),
    ],
    body: BodyRules {
        drops: &[
            "prediction",
            "prompt_cache_key",
            "prompt_cache_retention",
            "verbosity",
            "store",
            "web_search_options",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "stop",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "seed",
            "service_tier",
        ],
        replaces: &[MINIMAL_EFFORT],
        renames: MAX_TOKENS,
        ..OPENAI_BODY
    },
    models: &["sonar*"],
    openai: NO_REASONING,
    ..COMPATIBLE
};
