//! Cerebras.

use crate::compatible::{COMPATIBLE, REASONING};
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "cerebras",
    base_url: BaseUrl::Fixed("https://api.cerebras.ai"),
    models: &["llama3.1-8b", "llama-3.3-70b", "gpt-oss-120b", "qwen-3-*", "zai-glm-*"],
    openai: REASONING,
    ..COMPATIBLE
};
