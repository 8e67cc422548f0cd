//! The path of an operation, with a place for the model.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is encoded in a model id inside of a path: all but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ENCODED_PATH: &AsciiSet = &ENCODED.remove(b'/');

/// What stands for the model in a row's path.
const MODEL: &str = "{model}";

/// The same, for ids whose slashes are part of the path.
const MODEL_PATH: &str = "{+model}";

/// A path below a base path: fixed, or with the model id in it.
#[derive(Clone, Debug)]
pub struct Path {
    before: Box<str>,
    model: Option<ModelPlace>,
    /// As the row has it, where it has other places than the model's.
    template: Option<Box<str>>,
}

#[derive(Clone, Debug)]
struct ModelPlace {
    encoded: &'static AsciiSet,
    after: Box<str>,
}

impl Path {
    /// Reads `/models/{model}:generateContent` and the like.
    pub fn new(template: &str) -> Self {
        let places = [(MODEL, ENCODED), (MODEL_PATH, ENCODED_PATH)];
        let found = places.into_iter().find_map(|(name, encoded)| {
            template.split_once(name).map(|(before, after)| (before, after, encoded))
        });
        let kept = template.contains('{').then(|| template.into());
        let Some((before, after, encoded)) = found else {
            return Self { before: template.into(), model: None, template: kept };
        };
        let model = Some(ModelPlace { encoded, after: after.into() });
        Self { before: before.into(), model, template: kept }
    }

    /// Whether the model stands in it.
    pub fn has_model(&self) -> bool {
        self.model.is_some()
    }

    /// Hands the pieces of the path for `model` to `push`.
    pub fn write(&self, model: &str, push: &mut impl FnMut(&str)) {
        push(&self.before);
        if let Some(place) = &self.model {
            utf8_percent_encode(model, place.encoded).for_each(&mut *push);
            push(&place.after);
        }
    }

    /// The path with `value` of each name in its places; an unknown name is an empty text. In `{+name}` slashes are part
    /// of the path, and `{=name}` is encoded already.
    pub fn fill<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> String {
        let mut rest = self.template.as_deref().unwrap_or(&self.before);
        let mut filled = String::with_capacity(rest.len());
        while let Some((before, (place, after))) = rest
            .split_once('{')
            .and_then(|(before, behind)| Some((before, behind.split_once('}')?)))
        {
            filled.push_str(before);
            let name = place.trim_start_matches(['+', '=']);
            let text = value(name).unwrap_or_default();
            match place.as_bytes().first() {
                Some(b'=') => filled.push_str(text),
                Some(b'+') => filled.extend(utf8_percent_encode(text, ENCODED_PATH)),
                _ => filled.extend(utf8_percent_encode(text, ENCODED)),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// The path for `model` as text.
    pub fn text(&self, model: &str) -> String {
        let mut text = String::new();
        self.write(model, &mut |piece| text.push_str(piece));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_encoded_where_it_belongs() {
        let path = Path::new("/models/{model}:go?alt=sse");
        assert_eq!(path.text("a/b c:1"), "/models/a%2Fb%20c%3A1:go?alt=sse");
        assert_eq!(Path::new("/v1/models/{+model}/run").text("a/b c"), "/v1/models/a/b%20c/run");
        assert_eq!(Path::new("/v1/chat").text("m"), "/v1/chat");
    }

    #[test]
    fn other_places_are_filled_by_name() {
        let value = |name: &str| match name {
            "id" => Some("c/1"),
            "file" => Some("f"),
            _ => None,
        };
        let fill = |template| Path::new(template).fill(value);
        assert_eq!(fill("/c/{id}/files/{file}/content"), "/c/c%2F1/files/f/content");
        assert_eq!(fill("/{+id}?x={y}"), "/c/1?x=");
        assert_eq!(Path::new("/{=rest}").fill(|_| Some("a%2Fb/c:d")), "/a%2Fb/c:d");
        assert_eq!(fill("/v1/files"), "/v1/files");
    }
}
