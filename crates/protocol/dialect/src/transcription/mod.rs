//! A recording written down. The common form; one file beside it for each wire format.

pub(crate) mod elevenlabs;
pub(crate) mod gemini;
pub(crate) mod huggingface;
pub(crate) mod mistral;
pub(crate) mod openai;
pub(crate) mod sarvam;
mod subtitles;
pub(crate) mod vllm;

use std::borrow::Cow;

use wire::FormWriter;

use crate::Dialect;
use crate::canonical::{Member, Usage};
use crate::error::{Error, What};
use crate::format::{Answered, Asked, Messages};
use crate::json::{Raw, Text};
use crate::media::{File, Written};
use crate::options::{Notes, RequestOptions};

/// The operation.
pub(crate) struct Transcribing;

impl Messages for Transcribing {
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

/// What is to be written down, and how.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) file: File<'a>,
    pub(crate) language: Option<Text<'a>>,
    /// What helps to understand the recording.
    pub(crate) prompt: Option<Text<'a>>,
    pub(crate) format: Wanted,
    /// As it was spelt.
    pub(crate) temperature: Option<Raw<'a>>,
    /// `word`, `segment`: what the caller wants the times of.
    pub(crate) granularities: Vec<Text<'a>>,
    /// Members without a common meaning: some vendor may know them.
    pub(crate) rest: Vec<Member<'a>>,
}

/// The form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Json,
    VerboseJson,
    DiarizedJson,
    Text,
    Srt,
    Vtt,
}

/// The forms by their names.
const FORMATS: &[(&str, Wanted)] = &[
    ("json", Wanted::Json),
    ("verbose_json", Wanted::VerboseJson),
    ("diarized_json", Wanted::DiarizedJson),
    ("text", Wanted::Text),
    ("srt", Wanted::Srt),
    ("vtt", Wanted::Vtt),
];

impl Wanted {
    /// The form of that name.
    fn of_name(name: &str) -> Result<Self, Error> {
        let known = FORMATS.iter().find(|(known, _)| *known == name);
        let allowed = What::Invalid("must be json, text, srt, vtt, verbose_json or diarized_json");
        known.map(|(_, format)| *format).ok_or(Error::at("response_format", allowed))
    }

    fn name(self) -> &'static str {
        FORMATS.iter().find(|(_, format)| *format == self).map_or("json", |(name, _)| name)
    }

    /// Whether it tells when what is said.
    fn has_times(self) -> bool {
        match self {
            Self::Json | Self::Text => false,
            Self::VerboseJson | Self::DiarizedJson | Self::Srt | Self::Vtt => true,
        }
    }
}

impl<'a> Request<'a> {
    /// Whether the caller wants to know when what is said.
    fn wants_times(&self) -> bool {
        self.format.has_times() || !self.granularities.is_empty()
    }

    /// The recording itself; a target that fetches none refuses one that is elsewhere.
    fn bytes(&self, target: Dialect) -> Result<Cow<'_, [u8]>, Error> {
        let bytes = self.file.bytes().map_err(|error| error.in_member("file"))?;
        bytes.ok_or(Error::at("file", What::Inexpressible(target)))
    }

    /// Notes the form of the answer for the reply.
    fn note_format(&self, notes: &mut Notes) {
        notes.reply_format = Some(self.format.name().to_owned());
    }

    /// Notes what the target has no place for.
    fn note(&self, notes: &mut Notes, names: &[&str]) {
        for name in names {
            let is_said = match *name {
                "language" => self.language.is_some(),
                "prompt" => self.prompt.is_some(),
                "temperature" => self.temperature.is_some(),
                "timestamp_granularities" => !self.granularities.is_empty(),
                _ => false,
            };
            if is_said {
                notes.drop(name);
            }
        }
    }

    /// Adds those of the members without a common meaning that the target knows, and notes the others; all of them
    /// where the caller wants them passed on.
    fn write_rest(
        &self,
        known: &[&str],
        options: &RequestOptions<'_>,
        notes: &mut Notes,
        form: &mut FormWriter<'_>,
    ) {
        for (name, value) in &self.rest {
            if !options.pass_extra && !known.contains(&&**name) {
                notes.drop(name);
            } else if value.is_array() {
                let elements = value.elements();
                elements.for_each(|element| form.text(&format!("{name}[]"), &spelt(element)));
            } else {
                form.text(name, &spelt(*value));
            }
        }
    }

    /// Adds the recording.
    fn write_file(&self, bytes: &[u8], form: &mut FormWriter<'_>) {
        let media_type = self.file.media_type();
        let media_type = media_type.as_deref().unwrap_or("application/octet-stream");
        form.file("file", &self.file.file_name(), media_type, bytes);
    }
}

