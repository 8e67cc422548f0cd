//! What providers keep (files, batches, containers, stored answers, cached contents) and what goes to them as it is.

use dialect::{Dialect, Operation};

use crate::{Endpoint, Root};

/// OpenAI's, with a path in front of all and a query behind those of stored answers.
macro_rules! openai {
    ($prefix:literal, $query:literal) => {
        &[
            stored(
                "GET",
                Operation::ResponsesRetrieve,
                concat!($prefix, "/responses/{id}", $query),
            ),
            stored(
                "GET",
                Operation::ResponsesRetrieveStream,
                concat!($prefix, "/responses/{id}", $query),
            ),
            stored(
                "DELETE",
                Operation::ResponsesDelete,
                concat!($prefix, "/responses/{id}", $query),
            ),
            stored(
                "POST",
                Operation::ResponsesCancel,
                concat!($prefix, "/responses/{id}/cancel", $query),
            ),
            stored(
                "GET",
                Operation::ResponsesInputItems,
                concat!($prefix, "/responses/{id}/input_items", $query),
            ),
            file("POST", Operation::FileUpload, concat!($prefix, "/files")),
            file("GET", Operation::FileList, concat!($prefix, "/files")),
            file("GET", Operation::FileRetrieve, concat!($prefix, "/files/{id}")),
            file("DELETE", Operation::FileDelete, concat!($prefix, "/files/{id}")),
            file("GET", Operation::FileContent, concat!($prefix, "/files/{id}/content")),
            batch("POST", Operation::BatchCreate, concat!($prefix, "/batches")),
            batch("GET", Operation::BatchList, concat!($prefix, "/batches")),
            batch("GET", Operation::BatchRetrieve, concat!($prefix, "/batches/{id}")),
            batch("POST", Operation::BatchCancel, concat!($prefix, "/batches/{id}/cancel")),
            // Their results are a file.
            batch("GET", Operation::BatchResults, concat!($prefix, "/batches/{id}")),
            container("POST", Operation::ContainerCreate, concat!($prefix, "/containers")),
            container("GET", Operation::ContainerList, concat!($prefix, "/containers")),
            container("GET", Operation::ContainerRetrieve, concat!($prefix, "/containers/{id}")),
            container("DELETE", Operation::ContainerDelete, concat!($prefix, "/containers/{id}")),
            container(
                "POST",
                Operation::ContainerFileCreate,
                concat!($prefix, "/containers/{id}/files"),
            ),
            container(
                "GET",
                Operation::ContainerFileList,
                concat!($prefix, "/containers/{id}/files"),
            ),
            container(
                "GET",
                Operation::ContainerFileRetrieve,
                concat!($prefix, "/containers/{id}/files/{file}"),
            ),
            container(
                "DELETE",
                Operation::ContainerFileDelete,
                concat!($prefix, "/containers/{id}/files/{file}"),
            ),
            container(
                "GET",
                Operation::ContainerFileContent,
                concat!($prefix, "/containers/{id}/files/{file}/content"),
            ),
            through(Operation::Passthrough, Dialect::OpenAiChat),
            through(Operation::PassthroughStream, Dialect::OpenAiChat),
        ]
    };
}

/// OpenAI's own.
pub(crate) const OPENAI: &[Endpoint] = openai!("/v1", "");

/// Azure's.
pub(crate) const AZURE: &[Endpoint] = openai!("/openai/v1", "?api-version=preview");

const fn stored(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiResponses).by(method)
}

const fn file(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiFiles).by(method)
}

const fn batch(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiBatches).by(method)
}

const fn container(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::OpenAiContainers).by(method)
}

/// What goes through as it is, by the caller's method.
const fn through(operation: Operation, dialect: Dialect) -> Endpoint {
    Endpoint::new(operation, "/{=rest}", dialect)
}

/// Anthropic's.
pub(crate) const ANTHROPIC: &[Endpoint] = &[
    anthropic("POST", Operation::BatchCreate, "/v1/messages/batches"),
    anthropic("GET", Operation::BatchList, "/v1/messages/batches"),
    anthropic("GET", Operation::BatchRetrieve, "/v1/messages/batches/{id}"),
    anthropic("POST", Operation::BatchCancel, "/v1/messages/batches/{id}/cancel"),
    anthropic("DELETE", Operation::BatchDelete, "/v1/messages/batches/{id}"),
    anthropic("GET", Operation::BatchResults, "/v1/messages/batches/{id}/results"),
    anthropic_file("POST", Operation::FileUpload, "/v1/files"),
    anthropic_file("GET", Operation::FileList, "/v1/files"),
    anthropic_file("GET", Operation::FileRetrieve, "/v1/files/{id}"),
    anthropic_file("DELETE", Operation::FileDelete, "/v1/files/{id}"),
    anthropic_file("GET", Operation::FileContent, "/v1/files/{id}/content"),
    through(Operation::Passthrough, Dialect::AnthropicMessages),
    through(Operation::PassthroughStream, Dialect::AnthropicMessages),
];

const fn anthropic(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::AnthropicBatches).by(method)
}

