//! Holds the tree against the tables of members: types, limits, names. What passes here has the right
//! JSON types everywhere, so the readers of the sections only look at meanings.

use std::collections::HashSet;

use crate::duration;
use crate::json::{Json, Node};
use crate::member::{Member, Object, Shape, Unknown, Use};
use crate::nearest::nearest;
use crate::problem::{Findings, Problem, Spot};

/// Members of a reference written as an object: the older form, then the newer one.
const REFERENCE_MEMBERS: [&str; 5] = ["value", "env_var", "from_env", "ref", "type"];
/// Values of `type` in the newer form.
pub(crate) const REFERENCE_TYPES: [&str; 3] = ["plain_text", "env", "vault"];

/// Reports everything about `node` that `object` does not allow.
pub(crate) fn check(node: &Node, object: &'static Object, findings: &mut Findings) {
    let mut walk = Walk { path: String::new(), findings };
    walk.object(node, object);
    walk.repeated_names(node);
}

/// `path.name`, in brackets where the name is not a plain word.
pub(crate) fn push_name(path: &mut String, name: &str) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        path.push_str(&format!("[{name:?}]"));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(name);
}

struct Walk<'f> {
    path: String,
    findings: &'f mut Findings,
}

impl Walk<'_> {
    fn value(&mut self, node: &Node, shape: &'static Shape) {
        match shape {
            Shape::Boolean => self.expect(node, matches!(node.json, Json::Boolean(_)), "a boolean"),
            Shape::Integer { min, max } => self.integer(node, *min, *max),
            Shape::Number { min, max } => self.number(node, *min, *max),
            Shape::Text => self.expect(node, node.text().is_some(), "a string"),
            Shape::ShortText { characters_max } => self.short_text(node, *characters_max),
            Shape::Choice(choices) => self.choice(node, choices),
            Shape::Reference | Shape::Secret => self.reference(node),
            Shape::Duration => self.duration(node),
            Shape::Milliseconds { min } => self.milliseconds(node, *min),
            Shape::Any => {}
            Shape::List(element) => self.list(node, element),
            Shape::Map(value) => self.map(node, value),
            Shape::Object(object) => self.object(node, object),
            Shape::Either(first, second) => self.either(node, first, second),
        }
    }

    fn expect(&mut self, node: &Node, is_right: bool, what: &str) {
        if !is_right {
            self.problem(node, format!("must be {what}, not {}", node.json.kind()));
        }
    }

    fn integer(&mut self, node: &Node, min: u64, max: u64) {
        let Json::Number(number) = &node.json else {
            return self.expect(node, false, "an integer");
        };
        match number.as_u64() {
            Some(value) if value > max => {
                self.problem(node, format!("must be at most {max}, not {value}"));
            }
            Some(value) if value >= min => {}
            _ if number.is_f64() => self.problem(node, format!("must be an integer, not {number}")),
            _ => self.problem(node, format!("must be at least {min}, not {number}")),
        }
    }

    fn number(&mut self, node: &Node, min: f64, max: f64) {
        let Json::Number(number) = &node.json else {
            return self.expect(node, false, "a number");
        };
        if !number.as_f64().is_some_and(|value| (min..=max).contains(&value)) {
            self.problem(node, format!("must be from {min} to {max}, not {number}"));
        }
    }

    fn short_text(&mut self, node: &Node, characters_max: usize) {
        let Some(text) = node.text() else { return self.expect(node, false, "a string") };
        if text.chars().count() > characters_max {
            self.problem(node, format!("must have at most {characters_max} characters"));
        }
    }

    fn choice(&mut self, node: &Node, choices: &'static [&'static str]) {
        let Some(text) = node.text() else { return self.expect(node, false, "a string") };
        if choices.contains(&text) {
            return;
        }
        let message = format!("must be one of {}, not {text:?}", choices.join(", "));
        self.hinted(node, message, nearest(text, choices.iter().copied()));
    }

    fn duration(&mut self, node: &Node) {
        let Some(text) = node.text() else { return self.expect(node, false, "a string") };
        if duration::parse(text).is_none() {
            let problem = Problem::new(self.spot(node), format!("{text:?} is not a duration"));
            self.findings.problem(problem.hint("write it like \"500ms\", \"5s\" or \"1m30s\""));
        }
    }

    fn milliseconds(&mut self, node: &Node, min: u64) {
        match &node.json {
            Json::Text(_) => self.duration(node),
            Json::Number(_) => self.integer(node, min, crate::member::INTEGER_MAX),
            _ => self.expect(node, false, "a duration or a number of milliseconds"),
        }
    }

    /// A string, or one of the two object forms.
    fn reference(&mut self, node: &Node) {
        let Json::Object(members) = &node.json else {
            return self.expect(node, node.text().is_some(), "a string or an object with a value");
        };
        for (name, value) in members {
            self.inside(name, |walk| match name.as_str() {
                "from_env" => {
                    walk.expect_or_null(value, matches!(value.json, Json::Boolean(_)), "a boolean")
                }
                "type" => walk.choice(value, &REFERENCE_TYPES),
                "value" | "env_var" | "ref" => {
                    walk.expect_or_null(value, value.text().is_some(), "a string")
                }
                _ => walk.unknown(value, name, Unknown::Refused, REFERENCE_MEMBERS),
            });
        }
        if !REFERENCE_MEMBERS.iter().any(|name| node.member(name).is_some()) {
            self.problem(node, "must say its value, or the variable that holds it".to_owned());
        }
    }

    fn expect_or_null(&mut self, node: &Node, is_right: bool, what: &str) {
        self.expect(node, is_right || node.is_null(), what);
    }

    fn list(&mut self, node: &Node, element: &'static Shape) {
        self.expect(node, matches!(node.json, Json::Array(_)), "an array");
        for (position, value) in node.elements().iter().enumerate() {
            self.at(position, |walk| walk.value(value, element));
        }
    }

    fn map(&mut self, node: &Node, shape: &'static Shape) {
        self.expect(node, matches!(node.json, Json::Object(_)), "an object");
        for (name, value) in node.members() {
            self.inside(name, |walk| walk.value(value, shape));
        }
    }

    fn object(&mut self, node: &Node, object: &'static Object) {
        let Json::Object(members) = &node.json else {
            return self.expect(node, false, "an object");
        };
        for (name, value) in members {
            self.inside(name, |walk| match object.member(name) {
                Some(member) => walk.member(value, member),
                None => {
                    let names = object.members.iter().map(|member| member.name);
                    walk.unknown(value, name, object.unknown, names);
                }
            });
        }
        for member in object.members.iter().filter(|member| member.required) {
            if node.member(member.name).is_none() {
                self.missing(node, member);
            }
        }
    }

    fn member(&mut self, node: &Node, member: &'static Member) {
        if node.is_null() {
            return;
        }
        match member.use_now {
            Use::Now => {}
            Use::Later(missing) => self.findings.inactive(self.spot(node), missing),
            Use::Renamed(to) => {
                self.findings.warn(self.spot(node), format!("this member is called `{to}` now"));
            }
            Use::Never(why) => self.findings.warn(self.spot(node), why),
        }
        self.value(node, &member.shape);
    }

    fn missing(&mut self, node: &Node, member: &Member) {
        let problem = Problem::new(self.spot(node), format!("`{}` is missing", member.name));
        self.findings.problem(problem.hint(member.doc));
    }

    fn unknown<'n>(
        &mut self,
        node: &Node,
        name: &str,
        unknown: Unknown,
        known: impl IntoIterator<Item = &'n str>,
    ) {
        let meant = nearest(name, known);
        match unknown {
            Unknown::Refused => self.hinted(node, "unknown member".to_owned(), meant),
            Unknown::Warned => self.findings.warn(
                self.spot(node),
                match meant {
                    Some(meant) => format!("unknown member; did you mean `{meant}`?"),
                    None => "unknown member".to_owned(),
                },
            ),
        }
    }

    fn either(&mut self, node: &Node, first: &'static Shape, second: &'static Shape) {
        if fits(node, first) {
            self.value(node, first);
        } else if fits(node, second) {
            self.value(node, second);
        } else {
            self.expect(node, false, &format!("{} or {}", kind(first), kind(second)));
        }
    }

    /// JSON leaves the meaning of a repeated name open; here it is always a mistake.
    fn repeated_names(&mut self, node: &Node) {
        let mut seen = HashSet::new();
        for (name, value) in node.members() {
            let is_new = seen.insert(name);
            self.inside(name, |walk| {
                if !is_new {
                    walk.problem(value, "this member stands here a second time".to_owned());
                }
                walk.repeated_names(value);
            });
        }
        for (position, value) in node.elements().iter().enumerate() {
            self.at(position, |walk| walk.repeated_names(value));
        }
    }

    fn inside(&mut self, name: &str, visit: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        push_name(&mut self.path, name);
        visit(self);
        self.path.truncate(length);
    }

    fn at(&mut self, position: usize, visit: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(&format!("[{position}]"));
        visit(self);
        self.path.truncate(length);
    }

    fn spot(&self, node: &Node) -> Spot {
        Spot { path: self.path.clone(), order: node.order }
    }

    fn problem(&mut self, node: &Node, message: String) {
        self.findings.problem(Problem::new(self.spot(node), message));
    }

    fn hinted(&mut self, node: &Node, message: String, meant: Option<&str>) {
        let problem = Problem::new(self.spot(node), message);
        self.findings.problem(match meant {
            Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
            None => problem,
        });
    }
}

