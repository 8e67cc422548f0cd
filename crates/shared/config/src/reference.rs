//! Values that stand elsewhere: `env.NAME`, as plain text or in the object forms of the file.

use crate::json::{Json, Node};

/// What a reference leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The value.
    Value(String),
    /// The environment variable of this name is not set or empty.
    Unset(String),
    /// It stands in a vault.
    Vault,
}

/// Follows a reference.
pub(crate) fn resolve(node: &Node, env: &dyn Fn(&str) -> Option<String>) -> Lookup {
    let text = |name: &str| node.member(name).and_then(Node::text).unwrap_or_default();
    match &node.json {
        Json::Text(value) => resolve_text(value, env),
        Json::Object(_) => match node.member("type").and_then(Node::text) {
            Some("env") => {
                variable(first_filled([text("ref"), text("env_var"), text("value")]), env)
            }
            Some("vault") => Lookup::Vault,
            Some(_) => Lookup::Value(unquoted(text("value"))),
            None => resolve_untyped(node, env),
        },
        _ => Lookup::Value(String::new()),
    }
}

/// `{value, env_var, from_env}`, or `{value, ref}` without a type.
fn resolve_untyped(node: &Node, env: &dyn Fn(&str) -> Option<String>) -> Lookup {
    let text = |name: &str| node.member(name).and_then(Node::text).unwrap_or_default();
    let from_env =
        matches!(node.member("from_env").map(|node| &node.json), Some(Json::Boolean(true)));
    let name = first_filled([text("env_var"), text("ref")]);
    if !name.is_empty() && (from_env || text("value").is_empty()) {
        return variable(name, env);
    }
    resolve_text(text("value"), env)
}

fn resolve_text(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Lookup {
    let text = unquoted(text);
    if text.starts_with("env.") { variable(&text, env) } else { Lookup::Value(text) }
}

/// The value of an environment variable, named with or without `env.` in front.
pub(crate) fn variable(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Lookup {
    let name = name.strip_prefix("env.").unwrap_or(name);
    match env(name) {
        Some(value) if !value.is_empty() => Lookup::Value(value),
        _ => Lookup::Unset(name.to_owned()),
    }
}

/// A value that is itself a JSON string, as other tools export them, without its quotes.
fn unquoted(text: &str) -> String {
    if text.len() < 2 || !text.starts_with('"') {
        return text.to_owned();
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

fn first_filled<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn every_form_leads_to_the_value() {
        let env = |name: &str| match name {
            "KEY" => Some("secret".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let found = |value: &str| Lookup::Value(value.to_owned());
        for (text, expected) in [
            (r#""plain""#, found("plain")),
            (r#""env.KEY""#, found("secret")),
            (r#""env.NONE""#, Lookup::Unset("NONE".to_owned())),
            (r#""env.EMPTY""#, Lookup::Unset("EMPTY".to_owned())),
            (r#""\"quoted\"""#, found("quoted")),
            (r#""\"env.KEY\"""#, found("secret")),
            (r#""\"half""#, found("\"half")),
            (r#"{"value":"v"}"#, found("v")),
            (r#"{"value":"env.KEY"}"#, found("secret")),
            (r#"{"value":"env.KEY","env_var":"env.KEY","from_env":false}"#, found("secret")),
            (r#"{"value":"","env_var":"env.KEY","from_env":true}"#, found("secret")),
            (r#"{"value":"stale","env_var":"KEY","from_env":true}"#, found("secret")),
            (r#"{"value":"v","env_var":"","from_env":false}"#, found("v")),
            (r#"{"value":"","ref":"env.KEY","type":"env"}"#, found("secret")),
            (r#"{"ref":"KEY","type":"env"}"#, found("secret")),
            (r#"{"value":"env.KEY","type":"plain_text"}"#, found("env.KEY")),
            (r#"{"value":"","ref":"vault.x","type":"vault"}"#, Lookup::Vault),
        ] {
            let node = json::read(text.as_bytes()).ok().unwrap();
            assert_eq!(resolve(&node, &env), expected, "{text}");
        }
    }
}
