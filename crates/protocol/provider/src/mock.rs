//! The built-in provider that answers without any account: the gateway's own control plane.

use dialect::{Dialect, OpenAiTarget, Operation};

use crate::compatible::{chat, image_edits, images, speech, transcriptions};
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "mock",
    base_url: BaseUrl::Internal,
    auth: Auth::None,
    headers: &[],
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        speech(Operation::Speech, "/v1/audio/speech"),
        speech(Operation::SpeechStream, "/v1/audio/speech"),
        transcriptions(Operation::Transcription, "/v1/audio/transcriptions"),
        transcriptions(Operation::TranscriptionStream, "/v1/audio/transcriptions"),
        images(Operation::ImageGeneration, "/v1/images/generations"),
        image_edits(Operation::ImageEdit, "/v1/images/edits"),
        Endpoint::new(
            Operation::ImageVariation,
            "/v1/images/variations",
            Dialect::OpenAiImageVariations,
        )
        .with_body(&BodyRules::NONE),
    ],
    kept: &[],
    listing: Listing::DATA,
    body: BodyRules::NONE,
    openai: OpenAiTarget::COMPATIBLE,
    tells_usage_when_asked: true,
    models: &["mock-*"],
    key_optional: true,
    variants: &[],
};
