//! Sending one stream on its schedule.

use flate2::Crc;

use super::super::engine::Io;
use super::super::limits::{SPLIT_GAP, TIMERS_MAX};
use super::super::number::EventMark;
use super::super::plan::StreamPlan;
use super::super::roles::Shape;
use super::canned::StreamPieces;
use super::journal::SentStream;
use super::{ConnectionKey, End, Phase, Upstream};

/// A stream plan in the units of the loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub events: u64,
    pub gap_ns: u64,
    pub head_delay_ns: u64,
    pub is_split: bool,
    pub closes: bool,
}

impl Pace {
    pub(super) fn new(plan: &StreamPlan) -> Self {
        Self {
            events: u64::from(plan.events),
            gap_ns: plan.gap.as_nanos() as u64,
            head_delay_ns: plan.head_delay.as_nanos() as u64,
            is_split: plan.split,
            closes: plan.close,
        }
    }
}

/// How far one stream is.
#[derive(Debug)]
pub(super) struct Stream {
    number: u64,
    shape: Shape,
    /// When its head is due; every event's time is counted from here, so that none drifts.
    begin_ns: u64,
    has_begun: bool,
    /// Content events sent whole.
    events: u64,
    /// When the event of which half is out was begun; its second half is due.
    half_sent_ns: Option<u64>,
    /// Over the body's content.
    sum: Crc,
}

/// What a stream does next.
enum Step {
    Wait { until_ns: u64 },
    Open,
    Event,
    SecondHalf { sent_ns: u64 },
    Close,
}

impl Step {
    fn at(until_ns: u64, now_ns: u64, step: Self) -> Self {
        if until_ns > now_ns { Self::Wait { until_ns } } else { step }
    }
}

impl Stream {
    pub(super) fn new(number: u64, shape: Shape, begin_ns: u64) -> Self {
        Self {
            number,
            shape,
            begin_ns,
            has_begun: false,
            events: 0,
            half_sent_ns: None,
            sum: Crc::new(),
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    fn next(&self, pace: &Pace, now_ns: u64) -> Step {
        if let Some(sent_ns) = self.half_sent_ns {
            let until_ns = sent_ns + SPLIT_GAP.as_nanos() as u64;
            return Step::at(until_ns, now_ns, Step::SecondHalf { sent_ns });
        }
        if !self.has_begun {
            return Step::at(self.begin_ns, now_ns, Step::Open);
        }
        if self.events == pace.events {
            return Step::Close;
        }
        let until_ns = self.begin_ns.saturating_add(pace.gap_ns.saturating_mul(self.events));
        Step::at(until_ns, now_ns, Step::Event)
    }

    /// The mark of the event in hand.
    fn mark(&self, sent_ns: u64) -> EventMark {
        EventMark { number: self.number, sequence: self.events, sent_ns }
    }

    /// The bytes of a step, and the stream as it is once they are sent.
    fn render<'a>(
        &mut self,
        step: Step,
        pieces: &'a mut StreamPieces,
        is_split: bool,
        now_ns: u64,
    ) -> &'a [u8] {
        match step {
            Step::Wait { .. } => &[],
            Step::Open => {
                self.has_begun = true;
                self.sum.update(pieces.opening.content());
                pieces.opening.bytes()
            }
            Step::Event => {
                pieces.event.mark(self.mark(now_ns));
                self.sum.update(pieces.event.content());
                if is_split {
                    self.half_sent_ns = Some(now_ns);
                    return first_half(pieces.event.bytes());
                }
                self.events += 1;
                pieces.event.bytes()
            }
            Step::SecondHalf { sent_ns } => {
                pieces.event.mark(self.mark(sent_ns));
                self.half_sent_ns = None;
                self.events += 1;
                let bytes = pieces.event.bytes();
                &bytes[first_half(bytes).len()..]
            }
            Step::Close => {
                self.sum.update(pieces.closing.content());
                pieces.closing.bytes()
            }
        }
    }

    fn sent(&self) -> SentStream {
        let content_bytes = u64::from(self.sum.amount());
        SentStream { sum: self.sum.sum(), content_bytes, events: self.events }
    }
}

impl Upstream {
    /// Sends all of a stream that is due and that the connection takes.
    pub(super) fn advance(&mut self, io: &mut Io, key: ConnectionKey) -> Result<(), End> {
        let Some(pace) = self.pace else { return Ok(()) };
        for _ in 0..TIMERS_MAX {
            let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
            let Phase::Streaming(stream) = &mut connection.phase else { return Ok(()) };
            if connection.socket.is_blocked() {
                // Goes on once there is room: `write_on`.
                return Ok(());
            }
            let Some(pieces) = self.canned.stream(stream.shape) else { return Ok(()) };
            let now_ns = io.clock.now();
            let step = stream.next(&pace, now_ns);
            if let Step::Wait { until_ns } = step {
                self.timers.stream_at(until_ns, key);
                return Ok(());
            }
            let is_last = matches!(step, Step::Close);
            let events_before = stream.events;
            let bytes = stream.render(step, pieces, pace.is_split, now_ns);
            self.counts.sent_bytes += bytes.len() as u64;
            connection.socket.send(bytes)?;
            self.counts.events += stream.events - events_before;
            if is_last {
                connection.closes |= pace.closes;
                if let Some(journal) = &mut self.journal {
                    journal.sent(stream.number, stream.sent());
                }
                return self.go_on(io, key);
            }
        }
        // Others want their turn too.
        self.timers.stream_at(io.clock.now(), key);
        Ok(())
    }
}

fn first_half(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() / 2]
}
