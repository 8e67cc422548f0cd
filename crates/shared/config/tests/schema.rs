//! The JSON Schema says the same as the checks.

use std::rc::Rc;

use config::{Client, Config, Problems, Server};
use serde_json::{Map, Value, json};

fn schema() -> Value {
    serde_json::from_str(&config::schema()).expect("the schema is JSON")
}

fn parse(file: &Value) -> Result<Config, Problems> {
    config::parse(file.to_string().as_bytes(), &|_| None)
}

/// A place in the schema: the schema of an object, and how a file is built around such an object.
struct Place<'s> {
    object: &'s Value,
    path: String,
    wrap: Wrap<'s>,
}

type Wrap<'s> = Rc<dyn Fn(Value) -> Value + 's>;

#[test]
fn every_member_of_the_schema_is_accepted() {
    let schema = schema();
    let mut members = 0;
    for place in places(&schema) {
        for (name, property) in place.object["properties"].as_object().unwrap() {
            let mut object = required(&schema, place.object);
            object.insert(name.clone(), sample(&schema, property));
            let file = (place.wrap)(Value::Object(object));
            members += 1;
            let Err(problems) = parse(&file) else { continue };
            for problem in problems.list() {
                let is_about_shape = problem.message.starts_with("must be a")
                    || problem.message.starts_with("must be one of")
                    || problem.message.starts_with("unknown member")
                    || problem.message.ends_with("is missing");
                let is_here = problem.path.starts_with(&place.path);
                assert!(!(is_here && is_about_shape), "{name} in {file}:\n{problem}");
            }
        }
    }
    assert!(members > 150, "the walk found only {members} members");
}

#[test]
fn closed_objects_of_the_schema_refuse_other_members() {
    let schema = schema();
    let mut closed = 0;
    for place in places(&schema) {
        if place.object["additionalProperties"] != Value::Bool(false) {
            continue;
        }
        closed += 1;
        let mut object = required(&schema, place.object);
        object.insert("no_such_member".to_owned(), json!(1));
        let problems = parse(&(place.wrap)(Value::Object(object))).unwrap_err();
        let found = problems.list().iter().any(|problem| {
            problem.path.ends_with("no_such_member") && problem.message == "unknown member"
        });
        assert!(found, "{}: {problems}", place.path);
    }
    assert!(closed > 10, "the walk found only {closed} closed objects");
}

#[test]
fn required_members_are_missed() {
    let schema = schema();
    for place in places(&schema) {
        for name in required(&schema, place.object).keys() {
            let mut object = required(&schema, place.object);
            object.remove(name);
            let problems = parse(&(place.wrap)(Value::Object(object))).unwrap_err();
            let message = format!("`{name}` is missing");
            let found = problems.list().iter().any(|problem| problem.message == message);
            assert!(found, "{} {name}: {problems}", place.path);
        }
    }
}

#[test]
fn defaults_of_the_schema_are_the_defaults_of_the_types() {
    let schema = schema();
    let mut defaults = 0;
    for section in ["client", "server"] {
        for (name, property) in schema["properties"][section]["properties"].as_object().unwrap() {
            let Some(default) = property.get("default") else { continue };
            let config = parse(&json!({ section: { name: default } })).unwrap();
            assert_eq!(config.client, Client::default(), "{name}");
            assert_eq!(config.server, Server::default(), "{name}");
            defaults += 1;
        }
    }
    assert!(defaults > 20, "only {defaults} defaults");
}

/// Every object with named members, wherever it stands.
fn places(schema: &Value) -> Vec<Place<'_>> {
    let mut found = Vec::new();
    collect(schema, schema, String::new(), Rc::new(|value| value), &mut found);
    found
}

fn collect<'s>(
    root: &'s Value,
    schema: &'s Value,
    path: String,
    wrap: Wrap<'s>,
    found: &mut Vec<Place<'s>>,
) {
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        collect(root, alternative, path.clone(), wrap.clone(), found);
    }
    if schema["items"].is_object() {
        let outer = wrap.clone();
        let inner: Wrap<'s> = Rc::new(move |value| outer(json!([value])));
        collect(root, &schema["items"], format!("{path}[0]"), inner, found);
    }
    if schema["additionalProperties"].is_object() {
        let name = free_name(&path);
        let outer = wrap.clone();
        let inner: Wrap<'s> = Rc::new(move |value| outer(json!({ name: value })));
        collect(root, &schema["additionalProperties"], join(&path, name), inner, found);
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    found.push(Place { object: schema, path: path.clone(), wrap: wrap.clone() });
    for (name, property) in properties {
        let outer = wrap.clone();
        let inner: Wrap<'s> = Rc::new(move |value| {
            let mut object = required(root, schema);
            object.insert(name.clone(), value);
            outer(Value::Object(object))
        });
        collect(root, property, join(&path, name), inner, found);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A name for a member of a map.
fn free_name(path: &str) -> &'static str {
    match path {
        "providers" => "openai",
        _ => "chat_completion",
    }
}

/// An object with its required members alone.
fn required(root: &Value, schema: &Value) -> Map<String, Value> {
    let names = schema["required"].as_array().into_iter().flatten();
    names
        .map(|name| {
            let name = name.as_str().expect("names are strings").to_owned();
            let value = sample(root, &schema["properties"][&name]);
            (name, value)
        })
        .collect()
}

/// A value the schema allows.
fn sample(root: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        assert!(root.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        return json!("https://example.com");
    }
    if let Some(first) = schema["anyOf"].get(0) {
        return sample(root, first);
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("boolean") => json!(true),
        Some("integer" | "number") => schema["minimum"].clone(),
        Some("string") if schema["pattern"].is_string() => json!("5s"),
        Some("string") => json!("text"),
        Some("array") => json!([]),
        Some("object") => Value::Object(required(root, schema)),
        _ => json!({}),
    }
}
