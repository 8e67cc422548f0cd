//! Two connections joined: what either peer sends goes to the other, until one of them is done.
//!
//! A direction reads nothing more while the other side has not taken what was read before, so a tunnel
//! holds one piece for each direction at most, and none while nothing is said.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::{Buffer, Connection, Tick, clock, worker};

/// Reads and writes in one direction before other tasks get their turn.
const STEPS_AT_ONCE_MAX: usize = 16;

/// While a side does not take what is sent to it, nobody reads from the other one: this often it is looked
/// after whether that one has hung up.
const PRESENCE_INTERVAL: Duration = Duration::from_millis(250);

/// How two connections are joined.
#[derive(Clone, Copy, Debug)]
pub struct TunnelRules {
    /// It ends when neither side has said anything for so long.
    pub idle_max: Duration,
    /// It ends when a side has not taken a piece for so long.
    pub send_timeout: Duration,
    /// It ends then, whatever is going on.
    pub ends_at: Option<Tick>,
    /// Whether one side may have said everything while the other still speaks. Otherwise the first end
    /// of a stream is the end of the tunnel, once what was read before it has been sent.
    pub allows_half_close: bool,
}

/// A side of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first connection.
    Client,
    /// The second connection.
    Upstream,
}

/// Why a tunnel ended.
#[derive(Debug)]
pub enum TunnelEnd {
    /// That side said everything, and then the other too where the rules wait for both.
    Closed(Side),
    /// Reading from or writing to that side failed: also `TimedOut` where it did not take a piece in
    /// time, and `ConnectionAborted` where it hung up unread or the worker closes.
    Failed(Side, io::Error),
    /// [`TunnelRules::idle_max`] has passed.
    Idle,
    /// [`TunnelRules::ends_at`] has come.
    Expired,
}

/// Joins the two until the tunnel ends by `rules`, and says why it did. Input that has been read already
/// is sent first.
///
/// `watch` sees every piece before it is sent, with the side it comes from. What the other side has been
/// told last may still be queued: [`Connection::close`] sends it. Dropping the future leaves both
/// connections good for dropping only.
pub async fn tunnel(
    client: &mut Connection,
    upstream: &mut Connection,
    rules: &TunnelRules,
    mut watch: impl FnMut(Side, &[u8]),
) -> TunnelEnd {
    let mut joined = Joined::new(client, upstream, rules);
    std::future::poll_fn(|context| joined.poll(&mut watch, context)).await
}

struct Joined<'t> {
    client: &'t mut Connection,
    upstream: &'t mut Connection,
    rules: &'t TunnelRules,
    upward: Flow,
    downward: Flow,
    /// When a piece moved last.
    active: Tick,
    /// Who said everything first.
    first_end: Option<Side>,
    alarm: Alarm,
}

impl<'t> Joined<'t> {
    fn new(
        client: &'t mut Connection,
        upstream: &'t mut Connection,
        rules: &'t TunnelRules,
    ) -> Self {
        // Deadlines of the requests before it.
        client.set_deadline(None);
        upstream.set_deadline(None);
        Self {
            client,
            upstream,
            rules,
            upward: Flow::new(Side::Client),
            downward: Flow::new(Side::Upstream),
            active: clock::now(),
            first_end: None,
            alarm: Alarm::default(),
        }
    }

