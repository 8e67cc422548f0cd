//! Routes whose requests name no model: about what a provider keeps, and those that go through as they are.

use dialect::{Dialect, Operation};

use super::pattern::{self, Captures};
use super::{Family, Found, Route, Streams, post};

/// One such route.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) route: Route,
    pub(crate) ids: Ids,
    /// Who is asked where the request does not say.
    pub(crate) owner: Owner,
}

/// How ids are spelt on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// As the provider spells them.
    Plain,
    /// So that they are one segment of a path.
    PathSafe,
    /// With the provider behind a colon.
    WithProvider,
    /// The same, unless it is the family's own.
    OthersWithProvider,
}

/// Who is asked where neither query, headers nor body name a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The family's own provider, if it has one.
    Family,
    /// This one, whoever serves the rest of the family.
    Provider(&'static str),
    /// This one gets the request as it is.
    PassedThrough(&'static str),
    /// Google's two get it as it is: a project's own by the path, the model or the token, else Gemini.
    PassedThroughToGoogle,
}

impl Resource {
    /// Requests and replies go through byte for byte.
    pub(crate) fn passes_through(&self) -> bool {
        matches!(self.owner, Owner::PassedThrough(_) | Owner::PassedThroughToGoogle)
    }

    /// What the path says, decoded; `None`: it is not UTF-8.
    pub(crate) fn captures<'p>(&self, path: &'p str) -> Option<Captures<'p>> {
        pattern::captures(self.route.path, path)
    }

    const fn ids(self, ids: Ids) -> Self {
        Self { ids, ..self }
    }

    const fn of(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }
}

const fn row(
    method: &'static str,
    path: &'static str,
    family: Family,
    operation: Operation,
    dialect: Dialect,
) -> Resource {
    let route = Route { method, ..post(path, family, operation, dialect, Streams::Never) };
    Resource { route, ids: Ids::Plain, owner: Owner::Family }
}

