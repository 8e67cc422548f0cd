//! Replicate: models of everyone, run as predictions. A model is named by its owner and its name, or is a version; the
//! key says whether names are those of deployments.

use dialect::{Dialect, Operation};

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Endpoint, Listing, Provider, Root, Task, Variant};

pub(crate) static PROVIDER: Provider = Provider {
    name: "replicate",
    base_url: BaseUrl::Fixed("https://api.replicate.com"),
    endpoints: &[
        Endpoint::list("/v1/deployments"),
        text(Operation::ChatCompletion, VERSIONS).with_headers(WAITS),
        text(Operation::ChatCompletionStream, VERSIONS),
        text(Operation::TextCompletion, VERSIONS).with_headers(WAITS),
        text(Operation::TextCompletionStream, VERSIONS),
        image(VERSIONS),
        video(VERSIONS),
        JOB,
    ],
    listing: Listing::of("results", &["owner", "name"]),
    body: BodyRules::NONE,
    variants: &[
        // A name with a version is asked for by its version.
        Variant {
            models: &["*:*"],
            endpoints: &[
                text(Operation::ChatCompletion, VERSIONS).with_headers(WAITS),
                text(Operation::ChatCompletionStream, VERSIONS),
                text(Operation::TextCompletion, VERSIONS).with_headers(WAITS),
                text(Operation::TextCompletionStream, VERSIONS),
                image(VERSIONS),
                video(VERSIONS),
            ],
            headers: &[],
            body: BodyRules::NONE,
        },
        Variant {
            models: &["*/*"],
            endpoints: &[
                text(Operation::ChatCompletion, NAMES).below(&CHOSEN).with_headers(WAITS),
                text(Operation::ChatCompletionStream, NAMES).below(&CHOSEN),
                text(Operation::TextCompletion, NAMES).below(&CHOSEN).with_headers(WAITS),
                text(Operation::TextCompletionStream, NAMES).below(&CHOSEN),
                image(NAMES).below(&CHOSEN),
                video(NAMES).below(&CHOSEN),
            ],
            headers: &[],
            body: BodyRules::NONE,
        },
    ],
    ..COMPATIBLE
};

const VERSIONS: &str = "/v1/predictions";
const NAMES: &str = "/{+model}/predictions";

/// Of models, or of deployments.
const CHOSEN: Root = Root { url: None, path: "{api_path}" };

/// The answer comes when the job is done, if that is within a minute.
const WAITS: &[(&str, &str)] = &[("prefer", "wait")];

/// The servers of streams.
static TASK: Task = Task {
    path: "/v1/predictions/{model}",
    cancel_path: "/v1/predictions/{model}/cancel",
    stream_hosts: &[
        "https://stream.replicate.com",
        "https://streaming-api.svc.rno2.c.replicate.net",
    ],
};

const fn text(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::ReplicateText).followed(&TASK)
}

const fn image(path: &'static str) -> Endpoint {
    Endpoint::new(Operation::ImageGeneration, path, Dialect::ReplicateImage)
        .with_headers(WAITS)
        .followed(&TASK)
}

/// Films take longer than anyone waits: callers ask for them again.
const fn video(path: &'static str) -> Endpoint {
    Endpoint::new(Operation::VideoGeneration, path, Dialect::ReplicateVideo)
}

const JOB: Endpoint =
    Endpoint::new(Operation::VideoRetrieve, "/v1/predictions/{id}", Dialect::ReplicateVideo)
        .by("GET");
