//! Google Gemini, by the API of AI Studio.

use dialect::{Dialect, Operation};

use crate::compatible::COMPATIBLE;
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider, Variant};

pub(crate) static PROVIDER: Provider = Provider {
    name: "gemini",
    base_url: BaseUrl::Fixed("https://generativelanguage.googleapis.com/v1beta"),
    auth: Auth::Header("x-goog-api-key"),
    endpoints: &[
        Endpoint::list("/models?pageSize=1000"),
        generate(Operation::ChatCompletion, "/models/{model}:generateContent"),
        generate(Operation::ChatCompletionStream, "/models/{model}:streamGenerateContent?alt=sse"),
        Endpoint::new(
            Operation::Embedding,
            "/models/{model}:batchEmbedContents",
            Dialect::GeminiBatchEmbed,
        ),
    ],
    listing: Listing { member: Some("models"), id: &["name"], prefix: "models/" },
    body: BodyRules::NONE,
    models: &["gemini-*", "gemma-*", "imagen-*", "veo-*", "learnlm-*"],
    variants: &[Variant {
        models: &["imagen-*"],
        endpoints: &[Endpoint::new(
            Operation::ImageGeneration,
            "/models/{model}:predict",
            Dialect::GeminiImagen,
        )],
        headers: &[],
        body: BodyRules::NONE,
    }],
    ..COMPATIBLE
};

/// An endpoint that speaks Google's own dialect.
pub(crate) const fn generate(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::Gemini)
}
