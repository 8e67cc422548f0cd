//! Streams of sound and of text made from sound.

use std::fmt::Debug;

use crate::canonical::Usage;
use crate::error::{Error, What};
use crate::format::{Code, Messages, Trailer};
use crate::json::{Raw, Text};
use crate::options::ReplyOptions;
use crate::{Dialect, media::Media};

/// What happens in such a stream.
#[derive(Debug)]
pub(crate) enum MediaEvent<'a> {
    /// More sound.
    Bytes(&'a [u8]),
    /// More sound, in base64.
    Base64(Text<'a>),
    /// More text.
    Text(Text<'a>),
    /// A stretch of text with its times, as the vendor spelt them.
    Segment {
        text: Text<'a>,
        start: Option<Raw<'a>>,
        end: Option<Raw<'a>>,
        speaker: Option<Text<'a>>,
    },
    /// The text as a whole.
    Whole(Text<'a>),
    /// What was used, as far as it is known.
    Usage(Usage),
}

/// Takes what a reader finds.
pub(crate) type Emit<'e> = &'e mut dyn FnMut(MediaEvent<'_>) -> Result<(), Error>;

/// Reads the stream of a provider.
pub(crate) trait ReadMedia: Debug {
    /// Reads one event, or one piece where the stream is nothing but bytes.
    fn read(&mut self, event: Option<&str>, data: &[u8], emit: Emit<'_>) -> Result<(), Error>;

    /// Whether the vendor has said all it had to say.
    fn is_finished(&self) -> bool;
}

/// Writes the stream of a caller in complete frames.
pub(crate) trait WriteMedia: Debug {
    /// Appends what the event becomes.
    fn write(
        &mut self,
        event: MediaEvent<'_>,
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error>;

    /// Appends what closes the stream properly, once.
    fn end(&mut self, usage: &Usage, trailer: Trailer<'_>, out: &mut Vec<u8>);
}

/// From one to the other.
#[derive(Debug)]
pub(crate) struct MediaTranslation {
    reader: Box<dyn ReadMedia>,
    writer: Box<dyn WriteMedia>,
    usage: Usage,
}

impl MediaTranslation {
    /// None where one of the two has no such streams.
    pub(crate) fn new(
        upstream: Dialect,
        caller: Dialect,
        options: &ReplyOptions<'_>,
    ) -> Option<Self> {
        match (&upstream.format().code, &caller.format().code) {
            (Code::Speech(from), Code::Speech(to)) => Self::between(from, to, options),
            (Code::Transcription(from), Code::Transcription(to)) => {
                Self::between(from, to, options)
            }
            _ => None,
        }
    }

    fn between<M: Messages>(
        from: &Media<M>,
        to: &Media<M>,
        options: &ReplyOptions<'_>,
    ) -> Option<Self> {
        let reader = from.provider.as_ref()?.stream_reader?(options);
        let writer = to.caller.as_ref()?.stream_writer?(options);
        Some(Self { reader, writer, usage: Usage::default() })
    }

    pub(crate) fn event(
        &mut self,
        event: Option<&str>,
        data: &[u8],
        trailer: Trailer<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Self { reader, writer, usage } = self;
        reader.read(event, data, &mut |event| match event {
            MediaEvent::Usage(reported) => {
                *usage = reported;
                Ok(())
            }
            event => writer.write(event, trailer, out),
        })
    }

    pub(crate) fn end(&mut self, trailer: Trailer<'_>, out: &mut Vec<u8>) {
        self.writer.end(&self.usage, trailer, out);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.reader.is_finished()
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }
}

/// Reads a stream that is nothing but the bytes of the sound.
#[derive(Debug)]
pub(crate) struct PlainBytes;

impl ReadMedia for PlainBytes {
    fn read(&mut self, _: Option<&str>, data: &[u8], emit: Emit<'_>) -> Result<(), Error> {
        emit(MediaEvent::Bytes(data))
    }

    /// Bytes end where the connection says so.
    fn is_finished(&self) -> bool {
        true
    }
}

/// An event that does not belong into the stream of this operation.
#[cold]
pub(crate) fn misplaced() -> Error {
    Error::new(What::Invalid("sound where text belongs, or text where sound belongs"))
}
