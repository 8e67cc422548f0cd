//! Sarvam: chat and voices for the languages of India.

use dialect::Operation;

use crate::compatible::{COMPATIBLE, MAX_TOKENS, chat};
use crate::{BaseUrl, BodyRules, Provider, compatible};

pub(crate) static PROVIDER: Provider = Provider {
    name: "sarvam",
    base_url: BaseUrl::Fixed("https://api.sarvam.ai"),
    endpoints: &[
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
    ],
    body: BodyRules { renames: MAX_TOKENS, ..compatible::BODY },
    models: &["sarvam-*", "bulbul:*", "saarika:*", "saaras:*"],
    ..COMPATIBLE
};
