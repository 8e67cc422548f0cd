//! Google Gemini, by the API of AI Studio.

use dialect::{Dialect, Operation};

use crate::compatible::COMPATIBLE;
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider, Variant, kept};

pub(crate) static PROVIDER: Provider = Provider {
    name: "gemini",
    base_url: BaseUrl::Fixed("https://generativelanguage.googleapis.com/v1beta"),
    auth: Auth::Header("x-goog-api-key"),
    endpoints: &[
        Endpoint::list("/models?pageSize=1000"),
        generate(Operation::ChatCompletion, GENERATE),
        generate(Operation::ChatCompletionStream, STREAM),
        Endpoint::new(
            Operation::Embedding,
            "/models/{model}:batchEmbedContents",
            Dialect::GeminiBatchEmbed,
        ),
        Endpoint::new(Operation::Speech, GENERATE, Dialect::GeminiSpeech),
        Endpoint::new(Operation::SpeechStream, STREAM, Dialect::GeminiSpeech),
        Endpoint::new(Operation::Transcription, GENERATE, Dialect::GeminiTranscription),
        Endpoint::new(Operation::TranscriptionStream, STREAM, Dialect::GeminiTranscription),
        Endpoint::new(Operation::ImageGeneration, GENERATE, Dialect::GeminiImages),
        Endpoint::new(Operation::ImageEdit, GENERATE, Dialect::GeminiImages),
        Endpoint::new(
            Operation::CountTokens,
            "/models/{model}:countTokens",
            Dialect::GeminiCountTokens,
        ),
        Endpoint::new(Operation::VideoRetrieve, "/{+id}", Dialect::GeminiVideos).by("GET"),
    ],
    kept: kept::GEMINI,
    listing: Listing { member: Some("models"), id: &["name"], prefix: "models/" },
    body: BodyRules::NONE,
    models: &["gemini-*", "gemma-*", "imagen-*", "veo-*", "learnlm-*"],
    variants: &[
        Variant {
            models: &["imagen-*"],
            endpoints: &[Endpoint::new(
                Operation::ImageGeneration,
                "/models/{model}:predict",
                Dialect::GeminiImagen,
            )],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["veo-*"],
            endpoints: &[Endpoint::new(
                Operation::VideoGeneration,
                "/models/{model}:predictLongRunning",
                Dialect::GeminiVideos,
            )],
            headers: &[],
            body: BodyRules::NONE,
        },
    ],
    ..COMPATIBLE
};

const GENERATE: &str = "/models/{model}:generateContent";
const STREAM: &str = "/models/{model}:streamGenerateContent?alt=sse";

/// An endpoint that speaks Google's own dialect.
pub(crate) const fn generate(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::Gemini)
}
