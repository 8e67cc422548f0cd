//! The headers of a message: those that matter are strings, the others are passed over.

use super::STRING;
use super::reader::{EVENT_STREAM_HEADERS_MAX, EventStreamError};

/// Headers that say what a message is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Headers<'a> {
    pub(super) message_type: Option<&'a str>,
    pub(super) event_type: Option<&'a str>,
    pub(super) exception_type: Option<&'a str>,
    pub(super) content_type: Option<&'a str>,
    pub(super) error_code: Option<&'a str>,
    pub(super) error_message: Option<&'a str>,
}

impl<'a> Headers<'a> {
    /// Reads all headers of a message.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, EventStreamError> {
        let mut headers = Self::default();
        let mut rest = bytes;
        for _ in 0..EVENT_STREAM_HEADERS_MAX {
            if rest.is_empty() {
                return Ok(headers);
            }
            let (name, value) = read_header(&mut rest).ok_or(EventStreamError::BadHeader)?;
            if let (Some(place), Some(text)) = (headers.place(name), value) {
                *place = Some(str::from_utf8(text).map_err(|_| EventStreamError::BadHeader)?);
            }
        }
        if rest.is_empty() { Ok(headers) } else { Err(EventStreamError::TooManyHeaders) }
    }

    fn place(&mut self, name: &[u8]) -> Option<&mut Option<&'a str>> {
        match name {
            b":message-type" => Some(&mut self.message_type),
            b":event-type" => Some(&mut self.event_type),
            b":exception-type" => Some(&mut self.exception_type),
            b":content-type" => Some(&mut self.content_type),
            b":error-code" => Some(&mut self.error_code),
            b":error-message" => Some(&mut self.error_message),
            _ => None,
        }
    }
}

/// The next header: its name, and its value if that is a string. `None` where it is cut off or of an unknown type.
fn read_header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let name_bytes = *take(rest, 1)?.first()?;
    let name = take(rest, usize::from(name_bytes)).filter(|name| !name.is_empty())?;
    let kind = *take(rest, 1)?.first()?;
    let value_bytes = match kind {
        // `true` and `false` have no value.
        0 | 1 => 0,
        2 => 1,
        3 => 2,
        4 => 4,
        // A number, and a time in milliseconds.
        5 | 8 => 8,
        6 | STRING => usize::from(u16::from_be_bytes(take(rest, 2)?.try_into().ok()?)),
        // A UUID.
        9 => 16,
        _ => return None,
    };
    let value = take(rest, value_bytes)?;
    Some((name, (kind == STRING).then_some(value)))
}

fn take<'a>(rest: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(bytes)?;
    *rest = behind;
    Some(taken)
}
