//! Films from a text or a picture: jobs that are begun, asked for, and done after minutes. The common form; one file
//! beside it for each wire format.

pub(crate) mod gemini;
pub(crate) mod product;
pub(crate) mod runware;
pub(crate) mod runway;

use std::borrow::Cow;

use crate::Dialect;
use crate::canonical::{Member, Source, Usage};
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Answered, Asked, Messages};
use crate::image::Size;
use crate::json::{Raw, Text};
use crate::options::{Notes, ReplyOptions, RequestOptions};

/// The operation.
pub(crate) struct VideoMaking;

impl Messages for VideoMaking {
    type Request<'a> = Request<'a>;
    type Reply<'a> = Job<'a>;
}

impl<'a> Asked<'a> for Request<'a> {
    fn extra(&self) -> &[Member<'a>] {
        &self.extra
    }
}

impl Answered for Job<'_> {
    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// What is to be filmed, and how.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) prompt: Option<Text<'a>>,
    pub(crate) negative_prompt: Option<Text<'a>>,
    /// The picture it begins with.
    pub(crate) image: Option<Source<'a>>,
    /// The film it is made from.
    pub(crate) film: Option<Text<'a>>,
    pub(crate) seconds: Option<u64>,
    pub(crate) size: Option<Size<'a>>,
    /// `16:9` and the like.
    pub(crate) aspect_ratio: Option<Text<'a>>,
    /// `720p`, `1080p`.
    pub(crate) resolution: Option<Text<'a>>,
    /// How many films.
    pub(crate) count: Option<Raw<'a>>,
    pub(crate) seed: Option<Raw<'a>>,
    /// Whether it has sound.
    pub(crate) audio: Option<Raw<'a>>,
    /// Members of the source dialect without a common meaning.
    pub(crate) rest: Vec<Member<'a>>,
    /// Members not even the source dialect defines: knobs of some models.
    pub(crate) extra: Vec<Member<'a>>,
}

impl<'a> Request<'a> {
    fn new() -> Self {
        Self {
            prompt: None,
            negative_prompt: None,
            image: None,
            film: None,
            seconds: None,
            size: None,
            aspect_ratio: None,
            resolution: None,
            count: None,
            seed: None,
            audio: None,
            rest: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// The prompt, for a target that needs one.
    pub(crate) fn prompt(&self) -> Result<&Text<'a>, Error> {
        self.prompt.as_ref().ok_or_else(|| Error::at("prompt", What::Missing))
    }

    /// The picture as a URL, perhaps a `data:` URL.
    pub(crate) fn image_url(&self, target: Dialect) -> Result<Option<Text<'a>>, Error> {
        let refused = || Error::at("input_reference", What::Inexpressible(target));
        Ok(match &self.image {
            None => None,
            Some(Source::Url(url)) => Some(url.clone()),
            Some(Source::Base64 { media_type, data }) => {
                Some(format!("data:{};base64,{}", media_type.plain(), data.plain()).into())
            }
            Some(Source::FileId(_) | Source::Plain(_) | Source::Parts(_)) => return Err(refused()),
        })
    }

    /// Notes what was said and the target has no place for.
    pub(crate) fn note(&self, notes: &mut Notes, names: &[&str]) {
        for name in names {
            let is_said = match *name {
                "negative_prompt" => self.negative_prompt.is_some(),
                "size" => self.size.is_some(),
                "aspect_ratio" => self.aspect_ratio.is_some(),
                "resolution" => self.resolution.is_some(),
                "n" => self.count.is_some(),
                "seed" => self.seed.is_some(),
                "audio" => self.audio.is_some(),
                _ => false,
            };
            if is_said {
                notes.drop(name);
            }
        }
    }

    /// Says in the notes whose job it becomes: its id names the provider.
    pub(crate) fn note_provider(options: &RequestOptions<'_>, notes: &mut Notes) {
        options.provider.clone_into(&mut notes.provider);
    }
}

/// Whole seconds, spelt as a number or as a text.
fn read_seconds(name: &str, value: Raw<'_>) -> Result<u64, Error> {
    let text = value.as_str().unwrap_or(Cow::Borrowed(value.text()));
    text.parse().map_err(|_| fields::wrong_type(name, "a whole number of seconds"))
}

/// A job.
#[derive(Debug, Default)]
pub(crate) struct Job<'a> {
    pub(crate) id: Text<'a>,
    pub(crate) status: Status,
    pub(crate) model: Option<Text<'a>>,
    /// Seconds since 1970, and so on below.
    pub(crate) created: Option<u64>,
    pub(crate) completed: Option<u64>,
    pub(crate) expires: Option<u64>,
    /// In percent.
    pub(crate) progress: Option<Raw<'a>>,
    pub(crate) prompt: Option<Text<'a>>,
    pub(crate) seconds: Option<Text<'a>>,
    pub(crate) size: Option<Text<'a>>,
    pub(crate) remixed_from: Option<Text<'a>>,
    pub(crate) failure: Option<Failure<'a>>,
    pub(crate) films: Vec<Film<'a>>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    #[default]
    Queued,
    InProgress,
    Completed,
    Failed,
}

impl Status {
    /// As callers of the product know it.
    fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// Why there is no film.
#[derive(Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) code: Text<'a>,
    pub(crate) message: Text<'a>,
}

/// One film.
#[derive(Debug)]
pub(crate) struct Film<'a> {
    pub(crate) place: Place<'a>,
    /// As in `video/mp4`.
    pub(crate) media_type: Option<Text<'a>>,
}

#[derive(Debug)]
pub(crate) enum Place<'a> {
    Base64(Text<'a>),
    Url(Text<'a>),
}

/// What films are in when nobody says it.
const MEDIA_TYPE: &str = "video/mp4";

impl<'a> Film<'a> {
    pub(crate) fn at(url: Text<'a>) -> Self {
        Self { place: Place::Url(url), media_type: None }
    }
}

impl Job<'_> {
    /// The id as callers get it: `<id>:<provider>`, and slashes encoded, so that it is one segment of a path.
    fn public_id(&self, options: &ReplyOptions<'_>) -> String {
        let provider = &options.notes.provider;
        let id = self.id.plain().replace('/', "%2F");
        if provider.is_empty() { id } else { format!("{id}:{provider}") }
    }
}

#[cfg(test)]
mod tests;
