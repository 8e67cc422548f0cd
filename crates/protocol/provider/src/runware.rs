//! Runware: images and videos.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "runware",
    base_url: BaseUrl::Fixed("https://api.runware.ai"),
    endpoints: &[],
    body: BodyRules::NONE,
    ..COMPATIBLE
};
