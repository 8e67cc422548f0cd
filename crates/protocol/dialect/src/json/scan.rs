//! Looking for one member of an object without an index and without allocating: for events that are relayed as they
//! came and are only asked a question or two. The text is not checked; on broken JSON the answer is `None`.

use memchr::memchr2;

use super::string::string_text;

/// The value of the member of that name in the object that starts the text, as it is spelt.
pub(crate) fn find_member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut found = None;
    Cursor::new(object).object(|key, cursor| {
        let value = cursor.value()?;
        found = (key == name.as_bytes()).then_some(value);
        // Nothing more is read once it is found.
        found.is_none().then_some(())
    });
    found
}

/// Reads forward through unchecked text, once. What returns `None` met text that is broken, and nothing that was read
/// with it counts.
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    /// What was not read yet, without white space in front.
    #[inline]
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        // Machines write no white space, and all of it comes before the characters that can be seen.
        if self.rest.first().is_none_or(|first| *first <= b' ') {
            self.rest = skip_space(self.rest);
        }
        self.rest
    }

    /// Reads an object. `member` is given each name, without quotes, and reads the value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&'a [u8], &mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.peek() == Some(b'}') {
            return self.take(b'}');
        }
        self.members(&mut member)
    }

    /// Passes over what follows a member's value up to the end of the object it stands in.
    pub(crate) fn end_of_object(&mut self) -> Option<()> {
        if self.take_if(b',') {
            return self.members(&mut |_, cursor| cursor.value().map(drop));
        }
        self.take(b'}')
    }

    /// Reads members up to the end of the object they stand in.
    fn members(
        &mut self,
        member: &mut impl FnMut(&'a [u8], &mut Self) -> Option<()>,
    ) -> Option<()> {
        loop {
            self.take(b'"')?;
            let (name, behind) = self.rest.split_at_checked(string_end(self.rest)?)?;
            self.rest = behind.get(1..)?;
            self.take(b':')?;
            member(name, self)?;
            if !self.take_if(b',') {
                return self.take(b'}');
            }
        }
    }

    /// Reads a value of any kind, as it is spelt.
    pub(crate) fn value(&mut self) -> Option<&'a [u8]> {
        let value = value_at(self.rest())?;
        self.rest = self.rest.get(value.len()..)?;
        Some(value)
    }

    /// Reads a value; a whole number of at least 0 is returned. `2.0` and `1e3` count, fractions are cut off.
    #[inline]
    pub(crate) fn count(&mut self) -> Option<Option<u64>> {
        let (mut number, mut digits) = (0, 0);
        let text = self.rest();
        // Nineteen nines are below the maximum.
        while let Some(digit @ b'0'..=b'9') = text.get(digits).filter(|_| digits < 19) {
            number = number * 10 + u64::from(digit - b'0');
            digits += 1;
        }
        match text.get(digits) {
            Some(b',' | b'}') if digits > 0 => {
                self.rest = text.get(digits..)?;
                Some(Some(number))
            }
            _ => self.value().map(other_count),
        }
    }

    /// Reads a value with `read` if it is an object, and passes over it otherwise.
    pub(crate) fn object_or_skip(
        &mut self,
        member: impl FnMut(&'a [u8], &mut Self) -> Option<()>,
    ) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(member),
            _ => self.value().map(drop),
        }
    }

    /// Reads an array with `element` for each of its values, and passes over any other value.
    pub(crate) fn array_or_skip(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        if self.peek()? != b'[' {
            return self.value().map(drop);
        }
        self.take(b'[')?;
        if self.peek()? == b']' {
            return self.take(b']');
        }
        loop {
            element(self)?;
            if !self.take_if(b',') {
                return self.take(b']');
            }
        }
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        self.rest().first().copied()
    }

    /// Reads that byte, and white space in front of it.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> Option<()> {
        self.take_if(byte).then_some(())
    }

    /// The same, if it comes next.
    #[inline]
    fn take_if(&mut self, byte: u8) -> bool {
        match self.rest().split_first() {
            Some((first, behind)) if *first == byte => {
                self.rest = behind;
                true
            }
            _ => false,
        }
    }
}

/// A number that is not just a few digits.
#[cold]
fn other_count(number: &[u8]) -> Option<u64> {
    let text = str::from_utf8(number).ok()?;
    text.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    text.parse().ok().or_else(|| {
        let value: f64 = text.parse().ok()?;
        (value >= 0.0 && value < u64::MAX as f64).then_some(value as u64)
    })
}

/// The value that starts the text.
pub(crate) fn value_at(text: &[u8]) -> Option<&[u8]> {
    let length = match text.first()? {
        b'"' => string_end(text.get(1..)?)? + 2,
        b'{' | b'[' => container_length(text)?,
        _ => text.iter().position(|byte| ends_literal(*byte)).unwrap_or(text.len()),
    };
    text.get(..length).filter(|value| !value.is_empty())
}

fn ends_literal(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b':')
}

pub(crate) fn skip_space(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// Where the string ends whose opening quote was just read.
fn string_end(text: &[u8]) -> Option<usize> {
    string_text(text).map(|text| text.length).or_else(|| careless_string_end(text))
}

/// Some hosts write control characters and escapes of their own into strings; what such a reply used counts all the
/// same.
#[cold]
fn careless_string_end(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        match text.get(at)? {
            b'"' => return Some(at),
            _ => at += 2,
        }
    }
}

fn container_length(text: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => at += string_end(text.get(at + 1..)?)? + 1,
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
    fn careless_strings_are_passed_over() {
        let text = b"{\"a\":\"tab\t, line\n and \\x escape \\\" here\",\"usage\":{\"b\":1}}";
        assert_eq!(find_member(text, "usage"), Some(&br#"{"b":1}"#[..]));
    }

    #[test]
    fn numbers_are_counts() {
        let cases: &[(&str, Option<u64>)] = &[
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("9999999999999999999", Some(9_999_999_999_999_999_999)),
            ("2.7", Some(2)),
            ("1e3", Some(1000)),
            ("-3", None),
            ("1e400", None),
            ("null", None),
            ("nan", None),
            ("\"3\"", None),
        ];
        for (number, expected) in cases {
            for behind in ["", ",", "}", " ,"] {
                let text = format!("{number}{behind}");
                let mut cursor = Cursor::new(text.as_bytes());
                assert_eq!(cursor.count(), Some(*expected), "{text}");
                assert_eq!(cursor.rest(), behind.trim_start().as_bytes());
            }
        }
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
