//! The JSON Schema of the file, written from the same tables that check it.

use serde_json::{Map, Value, json};

use crate::file::ROOT;
use crate::member::{Fallback, INTEGER_MAX, Member, Object, Shape, Unknown, Use};
use crate::shape::REFERENCE_TYPES;

/// JSON Schema (draft 2020-12) of `config.json`, pretty-printed, with a final line feed.
pub fn schema() -> String {
    let mut root = object_schema(&ROOT);
    root.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    root.insert("title".into(), "config.json".into());
    root.insert("$defs".into(), json!({ "reference": reference_schema() }));
    format!("{:#}\n", Value::Object(root))
}

fn object_schema(object: &Object) -> Map<String, Value> {
    let properties = object.members.iter().map(|member| (member.name.to_owned(), property(member)));
    let required: Vec<_> =
        object.members.iter().filter(|member| member.required).map(|member| member.name).collect();
    let mut schema = Map::new();
    schema.insert("description".into(), object.doc.into());
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Value::Object(properties.collect()));
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    if object.unknown == Unknown::Refused {
        schema.insert("additionalProperties".into(), false.into());
    }
    schema
}

/// A member's schema; its own description stands before the one of its type.
fn property(member: &Member) -> Value {
    let mut schema = Map::new();
    schema.insert("description".into(), description(member).into());
    for (name, value) in shape_schema(&member.shape) {
        schema.entry(name).or_insert(value);
    }
    if let Some(default) = default_value(member.default) {
        schema.insert("default".into(), default);
    }
    if let Use::Renamed(_) | Use::Never(_) = member.use_now {
        schema.insert("deprecated".into(), true.into());
    }
    Value::Object(schema)
}

fn default_value(fallback: Fallback) -> Option<Value> {
    match fallback {
        Fallback::Absent => None,
        Fallback::Boolean(value) => Some(value.into()),
        Fallback::Integer(value) => Some(value.into()),
        Fallback::Text(value) => Some(value.into()),
        Fallback::Texts(values) => Some(json!(values)),
    }
}

fn description(member: &Member) -> String {
    match member.use_now {
        Use::Now => member.doc.to_owned(),
        Use::Later(missing) => format!("{} Accepted, not active yet: {missing}.", member.doc),
        Use::Renamed(to) => format!("{} Now called `{to}`.", member.doc),
        Use::Never(why) => format!("{} Has no effect: {why}.", member.doc),
    }
}

fn shape_schema(shape: &Shape) -> Map<String, Value> {
    let schema = match shape {
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer { min, max: INTEGER_MAX } => json!({ "type": "integer", "minimum": min }),
        Shape::Integer { min, max } => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        Shape::Number { min, max } => {
            json!({ "type": "number", "minimum": min, "maximum": max })
        }
        Shape::Text => json!({ "type": "string" }),
        Shape::ShortText { characters_max } => {
            json!({ "type": "string", "maxLength": characters_max })
        }
        Shape::Choice(choices) => json!({ "type": "string", "enum": choices }),
        Shape::Reference | Shape::Secret => json!({ "$ref": "#/$defs/reference" }),
        Shape::Duration => json!({ "type": "string", "pattern": DURATION_PATTERN }),
        Shape::Milliseconds { min } => json!({ "anyOf": [
            { "type": "integer", "minimum": min },
            { "type": "string", "pattern": DURATION_PATTERN },
        ] }),
        Shape::Any => json!({}),
        Shape::List(element) => json!({ "type": "array", "items": shape_schema(element) }),
        Shape::Map(value) => {
            json!({ "type": "object", "additionalProperties": shape_schema(value) })
        }
        Shape::Object(object) => return object_schema(object),
        Shape::Either(first, second) => {
            json!({ "anyOf": [shape_schema(first), shape_schema(second)] })
        }
    };
    match schema {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Durations as Go writes them.
const DURATION_PATTERN: &str = r"^\+?(0|([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$";

fn reference_schema() -> Value {
    json!({
        "description": "A value, or `env.NAME` for the environment variable NAME.",
        "anyOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": {
                    "value": { "type": "string" },
                    "env_var": { "type": "string" },
                    "from_env": { "type": "boolean" },
                    "ref": { "type": "string" },
                    "type": { "type": "string", "enum": REFERENCE_TYPES },
                },
                "additionalProperties": false,
                "minProperties": 1,
            },
        ],
    })
}
