//! Groq.

use crate::compatible::{COMPATIBLE, REASONING};
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "groq",
    base_url: BaseUrl::Fixed("https://api.groq.com/openai"),
    models: &[
        "llama-3.1-8b-instant",
        "llama-3.3-70b-versatile",
        "meta-llama/llama-4-*",
        "groq/compound*",
        "moonshotai/kimi-k2-*",
        "qwen/qwen3-*",
    ],
    openai: REASONING,
    ..COMPATIBLE
};
