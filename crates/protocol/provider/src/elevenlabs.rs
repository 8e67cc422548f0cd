//! ElevenLabs: voices.

use crate::compatible::COMPATIBLE;
use crate::{Auth, BaseUrl, BodyRules, Endpoint, Listing, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "elevenlabs",
    base_url: BaseUrl::Fixed("https://api.elevenlabs.io"),
    auth: Auth::Header("xi-api-key"),
    endpoints: &[Endpoint::list("/v1/models")],
    listing: Listing { member: None, id: &["model_id"], prefix: "" },
    body: BodyRules::NONE,
    models: &["eleven_*", "scribe_*"],
    ..COMPATIBLE
};
