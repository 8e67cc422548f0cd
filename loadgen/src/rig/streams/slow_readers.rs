//! Slow readers: clients that take a fast stream slower than it comes. A target that does not hold
//! the upstream back grows.

use std::time::Duration;

use super::super::engine::Engine;
use super::super::error::RigError;
use super::super::limits::{PROGRESS_EVERY, SLOW_READ_EVERY};
use super::super::load::let_sleep_exactly;
use super::super::poller::Readiness;
use super::super::recording::{Observe, Progress, UpstreamCounts};
use super::super::socket::{Origin, Socket};
use super::StreamSetup;

/// Reads many streams of one target slowly for a while.
#[derive(Clone, Debug)]
pub(crate) struct SlowPlan {
    /// One target. The upstream's streams should have no gap and several megabytes.
    pub setup: StreamSetup,
    /// Clients, a stream each.
    pub readers: u32,
    /// What each of them reads.
    pub bytes_per_second: u32,
    /// Their sockets' receive buffers, in which the kernel could hide what is not read.
    pub receive_buffer_bytes: usize,
    /// How long.
    pub duration: Duration,
    /// How often the observer is asked.
    pub read_every: Duration,
}

/// All of a run.
#[derive(Clone, Debug)]
pub(crate) struct SlowRecording<A> {
    /// When the observer was asked, and what it said; first of all before the first request.
    pub points: Vec<(u64, A)>,
    /// Bytes all readers have read.
    pub received_bytes: u64,
    /// Readers whose connection ended or was never made.
    pub ended_early: u32,
    /// What the upstream saw; what it was kept from sending is missing in `sent_bytes`.
    pub upstream: UpstreamCounts,
}

/// Carries out a plan. All connections are closed at its end.
///
/// # Errors
///
/// As `rig::run`, but for a target that does not answer: that is in `ended_early`.
pub(crate) fn run<O: Observe>(
    plan: &SlowPlan,
    observe: &mut O,
) -> Result<SlowRecording<O::Snapshot>, RigError> {
    let mut session = Session::new(plan)?;
    let mut points = vec![session.point(observe)];
    session.connect()?;
    let end_ns = session.now() + plan.duration.as_nanos() as u64;
    let mut next_point_ns = session.now() + plan.read_every.as_nanos() as u64;
    let mut next_read_ns = session.now();
    while session.now() < end_ns {
        session.turn(next_read_ns.min(next_point_ns).min(end_ns))?;
        if session.now() >= next_read_ns {
            next_read_ns += SLOW_READ_EVERY.as_nanos() as u64;
            session.read_all();
        }
        if session.now() >= next_point_ns {
            next_point_ns += plan.read_every.as_nanos() as u64;
            points.push(session.point(observe));
        }
        session.tell_progress(observe);
    }
    points.push(session.point(observe));
    let upstream = session.engine.upstream.as_ref();
    Ok(SlowRecording {
        points,
        received_bytes: session.received_bytes,
        ended_early: session.ended_early,
        upstream: upstream.map_or_else(UpstreamCounts::default, |upstream| upstream.counts()),
    })
}

struct Session<'run> {
    plan: &'run SlowPlan,
    engine: Engine,
    /// `None`: ended.
    readers: Vec<Option<Reader>>,
    portion: Vec<u8>,
    received_bytes: u64,
    ended_early: u32,
    next_progress_ns: u64,
}

struct Reader {
    socket: Socket,
    has_asked: bool,
}

impl<'run> Session<'run> {
    fn new(plan: &'run SlowPlan) -> Result<Self, RigError> {
        plan.setup.check_is_stream()?;
        plan.setup.check_streams(plan.readers)?;
        if plan.setup.targets.len() != 1 {
            return Err(RigError::Plan("slow readers read from one target".to_owned()));
        }
        if plan.read_every.is_zero() {
            return Err(RigError::Plan("memory must be read now and then, not always".to_owned()));
        }
        let_sleep_exactly();
        let reads_per_second = 1.0 / SLOW_READ_EVERY.as_secs_f64();
        let portion_bytes = (f64::from(plan.bytes_per_second) / reads_per_second).ceil() as usize;
        Ok(Self {
            plan,
            engine: Engine::new(Some(&plan.setup.upstream), plan.setup.spin)?,
            readers: Vec::new(),
            portion: vec![0; portion_bytes.max(1)],
            received_bytes: 0,
            ended_early: 0,
            next_progress_ns: 0,
        })
    }

    fn now(&self) -> u64 {
        self.engine.io.clock.now()
    }

    fn point<O: Observe>(&self, observe: &mut O) -> (u64, O::Snapshot) {
        (self.now(), observe.snapshot())
    }

    fn connect(&mut self) -> Result<(), RigError> {
        let target = &self.plan.setup.targets[0];
        let receive_buffer_bytes = Some(self.plan.receive_buffer_bytes);
        let origin = Origin { source: None, receive_buffer_bytes };
        let failed = || format!("cannot connect to {} at {}", target.name, target.address);
        for token in 0..u64::from(self.plan.readers) {
            let socket =
                Socket::connect(target.address, origin).map_err(RigError::system(failed()))?;
            self.engine.io.poller.add(&socket, token).map_err(RigError::system(failed()))?;
            self.readers.push(Some(Reader { socket, has_asked: false }));
        }
        Ok(())
    }

    fn turn(&mut self, due_ns: u64) -> Result<(), RigError> {
        let count = self.engine.wait(due_ns, 0)?;
        for index in 0..count {
            if let Some(readiness) = self.engine.event(index) {
                self.write(readiness);
            }
        }
        Ok(())
    }

    /// Asks over a new connection, and goes on asking over one that had no room.
    fn write(&mut self, readiness: Readiness) {
        let Some(slot) = self.readers.get_mut(readiness.token as usize) else { return };
        let Some(reader) = slot else { return };
        if !readiness.is_writable {
            return;
        }
        let outcome = if reader.has_asked {
            reader.socket.flush().map(drop)
        } else {
            let mut request = self.plan.setup.targets[0].request.clone();
            let bytes = request.numbered(readiness.token);
            reader.has_asked = true;
            reader.socket.failure().and_then(|()| reader.socket.send(bytes))
        };
        if outcome.is_err() {
            *slot = None;
            self.ended_early += 1;
        }
    }

    /// Each reader takes its portion.
    fn read_all(&mut self) {
        for slot in &mut self.readers {
            let Some(reader) = slot else { continue };
            match reader.socket.receive(&mut self.portion) {
                Ok(None) => {}
                Ok(Some(count @ 1..)) => self.received_bytes += count as u64,
                // Refused or reset; or the stream was shorter than the measurement.
                Ok(Some(0)) | Err(_) if reader.has_asked => {
                    *slot = None;
                    self.ended_early += 1;
                }
                Ok(Some(0)) | Err(_) => {}
            }
        }
    }

    fn tell_progress<O: Observe>(&mut self, observe: &mut O) {
        let now_ns = self.now();
        if now_ns < self.next_progress_ns {
            return;
        }
        self.next_progress_ns = now_ns + PROGRESS_EVERY.as_nanos() as u64;
        observe.progress(&Progress {
            blocks_done: 0,
            blocks: 1,
            elapsed: Duration::from_nanos(now_ns),
            completed: 0,
            failed: u64::from(self.ended_early),
            in_flight: u64::from(self.plan.readers - self.ended_early),
        });
    }
}
