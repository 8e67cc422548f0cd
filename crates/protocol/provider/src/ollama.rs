//! Ollama: a server of one's own; each key names one.

use crate::compatible::{BODY, MAX_TOKENS, REASONING, SELF_HOSTED};
use crate::{BodyRules, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "ollama",
    openai: REASONING,
    body: BodyRules { renames: MAX_TOKENS, ..BODY },
    ..SELF_HOSTED
};
