//! Groq.

use dialect::Operation;

use crate::compatible::{AS_REASONING, BODY, COMPATIBLE, REASONING, chat, speech, transcriptions};
use crate::{BaseUrl, BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "groq",
    base_url: BaseUrl::Fixed("https://api.groq.com/openai"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        speech(Operation::Speech, "/v1/audio/speech"),
        transcriptions(Operation::Transcription, "/v1/audio/transcriptions"),
    ],
    models: &[
        "llama-3.1-8b-instant",
        "llama-3.3-70b-versatile",
        "meta-llama/llama-4-*",
        "groq/compound*",
        "moonshotai/kimi-k2-*",
        "qwen/qwen3-*",
    ],
    body: BodyRules { messages: AS_REASONING, ..BODY },
    openai: REASONING,
    ..COMPATIBLE
};
