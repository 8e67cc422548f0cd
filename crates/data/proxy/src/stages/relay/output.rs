//! What goes to the caller: the reply's bytes, framed, with `extra_fields` where they belong.

use std::time::{Duration, Instant};

use dialect::Dialect;
use net::Buffer;

use super::chunks::Chunks;
use super::list::List;
use super::numbers::Numbers;
use crate::extra_fields::ExtraFields;
use crate::framed::Framed;
use crate::inject::Injector;
use crate::routes::Telling;

/// Bytes on their way to the caller.
pub(super) struct Output {
    /// Ready to be written.
    pub(super) framed: Framed,
    /// When the bytes came that are being looked at.
    pub(super) arrived: Instant,
    injector: Option<Injector>,
    /// Set where the caller does not get events as their dialect frames them.
    retelling: Option<Box<Retelling>>,
    /// Set where the reply tells how it was routed.
    extra_fields: Option<ExtraFields>,
    clock: ChunkClock,
}

/// Events told in another way than their dialect frames them.
enum Retelling {
    AsList(List),
    InChunks(Chunks),
    InNumbers(Numbers),
}

/// Numbers and times the chunks of a reply for `extra_fields`.
struct ChunkClock {
    index: u64,
    last: Instant,
    /// For a unary reply the latency is fixed when its length is promised.
    fixed: Option<Duration>,
}

impl ChunkClock {
    fn next(&mut self, arrived: Instant) -> (Duration, u64) {
        let index = self.index;
        self.index += 1;
        if let Some(latency) = self.fixed {
            return (latency, index);
        }
        let last = std::mem::replace(&mut self.last, arrived);
        (arrived.duration_since(last), index)
    }
}

impl Output {
    /// For a reply to a request that began at one moment and whose beginning was there at another.
    pub(super) fn new(extra_fields: Option<ExtraFields>, began: Instant, arrived: Instant) -> Self {
        Self {
            framed: Framed::default(),
            arrived,
            injector: None,
            retelling: None,
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
        self.extra_fields.as_ref().map_or(0, |extra_fields| extra_fields.len(latency, 0) as u64)
    }

    /// Adds relayed body bytes.
    pub(super) fn relay(&mut self, data: &[u8]) {
        let (Some(injector), Some(extra_fields)) = (&mut self.injector, &self.extra_fields) else {
            return self.send(data);
        };
        let (clock, arrived) = (&mut self.clock, self.arrived);
        let member = |out: &mut Buffer| {
            let (latency, index) = clock.next(arrived);
            extra_fields.write(latency, index, out);
        };
        if self.retelling.is_none() && self.framed.is_bare() {
            return self.framed.append(|out| injector.push(data, out, member));
        }
        let mut piece = Buffer::with_capacity(data.len() + INJECTED_BYTES_USUAL);
        injector.push(data, &mut piece, member);
        self.send(piece.as_slice());
    }

    /// From here on events, which `dialect` frames, are told like that.
    pub(super) fn tell(&mut self, telling: Telling, dialect: Dialect) {
        self.retelling = match telling {
            Telling::AsEvents => None,
            Telling::AsList => Some(Box::new(Retelling::AsList(List::default()))),
            Telling::InChunks => Some(Box::new(Retelling::InChunks(Chunks::new(dialect)))),
            Telling::InNumbers => Some(Box::new(Retelling::InNumbers(Numbers::default()))),
        };
    }

    /// Adds body bytes that are complete.
    pub(super) fn send(&mut self, data: &[u8]) {
        match self.retelling.as_deref_mut() {
            None => self.framed.push(data),
            Some(Retelling::AsList(list)) => list.push(data, &mut self.framed),
            Some(Retelling::InChunks(chunks)) => chunks.push(data, &mut self.framed),
            Some(Retelling::InNumbers(numbers)) => numbers.push(data, &mut self.framed),
        }
    }

    /// Ends the body.
    pub(super) fn end(&mut self) {
        if let Some(Retelling::AsList(list)) = self.retelling.as_deref_mut() {
            list.end(&mut self.framed);
        }
        self.framed.end();
    }

    /// Writes `extra_fields` for the next chunk of a translated stream.
    pub(super) fn chunk_trailer(&mut self, out: &mut Vec<u8>) {
        if let Some(extra_fields) = &self.extra_fields {
            let (latency, index) = self.clock.next(self.arrived);
            extra_fields.write_vec(latency, index, out);
        }
    }
}

/// Room for `extra_fields` with names of usual length.
const INJECTED_BYTES_USUAL: usize = 512;
