//! Operations whose bodies are not all JSON: sound out of text, text out of sound, pictures out of pictures. A request
//! may be a form with files, and a reply may be bytes.

pub(crate) mod document;
pub(crate) mod file;
pub(crate) mod stream;

use std::borrow::Cow;

use crate::Dialect;
use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::format::{Answered, Code, Messages};
use crate::image::edit::Edit;
use crate::json::{Index, Raw};
use crate::options::{Notes, ReplyOptions, RequestOptions};

pub(crate) use document::{Document, Question};
pub(crate) use file::{Content, File};
pub(crate) use stream::{MediaEvent, ReadMedia, WriteMedia};

/// A body, and what its header says it is.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The value of `Content-Type`; nothing stands for JSON.
    pub content_type: &'a str,
    /// The body itself.
    pub bytes: &'a [u8],
}

/// A body that was written.
#[derive(Debug, Default)]
pub struct Written {
    /// The body itself.
    pub body: Vec<u8>,
    /// What it is, for `Content-Type`.
    pub content_type: Cow<'static, str>,
    /// What belongs behind the path of the endpoint, query included: some providers name a voice there.
    pub path: String,
}

impl Written {
    /// Begins a body of JSON.
    pub(crate) fn json(&mut self) -> &mut Vec<u8> {
        self.content_type = Cow::Borrowed(JSON);
        &mut self.body
    }
}

const JSON: &str = "application/json";

/// Such an operation in one dialect.
pub(crate) struct Media<M: Messages> {
    /// None where only providers speak the dialect.
    pub(crate) caller: Option<CallerSide<M>>,
    /// None where all that is done with it for such a provider is to relay it.
    pub(crate) provider: Option<ProviderSide<M>>,
}

/// What a dialect needs for callers.
pub(crate) struct CallerSide<M: Messages> {
    pub(crate) read_request: ReadQuestion<M>,
    pub(crate) write_reply: WriteAnswer<M>,
    /// None where replies are never streams.
    pub(crate) stream_writer: Option<StreamWriter>,
}

/// What a dialect needs for providers.
pub(crate) struct ProviderSide<M: Messages> {
    pub(crate) write_request: WriteQuestion<M>,
    pub(crate) read_reply: ReadAnswer<M>,
    /// None where replies are never streams.
    pub(crate) stream_reader: Option<StreamReader>,
}

/// Begins to write a stream.
type StreamWriter = fn(&ReplyOptions<'_>) -> Box<dyn WriteMedia>;
/// Begins to read one.
type StreamReader = fn(&ReplyOptions<'_>) -> Box<dyn ReadMedia>;
/// Reads a request.
pub(crate) type ReadQuestion<M> =
    for<'q, 'a> fn(&'q Question<'a>) -> Result<<M as Messages>::Request<'a>, Error>;
/// Writes a request; says in the notes what was left out.
pub(crate) type WriteQuestion<M> = for<'a> fn(
    &<M as Messages>::Request<'a>,
    &RequestOptions<'_>,
    &mut Notes,
    &mut Written,
) -> Result<(), Error>;
/// Reads a reply.
pub(crate) type ReadAnswer<M> =
    for<'a> fn(&Answer<'a>) -> Result<<M as Messages>::Reply<'a>, Error>;
/// Writes a reply.
pub(crate) type WriteAnswer<M> =
    for<'a> fn(&<M as Messages>::Reply<'a>, &ReplyOptions<'_>, &mut Written) -> Result<(), Error>;

/// A reply as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) content_type: &'a str,
    pub(crate) bytes: &'a [u8],
    /// There where it is JSON.
    pub(crate) root: Option<Raw<'a>>,
    pub(crate) notes: &'a Notes,
}

impl<'a> Answer<'a> {
    /// The reply where it must be JSON.
    pub(crate) fn json(&self) -> Result<Raw<'a>, Error> {
        self.root.ok_or_else(|| Error::new(What::NotJson(0)))
    }
}

