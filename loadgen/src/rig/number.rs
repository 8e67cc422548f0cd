//! Numbers of fixed width inside text: each request and each reply names the request it belongs
//! to, and each event of a stream when it was sent. They stand in the text of a message, so that
//! they survive a proxy that writes the JSON anew.

use memchr::memmem;

/// Stands before a request's number.
pub(crate) const MARK: &str = "@no:";
/// Digits of a request's number.
pub(crate) const NUMBER_DIGITS: usize = 12;
/// What a message's text begins with; the zeros are where the number goes.
pub(crate) const NUMBER_TEXT: &str = "@no:000000000000 ";
/// Digits of an event's place in its stream.
pub(crate) const SEQUENCE_DIGITS: usize = 7;
/// Digits of a time: nanoseconds of 115 days.
pub(crate) const TIME_DIGITS: usize = 16;
/// What an event's text begins with.
pub(crate) const EVENT_TEXT: &str = "@no:000000000000 seq:0000000 sent_ns:0000000000000000 ";
/// From the beginning of `EVENT_TEXT` to the digits of the sequence number.
pub(crate) const SEQUENCE_AT: usize = NUMBER_TEXT.len() + "seq:".len();
/// From the beginning of `EVENT_TEXT` to the digits of the time.
pub(crate) const SENT_AT: usize = SEQUENCE_AT + SEQUENCE_DIGITS + " sent_ns:".len();

const _: () = assert!(NUMBER_TEXT.len() == MARK.len() + NUMBER_DIGITS + 1);
const _: () = assert!(EVENT_TEXT.len() == SENT_AT + TIME_DIGITS + 1);

/// What an event of a stream says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventMark {
    /// The request that is answered.
    pub number: u64,
    /// Its place in the stream, from zero.
    pub sequence: u64,
    /// When the upstream sent it.
    pub sent_ns: u64,
}

/// Writes `value` into a slot, with leading zeros. Digits the slot has no room for are lost.
#[inline]
pub(crate) fn write_digits(slot: &mut [u8], mut value: u64) {
    for digit in slot.iter_mut().rev() {
        // Less than ten.
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// The value of a slot; `None` if anything but digits stands there.
#[inline]
pub(crate) fn read_digits(slot: &[u8]) -> Option<u64> {
    slot.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

/// The first request number in `text`.
#[inline]
pub(crate) fn find_number(text: &[u8]) -> Option<u64> {
    let at = memmem::find(text, MARK.as_bytes())?;
    number_at(text, at)
}

/// What the first mark in one event's bytes says; `None` if it is not a content event.
pub(crate) fn find_event_mark(event: &[u8]) -> Option<EventMark> {
    let at = memmem::find(event, MARK.as_bytes())?;
    let sequence_at = at + SEQUENCE_AT;
    let sent_at = at + SENT_AT;
    Some(EventMark {
        number: number_at(event, at)?,
        sequence: read_digits(event.get(sequence_at..sequence_at + SEQUENCE_DIGITS)?)?,
        sent_ns: read_digits(event.get(sent_at..sent_at + TIME_DIGITS)?)?,
    })
}

fn number_at(text: &[u8], at: usize) -> Option<u64> {
    let from = at + MARK.len();
    read_digits(text.get(from..from + NUMBER_DIGITS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_again() {
        let mut event = format!("data: {{\"content\":\"{EVENT_TEXT}x\"}}").into_bytes();
        let at = memmem::find(&event, MARK.as_bytes()).unwrap();
        write_digits(&mut event[at + MARK.len()..][..NUMBER_DIGITS], 123_456_789_012);
        write_digits(&mut event[at + SEQUENCE_AT..][..SEQUENCE_DIGITS], 63);
        write_digits(&mut event[at + SENT_AT..][..TIME_DIGITS], 1_234_567_890_123_456);
        let expected =
            EventMark { number: 123_456_789_012, sequence: 63, sent_ns: 1_234_567_890_123_456 };
        assert_eq!(find_event_mark(&event), Some(expected));
        assert_eq!(find_number(&event), Some(123_456_789_012));
    }

    #[test]
    fn a_cut_or_spoilt_mark_is_not_read() {
        let text = EVENT_TEXT.trim_end().as_bytes();
        for end in 0..text.len() {
            assert_eq!(find_event_mark(&text[..end]), None, "cut at {end}");
        }
        assert_eq!(find_number(b"@no:00000000000x "), None);
        assert!(find_event_mark(text).is_some());
    }
}