/// Whether the JSON type is the one of the shape.
fn fits(node: &Node, shape: &Shape) -> bool {
    match shape {
        Shape::Boolean => matches!(node.json, Json::Boolean(_)),
        Shape::Integer { .. } | Shape::Number { .. } => matches!(node.json, Json::Number(_)),
        Shape::Text | Shape::ShortText { .. } | Shape::Choice(_) | Shape::Duration => {
            matches!(node.json, Json::Text(_))
        }
        Shape::Reference | Shape::Secret => matches!(node.json, Json::Text(_) | Json::Object(_)),
        Shape::Milliseconds { .. } => matches!(node.json, Json::Text(_) | Json::Number(_)),
        Shape::Any => true,
        Shape::List(_) => matches!(node.json, Json::Array(_)),
        Shape::Map(_) | Shape::Object(_) => matches!(node.json, Json::Object(_)),
        Shape::Either(first, second) => fits(node, first) || fits(node, second),
    }
}

fn kind(shape: &Shape) -> &'static str {
    match shape {
        Shape::Boolean => "a boolean",
        Shape::Integer { .. } => "an integer",
        Shape::Number { .. } => "a number",
        Shape::Text | Shape::ShortText { .. } | Shape::Choice(_) => "a string",
        Shape::Reference | Shape::Secret => "a string or an object with a value",
        Shape::Duration | Shape::Milliseconds { .. } => "a duration",
        Shape::Any => "anything",
        Shape::List(_) => "an array",
        Shape::Map(_) | Shape::Object(_) => "an object",
        Shape::Either(..) => "one of several types",
    }
}
