//! Names in camelCase and in snake_case: clients send either.

use std::borrow::Cow;

use crate::json::Raw;

/// A name in camelCase.
pub(super) fn camel(name: Cow<'_, str>) -> Cow<'_, str> {
    if !name.contains('_') {
        return name;
    }
    let mut camel = String::with_capacity(name.len());
    for word in name.split('_').filter(|word| !word.is_empty()) {
        match word.chars().next().filter(|_| !camel.is_empty()) {
            None => camel.push_str(word),
            Some(first) => {
                camel.push(first.to_ascii_uppercase());
                camel.push_str(&word[first.len_utf8()..]);
            }
        }
    }
    Cow::Owned(camel)
}

/// The member of that name, which is given in camelCase, in either spelling; the last one when it is there twice, `None`
/// when it is null.
pub(super) fn member<'a>(object: Raw<'a>, name: &str) -> Option<Raw<'a>> {
    let found = object.members().filter(|(key, _)| is(key, name)).last();
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

/// The members of an object that are not null, with their names in camelCase.
pub(super) fn members<'a>(object: Raw<'a>) -> impl Iterator<Item = (Cow<'a, str>, Raw<'a>)> {
    object.members().filter(|(_, value)| !value.is_null()).map(|(name, value)| (camel(name), value))
}

/// The elements of an array, or the value itself: hosts take one element without brackets.
pub(super) fn elements<'a>(value: Raw<'a>) -> impl Iterator<Item = Raw<'a>> {
    let alone = Some(value).filter(|value| !value.is_array() && !value.is_null());
    value.elements().chain(alone)
}

fn is(key: &str, camel: &str) -> bool {
    let mut expected = camel.bytes();
    let mut begins_word = false;
    for byte in key.bytes() {
        if byte == b'_' {
            begins_word = true;
            continue;
        }
        let is_first = std::mem::replace(&mut begins_word, false);
        let byte = if is_first { byte.to_ascii_uppercase() } else { byte };
        if expected.next() != Some(byte) {
            return false;
        }
    }
    expected.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_member() {
        for (name, expected) in [
            ("inline_data", "inlineData"),
            ("inlineData", "inlineData"),
            ("parameters_json_schema", "parametersJsonSchema"),
            ("contents", "contents"),
            ("a__b_", "aB"),
            ("", ""),
        ] {
            assert_eq!(camel(name.into()), expected);
            assert!(is(name, expected), "{name}");
        }
        assert!(!is("inlinedata", "inlineData"));
        assert!(!is("inline_dat", "inlineData"));
        assert!(!is("_inline_data", "inlineData"));
    }
}
