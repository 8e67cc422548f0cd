//! What an upstream's event means to the one who decides whether another upstream may still be tried.

use crate::Dialect;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// The upstream reports an error.
    Error,
    /// Nothing of the answer yet: a role, a ping, the head of a message, a chunk without choices.
    StartUp,
    /// Part of the answer, or its end.
    Output,
    /// Nothing follows.
    Done,
}

/// Classifies one event by its name, if it had one, and its data. Cheap, without allocating, and never fails: what it
/// does not understand is output.
pub fn event_class(dialect: Dialect, event: Option<&str>, data: &[u8]) -> EventClass {
    if event == Some("error") {
        return EventClass::Error;
    }
    (dialect.format().event_class)(event, data)
}
