//! A reply in one piece, relayed while it arrives.

use dialect::{Usage, UsageReader};
use http::Method;
use wire::BodyLength;

use super::{Look, Relay};
use crate::limits::USAGE_BODY_BYTES_MAX;
use crate::reject::Reject;
use crate::reply_head::Framing;
use crate::routes::Family;
use crate::stages::watch::Seen;

/// Relays the reply; its first payload has arrived.
pub(super) async fn run(relay: &mut Relay<'_>, usage: &mut UsageReader) -> Seen {
    let framing = framing(relay);
    relay.begin(framing, b"");
    let mut tee = Tee { reader: usage, copy: Vec::new(), pieces: 0, is_too_large: false };
    match pass(relay, &mut tee).await {
        Ok(()) => Seen { usage: tee.usage(), ..Seen::default() },
        Err(reject) => {
            relay.break_off(reject);
            Seen::default()
        }
    }
}

async fn pass(relay: &mut Relay<'_>, tee: &mut Tee<'_>) -> Result<(), Reject> {
    loop {
        let look = relay.look(|output, payload| {
            tee.take(payload);
            output.relay(payload);
        })?;
        match look {
            Look::Moved => {}
            Look::Dry => {
                relay.write().await?;
                if !relay.receive().await? {
                    break;
                }
            }
            Look::End => break,
        }
    }
    tee.end();
    relay.output.framed.end();
    relay.write().await
}

/// The framing for the caller. On base routes `extra_fields` makes the body longer by a length
/// that is known before the body is.
fn framing(relay: &mut Relay<'_>) -> Framing {
    let length = relay.head.body(&Method::POST);
    let opening = (relay.manners.family == Family::Base).then(|| opening(relay)).flatten();
    let added = opening.map_or(0, |opening| {
        let latency = relay.manners.began.elapsed();
        relay.output.inject_object(latency);
        relay.output.injected_len(latency) + u64::from(opening == Opening::WithMembers)
    });
    match length {
        BodyLength::Fixed(bytes) => Framing::Length(bytes + added),
        BodyLength::None => Framing::Empty,
        BodyLength::Chunked | BodyLength::UntilClose => relay.context.open_framing(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    WithMembers,
    Empty,
}

/// Whether the body is an object, judged by what has arrived of it. A body that is not, or whose
/// first member is not here yet, is relayed as it is.
fn opening(relay: &Relay<'_>) -> Option<Opening> {
    let input = relay.passing.answering.upstream.connection.input().get(relay.head.len()..)?;
    let mut body = relay.passing.body.clone();
    let mut opens = false;
    let mut at = 0;
    loop {
        let rest = input.get(at..)?;
        let step = body.next(rest).ok()?;
        let payload = rest.get(step.data.clone())?;
        for byte in payload.iter().filter(|byte| !byte.is_ascii_whitespace()) {
            match (opens, byte) {
                (false, b'{') => opens = true,
                (false, _) => return None,
                (true, b'}') => return Some(Opening::Empty),
                (true, _) => return Some(Opening::WithMembers),
            }
        }
        if step.consumed == 0 || step.is_end {
            return None;
        }
        at += step.consumed;
    }
}

/// Reads the usage of a reply that passes by: straight from it when it comes in one piece, else
/// from a copy.
struct Tee<'u> {
    reader: &'u mut UsageReader,
    copy: Vec<u8>,
    pieces: u32,
    is_too_large: bool,
}

impl Tee<'_> {
    fn take(&mut self, payload: &[u8]) {
        self.pieces += 1;
        if self.pieces == 1 {
            // Complete in most cases; a piece of a reply reads as no usage.
            self.reader.reply(payload);
            if self.reader.usage().reported {
                return;
            }
        }
        if self.copy.len() + payload.len() > USAGE_BODY_BYTES_MAX {
            self.is_too_large = true;
            self.copy = Vec::new();
        }
        if !self.is_too_large {
            self.copy.extend_from_slice(payload);
        }
    }

    fn end(&mut self) {
        if self.pieces > 1 && !self.is_too_large {
            self.reader.reply(&self.copy);
        }
    }

    fn usage(&self) -> Usage {
        self.reader.usage()
    }
}
