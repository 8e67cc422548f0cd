//! The inference routes, as data. Everything else is the control plane's.

mod family;
mod pattern;

use std::borrow::Cow;

use dialect::{Dialect, Operation};
use percent_encoding::percent_decode_str;
use wire::RequestHead;

pub(crate) use family::{BareModel, ErrorShape, Family, Tells, VendorErrors};

use crate::reject::{Kind, Reject};
use crate::stages::peek::Ask;

/// One inference route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Path as served, places in braces; also the `path` label of metrics.
    pub(crate) path: &'static str,
    /// What is asked for (the unstreamed form).
    pub(crate) operation: Operation,
    /// How the caller speaks.
    pub(crate) dialect: Dialect,
    /// Whose manners replies have.
    pub(crate) family: Family,
    /// Whether the reply is a stream.
    streams: Streams,
}

/// What decides whether the reply is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streams {
    /// `stream` in the body.
    AsAsked,
    /// It never is.
    Never,
    /// It always is.
    Always,
    /// It always is, as one JSON array unless the query says `alt=sse`.
    AlwaysListed,
}

const fn post(
    path: &'static str,
    family: Family,
    operation: Operation,
    dialect: Dialect,
    streams: Streams,
) -> Route {
    Route { method: "POST", path, operation, dialect, family, streams }
}

/// Asks a model for an answer; the body says whether it streams.
const fn answer(path: &'static str, family: Family, dialect: Dialect) -> Route {
    post(path, family, Operation::ChatCompletion, dialect, Streams::AsAsked)
}

const fn chat(path: &'static str, family: Family) -> Route {
    answer(path, family, Dialect::OpenAiChat)
}

const fn messages(path: &'static str) -> Route {
    answer(path, Family::Anthropic, Dialect::AnthropicMessages)
}

/// An operation whose answer comes in one piece.
const fn whole(
    path: &'static str,
    family: Family,
    operation: Operation,
    dialect: Dialect,
) -> Route {
    post(path, family, operation, dialect, Streams::Never)
}

/// OpenAI's routes under a prefix, which ends in the version where there is one.
macro_rules! openai {
    ($prefix:literal, $family:expr) => {
        &[
            chat(concat!($prefix, "/chat/completions"), $family),
            post(
                concat!($prefix, "/completions"),
                $family,
                Operation::TextCompletion,
                Dialect::OpenAiCompletions,
                Streams::AsAsked,
            ),
            post(
                concat!($prefix, "/responses"),
                $family,
                Operation::Responses,
                Dialect::OpenAiResponses,
                Streams::AsAsked,
            ),
            whole(
                concat!($prefix, "/responses/input_tokens"),
                $family,
                Operation::CountTokens,
                Dialect::OpenAiResponses,
            ),
            whole(
                concat!($prefix, "/responses/compact"),
                $family,
                Operation::Compaction,
                Dialect::OpenAiResponses,
            ),
            whole(
                concat!($prefix, "/embeddings"),
                $family,
                Operation::Embedding,
                Dialect::OpenAiEmbeddings,
            ),
            post(
                concat!($prefix, "/images/generations"),
                $family,
                Operation::ImageGeneration,
                Dialect::OpenAiImages,
                Streams::AsAsked,
            ),
            whole(
                concat!($prefix, "/audio/speech"),
                $family,
                Operation::Speech,
                Dialect::OpenAiSpeech,
            ),
        ]
    };
}

/// Anthropic's routes under a prefix.
macro_rules! anthropic {
    ($prefix:literal) => {
        &[
            messages(concat!($prefix, "/v1/messages")),
            whole(
                concat!($prefix, "/v1/messages/count_tokens"),
                Family::Anthropic,
                Operation::CountTokens,
                Dialect::AnthropicCountTokens,
            ),
        ]
    };
}

