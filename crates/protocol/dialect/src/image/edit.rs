//! Pictures from pictures, or from words by models that do both. The common form; one file beside it for each wire format.

use super::{Reply, Request};
use crate::Dialect;
use crate::canonical::Member;
use crate::error::{Error, What};
use crate::fields;
use crate::format::{Asked, Messages};
use crate::json::{Raw, Text};
use crate::media::File;
use crate::options::Notes;

/// The operation.
pub(crate) struct ImageEditing;

impl Messages for ImageEditing {
    type Request<'a> = Edit<'a>;
    type Reply<'a> = Reply<'a>;
}

impl<'a> Asked<'a> for Edit<'a> {
    fn extra(&self) -> &[Member<'a>] {
        &[]
    }
}

/// What is to be drawn out of what.
#[derive(Debug)]
pub(crate) struct Edit<'a> {
    /// All that does not depend on the pictures. A variation has no prompt.
    pub(crate) drawing: Request<'a>,
    /// The first is the one to change.
    pub(crate) images: Vec<File<'a>>,
    /// Where to change it.
    pub(crate) mask: Option<File<'a>>,
    /// `inpainting`, `outpainting` and the like.
    pub(crate) kind: Option<Text<'a>>,
    /// The picture as it might have been, instead of one that a prompt describes.
    pub(crate) is_variation: bool,
}

impl<'a> Edit<'a> {
    /// A picture from words alone.
    pub(crate) fn of_words(mut drawing: Request<'a>) -> Result<Self, Error> {
        let is_image = |member: &&Member<'a>| IMAGES.contains(&&*member.0);
        let images =
            drawing.rest.iter().filter(is_image).map(|(name, value)| read_images(name, *value));
        let images = images.collect::<Result<Vec<_>, _>>()?.concat();
        drawing.rest.retain(|member| !is_image(&member));
        Ok(Self { drawing, images, mask: None, kind: None, is_variation: false })
    }

    /// The kind in lower case; empty where the caller names none.
    pub(crate) fn kind(&self) -> String {
        self.kind.as_ref().map(|kind| kind.plain().to_ascii_lowercase()).unwrap_or_default()
    }

    /// The value of a member that only some vendors know.
    pub(crate) fn own(&self, name: &str) -> Option<Raw<'a>> {
        let mut members = self.drawing.rest.iter().chain(&self.drawing.extra);
        members.find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Notes members without a common meaning that the target does not know; what belongs to the question itself is
    /// an error instead.
    pub(crate) fn note_rest(
        &self,
        known: &[&str],
        target: Dialect,
        notes: &mut Notes,
    ) -> Result<(), Error> {
        let members = self.drawing.rest.iter().chain(&self.drawing.extra);
        for (name, value) in members.filter(|(name, _)| !known.contains(&&**name)) {
            let is_off = value.as_bool() == Some(false) || value.as_u64() == Some(0);
            if super::ESSENTIAL_MEMBERS.contains(&&**name) && !is_off {
                return Err(Error::at(name, What::Inexpressible(target)));
            }
            notes.drop(name);
        }
        Ok(())
    }

    /// Notes what the target has no place for.
    pub(crate) fn note(&self, notes: &mut Notes, names: &[&str]) {
        let drawing = &self.drawing;
        for name in names {
            let is_said = match *name {
                "aspect_ratio" => drawing.aspect_ratio.is_some(),
                "negative_prompt" => drawing.negative_prompt.is_some(),
                "num_inference_steps" => drawing.steps.is_some(),
                "output_compression" => drawing.output_compression.is_some(),
                "output_format" => drawing.output_format.is_some(),
                "resolution" => drawing.resolution.is_some(),
                "response_format" => {
                    drawing.response_format.as_ref().is_some_and(|it| *it == *"url")
                }
                "seed" => drawing.seed.is_some(),
                "size" => drawing.size.is_some(),
                "type" => self.kind.is_some(),
                "user" => drawing.user.is_some(),
                _ => false,
            };
            if is_said {
                notes.drop(name);
            }
        }
    }
}

/// The bytes of a picture in base64; a target that fetches none refuses one that is elsewhere.
pub(crate) fn base64<'f>(
    file: &'f File<'_>,
    field: &str,
    target: Dialect,
) -> Result<Text<'f>, Error> {
    file.base64().ok_or_else(|| Error::at(field, What::Inexpressible(target)))
}

/// Members of JSON that hold pictures.
const IMAGES: &[&str] = &["image", "images", "input_images"];

/// Pictures in JSON: a URL, an object with one, or a list of them.
pub(crate) fn read_images<'a>(name: &str, value: Raw<'a>) -> Result<Vec<File<'a>>, Error> {
    if value.is_array() {
        return fields::each(name, value, |_, it| read_image("", it));
    }
    Ok(vec![read_image(name, value)?])
}

fn read_image<'a>(name: &str, value: Raw<'a>) -> Result<File<'a>, Error> {
    let of_object = || ["image_url", "url"].into_iter().find_map(|it| value.member(it));
    let url = value.as_text().or_else(|| of_object()?.as_text());
    let url = url.or_else(|| fields::lenient_text(of_object()?, "url"));
    url.map(File::of_url).ok_or_else(|| fields::wrong_type(name, "a URL, or an object with one"))
}
