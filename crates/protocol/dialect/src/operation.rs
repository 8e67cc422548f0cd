//! What a caller asks for: the request types of the product, named as in `allowed_requests` and in metrics.

/// One kind of request. The streamed form of an operation is an operation of its own, as in
/// `custom_provider_config.allowed_requests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Operation {
    ListModels,
    TextCompletion,
    TextCompletionStream,
    ChatCompletion,
    ChatCompletionStream,
    Responses,
    ResponsesStream,
    CountTokens,
    Compaction,
    Embedding,
    Rerank,
    Ocr,
    Speech,
    SpeechStream,
    Transcription,
    TranscriptionStream,
    ImageGeneration,
    ImageGenerationStream,
    ImageEdit,
    ImageEditStream,
    ImageVariation,
    VideoGeneration,
    VideoRetrieve,
    VideoDownload,
    VideoDelete,
    VideoList,
    VideoRemix,
    BatchCreate,
    BatchList,
    BatchRetrieve,
    BatchCancel,
    BatchDelete,
    BatchResults,
    FileUpload,
    FileList,
    FileRetrieve,
    FileDelete,
    FileContent,
    ContainerCreate,
    ContainerList,
    ContainerRetrieve,
    ContainerDelete,
    ContainerFileCreate,
    ContainerFileList,
    ContainerFileRetrieve,
    ContainerFileContent,
    ContainerFileDelete,
    Passthrough,
    PassthroughStream,
    WebsocketResponses,
    Realtime,
    CachedContentCreate,
    CachedContentList,
    CachedContentRetrieve,
    CachedContentUpdate,
    CachedContentDelete,
    Decisions,
    SoundGeneration,
    ResponsesRetrieve,
    ResponsesRetrieveStream,
    ResponsesDelete,
    ResponsesCancel,
    ResponsesInputItems,
}

/// Every operation with its name, in the order of the enum.
const NAMES: &[(Operation, &str)] = &[
    (Operation::ListModels, "list_models"),
    (Operation::TextCompletion, "text_completion"),
    (Operation::TextCompletionStream, "text_completion_stream"),
    (Operation::ChatCompletion, "chat_completion"),
    (Operation::ChatCompletionStream, "chat_completion_stream"),
    (Operation::Responses, "responses"),
    (Operation::ResponsesStream, "responses_stream"),
    (Operation::CountTokens, "count_tokens"),
    (Operation::Compaction, "compaction"),
    (Operation::Embedding, "embedding"),
    (Operation::Rerank, "rerank"),
    (Operation::Ocr, "ocr"),
    (Operation::Speech, "speech"),
    (Operation::SpeechStream, "speech_stream"),
    (Operation::Transcription, "transcription"),
    (Operation::TranscriptionStream, "transcription_stream"),
    (Operation::ImageGeneration, "image_generation"),
    (Operation::ImageGenerationStream, "image_generation_stream"),
    (Operation::ImageEdit, "image_edit"),
    (Operation::ImageEditStream, "image_edit_stream"),
    (Operation::ImageVariation, "image_variation"),
    (Operation::VideoGeneration, "video_generation"),
    (Operation::VideoRetrieve, "video_retrieve"),
    (Operation::VideoDownload, "video_download"),
    (Operation::VideoDelete, "video_delete"),
    (Operation::VideoList, "video_list"),
    (Operation::VideoRemix, "video_remix"),
    (Operation::BatchCreate, "batch_create"),
    (Operation::BatchList, "batch_list"),
    (Operation::BatchRetrieve, "batch_retrieve"),
    (Operation::BatchCancel, "batch_cancel"),
    (Operation::BatchDelete, "batch_delete"),
    (Operation::BatchResults, "batch_results"),
    (Operation::FileUpload, "file_upload"),
    (Operation::FileList, "file_list"),
    (Operation::FileRetrieve, "file_retrieve"),
    (Operation::FileDelete, "file_delete"),
    (Operation::FileContent, "file_content"),
    (Operation::ContainerCreate, "container_create"),
    (Operation::ContainerList, "container_list"),
    (Operation::ContainerRetrieve, "container_retrieve"),
    (Operation::ContainerDelete, "container_delete"),
    (Operation::ContainerFileCreate, "container_file_create"),
    (Operation::ContainerFileList, "container_file_list"),
    (Operation::ContainerFileRetrieve, "container_file_retrieve"),
    (Operation::ContainerFileContent, "container_file_content"),
    (Operation::ContainerFileDelete, "container_file_delete"),
    (Operation::Passthrough, "passthrough"),
    (Operation::PassthroughStream, "passthrough_stream"),
    (Operation::WebsocketResponses, "websocket_responses"),
    (Operation::Realtime, "realtime"),
    (Operation::CachedContentCreate, "cached_content_create"),
    (Operation::CachedContentList, "cached_content_list"),
    (Operation::CachedContentRetrieve, "cached_content_retrieve"),
    (Operation::CachedContentUpdate, "cached_content_update"),
    (Operation::CachedContentDelete, "cached_content_delete"),
    (Operation::Decisions, "decisions"),
    (Operation::SoundGeneration, "sound_generation"),
    (Operation::ResponsesRetrieve, "responses_retrieve"),
    (Operation::ResponsesRetrieveStream, "responses_retrieve_stream"),
    (Operation::ResponsesDelete, "responses_delete"),
    (Operation::ResponsesCancel, "responses_cancel"),
    (Operation::ResponsesInputItems, "responses_input_items"),
];

impl Operation {
    /// How many there are.
    pub const COUNT: usize = NAMES.len();

    /// Every operation, in the order of the enum.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(operation, _)| *operation)
    }

    /// The snake-case name, for example `chat_completion_stream`.
    pub fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// The operation of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(operation, _)| *operation)
    }

    /// The streamed form where there is one, else the operation itself.
    pub fn streamed(self) -> Self {
        match self {
            Self::TextCompletion => Self::TextCompletionStream,
            Self::ChatCompletion => Self::ChatCompletionStream,
            Self::Responses => Self::ResponsesStream,
            Self::ResponsesRetrieve => Self::ResponsesRetrieveStream,
            Self::Speech => Self::SpeechStream,
            Self::Transcription => Self::TranscriptionStream,
            Self::ImageGeneration => Self::ImageGenerationStream,
            Self::ImageEdit => Self::ImageEditStream,
            Self::Passthrough => Self::PassthroughStream,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_the_enum() {
        for (position, (operation, name)) in NAMES.iter().enumerate() {
            assert_eq!(*operation as usize, position);
            assert_eq!(Operation::from_name(name), Some(*operation));
        }
    }
}