/// Google's routes under a prefix, which ends in the version.
macro_rules! genai {
    ($prefix:literal) => {
        &[
            post(
                concat!($prefix, "/models/{model}:generateContent"),
                Family::GenAi,
                Operation::ChatCompletion,
                Dialect::Gemini,
                Streams::Never,
            ),
            post(
                concat!($prefix, "/models/{model}:streamGenerateContent"),
                Family::GenAi,
                Operation::ChatCompletion,
                Dialect::Gemini,
                Streams::AlwaysListed,
            ),
            whole(
                concat!($prefix, "/models/{model}:embedContent"),
                Family::GenAi,
                Operation::Embedding,
                Dialect::GeminiEmbedContent,
            ),
            whole(
                concat!($prefix, "/models/{model}:batchEmbedContents"),
                Family::GenAi,
                Operation::Embedding,
                Dialect::GeminiBatchEmbed,
            ),
        ]
    };
}

/// Bedrock's routes under a prefix.
macro_rules! bedrock {
    ($prefix:literal) => {
        &[
            post(
                concat!($prefix, "/model/{model}/converse"),
                Family::Bedrock,
                Operation::ChatCompletion,
                Dialect::BedrockConverse,
                Streams::Never,
            ),
            post(
                concat!($prefix, "/model/{model}/converse-stream"),
                Family::Bedrock,
                Operation::ChatCompletion,
                Dialect::BedrockConverse,
                Streams::Always,
            ),
            post(
                concat!($prefix, "/model/{model}/invoke"),
                Family::Bedrock,
                Operation::ChatCompletion,
                Dialect::AnthropicMessages,
                Streams::Never,
            ),
        ]
    };
}

/// Cohere's routes under a prefix.
macro_rules! cohere {
    ($prefix:literal) => {
        &[
            answer(concat!($prefix, "/v2/chat"), Family::Cohere, Dialect::CohereChat),
            whole(
                concat!($prefix, "/v2/embed"),
                Family::Cohere,
                Operation::Embedding,
                Dialect::CohereEmbed,
            ),
            whole(
                concat!($prefix, "/v2/rerank"),
                Family::Cohere,
                Operation::Rerank,
                Dialect::CohereRerank,
            ),
            whole(
                concat!($prefix, "/v1/tokenize"),
                Family::Cohere,
                Operation::CountTokens,
                Dialect::CohereTokenize,
            ),
        ]
    };
}

/// Every inference route, in sets of one vendor under one prefix.
static ROUTES: &[&[Route]] = &[
    openai!("/v1", Family::Base),
    &[
        whole("/v1/rerank", Family::Base, Operation::Rerank, Dialect::Rerank),
        whole("/v1/ocr", Family::Base, Operation::Ocr, Dialect::MistralOcr),
    ],
    openai!("/openai/v1", Family::OpenAi),
    openai!("/openai", Family::OpenAi),
    openai!("/openai/openai/v1", Family::OpenAi),
    openai!("/openai/openai", Family::OpenAi),
    openai!("/openai/deployments/{model}", Family::Azure),
    openai!("/openai/openai/deployments/{model}", Family::Azure),
    anthropic!("/anthropic"),
    genai!("/genai/v1beta"),
    genai!("/genai/v1"),
    bedrock!("/bedrock"),
    cohere!("/cohere"),
    openai!("/litellm/v1", Family::OpenAi),
    openai!("/litellm", Family::OpenAi),
    anthropic!("/litellm"),
    genai!("/litellm/v1beta"),
    genai!("/litellm/v1"),
    bedrock!("/litellm"),
    cohere!("/litellm"),
    openai!("/langchain/v1", Family::OpenAi),
    openai!("/langchain", Family::OpenAi),
    anthropic!("/langchain"),
    genai!("/langchain/v1beta"),
    genai!("/langchain/v1"),
    bedrock!("/langchain"),
    cohere!("/langchain"),
    openai!("/pydanticai/v1", Family::OpenAi),
    openai!("/pydanticai", Family::OpenAi),
    anthropic!("/pydanticai"),
    genai!("/pydanticai/v1beta"),
    genai!("/pydanticai/v1"),
    bedrock!("/pydanticai"),
    cohere!("/pydanticai"),
    &[
        chat("/cursor/v1/chat/completions", Family::Cursor),
        chat("/cursor/chat/completions", Family::Cursor),
    ],
    anthropic!("/cursor"),
    genai!("/cursor/v1beta"),
    genai!("/cursor/v1"),
    bedrock!("/cursor"),
    cohere!("/cursor"),
];

