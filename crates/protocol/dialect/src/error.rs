//! Why a document could not be translated: what is wrong, and where.

use std::fmt;

use crate::Dialect;
use crate::json::{DEPTH_MAX, Fault};

/// A document that cannot be translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The place, as in `messages[3].content[1].source`; empty for the document as a whole.
    pub path: String,
    /// What is wrong there.
    pub what: What,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Not JSON; the offset in bytes of the first mistake.
    NotJson(usize),
    /// A form that cannot be read.
    Form(wire::FormError),
    /// Nested too deeply.
    TooDeep,
    /// Too long to be read.
    TooLong,
    /// Something that must be there is not.
    Missing,
    /// Of another type than it must be; what it must be.
    WrongType(&'static str),
    /// A value that is not allowed; what is.
    Invalid(&'static str),
    /// Well-formed, but the target has no way to say it.
    Inexpressible(Dialect),
}

impl Error {
    pub(crate) fn new(what: What) -> Self {
        Self { path: String::new(), what }
    }

    pub(crate) fn at(path: &str, what: What) -> Self {
        Self { path: path.to_owned(), what }
    }

    /// Whether the document is sound and only this target cannot take it; otherwise the document is at fault.
    pub fn is_inexpressible(&self) -> bool {
        matches!(self.what, What::Inexpressible(_))
    }

    /// The same error seen from one object further out.
    #[cold]
    pub(crate) fn in_member(mut self, name: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{name}{dot}{}", self.path);
        self
    }

    /// The same error seen from one array further out.
    #[cold]
    pub(crate) fn in_element(mut self, position: usize) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("[{position}]{dot}{}", self.path);
        self
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::new(match fault {
            Fault::Syntax(offset) => What::NotJson(offset),
            Fault::Depth => What::TooDeep,
            Fault::Length => What::TooLong,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        match self.what {
            What::NotJson(offset) => write!(formatter, "invalid JSON at byte {offset}"),
            What::Form(error) => write!(formatter, "{error}"),
            What::TooDeep => write!(formatter, "nested deeper than {DEPTH_MAX} levels"),
            What::TooLong => write!(formatter, "too long to be read"),
            What::Missing => write!(formatter, "is required"),
            What::WrongType(expected) => write!(formatter, "must be {expected}"),
            What::Invalid(allowed) => write!(formatter, "{allowed}"),
            What::Inexpressible(target) => {
                write!(formatter, "cannot be expressed in {}", target.name())
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_built_from_the_inside_out() {
        let error = Error::at("source", What::Missing)
            .in_element(1)
            .in_member("content")
            .in_element(3)
            .in_member("messages");
        assert_eq!(error.to_string(), "messages[3].content[1].source: is required");
    }
}