/// What OpenAI keeps, under a prefix that ends in the version where there is one.
macro_rules! openai {
    ($prefix:literal, $family:expr, $ids:expr) => {
        &[
            row(
                "GET",
                concat!($prefix, "/responses/{id}"),
                $family,
                Operation::ResponsesRetrieve,
                Dialect::OpenAiResponses,
            ),
            row(
                "DELETE",
                concat!($prefix, "/responses/{id}"),
                $family,
                Operation::ResponsesDelete,
                Dialect::OpenAiResponses,
            ),
            row(
                "POST",
                concat!($prefix, "/responses/{id}/cancel"),
                $family,
                Operation::ResponsesCancel,
                Dialect::OpenAiResponses,
            ),
            row(
                "GET",
                concat!($prefix, "/responses/{id}/input_items"),
                $family,
                Operation::ResponsesInputItems,
                Dialect::OpenAiResponses,
            ),
            row(
                "POST",
                concat!($prefix, "/files"),
                $family,
                Operation::FileUpload,
                Dialect::OpenAiFiles,
            )
            .ids($ids),
            row(
                "GET",
                concat!($prefix, "/files"),
                $family,
                Operation::FileList,
                Dialect::OpenAiFiles,
            )
            .ids($ids),
            row(
                "GET",
                concat!($prefix, "/files/{id}"),
                $family,
                Operation::FileRetrieve,
                Dialect::OpenAiFiles,
            )
            .ids($ids),
            row(
                "DELETE",
                concat!($prefix, "/files/{id}"),
                $family,
                Operation::FileDelete,
                Dialect::OpenAiFiles,
            )
            .ids($ids),
            row(
                "GET",
                concat!($prefix, "/files/{id}/content"),
                $family,
                Operation::FileContent,
                Dialect::OpenAiFiles,
            )
            .ids($ids),
            row(
                "POST",
                concat!($prefix, "/batches"),
                $family,
                Operation::BatchCreate,
                Dialect::OpenAiBatches,
            )
            .ids($ids),
            row(
                "GET",
                concat!($prefix, "/batches"),
                $family,
                Operation::BatchList,
                Dialect::OpenAiBatches,
            )
            .ids($ids),
            row(
                "GET",
                concat!($prefix, "/batches/{id}"),
                $family,
                Operation::BatchRetrieve,
                Dialect::OpenAiBatches,
            )
            .ids($ids),
            row(
                "POST",
                concat!($prefix, "/batches/{id}/cancel"),
                $family,
                Operation::BatchCancel,
                Dialect::OpenAiBatches,
            )
            .ids($ids),
            row(
                "GET",
                concat!($prefix, "/batches/{id}/results"),
                $family,
                Operation::BatchResults,
                Dialect::OpenAiBatches,
            )
            .ids($ids),
            row(
                "POST",
                concat!($prefix, "/containers"),
                $family,
                Operation::ContainerCreate,
                Dialect::OpenAiContainers,
            ),
            row(
                "GET",
                concat!($prefix, "/containers"),
                $family,
                Operation::ContainerList,
                Dialect::OpenAiContainers,
            ),
            row(
                "GET",
                concat!($prefix, "/containers/{id}"),
                $family,
                Operation::ContainerRetrieve,
                Dialect::OpenAiContainers,
            ),
            row(
                "DELETE",
                concat!($prefix, "/containers/{id}"),
                $family,
                Operation::ContainerDelete,
                Dialect::OpenAiContainers,
            ),
            row(
                "POST",
                concat!($prefix, "/containers/{id}/files"),
                $family,
                Operation::ContainerFileCreate,
                Dialect::OpenAiContainers,
            ),
            row(
                "GET",
                concat!($prefix, "/containers/{id}/files"),
                $family,
                Operation::ContainerFileList,
                Dialect::OpenAiContainers,
            ),
            row(
                "GET",
                concat!($prefix, "/containers/{id}/files/{file}"),
                $family,
                Operation::ContainerFileRetrieve,
                Dialect::OpenAiContainers,
            ),
            row(
                "DELETE",
                concat!($prefix, "/containers/{id}/files/{file}"),
                $family,
                Operation::ContainerFileDelete,
                Dialect::OpenAiContainers,
            ),
            row(
                "GET",
                concat!($prefix, "/containers/{id}/files/{file}/content"),
                $family,
                Operation::ContainerFileContent,
                Dialect::OpenAiContainers,
            ),
        ]
    };
}

/// What Anthropic keeps.
static ANTHROPIC: &[Resource] = &[
    anthropic("POST", "/anthropic/v1/messages/batches", Operation::BatchCreate),
    anthropic("GET", "/anthropic/v1/messages/batches", Operation::BatchList),
    anthropic("GET", "/anthropic/v1/messages/batches/{id}", Operation::BatchRetrieve),
    anthropic("DELETE", "/anthropic/v1/messages/batches/{id}", Operation::BatchDelete),
    anthropic("POST", "/anthropic/v1/messages/batches/{id}/cancel", Operation::BatchCancel),
    anthropic("GET", "/anthropic/v1/messages/batches/{id}/results", Operation::BatchResults),
    anthropic_file("POST", "/anthropic/v1/files", Operation::FileUpload),
    anthropic_file("GET", "/anthropic/v1/files", Operation::FileList),
    anthropic_file("GET", "/anthropic/v1/files/{id}", Operation::FileRetrieve),
    anthropic_file("DELETE", "/anthropic/v1/files/{id}", Operation::FileDelete),
    anthropic_file("GET", "/anthropic/v1/files/{id}/content", Operation::FileContent),
];

const fn anthropic(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    row(method, path, Family::Anthropic, operation, Dialect::AnthropicBatches).ids(Ids::PathSafe)
}

const fn anthropic_file(
    method: &'static str,
    path: &'static str,
    operation: Operation,
) -> Resource {
    row(method, path, Family::Anthropic, operation, Dialect::AnthropicFiles).ids(Ids::PathSafe)
}

