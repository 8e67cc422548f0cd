//! The inference routes, as data. Everything else is the control plane's.

mod alternative;
mod cursor;
mod family;
pub(crate) mod pattern;
mod resources;

use std::borrow::Cow;

use dialect::{Dialect, Operation};
use percent_encoding::percent_decode_str;
use wire::RequestHead;

pub(crate) use alternative::Alternative;
pub(crate) use family::{BareModel, ErrorShape, Family, Tells, VendorErrors};
pub(crate) use pattern::{Captures, of as captured};
pub(crate) use resources::{Ids, Owner, Resource};

use crate::control::{MODEL_TEMPLATES, TEMPLATES};
use crate::reject::{Kind, Reject};
use crate::stages::peek::{Ask, check_model_length};
use crate::stages::prepare::model_to_rank;
use crate::websocket;

/// One inference route.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Path as served, places in braces; also the `path` label of metrics.
    pub(crate) path: &'static str,
    /// What is asked for (the unstreamed form).
    pub(crate) operation: Operation,
    /// How the caller asks.
    pub(crate) asked_in: Dialect,
    /// How the caller is answered.
    pub(crate) dialect: Dialect,
    /// Whose manners replies have.
    pub(crate) family: Family,
    /// Whether the reply is a stream.
    streams: Streams,
    model: ModelPlace,
    /// What it may be instead, by its body or its model; the first that fits counts.
    pub(crate) alternatives: &'static [Alternative],
    /// Writes anew what is spelt in other ways than `asked_in` has; nothing where all is as it should be.
    tidy: Option<Tidy>,
}

/// A body written anew.
type Tidy = fn(&[u8]) -> Option<Vec<u8>>;

/// What decides whether the reply is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streams {
    /// `stream` in the body.
    AsAsked,
    /// `stream_format` in the body.
    BySoundFormat,
    /// The same, and its chunks are numbered.
    AsAskedInNumbers,
    /// It never is.
    Never,
    /// It always is.
    Always,
    /// It always is, as one JSON array unless the query says `alt=sse`.
    AlwaysListed,
    /// It always is, each event as a part of a binary message.
    AlwaysInChunks,
}

/// Where the model is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelPlace {
    /// In the body's member `model`.
    Body,
    /// In the path.
    Path,
    /// In the body, where Bedrock's requests to sort documents name it.
    RankConfiguration,
}

/// How the events of a stream are told, whatever their dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    /// As the dialect frames them.
    AsEvents,
    /// As the elements of a JSON array.
    AsList,
    /// In messages of AWS's binary framing.
    InChunks,
    /// With ids that count them.
    InNumbers,
}

const fn post(
    path: &'static str,
    family: Family,
    operation: Operation,
    dialect: Dialect,
    streams: Streams,
) -> Route {
    let model = match (pattern::has_model(path), dialect) {
        (true, _) => ModelPlace::Path,
        (false, Dialect::BedrockRerank) => ModelPlace::RankConfiguration,
        (false, _) => ModelPlace::Body,
    };
    Route {
        method: "POST",
        path,
        operation,
        asked_in: dialect,
        dialect,
        family,
        streams,
        model,
        alternatives: &[],
        tidy: None,
    }
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
                Dialect::OpenAiInputTokens,
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
                concat!($prefix, "/videos"),
                $family,
                Operation::VideoGeneration,
                Dialect::Videos,
            ),
            post(
                concat!($prefix, "/audio/speech"),
                $family,
                Operation::Speech,
                Dialect::OpenAiSpeech,
                Streams::BySoundFormat,
            ),
            post(
                concat!($prefix, "/audio/transcriptions"),
                $family,
                Operation::Transcription,
                Dialect::OpenAiTranscription,
                Streams::AsAsked,
            ),
            post(
                concat!($prefix, "/images/edits"),
                $family,
                Operation::ImageEdit,
                Dialect::OpenAiImageEdits,
                Streams::AsAsked,
            ),
            whole(
                concat!($prefix, "/images/variations"),
                $family,
                Operation::ImageVariation,
                Dialect::OpenAiImageVariations,
            ),
        ]
    };
}

