//! AWS Bedrock's newer server, which speaks its makers' own APIs.

use dialect::Operation;

use crate::anthropic::{self, count_tokens, messages};
use crate::compatible::{COMPATIBLE, chat, responses};
use crate::{BaseUrl, BodyRules, Endpoint, Provider, Variant};

pub(crate) static PROVIDER: Provider = Provider {
    name: "bedrock_mantle",
    base_url: BaseUrl::Template("https://bedrock-mantle.{region}.api.aws"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        responses(Operation::Responses, "/v1/responses"),
        responses(Operation::ResponsesStream, "/v1/responses"),
    ],
    key_optional: true,
    variants: &[Variant {
        models: &["*claude*"],
        endpoints: &[
            messages(Operation::ChatCompletion, "/anthropic/v1/messages"),
            messages(Operation::ChatCompletionStream, "/anthropic/v1/messages"),
            count_tokens("/anthropic/v1/messages/count_tokens"),
        ],
        headers: anthropic::VERSION,
        body: BodyRules::NONE,
    }],
    ..COMPATIBLE
};
