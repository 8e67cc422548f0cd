//! What goes to the caller: the reply's bytes, framed, with `extra_fields` where they belong.

use std::time::{Duration, Instant};

use net::Buffer;

use super::list::List;
use crate::extra_fields::ExtraFields;
use crate::framed::Framed;
use crate::inject::Injector;

/// Bytes on their way to the caller.
pub(super) struct Output {
    /// Ready to be written.
    pub(super) framed: Framed,
    injector: Option<Injector>,
    /// Set where the caller wants an array instead of events.
    list: Option<Box<List>>,
    /// Set where the reply tells how it was routed.
    extra_fields: Option<ExtraFields>,
    clock: ChunkClock,
}

/// Numbers and times the chunks of a reply for `extra_fields`.
struct ChunkClock {
    index: u64,
    last: Instant,
    /// For a unary reply the latency is fixed when its length is promised.
    fixed: Option<Duration>,
}

impl ChunkClock {
    fn next(&mut self) -> (Duration, u64) {
        let index = self.index;
        self.index += 1;
        if let Some(latency) = self.fixed {
            return (latency, index);
        }
        let now = Instant::now();
        let since = now.duration_since(std::mem::replace(&mut self.last, now));
        (since, index)
    }
}

impl Output {
    pub(super) fn new(extra_fields: Option<ExtraFields>, began: Instant) -> Self {
        Self {
            framed: Framed::default(),
            injector: None,
            list: None,
            extra_fields,
            clock: ChunkClock { index: 0, last: began, fixed: None },
        }
    }

    /// The reply tells how it was routed.
    pub(super) fn tells(&self) -> bool {
        self.extra_fields.is_some()
    }

    /// From here on `extra_fields` is put into every event.
    pub(super) fn inject_events(&mut self) {
        self.injector = Some(Injector::for_stream());
    }

    /// Holds no pooled buffer from here on: a stream lives long.
    pub(super) fn settle_in(&mut self) {
        self.extra_fields = self.extra_fields.take().map(ExtraFields::compact);
    }

    /// From here on `extra_fields` is put into the one object, with `latency`.
    pub(super) fn inject_object(&mut self, latency: Duration) {
        self.injector = Some(Injector::for_object());
        self.clock.fixed = Some(latency);
    }

    /// How many bytes [`Output::inject_object`] is going to add, without the comma.
    pub(super) fn injected_len(&self, latency: Duration) -> u64 {
        let mut rendered = Buffer::new();
        if let Some(extra_fields) = &self.extra_fields {
            extra_fields.write(latency, 0, &mut rendered);
        }
        rendered.len() as u64
    }

    /// Adds relayed body bytes.
    pub(super) fn relay(&mut self, data: &[u8]) {
        let (Some(injector), Some(extra_fields)) = (&mut self.injector, &self.extra_fields) else {
            return self.send(data);
        };
        let mut piece = Buffer::with_capacity(data.len() + INJECTED_BYTES_USUAL);
        let clock = &mut self.clock;
        injector.push(data, &mut piece, |out| {
            let (latency, index) = clock.next();
            extra_fields.write(latency, index, out);
        });
        self.send(piece.as_slice());
    }

    /// From here on events become the elements of an array.
    pub(super) fn list_events(&mut self) {
        self.list = Some(Box::default());
    }

    /// Adds body bytes that are complete.
    pub(super) fn send(&mut self, data: &[u8]) {
        match &mut self.list {
            None => self.framed.push(data),
            Some(list) => list.push(data, &mut self.framed),
        }
    }

    /// Ends the body.
    pub(super) fn end(&mut self) {
        if let Some(list) = &mut self.list {
            list.end(&mut self.framed);
        }
        self.framed.end();
    }

    /// Writes `extra_fields` for the next chunk of a translated stream.
    pub(super) fn chunk_trailer(&mut self, out: &mut Vec<u8>) {
        if let Some(extra_fields) = &self.extra_fields {
            let (latency, index) = self.clock.next();
            extra_fields.write_vec(latency, index, out);
        }
    }
}

/// Room for `extra_fields` with names of usual length.
const INJECTED_BYTES_USUAL: usize = 512;