/// Anthropic's routes under a prefix.
macro_rules! anthropic {
    ($prefix:literal) => {
        &[
            messages(concat!($prefix, "/v1/messages")),
            messages(concat!($prefix, "/v1/messages/{form}")),
            post(
                concat!($prefix, "/v1/complete"),
                Family::Anthropic,
                Operation::TextCompletion,
                Dialect::AnthropicComplete,
                Streams::AsAsked,
            ),
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
            whole(
                concat!($prefix, "/models/{model}:countTokens"),
                Family::GenAi,
                Operation::CountTokens,
                Dialect::GeminiCountTokens,
            ),
            whole(
                concat!($prefix, "/models/{model}:predict"),
                Family::GenAi,
                Operation::Embedding,
                Dialect::VertexEmbed,
            )
            .or(&[alternative::imagen(concat!($prefix, "/models/{model}:predict"))]),
            whole(
                concat!($prefix, "/models/{model}:predictLongRunning"),
                Family::GenAi,
                Operation::VideoGeneration,
                Dialect::GeminiVideos,
            ),
        ]
    };
}

/// Asks a model in the words of its maker; what most say is Anthropic's messages.
const fn invoke(path: &'static str, streams: Streams) -> Route {
    let operation = Operation::ChatCompletion;
    post(path, Family::Bedrock, operation, Dialect::AnthropicMessages, streams)
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
            invoke(concat!($prefix, "/model/{model}/invoke"), Streams::Never).or(&[
                alternative::titan_embedding(concat!($prefix, "/model/{model}/invoke")),
                alternative::cohere_embedding(concat!($prefix, "/model/{model}/invoke")),
                alternative::nova(concat!($prefix, "/model/{model}/invoke"), Streams::Never),
                alternative::text(concat!($prefix, "/model/{model}/invoke"), Streams::Never),
            ]),
            invoke(
                concat!($prefix, "/model/{model}/invoke-with-response-stream"),
                Streams::AlwaysInChunks,
            )
            .or(&[
                alternative::nova(
                    concat!($prefix, "/model/{model}/invoke-with-response-stream"),
                    Streams::AlwaysInChunks,
                ),
                alternative::text(
                    concat!($prefix, "/model/{model}/invoke-with-response-stream"),
                    Streams::AlwaysInChunks,
                ),
            ]),
            whole(
                concat!($prefix, "/model/{model}/count-tokens"),
                Family::Bedrock,
                Operation::CountTokens,
                Dialect::BedrockCountTokens,
            ),
            whole(
                concat!($prefix, "/rerank"),
                Family::Bedrock,
                Operation::Rerank,
                Dialect::BedrockRerank,
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
        whole(
            "/v1/sound-generation",
            Family::Base,
            Operation::SoundGeneration,
            Dialect::ElevenLabsSound,
        ),
        whole("/v1/decisions", Family::Base, Operation::Decisions, Dialect::Decisions),
        whole("/typesafe/v1/systemone", Family::TypeSafe, Operation::Decisions, Dialect::SystemOne),
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
    &[whole("/genai/v1/rank", Family::Vertex, Operation::Rerank, Dialect::VertexRank)],
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
        cursor::chat("/cursor/v1/chat/completions")
            .or(&[cursor::responses("/cursor/v1/chat/completions")]),
        cursor::chat("/cursor/chat/completions")
            .or(&[cursor::responses("/cursor/chat/completions")]),
    ],
    anthropic!("/cursor"),
    genai!("/cursor/v1beta"),
    genai!("/cursor/v1"),
    bedrock!("/cursor"),
    cohere!("/cursor"),
];

/// Method and path of all that is served, places in braces, as metrics name it. Of what the control plane answers the
/// paths alone are known: `*` stands for its methods.
pub fn served() -> impl Iterator<Item = (&'static str, &'static str)> {
    let inference = ROUTES.iter().copied().flatten().chain(resources::routes());
    let controls = TEMPLATES.iter().chain(MODEL_TEMPLATES).map(|path| ("*", *path));
    inference.map(|route| (route.method, route.path)).chain(websocket::served()).chain(controls)
}

/// What there is for a method and a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Route(&'static Route),
    Resource(&'static Resource),
    /// The path is that of this route, which is asked for by another method.
    OtherMethod(&'static Route),
    Nothing,
}

impl Found {
    /// The path as metrics name it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Route(route) | Self::OtherMethod(route) => route.path,
            Self::Resource(resource) => resource.route.path,
            Self::Nothing => "other",
        }
    }
}

