//! Runway: films, as tasks. What a film is made from decides the path; see [`Dialect::RunwayVideos`].

use dialect::{Dialect, Operation};

use crate::compatible::COMPATIBLE;
use crate::{BaseUrl, BodyRules, Endpoint, Provider};

pub(crate) static PROVIDER: Provider = Provider {
    name: "runway",
    base_url: BaseUrl::Fixed("https://api.dev.runwayml.com"),
    headers: &[("x-runway-version", "2024-11-06")],
    endpoints: &[
        video(Operation::VideoGeneration, "/v1/text_to_video"),
        video(Operation::VideoRetrieve, "/v1/tasks/{id}").by("GET"),
        video(Operation::VideoDelete, "/v1/tasks/{id}").by("DELETE"),
    ],
    body: BodyRules::NONE,
    models: &["gen3a_*", "gen4_*", "act_two"],
    ..COMPATIBLE
};

const fn video(operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::RunwayVideos)
}
