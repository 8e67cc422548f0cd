//! Vendor JSON to and from one canonical form: the middle that lets N wire formats talk without N² converters.
//!
//! ```
//! use dialect::{Dialect, RequestOptions, translate_request};
//!
//! let ask = br#"{"model":"x","max_tokens":99,"messages":[{"role":"user","content":"hi"}]}"#;
//! let mut out = Vec::new();
//! let options = RequestOptions::new("gpt-4o-mini");
//! translate_request(Dialect::AnthropicMessages, Dialect::OpenAiChat, ask, &options, &mut out)?;
//! assert!(out.starts_with(br#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]"#));
//! # Ok::<(), dialect::Error>(())
//! ```
#![forbid(unsafe_code)]

mod anthropic_complete;
mod anthropic_messages;
mod bedrock_converse;
mod canonical;
mod cohere_chat;
mod decision;
mod effort;
mod embedding;
mod error;
mod error_shape;
mod event_class;
mod fields;
mod format;
mod functions;
mod gemini;
mod image;
mod in_order;
mod json;
mod media;
mod members;
mod ollama_chat;
mod openai_chat;
mod openai_completions;
mod openai_responses;
mod operation;
mod options;
mod prediction;
mod relayed;
mod rerank;
mod resource;
mod signature;
mod speech;
mod sse;
mod stream;
mod token_count;
mod transcription;
mod translate;
mod usage_reader;
mod video;

pub use bedrock_converse::aws_error_type;
pub use canonical::{ErrorReply, Usage};
pub use error::{Error, What};
pub use event_class::{EventClass, event_class};
pub use format::{Framing, Purpose};
pub use json::{DEPTH_MAX, DOCUMENT_BYTES_MAX};
pub use media::{Body, Written, translate_media_reply, translate_media_request};
pub use members::{Invalid, Member, Members};
pub use operation::Operation;
pub use options::{
    AnthropicTarget, GeminiTarget, GroupedTool, Notes, NumberFormat, OpenAiTarget, ReasoningReplay,
    ReplyOptions, RequestOptions,
};
pub use prediction::{Prediction, State as PredictionState, prediction};
pub use resource::{
    ResourceAnswer, ResourceCall, ResourceReply, ResourceRequest, holds_answers,
    translate_batch_file, translate_resource_reply, translate_resource_request,
};
pub use stream::StreamTranslator;
pub use translate::{
    read_error, read_stream_error, translate_reply, translate_request, write_error,
    write_stream_error,
};
pub use usage_reader::{UsageReader, is_usage_alone};

