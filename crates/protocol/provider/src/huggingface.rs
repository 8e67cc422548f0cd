//! Hugging Face: its router over many hosts. A model of three names begins with that of the host; chats are asked for
//! at one path with the host behind the model, the other operations at the host's own.

use dialect::{Dialect, Operation};

use crate::compatible::{BODY, COMPATIBLE, PLAIN_BODY, chat, embeddings, images};
use crate::{BaseUrl, BodyRules, Endpoint, ModelName, Provider, Replace, Variant, When};

pub(crate) static PROVIDER: Provider = Provider {
    name: "huggingface",
    base_url: BaseUrl::Fixed("https://router.huggingface.co"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        Endpoint::new(Operation::Speech, OWN_MODELS, Dialect::HuggingFaceSpeech),
        Endpoint::new(Operation::Transcription, OWN_MODELS, Dialect::HuggingFaceTranscription),
    ],
    variants: &[
        host(
            &["hf-inference/*"],
            &[
                CHAT,
                CHAT_STREAM,
                Endpoint::new(
                    Operation::Embedding,
                    "/hf-inference/models/{+model}/pipeline/feature-extraction",
                    Dialect::HuggingFaceEmbed,
                )
                .with_body(&WITHOUT_MODEL)
                .naming(ModelName::WithoutHost),
            ],
        ),
        host(
            &["fal-ai/*"],
            &[Endpoint::new(Operation::ImageGeneration, "/fal-ai/{+model}", Dialect::FalImages)
                .with_body(&WITHOUT_MODEL)
                .naming(ModelName::WithoutHost)],
        ),
        host(
            &["nebius/*"],
            &[
                CHAT,
                CHAT_STREAM,
                embeddings("/nebius/v1/embeddings").naming(ModelName::WithoutHost),
                Endpoint::new(
                    Operation::ImageGeneration,
                    "/nebius/v1/images/generations",
                    Dialect::NebiusImages,
                )
                .with_body(&PLAIN_BODY)
                .naming(ModelName::WithoutHost),
            ],
        ),
        host(
            &["together/*"],
            &[
                CHAT,
                CHAT_STREAM,
                images(Operation::ImageGeneration, "/together/v1/images/generations")
                    .with_body(&TOGETHER_IMAGES)
                    .naming(ModelName::WithoutHost),
            ],
        ),
        host(
            &["sambanova/*"],
            &[
                CHAT,
                CHAT_STREAM,
                embeddings("/sambanova/v1/embeddings").naming(ModelName::WithoutHost),
            ],
        ),
        host(
            &["scaleway/*"],
            &[
                CHAT,
                CHAT_STREAM,
                embeddings("/scaleway/v1/embeddings").naming(ModelName::WithoutHost),
            ],
        ),
        // Every other host, by its name in front of a model's two.
        host(&["*/*/*"], &[CHAT, CHAT_STREAM]),
    ],
    ..COMPATIBLE
};

/// What it runs itself; the model stands behind.
const OWN_MODELS: &str = "/hf-inference/models";

const CHAT: Endpoint =
    chat(Operation::ChatCompletion, "/v1/chat/completions").naming(ModelName::HostBehind);
const CHAT_STREAM: Endpoint =
    chat(Operation::ChatCompletionStream, "/v1/chat/completions").naming(ModelName::HostBehind);

const fn host(models: &'static [&'static str], endpoints: &'static [Endpoint]) -> Variant {
    Variant { models, endpoints, headers: &[], body: BODY }
}

/// The path names the model.
const WITHOUT_MODEL: BodyRules = BodyRules { drops: &["model"], ..BodyRules::NONE };

const TOGETHER_IMAGES: BodyRules = BodyRules {
    replaces: &[Replace { member: "response_format", when: When::Text("b64_json"), to: "base64" }],
    renames: &[("num_inference_steps", "steps")],
    ..PLAIN_BODY
};
