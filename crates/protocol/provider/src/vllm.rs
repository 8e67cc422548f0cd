//! vLLM: a server of one's own; each key names one.

use dialect::{Dialect, Operation};

use crate::compatible::{SELF_HOSTED, chat, completions, embeddings, transcriptions};
use crate::{BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "vllm",
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
        embeddings("/v1/embeddings"),
        Endpoint::new(Operation::Rerank, "/v1/rerank", Dialect::JinaRerank)
            .with_body(&BodyRules::NONE),
        transcriptions(Operation::Transcription, "/v1/audio/transcriptions"),
        Endpoint::new(
            Operation::TranscriptionStream,
            "/v1/audio/transcriptions",
            Dialect::VllmTranscription,
        )
        .with_body(&BodyRules::NONE),
    ],
    ..SELF_HOSTED
};
