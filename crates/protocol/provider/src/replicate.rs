//! Replicate: models of everyone, run as predictions.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Endpoint, Listing, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "replicate",
    base_url: BaseUrl::Fixed("https://api.replicate.com"),
    endpoints: &[Endpoint::list("/v1/models")],
    listing: Listing::of("results", &["owner", "name"]),
    body: BodyRules::NONE,
    ..COMPATIBLE
};
