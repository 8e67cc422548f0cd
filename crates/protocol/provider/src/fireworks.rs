//! Fireworks AI.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "fireworks",
    base_url: BaseUrl::Fixed("https://api.fireworks.ai/inference"),
    models: &["accounts/fireworks/*"],
    ..COMPATIBLE
};