/// A value as a field of a form.
fn spelt<'a>(value: Raw<'a>) -> Cow<'a, str> {
    value.as_str().unwrap_or(Cow::Borrowed(value.text()))
}

/// Writes a form.
fn write_form(
    written: &mut Written,
    write: impl FnOnce(&mut FormWriter<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut form = FormWriter::new(&mut written.body);
    write(&mut form)?;
    written.content_type = form.end().into();
    Ok(())
}

/// The text, and when what of it is said, as far as the vendor tells.
#[derive(Debug, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) text: Text<'a>,
    pub(crate) language: Option<Text<'a>>,
    /// In seconds, as it was spelt.
    pub(crate) duration: Option<Raw<'a>>,
    pub(crate) words: Vec<Timed<'a>>,
    pub(crate) segments: Vec<Timed<'a>>,
    pub(crate) usage: Usage,
}

/// A stretch of text with the seconds at which it begins and ends, as they were spelt.
#[derive(Clone, Debug)]
pub(crate) struct Timed<'a> {
    pub(crate) text: Text<'a>,
    pub(crate) start: Option<Raw<'a>>,
    pub(crate) end: Option<Raw<'a>>,
    pub(crate) speaker: Option<Text<'a>>,
}

/// Seconds as a number; 0 where nobody says.
fn seconds(value: Option<Raw<'_>>) -> f64 {
    value.and_then(|value| value.text().parse().ok()).unwrap_or_default()
}

/// Seconds as JSON.
fn spelt_seconds(value: Option<Raw<'_>>) -> &str {
    value.map_or("0", |value| value.text())
}

/// A segment is not longer than this.
const SEGMENT_SECONDS_MAX: f64 = 10.0;

/// Words put together: to the end of a sentence, to another speaker, or for some seconds.
fn segments_of_words<'a>(words: &[Timed<'a>]) -> Vec<Timed<'a>> {
    let mut segments: Vec<Timed<'a>> = Vec::new();
    let mut text = String::new();
    let has_space = |word: &Timed<'_>| word.text.plain().contains(char::is_whitespace);
    // Some vendors list the spaces with the words.
    let space = if words.iter().any(has_space) { "" } else { " " };
    for (position, word) in words.iter().enumerate() {
        text.push_str(&word.text.plain());
        text.push_str(space);
        let next = words.get(position + 1);
        let begins = segments.last().is_none_or(|last| last.end.is_some());
        if begins {
            segments.push(Timed { text: Text::default(), end: None, ..word.clone() });
        }
        let Some(segment) = segments.last_mut() else { continue };
        let is_sentence = text.trim_end().ends_with(['.', '?', '!', '。', '？', '！', '।']);
        let is_long = seconds(word.end) - seconds(segment.start) >= SEGMENT_SECONDS_MAX;
        let is_turn = next.is_none_or(|next| next.speaker != segment.speaker);
        if is_sentence || is_long || is_turn {
            segment.text = text.trim().to_owned().into();
            segment.end = word.end.or(segment.start);
            text.clear();
        }
    }
    segments.retain(|segment| segment.end.is_some() && !segment.text.is_empty());
    segments
}
