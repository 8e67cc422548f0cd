//! Reading members that must have a certain type, with an error that names them.

use crate::error::{Error, What};
use crate::json::{Kind, Raw, Text};

pub(crate) fn text<'a>(name: &str, value: Raw<'a>) -> Result<Text<'a>, Error> {
    value.as_text().ok_or_else(|| wrong_type(name, "a string"))
}

pub(crate) fn boolean(name: &str, value: Raw<'_>) -> Result<bool, Error> {
    value.as_bool().ok_or_else(|| wrong_type(name, "true or false"))
}

/// A number, spelling kept.
pub(crate) fn number<'a>(name: &str, value: Raw<'a>) -> Result<Raw<'a>, Error> {
    if value.kind() == Kind::Number { Ok(value) } else { Err(wrong_type(name, "a number")) }
}

pub(crate) fn count(name: &str, value: Raw<'_>) -> Result<u64, Error> {
    value.as_u64().ok_or_else(|| wrong_type(name, "a whole number of at least 0"))
}

pub(crate) fn object<'a>(name: &str, value: Raw<'a>) -> Result<Raw<'a>, Error> {
    if value.is_object() { Ok(value) } else { Err(wrong_type(name, "an object")) }
}

pub(crate) fn array<'a>(name: &str, value: Raw<'a>) -> Result<Raw<'a>, Error> {
    if value.is_array() { Ok(value) } else { Err(wrong_type(name, "an array")) }
}

/// Reads every element of an array member.
pub(crate) fn each<'a, T>(
    name: &str,
    value: Raw<'a>,
    mut read: impl FnMut(usize, Raw<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let elements = array(name, value)?.elements().enumerate();
    elements
        .map(|(position, element)| {
            read(position, element).map_err(|error| error.in_element(position).in_member(name))
        })
        .collect()
}

/// The string member of that name, which must be there.
pub(crate) fn required_text<'a>(parent: Raw<'a>, name: &str) -> Result<Text<'a>, Error> {
    text(name, required(parent, name)?)
}

/// The member of that name, which must be there.
pub(crate) fn required<'a>(parent: Raw<'a>, name: &str) -> Result<Raw<'a>, Error> {
    parent.member(name).ok_or_else(|| Error::at(name, What::Missing))
}

/// A string member that may be missing, and is no mistake when it is something else.
pub(crate) fn lenient_text<'a>(parent: Raw<'a>, name: &str) -> Option<Text<'a>> {
    parent.member(name).and_then(|value| value.as_text())
}

#[cold]
pub(crate) fn wrong_type(name: &str, expected: &'static str) -> Error {
    Error::at(name, What::WrongType(expected))
}