/// Writes a request of one dialect in another of the same purpose. The notes say what was left out and what the reply
/// side must know.
pub fn translate_media_request(
    from: Dialect,
    to: Dialect,
    body: Body<'_>,
    options: &RequestOptions<'_>,
) -> Result<(Written, Notes), Error> {
    let outbound = Outbound { to, body, options };
    match (&from.format().code, &to.format().code) {
        (Code::Speech(from), Code::Speech(to)) => outbound.media(from, to),
        (Code::Transcription(from), Code::Transcription(to)) => outbound.media(from, to),
        (Code::ImageEdit(from), Code::ImageEdit(to)) => outbound.media(from, to),
        (Code::Image(from), Code::ImageEdit(to)) => {
            let mut index = Index::new();
            let drawing = (from.read_request)(index.read(body.bytes)?)?;
            outbound.write(&Edit::of_words(drawing)?, to)
        }
        _ => Err(Error::new(What::Inexpressible(to))),
    }
}

struct Outbound<'o> {
    to: Dialect,
    body: Body<'o>,
    options: &'o RequestOptions<'o>,
}

impl Outbound<'_> {
    fn media<M: Messages>(self, from: &Media<M>, to: &Media<M>) -> Result<(Written, Notes), Error> {
        let caller = from.caller.as_ref().ok_or(Error::new(What::Inexpressible(self.to)))?;
        let document = Document::read(self.body)?;
        let mut index = Index::new();
        let root = index.read(&document.json)?;
        let question = Question { root, files: document.files.as_slice() };
        self.write(&(caller.read_request)(&question)?, to)
    }

    fn write<M: Messages>(
        self,
        request: &M::Request<'_>,
        to: &Media<M>,
    ) -> Result<(Written, Notes), Error> {
        let provider = to.provider.as_ref().ok_or(Error::new(What::Inexpressible(self.to)))?;
        let (mut written, mut notes) = (Written::default(), Notes::default());
        (provider.write_request)(request, self.options, &mut notes, &mut written)?;
        Ok((written, notes))
    }
}

/// Writes a reply of the upstream's dialect in the caller's and says what it used.
pub fn translate_media_reply(
    upstream: Dialect,
    caller: Dialect,
    body: Body<'_>,
    options: &ReplyOptions<'_>,
) -> Result<(Written, Usage), Error> {
    let Body { content_type, bytes } = body;
    let mut index = Index::new();
    let root = if is_json(content_type) { Some(index.read(bytes)?) } else { None };
    let answer = Answer { content_type, bytes, root, notes: options.notes };
    let inexpressible = Error::new(What::Inexpressible(caller));
    match (&upstream.format().code, &caller.format().code) {
        (Code::Speech(from), Code::Speech(to)) => reply(from, to, &answer, options),
        (Code::Transcription(from), Code::Transcription(to)) => reply(from, to, &answer, options),
        (Code::ImageEdit(from), Code::ImageEdit(to)) => reply(from, to, &answer, options),
        (Code::ImageEdit(from), Code::Image(to)) => {
            let provider = from.provider.as_ref().ok_or(inexpressible)?;
            let reply = (provider.read_reply)(&answer)?;
            let mut written = Written::default();
            (to.write_reply)(&reply, options, written.json())?;
            Ok((written, reply.usage()))
        }
        _ => Err(inexpressible),
    }
}

fn reply<M: Messages>(
    from: &Media<M>,
    to: &Media<M>,
    answer: &Answer<'_>,
    options: &ReplyOptions<'_>,
) -> Result<(Written, Usage), Error> {
    let (Some(provider), Some(caller)) = (&from.provider, &to.caller) else {
        return Err(Error::new(What::Invalid("such replies are only relayed")));
    };
    let reply = (provider.read_reply)(answer)?;
    let mut written = Written::default();
    (caller.write_reply)(&reply, options, &mut written)?;
    Ok((written, reply.usage()))
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.is_empty() || essence.eq_ignore_ascii_case(JSON)
}
