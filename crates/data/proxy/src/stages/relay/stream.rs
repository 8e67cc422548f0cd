//! A stream of events, relayed or translated event by event. Nothing waits for what comes later.

use dialect::{Framing, Notes, ReplyOptions, StreamTranslator};
use net::Buffer;
use wire::Event;

use super::output::Output;
use super::{Look, Manners, Relay};
use crate::error_body;
use crate::reject::{Kind, Reject};
use crate::routes::Telling;
use crate::stages::events::{self, Events};
use crate::stages::open::Stream;
use crate::stages::watch::{Seen, Watch};

/// Drop-in routes let any page read their streams.
const OPEN_ORIGIN: &[u8] = b"access-control-allow-origin: *\r\n";

/// Streams are not for caches, whether or not the provider says so.
const NO_CACHE: &[u8] = b"cache-control: no-cache\r\n";

/// A stream that is told as an array.
const ARRAY_TYPE: &[u8] = b"content-type: application/json\r\n";

/// Sends the stream whose beginning is in `stream`.
pub(super) async fn run(relay: &mut Relay<'_>, mut stream: Box<Stream>) -> Seen {
    begin(relay, stream.notes.is_some());
    let Stream { held, reader, watch, notes, has_ended, .. } = &mut *stream;
    let held = std::mem::replace(held, Buffer::unallocated());
    relay.output.settle_in();
    let outcome = match notes {
        None => {
            if relay.output.tells() {
                relay.output.inject_events();
            }
            let mut untouched = Untouched { reader, watch, filter: relay.manners.filter() };
            pass(relay, held, *has_ended, &mut untouched).await
        }
        Some(notes) => {
            let mut translation = Box::new(Translation::new(relay, notes, reader, watch));
            pass(relay, held, *has_ended, &mut *translation).await
        }
    };
    if let Err(reject) = outcome {
        stream.call_off.take().into_iter().for_each(|call_off| call_off.send());
        // What is translated only ever goes out in whole events.
        let is_between = stream.notes.is_some() || !stream.reader.is_inside_event();
        Box::pin(tell(relay, reject, is_between)).await;
    }
    stream.watch.seen()
}

/// Writes the head; of the provider's input head and held payload are done with.
fn begin(relay: &mut Relay<'_>, is_translated: bool) {
    let framing = relay.context.open_framing();
    let opens = relay.manners.family.is_drop_in() && relay.context.cors.is_empty();
    let input = relay.passing.answering.upstream.connection.input();
    let is_said = relay.head.header(input, "cache-control").is_some();
    let lines =
        [if opens { OPEN_ORIGIN } else { b"" }, if is_said { b"" } else { NO_CACHE }].concat();
    let own_type = is_translated.then(|| relay.manners.caller_dialect.framing());
    let own_type = match relay.manners.telling {
        Telling::AsEvents | Telling::InNumbers => own_type.map(events::header_lines),
        Telling::AsList => Some(ARRAY_TYPE),
        Telling::InChunks => Some(events::header_lines(Framing::EventStream)),
    };
    relay.begin(framing, own_type, &lines);
    relay.output.tell(relay.manners.telling, relay.manners.caller_dialect);
    let held = relay.passing.taken - relay.head.len();
    relay.passing.answering.upstream.connection.consume(held);
}

/// What happens to the payload of a stream.
trait Passage {
    /// Payload that [`Stream`] held: its events have been noted.
    fn first(&mut self, output: &mut Output, payload: &[u8]) -> Result<(), Reject>;
    /// Further payload.
    fn next(&mut self, output: &mut Output, payload: &[u8]) -> Result<(), Reject>;
    /// The stream is complete.
    fn end(&mut self, output: &mut Output) -> Result<(), Reject>;
}

async fn pass(
    relay: &mut Relay<'_>,
    held: Buffer,
    has_ended: bool,
    passage: &mut impl Passage,
) -> Result<(), Reject> {
    passage.first(&mut relay.output, held.as_slice())?;
    drop(held);
    let mut is_over = has_ended;
    while !is_over {
        let mut failure = None;
        let look = relay.look(|output, payload, _| {
            failure = failure.take().or(passage.next(output, payload).err());
        })?;
        if let Some(reject) = failure {
            return Err(reject);
        }
        is_over = match look {
            Look::Moved => false,
            Look::End => true,
            Look::Dry => {
                relay.write().await?;
                !relay.receive().await?
            }
        };
    }
    passage.end(&mut relay.output)?;
    relay.output.end();
    relay.write().await
}

/// Ends a stream that broke off. Between two events the caller is told by an error event; inside
/// one only a broken connection is honest.
async fn tell(relay: &mut Relay<'_>, reject: Reject, is_between: bool) {
    if !is_between || reject.kind == Kind::Cancelled || relay.client.is_gone() {
        return relay.break_off(reject);
    }
    let mut frames = Buffer::new();
    let routed = relay.manners.routed.as_ref();
    let Manners { family, caller_dialect, .. } = relay.manners;
    error_body::write_stream(*family, *caller_dialect, &reject, routed, &mut frames);
    relay.output.send(frames.as_slice());
    relay.output.end();
    if relay.write().await.is_err() {
        relay.is_intact = false;
    }
    relay.failure = Some(reject);
}

/// The provider's bytes as they are, but for an event the caller did not ask for.
struct Untouched<'w> {
    reader: &'w mut Events,
    watch: &'w mut Watch,
    filter: Option<UsageFilter>,
}

