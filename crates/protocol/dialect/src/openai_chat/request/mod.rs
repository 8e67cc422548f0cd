//! `POST …/chat/completions`: the request body.

mod read;
mod write;
mod write_content;
mod write_messages;

pub(crate) use read::{read_request, read_tool};
pub(crate) use write::{is_run_by_caller, write_request};
pub(crate) use write_content::write_url;
pub(crate) use write_messages::{is_about_tools, write_tool_call};

/// Members of the request that OpenAI defines, or the gateway accepts as its own, and that have no meaning all
/// vendors share.
const OWN_MEMBERS: &[&str] = &[
    "audio",
    "container",
    "context_management",
    "inference_geo",
    "logit_bias",
    "mcp_servers",
    "metadata",
    "modalities",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "speed",
    "store",
    "task_budget",
    "truncation",
    "verbosity",
    "web_search_options",
];

/// Members that mean the same in OpenAI's other dialect.
const SHARED_MEMBERS: &[&str] = &[
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "verbosity",
];

/// Members only OpenAI itself and Azure take; other hosts get the request without them.
const ORIGINAL_ONLY: &[&str] = &[
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "store",
    "verbosity",
    "web_search_options",
];
