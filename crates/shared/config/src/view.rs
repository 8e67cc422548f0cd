//! Typed reading of one object of the file by its table of members.

use std::time::Duration;

use crate::duration;
use crate::json::{Json, Node};
use crate::member::{Fallback, Member, Object};
use crate::problem::{Findings, Problem, Spot};
use crate::reference::{self, Lookup};
use crate::secret::Secret;
use crate::shape::push_name;

/// What readers need beside the file, and where they leave what they find.
pub(crate) struct Context<'e> {
    /// Looks up environment variables.
    pub(crate) env: &'e dyn Fn(&str) -> Option<String>,
    /// `version: 1`: an empty or absent list of allowed things allows all, not none.
    pub(crate) empty_allows_all: bool,
    pub(crate) findings: Findings,
}

impl Context<'_> {
    pub(crate) fn problem(&mut self, spot: Spot, message: impl Into<String>) {
        self.findings.problem(Problem::new(spot, message));
    }

    pub(crate) fn hinted(
        &mut self,
        spot: Spot,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.findings.problem(Problem::new(spot, message).hint(hint));
    }

    pub(crate) fn warn(&mut self, spot: Spot, why: impl Into<String>) {
        self.findings.warn(spot, why);
    }

    /// The text of a string or reference; empty where its variable is not set.
    pub(crate) fn resolve(&mut self, node: &Node, spot: impl FnOnce() -> Spot) -> String {
        match reference::resolve(node, self.env) {
            Lookup::Value(value) => value,
            Lookup::Unset(name) => {
                let why = format!("environment variable {name} is not set or empty");
                self.findings.warn(spot(), why);
                String::new()
            }
            Lookup::Vault => {
                self.findings
                    .inactive(spot(), "vault references are not looked up, so this is empty");
                String::new()
            }
        }
    }
}

/// One object of the file with its table. Members of the wrong type count as absent: they were
/// reported before.
pub(crate) struct View<'n> {
    node: Option<&'n Node>,
    path: String,
    order: u32,
    object: &'static Object,
}

impl<'n> View<'n> {
    pub(crate) fn root(node: &'n Node, object: &'static Object) -> Self {
        Self { node: Some(node), path: String::new(), order: node.order, object }
    }

    /// An object that is not there: every member has its default.
    pub(crate) fn empty(object: &'static Object) -> Self {
        Self { node: None, path: String::new(), order: 0, object }
    }

    /// Whether the object stands in the file.
    pub(crate) fn is_present(&self) -> bool {
        self.node.is_some()
    }

    /// Where this object is.
    pub(crate) fn here(&self) -> Spot {
        Spot { path: self.path.clone(), order: self.order }
    }

    /// Where a member is, or would be.
    pub(crate) fn at(&self, name: &str) -> Spot {
        let order = self.get(name).map_or(self.order, |node| node.order);
        let mut path = self.path.clone();
        push_name(&mut path, name);
        Spot { path, order }
    }

    /// Where an element of a list is.
    pub(crate) fn at_element(&self, name: &str, position: usize) -> Spot {
        let mut spot = self.at(name);
        spot.path.push_str(&format!("[{position}]"));
        spot
    }

