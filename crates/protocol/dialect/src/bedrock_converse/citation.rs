//! Citations: where a statement of the answer comes from.

use crate::canonical::{Citation, Place, PlaceUnit};
use crate::fields;
use crate::json::{Object, Raw, Text};

/// How a citation spells what its place counts.
const PLACES: &[(PlaceUnit, &str, &str)] = &[
    (PlaceUnit::Characters, "documentChar", "documentIndex"),
    (PlaceUnit::Pages, "documentPage", "documentIndex"),
    (PlaceUnit::Pieces, "documentChunk", "documentIndex"),
    (PlaceUnit::ResultPieces, "searchResultLocation", "searchResultIndex"),
];

/// Reads one citation.
pub(super) fn read_citation<'a>(citation: Raw<'a>) -> Citation<'a> {
    let location = citation.member("location");
    let web = location.and_then(|location| location.member("web"));
    let source =
        || fields::lenient_text(citation, "source").filter(|source| source.plain().contains("://"));
    Citation {
        url: web.and_then(|web| fields::lenient_text(web, "url")).or_else(source),
        title: fields::lenient_text(citation, "title"),
        range: None,
        quote: citation.member("sourceContent").and_then(read_quote),
        place: location.and_then(read_place),
        raw: Some(citation),
    }
}

fn read_quote(content: Raw<'_>) -> Option<Text<'_>> {
    let texts = || content.elements().filter_map(|piece| fields::lenient_text(piece, "text"));
    match texts().count() {
        0 => None,
        1 => texts().next(),
        _ => Some(texts().map(|text| text.plain().into_owned()).collect::<String>().into()),
    }
}

fn read_place(location: Raw<'_>) -> Option<Place> {
    PLACES.iter().find_map(|(unit, kind, document)| {
        let place = location.member(kind)?;
        let count = |name| place.member(name).and_then(|count| count.as_u64());
        let (start, end) = count("start").zip(count("end"))?;
        Some(Place { unit: *unit, document: count(document).unwrap_or(0), start, end })
    })
}

/// Writes the members of a citation.
pub(super) fn write_citation(citation: &Citation<'_>, object: &mut Object<'_>) {
    object.text_if("title", citation.title.as_ref());
    if let Some(quote) = &citation.quote {
        object.array("sourceContent").object().text("text", quote);
    }
    match (&citation.place, &citation.url) {
        (Some(place), url) => {
            object.text_if("source", url.as_ref());
            write_place(place, object.object("location"));
        }
        (None, Some(url)) => object.object("location").object("web").text("url", url),
        (None, None) => {}
    }
}

fn write_place(place: &Place, mut location: Object<'_>) {
    let Some((_, kind, document)) = PLACES.iter().find(|(unit, ..)| *unit == place.unit) else {
        return;
    };
    let mut inner = location.object(kind);
    inner.u64(document, place.document);
    inner.u64("start", place.start);
    inner.u64("end", place.end);
}
