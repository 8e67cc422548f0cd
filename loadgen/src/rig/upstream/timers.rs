//! What the upstream has to do later.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::ConnectionKey;

/// Plain replies wait all equally long, so a queue keeps them in order; streams beat each from
/// its own beginning, so theirs is a heap.
#[derive(Debug, Default)]
pub(super) struct Timers {
    replies: VecDeque<Reply>,
    streams: BinaryHeap<Reverse<(u64, ConnectionKey)>>,
}

#[derive(Debug)]
struct Reply {
    due_ns: u64,
    key: ConnectionKey,
    received_ns: u64,
}

/// Something whose time has come.
pub(super) enum Due {
    /// A plain reply.
    Reply { key: ConnectionKey, received_ns: u64 },
    /// A stream's next event.
    Stream { key: ConnectionKey },
}

impl Timers {
    /// A plain reply is due; never before one that was asked for earlier.
    #[inline]
    pub(super) fn reply_at(&mut self, due_ns: u64, key: ConnectionKey, received_ns: u64) {
        debug_assert!(self.replies.back().is_none_or(|last| last.due_ns <= due_ns));
        self.replies.push_back(Reply { due_ns, key, received_ns });
    }

    /// A stream's next event is due.
    #[inline]
    pub(super) fn stream_at(&mut self, due_ns: u64, key: ConnectionKey) {
        self.streams.push(Reverse((due_ns, key)));
    }

    /// How much waits.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.replies.len() + self.streams.len()
    }

    /// When the first is due; the end of time if there is none.
    #[inline]
    pub(super) fn due_ns(&self) -> u64 {
        self.reply_due_ns().min(self.stream_due_ns())
    }

    /// The first, if its time has come.
    #[inline]
    pub(super) fn pop(&mut self, now_ns: u64) -> Option<Due> {
        let (reply_ns, stream_ns) = (self.reply_due_ns(), self.stream_due_ns());
        if reply_ns.min(stream_ns) > now_ns {
            return None;
        }
        if reply_ns <= stream_ns {
            let Reply { key, received_ns, .. } = self.replies.pop_front()?;
            return Some(Due::Reply { key, received_ns });
        }
        let Reverse((_, key)) = self.streams.pop()?;
        Some(Due::Stream { key })
    }

    #[inline]
    fn reply_due_ns(&self) -> u64 {
        self.replies.front().map_or(u64::MAX, |reply| reply.due_ns)
    }

    #[inline]
    fn stream_due_ns(&self) -> u64 {
        self.streams.peek().map_or(u64::MAX, |Reverse((due_ns, _))| *due_ns)
    }
}
