//! What a dialect is made of: one table of functions per wire format, so that the rest of the crate never asks which one
//! it has.

use std::fmt::Debug;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::Dialect;
use crate::canonical::{ErrorReply, Event, Member, Reply, Request, Usage};
use crate::decision::Deciding;
use crate::embedding::Embedding;
use crate::error::Error;
use crate::event_class::EventClass;
use crate::image::ImageMaking;
use crate::image::edit::ImageEditing;
use crate::json::{Cursor, Raw};
use crate::media::Media;
use crate::options::{Notes, ReplyOptions, RequestOptions};
use crate::rerank::Reranking;
use crate::resource::Resource;
use crate::speech::Speaking;
use crate::token_count::TokenCounting;
use crate::transcription::Transcribing;
use crate::video::VideoMaking;

/// One wire format.
pub(crate) struct Format {
    /// The name used in configuration, logs and tables.
    pub(crate) name: &'static str,
    pub(crate) framing: Framing,
    pub(crate) code: Code,
    pub(crate) errors: Errors,
    pub(crate) usage: UsagePlace,
    /// See [`crate::event_class`]; an event named `error` is classified already.
    pub(crate) event_class: fn(event: Option<&str>, data: &[u8]) -> EventClass,
}

/// How the events of a stream are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// Binary messages with checksums, `application/vnd.amazon.eventstream`.
    EventStream,
    /// One JSON document per line.
    Lines,
    /// Nothing: each piece is what it is as it comes.
    Bytes,
}

/// What a dialect is for. Dialects of one purpose translate into each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Asking a model for an answer.
    Generation,
    /// Going on with a text, in a form of its own.
    Completion,
    /// Asking how many tokens such a question has.
    TokenCount,
    /// Texts or images to vectors.
    Embedding,
    /// Sorting documents by how well they answer a query.
    Rerank,
    /// Pictures from a text.
    Image,
    /// Pictures from pictures, or from a text by models that do both.
    ImageEdit,
    /// A text read aloud.
    Speech,
    /// A sound from its description.
    Sound,
    /// A recording written down.
    Transcription,
    /// A document read into text.
    Ocr,
    /// A film from a text, as a job that takes its time.
    Video,
    /// Answers with probabilities to typed questions.
    Decision,
    /// Files that a provider keeps.
    File,
    /// Many questions at once, to be answered later.
    Batch,
    /// Places where a provider runs code.
    Container,
    /// Beginnings of questions that a provider keeps.
    Cache,
}

/// The functions of a dialect, by what it is for.
pub(crate) enum Code {
    Generation(Generation),
    /// Going on with a text; only other text completions are asked so.
    Completion(Generation),
    TokenCount(Whole<TokenCounting>),
    Embedding(Whole<Embedding>),
    Rerank(Whole<Reranking>),
    Image(Whole<ImageMaking>),
    ImageEdit(Media<ImageEditing>),
    Speech(Media<Speaking>),
    Transcription(Media<Transcribing>),
    Video(Whole<VideoMaking>),
    Decision(Whole<Deciding>),
    /// Providers alone speak it.
    Upstream(Upstream),
    /// What a provider keeps.
    Resource(Resource),
    /// Only one wire format has it: it is relayed and never translated.
    Relayed(Purpose),
}

impl Code {
    pub(crate) fn purpose(&self) -> Purpose {
        match self {
            Self::Generation(_) => Purpose::Generation,
            Self::Completion(_) => Purpose::Completion,
            Self::TokenCount(_) => Purpose::TokenCount,
            Self::Embedding(_) => Purpose::Embedding,
            Self::Rerank(_) => Purpose::Rerank,
            Self::Image(_) => Purpose::Image,
            Self::ImageEdit(_) => Purpose::ImageEdit,
            Self::Speech(_) => Purpose::Speech,
            Self::Transcription(_) => Purpose::Transcription,
            Self::Video(_) => Purpose::Video,
            Self::Decision(_) => Purpose::Decision,
            Self::Upstream(upstream) => upstream.purpose(),
            Self::Resource(resource) => resource.purpose,
            Self::Relayed(purpose) => *purpose,
        }
    }
}

/// A dialect in which no caller ever asks: requests are only written, and replies only read. What the source dialect
/// does not define is placed by the writer itself.
pub(crate) enum Upstream {
    Generation(Answering),
    Embedding(Half<Embedding>),
    Image(Half<ImageMaking>),
    Video(Half<VideoMaking>),
}

impl Upstream {
    fn purpose(&self) -> Purpose {
        match self {
            Self::Generation(_) => Purpose::Generation,
            Self::Embedding(_) => Purpose::Embedding,
            Self::Image(_) => Purpose::Image,
            Self::Video(_) => Purpose::Video,
        }
    }
}

/// The provider's side of an operation that is one question and one answer.
pub(crate) struct Half<M: Messages> {
    pub(crate) write_request: WriteRequest<M>,
    pub(crate) read_reply: ReadReply<M>,
}