/// What there is for a method and a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Route(&'static Route),
    /// The path is that of this route, which is asked for by another method.
    OtherMethod(&'static Route),
    Nothing,
}

impl Found {
    /// The path as metrics name it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Route(route) | Self::OtherMethod(route) => route.path,
            Self::Nothing => "other",
        }
    }
}

/// The route of that method and path.
pub(crate) fn find(method: &str, path: &str) -> Found {
    match among(EXACT.of_length(path.len()), method, |known| known == path) {
        Found::Nothing => find_pattern(method, path),
        found => found,
    }
}

fn find_pattern(method: &str, path: &str) -> Found {
    let patterns = ROUTES.iter().copied().flatten().filter(|route| route.has_places());
    among(patterns, method, |pattern| pattern::capture(pattern, path, "").is_some())
}

fn among(
    routes: impl IntoIterator<Item = &'static Route>,
    method: &str,
    is_path: impl Fn(&str) -> bool,
) -> Found {
    let mut other = Found::Nothing;
    for route in routes.into_iter().filter(|route| is_path(route.path)) {
        if route.method == method {
            return Found::Route(route);
        }
        other = Found::OtherMethod(route);
    }
    other
}

/// The methods of a route's path, for the header `allow`.
pub(crate) fn methods(of: &Route) -> String {
    let same = ROUTES.iter().copied().flatten().filter(|route| route.path == of.path);
    let mut methods: Vec<&str> = same.map(|route| route.method).collect();
    methods.push("OPTIONS");
    methods.join(", ")
}

impl Route {
    /// The model stands in the path.
    pub(crate) fn has_places(&self) -> bool {
        pattern::has_places(self.path)
    }

    /// Completes what the body asks for with what the path says, which wins.
    pub(crate) fn complete<'r>(
        &self,
        ask: &mut Ask<'r>,
        head: &RequestHead,
        bytes: &'r [u8],
    ) -> Result<(), Reject> {
        match self.streams {
            Streams::AsAsked => {}
            Streams::Never => ask.is_streaming = false,
            Streams::Always | Streams::AlwaysListed => ask.is_streaming = true,
        }
        if self.has_places() {
            ask.model = self.model_in(head.path(bytes))?;
        }
        Ok(())
    }

    /// Whether the caller gets the events of a stream as the elements of an array.
    pub(crate) fn lists_events(&self, head: &RequestHead, bytes: &[u8]) -> bool {
        self.streams == Streams::AlwaysListed && !asks_for_events(head.query(bytes))
    }

    fn model_in<'p>(&self, path: &'p str) -> Result<Cow<'p, str>, Reject> {
        let model = pattern::capture(self.path, path, "model").unwrap_or_default();
        let model = percent_decode_str(model).decode_utf8().map_err(|_| not_text())?;
        crate::stages::peek::check_model_length(&model)?;
        Ok(model)
    }
}

fn asks_for_events(query: Option<&str>) -> bool {
    query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"))
}

#[cold]
fn not_text() -> Reject {
    Reject::new(Kind::Malformed, "the model in the path is not UTF-8")
}

/// Longest path without places.
const PATH_BYTES_MAX: usize = 64;

/// How many paths have no places.
const EXACT_COUNT: usize = count_exact(ROUTES);

/// The routes whose paths have no places, by the length of the path.
static EXACT: Exact = Exact::new(ROUTES);

