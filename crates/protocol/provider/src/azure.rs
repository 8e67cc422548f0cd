//! Azure OpenAI and Azure AI Foundry: OpenAI's API below a path of its own, and Claude by Anthropic's.
//! Models are named by their deployments.

use dialect::{OpenAiTarget, Operation};

use crate::anthropic::{self, messages};
use crate::compatible::{
    COMPATIBLE, OPENAI_BODY, chat, compact, completions, embeddings, image_edits, images, realtime,
    responses, speech, transcriptions, videos,
};
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Provider, Variant, kept};

pub(crate) static PROVIDER: Provider = Provider {
    name: "azure",
    base_url: BaseUrl::PerKey,
    auth: Auth::Header("api-key"),
    endpoints: &[
        Endpoint::list("/openai/v1/models"),
        chat(Operation::ChatCompletion, "/openai/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/openai/v1/chat/completions"),
        responses(Operation::Responses, "/openai/v1/responses?api-version=preview"),
        responses(Operation::ResponsesStream, "/openai/v1/responses?api-version=preview"),
        compact("/openai/v1/responses/compact?api-version=preview"),
        completions(Operation::TextCompletion, "/openai/v1/completions"),
        completions(Operation::TextCompletionStream, "/openai/v1/completions"),
        embeddings("/openai/v1/embeddings"),
        speech(Operation::Speech, "/openai/v1/audio/speech"),
        speech(Operation::SpeechStream, "/openai/v1/audio/speech"),
        transcriptions(
            Operation::Transcription,
            "/openai/deployments/{model}/audio/transcriptions?api-version=2025-04-01-preview",
        ),
        images(Operation::ImageGeneration, "/openai/v1/images/generations"),
        images(Operation::ImageGenerationStream, "/openai/v1/images/generations"),
        image_edits(Operation::ImageEdit, "/openai/v1/images/edits"),
        image_edits(Operation::ImageEditStream, "/openai/v1/images/edits"),
        videos(Operation::VideoGeneration, "/openai/v1/videos"),
        videos(Operation::VideoList, "/openai/v1/videos").by("GET"),
        videos(Operation::VideoRetrieve, "/openai/v1/videos/{id}").by("GET"),
        videos(Operation::VideoDelete, "/openai/v1/videos/{id}").by("DELETE"),
        videos(Operation::VideoDownload, "/openai/v1/videos/{id}/content").by("GET"),
        realtime("/openai/v1/realtime?model={model}"),
    ],
    kept: kept::AZURE,
    body: OPENAI_BODY,
    openai: OpenAiTarget::ORIGINAL,
    tells_usage_when_asked: true,
    key_optional: true,
    variants: &[
        Variant {
            models: &["*claude*"],
            endpoints: &[
                messages(Operation::ChatCompletion, "/anthropic/v1/messages"),
                messages(Operation::ChatCompletionStream, "/anthropic/v1/messages"),
            ],
            headers: anthropic::VERSION,
            body: BodyRules::NONE,
        },
        // Served as chats alone, whatever the rest of the host has.
        Variant {
            models: &["*deepseek*"],
            endpoints: &[
                chat(Operation::ChatCompletion, "/openai/v1/chat/completions"),
                chat(Operation::ChatCompletionStream, "/openai/v1/chat/completions"),
            ],
            headers: &[],
            body: OPENAI_BODY,
        },
    ],
    ..COMPATIBLE
};