/// A wire format: how requests, replies, stream events and errors of one operation family are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST …/chat/completions` as OpenAI defined it and most providers copy it.
    OpenAiChat,
    /// `POST …/responses` of OpenAI.
    OpenAiResponses,
    /// `POST …/v1/messages` of Anthropic.
    AnthropicMessages,
    /// `POST …/model/{id}/converse` and `…/converse-stream` of AWS Bedrock.
    BedrockConverse,
    /// `POST …/v2/chat` of Cohere.
    CohereChat,
    /// `POST …/completions` as OpenAI defined it: a prompt and what follows it.
    OpenAiCompletions,
    /// `POST …/v1/complete` of Anthropic: a dialogue as one text, and what follows it.
    AnthropicComplete,
    /// `POST …/api/chat` of Ollama.
    OllamaChat,
    /// `POST …:generateContent` and `…:streamGenerateContent` of Google, in AI Studio and in Vertex AI. The model and
    /// whether the answer streams stand in the path.
    Gemini,
    /// `POST …/v1/messages/count_tokens` of Anthropic.
    AnthropicCountTokens,
    /// `POST …/responses/input_tokens` of OpenAI.
    OpenAiInputTokens,
    /// `:countTokens` of Gemini.
    GeminiCountTokens,
    /// `:countTokens` of Vertex AI.
    VertexCountTokens,
    /// `POST …/model/{id}/count-tokens` of AWS Bedrock.
    BedrockCountTokens,
    /// `POST /v1/tokenize` of Cohere.
    CohereTokenize,
    /// `POST …/embeddings` as OpenAI defined it and most hosts copy it.
    OpenAiEmbeddings,
    /// `:embedContent` of Gemini and Vertex AI.
    GeminiEmbedContent,
    /// `:batchEmbedContents` of Gemini.
    GeminiBatchEmbed,
    /// `:predict` of Vertex AI's text embedding models.
    VertexEmbed,
    /// `POST /v2/embed` of Cohere.
    CohereEmbed,
    /// The body of Cohere's embedding models on Bedrock.
    BedrockCohereEmbed,
    /// The body of Amazon's Titan embedding models on Bedrock.
    TitanEmbed,
    /// `POST /api/embed` of Ollama.
    OllamaEmbed,
    /// `POST /v1/rerank` of the product itself.
    Rerank,
    /// `POST …/rerank` as Jina, vLLM, OpenRouter and others have it.
    JinaRerank,
    /// `POST /v2/rerank` of Cohere.
    CohereRerank,
    /// `POST /rerank` of Bedrock's agent runtime.
    BedrockRerank,
    /// `:rank` of Google's Discovery Engine.
    VertexRank,
    /// `POST …/images/generations` of OpenAI.
    OpenAiImages,
    /// The same path of xAI, which has ratios instead of sizes.
    XaiImages,
    /// The same path of Nebius, which has width and height.
    NebiusImages,
    /// `:predict` of Google's Imagen models.
    GeminiImagen,
    /// `POST …/images/edits` of OpenAI: a form with pictures in.
    OpenAiImageEdits,
    /// `POST …/images/variations` of OpenAI: a form with a picture in.
    OpenAiImageVariations,
    /// `POST …/images/edits` of xAI: JSON with pictures in.
    XaiImageEdits,
    /// `:generateContent` of Google's models that draw.
    GeminiImages,
    /// `:predict` of Google's Imagen models that change pictures.
    ImagenEdits,
    /// The body of Amazon's Titan and Nova models that draw, on Bedrock.
    TitanImages,
    /// The body of Stability AI's models on Bedrock.
    StabilityImages,
    /// `POST …/audio/speech` of OpenAI: JSON in, sound out.
    OpenAiSpeech,
    /// `POST /v1/text-to-speech/{voice}` of ElevenLabs.
    ElevenLabsSpeech,
    /// `:generateContent` of Google's models that speak.
    GeminiSpeech,
    /// `POST /text-to-speech` of Sarvam.
    SarvamSpeech,
    /// A text to Hugging Face's own inference, sound out.
    HuggingFaceSpeech,
    /// `POST /v1/sound-generation` of ElevenLabs.
    ElevenLabsSound,
    /// `POST …/audio/transcriptions` of OpenAI: a form with a file in, text or JSON out.
    OpenAiTranscription,
    /// The same of vLLM, which streams in chunks as of a chat.
    VllmTranscription,
    /// The same path of Mistral, with fewer fields and events of its own.
    MistralTranscription,
    /// `POST /v1/speech-to-text` of ElevenLabs.
    ElevenLabsTranscription,
    /// `:generateContent` of Google's models, asked for a transcript.
    GeminiTranscription,
    /// `POST /speech-to-text` of Sarvam.
    SarvamTranscription,
    /// A recording to Hugging Face's own inference, text out.
    HuggingFaceTranscription,
    /// `POST /v1/ocr` of Mistral.
    MistralOcr,
    /// A prediction of Replicate that answers with text.
    ReplicateText,
    /// A prediction of Replicate that draws.
    ReplicateImage,
    /// A prediction of Replicate that films.
    ReplicateVideo,
    /// The pipeline `feature-extraction` of Hugging Face.
    HuggingFaceEmbed,
    /// The models of fal.ai that draw.
    FalImages,
    /// `imageInference` of Runware.
    RunwareImages,
    /// `videoInference` of Runware.
    RunwareVideos,
    /// `POST …/videos` of the product, and what its caller gets.
    Videos,
    /// The same of OpenAI.
    OpenAiVideos,
    /// `:predictLongRunning` of Google's Veo models.
    GeminiVideos,
    /// `text_to_video`, `image_to_video` and `video_to_video` of Runway.
    RunwayVideos,
    /// `POST /v1/decisions` of the product.
    Decisions,
    /// `POST /v1/systemone` of TypeSafe.
    SystemOne,
    /// `…/files` of OpenAI.
    OpenAiFiles,
    /// `…/v1/files` of Anthropic.
    AnthropicFiles,
    /// `…/files` of Gemini.
    GeminiFiles,
    /// Objects in buckets of AWS S3.
    S3Objects,
    /// `…/batches` of OpenAI.
    OpenAiBatches,
    /// `…/v1/messages/batches` of Anthropic.
    AnthropicBatches,
    /// `:batchGenerateContent` and `…/batches` of Gemini.
    GeminiBatches,
    /// `…/model-invocation-job` of AWS Bedrock.
    BedrockJobs,
    /// `…/batchPredictionJobs` of Vertex AI.
    VertexJobs,
    /// `…/containers` of OpenAI.
    OpenAiContainers,
    /// `…/cachedContents` of Gemini and Vertex AI.
    GeminiCaches,
}

