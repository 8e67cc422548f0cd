//! What the upstream remembers of each stream, to be held against what callers saw.

use std::collections::HashMap;

/// A stream as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentStream {
    /// Check sum of the body's content.
    pub sum: u32,
    /// Bytes of the body's content; from 4 GiB on they are counted from zero again.
    pub content_bytes: u64,
    /// Content events.
    pub events: u64,
}

/// Streams by the number of the request they answer.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    sent: HashMap<u64, SentStream>,
    abandoned_ns: HashMap<u64, u64>,
}

impl Journal {
    /// A stream has been sent whole.
    pub(super) fn sent(&mut self, number: u64, stream: SentStream) {
        self.sent.insert(number, stream);
    }

    /// The connection of a request was closed before its answer was complete.
    pub(super) fn abandoned(&mut self, number: u64, now_ns: u64) {
        self.abandoned_ns.insert(number, now_ns);
    }

    /// The stream that answered this request, once: it is forgotten here.
    pub(crate) fn take_sent(&mut self, number: u64) -> Option<SentStream> {
        self.sent.remove(&number)
    }

    /// When the connection of this request was closed under an unfinished answer.
    pub(crate) fn abandoned_ns(&self, number: u64) -> Option<u64> {
        self.abandoned_ns.get(&number).copied()
    }
}
