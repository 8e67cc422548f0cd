//! Cerebras.

use dialect::Operation;

use crate::compatible::{AS_REASONING, BODY, COMPATIBLE, REASONING, chat, completions};
use crate::{BaseUrl, BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "cerebras",
    base_url: BaseUrl::Fixed("https://api.cerebras.ai"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
    ],
    models: &["llama3.1-8b", "llama-3.3-70b", "gpt-oss-120b", "qwen-3-*", "zai-glm-*"],
    body: BodyRules { messages: AS_REASONING, ..BODY },
    openai: REASONING,
    ..COMPATIBLE
};
