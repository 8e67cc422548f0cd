//! The smallest value that a JSON Schema plausibly accepts.

use serde_json::{Map, Value, json};

/// Deepest nesting that is followed; recursive schemas end there.
const DEPTH_MAX: usize = 12;

/// A value for `schema`; `$ref` is looked up inside the schema itself.
pub(super) fn sample(schema: &Value) -> Value {
    below(schema, schema, DEPTH_MAX)
}

fn below(root: &Value, schema: &Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    if let Some(reference) = schema["$ref"].as_str() {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| below(root, target, depth));
    }
    if let Some(given) = given(schema) {
        return given.clone();
    }
    if let Some(choice) = first_choice(schema) {
        return below(root, choice, depth);
    }
    match type_name(schema) {
        "object" => object(root, schema, depth),
        "array" => array(root, schema, depth),
        "integer" => json!(schema["minimum"].as_i64().unwrap_or(1)),
        "number" => json!(schema["minimum"].as_f64().unwrap_or(1.0)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => json!("example"),
    }
}

/// A value that stands in the schema.
fn given(schema: &Value) -> Option<&Value> {
    let listed = |name: &str| schema.get(name).and_then(|values| values.get(0));
    let single = |name: &str| schema.get(name);
    single("const")
        .or_else(|| single("default"))
        .or_else(|| listed("enum"))
        .or_else(|| listed("examples"))
}

fn first_choice(schema: &Value) -> Option<&Value> {
    ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema.get(name)?.get(0))
}

fn type_name(schema: &Value) -> &str {
    let named = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        name => name.as_str(),
    };
    named.unwrap_or("object")
}

fn object(root: &Value, schema: &Value, depth: usize) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let members: Map<String, Value> = required
        .map(|name| (name.to_owned(), below(root, &schema["properties"][name], depth)))
        .collect();
    Value::Object(members)
}

fn array(root: &Value, schema: &Value, depth: usize) -> Value {
    match schema.get("items") {
        Some(items) => json!([below(root, items, depth)]),
        None => json!([]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_members_get_values_of_their_types() {
        let schema = json!({
            "type": "object",
            "required": ["city", "days", "unit", "tags", "place"],
            "properties": {
                "city": { "type": "string" },
                "days": { "type": "integer", "minimum": 3 },
                "unit": { "enum": ["celsius", "fahrenheit"] },
                "tags": { "type": "array", "items": { "type": ["null", "boolean"] } },
                "place": { "$ref": "#/$defs/place" },
                "left_out": { "type": "string" },
            },
            "$defs": { "place": { "anyOf": [{ "type": "number" }, { "type": "null" }] } },
        });
        let expected = json!({
            "city": "example", "days": 3, "unit": "celsius", "tags": [true], "place": 1.0,
        });
        assert_eq!(sample(&schema), expected);
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = json!({
            "type": "object", "required": ["next"], "properties": { "next": { "$ref": "#" } },
        });
        assert!(sample(&schema)["next"]["next"].is_object());
    }

    #[test]
    fn anything_that_is_no_schema_gives_an_empty_object() {
        for schema in [json!(null), json!(7), json!({}), json!({ "required": 3 })] {
            assert_eq!(sample(&schema), json!({}));
        }
    }
}
