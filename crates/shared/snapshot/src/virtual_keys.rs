//! Virtual keys by their value, which is found without being shown.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// A caller's credential issued by the gateway.
#[derive(Debug)]
pub struct VirtualKey {
    /// Id in the configuration.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Refused when false.
    pub is_active: bool,
}

/// Virtual keys by value.
pub(crate) type VirtualKeys = HashMap<Value, Arc<VirtualKey>>;

/// The value of a virtual key. It prints as `***`.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Value(Box<str>);

impl Value {
    pub(crate) fn new(value: &str) -> Self {
        Self(value.into())
    }
}

impl Borrow<str> for Value {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}
