//! OpenRouter: models of every vendor under `vendor/model`.

use dialect::OpenAiTarget;

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "openrouter",
    base_url: BaseUrl::Fixed("https://openrouter.ai/api"),
    models: &["*/*"],
    openai: OpenAiTarget {
        cache_control: true,
        reasoning_object: true,
        ..OpenAiTarget::COMPATIBLE
    },
    ..COMPATIBLE
};