/// The route of that method and path.
pub(crate) fn find(method: &str, path: &str) -> Found {
    let found = match among(EXACT.of_length(path.len()), method, |known| known == path) {
        // A path that is known as it stands goes before one with places.
        Found::Nothing => match resources::find_literal(method, path) {
            Some(resource) => return resource,
            None => find_pattern(method, path),
        },
        found => found,
    };
    match found {
        Found::Route(_) => found,
        // A path may have both kinds, by different methods.
        _ => match resources::find(method, path) {
            Found::Resource(resource) => Found::Resource(resource),
            other if matches!(found, Found::Nothing) => other,
            _ => found,
        },
    }
}

fn find_pattern(method: &str, path: &str) -> Found {
    let is_pattern = |route: &&Route| pattern::has_places(route.path);
    let patterns = ROUTES.iter().copied().flatten().filter(is_pattern);
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
    let all = ROUTES.iter().copied().flatten().chain(resources::routes());
    let same = all.filter(|route| route.path == of.path);
    let mut methods: Vec<&str> = same.map(|route| route.method).collect();
    methods.push("OPTIONS");
    methods.join(", ")
}

impl Route {
    /// The same with what it may be instead.
    const fn or(self, alternatives: &'static [Alternative]) -> Self {
        Self { alternatives, ..self }
    }

    /// The model stands in the path.
    pub(crate) fn has_places(&self) -> bool {
        self.model == ModelPlace::Path
    }

    /// Completes what the body asks for with what the path says, which wins.
    pub(crate) fn complete<'r>(
        &self,
        ask: &mut Ask<'r>,
        head: &RequestHead,
        bytes: &'r [u8],
        body: &[u8],
    ) -> Result<(), Reject> {
        match self.streams {
            Streams::AsAsked | Streams::AsAskedInNumbers => {}
            Streams::BySoundFormat => ask.is_streaming = ask.wants_sound_events,
            Streams::Never => ask.is_streaming = false,
            Streams::Always | Streams::AlwaysListed | Streams::AlwaysInChunks => {
                ask.is_streaming = true;
            }
        }
        match self.model {
            ModelPlace::Body => {}
            ModelPlace::Path => ask.model = self.model_in(head.path(bytes))?,
            ModelPlace::RankConfiguration => {
                let model = model_to_rank(body).unwrap_or_default();
                check_model_length(&model)?;
                ask.model = model.into();
            }
        }
        Ok(())
    }

    /// How the caller gets the events of a stream.
    pub(crate) fn telling(&self, head: &RequestHead, bytes: &[u8]) -> Telling {
        match self.streams {
            Streams::AsAsked | Streams::BySoundFormat | Streams::Never | Streams::Always => {
                Telling::AsEvents
            }
            Streams::AlwaysListed if asks_for_events(head.query(bytes)) => Telling::AsEvents,
            Streams::AlwaysListed => Telling::AsList,
            Streams::AlwaysInChunks => Telling::InChunks,
            Streams::AsAskedInNumbers => Telling::InNumbers,
        }
    }

    fn model_in<'p>(&self, path: &'p str) -> Result<Cow<'p, str>, Reject> {
        let model = pattern::capture(self.path, path, "model").unwrap_or_default();
        let model = percent_decode_str(model).decode_utf8().map_err(|_| not_text())?;
        check_model_length(&model)?;
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
            let path = route.path.replace("{model}", "a%2Fm/b").replace(['{', '}'], "");
            let Found::Route(found) = find(route.method, &path) else { panic!("{path}") };
            assert!(std::ptr::eq(found, route), "{path} is {}'s", found.path);
            assert!(matches!(find("TRACE", &path), Found::OtherMethod(_)), "{path}");
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
            route.telling(&head, &bytes) == Telling::AsList
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
        route.complete(&mut ask, &parsed, &bytes, b"").unwrap();
        assert_eq!(ask.model, "eu/gpt 4");
        let path = "/openai/deployments/%ff/chat/completions";
        let (parsed, bytes) = head(path);
        assert!(route.complete(&mut ask, &parsed, &bytes, b"").is_err());
    }
}