impl Passage for Untouched<'_> {
    fn first(&mut self, output: &mut Output, payload: &[u8]) -> Result<(), Reject> {
        let Some(filter) = &mut self.filter else {
            output.relay(payload);
            return Ok(());
        };
        // The held payload is read again, this time to leave events out.
        self.reader.restart();
        filter.pass(self.reader, payload, output, |_| true)
    }

    fn next(&mut self, output: &mut Output, payload: &[u8]) -> Result<(), Reject> {
        let watch = &mut *self.watch;
        if let Some(filter) = &mut self.filter {
            let at = output.arrived;
            return filter.pass(self.reader, payload, output, |event| {
                watch.note(event, at);
                watch.shows_usage()
            });
        }
        let mut rest = payload;
        while let Some(event) = self.reader.next(&mut rest)? {
            watch.note(&event, output.arrived);
        }
        output.relay(payload);
        Ok(())
    }

    fn end(&mut self, output: &mut Output) -> Result<(), Reject> {
        if let Some(filter) = &mut self.filter {
            filter.end(output);
        }
        Ok(())
    }
}

/// Leaves out the chunk that carries nothing but usage: the gateway asked for it to count, the
/// caller did not, and programs that read `choices[0]` of every chunk would fail on it.
pub(super) struct UsageFilter {
    /// The beginning of an event whose end has not come yet.
    pending: Vec<u8>,
}

impl UsageFilter {
    pub(super) fn new() -> Self {
        Self { pending: Vec::new() }
    }

    /// Lets events pass; `note` takes note of each and says whether it may show usage.
    fn pass(
        &mut self,
        reader: &mut Events,
        payload: &[u8],
        output: &mut Output,
        mut note: impl FnMut(&Event<'_>) -> bool,
    ) -> Result<(), Reject> {
        let (mut rest, mut done) = (payload, 0);
        while let Some(event) = reader.next(&mut rest)? {
            let is_unasked = note(&event) && dialect::is_usage_alone(event.data);
            let in_payload = event.raw.len() - event.raw.len().min(self.pending.len());
            let end = payload.len() - rest.len();
            if is_unasked {
                let start = end.saturating_sub(in_payload).max(done);
                output.relay(payload.get(done..start).unwrap_or_default());
            } else {
                output.relay(&self.pending);
                output.relay(payload.get(done..end).unwrap_or_default());
            }
            self.pending.clear();
            done = end;
        }
        let tail = payload.get(done..).unwrap_or_default();
        if reader.is_inside_event() {
            self.pending.extend_from_slice(tail);
        } else {
            output.relay(&self.pending);
            self.pending.clear();
            output.relay(tail);
        }
        Ok(())
    }

    fn end(&mut self, output: &mut Output) {
        output.relay(&self.pending);
        self.pending.clear();
    }
}

/// Each event read, and written in the caller's dialect.
struct Translation<'w> {
    reader: &'w mut Events,
    watch: &'w mut Watch,
    translator: StreamTranslator,
    frames: Vec<u8>,
}

impl<'w> Translation<'w> {
    fn new(relay: &Relay<'_>, notes: &Notes, reader: &'w mut Events, watch: &'w mut Watch) -> Self {
        // The held payload is read again, this time to translate it.
        reader.restart();
        let manners = relay.manners;
        let id = format!("{:016x}", manners.number);
        let options = ReplyOptions {
            notes,
            trailer: &[],
            model: manners.routed.as_ref().map(|routed| routed.model),
            id: &id,
            created: crate::unix_seconds(),
        };
        let (upstream, caller) = (manners.upstream_dialect, manners.caller_dialect);
        Self {
            reader,
            watch,
            translator: StreamTranslator::new(upstream, caller, &options),
            frames: Vec::new(),
        }
    }

    fn translate(
        &mut self,
        output: &mut Output,
        payload: &[u8],
        is_noted: bool,
    ) -> Result<(), Reject> {
        let mut rest = payload;
        while let Some(event) = self.reader.next(&mut rest)? {
            if !is_noted {
                self.watch.note(&event, output.arrived);
            }
            let written = write_event(&mut self.translator, &event, output, &mut self.frames);
            if let Err(reject) = written {
                // What came before in the same piece is good.
                output.send(&self.frames);
                return Err(reject);
            }
        }
        output.send(&self.frames);
        self.frames.clear();
        Ok(())
    }
}

fn write_event(
    translator: &mut StreamTranslator,
    event: &Event<'_>,
    output: &mut Output,
    frames: &mut Vec<u8>,
) -> Result<(), Reject> {
    let mut trailer = |out: &mut Vec<u8>| output.chunk_trailer(out);
    translator.event_with(event.event, event.data, &mut trailer, frames).map_err(|error| {
        let message = format!("the provider's stream could not be read: {error}");
        Reject::new(Kind::BadReply, message)
    })
}

impl Passage for Translation<'_> {
    fn first(&mut self, output: &mut Output, payload: &[u8]) -> Result<(), Reject> {
        self.translate(output, payload, true)
    }

    fn next(&mut self, output: &mut Output, payload: &[u8]) -> Result<(), Reject> {
        self.translate(output, payload, false)
    }

    fn end(&mut self, output: &mut Output) -> Result<(), Reject> {
        // Some providers close right behind their last line.
        if let Some(event) = self.reader.finish() {
            self.watch.note(&event, output.arrived);
            write_event(&mut self.translator, &event, output, &mut self.frames)?;
        }
        if !self.translator.is_finished() {
            let message = "the provider's stream ended before its reply was complete";
            return Err(Reject::new(Kind::ConnectionFailed, message));
        }
        let mut trailer = |out: &mut Vec<u8>| output.chunk_trailer(out);
        let ended = self.translator.end_with(&mut trailer, &mut self.frames);
        output.send(&self.frames);
        self.frames.clear();
        ended.map_err(|error| {
            let message = format!("the provider's stream could not be read: {error}");
            Reject::new(Kind::BadReply, message)
        })
    }
}
