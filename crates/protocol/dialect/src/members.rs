//! The members of a JSON object by position: one pass that checks the syntax of everything and
//! keeps nothing but offsets.
//!
//! Most bytes of a request stand in strings, which are searched sixteen at a time.

use std::ops::Range;

use crate::json::{DEPTH_MAX, StringText, string_text};

/// One bit per level says what is open.
const _: () = assert!(DEPTH_MAX <= u128::BITS as usize);

/// A member as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key without its quotes.
    pub key: Range<usize>,
    /// The key is written with escapes.
    pub is_escaped: bool,
    /// The value, without the white space around it.
    pub value: Range<usize>,
}

/// Walks over the members of one object.
///
/// ```
/// let body = br#"{"model": "m", "stream": true}"#;
/// let mut members = dialect::Members::of(body);
/// let first = members.next_member().unwrap().unwrap();
/// assert_eq!(&body[first.key], b"model");
/// assert_eq!(&body[first.value], br#""m""#);
/// ```
#[derive(Debug)]
pub struct Members<'b> {
    body: &'b [u8],
    at: usize,
    state: State,
    /// 0 while all strings are ASCII.
    beyond_ascii: u32,
    has_cache_control: bool,
}

/// A marker of some vendors for what is worth caching, which others refuse.
const CACHE_CONTROL: &[u8] = b"cache_control";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Inside,
    End,
}

/// The body is not one JSON object, or nested too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl<'b> Members<'b> {
    /// The members of `body`. That it is UTF-8 is for the caller to check, unless it is [ASCII](Self::is_ascii).
    pub fn of(body: &'b [u8]) -> Self {
        Self { body, at: 0, state: State::Start, beyond_ascii: 0, has_cache_control: false }
    }

    /// Whether a member named `cache_control`, without escapes, has been walked over at whatever depth: looking for it
    /// later would take another pass over the body.
    pub fn has_cache_control(&self) -> bool {
        self.has_cache_control
    }

    /// Whether all that was walked over is ASCII; `false` may be said of ASCII before something that is not.
    pub fn is_ascii(&self) -> bool {
        self.beyond_ascii == 0
    }

    /// The next member; `None` at the end of the body, which then was one object and nothing else.
    ///
    /// # Errors
    ///
    /// [`Invalid`] where the syntax is broken. Members before that place have been given out.
    pub fn next_member(&mut self) -> Result<Option<Member>, Invalid> {
        let Self { body, at, beyond_ascii, has_cache_control, .. } = *self;
        let mut scan = Scan { body, at, beyond_ascii, has_cache_control };
        scan.space();
        match (self.state, scan.take()?) {
            (State::Start, b'{') => {
                scan.space();
                if scan.peek() == Some(b'}') {
                    scan.at += 1;
                    return self.end(scan);
                }
            }
            (State::Inside, b',') => scan.space(),
            (State::Inside, b'}') => return self.end(scan),
            _ => return Err(Invalid),
        }
        let start = scan.at + 1;
        let name = scan.name()?;
        let key = start..start + name.length;
        scan.space();
        let start = scan.at;
        scan.value()?;
        let value = start..scan.at;
        (self.at, self.state) = (scan.at, State::Inside);
        // Outside of strings the syntax has nothing else.
        self.beyond_ascii = scan.beyond_ascii;
        self.has_cache_control = scan.has_cache_control;
        Ok(Some(Member { key, is_escaped: name.is_escaped, value }))
    }

    fn end(&mut self, mut scan: Scan<'b>) -> Result<Option<Member>, Invalid> {
        scan.space();
        (self.at, self.state) = (scan.at, State::End);
        if scan.peek().is_none() { Ok(None) } else { Err(Invalid) }
    }
}

