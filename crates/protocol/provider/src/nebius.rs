//! Nebius Token Factory.

use dialect::{Dialect, Operation};

use crate::compatible::{COMPATIBLE, PLAIN_BODY, chat, completions, embeddings};
use crate::{BaseUrl, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "nebius",
    base_url: BaseUrl::Fixed("https://api.tokenfactory.nebius.com"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
        embeddings("/v1/embeddings"),
        Endpoint::new(Operation::ImageGeneration, "/v1/images/generations", Dialect::NebiusImages)
            .with_body(&PLAIN_BODY),
    ],
    models: &["NousResearch/*", "nvidia/*"],
    ..COMPATIBLE
};
