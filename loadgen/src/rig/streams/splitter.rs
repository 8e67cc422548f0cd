//! Cutting a stream's content into events.

use memchr::memmem;

use super::super::limits::EVENT_BYTES_MAX;

/// Collects pieces until an event is complete.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    partial: Vec<u8>,
}

impl Splitter {
    /// Reads on, and gives each event that is complete to `sink`, without its empty line.
    pub(super) fn feed(&mut self, piece: &[u8], mut sink: impl FnMut(&[u8])) {
        let mut rest = piece;
        if !self.partial.is_empty() {
            // The empty line may have been cut.
            let from = self.partial.len().saturating_sub(END.len() - 1);
            self.partial.extend_from_slice(piece);
            let Some(at) = memmem::find(&self.partial[from..], END) else { return self.bound() };
            let end = from + at;
            sink(&self.partial[..end]);
            let taken_before = self.partial.len() - piece.len();
            rest = &piece[end + END.len() - taken_before..];
            self.partial.clear();
        }
        while let Some(end) = memmem::find(rest, END) {
            sink(&rest[..end]);
            rest = &rest[end + END.len()..];
        }
        self.partial.extend_from_slice(rest);
        self.bound();
    }

    /// Begins a new stream.
    pub(super) fn reset(&mut self) {
        self.partial.clear();
    }

    /// What has no end is no event: the check sum will tell.
    fn bound(&mut self) {
        if self.partial.len() > 2 * EVENT_BYTES_MAX {
            self.partial.clear();
        }
    }
}

/// The empty line after an event.
const END: &[u8] = b"\n\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_wherever_they_are_cut() {
        let input = b"data: a\n\nevent: x\ndata: b\n\ndata: c\n\nrest";
        for first in 0..input.len() {
            for second in first..input.len() {
                let mut splitter = Splitter::default();
                let mut events = Vec::new();
                for piece in [&input[..first], &input[first..second], &input[second..]] {
                    splitter.feed(piece, |event| events.push(event.to_vec()));
                }
                let expected: [&[u8]; 3] = [b"data: a", b"event: x\ndata: b", b"data: c"];
                assert_eq!(events, expected, "cut at {first} and {second}");
            }
        }
    }
}
