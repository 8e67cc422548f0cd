//! `POST …/v1/messages`: the request body.

mod read;
mod write;

pub(crate) use read::read_request;
pub(crate) use write::write_request;

/// Members of the request that Anthropic defines and that have no meaning all vendors share.
const OWN_MEMBERS: &[&str] = &[
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "metadata",
    "output_config",
    "safeguards",
    "speed",
];

/// Members of Anthropic's that the gateway also takes in the chat dialect.
const SHARED_MEMBERS: &[&str] =
    &["container", "context_management", "inference_geo", "mcp_servers", "speed"];