    fn poll(
        &mut self,
        watch: &mut impl FnMut(Side, &[u8]),
        context: &mut Context<'_>,
    ) -> Poll<TunnelEnd> {
        loop {
            let moved = self.move_both(watch, context);
            if let Some(end) = moved.or_else(|| self.ended()).or_else(|| self.out_of_time()) {
                return Poll::Ready(end);
            }
            let look = self.next_look();
            if self.alarm.poll(look, context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Moves what can be moved. Some end: it failed.
    fn move_both(
        &mut self,
        watch: &mut impl FnMut(Side, &[u8]),
        context: &mut Context<'_>,
    ) -> Option<TunnelEnd> {
        let now = clock::now();
        let deadline = now + self.rules.send_timeout;
        let Self { client, upstream, upward, downward, .. } = self;
        let mut turn = Turn { context, deadline, has_moved: false, first_end: self.first_end };
        let up = upward.advance(client, upstream, watch, &mut turn);
        let down = downward.advance(upstream, client, watch, &mut turn);
        self.first_end = turn.first_end;
        if turn.has_moved {
            self.active = now;
        }
        up.and(down).err()
    }

    fn ended(&self) -> Option<TunnelEnd> {
        let (up, down) = (self.upward.state == State::Ended, self.downward.state == State::Ended);
        let is_over = if self.rules.allows_half_close { up && down } else { up || down };
        self.first_end.filter(|_| is_over).map(TunnelEnd::Closed)
    }

    fn out_of_time(&self) -> Option<TunnelEnd> {
        let now = clock::now();
        if self.rules.ends_at.is_some_and(|end| end <= now) {
            return Some(TunnelEnd::Expired);
        }
        if self.active + self.rules.idle_max <= now {
            return Some(TunnelEnd::Idle);
        }
        if self.is_client_unread() && self.client.is_gone() {
            let error = io::Error::from(io::ErrorKind::ConnectionAborted);
            return Some(TunnelEnd::Failed(Side::Client, error));
        }
        None
    }

    /// When to look next whether it is out of time.
    fn next_look(&self) -> Tick {
        let idle = self.active + self.rules.idle_max;
        let end = self.rules.ends_at.map_or(idle, |end| end.min(idle));
        match self.is_client_unread() {
            true => end.min(clock::now() + PRESENCE_INTERVAL),
            false => end,
        }
    }

    /// Nobody reads from the client, and so nobody would see it hang up, because the upstream does not
    /// take what it said. Where one side may end before the other this says nothing.
    fn is_client_unread(&self) -> bool {
        self.upward.is_stalled() && !self.rules.allows_half_close
    }
}

/// What one poll shares among the directions.
struct Turn<'c, 'w> {
    context: &'c mut Context<'w>,
    /// For what is sent now.
    deadline: Tick,
    has_moved: bool,
    first_end: Option<Side>,
}

/// One direction.
struct Flow {
    source: Side,
    /// Read and not sent.
    piece: Buffer,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Moving,
    /// The source has said everything, which the sink is still to be told.
    Ending,
    Ended,
}

impl Flow {
    fn new(source: Side) -> Self {
        Self { source, piece: Buffer::unallocated(), state: State::Moving }
    }

    /// The sink does not take what was read.
    fn is_stalled(&self) -> bool {
        self.state == State::Moving && !self.piece.is_empty()
    }

    /// Moves what can be moved without waiting.
    fn advance(
        &mut self,
        source: &mut Connection,
        sink: &mut Connection,
        watch: &mut impl FnMut(Side, &[u8]),
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), TunnelEnd> {
        for _ in 0..STEPS_AT_ONCE_MAX {
            let step = match self.state {
                State::Moving if self.piece.is_empty() => self.read(source, watch, turn),
                State::Moving => sink
                    .poll_send(&mut self.piece, turn.deadline, turn.context)
                    .map_err(|error| TunnelEnd::Failed(self.source.other(), error)),
                State::Ending => self.end(sink, turn),
                State::Ended => return Ok(()),
            };
            match step {
                Poll::Ready(done) => done?,
                Poll::Pending => return Ok(()),
            }
        }
        // There may be more: after the others.
        turn.context.waker().wake_by_ref();
        Ok(())
    }

    fn read(
        &mut self,
        source: &mut Connection,
        watch: &mut impl FnMut(Side, &[u8]),
        turn: &mut Turn<'_, '_>,
    ) -> Poll<Result<(), TunnelEnd>> {
        let piece = ready!(source.poll_piece(turn.context));
        self.piece = piece.map_err(|error| TunnelEnd::Failed(self.source, error))?;
        if self.piece.is_empty() {
            self.state = State::Ending;
            turn.first_end.get_or_insert(self.source);
        } else {
            turn.has_moved = true;
            watch(self.source, self.piece.as_slice());
        }
        Poll::Ready(Ok(()))
    }

    fn end(
        &mut self,
        sink: &mut Connection,
        turn: &mut Turn<'_, '_>,
    ) -> Poll<Result<(), TunnelEnd>> {
        let told = ready!(sink.poll_end_sending(turn.deadline, turn.context));
        told.map_err(|error| TunnelEnd::Failed(self.source.other(), error))?;
        self.state = State::Ended;
        Poll::Ready(Ok(()))
    }
}

impl Side {
    /// The side it speaks to.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Upstream,
            Self::Upstream => Self::Client,
        }
    }
}

/// One timer, set anew only where it has to ring earlier, or has rung. Only on a worker.
#[derive(Default)]
pub struct Alarm {
    /// When it rings.
    at: Option<Tick>,
    timer: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Alarm {
    /// Ready when `at` has come, or an earlier moment that it was set to before.
    pub fn poll(&mut self, at: Tick, context: &mut Context<'_>) -> Poll<()> {
        if self.at.is_none_or(|set| at < set) {
            self.at = Some(at);
            self.timer = Some(Box::pin(worker::sleep(at.since(clock::now()))));
        }
        let Some(timer) = &mut self.timer else { return Poll::Ready(()) };
        ready!(timer.as_mut().poll(context));
        *self = Self::default();
        Poll::Ready(())
    }
}
