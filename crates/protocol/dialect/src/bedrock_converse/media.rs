//! The vendor's closed lists of formats, and the media types others use for them.

/// Images.
const IMAGES: &[(&str, &str)] = &[
    ("png", "image/png"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    // Not a registered type, but a common one; only ever read.
    ("jpeg", "image/jpg"),
];

/// Films.
const VIDEOS: &[(&str, &str)] = &[
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("mkv", "video/x-matroska"),
    ("webm", "video/webm"),
    ("flv", "video/x-flv"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpg"),
    ("wmv", "video/x-ms-wmv"),
    ("three_gp", "video/3gpp"),
    // As Google spells them; only ever read.
    ("mov", "video/mov"),
    ("wmv", "video/wmv"),
];

/// Documents.
const DOCUMENTS: &[(&str, &str)] = &[
    ("pdf", "application/pdf"),
    ("csv", "text/csv"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", "application/vnd.ms-excel"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("html", "text/html"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
];

/// The media type of an image format.
pub(super) fn image_type(format: &str) -> Option<&'static str> {
    type_of(IMAGES, format)
}

/// The format of an image's media type.
pub(super) fn image_format(media_type: &str) -> Option<&'static str> {
    format_of(IMAGES, media_type)
}

/// The media type of a film's format.
pub(super) fn video_type(format: &str) -> Option<&'static str> {
    type_of(VIDEOS, format)
}

/// The format of a film's media type.
pub(super) fn video_format(media_type: &str) -> Option<&'static str> {
    format_of(VIDEOS, media_type)
}

/// The media type of a document format.
pub(super) fn document_type(format: &str) -> Option<&'static str> {
    type_of(DOCUMENTS, format)
}

/// The format of a document: by its media type, or by the ending of its name.
pub(super) fn document_format(media_type: &str, name: Option<&str>) -> Option<&'static str> {
    let by_name = || {
        let (_, ending) = name?.rsplit_once('.')?;
        DOCUMENTS.iter().find(|(format, _)| ending.eq_ignore_ascii_case(format)).map(|(it, _)| *it)
    };
    let is_text = media_type.starts_with("text/");
    format_of(DOCUMENTS, media_type).or_else(by_name).or(is_text.then_some("txt"))
}

fn type_of(table: &[(&str, &'static str)], format: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == format).map(|(_, media_type)| *media_type)
}

/// Parameters, as in `text/plain; charset=utf-8`, do not count.
fn format_of(table: &[(&'static str, &str)], media_type: &str) -> Option<&'static str> {
    let plain = media_type.split(';').next().unwrap_or_default().trim();
    table.iter().find(|(_, known)| plain.eq_ignore_ascii_case(known)).map(|(format, _)| *format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_media_types_match() {
        assert_eq!(image_format("image/jpg"), Some("jpeg"));
        assert_eq!(image_format("IMAGE/PNG"), Some("png"));
        assert_eq!(image_format("image/tiff"), None);
        assert_eq!(image_type("jpeg"), Some("image/jpeg"));
        assert_eq!(video_format("video/mov"), Some("mov"));
        assert_eq!(video_type("mov"), Some("video/quicktime"));
        assert_eq!(video_type("avi"), None);
        for (format, media_type) in DOCUMENTS {
            assert_eq!(document_type(format), Some(*media_type));
            assert_eq!(document_format(media_type, Some("x.pdf")), Some(*format));
        }
    }

    #[test]
    fn a_document_of_another_type_goes_by_its_name() {
        assert_eq!(document_format("application/octet-stream", Some("a.b.DOCX")), Some("docx"));
        assert_eq!(document_format("text/plain; charset=utf-8", None), Some("txt"));
        assert_eq!(document_format("text/x-rust", Some("main.rs")), Some("txt"));
        assert_eq!(document_format("application/zip", Some("a.zip")), None);
    }
}
