//! Parasail.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "parasail",
    base_url: BaseUrl::Fixed("https://api.parasail.io"),
    models: &["parasail-*"],
    ..COMPATIBLE
};