struct Exact {
    routes: [&'static Route; EXACT_COUNT],
    /// Those of length `n` are from `starts[n]` to `starts[n + 1]`.
    starts: [u8; PATH_BYTES_MAX + 2],
}

impl Exact {
    const fn new(sets: &'static [&'static [Route]]) -> Self {
        let mut routes = [&sets[0][0]; EXACT_COUNT];
        let mut starts = [0; PATH_BYTES_MAX + 2];
        let (mut length, mut count) = (0, 0);
        while length <= PATH_BYTES_MAX {
            starts[length] = count as u8;
            let mut set = 0;
            while set < sets.len() {
                let mut at = 0;
                while at < sets[set].len() {
                    let route = &sets[set][at];
                    if route.path.len() == length && !pattern::has_places(route.path) {
                        routes[count] = route;
                        count += 1;
                    }
                    at += 1;
                }
                set += 1;
            }
            length += 1;
        }
        starts[length] = count as u8;
        assert!(count == EXACT_COUNT, "a path is longer than PATH_BYTES_MAX");
        assert!(count <= u8::MAX as usize, "starts are bytes");
        Self { routes, starts }
    }

    fn of_length(&self, length: usize) -> impl Iterator<Item = &'static Route> {
        let start = |length: usize| self.starts.get(length).map(|start| usize::from(*start));
        let range = start(length).zip(start(length + 1)).map_or(0..0, |(from, to)| from..to);
        self.routes.get(range).unwrap_or_default().iter().copied()
    }
}

const fn count_exact(sets: &[&[Route]]) -> usize {
    let (mut count, mut set) = (0, 0);
    while set < sets.len() {
        let mut at = 0;
        while at < sets[set].len() {
            count += !pattern::has_places(sets[set][at].path) as usize;
            at += 1;
        }
        set += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str) -> (RequestHead, Vec<u8>) {
        let bytes = format!("POST {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
        let mut head = RequestHead::new();
        head.parse(&bytes, &wire::HeadLimits::default()).unwrap();
        (head, bytes)
    }

    fn all() -> impl Iterator<Item = &'static Route> {
        ROUTES.iter().copied().flatten()
    }

    #[test]
    fn every_route_is_found_under_its_own_path() {
        for route in all() {
            let path = route.path.replace('{', "a%2F").replace('}', "/b");
            let path = if route.has_places() { &path } else { route.path };
            let Found::Route(found) = find(route.method, path) else { panic!("{path}") };
            assert!(std::ptr::eq(found, route), "{path} is {}'s", found.path);
            assert!(matches!(find("TRACE", path), Found::OtherMethod(_)), "{path}");
            assert!(methods(route).contains(route.method));
        }
    }

    #[test]
    fn what_is_not_served_is_not_found() {
        for path in [
            "",
            "/",
            "/v1",
            "/v1/chat/completion",
            "/genai/v1/models/m:go",
            "/V1/chat/completions",
            "/openai/",
        ] {
            assert!(matches!(find("POST", path), Found::Nothing), "{path}");
        }
        let long = "/".repeat(PATH_BYTES_MAX + 1);
        assert!(matches!(find("POST", &long), Found::Nothing));
    }

    #[test]
    fn only_events_asked_for_by_alt_are_not_listed() {
        let find = |path| match find("POST", path) {
            Found::Route(route) => route,
            found => panic!("{path}: {found:?}"),
        };
        let stream = find("/genai/v1beta/models/m:streamGenerateContent");
        let lists = |route: &Route, target| {
            let (head, bytes) = head(target);
            route.lists_events(&head, &bytes)
        };
        assert!(lists(stream, "/m") && lists(stream, "/m?key=alt=sse"));
        assert!(!lists(stream, "/m?key=1&alt=sse"));
        assert!(!lists(find("/bedrock/model/m/converse-stream"), "/m"));
    }

    #[test]
    fn the_model_in_a_path_wins_and_is_decoded() {
        let path = "/openai/deployments/eu%2Fgpt%204/chat/completions";
        let Found::Route(route) = find("POST", path) else { panic!("not found") };
        let mut ask = Ask { model: "other".into(), ..Ask::default() };
        let (parsed, bytes) = head(path);
        route.complete(&mut ask, &parsed, &bytes).unwrap();
        assert_eq!(ask.model, "eu/gpt 4");
        let path = "/openai/deployments/%ff/chat/completions";
        let (parsed, bytes) = head(path);
        assert!(route.complete(&mut ask, &parsed, &bytes).is_err());
    }
}
