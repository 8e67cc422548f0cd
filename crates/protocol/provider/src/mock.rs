//! The built-in provider that answers without any account: the gateway's own control plane.

use dialect::OpenAiTarget;

use crate::compatible::V1;
use crate::{Auth, BaseUrl, BodyRules, Listing, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "mock",
    base_url: BaseUrl::Internal,
    auth: Auth::None,
    headers: &[],
    endpoints: V1,
    listing: Listing::DATA,
    body: BodyRules::NONE,
    openai: OpenAiTarget::COMPATIBLE,
    tells_usage_when_asked: true,
    models: &["mock-*"],
    key_optional: true,
    variants: &[],
};
