//! DeepSeek, by its OpenAI-compatible surface.

use dialect::Operation;

use crate::compatible::{AS_REASONING_CONTENT, BODY, COMPATIBLE, MAX_TOKENS, chat};
use crate::{BaseUrl, BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "deepseek",
    base_url: BaseUrl::Fixed("https://api.deepseek.com"),
    endpoints: &[
        Endpoint::list("/models"),
        chat(Operation::ChatCompletion, "/chat/completions"),
        chat(Operation::ChatCompletionStream, "/chat/completions"),
    ],
    body: BodyRules { renames: MAX_TOKENS, messages: AS_REASONING_CONTENT, ..BODY },
    models: &["deepseek-*"],
    ..COMPATIBLE
};
