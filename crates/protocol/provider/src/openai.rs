//! OpenAI.

use dialect::{Dialect, OpenAiTarget, Operation};

use crate::compatible::{
    COMPATIBLE, OPENAI_BODY, chat, compact, completions, embeddings, image_edits, images,
    input_tokens, realtime, responses, speech, transcriptions, videos,
};
use crate::{BaseUrl, BodyRules, Endpoint, Provider, kept};

pub(crate) static PROVIDER: Provider = Provider {
    name: "openai",
    base_url: BaseUrl::Fixed("https://api.openai.com"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        responses(Operation::Responses, "/v1/responses"),
        responses(Operation::ResponsesStream, "/v1/responses"),
        input_tokens("/v1/responses/input_tokens"),
        compact("/v1/responses/compact"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
        embeddings("/v1/embeddings"),
        speech(Operation::Speech, "/v1/audio/speech"),
        speech(Operation::SpeechStream, "/v1/audio/speech"),
        transcriptions(Operation::Transcription, "/v1/audio/transcriptions"),
        transcriptions(Operation::TranscriptionStream, "/v1/audio/transcriptions"),
        images(Operation::ImageGeneration, "/v1/images/generations"),
        images(Operation::ImageGenerationStream, "/v1/images/generations"),
        image_edits(Operation::ImageEdit, "/v1/images/edits"),
        image_edits(Operation::ImageEditStream, "/v1/images/edits"),
        Endpoint::new(
            Operation::ImageVariation,
            "/v1/images/variations",
            Dialect::OpenAiImageVariations,
        )
        .with_body(&BodyRules::NONE),
        videos(Operation::VideoGeneration, "/v1/videos"),
        videos(Operation::VideoList, "/v1/videos").by("GET"),
        videos(Operation::VideoRetrieve, "/v1/videos/{id}").by("GET"),
        videos(Operation::VideoDelete, "/v1/videos/{id}").by("DELETE"),
        videos(Operation::VideoDownload, "/v1/videos/{id}/content").by("GET"),
        videos(Operation::VideoRemix, "/v1/videos/{id}/remix"),
        realtime("/v1/realtime?model={model}"),
        responses(Operation::WebsocketResponses, "/v1/responses"),
    ],
    kept: kept::OPENAI,
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
