//! OpenCode Zen.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "opencode-zen",
    base_url: BaseUrl::Fixed("https://opencode.ai/zen"),
    models: &["opencode/*", "big-pickle"],
    ..COMPATIBLE
};
