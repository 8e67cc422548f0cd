//! TypeSafe: decisions.

use dialect::{Dialect, Operation};

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Endpoint, Listing, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "typesafe",
    base_url: BaseUrl::Fixed("https://api.typesafe.ai"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        Endpoint::new(Operation::Decisions, "/v1/systemone", Dialect::SystemOne),
    ],
    listing: Listing::of("models", &["name"]),
    body: BodyRules::NONE,
    models: &["jev-*"],
    ..COMPATIBLE
};
