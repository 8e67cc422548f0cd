//! Images, documents, sounds and films: one kind of part here, told apart by media type.

use std::borrow::Cow;

use super::spelling::member;
use crate::Dialect;
use crate::canonical::{PartKind, Source};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Object, Raw, Text};

/// What bytes without a media type are.
const UNKNOWN_TYPE: Text<'static> = Text::Plain(Cow::Borrowed("application/octet-stream"));

/// Reads `inlineData`.
pub(super) fn read_inline<'a>(data: Raw<'a>) -> Result<PartKind<'a>, Error> {
    let media_type = text(data, "mimeType")?.unwrap_or(UNKNOWN_TYPE);
    let bytes = text(data, "data")?.ok_or_else(|| Error::at("data", What::Missing))?;
    let class = media_type.plain().split('/').next().unwrap_or_default().to_ascii_lowercase();
    if class == "audio" {
        let format = Some(audio_format(&media_type.plain()).into());
        return Ok(PartKind::Audio { data: bytes, format });
    }
    let source = Source::Base64 { media_type, data: bytes };
    Ok(of_class(&class, source, text(data, "displayName")?))
}

/// Reads `fileData`; `None` for what only this dialect takes by reference.
pub(super) fn read_file<'a>(file: Raw<'a>) -> Result<Option<PartKind<'a>>, Error> {
    let url = text(file, "fileUri")?.ok_or_else(|| Error::at("fileUri", What::Missing))?;
    let media_type = text(file, "mimeType")?;
    let class = match &media_type {
        Some(media_type) => media_type.plain().split('/').next().unwrap_or_default().to_owned(),
        None => type_of_url(&url.plain()).split('/').next().unwrap_or_default().to_owned(),
    };
    if class == "audio" {
        return Ok(None);
    }
    Ok(Some(of_class(&class, Source::Url(url), text(file, "displayName")?)))
}

fn text<'a>(object: Raw<'a>, name: &str) -> Result<Option<Text<'a>>, Error> {
    member(object, name).map(|value| fields::text(name, value)).transpose()
}

fn of_class<'a>(class: &str, source: Source<'a>, name: Option<Text<'a>>) -> PartKind<'a> {
    match class {
        "image" => PartKind::Image { source, detail: None },
        "video" => PartKind::Video { source },
        _ => PartKind::Document { source, name },
    }
}

/// Subtypes of `audio/`, each with the name other vendors have for the format. The first of a format is written.
const AUDIO: &[(&str, &str)] = &[
    ("wav", "wav"),
    ("x-wav", "wav"),
    ("wave", "wav"),
    ("vnd.wave", "wav"),
    ("mp3", "mp3"),
    ("mpeg", "mp3"),
    ("ogg", "ogg"),
    ("flac", "flac"),
    ("x-flac", "flac"),
    ("aac", "aac"),
    ("aiff", "aiff"),
    ("x-aiff", "aiff"),
    ("m4a", "m4a"),
    ("x-m4a", "m4a"),
    ("mp4", "m4a"),
    ("webm", "webm"),
    ("l16", "pcm16"),
];

fn audio_format(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("audio/").unwrap_or(&essence);
    let known = AUDIO.iter().find(|(known, _)| *known == subtype);
    known.map_or_else(|| subtype.to_owned(), |(_, format)| (*format).to_owned())
}

fn audio_type(format: &str) -> String {
    let known = AUDIO.iter().find(|(_, known)| *known == format);
    format!("audio/{}", known.map_or(format, |(subtype, _)| subtype))
}

/// How the base64 text of files begins, with the format.
const AUDIO_HEADS: &[(&str, &str)] =
    &[("UklGR", "wav"), ("SUQz", "mp3"), ("//", "mp3"), ("T2dnUw", "ogg"), ("ZkxhQ", "flac")];

/// Writes bytes of sound; where nobody said what they are, they show it themselves.
pub(super) fn write_audio(data: &Text<'_>, format: Option<&Text<'_>>, part: &mut Object<'_>) {
    let media_type = match format {
        Some(format) => audio_type(&format.plain()),
        None => {
            let plain = data.plain();
            let known = AUDIO_HEADS.iter().find(|(head, _)| plain.starts_with(head));
            audio_type(known.map_or("mp3", |(_, format)| format))
        }
    };
    write_inline(&media_type.into(), data, part);
}

