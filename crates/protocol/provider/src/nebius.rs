//! Nebius Token Factory.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "nebius",
    base_url: BaseUrl::Fixed("https://api.tokenfactory.nebius.com"),
    models: &["NousResearch/*", "nvidia/*"],
    ..COMPATIBLE
};
