//! One value of an indexed document, and walking into it.

use std::borrow::Cow;

use super::read::{Kind, Node};
use super::text::Text;

/// One value of a document that has been checked.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(super) text: &'a str,
    pub(super) nodes: &'a [Node],
    pub(super) at: usize,
}

impl<'a> Raw<'a> {
    fn node(&self) -> Node {
        self.nodes[self.at]
    }

    pub(crate) fn kind(&self) -> Kind {
        self.node().kind
    }

    /// The value as it was spelt.
    pub(crate) fn text(&self) -> &'a str {
        let node = self.node();
        self.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    pub(crate) fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    pub(crate) fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    pub(crate) fn is_array(&self) -> bool {
        self.kind() == Kind::Array
    }

    /// The string, spelling kept.
    pub(crate) fn as_text(&self) -> Option<Text<'a>> {
        let node = self.node();
        if node.kind != Kind::String {
            return None;
        }
        Some(match self.inside(node)? {
            inner if node.escaped => Text::Spelt(inner),
            inner => Text::Plain(Cow::Borrowed(inner)),
        })
    }

    /// What stands between the quotes of a string.
    #[inline]
    fn inside(&self, string: Node) -> Option<&'a str> {
        self.text.get(string.start as usize + 1..string.end as usize - 1)
    }

    /// The string, escapes resolved.
    pub(crate) fn as_str(&self) -> Option<Cow<'a, str>> {
        self.as_text().map(Text::into_plain)
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.text() == "true")
    }

    /// A whole number of at least 0; `2.0` and `1e3` count, fractions are cut off.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        if self.kind() != Kind::Number {
            return None;
        }
        self.text().parse().ok().or_else(|| {
            let value: f64 = self.text().parse().ok()?;
            (value >= 0.0 && value < u64::MAX as f64).then_some(value as u64)
        })
    }

    pub(crate) fn as_i64(&self) -> Option<i64> {
        if self.kind() != Kind::Number {
            return None;
        }
        self.text().parse().ok().or_else(|| {
            let value: f64 = self.text().parse().ok()?;
            (value.abs() < i64::MAX as f64).then_some(value as i64)
        })
    }

    /// The members of an object, in order; none for anything else.
    pub(crate) fn members(&self) -> Members<'a> {
        let node = self.node();
        let end = if node.kind == Kind::Object { node.next as usize } else { 0 };
        Members { document: *self, at: self.at + 1, end }
    }

    /// The elements of an array, in order; none for anything else.
    pub(crate) fn elements(&self) -> Elements<'a> {
        let node = self.node();
        let end = if node.kind == Kind::Array { node.next as usize } else { 0 };
        Elements { document: *self, at: self.at + 1, end }
    }

    /// The member of that name; the last one when it is there twice, `None` when it is null.
    pub(crate) fn member(&self, name: &str) -> Option<Raw<'a>> {
        let object = self.node();
        if object.kind != Kind::Object {
            return None;
        }
        let (mut at, mut found) = (self.at + 1, None);
        while at < object.next as usize {
            let value = Raw { at: at + 1, ..*self };
            if self.is_named(self.nodes[at], name) {
                found = Some(value);
            }
            at = value.node().next as usize;
        }
        found.filter(|value| !value.is_null())
    }

    /// Whether a key is that name. Most are told apart by their lengths.
    #[inline]
    fn is_named(&self, key: Node, name: &str) -> bool {
        if key.escaped {
            return self.inside(key).is_some_and(|key| Text::Spelt(key).plain() == name);
        }
        let (start, end) = (key.start as usize + 1, key.end as usize - 1);
        end - start == name.len() && self.text.as_bytes().get(start..end) == Some(name.as_bytes())
    }
}

impl std::fmt::Debug for Raw<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.text())
    }
}

/// Iterator over the members of an object.
pub(crate) struct Members<'a> {
    document: Raw<'a>,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = self.document.nodes[self.at];
        let value = Raw { at: self.at + 1, ..self.document };
        self.at = value.node().next as usize;
        let name = match self.document.inside(key)? {
            name if key.escaped => Text::Spelt(name).into_plain(),
            name => Cow::Borrowed(name),
        };
        Some((name, value))
    }
}

/// Iterator over the elements of an array.
pub(crate) struct Elements<'a> {
    document: Raw<'a>,
    at: usize,
    end: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Raw { at: self.at, ..self.document };
        self.at = value.node().next as usize;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Index;
    use super::*;

    #[test]
    fn a_document_can_be_walked_in_place() {
        let mut index = Index::new();
        let root = index
            .read(br#" {"a":[1,{"b":"x\ny"},[]],"c":-1.50e3,"a":true,"d":null} "#)
            .expect("valid");
        let first = root.members().next().expect("has members").1;
        let kinds: Vec<Kind> = first.elements().map(|element| element.kind()).collect();
        assert_eq!(kinds, [Kind::Number, Kind::Object, Kind::Array]);
        let inner = first.elements().nth(1).and_then(|object| object.member("b")).expect("there");
        assert_eq!(inner.as_str().expect("string"), "x\ny");
        assert_eq!(root.member("a").and_then(|value| value.as_bool()), Some(true));
        assert_eq!(root.member("c").map(|value| value.text()), Some("-1.50e3"));
        assert!(root.member("d").is_none());
    }

    #[test]
    fn numbers_keep_their_value() {
        let mut index = Index::new();
        let root = index.read(b"[18446744073709551615,2.0,-3,1e400,2.7]").expect("valid");
        let numbers: Vec<Option<u64>> = root.elements().map(|element| element.as_u64()).collect();
        assert_eq!(numbers, [Some(u64::MAX), Some(2), None, None, Some(2)]);
        assert_eq!(root.elements().nth(2).and_then(|element| element.as_i64()), Some(-3));
    }
}
