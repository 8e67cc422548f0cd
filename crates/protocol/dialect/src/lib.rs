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

mod anthropic_messages;
mod bedrock_converse;
mod canonical;
mod cohere_chat;
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
mod members;
mod ollama_chat;
mod openai_chat;
mod openai_completions;
mod openai_responses;
mod operation;
mod options;
mod relayed;
mod rerank;
mod signature;
mod sse;
mod stream;
mod token_count;
mod translate;
mod usage_reader;

pub use bedrock_converse::aws_error_type;
pub use canonical::{ErrorReply, Usage};
pub use error::{Error, What};
pub use event_class::{EventClass, event_class};
pub use format::{Framing, Purpose};
pub use json::{DEPTH_MAX, DOCUMENT_BYTES_MAX};
pub use members::{Invalid, Member, Members};
pub use operation::Operation;
pub use options::{
    AnthropicTarget, GeminiTarget, Notes, NumberFormat, OpenAiTarget, ReasoningReplay,
    ReplyOptions, RequestOptions,
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
    /// `POST …/audio/speech` of OpenAI: JSON in, sound out.
    OpenAiSpeech,
    /// `POST …/audio/transcriptions` of OpenAI: a form with a file in, text or JSON out.
    OpenAiTranscription,
    /// `POST /v1/ocr` of Mistral.
    MistralOcr,
}

impl Dialect {
    /// Every dialect, for tables and tests.
    pub const ALL: [Self; 34] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OpenAiCompletions,
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
        Self::OpenAiSpeech,
        Self::OpenAiTranscription,
        Self::MistralOcr,
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

    /// The dialects that it translates to and from, itself included; none where it is only relayed.
    pub fn peers(self) -> impl Iterator<Item = Self> {
        let purpose = self.purpose();
        let is_translated = !matches!(self.format().code, format::Code::Relayed(_));
        Self::ALL.into_iter().filter(move |it| is_translated && it.purpose() == purpose)
    }

    /// The functions of a dialect that asks a model for an answer.
    fn generation(self) -> Result<&'static format::Generation, Error> {
        match &self.format().code {
            format::Code::Generation(generation) => Ok(generation),
            format::Code::TokenCount(_)
            | format::Code::Embedding(_)
            | format::Code::Rerank(_)
            | format::Code::Image(_)
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
            Self::OpenAiSpeech => &relayed::SPEECH,
            Self::OpenAiTranscription => &relayed::TRANSCRIPTION,
            Self::MistralOcr => &relayed::OCR,
        }
    }
}
