//! The index: one pass over a document checks its syntax and notes where each value begins and ends, so that walking
//! it later costs neither a second scan nor an allocation.
//!
//! No recursion, a named depth limit, and checked slices only: nothing in a document can make this code panic.

use super::raw::Raw;
use super::string::{plain_run, string_text};
use super::{DEPTH_MAX, DOCUMENT_BYTES_MAX, Fault};

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

/// One value, or one member name, of the indexed document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The node after this one and everything inside it. While a container is open: its parent.
    pub(super) next: u32,
    pub(super) kind: Kind,
    /// A string that holds escapes.
    pub(super) escaped: bool,
}

/// Marks a container without parent.
const NO_PARENT: u32 = u32::MAX;

/// Room for the nodes of one document; reading again reuses it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    nodes: Vec<Node>,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Checks a document and returns its root value.
    pub(crate) fn read<'a>(&'a mut self, document: &'a [u8]) -> Result<Raw<'a>, Fault> {
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(Fault::Length);
        }
        let text =
            std::str::from_utf8(document).map_err(|error| Fault::Syntax(error.valid_up_to()))?;
        self.nodes.clear();
        Parser { bytes: document, at: 0, depth: 0, parent: NO_PARENT, nodes: &mut self.nodes }
            .document()?;
        Ok(Raw { text, nodes: &self.nodes, at: 0 })
    }

    /// The root value of the document that was read last and without a mistake; `document` is its text.
    pub(super) fn again<'a>(&'a self, document: &'a str) -> Raw<'a> {
        Raw { text: document, nodes: &self.nodes, at: 0 }
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    parent: u32,
    nodes: &'a mut Vec<Node>,
}

impl Parser<'_> {
    fn document(mut self) -> Result<(), Fault> {
        self.space();
        loop {
            let opened = self.value()?;
            if !opened && !self.after_value()? {
                break;
            }
        }
        if self.at == self.bytes.len() { Ok(()) } else { self.syntax() }
    }

    /// Reads a scalar, an empty container, or the head of a container up to its first value; true for the last.
    fn value(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b'{') => self.open(Kind::Object, b'}'),
            Some(b'[') => self.open(Kind::Array, b']'),
            Some(b'"') => self.string().map(|()| false),
            Some(b't') => self.literal(b"true", Kind::Bool),
            Some(b'f') => self.literal(b"false", Kind::Bool),
            Some(b'n') => self.literal(b"null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.syntax(),
        }
    }

    fn open(&mut self, kind: Kind, close: u8) -> Result<bool, Fault> {
        if self.depth == DEPTH_MAX {
            return Err(Fault::Depth);
        }
        let node = self.push(kind, self.at);
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            self.finish(node);
            return Ok(false);
        }
        self.nodes[node].next = self.parent;
        self.parent = node as u32;
        self.depth += 1;
        if kind == Kind::Object {
            self.key()?;
        }
        Ok(true)
    }

    /// Moves past separators and closing brackets to the next value; false at the end of the document.
    fn after_value(&mut self) -> Result<bool, Fault> {
        loop {
            self.space();
            if self.parent == NO_PARENT {
                return Ok(false);
            }
            let parent = self.parent as usize;
            let is_object = self.nodes[parent].kind == Kind::Object;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.space();
                    if is_object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                Some(b'}') if is_object => self.close(parent),
                Some(b']') if !is_object => self.close(parent),
                _ => return self.syntax(),
            }
        }
    }

    fn close(&mut self, node: usize) {
        self.at += 1;
        self.depth -= 1;
        self.parent = self.nodes[node].next;
        self.finish(node);
    }

    fn key(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return self.syntax();
        }
        self.string()?;
        self.space();
        if self.peek() != Some(b':') {
            return self.syntax();
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        let start = self.at;
        let Some(text) = string_text(self.bytes.get(start + 1..).unwrap_or_default()) else {
            return self.broken_string();
        };
        self.at += text.length + 2;
        self.push_whole(Kind::String, start, text.is_escaped);
        Ok(())
    }

    /// Finds the place where a string is broken.
    #[cold]
    fn broken_string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            self.at += plain_run(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'\\') => self.escape()?,
                _ => return self.syntax(),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.syntax();
                }
                self.at += 6;
            }
            _ => return self.syntax(),
        }
        Ok(())
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<bool, Fault> {
        if self.bytes.get(self.at..self.at + word.len()) != Some(word) {
            return self.syntax();
        }
        let start = self.at;
        self.at += word.len();
        self.push_whole(kind, start, false);
        Ok(false)
    }

    fn number(&mut self) -> Result<bool, Fault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        self.push_whole(Kind::Number, start, false);
        Ok(false)
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let before = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == before { self.syntax() } else { Ok(()) }
    }

    fn push(&mut self, kind: Kind, start: usize) -> usize {
        self.nodes.push(Node { start: start as u32, end: 0, next: 0, kind, escaped: false });
        self.nodes.len() - 1
    }

    /// Notes a value that has been read to its end and has no others inside.
    fn push_whole(&mut self, kind: Kind, start: usize, escaped: bool) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { start: start as u32, end: self.at as u32, next, kind, escaped });
    }

    fn finish(&mut self, node: usize) {
        let next = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(node) {
            node.end = self.at as u32;
            node.next = next;
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn syntax<T>(&self) -> Result<T, Fault> {
        Err(Fault::Syntax(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_json(document: &[u8]) -> bool {
        Index::new().read(document).is_ok()
    }

    #[test]
    fn syntax_is_judged_as_by_another_parser() {
        let cases: &[&[u8]] = &[
            b"",
            b" ",
            b"{}",
            b"[]",
            b"[1,]",
            b"{\"a\":1,}",
            b"{\"a\" 1}",
            b"{a:1}",
            b"01",
            b"-",
            b"-0",
            b"1.",
            b".5",
            b"1e",
            b"1e+5",
            b"nul",
            b"null",
            b"nulll",
            b"\"\\u12g4\"",
            b"\"\\ud800\"",
            b"\"\\x\"",
            b"\"a\x01\"",
            b"\"\x7f\"",
            b"\"unfinished",
            b"[[1]",
            b"[1]]",
            b"{\"a\":}",
            b"[1 2]",
            b"true false",
            b"{\"a\":1}x",
            b"\"\xff\"",
            b"[1}",
            b"{\"a\":[1,2}",
            b"+1",
            b"\xef\xbb\xbf{}",
        ];
        for case in cases {
            let oracle: Result<serde_json::Value, _> = serde_json::from_slice(case);
            // Lone surrogates are well-formed JSON text, which serde_json refuses to decode.
            let expected = oracle.is_ok() || *case == b"\"\\ud800\"";
            assert_eq!(is_json(case), expected, "{}", String::from_utf8_lossy(case));
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(is_json(nested(DEPTH_MAX).as_bytes()));
        let mut index = Index::new();
        assert_eq!(index.read(nested(DEPTH_MAX + 1).as_bytes()).err(), Some(Fault::Depth));
        assert_eq!(index.read("[".repeat(100_000).as_bytes()).err(), Some(Fault::Depth));
    }
}
