//! Hugging Face: its router over many hosts.

use crate::compatible::{COMPATIBLE, V1};
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "huggingface",
    base_url: BaseUrl::Fixed("https://router.huggingface.co"),
    endpoints: V1,
    ..COMPATIBLE
};
