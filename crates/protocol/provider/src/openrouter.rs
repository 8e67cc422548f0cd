//! OpenRouter: models of every vendor under `vendor/model`.

use dialect::{OpenAiTarget, Operation};

use crate::compatible::{COMPATIBLE, chat, completions, embeddings, responses};
use crate::{BaseUrl, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "openrouter",
    base_url: BaseUrl::Fixed("https://openrouter.ai/api"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        responses(Operation::Responses, "/v1/responses"),
        responses(Operation::ResponsesStream, "/v1/responses"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
        embeddings("/v1/embeddings"),
    ],
    models: &["*/*"],
    openai: OpenAiTarget {
        cache_control: true,
        reasoning_object: true,
        ..OpenAiTarget::COMPATIBLE
    },
    ..COMPATIBLE
};
