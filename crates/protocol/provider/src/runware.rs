//! Runware: images and films as tasks of one path, and chats as OpenAI has them.

use dialect::{Dialect, Operation};

use crate::compatible::{COMPATIBLE, chat};
use crate::{BaseUrl, BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "runware",
    base_url: BaseUrl::Fixed("https://api.runware.ai"),
    endpoints: &[
        Endpoint::list("/v1/models"),
        chat(Operation::ChatCompletion, "/v1/chat/completions"),
        chat(Operation::ChatCompletionStream, "/v1/chat/completions"),
        task(Operation::ImageGeneration, Dialect::RunwareImages),
        task(Operation::VideoGeneration, Dialect::RunwareVideos),
    ],
    ..COMPATIBLE
};

const fn task(operation: Operation, dialect: Dialect) -> Endpoint {
    Endpoint::new(operation, "/v1", dialect).with_body(&BodyRules::NONE)
}