/// What Gemini keeps, under one version of its API.
macro_rules! gemini {
    ($version:literal) => {
        &[
            gemini_file(
                "POST",
                concat!("/genai/upload/", $version, "/files"),
                Operation::FileUpload,
            ),
            gemini_file("GET", concat!("/genai/", $version, "/files"), Operation::FileList),
            gemini_file(
                "GET",
                concat!("/genai/", $version, "/files/{id}:download"),
                Operation::FileContent,
            ),
            gemini_file(
                "GET",
                concat!("/genai/", $version, "/files/{id}"),
                Operation::FileRetrieve,
            ),
            gemini_file(
                "DELETE",
                concat!("/genai/", $version, "/files/{id}"),
                Operation::FileDelete,
            ),
            gemini_batch(
                "POST",
                concat!("/genai/", $version, "/models/{model}:batchGenerateContent"),
                Operation::BatchCreate,
            ),
            gemini_batch("GET", concat!("/genai/", $version, "/batches"), Operation::BatchList),
            gemini_batch(
                "GET",
                concat!("/genai/", $version, "/batches/{id}"),
                Operation::BatchRetrieve,
            ),
            gemini_batch(
                "POST",
                concat!("/genai/", $version, "/batches/{id}:cancel"),
                Operation::BatchCancel,
            ),
            gemini_batch(
                "DELETE",
                concat!("/genai/", $version, "/batches/{id}"),
                Operation::BatchDelete,
            ),
            gemini_cache(
                "POST",
                concat!("/genai/", $version, "/cachedContents"),
                Operation::CachedContentCreate,
            ),
            gemini_cache(
                "GET",
                concat!("/genai/", $version, "/cachedContents"),
                Operation::CachedContentList,
            ),
            gemini_cache(
                "GET",
                concat!("/genai/", $version, "/cachedContents/{id}"),
                Operation::CachedContentRetrieve,
            ),
            gemini_cache(
                "PATCH",
                concat!("/genai/", $version, "/cachedContents/{id}"),
                Operation::CachedContentUpdate,
            ),
            gemini_cache(
                "DELETE",
                concat!("/genai/", $version, "/cachedContents/{id}"),
                Operation::CachedContentDelete,
            ),
        ]
    };
}

const fn gemini_file(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    row(method, path, Family::GenAi, operation, Dialect::GeminiFiles)
}

const fn gemini_batch(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    row(method, path, Family::GenAi, operation, Dialect::GeminiBatches)
}

const fn gemini_cache(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    row(method, path, Family::GenAi, operation, Dialect::GeminiCaches)
}

/// What Vertex keeps for a project, under one version of its API. The project is that of the key, whatever the path says.
macro_rules! vertex {
    ($version:literal) => {
        &[
            vertex_job(
                "POST",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/batchPredictionJobs"
                ),
                Operation::BatchCreate,
            ),
            vertex_job(
                "GET",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/batchPredictionJobs"
                ),
                Operation::BatchList,
            ),
            vertex_job(
                "GET",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/batchPredictionJobs/{id}"
                ),
                Operation::BatchRetrieve,
            ),
            vertex_job(
                "POST",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/batchPredictionJobs/{id}:cancel"
                ),
                Operation::BatchCancel,
            ),
            vertex_job(
                "DELETE",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/batchPredictionJobs/{id}"
                ),
                Operation::BatchDelete,
            ),
            vertex_cache(
                "POST",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/cachedContents"
                ),
                Operation::CachedContentCreate,
            ),
            vertex_cache(
                "GET",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/cachedContents"
                ),
                Operation::CachedContentList,
            ),
            vertex_cache(
                "GET",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/cachedContents/{id}"
                ),
                Operation::CachedContentRetrieve,
            ),
            vertex_cache(
                "PATCH",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/cachedContents/{id}"
                ),
                Operation::CachedContentUpdate,
            ),
            vertex_cache(
                "DELETE",
                concat!(
                    "/genai/",
                    $version,
                    "/projects/{project}/locations/{location}/cachedContents/{id}"
                ),
                Operation::CachedContentDelete,
            ),
        ]
    };
}