impl Dialect {
    /// Every dialect, for tables and tests.
    pub const ALL: [Self; 77] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OpenAiCompletions,
        Self::AnthropicComplete,
        Self::OllamaChat,
        Self::AnthropicCountTokens,
        Self::OpenAiInputTokens,
        Self::GeminiCountTokens,
        Self::VertexCountTokens,
        Self::BedrockCountTokens,
        Self::CohereTokenize,
        Self::OpenAiEmbeddings,
        Self::GeminiEmbedContent,
        Self::GeminiBatchEmbed,
        Self::VertexEmbed,
        Self::CohereEmbed,
        Self::BedrockCohereEmbed,
        Self::TitanEmbed,
        Self::OllamaEmbed,
        Self::Rerank,
        Self::JinaRerank,
        Self::CohereRerank,
        Self::BedrockRerank,
        Self::VertexRank,
        Self::OpenAiImages,
        Self::XaiImages,
        Self::NebiusImages,
        Self::GeminiImagen,
        Self::OpenAiImageEdits,
        Self::OpenAiImageVariations,
        Self::XaiImageEdits,
        Self::GeminiImages,
        Self::ImagenEdits,
        Self::TitanImages,
        Self::StabilityImages,
        Self::OpenAiSpeech,
        Self::ElevenLabsSpeech,
        Self::GeminiSpeech,
        Self::SarvamSpeech,
        Self::HuggingFaceSpeech,
        Self::ElevenLabsSound,
        Self::OpenAiTranscription,
        Self::VllmTranscription,
        Self::MistralTranscription,
        Self::ElevenLabsTranscription,
        Self::GeminiTranscription,
        Self::SarvamTranscription,
        Self::HuggingFaceTranscription,
        Self::MistralOcr,
        Self::ReplicateText,
        Self::ReplicateImage,
        Self::ReplicateVideo,
        Self::HuggingFaceEmbed,
        Self::FalImages,
        Self::RunwareImages,
        Self::RunwareVideos,
        Self::Videos,
        Self::OpenAiVideos,
        Self::GeminiVideos,
        Self::RunwayVideos,
        Self::Decisions,
        Self::SystemOne,
        Self::OpenAiFiles,
        Self::AnthropicFiles,
        Self::GeminiFiles,
        Self::S3Objects,
        Self::OpenAiBatches,
        Self::AnthropicBatches,
        Self::GeminiBatches,
        Self::BedrockJobs,
        Self::VertexJobs,
        Self::OpenAiContainers,
        Self::GeminiCaches,
    ];

    /// The name used in configuration, logs and tables.
    pub fn name(self) -> &'static str {
        self.format().name
    }

    /// How its streams are framed.
    pub fn framing(self) -> Framing {
        self.format().framing
    }

    /// What it is for.
    pub fn purpose(self) -> Purpose {
        self.format().code.purpose()
    }

    /// The dialects whose JSON it translates to and from, itself included; none where it is only relayed, where only
    /// providers speak it, or where bodies may be something else (see [`is_media`](Self::is_media)).
    pub fn peers(self) -> impl Iterator<Item = Self> {
        let is_met = self.is_two_way();
        Self::ALL.into_iter().filter(move |it| is_met && it.is_two_way() && self.is_alike(*it))
    }

    /// They are for the same, and two kinds of text completions are.
    fn is_alike(self, other: Self) -> bool {
        let is_completion = |it| matches!(it, Self::OpenAiCompletions | Self::AnthropicComplete);
        self.purpose() == other.purpose() || is_completion(self) && is_completion(other)
    }

    /// Whether bodies may be forms or bytes: then [`translate_media_request`] and [`translate_media_reply`] are for it.
    pub fn is_media(self) -> bool {
        use format::Code;
        matches!(self.format().code, Code::ImageEdit(_) | Code::Speech(_) | Code::Transcription(_))
    }

    /// Whether callers send forms with files.
    pub fn takes_forms(self) -> bool {
        matches!(
            self,
            Self::OpenAiTranscription | Self::OpenAiImageEdits | Self::OpenAiImageVariations
        )
    }

    /// Whether JSON requests and replies are both read and written in it.
    fn is_two_way(self) -> bool {
        let is_one_sided = matches!(
            self.format().code,
            format::Code::Relayed(_) | format::Code::Upstream(_) | format::Code::Resource(_)
        );
        !is_one_sided && !self.is_media()
    }

    /// The functions of a dialect that asks a model for an answer.
    fn generation(self) -> Result<&'static format::Generation, Error> {
        match &self.format().code {
            format::Code::Generation(generation) => Ok(generation),
            format::Code::Completion(_)
            | format::Code::TokenCount(_)
            | format::Code::Embedding(_)
            | format::Code::Rerank(_)
            | format::Code::Image(_)
            | format::Code::ImageEdit(_)
            | format::Code::Speech(_)
            | format::Code::Transcription(_)
            | format::Code::Video(_)
            | format::Code::Decision(_)
            | format::Code::Upstream(_)
            | format::Code::Resource(_)
            | format::Code::Relayed(_) => Err(Error::new(What::Inexpressible(self))),
        }
    }

    fn format(self) -> &'static format::Format {
        match self {
            Self::OpenAiChat => &openai_chat::FORMAT,
            Self::OpenAiResponses => &openai_responses::FORMAT,
            Self::AnthropicMessages => &anthropic_messages::FORMAT,
            Self::BedrockConverse => &bedrock_converse::FORMAT,
            Self::CohereChat => &cohere_chat::FORMAT,
            Self::OpenAiCompletions => &openai_completions::FORMAT,
            Self::AnthropicComplete => &anthropic_complete::FORMAT,
            Self::OllamaChat => &ollama_chat::FORMAT,
            Self::Gemini => &gemini::FORMAT,
            Self::AnthropicCountTokens => &token_count::anthropic::FORMAT,
            Self::OpenAiInputTokens => &token_count::responses::FORMAT,
            Self::GeminiCountTokens => &token_count::gemini::FORMAT,
            Self::VertexCountTokens => &token_count::gemini::VERTEX,
            Self::BedrockCountTokens => &token_count::bedrock::FORMAT,
            Self::CohereTokenize => &token_count::cohere::FORMAT,
            Self::OpenAiEmbeddings => &embedding::openai::FORMAT,
            Self::GeminiEmbedContent => &embedding::gemini::SINGLE,
            Self::GeminiBatchEmbed => &embedding::gemini::BATCH,
            Self::VertexEmbed => &embedding::vertex::FORMAT,
            Self::CohereEmbed => &embedding::cohere::FORMAT,
            Self::BedrockCohereEmbed => &embedding::cohere::BEDROCK,
            Self::TitanEmbed => &embedding::titan::FORMAT,
            Self::OllamaEmbed => &embedding::ollama::FORMAT,
            Self::Rerank => &rerank::jina::PRODUCT,
            Self::JinaRerank => &rerank::jina::FORMAT,
            Self::CohereRerank => &rerank::cohere::FORMAT,
            Self::BedrockRerank => &rerank::bedrock::FORMAT,
            Self::VertexRank => &rerank::vertex::FORMAT,
            Self::OpenAiImages => &image::openai::FORMAT,
            Self::XaiImages => &image::openai::XAI,
            Self::NebiusImages => &image::openai::NEBIUS,
            Self::GeminiImagen => &image::imagen::FORMAT,
            Self::OpenAiImageEdits => &image::openai_edit::EDITS,
            Self::OpenAiImageVariations => &image::openai_edit::VARIATIONS,
            Self::XaiImageEdits => &image::xai_edit::FORMAT,
            Self::GeminiImages => &image::gemini::FORMAT,
            Self::ImagenEdits => &image::imagen_edit::FORMAT,
            Self::TitanImages => &image::titan::FORMAT,
            Self::StabilityImages => &image::stability::FORMAT,
            Self::OpenAiSpeech => &speech::openai::FORMAT,
            Self::ElevenLabsSpeech => &speech::elevenlabs::FORMAT,
            Self::GeminiSpeech => &speech::gemini::FORMAT,
            Self::SarvamSpeech => &speech::sarvam::FORMAT,
            Self::HuggingFaceSpeech => &speech::huggingface::FORMAT,
            Self::ElevenLabsSound => &relayed::SOUND,
            Self::OpenAiTranscription => &transcription::openai::FORMAT,
            Self::VllmTranscription => &transcription::vllm::FORMAT,
            Self::MistralTranscription => &transcription::mistral::FORMAT,
            Self::ElevenLabsTranscription => &transcription::elevenlabs::FORMAT,
            Self::GeminiTranscription => &transcription::gemini::FORMAT,
            Self::SarvamTranscription => &transcription::sarvam::FORMAT,
            Self::HuggingFaceTranscription => &transcription::huggingface::FORMAT,
            Self::MistralOcr => &relayed::OCR,
            Self::ReplicateText => &prediction::TEXT,
            Self::ReplicateImage => &prediction::image::FORMAT,
            Self::ReplicateVideo => &prediction::video::FORMAT,
            Self::HuggingFaceEmbed => &embedding::hugging_face::FORMAT,
            Self::FalImages => &image::fal::FORMAT,
            Self::RunwareImages => &image::runware::FORMAT,
            Self::RunwareVideos => &video::runware::FORMAT,
            Self::Videos => &video::product::FORMAT,
            Self::OpenAiVideos => &video::product::OPENAI,
            Self::GeminiVideos => &video::gemini::FORMAT,
            Self::RunwayVideos => &video::runway::FORMAT,
            Self::Decisions => &decision::product::FORMAT,
            Self::SystemOne => &decision::system_one::FORMAT,
            Self::OpenAiFiles => &resource::OPENAI_FILES,
            Self::AnthropicFiles => &resource::ANTHROPIC_FILES,
            Self::GeminiFiles => &resource::GEMINI_FILES,
            Self::S3Objects => &resource::S3_OBJECTS,
            Self::OpenAiBatches => &resource::OPENAI_BATCHES,
            Self::AnthropicBatches => &resource::ANTHROPIC_BATCHES,
            Self::GeminiBatches => &resource::GEMINI_BATCHES,
            Self::BedrockJobs => &resource::BEDROCK_JOBS,
            Self::VertexJobs => &resource::VERTEX_JOBS,
            Self::OpenAiContainers => &resource::OPENAI_CONTAINERS,
            Self::GeminiCaches => &resource::GEMINI_CACHES,
        }
    }
}
