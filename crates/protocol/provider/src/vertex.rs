//! Google Vertex AI: Google's models, and those of partners by their makers' APIs, in a project and
//! a location of one's own.

use dialect::{Dialect, Operation};

use crate::anthropic::{count_tokens, messages};
use crate::compatible::{COMPATIBLE, chat};
use crate::gemini::generate;
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider, Root, Variant, kept};

pub(crate) static PROVIDER: Provider = Provider {
    name: "vertex",
    base_url: BaseUrl::Template("https://{location_host}"),
    auth: Auth::Header("x-goog-api-key"),
    endpoints: &[
        Endpoint::list("/publishers/google/models?pageSize=1000").below(&CATALOGUE),
        chat(Operation::ChatCompletion, "/endpoints/openapi/chat/completions").below(&PROJECT),
        chat(Operation::ChatCompletionStream, "/endpoints/openapi/chat/completions")
            .below(&PROJECT),
    ],
    kept: kept::VERTEX,
    listing: Listing { member: Some("publisherModels"), id: &["name"], prefix: "/models/" },
    key_optional: true,
    variants: &[
        Variant {
            models: &["imagen-*"],
            endpoints: &[
                predict(Operation::ImageGeneration, Dialect::GeminiImagen),
                predict(Operation::ImageEdit, Dialect::ImagenEdits),
            ],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["veo-*"],
            endpoints: &[Endpoint::new(
                Operation::VideoGeneration,
                "/publishers/google/models/{model}:predictLongRunning",
                Dialect::GeminiVideos,
            )
            .below(&PROJECT)],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["text-embedding-*", "text-multilingual-embedding-*", "gemini-embedding-*"],
            endpoints: &[predict(Operation::Embedding, Dialect::VertexEmbed)],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["gemini-*"],
            endpoints: &[
                generate(
                    Operation::ChatCompletion,
                    "/publishers/google/models/{model}:generateContent",
                )
                .below(&PROJECT),
                generate(
                    Operation::ChatCompletionStream,
                    "/publishers/google/models/{model}:streamGenerateContent?alt=sse",
                )
                .below(&PROJECT),
                draw(Operation::ImageGeneration),
                draw(Operation::ImageEdit),
                Endpoint::new(
                    Operation::CountTokens,
                    "/publishers/google/models/{model}:countTokens",
                    Dialect::VertexCountTokens,
                )
                .below(&PROJECT),
            ],
            headers: &[],
            body: BodyRules::NONE,
        },
        // Tuned models have numbers for names.
        Variant {
            models: &["#"],
            endpoints: &[
                generate(Operation::ChatCompletion, "/endpoints/{model}:generateContent")
                    .below(&TUNED),
                generate(
                    Operation::ChatCompletionStream,
                    "/endpoints/{model}:streamGenerateContent?alt=sse",
                )
                .below(&TUNED),
            ],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["semantic-ranker-*"],
            endpoints: &[Endpoint::new(
                Operation::Rerank,
                "/rankingConfigs/default_ranking_config:rank",
                Dialect::VertexRank,
            )
            .below(&DISCOVERY)],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["*claude-*"],
            endpoints: &[
                messages(
                    Operation::ChatCompletion,
                    "/publishers/anthropic/models/{model}:rawPredict",
                )
                .below(&PROJECT),
                messages(
                    Operation::ChatCompletionStream,
                    "/publishers/anthropic/models/{model}:streamRawPredict",
                )
                .below(&PROJECT),
                // What is counted is said in the body: the path is the same for all models.
                count_tokens("/publishers/anthropic/models/count-tokens:rawPredict")
                    .with_body(&BodyRules::NONE)
                    .below(&PROJECT),
            ],
            headers: &[],
            // The path names the model, and the body the version.
            body: BodyRules {
                drops: &["model"],
                sets: &[("anthropic_version", "\"vertex-2023-10-16\"")],
                ..BodyRules::NONE
            },
        },
        Variant {
            models: &["mistral-*", "ministral-*", "codestral-*"],
            endpoints: &[
                chat(Operation::ChatCompletion, "/publishers/mistralai/models/{model}:rawPredict")
                    .below(&PROJECT),
                chat(
                    Operation::ChatCompletionStream,
                    "/publishers/mistralai/models/{model}:streamRawPredict",
                )
                .below(&PROJECT),
            ],
            headers: &[],
            body: crate::mistral::BODY,
        },
    ],
    ..COMPATIBLE
};

/// Models that answer in one piece.
const fn predict(operation: Operation, dialect: Dialect) -> Endpoint {
    Endpoint::new(operation, "/publishers/google/models/{model}:predict", dialect).below(&PROJECT)
}

/// Models that draw as they talk.
const fn draw(operation: Operation) -> Endpoint {
    let path = "/publishers/google/models/{model}:generateContent";
    Endpoint::new(operation, path, Dialect::GeminiImages).below(&PROJECT)
}

const PROJECT: Root = Root { url: None, path: "/v1/projects/{project}/locations/{region}" };
const TUNED: Root =
    Root { url: None, path: "/v1beta1/projects/{project_number}/locations/{region}" };
const DISCOVERY: Root = Root {
    url: Some("https://discoveryengine.googleapis.com"),
    path: "/v1/projects/{project}/locations/global",
};
const CATALOGUE: Root = Root { url: None, path: "/v1beta1" };
