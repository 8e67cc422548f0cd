//! Where an answer comes from: `groundingMetadata` and `citationMetadata`.

use super::characters::Characters;
use super::spelling::elements;
use crate::canonical::Citation;
use crate::fields;
use crate::json::{Array, Object, Raw, Text};

/// What a source of the answer may be.
const SOURCES: [&str; 3] = ["web", "retrievedContext", "maps"];

/// Reads what a candidate says about its sources: what statements rest on, then what else was found.
pub(super) fn read_citations<'a>(candidate: Raw<'a>, text: &Characters) -> Vec<Citation<'a>> {
    let mut citations = Vec::new();
    if let Some(grounding) = candidate.member("groundingMetadata") {
        read_grounding(grounding, text, &mut citations);
    }
    let metadata = candidate.member("citationMetadata");
    let sources = metadata.and_then(|metadata| {
        metadata.member("citationSources").or_else(|| metadata.member("citations"))
    });
    for source in sources.iter().flat_map(|sources| elements(*sources)) {
        citations.extend(read_source(source, range(source, text)));
    }
    citations
}

fn read_grounding<'a>(grounding: Raw<'a>, text: &Characters, citations: &mut Vec<Citation<'a>>) {
    let Some(chunks) = grounding.member("groundingChunks") else { return };
    let mut used = vec![false; chunks.elements().count()];
    let supports = grounding.member("groundingSupports");
    for support in supports.iter().flat_map(|supports| supports.elements()) {
        let range = support.member("segment").and_then(|segment| range(segment, text));
        let indices = support.member("groundingChunkIndices");
        for index in indices.iter().flat_map(|indices| indices.elements()) {
            let index = index.as_u64().unwrap_or(u64::MAX) as usize;
            if let Some(chunk) = chunks.elements().nth(index) {
                used[index] = true;
                citations.extend(read_chunk(chunk, range));
            }
        }
    }
    let unused = chunks.elements().zip(&used).filter(|(_, used)| !**used);
    citations.extend(unused.filter_map(|(chunk, _)| read_chunk(chunk, None)));
}

fn read_chunk<'a>(chunk: Raw<'a>, range: Option<(u64, u64)>) -> Option<Citation<'a>> {
    read_source(SOURCES.iter().find_map(|name| chunk.member(name))?, range)
}

/// A source; one without an address has no place in other dialects.
fn read_source<'a>(source: Raw<'a>, range: Option<(u64, u64)>) -> Option<Citation<'a>> {
    Some(Citation {
        url: Some(fields::lenient_text(source, "uri")?),
        title: fields::lenient_text(source, "title"),
        range,
        ..Citation::default()
    })
}

/// `startIndex` to `endIndex`, in bytes; the start is left out when it is 0.
fn range(segment: Raw<'_>, text: &Characters) -> Option<(u64, u64)> {
    let place = |name| segment.member(name).and_then(|place| place.as_u64());
    let from = text.of_bytes(place("startIndex").unwrap_or(0))?;
    Some((from, text.of_bytes(place("endIndex")?)?))
}

/// A citation and the range it covers, in characters.
pub(super) type Placed<'c, 'a> = (&'c Citation<'a>, Option<(u64, u64)>);

/// Writes `groundingMetadata`; nothing when no citation has an address.
pub(super) fn write_citations(
    mut citations: Vec<Placed<'_, '_>>,
    text: &Characters,
    candidate: &mut Object<'_>,
) {
    citations.retain(|(citation, _)| citation.url.is_some());
    if citations.is_empty() {
        return;
    }
    let mut grounding = candidate.object("groundingMetadata");
    let urls = write_chunks(&citations, grounding.array("groundingChunks"));
    write_supports(&citations, &urls, text, grounding.array("groundingSupports"));
}

/// Writes each source once; returns their URLs in order.
fn write_chunks<'c, 'a>(citations: &[Placed<'c, 'a>], mut array: Array<'_>) -> Vec<&'c Text<'a>> {
    let mut urls: Vec<&Text<'a>> = Vec::new();
    for (citation, _) in citations {
        let Some(url) = citation.url.as_ref().filter(|url| !urls.contains(url)) else { continue };
        let mut chunk = array.object();
        let mut web = chunk.object("web");
        web.text("uri", url);
        web.text_if("title", citation.title.as_ref());
        urls.push(url);
    }
    urls
}

/// Writes what each statement rests on. Neighbours that cover the same range are one support.
fn write_supports(
    citations: &[Placed<'_, '_>],
    urls: &[&Text<'_>],
    text: &Characters,
    mut array: Array<'_>,
) {
    for same in citations.chunk_by(|one, next| one.1 == next.1) {
        let Some((_, Some((from, to)))) = same.first() else { continue };
        let (Some(from), Some(to)) = (text.to_bytes(*from), text.to_bytes(*to)) else { continue };
        let mut support = array.object();
        let mut segment = support.object("segment");
        segment.u64("startIndex", from);
        segment.u64("endIndex", to);
        drop(segment);
        let mut indices = support.array("groundingChunkIndices");
        for (citation, _) in same {
            let index = urls.iter().position(|url| Some(*url) == citation.url.as_ref());
            let mut digits = itoa::Buffer::new();
            indices.element().extend_from_slice(digits.format(index.unwrap_or(0)).as_bytes());
        }
    }
}
