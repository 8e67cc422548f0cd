//! An error a vendor answered with.

use std::borrow::Cow;

/// What a vendor's error says, whatever shape it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply<'a> {
    /// HTTP status; for an error inside a stream the one it names or implies.
    pub status: u16,
    /// The vendor's type, for example `invalid_request_error`.
    pub kind: Option<Cow<'a, str>>,
    /// The vendor's code; a number is spelt out.
    pub code: Option<Cow<'a, str>>,
    /// For people. Never empty.
    pub message: Cow<'a, str>,
    /// The parameter at fault.
    pub param: Option<Cow<'a, str>>,
    /// The body as it came.
    pub raw: &'a [u8],
}

impl<'a> ErrorReply<'a> {
    /// An error of our own making.
    pub fn new(status: u16, kind: &'a str, message: impl Into<Cow<'a, str>>) -> Self {
        Self {
            status,
            kind: Some(Cow::Borrowed(kind)),
            code: None,
            message: message.into(),
            param: None,
            raw: &[],
        }
    }
}
