//! Laying members over a finished object, as `x-bf-passthrough-extra-params` asks for.

use std::borrow::Cow;

use super::raw::Raw;
use super::write::Object;

/// Writes `base` with `overlay` laid over it: objects are merged member by member, any other value is replaced, and the
/// order of `base` is kept. Depth is bounded by that of the documents.
pub(crate) fn merge(base: Raw<'_>, overlay: &[(Cow<'_, str>, Raw<'_>)], out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    for (name, value) in base.members() {
        match overlay.iter().rfind(|(over, _)| *over == name) {
            Some((_, over)) if over.is_object() && value.is_object() => {
                let inner: Vec<_> = over.members().collect();
                merge(value, &inner, object.key(&name));
            }
            Some((_, over)) => object.raw(&name, *over),
            None => object.raw(&name, value),
        }
    }
    for (name, value) in overlay {
        if !base.members().any(|(known, _)| known == *name) {
            object.raw(name, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Index;
    use super::*;

    #[test]
    fn objects_merge_and_everything_else_is_replaced() {
        let (mut first, mut second) = (Index::new(), Index::new());
        let base = first.read(br#"{"a":{"x":1,"y":[1]},"b":2,"c":3}"#).expect("valid");
        let over = second.read(br#"{"b":[],"a":{"y":[2],"z":{}},"d":4}"#).expect("valid");
        let mut out = Vec::new();
        merge(base, &over.members().collect::<Vec<_>>(), &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(text, r#"{"a":{"x":1,"y":[2],"z":{}},"b":[],"c":3,"d":4}"#);
    }
}
