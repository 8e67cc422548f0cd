//! A reply in one piece, relayed while it arrives.

use dialect::{Usage, UsageReader};
use http::Method;
use wire::BodyLength;

use super::{Look, Relay};
use crate::limits::USAGE_BODY_BYTES_MAX;
use crate::reject::{Kind, Reject};
use crate::reply_head::Framing;
use crate::stages::open::Beginning;
use crate::stages::watch::Seen;

/// Relays the reply, the beginning of which has arrived.
pub(super) async fn run(relay: &mut Relay<'_>, usage: &mut UsageReader) -> Seen {
    let mut tee = Tee { reader: usage, copy: Vec::new(), pieces: 0, is_over: false };
    let passed = match framing(relay) {
        Ok(framing) => {
            relay.begin(framing, None, b"");
            pass(relay, &mut tee).await
        }
        Err(reject) => Err(reject),
    };
    match passed {
        Ok(()) => Seen { usage: tee.usage(), ..Seen::default() },
        Err(reject) => {
            relay.break_off(reject);
            Seen::default()
        }
    }
}

async fn pass(relay: &mut Relay<'_>, tee: &mut Tee<'_>) -> Result<(), Reject> {
    loop {
        let look = relay.look(|output, payload, is_end| {
            tee.take(payload, is_end);
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

/// The framing for the caller. Where the reply tells how it was routed, that makes the body longer
/// by a length that is known before the body is.
fn framing(relay: &mut Relay<'_>) -> Result<Framing, Reject> {
    let added = injected(relay);
    match relay.head.body(&Method::POST) {
        BodyLength::Fixed(bytes) => {
            bytes.checked_add(added).map(Framing::Length).ok_or_else(too_long)
        }
        BodyLength::None => Ok(Framing::Empty),
        BodyLength::Chunked | BodyLength::UntilClose if relay.context.is_head => Ok(Framing::Empty),
        BodyLength::Chunked | BodyLength::UntilClose => Ok(relay.context.open_framing()),
    }
}

/// Prepares the additional member; how many bytes it takes, comma included.
fn injected(relay: &mut Relay<'_>) -> u64 {
    if !relay.output.tells() {
        return 0;
    }
    let comma = match relay.passing.beginning {
        Beginning::Members => 1,
        Beginning::EmptyObject => 0,
        Beginning::Other => return 0,
    };
    let latency = relay.manners.opened.duration_since(relay.manners.began);
    relay.output.inject_object(latency);
    relay.output.injected_len(latency) + comma
}

#[cold]
fn too_long() -> Reject {
    Reject::new(Kind::BadReply, "the provider announces an impossible length")
}

/// Reads the usage of a reply that passes by: straight from it when it comes in one piece, else
/// from a copy.
struct Tee<'u> {
    reader: &'u mut UsageReader,
    copy: Vec<u8>,
    pieces: u32,
    /// The usage is known, or the reply is too large to look for it.
    is_over: bool,
}

impl Tee<'_> {
    fn take(&mut self, payload: &[u8], is_end: bool) {
        self.pieces += 1;
        if self.pieces == 1 && is_end {
            self.reader.reply(payload);
            self.is_over = true;
        } else if self.pieces == 1 {
            self.reader.beginning(payload);
            self.is_over = self.reader.usage().reported;
        }
        if self.is_over {
            return;
        }
        if self.copy.len() + payload.len() > USAGE_BODY_BYTES_MAX {
            self.is_over = true;
            self.copy = Vec::new();
            return;
        }
        self.copy.extend_from_slice(payload);
    }

    fn end(&mut self) {
        if self.pieces > 1 && !self.is_over {
            self.reader.reply(&self.copy);
        }
    }

    fn usage(&self) -> Usage {
        self.reader.usage()
    }
}
