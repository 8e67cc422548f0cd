//! OpenAI.

use dialect::OpenAiTarget;

use crate::compatible::{COMPATIBLE, OPENAI_BODY};
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "openai",
    base_url: BaseUrl::Fixed("https://api.openai.com"),
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
