//! A file in a request: its bytes, or where they are.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, What};
use crate::json::Text;

/// A recording or a picture.
#[derive(Clone, Debug)]
pub(crate) struct File<'a> {
    pub(crate) content: Content<'a>,
    pub(crate) name: Option<Cow<'a, str>>,
    /// As the caller named it.
    pub(crate) media_type: Option<Cow<'a, str>>,
}

/// Where the bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Content<'a> {
    Bytes(&'a [u8]),
    Base64(Text<'a>),
    Url(Text<'a>),
}

/// What programs send that do not know.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// File name extensions and what they stand for. The first of a type is the one that is written.
const EXTENSIONS: &[(&str, &str)] = &[
    ("flac", "audio/flac"),
    ("mp3", "audio/mpeg"),
    ("mpga", "audio/mpeg"),
    ("mpeg", "audio/mpeg"),
    ("m4a", "audio/mp4"),
    ("mp4", "audio/mp4"),
    ("ogg", "audio/ogg"),
    ("oga", "audio/ogg"),
    ("opus", "audio/ogg"),
    ("wav", "audio/wav"),
    ("webm", "audio/webm"),
    ("aac", "audio/aac"),
    ("aiff", "audio/aiff"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
];

impl<'a> File<'a> {
    /// The file a URL leads to, or that it is.
    pub(crate) fn of_url(url: Text<'a>) -> Self {
        let plain = url.plain();
        let data = plain.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
        match data {
            Some((media_type, data)) => Self {
                content: Content::Base64(data.to_owned().into()),
                name: None,
                media_type: (!media_type.is_empty()).then(|| Cow::Owned(media_type.to_owned())),
            },
            None => {
                drop(plain);
                Self { content: Content::Url(url), name: None, media_type: None }
            }
        }
    }

    /// What the file is: as the caller says, as its name ends, or as it begins.
    pub(crate) fn media_type(&self) -> Option<Cow<'_, str>> {
        let said = self.media_type.as_deref().map(|said| said.split(';').next().unwrap_or(said));
        let said = said.map(str::trim).filter(|said| !said.is_empty() && *said != UNKNOWN_TYPE);
        if let Some(said) = said {
            return Some(Cow::Borrowed(said));
        }
        let known = |name: &str| {
            let (_, extension) = name.rsplit_once('.')?;
            let is_it = |(known, _): &&(&str, &str)| extension.eq_ignore_ascii_case(known);
            EXTENSIONS.iter().find(is_it).map(|(_, media_type)| *media_type)
        };
        self.name.as_deref().and_then(known).or_else(|| self.sniffed()).map(Cow::Borrowed)
    }

    /// The name of the file, or one that tells what it is.
    pub(crate) fn file_name(&self) -> Cow<'_, str> {
        if let Some(name) = self.name.as_deref().filter(|name| !name.is_empty()) {
            return Cow::Borrowed(name);
        }
        let media_type = self.media_type();
        let is_it = |(_, known): &&(&str, &str)| media_type.as_deref() == Some(known);
        let extension = EXTENSIONS.iter().find(is_it).map_or("bin", |(extension, _)| *extension);
        Cow::Owned(format!("file.{extension}"))
    }

    fn sniffed(&self) -> Option<&'static str> {
        let decoded;
        let start = match &self.content {
            Content::Bytes(bytes) => bytes,
            Content::Base64(data) => {
                let plain = data.plain();
                decoded = STANDARD.decode(plain.get(..16)?).ok()?;
                decoded.as_slice()
            }
            Content::Url(_) => return None,
        };
        Some(match start {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            [b'I', b'D', b'3', ..] | [0xff, 0xe2..=0xff, ..] => "audio/mpeg",
            [b'f', b'L', b'a', b'C', ..] => "audio/flac",
            [b'O', b'g', b'g', b'S', ..] => "audio/ogg",
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => "audio/mp4",
            [0x1a, 0x45, 0xdf, 0xa3, ..] => "audio/webm",
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', ..] => "image/gif",
            _ => return None,
        })
    }

    /// The bytes in base64; none where only a URL is known.
    pub(crate) fn base64(&self) -> Option<Text<'_>> {
        match &self.content {
            Content::Bytes(bytes) => Some(STANDARD.encode(bytes).into()),
            Content::Base64(data) => Some(data.clone()),
            Content::Url(_) => None,
        }
    }

    /// The bytes; none where only a URL is known.
    pub(crate) fn bytes(&self) -> Result<Option<Cow<'_, [u8]>>, Error> {
        match &self.content {
            Content::Bytes(bytes) => Ok(Some(Cow::Borrowed(bytes))),
            Content::Base64(data) => {
                let decoded = STANDARD.decode(data.plain().as_bytes());
                let decoded = decoded.map_err(|_| Error::new(What::Invalid("must be base64")))?;
                Ok(Some(Cow::Owned(decoded)))
            }
            Content::Url(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file<'a>(bytes: &'a [u8], name: Option<&'a str>, media_type: Option<&'a str>) -> File<'a> {
        File {
            content: Content::Bytes(bytes),
            name: name.map(Cow::Borrowed),
            media_type: media_type.map(Cow::Borrowed),
        }
    }

    #[test]
    fn a_file_is_what_is_said_or_seen() {
        for (bytes, name, media_type, expected) in [
            (&b""[..], Some("a.mp3"), Some("audio/x-mine; q=1"), Some("audio/x-mine")),
            (b"", Some("a.MP3"), Some(UNKNOWN_TYPE), Some("audio/mpeg")),
            (b"fLaC", Some("a"), None, Some("audio/flac")),
            (b"RIFF1234WAVEfmt ", None, None, Some("audio/wav")),
            (b"\xff\xd8\xff\xe0", None, None, Some("image/jpeg")),
            (b"\xff\xfb\x90", None, None, Some("audio/mpeg")),
            (b"?", None, None, None),
        ] {
            let file = file(bytes, name, media_type);
            assert_eq!(file.media_type().as_deref(), expected, "{name:?} {bytes:?}");
        }
    }

    #[test]
    fn a_data_url_is_the_file_itself() {
        let file = File::of_url("data:image/png;base64,iVBORw0KGgo=".into());
        assert_eq!(file.media_type().as_deref(), Some("image/png"));
        assert_eq!(file.bytes().expect("base64").as_deref(), Some(&b"\x89PNG\r\n\x1a\n"[..]));
        assert_eq!(file.file_name(), "file.png");
        let file = File::of_url("https://example.com/a.png".into());
        assert!(file.base64().is_none() && file.bytes().expect("no base64").is_none());
        let file = File::of_url("data:;base64,iVBORw0KGgoAAAANSUhEUg==".into());
        assert_eq!(file.media_type().as_deref(), Some("image/png"));
    }
}
