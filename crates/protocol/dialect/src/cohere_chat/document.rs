//! Documents: texts with a few members around them, given beside the messages or as results of tools.

use crate::Dialect;
use crate::anthropic_messages::plain_document;
use crate::canonical::{Part, PartKind, Source};
use crate::error::{Error, What};
use crate::fields;
use crate::json::{Object, Raw, Text};

/// Reads a document: a text; or an object whose `data` has a text and perhaps a title and an address. Any other data is
/// one text, spelt as JSON.
pub(super) fn read_document<'a>(document: Raw<'a>) -> Result<PartKind<'a>, Error> {
    if let Some(text) = document.as_text() {
        return Ok(plain(text, None));
    }
    let data = fields::required(fields::object("document", document)?, "data")?;
    if let Some(text) = data.as_text() {
        return Ok(plain(text, None));
    }
    let as_json = || plain(data.text().into(), None);
    let (mut text, mut title, mut url) = (None, None, None);
    for (name, value) in data.members() {
        let place = match &*name {
            "text" | "snippet" if text.is_none() => &mut text,
            "title" => &mut title,
            "url" => &mut url,
            _ => return Ok(as_json()),
        };
        *place = value.as_text();
    }
    Ok(match (text, url) {
        (None, _) => as_json(),
        (Some(text), None) => plain(text, title),
        (Some(text), source) => {
            PartKind::SearchResult { source, title, content: vec![Part::text(text)] }
        }
    })
}

fn plain<'a>(text: Text<'a>, name: Option<Text<'a>>) -> PartKind<'a> {
    PartKind::Document { source: Source::Plain(text), name }
}

/// Writes a document, if the part is one that consists of text.
pub(super) fn write_document(part: &Part<'_>, mut object: Object<'_>) -> Result<(), Error> {
    let mut data = object.object("data");
    match &part.kind {
        PartKind::SearchResult { source, title, content } => {
            data.text_if("title", title.as_ref());
            data.text_if("url", source.as_ref());
            write_texts(content, &mut data)
        }
        PartKind::Document { source, name } => {
            data.text_if("title", name.as_ref());
            write_source(source, &mut data)
        }
        PartKind::Text { .. }
        | PartKind::Image { .. }
        | PartKind::Audio { .. }
        | PartKind::Video { .. }
        | PartKind::ToolCall(_)
        | PartKind::ToolResult(_)
        | PartKind::Reasoning(_)
        | PartKind::Refusal(_)
        | PartKind::ServerCall(_)
        | PartKind::ServerResult(_)
        | PartKind::Other(_) => Err(inexpressible()),
    }
}

fn write_source(source: &Source<'_>, data: &mut Object<'_>) -> Result<(), Error> {
    match source {
        Source::Plain(text) => data.text("text", text),
        Source::Parts(parts) => return write_texts(parts, data),
        Source::Base64 { media_type, data: encoded } => match plain_document(media_type, encoded) {
            Some(text) => data.text("text", &text),
            None => return Err(inexpressible()),
        },
        Source::Url(_) | Source::FileId(_) => return Err(inexpressible()),
    }
    Ok(())
}

/// All texts as one, a blank line between two.
fn write_texts(parts: &[Part<'_>], data: &mut Object<'_>) -> Result<(), Error> {
    let out = data.key("text");
    out.push(b'"');
    for (position, part) in parts.iter().enumerate() {
        let PartKind::Text { text, .. } = &part.kind else { return Err(inexpressible()) };
        if position > 0 {
            out.extend_from_slice(b"\\n\\n");
        }
        text.write_inner(out);
    }
    out.push(b'"');
    Ok(())
}

fn inexpressible() -> Error {
    Error::at("source", What::Inexpressible(Dialect::CohereChat))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    #[test]
    fn documents_are_texts_with_a_title_and_an_address_or_json() {
        let cases = [
            (r#""a""#, r#"{"data":{"text":"a"}}"#),
            (r#"{"data":"a"}"#, r#"{"data":{"text":"a"}}"#),
            (r#"{"data":{"snippet":"a","title":"b"}}"#, r#"{"data":{"title":"b","text":"a"}}"#),
            (
                r#"{"id":"1","data":{"text":"a","url":"http://b"}}"#,
                r#"{"data":{"url":"http://b","text":"a"}}"#,
            ),
            (r#"{"data":{"sum":5}}"#, r#"{"data":{"text":"{\"sum\":5}"}}"#),
            (r#"{"data":{"title":"b"}}"#, r#"{"data":{"text":"{\"title\":\"b\"}"}}"#),
        ];
        for (document, expected) in cases {
            let mut index = Index::new();
            let root = index.read(document.as_bytes()).expect("valid");
            let part = read_document(root).expect("a document").into();
            let mut out = Vec::new();
            write_document(&part, Object::new(&mut out)).expect("consists of text");
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
        }
    }
}
