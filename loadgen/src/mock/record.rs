//! Remembers the raw bytes that came in, so that a test can ask afterwards. A bounded ring: the
//! oldest entries go first.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::limits::{RECORD_BYTES_MAX, RECORDING_BYTES_MAX, RECORDS_MAX};
use super::request::{Malformed, Request};

/// What came in, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    entries: VecDeque<Entry>,
    /// Raw bytes of all entries.
    bytes: usize,
    /// Sequence number of the newest entry.
    last_seq: u64,
}

/// What bytes turned out to be.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    Request(Arc<Request>),
    /// Bytes that are not a request.
    Refused(Vec<u8>, Malformed),
    /// Bytes the connection ended behind: part of a request.
    Leftover(Vec<u8>),
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    /// The reply, or what a fault left of it, was written.
    Written,
    /// The peer went away before that.
    Aborted,
}

/// Sequence number of an entry; `None` when nothing was recorded.
pub(crate) type Seq = Option<u64>;

#[derive(Debug)]
struct Entry {
    seq: u64,
    connection: u64,
    arrival: Arrival,
    at_us: u64,
    ended: Option<(u64, Ending)>,
}

impl Recording {
    /// Adds an entry and returns its sequence number.
    pub(crate) fn add(&mut self, connection: u64, at_us: u64, arrival: Arrival) -> u64 {
        self.last_seq += 1;
        self.bytes += arrival.held_bytes();
        let entry = Entry { seq: self.last_seq, connection, arrival, at_us, ended: None };
        self.entries.push_back(entry);
        while self.entries.len() > RECORDS_MAX || self.bytes > RECORDING_BYTES_MAX {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.arrival.held_bytes();
        }
        self.last_seq
    }

    /// Notes how the exchange of an entry ended, if the entry is still there.
    pub(crate) fn end(&mut self, seq: u64, at_us: u64, ending: Ending) {
        let first = self.entries.front().map_or(u64::MAX, |entry| entry.seq);
        let index = seq.checked_sub(first).and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            entry.ended = Some((at_us, ending));
        }
    }

    /// Everything after the entry numbered `since`.
    pub(crate) fn since(&self, since: u64) -> Value {
        let newer = self.entries.iter().filter(|entry| entry.seq > since);
        newer.map(Entry::to_json).collect()
    }

    /// Forgets everything; numbers go on, so that an exchange in flight ends no newer entry.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}

impl Arrival {
    fn raw(&self) -> &[u8] {
        match self {
            Self::Request(request) => &request.raw,
            Self::Refused(raw, _) | Self::Leftover(raw) => raw,
        }
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Request(request) => request.raw.len() + request.body().len(),
            Self::Refused(raw, _) | Self::Leftover(raw) => raw.len(),
        }
    }
}

impl Entry {
    fn to_json(&self) -> Value {
        let raw = self.arrival.raw();
        let kept = raw.get(..RECORD_BYTES_MAX).unwrap_or(raw);
        let ended = |wanted| self.ended.filter(|(_, ending)| *ending == wanted);
        let mut entry = json!({
            "seq": self.seq,
            "connection": self.connection,
            "kind": self.kind(),
            "at_us": self.at_us,
            "ended_at_us": ended(Ending::Written).map(|(at_us, _)| at_us),
            "aborted_at_us": ended(Ending::Aborted).map(|(at_us, _)| at_us),
            "raw_bytes": raw.len(),
            "raw_base64": STANDARD.encode(kept),
        });
        match &self.arrival {
            Arrival::Request(request) => describe(request, &mut entry),
            Arrival::Refused(_, error) => entry["error"] = json!(error.to_string()),
            Arrival::Leftover(_) => {}
        }
        entry
    }

    fn kind(&self) -> &'static str {
        match self.arrival {
            Arrival::Request(_) => "request",
            Arrival::Refused(..) => "refused",
            Arrival::Leftover(_) => "leftover",
        }
    }
}

fn describe(request: &Request, entry: &mut Value) {
    let headers = request.headers();
    let headers: Vec<Value> =
        headers.map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
    let body = request.body();
    entry["method"] = json!(request.method());
    entry["target"] = json!(request.target());
    entry["headers"] = json!(headers);
    entry["body_bytes"] = json!(body.len());
    let kept = body.get(..RECORD_BYTES_MAX).unwrap_or(body);
    match std::str::from_utf8(kept) {
        Ok(text) => entry["body"] = json!(text),
        Err(_) => entry["body_base64"] = json!(STANDARD.encode(kept)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leftover(bytes: usize) -> Arrival {
        Arrival::Leftover(vec![b'x'; bytes])
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let mut recording = Recording::default();
        for _ in 0..RECORDS_MAX + 3 {
            recording.add(1, 0, leftover(1));
        }
        assert_eq!(recording.entries.len(), RECORDS_MAX);
        assert_eq!(recording.since(0)[0]["seq"], 4);
        for _ in 0..3 {
            recording.add(1, 0, leftover(RECORDING_BYTES_MAX / 2));
        }
        assert_eq!(recording.entries.len(), 2);
        assert!(recording.bytes <= RECORDING_BYTES_MAX);
    }

    #[test]
    fn an_ending_finds_its_entry_or_nothing() {
        let mut recording = Recording::default();
        let gone = recording.add(1, 10, leftover(1));
        recording.clear();
        let kept = recording.add(1, 20, leftover(1));
        recording.end(gone, 30, Ending::Aborted);
        recording.end(kept, 40, Ending::Aborted);
        recording.end(kept + 1, 50, Ending::Written);
        let entries = recording.since(gone);
        assert_eq!(entries.as_array().map(Vec::len), Some(1));
        assert_eq!(entries[0]["aborted_at_us"], 40);
        assert_eq!(entries[0]["ended_at_us"], Value::Null);
    }
}