const fn vertex_job(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    let row = row(method, path, Family::GenAi, operation, Dialect::VertexJobs);
    row.of(Owner::Provider("vertex"))
}

const fn vertex_cache(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    gemini_cache(method, path, operation).of(Owner::Provider("vertex"))
}

/// Bedrock's batches, and the buckets that their files are in.
static BEDROCK: &[Resource] = &[
    bedrock_job("POST", "/bedrock/model-invocation-job", Operation::BatchCreate),
    bedrock_job("GET", "/bedrock/model-invocation-jobs", Operation::BatchList),
    bedrock_job("GET", "/bedrock/model-invocation-job/{id}", Operation::BatchRetrieve),
    bedrock_job("POST", "/bedrock/model-invocation-job/{id}/stop", Operation::BatchCancel),
    object("PUT", "/bedrock/files/{bucket}/{key}", Operation::FileUpload),
    object("GET", "/bedrock/files/{bucket}/{key}", Operation::FileContent),
    object("HEAD", "/bedrock/files/{bucket}/{key}", Operation::FileRetrieve),
    object("DELETE", "/bedrock/files/{bucket}/{key}", Operation::FileDelete),
    object("GET", "/bedrock/files/{bucket}", Operation::FileList),
];

const fn bedrock_job(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    row(method, path, Family::Bedrock, operation, Dialect::BedrockJobs)
}

const fn object(method: &'static str, path: &'static str, operation: Operation) -> Resource {
    row(method, path, Family::S3, operation, Dialect::S3Objects)
}

/// A path that goes through as it is, by every method.
macro_rules! passed_through {
    ($path:literal, $dialect:expr, $owner:expr) => {
        &[
            through("GET", $path, $dialect).of($owner),
            through("POST", $path, $dialect).of($owner),
            through("PUT", $path, $dialect).of($owner),
            through("PATCH", $path, $dialect).of($owner),
            through("DELETE", $path, $dialect).of($owner),
            through("HEAD", $path, $dialect).of($owner),
        ]
    };
}

const fn through(method: &'static str, path: &'static str, dialect: Dialect) -> Resource {
    row(method, path, Family::Passthrough, Operation::Passthrough, dialect)
}

/// Films, under a prefix of OpenAI's.
macro_rules! films {
    ($prefix:literal, $family:expr) => {
        &[
            film("GET", concat!($prefix, "/videos"), $family, Operation::VideoList),
            film("GET", concat!($prefix, "/videos/{id}"), $family, Operation::VideoRetrieve),
            film("DELETE", concat!($prefix, "/videos/{id}"), $family, Operation::VideoDelete),
            film(
                "GET",
                concat!($prefix, "/videos/{id}/content"),
                $family,
                Operation::VideoDownload,
            ),
            film("POST", concat!($prefix, "/videos/{id}/remix"), $family, Operation::VideoRemix),
        ]
    };
}

const fn film(
    method: &'static str,
    path: &'static str,
    family: Family,
    operation: Operation,
) -> Resource {
    row(method, path, family, operation, Dialect::OpenAiVideos).ids(Ids::WithProvider)
}

/// Google's films while they are made.
const fn google_film(path: &'static str) -> Resource {
    row("GET", path, Family::GenAi, Operation::VideoRetrieve, Dialect::GeminiVideos)
        .ids(Ids::OthersWithProvider)
}

