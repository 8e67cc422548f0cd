//! Makes up a JSON value that a JSON schema accepts, for tool arguments and structured output.
//!
//! Only what the schema requires is made up. Keywords that cannot be met without solving them
//! (`pattern`, `not`, `if`) are not looked at.

use serde_json::{Map, Value};

use super::limits::{SCHEMA_DEPTH_MAX, SCHEMA_VALUES_MAX};

/// A value for `schema`. Different `variant`s differ where the schema leaves a choice.
pub(crate) fn instance(schema: &Value, variant: usize) -> Value {
    let mut sampler = Sampler { root: schema, variant, values_left: SCHEMA_VALUES_MAX };
    sampler.value(schema, "value", 0)
}

struct Sampler<'a> {
    root: &'a Value,
    variant: usize,
    values_left: usize,
}

impl<'a> Sampler<'a> {
    fn value(&mut self, schema: &'a Value, name: &str, depth: usize) -> Value {
        if depth > SCHEMA_DEPTH_MAX || self.values_left == 0 {
            return Value::Null;
        }
        self.values_left -= 1;
        if let Some(target) = self.referenced(schema) {
            return self.value(target, name, depth + 1);
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(choices) = non_empty(schema, "enum") {
            return self.pick(choices).clone();
        }
        for union in ["anyOf", "oneOf"] {
            if let Some(choices) = non_empty(schema, union) {
                return self.value(self.pick(choices), name, depth + 1);
            }
        }
        if let Some(parts) = non_empty(schema, "allOf") {
            return self.all_of(schema, parts, name, depth);
        }
        self.typed(schema, name, depth)
    }

    fn referenced(&self, schema: &Value) -> Option<&'a Value> {
        let reference = schema.get("$ref")?.as_str()?;
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn pick(&self, choices: &'a [Value]) -> &'a Value {
        &choices[self.variant % choices.len()]
    }

    /// Objects are merged; of anything else the first part counts.
    fn all_of(&mut self, schema: &'a Value, parts: &'a [Value], name: &str, depth: usize) -> Value {
        let mut merged = self.object(schema, depth);
        for part in parts {
            match self.value(part, name, depth + 1) {
                Value::Object(fields) => merged.extend(fields),
                other => return other,
            }
        }
        Value::Object(merged)
    }

    fn typed(&mut self, schema: &'a Value, name: &str, depth: usize) -> Value {
        match type_of(schema) {
            "object" => Value::Object(self.object(schema, depth)),
            "array" => self.array(schema, name, depth),
            "integer" => integer(schema, self.variant),
            "number" => number(schema, self.variant),
            "boolean" => Value::Bool(self.variant.is_multiple_of(2)),
            "null" => Value::Null,
            _ => self.string(schema, name),
        }
    }

    fn object(&mut self, schema: &'a Value, depth: usize) -> Map<String, Value> {
        let mut fields = Map::new();
        for name in non_empty(schema, "required").into_iter().flatten().filter_map(Value::as_str) {
            let property = schema.get("properties").and_then(|properties| properties.get(name));
            let value = match property {
                Some(property) => self.value(property, name, depth + 1),
                None => Value::String(format!("mock {name}")),
            };
            fields.insert(name.to_owned(), value);
        }
        fields
    }

    fn array(&mut self, schema: &'a Value, name: &str, depth: usize) -> Value {
        if let Some(items) = non_empty(schema, "prefixItems") {
            return items.iter().map(|item| self.value(item, name, depth + 1)).collect();
        }
        let Some(item) = schema.get("items") else { return Value::Array(Vec::new()) };
        let least = bound(schema, "minItems").unwrap_or(1.0) as usize;
        let count = least.max(1).min(bound(schema, "maxItems").unwrap_or(f64::MAX) as usize);
        (0..count.min(self.values_left)).map(|_| self.value(item, name, depth + 1)).collect()
    }

    fn string(&self, schema: &Value, name: &str) -> Value {
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        let text = match format {
            "date" => "2026-01-02".to_owned(),
            "time" => "03:04:05Z".to_owned(),
            "date-time" => "2026-01-02T03:04:05Z".to_owned(),
            "duration" => "PT1H".to_owned(),
            "email" => "mock@example.com".to_owned(),
            "hostname" => "example.com".to_owned(),
            "ipv4" => "192.0.2.1".to_owned(),
            "ipv6" => "2001:db8::1".to_owned(),
            "uri" | "url" => "https://example.com/".to_owned(),
            "uuid" => "00000000-0000-4000-8000-000000000000".to_owned(),
            _ => self.free_text(schema, name),
        };
        Value::String(text)
    }

    fn free_text(&self, schema: &Value, name: &str) -> String {
        let text = match self.variant {
            0 => format!("mock {name}"),
            variant => format!("mock {name} {}", variant + 1),
        };
        let least = bound(schema, "minLength").unwrap_or(0.0) as usize;
        let most = bound(schema, "maxLength").unwrap_or(f64::MAX) as usize;
        let padding = std::iter::repeat_n('x', least.min(SCHEMA_VALUES_MAX));
        let length = text.chars().count().max(least).min(most);
        text.chars().chain(padding).take(length).collect()
    }
}

/// The type a schema names, or the one its other keywords suggest.
fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str);
            names.find(|name| *name != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

fn non_empty<'a>(schema: &'a Value, keyword: &str) -> Option<&'a [Value]> {
    schema.get(keyword)?.as_array().map(Vec::as_slice).filter(|items| !items.is_empty())
}

