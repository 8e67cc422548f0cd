//! ElevenLabs: voices.

use dialect::{Dialect, Operation};

use crate::compatible::{COMPATIBLE, realtime};
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "elevenlabs",
    base_url: BaseUrl::Fixed("https://api.elevenlabs.io"),
    auth: Auth::Header("xi-api-key"),
    // Its agents are what others call models.
    endpoints: &[
        Endpoint::list("/v1/models"),
        realtime("/v1/convai/conversation?agent_id={model}"),
        Endpoint::new(Operation::Speech, "/v1/text-to-speech", Dialect::ElevenLabsSpeech),
        Endpoint::new(Operation::SpeechStream, "/v1/text-to-speech", Dialect::ElevenLabsSpeech),
        Endpoint::new(
            Operation::Transcription,
            "/v1/speech-to-text",
            Dialect::ElevenLabsTranscription,
        ),
        Endpoint::new(Operation::SoundGeneration, "/v1/sound-generation", Dialect::ElevenLabsSound)
            .with_body(&SOUND_BODY),
    ],
    listing: Listing { member: None, id: &["model_id"], prefix: "" },
    body: BodyRules::NONE,
    models: &["eleven_*", "scribe_*"],
    ..COMPATIBLE
};

/// Callers name the model and the description as for speech.
const SOUND_BODY: BodyRules =
    BodyRules { renames: &[("model", "model_id"), ("input", "text")], ..BodyRules::NONE };