const fn anthropic_file(
    method: &'static str,
    operation: Operation,
    path: &'static str,
) -> Endpoint {
    Endpoint::new(operation, path, Dialect::AnthropicFiles)
        .by(method)
        .with_headers(&[("anthropic-beta", "files-api-2025-04-14")])
}

/// Gemini's.
pub(crate) const GEMINI: &[Endpoint] = &[
    gemini_file("POST", Operation::FileUpload, "/files").below(&UPLOADS),
    gemini_file("GET", Operation::FileList, "/files"),
    gemini_file("GET", Operation::FileRetrieve, "/files/{id}"),
    gemini_file("DELETE", Operation::FileDelete, "/files/{id}"),
    gemini_file("GET", Operation::FileContent, "/files/{id}:download?alt=media"),
    gemini_batch("POST", Operation::BatchCreate, "/models/{model}:batchGenerateContent"),
    gemini_batch("GET", Operation::BatchList, "/batches"),
    gemini_batch("GET", Operation::BatchRetrieve, "/batches/{id}"),
    gemini_batch("POST", Operation::BatchCancel, "/batches/{id}:cancel"),
    gemini_batch("DELETE", Operation::BatchDelete, "/batches/{id}"),
    // Their results are part of the batch, or a file.
    gemini_batch("GET", Operation::BatchResults, "/batches/{id}"),
    cache("POST", Operation::CachedContentCreate, "/cachedContents"),
    cache("GET", Operation::CachedContentList, "/cachedContents"),
    cache("GET", Operation::CachedContentRetrieve, "/cachedContents/{id}"),
    cache("PATCH", Operation::CachedContentUpdate, "/cachedContents/{id}"),
    cache("DELETE", Operation::CachedContentDelete, "/cachedContents/{id}"),
    through(Operation::Passthrough, Dialect::Gemini),
    through(Operation::PassthroughStream, Dialect::Gemini),
];

const fn gemini_file(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::GeminiFiles).by(method)
}

const fn gemini_batch(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::GeminiBatches).by(method)
}

const fn cache(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::GeminiCaches).by(method)
}

/// Files are taken in beside the API, not below its version.
const UPLOADS: Root =
    Root { url: Some("https://generativelanguage.googleapis.com"), path: "/upload/v1beta" };

/// Vertex's: of a project, in one place.
pub(crate) const VERTEX: &[Endpoint] = &[
    job("POST", Operation::BatchCreate, "/batchPredictionJobs"),
    job("GET", Operation::BatchList, "/batchPredictionJobs"),
    job("GET", Operation::BatchRetrieve, "/batchPredictionJobs/{id}"),
    job("POST", Operation::BatchCancel, "/batchPredictionJobs/{id}:cancel"),
    job("DELETE", Operation::BatchDelete, "/batchPredictionJobs/{id}"),
    cache("POST", Operation::CachedContentCreate, "/cachedContents").below(&PROJECT),
    cache("GET", Operation::CachedContentList, "/cachedContents").below(&PROJECT),
    cache("GET", Operation::CachedContentRetrieve, "/cachedContents/{id}").below(&PROJECT),
    cache("PATCH", Operation::CachedContentUpdate, "/cachedContents/{id}").below(&PROJECT),
    cache("DELETE", Operation::CachedContentDelete, "/cachedContents/{id}").below(&PROJECT),
    vertex_through(Operation::Passthrough),
    vertex_through(Operation::PassthroughStream),
];

const fn job(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::VertexJobs).by(method).below(&PROJECT)
}

const fn vertex_through(operation: Operation) -> Endpoint {
    Endpoint::new(operation, "/{version}/{=rest}", Dialect::Gemini)
}

const PROJECT: Root = Root { url: None, path: "/v1/projects/{project}/locations/{region}" };

/// Bedrock's: jobs by one server, and files in buckets of S3.
pub(crate) const BEDROCK: &[Endpoint] = &[
    bedrock_job("POST", Operation::BatchCreate, "/model-invocation-job"),
    bedrock_job("GET", Operation::BatchList, "/model-invocation-jobs"),
    bedrock_job("GET", Operation::BatchRetrieve, "/model-invocation-job/{id}"),
    bedrock_job("POST", Operation::BatchCancel, "/model-invocation-job/{id}/stop"),
    object("PUT", Operation::FileUpload, "/{bucket}/{+key}"),
    object("GET", Operation::FileContent, "/{bucket}/{+key}"),
    object("HEAD", Operation::FileRetrieve, "/{bucket}/{+key}"),
    object("DELETE", Operation::FileDelete, "/{bucket}/{+key}"),
    object("GET", Operation::FileList, "/{bucket}?list-type=2"),
];

const fn bedrock_job(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::BedrockJobs).by(method).below(&JOBS)
}

const fn object(method: &'static str, operation: Operation, path: &'static str) -> Endpoint {
    Endpoint::new(operation, path, Dialect::S3Objects).by(method).below(&BUCKETS)
}

const JOBS: Root = Root { url: Some("https://bedrock.{region}.amazonaws.com"), path: "" };
const BUCKETS: Root = Root { url: Some("https://s3.{region}.amazonaws.com"), path: "" };
