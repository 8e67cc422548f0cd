//! Every path the mock serves. Base URLs may put anything in front; a first part such as `/mistral` settles the
//! provider where several share a path.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::answer::Size;
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::Request;
use super::shape::Shape;
use super::{
    anthropic, bedrock, cohere, decisions, elevenlabs, films, gemini, mistral, ollama, openai,
    predictions, websocket,
};

/// A request on its way to an answer.
pub(crate) struct Call<'a> {
    pub(crate) request: &'a Request,
    /// The JSON body; null for a request without one.
    pub(crate) body: &'a Value,
    /// Without its fault suffix.
    pub(crate) model: &'a str,
    /// Number of the reply.
    pub(crate) id: u64,
    pub(crate) size: Size,
    /// Fields the provider does not document are refused.
    pub(crate) is_strict: bool,
}

/// One path and what answers there.
pub(crate) struct Route {
    method: &'static str,
    path: Pattern,
    pub(crate) shape: Shape,
    /// Bodies are forms with files.
    pub(crate) takes_form: bool,
    pub(crate) serve: fn(&Call<'_>) -> Result<Reply, Refusal>,
}

/// What the end of a path looks like.
enum Pattern {
    Ends(&'static str),
    /// `…/models/MODEL:NAME`
    Method(&'static str),
    /// `…/model/MODEL/NAME`
    Operation(&'static str),
    /// `…/models/MODEL`
    Model,
    /// `…/text-to-speech/VOICE` and what comes behind
    Voice(&'static str),
    /// `…/NAME/ID`
    Item(&'static str),
}

use Pattern::{Ends, Item, Method, Model, Operation, Voice};
use Shape::{Anthropic, Bedrock, Cohere, ElevenLabs, Gemini, Mistral, Ollama, OpenAi};

const fn post(
    path: Pattern,
    shape: Shape,
    serve: fn(&Call<'_>) -> Result<Reply, Refusal>,
) -> Route {
    Route { method: "POST", path, shape, takes_form: false, serve }
}

const fn post_form(
    path: Pattern,
    shape: Shape,
    serve: fn(&Call<'_>) -> Result<Reply, Refusal>,
) -> Route {
    Route { takes_form: true, ..post(path, shape, serve) }
}

const fn get(path: Pattern, shape: Shape, serve: fn(&Call<'_>) -> Result<Reply, Refusal>) -> Route {
    Route { method: "GET", path, shape, takes_form: false, serve }
}

/// Of rows that fit, the first one of the hinted provider counts.
static ROUTES: &[Route] = &[
    post(Ends("/chat/completions"), OpenAi, openai::serve_chat),
    post(Ends("/responses"), OpenAi, openai::serve_responses),
    get(Ends("/responses"), OpenAi, websocket::agree),
    get(Ends("/realtime"), OpenAi, websocket::agree),
    post(Ends("/responses/input_tokens"), OpenAi, openai::serve_input_tokens),
    post(Ends("/embeddings"), OpenAi, openai::serve_embeddings),
    post(Ends("/audio/speech"), OpenAi, openai::serve_speech),
    post_form(Ends("/audio/transcriptions"), OpenAi, openai::serve_transcription),
    post(Ends("/images/generations"), OpenAi, openai::serve_generation),
    post_form(Ends("/images/edits"), OpenAi, openai::serve_edit),
    post_form(Ends("/images/variations"), OpenAi, openai::serve_variation),
    get(Ends("/models"), OpenAi, openai::serve_models),
    get(Model, OpenAi, openai::serve_model),
    post(Ends("/messages"), Anthropic, anthropic::serve_messages),
    post(Ends("/messages/count_tokens"), Anthropic, anthropic::serve_count_tokens),
    post(Method("rawPredict"), Anthropic, anthropic::serve_raw_predict),
    post(Method("streamRawPredict"), Anthropic, anthropic::serve_raw_predict),
    get(Ends("/models"), Anthropic, anthropic::serve_models),
    get(Model, Anthropic, anthropic::serve_model),
    post(Method("generateContent"), Gemini, gemini::serve_generate),
    post(Method("streamGenerateContent"), Gemini, gemini::serve_stream),
    post(Method("embedContent"), Gemini, gemini::serve_embed),
    post(Method("batchEmbedContents"), Gemini, gemini::serve_batch_embed),
    post(Method("predict"), Gemini, gemini::serve_predict),
    post(Method("countTokens"), Gemini, gemini::serve_count_tokens),
    get(Ends("/models"), Gemini, gemini::serve_models),
    get(Model, Gemini, gemini::serve_model),
    post(Operation("converse"), Bedrock, bedrock::serve_converse),
    post(Operation("converse-stream"), Bedrock, bedrock::serve_converse_stream),
    post(Operation("invoke"), Bedrock, bedrock::serve_invoke),
    post(Operation("invoke-with-response-stream"), Bedrock, bedrock::serve_invoke_stream),
    post(Operation("count-tokens"), Bedrock, bedrock::serve_count_tokens),
    post(Ends("/v2/chat"), Cohere, cohere::serve_chat),
    post(Ends("/v2/embed"), Cohere, cohere::serve_embed),
    post(Ends("/v2/rerank"), Cohere, cohere::serve_rerank),
    post(Ends("/v1/tokenize"), Cohere, cohere::serve_tokenize),
    get(Ends("/models"), Cohere, cohere::serve_models),
    post(Ends("/chat/completions"), Mistral, mistral::serve_chat),
    post(Ends("/embeddings"), Mistral, mistral::serve_embeddings),
    get(Ends("/models"), Mistral, mistral::serve_models),
    get(Model, Mistral, mistral::serve_model),
    post(Ends("/api/chat"), Ollama, ollama::serve_chat),
    post(Ends("/api/generate"), Ollama, ollama::serve_generate),
    post(Ends("/api/embed"), Ollama, ollama::serve_embed),
    get(Ends("/api/tags"), Ollama, ollama::serve_tags),
    post(Voice(""), ElevenLabs, elevenlabs::serve_speech),
    post(Voice("/stream"), ElevenLabs, elevenlabs::serve_stream),
    post(Voice("/with-timestamps"), ElevenLabs, elevenlabs::serve_with_timestamps),
    post(Ends("/sound-generation"), ElevenLabs, elevenlabs::serve_sound),
    post_form(Ends("/speech-to-text"), ElevenLabs, elevenlabs::serve_transcription),
    post(Ends("/predictions"), OpenAi, predictions::serve_create),
    get(Item("/predictions/"), OpenAi, predictions::serve_job),
    get(Item("/streams/"), OpenAi, predictions::serve_stream),
    post(Ends("/videos"), OpenAi, films::serve_openai),
    post(Ends("_to_video"), OpenAi, films::serve_runway),
    get(Item("/tasks/"), OpenAi, films::serve_task),
    post(Method("predictLongRunning"), Gemini, films::serve_google),
    post(Ends("/systemone"), OpenAi, decisions::serve),
    // After the paths that end in it too.
    post(Ends("/completions"), OpenAi, openai::serve_completions),
];

/// The shape a request is answered in, and the route that answers it.
pub(crate) fn route(request: &Request) -> (Shape, Option<&'static Route>) {
    let hint = Shape::hinted(request);
    let fitting = || ROUTES.iter().filter(|route| route.fits(request));
    let hinted = fitting().find(|route| Some(route.shape) == hint);
    // A header is a weak hint: a caller may send it to a path that is another provider's.
    match hinted.or_else(|| fitting().next()) {
        Some(route) => (route.shape, Some(route)),
        None => (hint.unwrap_or(OpenAi), None),
    }
}

/// The model a path names, decoded.
pub(crate) fn model_in_path(path: &str) -> Option<Cow<'_, str>> {
    let encoded = match path.rsplit_once("/models/") {
        Some((_, rest)) => rest.rsplit_once(':').map_or(rest, |(model, _)| model),
        None => path.rsplit_once("/model/")?.1.rsplit_once('/')?.0,
    };
    Some(percent_decode_str(encoded).decode_utf8_lossy())
}

impl Route {
    fn fits(&self, request: &Request) -> bool {
        let path = request.path();
        let is_head = request.method() == "HEAD" && self.method == "GET";
        let is_method = request.method() == self.method || is_head;
        is_method
            && match self.path {
                Ends(end) => path.ends_with(end),
                Method(name) => {
                    let named =
                        path.rsplit_once("/models/").and_then(|(_, rest)| rest.rsplit_once(':'));
                    named.is_some_and(|(_, method)| method == name)
                }
                Operation(name) => {
                    let named =
                        path.rsplit_once("/model/").and_then(|(_, rest)| rest.rsplit_once('/'));
                    named.is_some_and(|(_, operation)| operation == name)
                }
                Voice(end) => {
                    let voice = path.rsplit_once("/text-to-speech/").map(|(_, rest)| rest);
                    let voice = voice.and_then(|rest| rest.strip_suffix(end));
                    voice.is_some_and(|voice| !voice.is_empty() && !voice.contains('/'))
                }
                Item(name) => path
                    .rsplit_once(name)
                    .is_some_and(|(_, id)| !id.is_empty() && !id.contains('/')),
                Model => path.rsplit_once("/models/").is_some_and(|(_, model)| !model.is_empty()),
            }
    }
}
