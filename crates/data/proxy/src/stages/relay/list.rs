//! A stream as one JSON array, for callers that did not ask for server-sent events: each event's data
//! is an element, and leaves as soon as it is there.

use wire::SseReader;

use crate::framed::Framed;

/// Turns server-sent events into the elements of an array.
#[derive(Debug, Default)]
pub(super) struct List {
    reader: SseReader,
    is_begun: bool,
}

impl List {
    /// Adds the events that are complete with `bytes`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Framed) {
        let mut rest = bytes;
        // What could not be read was refused where the provider's stream was read.
        while let Ok(Some(event)) = self.reader.next(&mut rest) {
            out.push(if self.is_begun { b",\n" } else { b"[" });
            out.push(event.data);
            self.is_begun = true;
        }
    }

    /// Closes the array.
    pub(super) fn end(&mut self, out: &mut Framed) {
        out.push(if self.is_begun { b"]" } else { b"[]" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply_head::Framing;

    fn listed(pieces: &[&[u8]]) -> String {
        let framing = Framing::UntilClose;
        let (mut list, mut out) = (List::default(), Framed { framing, ..Framed::default() });
        pieces.iter().for_each(|piece| list.push(piece, &mut out));
        list.end(&mut out);
        String::from_utf8(out.bytes.as_slice().to_vec()).unwrap()
    }

    #[test]
    fn events_become_elements_wherever_they_are_cut() {
        let stream = b"data: {\"a\":1}\r\n\r\n: comment\n\ndata: {\"b\":[2]}\n\n";
        let whole = "[{\"a\":1},\n{\"b\":[2]}]";
        for cut in 0..stream.len() {
            let (early, late) = stream.split_at(cut);
            assert_eq!(listed(&[early, late]), whole, "{cut}");
        }
        assert_eq!(listed(&[]), "[]");
    }
}
