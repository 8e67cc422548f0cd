//! Sarvam: chat and voices for the languages of India.

use dialect::{Dialect, Operation};

use crate::compatible::{COMPATIBLE, MAX_TOKENS, chat};
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Provider, compatible};

pub(crate) static PROVIDER: Provider = Provider {
    name: "sarvam",
    base_url: BaseUrl::Fixed("https://api.sarvam.ai"),
    // Chats take a bearer, voices a header of their own.
    auth: Auth::BearerAndHeader("api-subscription-key"),
    endpoints: &[
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        Endpoint::new(Operation::Speech, "/text-to-speech", Dialect::SarvamSpeech),
        Endpoint::new(Operation::SpeechStream, "/text-to-speech", Dialect::SarvamSpeech),
        Endpoint::new(Operation::Transcription, "/speech-to-text", Dialect::SarvamTranscription),
    ],
    body: BodyRules { renames: MAX_TOKENS, ..compatible::BODY },
    models: &["sarvam-*", "bulbul:*", "saarika:*", "saaras:*"],
    ..COMPATIBLE
};
