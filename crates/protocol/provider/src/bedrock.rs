//! AWS Bedrock: models of many makers behind one signed API, one server per region.

use dialect::{Dialect, OpenAiTarget, Operation};

use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider, Root, Variant, kept};

pub(crate) static PROVIDER: Provider = Provider {
    name: "bedrock",
    base_url: BaseUrl::Template("https://bedrock-runtime.{region}.amazonaws.com"),
    auth: Auth::Bearer,
    headers: &[],
    endpoints: &[
        Endpoint::list("/foundation-models").below(&CATALOGUE),
        converse(Operation::ChatCompletion, "{model}/converse"),
        converse(Operation::ChatCompletionStream, "{model}/converse-stream"),
        invoke(Operation::TextCompletion, Dialect::AnthropicComplete).with_body(&HOSTED),
        Endpoint::new(Operation::CountTokens, "{model}/count-tokens", Dialect::BedrockCountTokens)
            .below(&MODELS),
        Endpoint::new(Operation::Rerank, "/rerank", Dialect::BedrockRerank).below(&AGENTS),
    ],
    kept: kept::BEDROCK,
    listing: Listing::of("modelSummaries", &["modelId"]),
    body: BodyRules::NONE,
    openai: OpenAiTarget::COMPATIBLE,
    tells_usage_when_asked: false,
    models: &["*anthropic.claude-*", "*amazon.nova-*", "*amazon.titan-*"],
    key_optional: true,
    variants: &[
        Variant {
            models: &["*titan-embed*"],
            endpoints: &[invoke(Operation::Embedding, Dialect::TitanEmbed)],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["*cohere.embed*"],
            endpoints: &[invoke(Operation::Embedding, Dialect::BedrockCohereEmbed)],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["*titan-image*", "*nova-canvas*"],
            endpoints: &[
                invoke(Operation::ImageGeneration, Dialect::TitanImages),
                invoke(Operation::ImageEdit, Dialect::TitanImages),
                invoke(Operation::ImageVariation, Dialect::TitanImages),
            ],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["*stability.*"],
            endpoints: &[
                invoke(Operation::ImageGeneration, Dialect::StabilityImages),
                invoke(Operation::ImageEdit, Dialect::StabilityImages),
            ],
            headers: &[],
            body: BodyRules::NONE,
        },
    ],
};

const fn converse(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::BedrockConverse).below(&MODELS)
}

/// A request in the form of the model's maker.
const fn invoke(operation: Operation, dialect: Dialect) -> Endpoint {
    Endpoint::new(operation, "{model}/invoke", dialect).below(&MODELS)
}

/// The path says the model and whether the answer streams.
const HOSTED: BodyRules = BodyRules { drops: &["model", "stream"], ..BodyRules::NONE };

/// Model ids come behind the inference profile of the key, if it has one, as one segment.
const MODELS: Root = Root { url: None, path: "/model/{arn_slash}" };

/// What there is to be used is told by another server.
const CATALOGUE: Root = Root { url: Some("https://bedrock.{region}.amazonaws.com"), path: "" };

/// And documents are sorted by a third.
const AGENTS: Root =
    Root { url: Some("https://bedrock-agent-runtime.{region}.amazonaws.com"), path: "" };
