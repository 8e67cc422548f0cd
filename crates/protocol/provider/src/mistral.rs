//! Mistral AI: OpenAI's API with deviations.

use dialect::{Dialect, OpenAiTarget, Operation};

use crate::compatible::{self, COMPATIBLE, MAX_TOKENS, MINIMAL_EFFORT, chat, embeddings};
use crate::{BaseUrl, BodyRules, Endpoint, MessageRules, Provider, Replace, When};

pub(crate) static PROVIDER: Provider = Provider {
    name: "mistral",
    base_url: BaseUrl::Fixed("https://api.mistral.ai"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        embeddings("/v1/embeddings").with_body(&EMBEDDING_BODY),
        transcriptions(Operation::Transcription),
        transcriptions(Operation::TranscriptionStream),
        Endpoint::new(Operation::Ocr, "/v1/ocr", Dialect::MistralOcr).with_body(&BodyRules::NONE),
    ],
    body: BODY,
    models: &[
        "mistral-*",
        "ministral-*",
        "magistral-*",
        "codestral-*",
        "devstral-*",
        "pixtral-*",
        "voxtral-*",
        "open-mistral-*",
        "open-mixtral-*",
    ],
    openai: OpenAiTarget::MISTRAL,
    ..COMPATIBLE
};

const fn transcriptions(operation: Operation) -> Endpoint {
    Endpoint::new(operation, "/v1/audio/transcriptions", Dialect::MistralTranscription)
        .with_body(&BodyRules::NONE)
}

const EMBEDDING_BODY: BodyRules =
    BodyRules { renames: &[("dimensions", "output_dimension")], ..BodyRules::NONE };

/// What its API wants changed, wherever it is served.
pub(crate) const BODY: BodyRules = BodyRules {
    // It tells usage unasked, and refuses members it does not know.
    drops: &[
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "verbosity",
        "store",
        "stream_options",
        "web_search_options",
    ],
    renames: MAX_TOKENS,
    // A tool can be demanded, but not chosen.
    replaces: &[
        MINIMAL_EFFORT,
        Replace { member: "tool_choice", when: When::Text("required"), to: "any" },
        Replace { member: "tool_choice", when: When::Object, to: "any" },
    ],
    messages: MessageRules { tool_id_characters: Some(TOOL_ID_CHARACTERS), ..MessageRules::NONE },
    ..compatible::BODY
};

/// It refuses ids of tool calls of any other length.
const TOOL_ID_CHARACTERS: usize = 9;
