//! The members of a JSON object by position: one pass that checks the syntax of everything and
//! keeps nothing but offsets.
//!
//! Most bytes of a request stand in long strings, which are searched eight and more at a time.

use std::ops::Range;

/// Arrays and objects may be nested this deep: one bit per level.
pub(crate) const DEPTH_MAX: u32 = 128;

/// A member as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The key without its quotes.
    pub(super) key: Range<usize>,
    /// The key is written with escapes.
    pub(super) is_escaped: bool,
    pub(super) value: Range<usize>,
}

/// Walks over the members of one object.
pub(super) struct Members<'b> {
    body: &'b [u8],
    at: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Inside,
    End,
}

/// The body is not one JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid;

impl<'b> Members<'b> {
    pub(super) fn of(body: &'b [u8]) -> Self {
        Self { body, at: 0, state: State::Start }
    }

    /// The next member; `None` at the end of the body, which then was one object and nothing else.
    pub(super) fn next(&mut self) -> Result<Option<Found>, Invalid> {
        let mut scan = Scan { body: self.body, at: self.at };
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
        let (key, is_escaped) = scan.key()?;
        scan.space();
        let start = scan.at;
        scan.value()?;
        let value = start..scan.at;
        (self.at, self.state) = (scan.at, State::Inside);
        Ok(Some(Found { key, is_escaped, value }))
    }

    fn end(&mut self, mut scan: Scan<'b>) -> Result<Option<Found>, Invalid> {
        scan.space();
        (self.at, self.state) = (scan.at, State::End);
        if scan.peek().is_none() { Ok(None) } else { Err(Invalid) }
    }
}

struct Scan<'b> {
    body: &'b [u8],
    at: usize,
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

    /// A member's name and the colon behind it.
    fn key(&mut self) -> Result<(Range<usize>, bool), Invalid> {
        if self.take()? != b'"' {
            return Err(Invalid);
        }
        let start = self.at;
        let is_escaped = self.string()?;
        let key = start..self.at - 1;
        self.space();
        if self.take()? == b':' { Ok((key, is_escaped)) } else { Err(Invalid) }
    }

    /// One value of any kind. No recursion: the kinds of the open containers are bits.
    fn value(&mut self) -> Result<(), Invalid> {
        let (mut depth, mut objects) = (0_u32, 0_u128);
        loop {
            self.space();
            let opened = match self.take()? {
                b'"' => {
                    self.string()?;
                    false
                }
                open @ (b'{' | b'[') => {
                    self.space();
                    let is_object = open == b'{';
                    if self.peek() == Some(if is_object { b'}' } else { b']' }) {
                        self.at += 1;
                        false
                    } else {
                        if depth == DEPTH_MAX {
                            return Err(Invalid);
                        }
                        objects = objects << 1 | u128::from(is_object);
                        depth += 1;
                        if is_object {
                            self.key()?;
                        }
                        true
                    }
                }
                b't' => self.literal(b"rue")?,
                b'f' => self.literal(b"alse")?,
                b'n' => self.literal(b"ull")?,
                first @ (b'-' | b'0'..=b'9') => self.number(first)?,
                _ => return Err(Invalid),
            };
            if !opened && self.close(&mut depth, &mut objects)? {
                return Ok(());
            }
        }
    }

    /// Moves past closing brackets and a comma; `true` when no container is open any more.
    fn close(&mut self, depth: &mut u32, objects: &mut u128) -> Result<bool, Invalid> {
        while *depth > 0 {
            self.space();
            let is_object = *objects & 1 == 1;
            match (self.take()?, is_object) {
                (b',', true) => {
                    self.space();
                    self.key()?;
                    return Ok(false);
                }
                (b',', false) => return Ok(false),
                (b'}', true) | (b']', false) => {
                    *objects >>= 1;
                    *depth -= 1;
                }
                _ => return Err(Invalid),
            }
        }
        Ok(true)
    }

    /// A string from behind its opening quote to behind its closing one; `true` if it has escapes.
    fn string(&mut self) -> Result<bool, Invalid> {
        let mut is_escaped = false;
        loop {
            let rest = self.body.get(self.at..).ok_or(Invalid)?;
            let stop = memchr::memchr2(b'"', b'\\', rest).ok_or(Invalid)?;
            let (plain, _) = rest.split_at(stop);
            if plain.iter().fold(false, |has_control, byte| has_control | (*byte < 0x20)) {
                return Err(Invalid);
            }
            self.at += stop;
            if self.take()? == b'"' {
                return Ok(is_escaped);
            }
            is_escaped = true;
            match self.take()? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' => {
                    let digits = self.body.get(self.at..self.at + 4).ok_or(Invalid)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return Err(Invalid);
                    }
                    self.at += 4;
                }
                _ => return Err(Invalid),
            }
        }
    }

    /// Always `false`: a literal opens nothing.
    fn literal(&mut self, rest: &[u8]) -> Result<bool, Invalid> {
        let end = self.at + rest.len();
        if self.body.get(self.at..end) != Some(rest) {
            return Err(Invalid);
        }
        self.at = end;
        Ok(false)
    }

    /// Always `false`: a number opens nothing.
    fn number(&mut self, first: u8) -> Result<bool, Invalid> {
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
        Ok(false)
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
            match members.next() {
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
                let expected = sonic_rs::from_slice::<sonic_rs::Value>(&mutated).is_ok();
                assert_eq!(accepts(&mutated), expected, "{}", String::from_utf8_lossy(&mutated));
            }
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        let nested =
            |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(accepts(nested(DEPTH_MAX as usize).as_bytes()));
        assert!(!accepts(nested(DEPTH_MAX as usize + 1).as_bytes()));
    }
}