fn bound(schema: &Value, keyword: &str) -> Option<f64> {
    schema.get(keyword)?.as_f64()
}

fn integer(schema: &Value, variant: usize) -> Value {
    let step = bound(schema, "multipleOf").filter(|step| *step >= 1.0).unwrap_or(1.0);
    let least = at_least(schema, 1.0);
    let wanted = ((least / step).ceil() + variant as f64) * step;
    Value::from(wanted.min(at_most(schema, 1.0)) as i64)
}

fn number(schema: &Value, variant: usize) -> Value {
    let wanted = at_least(schema, 0.5) + variant as f64;
    Value::from(wanted.min(at_most(schema, 0.5)))
}

/// The smallest number allowed, `margin` above an exclusive bound; 1 where there is no bound.
fn at_least(schema: &Value, margin: f64) -> f64 {
    let inclusive = bound(schema, "minimum");
    let exclusive = bound(schema, "exclusiveMinimum").map(|bound| bound + margin);
    match (inclusive, exclusive) {
        (None, None) => at_most(schema, margin).min(1.0),
        (inclusive, exclusive) => inclusive.unwrap_or(f64::MIN).max(exclusive.unwrap_or(f64::MIN)),
    }
}

fn at_most(schema: &Value, margin: f64) -> f64 {
    let exclusive = bound(schema, "exclusiveMaximum").map_or(f64::MAX, |bound| bound - margin);
    bound(schema, "maximum").unwrap_or(f64::MAX).min(exclusive)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_required_properties_are_made_up() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 3},
                "unit": {"enum": ["c", "f"]},
                "note": {"type": "string"},
            },
            "required": ["city", "days", "unit"],
        });
        assert_eq!(instance(&schema, 0), json!({"city": "mock city", "days": 3, "unit": "c"}));
        assert_eq!(instance(&schema, 1), json!({"city": "mock city 2", "days": 4, "unit": "f"}));
    }

    #[test]
    fn references_unions_and_parts_are_followed() {
        let schema = json!({
            "allOf": [
                {"$ref": "#/$defs/who"},
                {"properties": {"tags": {"items": {"type": ["null", "string"]}, "minItems": 2}},
                 "required": ["tags"]},
            ],
            "$defs": {"who": {"type": "object", "required": ["age", "ok"], "properties": {
                "age": {"anyOf": [{"type": "number", "exclusiveMinimum": 7}, {"type": "null"}]},
                "ok": {"type": "boolean"},
            }}},
        });
        let expected = json!({"age": 7.5, "ok": true, "tags": ["mock tags", "mock tags"]});
        assert_eq!(instance(&schema, 0), expected);
    }

    #[test]
    fn a_schema_without_end_ends() {
        let deep = json!({"type": "object", "required": ["next"],
            "properties": {"next": {"$ref": "#"}}});
        assert!(instance(&deep, 0).is_object());
        let wide = json!({"type": "array", "minItems": 1e18, "items": {"type": "array",
            "minItems": 100, "items": {"$ref": "#"}}});
        assert!(instance(&wide, 0).is_array());
    }

    #[test]
    fn lengths_and_bounds_hold() {
        assert_eq!(instance(&json!({"type": "string", "maxLength": 3}), 0), json!("moc"));
        let long = instance(&json!({"type": "string", "minLength": 30}), 0);
        assert_eq!(long.as_str().map(str::len), Some(30));
        assert_eq!(instance(&json!({"type": "integer", "maximum": -4}), 0), json!(-4));
        assert_eq!(instance(&json!({"type": "integer", "multipleOf": 5, "minimum": 6}), 0), 10);
    }
}
