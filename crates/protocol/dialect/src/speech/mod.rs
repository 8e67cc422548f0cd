//! A text read aloud. The common form; one file beside it for each wire format.

pub(crate) mod elevenlabs;
pub(crate) mod gemini;
pub(crate) mod huggingface;
pub(crate) mod openai;
pub(crate) mod sarvam;
pub(crate) mod wav;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use crate::Dialect;
use crate::canonical::{Member, Usage};
use crate::error::{Error, What};
use crate::format::{Answered, Asked, Messages};
use crate::json::{Object, Raw, Text};
use crate::media::Answer;
use crate::options::{Notes, RequestOptions};

/// What is encoded in a segment of a path: all but the unreserved characters of RFC 3986.
pub(crate) const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The operation.
pub(crate) struct Speaking;

impl Messages for Speaking {
    type Request<'a> = Request<'a>;
    type Reply<'a> = Reply<'a>;
}

impl<'a> Asked<'a> for Request<'a> {
    fn extra(&self) -> &[Member<'a>] {
        &[]
    }
}

impl Answered for Reply<'_> {
    fn usage(&self) -> Usage {
        self.usage
    }
}

/// What is to be said, and how.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) input: Text<'a>,
    pub(crate) voice: Voice<'a>,
    /// How to say it, in words.
    pub(crate) instructions: Option<Text<'a>>,
    /// `mp3`, `opus`, `aac`, `flac`, `wav` or `pcm`.
    pub(crate) format: Option<Text<'a>>,
    /// As it was spelt; 1 is the usual speed.
    pub(crate) speed: Option<Raw<'a>>,
    pub(crate) language: Option<Text<'a>>,
    /// Whether to tell when each character is said.
    pub(crate) wants_timestamps: bool,
    /// Members without a common meaning: some vendor may know them.
    pub(crate) rest: Vec<Member<'a>>,
}

/// Who says it.
#[derive(Debug)]
pub(crate) enum Voice<'a> {
    One(Text<'a>),
    /// Speakers by the names they have in the text, each with a voice.
    Several(Vec<(Text<'a>, Text<'a>)>),
}

impl<'a> Request<'a> {
    /// The one voice; a target that knows no conversations refuses several.
    fn only_voice(&self, target: Dialect) -> Result<&Text<'a>, Error> {
        match &self.voice {
            Voice::One(voice) => Ok(voice),
            Voice::Several(_) => Err(Error::at("voice", What::Inexpressible(target))),
        }
    }

    /// The format by its name; empty where the caller leaves it open.
    fn format(&self) -> Cow<'_, str> {
        self.format.as_ref().map(Text::plain).unwrap_or_default()
    }

    /// Notes the format for the reply.
    fn note_format(&self, notes: &mut Notes) {
        notes.reply_format = self.format.as_ref().map(|format| format.plain().into_owned());
    }

    /// Writes those of the members without a common meaning that the target knows, and notes the others; all of them
    /// where the caller wants them passed on.
    fn write_rest(
        &self,
        known: &[&str],
        options: &RequestOptions<'_>,
        notes: &mut Notes,
        body: &mut Object<'_>,
    ) {
        for (name, value) in &self.rest {
            if options.pass_extra || known.contains(&&**name) {
                body.raw(name, *value);
            } else {
                notes.drop(name);
            }
        }
    }

    fn note(&self, notes: &mut Notes, names: &[&str]) {
        for name in names {
            let is_said = match *name {
                "instructions" => self.instructions.is_some(),
                "speed" => self.speed.is_some(),
                "language_code" => self.language.is_some(),
                "with_timestamps" => self.wants_timestamps,
                _ => false,
            };
            if is_said {
                notes.drop(name);
            }
        }
    }
}

/// The sound.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) sound: Sound<'a>,
    /// As in `audio/mpeg`.
    pub(crate) media_type: Cow<'a, str>,
    /// When each character is said, as the vendor tells it.
    pub(crate) alignment: Option<Raw<'a>>,
    pub(crate) normalized_alignment: Option<Raw<'a>>,
    pub(crate) usage: Usage,
}

/// Its bytes.
#[derive(Debug)]
pub(crate) enum Sound<'a> {
    Bytes(&'a [u8]),
    Base64(Text<'a>),
}

impl<'a> Reply<'a> {
    /// A reply that is nothing but sound.
    fn of_bytes(answer: &Answer<'a>) -> Result<Self, Error> {
        if answer.root.is_some() {
            return Err(Error::new(What::Invalid("the provider sent JSON where sound belongs")));
        }
        Ok(Self::new(Sound::Bytes(answer.bytes), Cow::Borrowed(answer.content_type)))
    }

    fn new(sound: Sound<'a>, media_type: Cow<'a, str>) -> Self {
        let usage = Usage::default();
        Self { sound, media_type, alignment: None, normalized_alignment: None, usage }
    }

    /// The bytes as the caller wants them: some vendors give samples without a header.
    fn bytes_for(&self, wanted: Option<&str>) -> Result<(Cow<'_, [u8]>, Cow<'_, str>), Error> {
        let bytes = match &self.sound {
            Sound::Bytes(bytes) => Cow::Borrowed(*bytes),
            Sound::Base64(text) => Cow::Owned(decode(text)?),
        };
        let wants_wav = wanted.is_none_or(|wanted| wanted == "wav");
        match wav::rate_of_samples(&self.media_type) {
            Some(rate) if wants_wav => Ok((wav::file(&bytes, rate).into(), "audio/wav".into())),
            Some(_) => Ok((bytes, "audio/pcm".into())),
            None => Ok((bytes, Cow::Borrowed(&*self.media_type))),
        }
    }
}

fn decode(text: &Text<'_>) -> Result<Vec<u8>, Error> {
    let decoded = STANDARD.decode(text.plain().as_bytes());
    decoded.map_err(|_| Error::new(What::Invalid("the sound is not base64")))
}

/// The media type of a format.
fn type_of_format(format: &str) -> &'static str {
    match format {
        "opus" => "audio/ogg",
        "aac" => "audio/aac",
        "flac" => "audio/flac",
        "wav" => "audio/wav",
        "pcm" => "audio/pcm",
        _ => "audio/mpeg",
    }
}