    /// The value of a member, unless absent or `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&'n Node> {
        self.node?.member(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(crate) fn boolean(&self, name: &str) -> bool {
        match self.get(name).map(|node| &node.json) {
            Some(Json::Boolean(value)) => *value,
            _ => matches!(self.member(name).default, Fallback::Boolean(true)),
        }
    }

    pub(crate) fn integer(&self, name: &str) -> u64 {
        self.optional_integer(name).unwrap_or_else(|| self.default_integer(name))
    }

    pub(crate) fn optional_integer(&self, name: &str) -> Option<u64> {
        match &self.get(name)?.json {
            Json::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    /// An integer whose table keeps it within 32 bits.
    pub(crate) fn count(&self, name: &str) -> u32 {
        u32::try_from(self.integer(name)).unwrap_or(u32::MAX)
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        match &self.get(name)?.json {
            Json::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    pub(crate) fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.integer(name))
    }

    /// A duration as text or milliseconds; zero counts as absent.
    pub(crate) fn milliseconds(&self, name: &str) -> Duration {
        let given = match self.get(name).map(|node| &node.json) {
            Some(Json::Text(text)) => duration::parse(text),
            Some(Json::Number(number)) => number.as_u64().map(Duration::from_millis),
            _ => None,
        };
        given
            .filter(|duration| !duration.is_zero())
            .unwrap_or_else(|| Duration::from_millis(self.default_integer(name)))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'n str> {
        self.get(name)?.text()
    }

    /// The text of a member with a default.
    pub(crate) fn choice(&self, name: &str) -> &'n str {
        match self.member(name).default {
            Fallback::Text(default) => self.text(name).unwrap_or(default),
            _ => self.text(name).unwrap_or_default(),
        }
    }

    /// A string that may stand in the environment; nothing where it is absent or empty.
    pub(crate) fn reference(&self, name: &str, context: &mut Context<'_>) -> Option<String> {
        let node = self.get(name)?;
        let value = context.resolve(node, || self.at(name));
        (!value.is_empty()).then_some(value)
    }

    /// The same for members without which nothing works: what leads nowhere is a mistake.
    pub(crate) fn needed_reference(&self, name: &str, context: &mut Context<'_>) -> Option<String> {
        let message = match reference::resolve(self.get(name)?, context.env) {
            Lookup::Value(value) if !value.is_empty() => return Some(value),
            Lookup::Value(_) => "must not be empty".to_owned(),
            Lookup::Unset(name) => format!("environment variable {name} is not set or empty"),
            Lookup::Vault => "vault references are not looked up yet".to_owned(),
        };
        context.problem(self.at(name), message);
        None
    }

    pub(crate) fn secret(&self, name: &str, context: &mut Context<'_>) -> Option<Secret> {
        self.reference(name, context).map(Secret::new)
    }

    /// The strings of a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match (self.get(name), self.member(name).default) {
            (Some(node), _) => {
                node.elements().iter().filter_map(Node::text).map(str::to_owned).collect()
            }
            (None, Fallback::Texts(default)) => {
                default.iter().map(|text| (*text).to_owned()).collect()
            }
            (None, _) => Vec::new(),
        }
    }

    /// A member that is an object, present or not.
    pub(crate) fn object(&self, name: &str, object: &'static Object) -> View<'n> {
        let Spot { path, order } = self.at(name);
        View { node: self.get(name), path, order, object }
    }

    /// The elements of a list of objects.
    pub(crate) fn objects(&self, name: &str, object: &'static Object) -> Vec<View<'n>> {
        let elements = self.get(name).map_or(&[][..], Node::elements);
        let view = |(position, node): (usize, &'n Node)| View {
            node: Some(node),
            path: self.at_element(name, position).path,
            order: node.order,
            object,
        };
        elements.iter().enumerate().map(view).collect()
    }

    /// The members of a map.
    pub(crate) fn entries(&self, name: &str) -> Vec<(&'n str, &'n Node, Spot)> {
        let members = self.get(name).map_or(&[][..], Node::members);
        let entry = |(key, node): &'n (String, Node)| {
            let mut path = self.at(name).path;
            push_name(&mut path, key);
            (key.as_str(), node, Spot { path, order: node.order })
        };
        members.iter().map(entry).collect()
    }

    /// A value of a map as an object.
    pub(crate) fn entry(node: &'n Node, spot: Spot, object: &'static Object) -> Self {
        Self { node: Some(node), path: spot.path, order: spot.order, object }
    }

    fn default_integer(&self, name: &str) -> u64 {
        match self.member(name).default {
            Fallback::Integer(default) => default,
            _ => 0,
        }
    }

    fn member(&self, name: &str) -> &'static Member {
        self.object.member(name).expect("readers only ask for members of their own table")
    }
}
