//! Fireworks AI.

use dialect::Operation;

use crate::compatible::{COMPATIBLE, chat, completions, embeddings, responses};
use crate::{BaseUrl, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "fireworks",
    base_url: BaseUrl::Fixed("https://api.fireworks.ai/inference"),
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
    models: &["accounts/fireworks/*"],
    ..COMPATIBLE
};
