//! TypeSafe: decisions.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "typesafe",
    base_url: BaseUrl::Fixed("https://api.typesafe.ai"),
    endpoints: &[Endpoint::list("/v1/models")],
    body: BodyRules::NONE,
    ..COMPATIBLE
};
