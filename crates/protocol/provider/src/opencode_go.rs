//! OpenCode Go: the smaller plan of the same host as OpenCode Zen.

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "opencode-go",
    base_url: BaseUrl::Fixed("https://opencode.ai/zen/go"),
    models: &[],
    ..COMPATIBLE
};
