//! Cohere.

use dialect::{Dialect, Operation};

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Endpoint, Listing, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "cohere",
    base_url: BaseUrl::Fixed("https://api.cohere.ai"),
    endpoints: &[
        Endpoint::list("/v1/models?page_size=1000"),
        Endpoint::new(Operation::ChatCompletion, "/v2/chat", Dialect::CohereChat),
        Endpoint::new(Operation::ChatCompletionStream, "/v2/chat", Dialect::CohereChat),
        Endpoint::new(Operation::Embedding, "/v2/embed", Dialect::CohereEmbed),
        Endpoint::new(Operation::Rerank, "/v2/rerank", Dialect::CohereRerank),
        Endpoint::new(Operation::CountTokens, "/v1/tokenize", Dialect::CohereTokenize),
    ],
    listing: Listing::of("models", &["name"]),
    body: BodyRules::NONE,
    models: &[
        "command-*",
        "c4ai-*",
        "embed-english-*",
        "embed-multilingual-*",
        "embed-v4*",
        "rerank-*",
    ],
    ..COMPATIBLE
};
