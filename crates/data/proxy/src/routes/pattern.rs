//! Paths with places in them: `{model}` may span slashes, every other name is one segment.

/// The place that may hold slashes: model ids of many providers do.
const MODEL: &str = "model";

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

/// What stands in the place called `name`, still percent-encoded; `None` where the path is not of
/// this pattern. With an empty name: the empty text, where it is.
pub(crate) fn capture<'p>(pattern: &str, path: &'p str, name: &str) -> Option<&'p str> {
    let (mut pattern, mut path, mut found) = (pattern, path, "");
    while let Some((literal, place, behind)) = split(pattern) {
        path = path.strip_prefix(literal)?;
        let value = match place {
            // What follows the model is literal, so the model is all before it.
            MODEL => path.strip_suffix(behind)?,
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
