//! vLLM: a server of one's own; each key names one.

use crate::Provider;
use crate::compatible::SELF_HOSTED;

pub(crate) static PROVIDER: Provider = Provider { name: "vllm", ..SELF_HOSTED };
