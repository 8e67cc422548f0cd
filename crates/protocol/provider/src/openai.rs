//! OpenAI.

use dialect::{OpenAiTarget, Operation};

use crate::compatible::{
    COMPATIBLE, OPENAI_BODY, chat, completions, embeddings, images, responses, speech,
    transcriptions,
};
use crate::{BaseUrl, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "openai",
    base_url: BaseUrl::Fixed("https://api.openai.com"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        responses(Operation::Responses, "/v1/responses"),
        responses(Operation::ResponsesStream, "/v1/responses"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
        embeddings("/v1/embeddings"),
        speech(Operation::Speech, "/v1/audio/speech"),
        speech(Operation::SpeechStream, "/v1/audio/speech"),
        transcriptions(Operation::Transcription, "/v1/audio/transcriptions"),
        transcriptions(Operation::TranscriptionStream, "/v1/audio/transcriptions"),
        images(Operation::ImageGeneration, "/v1/images/generations"),
        images(Operation::ImageGenerationStream, "/v1/images/generations"),
    ],
    body: OPENAI_BODY,
    openai: OpenAiTarget::ORIGINAL,
    tells_usage_when_asked: true,
    models: &[
        "gpt-*",
        "chatgpt-*",
        "o1*",
        "o3*",
        "o4*",
        "codex-*",
        "computer-use-*",
        "text-embedding-*",
        "omni-moderation-*",
        "davinci-*",
        "babbage-*",
        "whisper-*",
        "tts-*",
        "dall-e-*",
        "sora-*",
    ],
    ..COMPATIBLE
};
