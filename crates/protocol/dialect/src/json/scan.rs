//! Looking for one member of an object without an index and without allocating: for events that are relayed as they
//! came and are only asked a question or two. The text is not checked; on broken JSON the answer is `None`.

use super::read::plain_run;

/// The value of the member of that name in the object that starts the text, as it is spelt.
pub(crate) fn find_member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = skip_space(object).strip_prefix(b"{")?;
    loop {
        rest = skip_space(rest);
        let key = value_at(rest)?;
        rest = skip_space(rest.get(key.len()..)?).strip_prefix(b":")?;
        rest = skip_space(rest);
        let value = value_at(rest)?;
        if key.strip_prefix(b"\"")?.strip_suffix(b"\"")? == name.as_bytes() {
            return Some(value);
        }
        rest = skip_space(rest.get(value.len()..)?).strip_prefix(b",")?;
    }
}

/// The value that starts the text.
pub(crate) fn value_at(text: &[u8]) -> Option<&[u8]> {
    let length = match text.first()? {
        b'"' => string_length(text)?,
        b'{' | b'[' => container_length(text)?,
        _ => text.iter().position(|byte| b",}] \n\r\t:".contains(byte)).unwrap_or(text.len()),
    };
    text.get(..length).filter(|value| !value.is_empty())
}

pub(crate) fn skip_space(text: &[u8]) -> &[u8] {
    let blank = text.iter().position(|byte| !b" \n\r\t".contains(byte)).unwrap_or(text.len());
    text.get(blank..).unwrap_or_default()
}

fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += plain_run(text.get(at..)?);
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn container_length(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => at += string_length(text.get(at..)?)? - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_at_the_top_only() {
        let text = br#" { "a" : {"b":[1,"}\""]} , "c": "b\"", "b" : -1 , "d":null}"#;
        assert_eq!(find_member(text, "b"), Some(&b"-1"[..]));
        assert_eq!(find_member(text, "a"), Some(&br#"{"b":[1,"}\""]}"#[..]));
        assert_eq!(find_member(text, "d"), Some(&b"null"[..]));
        assert_eq!(find_member(text, "x"), None);
    }

    #[test]
    fn broken_text_is_no_answer_and_no_panic() {
        let text = br#"{"a":{"b":["\u00e9",{"c":1}]},"z":"y"}"#;
        for end in 0..text.len() {
            assert_eq!(find_member(&text[..end], "x"), None);
        }
        for broken in [&b"]"[..], b"{]", b"{\"a\"]:1}", b"{\"a\":}", b"{:1}", b"{\"a\":1 \"b\":2}"]
        {
            assert_eq!(find_member(broken, "b"), None);
        }
    }
}
