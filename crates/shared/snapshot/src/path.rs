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
        let Some((before, after, encoded)) = found else {
            return Self { before: template.into(), model: None };
        };
        Self { before: before.into(), model: Some(ModelPlace { encoded, after: after.into() }) }
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
}