/// The provider's side of asking a model for an answer.
pub(crate) struct Answering {
    pub(crate) write_request:
        fn(&Request<'_>, &RequestOptions<'_>, &mut Notes, &mut Vec<u8>) -> Result<(), Error>,
    pub(crate) read_reply: for<'a> fn(Raw<'a>, &ReplyOptions<'_>) -> Result<Reply<'a>, Error>,
    pub(crate) stream_reader: fn(&ReplyOptions<'_>) -> Box<dyn ReadStream>,
}

/// The common vocabulary of an operation that is one question and one answer, both in one piece.
pub(crate) trait Messages {
    type Request<'a>: Asked<'a>;
    type Reply<'a>: Answered;
}

/// What every question has.
pub(crate) trait Asked<'a> {
    /// Members that not even the dialect it was read from defines.
    fn extra(&self) -> &[Member<'a>];
}

/// What every answer has.
pub(crate) trait Answered {
    fn usage(&self) -> Usage;
}

/// Such an operation in one dialect.
pub(crate) struct Whole<M: Messages> {
    pub(crate) read_request: ReadRequest<M>,
    pub(crate) write_request: WriteRequest<M>,
    pub(crate) read_reply: ReadReply<M>,
    pub(crate) write_reply: WriteReply<M>,
}

/// Reads a request.
pub(crate) type ReadRequest<M> = for<'a> fn(Raw<'a>) -> Result<<M as Messages>::Request<'a>, Error>;
/// Writes a request; says in the notes what was left out.
pub(crate) type WriteRequest<M> = for<'a> fn(
    &<M as Messages>::Request<'a>,
    &RequestOptions<'_>,
    &mut Notes,
    &mut Vec<u8>,
) -> Result<(), Error>;
pub(crate) type ReadReply<M> = for<'a> fn(Raw<'a>) -> Result<<M as Messages>::Reply<'a>, Error>;
pub(crate) type WriteReply<M> =
    for<'a> fn(&<M as Messages>::Reply<'a>, &ReplyOptions<'_>, &mut Vec<u8>) -> Result<(), Error>;

/// Asking a model for an answer.
pub(crate) struct Generation {
    pub(crate) read_request: for<'a> fn(Raw<'a>) -> Result<Request<'a>, Error>,
    pub(crate) write_request:
        fn(&Request<'_>, &RequestOptions<'_>, &mut Notes, &mut Vec<u8>) -> Result<(), Error>,
    pub(crate) read_reply: for<'a> fn(Raw<'a>, &ReplyOptions<'_>) -> Result<Reply<'a>, Error>,
    /// Writes a reply that was read from the given dialect.
    pub(crate) write_reply:
        fn(&Reply<'_>, Dialect, &ReplyOptions<'_>, &mut Vec<u8>) -> Result<(), Error>,
    pub(crate) stream_reader: fn(&ReplyOptions<'_>) -> Box<dyn ReadStream>,
    pub(crate) stream_writer: fn(&ReplyOptions<'_>) -> Box<dyn WriteStream>,
}

/// How the format reports that something went wrong.
pub(crate) struct Errors {
    /// Reads an error body of any shape.
    pub(crate) read: fn(status: u16, body: &[u8]) -> ErrorReply<'_>,
    /// Reads the data of an event that reports an error.
    pub(crate) read_event: fn(data: &[u8]) -> ErrorReply<'_>,
    pub(crate) write: fn(&ErrorReply<'_>, &mut Vec<u8>),
    /// Writes the event after which a stream ends.
    pub(crate) write_event: fn(&ErrorReply<'_>, &mut Vec<u8>),
}

/// Where replies and events say what they used.
pub(crate) struct UsagePlace {
    /// Name of the member.
    pub(crate) name: &'static str,
    /// Finds the name with its quotes. Inside of strings quotes are escaped, so what it finds is a whole string.
    pub(crate) finder: LazyLock<Finder<'static>>,
    /// There is no such object: the counters, one of that name, are members of the outermost one.
    pub(crate) is_spread: bool,
    /// The member of an event that may hold it, where it is not the outermost object.
    pub(crate) inside: &'static str,
    /// Reads the object on top of what earlier ones said; nothing where it is none.
    pub(crate) read: fn(&mut Cursor<'_>, &mut Usage) -> Option<()>,
}

impl UsagePlace {
    /// A member of the outermost object.
    pub(crate) const fn outermost(
        name: &'static str,
        finder: fn() -> Finder<'static>,
        read: fn(&mut Cursor<'_>, &mut Usage) -> Option<()>,
    ) -> Self {
        Self { name, finder: LazyLock::new(finder), inside: name, is_spread: false, read }
    }

    /// For replies that report nothing that counts.
    pub(crate) const fn none() -> Self {
        Self::outermost("", || Finder::new("\"\""), |_, _| None)
    }
}

/// Takes what a reader finds.
pub(crate) type Emit<'e, 'a> = &'e mut dyn FnMut(Event<'a>) -> Result<(), Error>;

/// Appends raw members, without brackets or a comma in front, to an object that is being written.
pub(crate) type Trailer<'t> = &'t mut dyn FnMut(&mut Vec<u8>);

/// Reads a stream, event by event.
pub(crate) trait ReadStream: Debug {
    /// Reads the data of one event, which may have had a name, and hands on what it says.
    fn read<'a>(
        &mut self,
        event: Option<&str>,
        data: Raw<'a>,
        emit: Emit<'_, 'a>,
    ) -> Result<(), Error>;

    /// The marker `[DONE]` came.
    fn done(&mut self) {}

    /// Whether the vendor has said all it had to say: the end marker, or why it stopped.
    fn is_finished(&self) -> bool;

    /// Whether the data of such an event is plain text, which is then read as a JSON string.
    fn is_text(&self, _event: Option<&str>) -> bool {
        false
    }
}

/// Writes a stream in complete frames.
pub(crate) trait WriteStream: Debug {
    /// Appends what the event becomes; `trailer` is called for every object that takes further members.
    fn write(
        &mut self,
        event: Event<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error>;

    /// Appends what closes the stream properly, once.
    fn end(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) -> Result<(), Error>;
}
