//! The stages that are plain functions, for those who measure them one by one. Compiled with the
//! feature `bench`; a gateway is built without it.

use std::time::{Duration, Instant};

use dialect::{Dialect, Operation};
use net::Buffer;
use snapshot::Snapshot;
use wire::SseReader;

use crate::caller::CallerHeaders;
use crate::extra_fields::{ExtraFields, Routed};
use crate::framed::Framed;
use crate::inject::Injector;
use crate::reply_head::Framing;
use crate::routes::Family;
use crate::stages::choose::{self, Bare};
use crate::stages::peek::{Member, peek};
use crate::stages::splice::Edits;
use crate::stages::watch::Watch;

/// Stages 4 and 8 for bodies that stay in their dialect.
#[derive(Debug, Default)]
pub struct Body {
    members: Vec<Member>,
    edits: Edits,
}

impl Body {
    /// Peeks at `body`: the bytes of its model name and how many fallbacks it has, or `None` where
    /// it is refused.
    pub fn peek(&mut self, body: &[u8]) -> Option<(usize, usize)> {
        let ask = peek(body, &mut self.members).ok()?;
        Some((ask.model.len(), ask.fallbacks.len()))
    }

    /// Writes `body`, which [`Body::peek`] saw last, into `out` with another value of its first
    /// member named `key`.
    pub fn splice(&mut self, body: &[u8], key: &str, value: &str, out: &mut Vec<u8>) {
        self.edits.clear();
        let is_it = |member: &&Member| body.get(member.key.clone()) == Some(key.as_bytes());
        if let Some(member) = self.members.iter().find(is_it) {
            self.edits.replace_string(member.value.clone(), value);
        }
        // Twice as the pipeline does it: once to announce the length, once to write.
        let mut bytes = 0;
        self.edits.apply(body, &self.members, &mut |piece| bytes += piece.len());
        out.reserve(bytes);
        self.edits.apply(body, &self.members, &mut |piece| out.extend_from_slice(piece));
    }
}

/// Stage 5: how many targets a chat request for `model` on the gateway's own route has; 0 where it
/// is refused.
pub fn targets(snapshot: &Snapshot, model: &str) -> usize {
    let headers = CallerHeaders::default();
    let bare = Bare { family: Family::Base, headers: &headers, bytes: &[] };
    choose::targets(snapshot, bare, model, &[], Operation::ChatCompletion)
        .map_or(0, |targets| 1 + targets.fallbacks.len())
}

/// Stage 11 for a piece of an OpenAI stream that is relayed.
#[derive(Debug)]
pub struct StreamRelay {
    reader: SseReader,
    watch: Watch,
    /// What puts `extra_fields` into each event, and what it puts there.
    telling: Option<(Injector, ExtraFields)>,
    injected: Buffer,
    framed: Framed,
    events: u64,
}

impl StreamRelay {
    /// The beginning of a stream. `tells`: each event says how it was routed.
    pub fn new(tells: bool) -> Self {
        let routed = Routed {
            operation: Operation::ChatCompletionStream,
            provider: "openai",
            model: "gpt-4o-mini",
            resolved_model: "gpt-4o-mini",
            key: Some("key-0"),
            primary: None,
        };
        let framed = Framed { framing: Framing::Chunked, ..Framed::default() };
        Self {
            reader: SseReader::new(),
            watch: Watch::new(Dialect::OpenAiChat, Instant::now()),
            telling: tells.then(|| (Injector::for_stream(), ExtraFields::new(&routed))),
            injected: Buffer::new(),
            framed,
            events: 0,
        }
    }

    /// What the caller is sent for `piece`, or `None` where it cannot be read.
    pub fn relay(&mut self, piece: &[u8]) -> Option<&[u8]> {
        let (mut rest, at) = (piece, Instant::now());
        while let Some(event) = self.reader.next(&mut rest).ok()? {
            self.watch.note(&event, at);
        }
        self.framed.bytes.clear();
        let Some((injector, extra_fields)) = &mut self.telling else {
            self.framed.push(piece);
            return Some(self.framed.bytes.as_slice());
        };
        self.injected.clear();
        let events = &mut self.events;
        injector.push(piece, &mut self.injected, |out| {
            extra_fields.write(Duration::ZERO, *events, out);
            *events += 1;
        });
        self.framed.push(self.injected.as_slice());
        Some(self.framed.bytes.as_slice())
    }
}
