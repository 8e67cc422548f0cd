//! Pictures from a text. The common form; one file beside it for each wire format.

pub(crate) mod edit;
pub(crate) mod fal;
pub(crate) mod gemini;
pub(crate) mod imagen;
pub(crate) mod imagen_edit;
pub(crate) mod openai;
pub(crate) mod openai_edit;
pub(crate) mod runware;
pub(crate) mod stability;
pub(crate) mod titan;
pub(crate) mod xai_edit;

use crate::Dialect;
use crate::canonical::{Member, Usage};
use crate::error::{Error, What};
use crate::format::{Answered, Asked, Messages};
use crate::json::{Object, Raw, Text};
use crate::options::Notes;

/// The operation.
pub(crate) struct ImageMaking;

impl Messages for ImageMaking {
    type Request<'a> = Request<'a>;
    type Reply<'a> = Reply<'a>;
}

impl<'a> Asked<'a> for Request<'a> {
    fn extra(&self) -> &[Member<'a>] {
        &self.extra
    }
}

impl Answered for Reply<'_> {
    fn usage(&self) -> Usage {
        self.usage
    }
}

/// What is to be drawn, and how. Numbers stay as they were spelt.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The dialect it was read from.
    pub(crate) source: Dialect,
    pub(crate) prompt: Text<'a>,
    pub(crate) negative_prompt: Option<Text<'a>>,
    /// How many pictures.
    pub(crate) count: Option<Raw<'a>>,
    pub(crate) size: Option<Size<'a>>,
    /// `16:9` and the like.
    pub(crate) aspect_ratio: Option<Text<'a>>,
    /// `1K`, `2K`: about how many pixels the longer side has.
    pub(crate) resolution: Option<Text<'a>>,
    /// `png`, `jpeg` or `webp`.
    pub(crate) output_format: Option<Text<'a>>,
    /// How much a lossy format may lose, from 0 to 100.
    pub(crate) output_compression: Option<Raw<'a>>,
    /// `url` or `b64_json`: whether to answer with a link or with the bytes.
    pub(crate) response_format: Option<Text<'a>>,
    pub(crate) seed: Option<Raw<'a>>,
    pub(crate) steps: Option<Raw<'a>>,
    pub(crate) user: Option<Text<'a>>,
    /// Members of the source dialect without a common meaning.
    pub(crate) rest: Vec<Member<'a>>,
    /// Members not even the source dialect defines.
    pub(crate) extra: Vec<Member<'a>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Size<'a> {
    Pixels {
        width: u64,
        height: u64,
    },
    /// A word, such as `auto`.
    Word(Text<'a>),
}

/// No picture has a longer side, in pixels.
const SIDE_MAX: u64 = 1 << 16;

/// The longer side of a picture of resolution `1K`, and of `2K` at a vendor that draws at most 2000 pixels.
const SIDE_1K: u64 = 1024;
const SIDE_2K: u64 = 2000;

/// Sides are multiples of this.
const STEP: u64 = 8;

/// The quotient of `16:9` and the like.
fn ratio_of(text: &str) -> Option<f64> {
    let (width, height) = text.split_once(':')?;
    let (width, height): (f64, f64) = (width.parse().ok()?, height.parse().ok()?);
    let ratio = width / height;
    (ratio.is_finite() && (1.0 / RATIO_MAX..=RATIO_MAX).contains(&ratio)).then_some(ratio)
}

/// No picture is more than this many times as wide as high, or as high as wide.
const RATIO_MAX: f64 = 16.0;

impl<'a> Size<'a> {
    /// `1024x768`, or a word.
    pub(crate) fn read(text: Text<'a>) -> Self {
        let pixels = || {
            let plain = text.plain();
            let (width, height) = plain.split_once('x')?;
            let side = |side: &str| side.parse().ok().filter(|side| (1..=SIDE_MAX).contains(side));
            Some(Self::Pixels { width: side(width)?, height: side(height)? })
        };
        pixels().unwrap_or(Self::Word(text))
    }

    /// As OpenAI spells it.
    pub(crate) fn spelt(&self) -> Text<'a> {
        match self {
            Self::Pixels { width, height } => format!("{width}x{height}").into(),
            Self::Word(word) => word.clone(),
        }
    }
}

impl<'a> Request<'a> {
    fn new(source: Dialect) -> Self {
        Self {
            source,
            prompt: Text::default(),
            negative_prompt: None,
            count: None,
            size: None,
            aspect_ratio: None,
            resolution: None,
            output_format: None,
            output_compression: None,
            response_format: None,
            seed: None,
            steps: None,
            user: None,
            rest: Vec::new(),
            extra: Vec::new(),
        }
    }

    /// Keeps a member that has no common meaning: one of the dialect's own, or one not even it defines.
    fn keep(&mut self, own: &[&str], name: &str, value: Raw<'a>) {
        let members = if own.contains(&name) { &mut self.rest } else { &mut self.extra };
        members.push((name.to_owned().into(), value));
    }

