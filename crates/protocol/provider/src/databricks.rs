//! Databricks: served models of one's own workspace, and those of its gateway under names of the
//! catalogue. Each key names a workspace.

use dialect::Operation;

use crate::compatible::{COMPATIBLE, MAX_TOKENS, chat, embeddings};
use crate::{BaseUrl, BodyRules, Endpoint, Listing, Provider, Root, Variant, compatible};

pub(crate) static PROVIDER: Provider = Provider {
    name: "databricks",
    base_url: BaseUrl::PerKey,
    endpoints: &[
        Endpoint::list("/api/2.0/serving-endpoints"),
        chat(Operation::ChatCompletion, "/chat/completions").below(&CHOSEN),
        chat(Operation::ChatCompletionStream, "/chat/completions").below(&CHOSEN),
        embeddings("/embeddings").below(&CHOSEN),
    ],
    listing: Listing::of("endpoints", &["name"]),
    body: BODY,
    models: &["databricks-*", "system.ai.*"],
    key_optional: true,
    variants: &[Variant {
        // Names of the catalogue are the gateway's, unless the key says otherwise.
        models: &["*.*"],
        endpoints: &[
            chat(Operation::ChatCompletion, "/chat/completions").below(&DOTTED),
            chat(Operation::ChatCompletionStream, "/chat/completions").below(&DOTTED),
            embeddings("/embeddings").below(&DOTTED),
        ],
        headers: &[],
        body: BODY,
    }],
    ..COMPATIBLE
};

const BODY: BodyRules = BodyRules { renames: MAX_TOKENS, ..compatible::BODY };

/// As `api_format` of the key says.
const CHOSEN: Root = Root { url: None, path: "{api_path}" };
const DOTTED: Root = Root { url: None, path: "{dotted_api_path}" };
