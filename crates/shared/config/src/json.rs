//! The file as a tree that knows the order of its members and keeps repeated ones, so that every
//! mistake can be reported where it stands.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::problem::{Problem, Spot};

/// Largest configuration file.
const FILE_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Deepest nesting of objects and arrays. The deepest section of the product has eight levels; free
/// forms such as tool schemas add theirs.
const DEPTH_MAX: usize = 64;
/// What some editors put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A JSON value and its position in reading order.
pub(crate) struct Node {
    pub(crate) order: u32,
    pub(crate) json: Json,
}

/// A JSON value.
pub(crate) enum Json {
    Null,
    Boolean(bool),
    Number(serde_json::Number),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Json {
    /// What it is, for messages: values themselves may be secret.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.json, Json::Null)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.json {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.json {
            Json::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// The members of an object; none of anything else.
    pub(crate) fn members(&self) -> &[(String, Node)] {
        match &self.json {
            Json::Object(members) => members,
            _ => &[],
        }
    }

    /// The elements of an array; none of anything else.
    pub(crate) fn elements(&self) -> &[Node] {
        match &self.json {
            Json::Array(elements) => elements,
            _ => &[],
        }
    }

    /// A member of an object; one that is `null` counts as absent.
    pub(crate) fn member(&self, name: &str) -> Option<&Node> {
        let (_, node) = self.members().iter().find(|(known, _)| known == name)?;
        (!node.is_null()).then_some(node)
    }

    /// An object without members.
    pub(crate) fn empty_object() -> Self {
        Self { order: 0, json: Json::Object(Vec::new()) }
    }

    /// The members of an object, to change; none of anything else.
    pub(crate) fn members_mut(&mut self) -> &mut [(String, Self)] {
        match &mut self.json {
            Json::Object(members) => members,
            _ => &mut [],
        }
    }

    /// Gives a member its value unless it has one, and says whether it did. Only objects have members.
    pub(crate) fn fill(&mut self, name: &str, json: Json) -> bool {
        let Json::Object(members) = &mut self.json else { return false };
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, node)) if !node.is_null() => return false,
            Some((_, node)) => node.json = json,
            None => members.push((name.to_owned(), Self { order: self.order, json })),
        }
        true
    }

    /// A member of an object, made an object where it is absent; nothing of anything else.
    pub(crate) fn member_or_object(&mut self, name: &str) -> Option<&mut Self> {
        self.fill(name, Json::Object(Vec::new()));
        let (_, node) = self.members_mut().iter_mut().find(|(known, _)| known == name)?;
        Some(node)
    }
}

/// Reads whatever a deserializer has.
pub(crate) fn read_any<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Node, D::Error> {
    NodeReader { order: &mut 0, depth: 0 }.deserialize(input)
}

/// Reads the file, or says at which line and column it stops being JSON.
pub(crate) fn read(text: &[u8]) -> Result<Node, Problem> {
    let whole = || Spot { path: String::new(), order: 0 };
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes, more than {FILE_BYTES_MAX}", text.len());
        return Err(Problem::new(whole(), message));
    }
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut input = serde_json::Deserializer::from_slice(text);
    let node = read_any(&mut input).and_then(|node| input.end().map(|()| node));
    node.map_err(|error| Problem::new(whole(), syntax_message(&error)))
}

fn syntax_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    format!("not valid JSON at line {}, column {}: {what}", error.line(), error.column())
}

/// Builds a [`Node`] out of whatever comes next.
struct NodeReader<'o> {
    order: &'o mut u32,
    depth: usize,
}

impl NodeReader<'_> {
    fn node(&mut self, json: Json) -> Node {
        let order = *self.order;
        Node { order, json }
    }

    fn deeper<E: serde::de::Error>(&mut self) -> Result<NodeReader<'_>, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        *self.order += 1;
        Ok(NodeReader { order: self.order, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for NodeReader<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<Node, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeReader<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(mut self) -> Result<Node, E> {
        Ok(self.node(Json::Null))
    }

    fn visit_bool<E>(mut self, value: bool) -> Result<Node, E> {
        Ok(self.node(Json::Boolean(value)))
    }

    fn visit_u64<E>(mut self, value: u64) -> Result<Node, E> {
        Ok(self.node(Json::Number(value.into())))
    }

    fn visit_i64<E>(mut self, value: i64) -> Result<Node, E> {
        Ok(self.node(Json::Number(value.into())))
    }

    fn visit_f64<E: serde::de::Error>(mut self, value: f64) -> Result<Node, E> {
        let number = serde_json::Number::from_f64(value)
            .ok_or_else(|| E::custom("a number that is not finite"))?;
        Ok(self.node(Json::Number(number)))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Node, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E>(mut self, value: String) -> Result<Node, E> {
        Ok(self.node(Json::Text(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut input: A) -> Result<Node, A::Error> {
        let mut node = self.node(Json::Null);
        let mut elements = Vec::new();
        while let Some(element) = input.next_element_seed(self.deeper()?)? {
            elements.push(element);
        }
        node.json = Json::Array(elements);
        Ok(node)
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut input: A) -> Result<Node, A::Error> {
        let mut node = self.node(Json::Null);
        let mut members = Vec::new();
        while let Some(name) = input.next_key::<String>()? {
            let value = input.next_value_seed(self.deeper()?)?;
            members.push((name, value));
        }
        node.json = Json::Object(members);
        Ok(node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        read(text.as_bytes()).err().map(|problem| problem.to_string()).unwrap_or_default()
    }

    #[test]
    fn positions_follow_the_text_and_repeated_names_are_kept() {
        let root = read(br#"{"a":[1,{"b":null}],"a":"x"}"#).unwrap();
        let names: Vec<_> = root.members().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "a"]);
        let [(_, list), (_, text)] = root.members() else { panic!("two members") };
        let inner = &list.elements()[1];
        assert!(root.order < list.order && list.order < list.elements()[0].order);
        assert!(list.elements()[0].order < inner.order && inner.order < text.order);
        assert!(inner.member("b").is_none(), "null counts as absent");
    }

    #[test]
    fn syntax_errors_name_line_and_column() {
        assert_eq!(
            message("{\n  \"a\": 1,\n}"),
            "not valid JSON at line 3, column 1: trailing comma"
        );
        assert_eq!(message("{} x"), "not valid JSON at line 1, column 4: trailing characters");
        assert!(message("").starts_with("not valid JSON at line 1, column 0: EOF"));
    }

    #[test]
    fn nesting_and_size_are_limited() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(message(&nested(DEPTH_MAX)), "");
        assert!(message(&nested(DEPTH_MAX + 1)).contains("nested deeper than 64 levels"));
        assert!(message(&" ".repeat(FILE_BYTES_MAX + 1)).contains("more than 33554432"));
    }

    #[test]
    fn every_prefix_of_a_document_is_refused_without_a_panic() {
        let text = r#"{"a":[1,-2.5e3,true,null,"é\n"],"b":{"c":"d"}}"#;
        for end in 0..text.len() {
            assert!(read(&text.as_bytes()[..end]).is_err(), "{end}");
        }
    }
}