    /// The ratio of the sides: the one that was named, or that of `ratios` which comes nearest to the size.
    fn aspect_ratio(&self, ratios: &[(&'static str, f64)]) -> Option<Text<'a>> {
        let Some(Size::Pixels { width, height }) = self.size else {
            return self.aspect_ratio.clone();
        };
        let wanted = width as f64 / height as f64;
        let distance = |ratio: &f64| (wanted / ratio).ln().abs();
        let nearest =
            ratios.iter().min_by(|(_, one), (_, other)| distance(one).total_cmp(&distance(other)));
        self.aspect_ratio.clone().or_else(|| nearest.map(|(name, _)| (*name).into()))
    }

    /// Width and height: those that were named, or those of the ratio, the longer side as long as the resolution says.
    fn pixels(&self) -> Option<(u64, u64)> {
        match (&self.size, &self.aspect_ratio) {
            (Some(Size::Pixels { width, height }), _) => Some((*width, *height)),
            (_, Some(ratio)) => {
                let ratio = ratio_of(&ratio.plain())?;
                let is_large =
                    self.resolution.as_ref().is_some_and(|it| it.plain().starts_with('2'));
                let long = if is_large { SIDE_2K } else { SIDE_1K };
                let short =
                    |ratio: f64| (long as f64 * ratio / STEP as f64).round().max(1.0) as u64 * STEP;
                Some(if ratio < 1.0 { (short(ratio), long) } else { (long, short(1.0 / ratio)) })
            }
            (_, None) => None,
        }
    }

    /// Notes a size that is a word; one that leaves it to the vendor is said by saying nothing.
    pub(crate) fn note_size_word(&self, notes: &mut Notes) {
        if let Some(Size::Word(word)) = &self.size
            && *word != *"auto"
        {
            notes.drop("size");
        }
    }

    /// Writes what only the source dialect understands to itself. To any other target it is noted that it was left out;
    /// what belongs to the question itself cannot be.
    fn write_rest(
        &self,
        target: Dialect,
        notes: &mut Notes,
        body: &mut Object<'_>,
    ) -> Result<(), Error> {
        let members = self.rest.iter().chain(&self.extra);
        if self.source == target {
            members.for_each(|(name, value)| body.raw(name, *value));
            return Ok(());
        }
        for (name, value) in members {
            let is_off = value.as_bool() == Some(false) || value.as_u64() == Some(0);
            if ESSENTIAL_MEMBERS.contains(&&**name) && !is_off {
                return Err(Error::at(name, What::Inexpressible(target)));
            }
            notes.drop(name);
        }
        Ok(())
    }
}

/// Pictures to start from, and an answer in pieces: without them another question would be asked.
const ESSENTIAL_MEMBERS: &[&str] =
    &["image", "images", "input_images", "mask", "referenceImages", "stream", "partial_images"];

/// The pictures.
#[derive(Debug, Default)]
pub(crate) struct Reply<'a> {
    /// Seconds since 1970.
    pub(crate) created: Option<u64>,
    pub(crate) images: Vec<Image<'a>>,
    pub(crate) usage: Usage,
}

#[derive(Debug)]
pub(crate) struct Image<'a> {
    pub(crate) place: Place<'a>,
    /// As in `image/png`.
    pub(crate) media_type: Option<Text<'a>>,
    /// The prompt as the vendor rewrote it.
    pub(crate) revised_prompt: Option<Text<'a>>,
}

#[derive(Debug)]
pub(crate) enum Place<'a> {
    Base64(Text<'a>),
    Url(Text<'a>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_ratio_stands_for_a_size() {
        let ratios = [("1:1", 1.0), ("3:4", 0.75), ("16:9", 16.0 / 9.0)];
        for (size, ratio) in [
            ("1024x1024", Some("1:1")),
            ("1024x1536", Some("3:4")),
            ("1792x1024", Some("16:9")),
            ("auto", None),
            ("0x5", None),
            ("70000x1", None),
        ] {
            let mut request = Request::new(Dialect::OpenAiImages);
            request.size = Some(Size::read(size.into()));
            assert_eq!(request.aspect_ratio(&ratios), ratio.map(Text::from), "{size}");
            assert_eq!(request.size.expect("a size").spelt(), *size);
        }
    }

    #[test]
    fn a_ratio_and_a_resolution_make_a_size() {
        for (ratio, resolution, pixels) in [
            ("1:1", None, Some((1024, 1024))),
            ("16:9", None, Some((1024, 576))),
            ("9:16", Some("1K"), Some((576, 1024))),
            ("4:3", Some("2k"), Some((2000, 1504))),
            ("auto", None, None),
            ("1:0", None, None),
            ("0:1", None, None),
            ("1:99999", None, None),
        ] {
            let mut request = Request::new(Dialect::XaiImages);
            request.aspect_ratio = Some(ratio.into());
            request.resolution = resolution.map(Text::from);
            assert_eq!(request.pixels(), pixels, "{ratio}");
        }
    }
}