/// Every route of this kind, in sets. Of several that fit the first counts.
#[rustfmt::skip]
static RESOURCES: &[&[Resource]] = &[
    openai!("/v1", Family::Base, Ids::Plain),
    openai!("/openai/v1", Family::OpenAi, Ids::PathSafe),
    openai!("/openai", Family::OpenAi, Ids::PathSafe),
    openai!("/openai/openai/v1", Family::OpenAi, Ids::PathSafe),
    openai!("/openai/openai", Family::OpenAi, Ids::PathSafe),
    films!("/v1", Family::Base),
    films!("/openai/v1", Family::OpenAi),
    films!("/openai", Family::OpenAi),
    films!("/openai/openai/v1", Family::OpenAi),
    films!("/openai/openai", Family::OpenAi),
    &[
        google_film("/genai/v1beta/models/{model}/operations/{id}"),
        google_film("/genai/v1/models/{model}/operations/{id}"),
    ],
    ANTHROPIC,
    gemini!("v1beta"),
    gemini!("v1"),
    vertex!("v1"),
    vertex!("v1beta"),
    vertex!("v1beta1"),
    BEDROCK,
    passed_through!("/openai_passthrough/{rest}", Dialect::OpenAiChat, Owner::PassedThrough("openai")),
    passed_through!("/anthropic_passthrough/{rest}", Dialect::AnthropicMessages, Owner::PassedThrough("anthropic")),
    passed_through!("/azure_passthrough/{rest}", Dialect::OpenAiChat, Owner::PassedThrough("azure")),
    passed_through!("/genai_passthrough/{rest}", Dialect::Gemini, Owner::PassedThroughToGoogle),
];

/// The route of that method, whose path has no places and is that one.
pub(super) fn find_literal(method: &str, path: &str) -> Option<Found> {
    let is_it =
        |resource: &&Resource| (resource.route.method, resource.route.path) == (method, path);
    all().find(is_it).map(Found::Resource)
}

/// The same, of any path.
pub(super) fn find(method: &str, path: &str) -> Found {
    let mut other = Found::Nothing;
    for resource in all().filter(|resource| pattern::captures(resource.route.path, path).is_some())
    {
        if resource.route.method == method {
            return Found::Resource(resource);
        }
        other = Found::OtherMethod(&resource.route);
    }
    other
}

/// The routes of all resources.
pub(super) fn routes() -> impl Iterator<Item = &'static Route> {
    all().map(|resource| &resource.route)
}

fn all() -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{self, methods};

    #[test]
    fn every_resource_is_found_under_its_own_path() {
        for resource in all() {
            let path = resource.route.path.replace('{', "a%2F").replace('}', "b");
            let found = routes::find(resource.route.method, &path);
            let Found::Resource(found) = found else { panic!("{path}: {found:?}") };
            assert!(std::ptr::eq(found, resource), "{path} is {}'s", found.route.path);
            assert!(matches!(routes::find("TRACE", &path), Found::OtherMethod(_)), "{path}");
            assert!(methods(&resource.route).contains(resource.route.method));
        }
    }

    #[test]
    fn verbs_of_google_stand_behind_the_id() {
        for (method, path, operation, id) in [
            ("POST", "/genai/v1beta/batches/b:cancel", Operation::BatchCancel, "b"),
            ("GET", "/genai/v1beta/batches/b", Operation::BatchRetrieve, "b"),
            ("GET", "/genai/v1/files/f:download", Operation::FileContent, "f"),
            ("GET", "/v1/files/files%2Fa", Operation::FileRetrieve, "files/a"),
        ] {
            let Found::Resource(found) = routes::find(method, path) else { panic!("{path}") };
            assert_eq!(found.route.operation, operation, "{path}");
            let captures = found.captures(path).unwrap();
            assert_eq!(pattern::of(&captures, "id").as_deref(), Some(id));
        }
    }

    #[test]
    fn a_route_with_a_model_comes_first() {
        assert!(matches!(routes::find("POST", "/v1/responses/compact"), Found::Route(_)));
        assert!(matches!(routes::find("GET", "/v1/responses/resp_1"), Found::Resource(_)));
        assert!(matches!(routes::find("POST", "/v1/responses/resp_1"), Found::OtherMethod(_)));
        assert!(matches!(routes::find("GET", "/openai_passthrough/"), Found::Nothing));
    }
}
