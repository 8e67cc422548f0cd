//! Citations: which part of the answer rests on which documents or results of tools.

use crate::canonical::Citation;
use crate::fields;
use crate::json::{Object, Raw};

/// Reads one citation, once for each of its sources that others could name: by an address or a title. Citations of
/// plans and thoughts have no place elsewhere. `start` is where the cited text begins in the answer.
pub(super) fn read_citation<'a>(
    citation: Raw<'a>,
    start: u64,
) -> impl Iterator<Item = Citation<'a>> {
    let is_of_text =
        fields::lenient_text(citation, "type").is_none_or(|kind| kind == *"TEXT_CONTENT");
    let count = |name| citation.member(name).and_then(|count| count.as_u64());
    let range = count("start").zip(count("end"));
    let range = range.map(|(from, to)| (start.saturating_add(from), start.saturating_add(to)));
    let sources = citation.member("sources").filter(|_| is_of_text);
    sources.into_iter().flat_map(|sources| sources.elements()).filter_map(move |source| {
        let cited = source.member("document").or_else(|| source.member("tool_output"))?;
        let (url, title) =
            (fields::lenient_text(cited, "url"), fields::lenient_text(cited, "title"));
        (url.is_some() || title.is_some()).then_some(Citation {
            url,
            title,
            range,
            ..Citation::default()
        })
    })
}

/// Whether the citation says where it points to.
pub(super) fn is_written(citation: &Citation<'_>) -> bool {
    citation.url.is_some() || citation.title.is_some()
}

/// Where a citation belongs to, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Place<'t> {
    /// First and one-past-last character of the block.
    pub(super) range: Option<(u64, u64)>,
    /// The number of the block.
    pub(super) block: Option<u64>,
    /// What it covers.
    pub(super) text: Option<&'t str>,
}

/// Writes one citation of a document.
pub(super) fn write_citation(citation: &Citation<'_>, place: &Place<'_>, mut object: Object<'_>) {
    if let Some((from, to)) = place.range {
        object.u64("start", from);
        object.u64("end", to);
    }
    if let Some(text) = place.text {
        object.str("text", text);
    }
    let mut sources = object.array("sources");
    let mut source = sources.object();
    source.str("type", "document");
    source.text_if("id", citation.url.as_ref().or(citation.title.as_ref()));
    let mut document = source.object("document");
    document.text_if("title", citation.title.as_ref());
    document.text_if("url", citation.url.as_ref());
    drop(document);
    drop(source);
    drop(sources);
    if let Some(block) = place.block {
        object.u64("content_index", block);
    }
    object.str("type", "TEXT_CONTENT");
}
