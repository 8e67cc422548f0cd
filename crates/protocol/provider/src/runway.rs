//! Runway: videos.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "runway",
    base_url: BaseUrl::Fixed("https://api.dev.runwayml.com"),
    headers: &[("x-runway-version", "2024-11-06")],
    endpoints: &[],
    body: BodyRules::NONE,
    ..COMPATIBLE
};