/// Whether it is a file in itself or somewhere the vendor can fetch it.
pub(super) fn is_file(source: &Source<'_>) -> bool {
    match source {
        Source::Base64 { .. } | Source::Url(_) => true,
        Source::FileId(id) => is_url(&id.plain()),
        Source::Plain(_) | Source::Parts(_) => false,
    }
}

/// Writes where the bytes of an image, a document or a film are. Plain text and nested parts are not the concern of
/// this function. The default is written for URLs that do not tell what they lead to; Vertex AI wants some type.
pub(super) fn write_source(
    source: &Source<'_>,
    media_type_default: &str,
    part: &mut Object<'_>,
) -> Result<(), Error> {
    match source {
        Source::Base64 { media_type, data } => write_inline(media_type, data, part),
        Source::Url(url) => write_file(url, media_type_default, part),
        Source::FileId(id) if is_url(&id.plain()) => write_file(id, media_type_default, part),
        Source::FileId(_) | Source::Plain(_) | Source::Parts(_) => {
            return Err(Error::at("source", What::Inexpressible(Dialect::Gemini)));
        }
    }
    Ok(())
}

pub(super) fn write_inline(media_type: &Text<'_>, data: &Text<'_>, part: &mut Object<'_>) {
    let mut inline = part.object("inlineData");
    inline.text("mimeType", media_type);
    inline.text("data", data);
}

fn write_file(url: &Text<'_>, media_type_default: &str, part: &mut Object<'_>) {
    let mut file = part.object("fileData");
    let told = type_of_url(&url.plain());
    file.str("mimeType", if told.is_empty() { media_type_default } else { told });
    file.text("fileUri", url);
}

fn is_url(id: &str) -> bool {
    ["https://", "http://", "gs://"].iter().any(|scheme| id.starts_with(scheme))
}

/// File name extensions and the media types they stand for.
const EXTENSIONS: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("avif", "image/avif"),
    ("bmp", "image/bmp"),
    ("svg", "image/svg+xml"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("csv", "text/csv"),
    ("xml", "text/xml"),
    ("json", "application/json"),
    ("mp3", "audio/mp3"),
    ("wav", "audio/wav"),
    ("ogg", "audio/ogg"),
    ("flac", "audio/flac"),
    ("aac", "audio/aac"),
    ("m4a", "audio/m4a"),
    ("mp4", "video/mp4"),
    ("mpeg", "video/mpeg"),
    ("mov", "video/mov"),
    ("avi", "video/avi"),
    ("webm", "video/webm"),
    ("wmv", "video/wmv"),
    ("flv", "video/x-flv"),
    ("3gp", "video/3gpp"),
];

/// Hosts whose pages are films.
const FILM_HOSTS: &[&str] = &["youtube.com/", "youtu.be/"];

/// The media type a URL tells by its extension or its host; empty where it tells none.
fn type_of_url(url: &str) -> &'static str {
    if FILM_HOSTS.iter().any(|host| url.contains(host)) {
        return "video/mp4";
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = EXTENSIONS.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known));
    known.map_or("", |(_, media_type)| media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_its_media_type() {
        for (url, expected) in [
            ("https://example.com/a/photo.JPG?size=2", "image/jpeg"),
            ("gs://bucket/report.v2.pdf", "application/pdf"),
            ("https://www.youtube.com/watch?v=1", "video/mp4"),
            ("https://example.com/file.php", ""),
            ("https://example.com", ""),
            ("", ""),
        ] {
            assert_eq!(type_of_url(url), expected, "{url}");
        }
    }

    #[test]
    fn sounds_are_named_both_ways() {
        for (media_type, format, written) in [
            ("audio/mpeg", "mp3", "audio/mp3"),
            ("audio/x-wav", "wav", "audio/wav"),
            ("audio/L16;codec=pcm;rate=24000", "pcm16", "audio/l16"),
            ("audio/opus", "opus", "audio/opus"),
        ] {
            assert_eq!(audio_format(media_type), format);
            assert_eq!(audio_type(format), written);
        }
    }
}