struct Scan<'b> {
    body: &'b [u8],
    at: usize,
    beyond_ascii: u32,
    has_cache_control: bool,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn take(&mut self) -> Result<u8, Invalid> {
        let byte = self.peek().ok_or(Invalid)?;
        self.at += 1;
        Ok(byte)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// A member's name and the colon behind it. In line always: a call of it costs bodies with many names a fifth.
    #[inline(always)]
    fn name(&mut self) -> Result<StringText, Invalid> {
        if self.take()? != b'"' {
            return Err(Invalid);
        }
        let name = self.string()?;
        if name.length == CACHE_CONTROL.len() {
            self.note_marker();
        }
        self.space();
        if self.take()? == b':' { Ok(name) } else { Err(Invalid) }
    }

    /// Looks at a name of that length, behind whose closing quote the scan stands.
    #[inline(never)]
    fn note_marker(&mut self) {
        let name = self.body.get(..self.at - 1).unwrap_or_default();
        self.has_cache_control |= name.ends_with(CACHE_CONTROL);
    }

    /// One value of any kind. No recursion: the kinds of the open containers are bits.
    fn value(&mut self) -> Result<(), Invalid> {
        let (mut depth, mut objects) = (0_usize, 0_u128);
        loop {
            self.space();
            if objects & 1 == 1 {
                self.name()?;
                self.space();
            }
            match self.take()? {
                b'"' => drop(self.string()?),
                open @ (b'{' | b'[') => {
                    self.space();
                    let is_object = open == b'{';
                    if self.peek() == Some(if is_object { b'}' } else { b']' }) {
                        self.at += 1;
                    } else if depth == DEPTH_MAX {
                        return Err(Invalid);
                    } else {
                        objects = objects << 1 | u128::from(is_object);
                        depth += 1;
                        continue;
                    }
                }
                b't' => self.literal(b"rue")?,
                b'f' => self.literal(b"alse")?,
                b'n' => self.literal(b"ull")?,
                first @ (b'-' | b'0'..=b'9') => self.number(first)?,
                _ => return Err(Invalid),
            }
            if self.is_last(&mut depth, &mut objects)? {
                return Ok(());
            }
        }
    }

    /// Moves past closing brackets and a comma; `true` when no container is open any more.
    #[inline]
    fn is_last(&mut self, depth: &mut usize, objects: &mut u128) -> Result<bool, Invalid> {
        while *depth > 0 {
            self.space();
            match (self.take()?, *objects & 1 == 1) {
                (b',', _) => return Ok(false),
                (b'}', true) | (b']', false) => {
                    *objects >>= 1;
                    *depth -= 1;
                }
                _ => return Err(Invalid),
            }
        }
        Ok(true)
    }

    /// A string from behind its opening quote to behind its closing one.
    #[inline]
    fn string(&mut self) -> Result<StringText, Invalid> {
        let text = self.body.get(self.at..).and_then(string_text).ok_or(Invalid)?;
        self.at += text.length + 1;
        self.beyond_ascii |= text.beyond_ascii;
        Ok(text)
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), Invalid> {
        let end = self.at + rest.len();
        if self.body.get(self.at..end) != Some(rest) {
            return Err(Invalid);
        }
        self.at = end;
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), Invalid> {
        let leading = if first == b'-' { self.take()? } else { first };
        match leading {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _ => return Err(Invalid),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), Invalid> {
        let start = self.at;
        self.digits();
        if self.at > start { Ok(()) } else { Err(Invalid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the walk accepts the body.
    fn accepts(body: &[u8]) -> bool {
        let mut members = Members::of(body);
        loop {
            match members.next_member() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(Invalid) => return false,
            }
        }
    }

    #[test]
    fn agrees_with_a_full_parser_on_mutations_of_a_body() {
        let body =
            br#" {"a":[1,-0.5e+3,{"b":null,"c":[]},{}],"\u0064":"x\"\n\\","e":true,"f":false} "#;
        assert!(accepts(body));
        for at in 0..body.len() {
            for byte in [b'"', b'\\', b'{', b'}', b'[', b']', b',', b':', b'0', b'-', b' ', b'x', 0]
            {
                let mut mutated = body.to_vec();
                mutated[at] = byte;
                let expected = serde_json::from_slice::<serde_json::Value>(&mutated).is_ok();
                assert_eq!(accepts(&mutated), expected, "{}", String::from_utf8_lossy(&mutated));
            }
        }
    }

    #[test]
    fn the_marker_is_found_at_every_depth_and_in_no_value() {
        for (body, is_there) in [
            (r#"{"a":"cache_control","b":["cache_control",{"cache_controls":1}]}"#, false),
            (r#"{"a":[{"b":{"c":[0,{"cache_control":null}]}}],"d":1}"#, true),
            (r#"{"cache_control":1}"#, true),
            (r#"{"cache-control":1}"#, false),
        ] {
            let mut members = Members::of(body.as_bytes());
            while members.next_member().unwrap().is_some() {}
            assert_eq!(members.has_cache_control(), is_there, "{body}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested =
            |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(accepts(nested(DEPTH_MAX).as_bytes()));
        assert!(!accepts(nested(DEPTH_MAX + 1).as_bytes()));
    }
}
