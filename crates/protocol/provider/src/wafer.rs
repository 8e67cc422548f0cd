//! Wafer.

use dialect::Operation;

use crate::compatible::{COMPATIBLE, chat, completions};
use crate::{BaseUrl, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "wafer",
    base_url: BaseUrl::Fixed("https://pass.wafer.ai"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        completions(Operation::TextCompletion, "/v1/completions"),
        completions(Operation::TextCompletionStream, "/v1/completions"),
    ],
    ..COMPATIBLE
};
