//! What the JSON of a request has to look like, as a table: which fields there are, which of them are needed, and
//! what each may be. One walk checks a request against its table; the provider's module words what it found.

use std::fmt::Write;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::limits::PLACE_STEPS_MAX;

/// What one value may be.
#[derive(Debug)]
pub(crate) enum Form {
    Any,
    Text,
    Flag,
    Integer,
    Decimal,
    /// Text that is base64, of either alphabet, padded or not.
    Base64,
    /// An object whose fields are the caller's.
    Object,
    Choice(&'static [&'static str]),
    /// An object with these fields and no others.
    Fields(&'static [Field]),
    /// An object with these fields, and others nobody looks at.
    Open(&'static [Field]),
    /// An object with exactly one of these fields.
    Union(&'static [Field]),
    /// An object whose form depends on the text in one of its fields; `""` is the form without that field.
    Tagged(&'static str, &'static [(&'static str, Form)]),
    List(&'static Form),
    /// The first of these that has the JSON type of the value.
    Either(&'static [Form]),
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    name: &'static str,
    form: Form,
    is_required: bool,
}

/// A field that has to be there.
pub(crate) const fn must(name: &'static str, form: Form) -> Field {
    Field { name, form, is_required: true }
}

/// A field that may be left out, or be null.
pub(crate) const fn may(name: &'static str, form: Form) -> Field {
    Field { name, form, is_required: false }
}

/// Where and how a value is not what it should be.
#[derive(Debug, PartialEq)]
pub(crate) struct Misfit {
    pub(crate) kind: Kind,
    /// Innermost step first.
    steps: Vec<Step>,
}

/// How a value is wrong.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// It is not there.
    Missing,
    /// Nobody knows a field of that name.
    Unknown,
    Type {
        expected: &'static str,
        found: &'static str,
    },
    /// It is none of the values there are.
    Choice {
        found: String,
        allowed: Vec<&'static str>,
    },
    /// A union has none of its fields, or several.
    Union,
    Base64,
}

#[derive(Debug, PartialEq)]
enum Step {
    Field(String),
    Index(usize),
}

/// Checks `value`; the depth of parsed JSON is bounded by its parser.
pub(crate) fn check(value: &Value, form: &Form) -> Result<(), Misfit> {
    match form {
        Form::Any => Ok(()),
        Form::Base64 => check_base64(value),
        Form::Choice(allowed) => check_choice(value, allowed),
        Form::Fields(fields) => check_object(value, fields, false),
        Form::Open(fields) => check_object(value, fields, true),
        Form::Union(fields) => check_union(value, fields),
        Form::Tagged(tag, variants) => check_tagged(value, tag, variants),
        Form::List(item) => check_list(value, item),
        Form::Either(forms) => match forms.iter().find(|form| form.fits(value)) {
            Some(form) => check(value, form),
            None => Err(Misfit::of_type(forms.first().map_or("value", Form::expected), value)),
        },
        Form::Text | Form::Flag | Form::Integer | Form::Decimal | Form::Object => {
            match form.fits(value) {
                true => Ok(()),
                false => Err(Misfit::of_type(form.expected(), value)),
            }
        }
    }
}

fn check_object(value: &Value, fields: &[Field], is_open: bool) -> Result<(), Misfit> {
    let object = object(value)?;
    for field in fields {
        check_field(object, field)?;
    }
    let unknown = object.keys().find(|name| fields.iter().all(|field| field.name != *name));
    match unknown {
        Some(name) if !is_open => Err(Misfit::new(Kind::Unknown).under(name)),
        _ => Ok(()),
    }
}

fn check_field(object: &Map<String, Value>, field: &Field) -> Result<(), Misfit> {
    match object.get(field.name).filter(|value| !value.is_null()) {
        Some(value) => check(value, &field.form).map_err(|misfit| misfit.under(field.name)),
        None if field.is_required => Err(Misfit::new(Kind::Missing).under(field.name)),
        None => Ok(()),
    }
}

fn check_union(value: &Value, fields: &[Field]) -> Result<(), Misfit> {
    let object = object(value)?;
    check_object(value, fields, false)?;
    match object.values().filter(|value| !value.is_null()).count() {
        1 => Ok(()),
        _ => Err(Misfit::new(Kind::Union)),
    }
}

fn check_tagged(value: &Value, tag: &str, variants: &[(&'static str, Form)]) -> Result<(), Misfit> {
    let found = match object(value)?.get(tag) {
        None | Some(Value::Null) => "",
        Some(Value::String(found)) => found,
        Some(other) => return Err(Misfit::of_type("string", other).under(tag)),
    };
    match variants.iter().find(|(name, _)| *name == found) {
        Some((_, form)) => check(value, form),
        None if found.is_empty() => Err(Misfit::new(Kind::Missing).under(tag)),
        None => {
            let allowed = variants.iter().map(|(name, _)| *name).filter(|name| !name.is_empty());
            let kind = Kind::Choice { found: found.to_owned(), allowed: allowed.collect() };
            Err(Misfit::new(kind).under(tag))
        }
    }
}

fn check_list(value: &Value, item: &Form) -> Result<(), Misfit> {
    let items = value.as_array().ok_or_else(|| Misfit::of_type("array", value))?;
    items.iter().enumerate().try_for_each(|(index, value)| {
        check(value, item).map_err(|misfit| misfit.step(Step::Index(index)))
    })
}

fn check_choice(value: &Value, allowed: &[&'static str]) -> Result<(), Misfit> {
    let found = value.as_str().ok_or_else(|| Misfit::of_type("string", value))?;
    match allowed.contains(&found) {
        true => Ok(()),
        false => {
            Err(Misfit::new(Kind::Choice { found: found.to_owned(), allowed: allowed.to_vec() }))
        }
    }
}

fn check_base64(value: &Value) -> Result<(), Misfit> {
    let text = value.as_str().ok_or_else(|| Misfit::of_type("string", value))?;
    match bytes_of_base64(text) {
        Some(_) => Ok(()),
        None => Err(Misfit::new(Kind::Base64)),
    }
}

/// The bytes of base64 text in either alphabet.
pub(crate) fn bytes_of_base64(text: &str) -> Option<Vec<u8>> {
    let settings =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = match text.contains(['-', '_']) {
        true => &base64::alphabet::URL_SAFE,
        false => &base64::alphabet::STANDARD,
    };
    GeneralPurpose::new(alphabet, settings).decode(text).ok()
}

fn object(value: &Value) -> Result<&Map<String, Value>, Misfit> {
    value.as_object().ok_or_else(|| Misfit::of_type("object", value))
}

impl Form {
    /// Whether the JSON type is right; what is inside is not looked at.
    fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::Text | Self::Base64 | Self::Choice(_) => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::Integer => value.is_i64() || value.is_u64(),
            Self::Decimal => value.is_number(),
            Self::Object | Self::Fields(_) | Self::Open(_) | Self::Union(_) | Self::Tagged(..) => {
                value.is_object()
            }
            Self::List(_) => value.is_array(),
            Self::Either(forms) => forms.iter().any(|form| form.fits(value)),
        }
    }

    fn expected(&self) -> &'static str {
        match self {
            Self::Any => "value",
            Self::Text | Self::Base64 | Self::Choice(_) => "string",
            Self::Flag => "boolean",
            Self::Integer => "integer",
            Self::Decimal => "number",
            Self::Object | Self::Fields(_) | Self::Open(_) | Self::Union(_) | Self::Tagged(..) => {
                "object"
            }
            Self::List(_) => "array",
            Self::Either(forms) => forms.first().map_or("value", Self::expected),
        }
    }
}

impl Misfit {
    fn new(kind: Kind) -> Self {
        Self { kind, steps: Vec::new() }
    }

    fn of_type(expected: &'static str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        Self::new(Kind::Type { expected, found })
    }

    fn under(self, name: &str) -> Self {
        self.step(Step::Field(name.to_owned()))
    }

    fn step(mut self, step: Step) -> Self {
        if self.steps.len() < PLACE_STEPS_MAX {
            self.steps.push(step);
        }
        self
    }

    /// The same, for a value that was checked by itself and lies at `place`.
    pub(crate) fn inside(mut self, place: &str) -> Self {
        self.steps.push(Step::Field(place.to_owned()));
        self
    }

    /// `messages.0.content`
    pub(crate) fn dotted(&self) -> String {
        let steps = self.steps.iter().rev().map(|step| match step {
            Step::Field(name) => name.clone(),
            Step::Index(index) => index.to_string(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    /// `messages[0].content`
    pub(crate) fn bracketed(&self) -> String {
        bracketed(&self.steps)
    }

    /// The place of the object that has or lacks the field, and the name of the field.
    pub(crate) fn parent_and_name(&self) -> (String, &str) {
        match self.steps.split_first() {
            Some((Step::Field(name), outer)) => (bracketed(outer), name),
            _ => (self.bracketed(), ""),
        }
    }
}

fn bracketed(steps: &[Step]) -> String {
    let mut place = String::new();
    for step in steps.iter().rev() {
        // Writing to a string cannot fail.
        let _ = match step {
            Step::Field(name) if place.is_empty() => write!(place, "{name}"),
            Step::Field(name) => write!(place, ".{name}"),
            Step::Index(index) => write!(place, "[{index}]"),
        };
    }
    place
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PART: Form = Form::Union(&[may("text", Form::Text), may("data", Form::Base64)]);
    const ITEM: Form = Form::Tagged(
        "type",
        &[
            ("", Form::Fields(&[must("content", Form::Text)])),
            ("call", Form::Open(&[must("name", Form::Choice(&["a", "b"]))])),
        ],
    );
    const FORM: Form = Form::Fields(&[
        must("parts", Form::List(&PART)),
        may("items", Form::Either(&[Form::Text, Form::List(&ITEM)])),
    ]);

    fn found(value: Value) -> (String, Kind) {
        let misfit = check(&value, &FORM).expect_err("it does not fit");
        (misfit.bracketed(), misfit.kind)
    }

    #[test]
    fn what_fits_passes() {
        for items in [
            json!("all"),
            json!(null),
            json!([{"content": "x"}, {"type": "call", "name": "a", "more": 1}]),
        ] {
            let value = json!({"parts": [{"text": "x"}, {"data": "aGk"}], "items": items});
            assert_eq!(check(&value, &FORM), Ok(()), "{value}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let type_of = |expected, found| Kind::Type { expected, found };
        assert_eq!(found(json!([])), (String::new(), type_of("object", "array")));
        assert_eq!(found(json!({})), ("parts".to_owned(), Kind::Missing));
        assert_eq!(found(json!({"parts": [{}]})), ("parts[0]".to_owned(), Kind::Union));
        let both = json!({"parts": [{"text": "x", "data": "aGk="}]});
        assert_eq!(found(both), ("parts[0]".to_owned(), Kind::Union));
        let wrong = json!({"parts": [{"text": "x"}, {"data": "?"}]});
        assert_eq!(found(wrong), ("parts[1].data".to_owned(), Kind::Base64));
        assert_eq!(found(json!({"parts": [], "x": 1})), ("x".to_owned(), Kind::Unknown));
        let untagged = json!({"parts": [], "items": [{"type": "other"}]});
        let kind = Kind::Choice { found: "other".to_owned(), allowed: vec!["call"] };
        assert_eq!(found(untagged), ("items[0].type".to_owned(), kind));
        let misfit = check(&json!({"parts": [{"text": 1}]}), &FORM).expect_err("a number");
        assert_eq!(misfit.dotted(), "parts.0.text");
        assert_eq!(misfit.parent_and_name(), ("parts[0]".to_owned(), "text"));
    }
}
