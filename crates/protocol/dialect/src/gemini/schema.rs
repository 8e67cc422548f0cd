//! Google's dialect of OpenAPI schemas as JSON Schema, which all others speak: `OBJECT` is `object`, `nullable` is a
//! type among others, and numbers may come as strings.

use super::spelling::camel;
use crate::canonical::{OutputFormat, Request, Schema, Tool};
use crate::json::{Array, Object, Raw};

/// Limits that may be spelt as strings, because they are 64-bit integers to the vendor.
const COUNTS: &[&str] =
    &["maxItems", "minItems", "maxLength", "minLength", "maxProperties", "minProperties"];

/// Members whose value is a schema, is a list of schemas, or holds schemas by name.
const SCHEMA: &[&str] = &["items", "additionalProperties", "not"];
const SCHEMA_LISTS: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems"];
const SCHEMA_MAPS: &[&str] = &["properties", "$defs", "definitions", "defs"];

/// Writes all schemas of a request in an array, in the order [`adopt_schemas`] takes them.
pub(crate) fn write_schemas(request: &Request<'_>, out: &mut Vec<u8>) {
    let mut schemas = Array::new(out);
    for tool in &request.tools {
        if let Tool::Function(tool) = tool
            && let Some(parameters) = tool.parameters
        {
            write_schema(parameters, schemas.object());
        }
    }
    if let Some(OutputFormat::JsonSchema { schema: Some(Schema::Value(schema)), .. }) =
        &request.output_format
    {
        write_schema(*schema, schemas.object());
    }
}

/// Puts schemas in the place of those they were written from.
pub(crate) fn adopt_schemas<'a>(request: &mut Request<'a>, schemas: Raw<'a>) {
    let mut schemas = schemas.elements();
    for tool in &mut request.tools {
        if let Tool::Function(tool) = tool
            && tool.parameters.is_some()
        {
            tool.parameters = schemas.next();
        }
    }
    if let Some(OutputFormat::JsonSchema { schema: schema @ Some(_), .. }) =
        &mut request.output_format
    {
        *schema = schemas.next().map(Schema::Value);
    }
}

/// Writes one schema; its depth is bounded by that of the document.
fn write_schema(schema: Raw<'_>, mut object: Object<'_>) {
    let is_nullable = schema.member("nullable").and_then(|value| value.as_bool()) == Some(true);
    for (name, value) in schema.members() {
        match &*name {
            // The order is a hint to the vendor's own sampler.
            "propertyOrdering" | "property_ordering" | "nullable" => {}
            "type" => write_type(value, is_nullable, &mut object),
            "anyOf" | "any_of" if is_nullable && schema.member("type").is_none() => {
                let mut list = object.array("anyOf");
                write_list(value, &mut list);
                list.object().str("type", "null");
            }
            "enum" if is_nullable && value.is_array() => {
                let mut values = object.array("enum");
                value.elements().for_each(|value| values.raw(value));
                if !value.elements().any(|value| value.is_null()) {
                    values.element().extend_from_slice(b"null");
                }
            }
            "example" => object.array("examples").raw(value),
            name => write_member(&camel(name.into()), name, value, &mut object),
        }
    }
}

fn write_member(camel: &str, name: &str, value: Raw<'_>, object: &mut Object<'_>) {
    let count = value.as_str().filter(|_| COUNTS.contains(&camel));
    let count = count.and_then(|count| count.parse::<u64>().ok());
    if let Some(count) = count {
        object.u64(camel, count);
    } else if SCHEMA.contains(&camel) && value.is_object() {
        write_schema(value, object.object(camel));
    } else if SCHEMA_LISTS.contains(&camel) && value.is_array() {
        write_list(value, &mut object.array(camel));
    } else if SCHEMA_MAPS.contains(&name) && value.is_object() {
        // What stands here are names of the caller's own.
        let mut map = object.object(if name == "defs" { "$defs" } else { name });
        for (name, value) in value.members() {
            write_inner(value, map.key(&name));
        }
    } else if COUNTS.contains(&camel) {
        object.raw(camel, value);
    } else {
        object.raw(name, value);
    }
}

fn write_list(schemas: Raw<'_>, list: &mut Array<'_>) {
    for schema in schemas.elements() {
        write_inner(schema, list.element());
    }
}

/// A schema among others; `true` and `false` are schemas, too.
fn write_inner(schema: Raw<'_>, out: &mut Vec<u8>) {
    if schema.is_object() {
        write_schema(schema, Object::new(out));
    } else {
        out.extend_from_slice(schema.text().as_bytes());
    }
}

fn write_type(value: Raw<'_>, is_nullable: bool, object: &mut Object<'_>) {
    let Some(name) = value.as_str() else { return object.raw("type", value) };
    let name = name.to_ascii_lowercase();
    match (&*name, is_nullable) {
        // No type was named.
        ("type_unspecified", _) => {}
        (name, false) => object.str("type", name),
        (name, true) => {
            let mut types = object.array("type");
            types.text(&name.into());
            types.text(&"null".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Index;

    fn convert(schema: &str) -> String {
        let mut index = Index::new();
        let mut out = Vec::new();
        write_schema(index.read(schema.as_bytes()).expect("JSON"), Object::new(&mut out));
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn types_and_limits_are_respelt() {
        let cases = [
            (r#"{"type":"STRING"}"#, r#"{"type":"string"}"#),
            (r#"{"type":"string","nullable":true}"#, r#"{"type":["string","null"]}"#),
            (r#"{"type":"TYPE_UNSPECIFIED","enum":["A"]}"#, r#"{"enum":["A"]}"#),
            (
                r#"{"type":"STRING","nullable":true,"enum":["A"]}"#,
                r#"{"type":["string","null"],"enum":["A",null]}"#,
            ),
            (
                r#"{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}],"nullable":true}"#,
                r#"{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}"#,
            ),
            (
                r#"{"type":"ARRAY","items":{"type":"OBJECT","properties":{"type":{"type":"NUMBER"},"max_items":{"type":"STRING"}}},"maxItems":"5","min_items":1}"#,
                r#"{"type":"array","items":{"type":"object","properties":{"type":{"type":"number"},"max_items":{"type":"string"}}},"maxItems":5,"minItems":1}"#,
            ),
            (
                r#"{"type":"OBJECT","propertyOrdering":["a"],"example":{"a":1},"format":"x","default":"STRING"}"#,
                r#"{"type":"object","examples":[{"a":1}],"format":"x","default":"STRING"}"#,
            ),
        ];
        for (google, json_schema) in cases {
            assert_eq!(convert(google), json_schema);
        }
    }

    #[test]
    fn json_schema_stays_as_it_is() {
        for schema in [
            r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":["string","null"],"const":"X"}},"required":["a"],"additionalProperties":false}"##,
            r#"{"prefixItems":[{"type":"number"},true],"not":{"enum":[1]},"minItems":2}"#,
            "{}",
        ] {
            assert_eq!(convert(schema), schema);
        }
    }
}
