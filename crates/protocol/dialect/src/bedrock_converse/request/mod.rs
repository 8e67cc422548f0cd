//! `POST …/model/{id}/converse` and `…/converse-stream`: the request body. Which model, and whether the answer is a
//! stream, stands in the path.

mod read;
mod write;
mod write_settings;

pub(crate) use read::read_request;
pub(crate) use write::write_request;

/// Members of the request that the vendor defines and that have no meaning all vendors share.
const OWN_MEMBERS: &[&str] = &[
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
];

/// What a family of models takes besides.
const ADDITIONAL: &str = "additionalModelRequestFields";
