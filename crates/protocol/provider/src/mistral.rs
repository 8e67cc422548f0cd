//! Mistral AI, as far as its chat is compatible with OpenAI's.

use crate::compatible::{BODY, COMPATIBLE, MAX_TOKENS, MINIMAL_EFFORT, NO_REASONING};
use crate::{BaseUrl, BodyRules, Provider, Replace, When};

pub(crate) static PROVIDER: Provider = Provider {
    name: "mistral",
    base_url: BaseUrl::Fixed("https://api.mistral.ai"),
    body: BodyRules {
        renames: MAX_TOKENS,
        // A tool can be demanded, but not chosen.
        replaces: &[
            MINIMAL_EFFORT,
            Replace { member: "tool_choice", when: When::Text("required"), to: "any" },
            Replace { member: "tool_choice", when: When::Object, to: "any" },
        ],
        ..BODY
    },
    models: &[
        "mistral-*",
        "ministral-*",
        "magistral-*",
        "codestral-*",
        "devstral-*",
        "pixtral-*",
        "voxtral-*",
        "open-mistral-*",
        "open-mixtral-*",
    ],
    openai: NO_REASONING,
    ..COMPATIBLE
};
