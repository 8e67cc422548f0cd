//! Paths with places in them: `{model}`, `{rest}` and `{key}` may span slashes, every other name is one segment.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The place that may hold slashes: model ids of many providers do.
const MODEL: &str = "model";

/// All that follows.
const REST: &str = "rest";

/// The name of an object in a bucket.
const KEY: &str = "key";

/// Whether a path as served has places in it.
pub(crate) const fn has_places(pattern: &str) -> bool {
    let bytes = pattern.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{' {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether one of the places is the model's.
pub(crate) const fn has_model(pattern: &str) -> bool {
    let (bytes, model) = (pattern.as_bytes(), b"{model}");
    let mut at = 0;
    while at + model.len() <= bytes.len() {
        let mut same = 0;
        while same < model.len() && bytes[at + same] == model[same] {
            same += 1;
        }
        if same == model.len() {
            return true;
        }
        at += 1;
    }
    false
}

/// What stands in the place called `name`, still percent-encoded; `None` where the path is not of
/// this pattern. With an empty name: the empty text, where it is.
pub(crate) fn capture<'p>(pattern: &str, path: &'p str, name: &str) -> Option<&'p str> {
    let (mut pattern, mut path, mut found) = (pattern, path, "");
    while let Some((literal, place, behind)) = split(pattern) {
        path = path.strip_prefix(literal)?;
        let value = match place {
            MODEL => before(path, behind)?,
            _ => path.split_once('/').map_or(path, |(segment, _)| segment),
        };
        if value.is_empty() {
            return None;
        }
        if place == name {
            found = value;
        }
        path = &path[value.len()..];
        pattern = behind;
    }
    (path == pattern).then_some(found)
}

/// What a path says in the places of its pattern, by name and decoded.
pub(crate) type Captures<'p> = Vec<(&'static str, Cow<'p, str>)>;

/// The capture of that name.
pub(crate) fn of<'c>(captures: &'c Captures<'_>, name: &str) -> Option<Cow<'c, str>> {
    let found = captures.iter().find(|(known, _)| *known == name)?;
    Some(Cow::Borrowed(&*found.1))
}

/// What stands in all places; `None` where the path is not of this pattern, or not UTF-8. The rest of a path stays
/// as it is.
pub(crate) fn captures<'p>(mut pattern: &'static str, mut path: &'p str) -> Option<Captures<'p>> {
    let mut found = Vec::new();
    while let Some((literal, place, behind)) = split(pattern) {
        path = path.strip_prefix(literal)?;
        let value = match place {
            MODEL | REST | KEY => before(path, behind)?,
            _ => {
                let segment = path.split_once('/').map_or(path, |(segment, _)| segment);
                // A verb may stand behind an id: `{id}:cancel`.
                let verb = behind.split('/').next().unwrap_or_default();
                segment.strip_suffix(verb)?
            }
        };
        if value.is_empty() {
            return None;
        }
        let decoded = match place {
            REST => Cow::Borrowed(value),
            _ => percent_decode_str(value).decode_utf8().ok()?,
        };
        found.push((place, decoded));
        path = path.get(value.len()..)?;
        pattern = behind;
    }
    (path == pattern).then_some(found)
}

/// What stands before the rest of a pattern: all that can, where another place follows.
fn before<'p>(path: &'p str, behind: &str) -> Option<&'p str> {
    match behind.split_once('{') {
        None => path.strip_suffix(behind),
        Some((literal, _)) => path.rfind(literal).map(|at| &path[..at]),
    }
}

/// What stands before the first place, its name, and what stands behind it.
fn split(pattern: &str) -> Option<(&str, &str, &str)> {
    let (literal, rest) = pattern.split_once('{')?;
    let (name, behind) = rest.split_once('}')?;
    Some((literal, name, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_may_stand_behind_the_model() {
        let pattern = "/models/{model}/operations/{id}";
        let found = captures(pattern, "/models/a/operations/b/operations/c").unwrap();
        assert_eq!(of(&found, "model").as_deref(), Some("a/operations/b"));
        assert_eq!(of(&found, "id").as_deref(), Some("c"));
        assert_eq!(capture(pattern, "/models/a/operations/c", "id"), Some("c"));
        assert!(captures(pattern, "/models/a/c").is_none());
    }

    #[test]
    fn a_model_may_span_slashes_and_other_places_may_not() {
        let pattern = "/v1beta/models/{model}:generateContent";
        let model = |path| capture(pattern, path, "model");
        assert_eq!(model("/v1beta/models/openai/gpt-4o:generateContent"), Some("openai/gpt-4o"));
        assert_eq!(model("/v1beta/models/a:b:generateContent"), Some("a:b"));
        assert_eq!(model("/v1beta/models/:generateContent"), None);
        assert_eq!(model("/v1beta/models/m:countTokens"), None);
        let pattern = "/containers/{container}/files/{file}/content";
        let path = "/containers/c%2F1/files/f/content";
        assert_eq!(capture(pattern, path, "container"), Some("c%2F1"));
        assert_eq!(capture(pattern, path, "file"), Some("f"));
        assert_eq!(capture(pattern, "/containers/c/d/files/f/content", "file"), None);
        assert_eq!(capture(pattern, "/containers/c/files/f/content/x", "file"), None);
    }

    #[test]
    fn a_pattern_cut_anywhere_matches_nothing_else() {
        let path = "/model/eu.amazon/nova%3A1/converse";
        assert_eq!(capture("/model/{model}/converse", path, ""), Some(""));
        for end in 0..path.len() {
            assert_eq!(capture("/model/{model}/converse", &path[..end], ""), None, "{end}");
        }
    }
}
