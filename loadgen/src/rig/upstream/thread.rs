//! The upstream in a thread of its own.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};
use rustix::thread::{CpuSet, sched_setaffinity};

use super::super::engine::Engine;
use super::super::error::RigError;
use super::super::load::let_sleep_exactly;
use super::super::plan::UpstreamPlan;
use super::super::recording::UpstreamCounts;

/// The token of the descriptor that wakes the thread: no connection of a caller lives there.
const WAKE_TOKEN: u64 = 0;

/// A running upstream; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct UpstreamThread {
    stop: Arc<AtomicBool>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<Result<UpstreamCounts, RigError>>>,
}

/// Plays the upstream in a thread of its own, on this core if one is given. Its stamps are of the
/// same clock as those of the rig in this process.
pub(crate) fn upstream_thread(
    plan: &UpstreamPlan,
    core: Option<usize>,
) -> Result<UpstreamThread, RigError> {
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
        .map_err(RigError::system("cannot create an event descriptor"))?;
    let wake = Arc::new(wake);
    let stop = Arc::new(AtomicBool::new(false));
    let (started, first_words) = mpsc::channel();
    let (plan, theirs) = (plan.clone(), (Arc::clone(&wake), Arc::clone(&stop)));
    let run = move || {
        let (wake, stop) = theirs;
        let engine = match start(&plan, &wake, core) {
            Ok(engine) => engine,
            Err(error) => {
                // Whoever started this thread waits for the word.
                let _ = started.send(Err(error));
                return Ok(UpstreamCounts::default());
            }
        };
        let _ = started.send(Ok(()));
        serve(engine, &stop)
    };
    let thread = thread::Builder::new()
        .name("upstream".to_owned())
        .spawn(run)
        .map_err(RigError::system("cannot start the upstream's thread"))?;
    let upstream = UpstreamThread { stop, wake, thread: Some(thread) };
    // Without a word the thread has panicked; `stop` says so.
    first_words.recv().unwrap_or(Ok(()))?;
    Ok(upstream)
}

impl UpstreamThread {
    /// Ends it, and tells what it saw.
    pub(crate) fn stop(mut self) -> Result<UpstreamCounts, RigError> {
        self.tell();
        let thread = self.thread.take();
        let ended = thread.map_or(Ok(Ok(UpstreamCounts::default())), JoinHandle::join);
        ended.unwrap_or_else(|_| Err(RigError::Plan("the upstream's thread panicked".to_owned())))
    }

    fn tell(&self) {
        self.stop.store(true, Ordering::Release);
        // It cannot fail: the counter is far from full.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for UpstreamThread {
    fn drop(&mut self) {
        self.tell();
        if let Some(thread) = self.thread.take() {
            // What it saw or failed with was not asked for.
            let _ = thread.join();
        }
    }
}

fn start(plan: &UpstreamPlan, wake: &OwnedFd, core: Option<usize>) -> Result<Engine, RigError> {
    pin(core)?;
    let_sleep_exactly();
    let engine = Engine::new(Some(plan), false)?;
    let watched = engine.io.poller.add(wake, WAKE_TOKEN);
    watched.map_err(RigError::system("cannot watch an event descriptor"))?;
    Ok(engine)
}

fn pin(core: Option<usize>) -> Result<(), RigError> {
    let Some(core) = core else { return Ok(()) };
    if core >= CpuSet::MAX_CPU {
        return Err(RigError::Plan(format!("there is no core {core}")));
    }
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(RigError::system(format!("cannot run the upstream on core {core}")))
}

fn serve(mut engine: Engine, stop: &AtomicBool) -> Result<UpstreamCounts, RigError> {
    while !stop.load(Ordering::Acquire) {
        let count = engine.wait(u64::MAX, 0)?;
        for index in 0..count {
            engine.event(index);
        }
    }
    Ok(engine.upstream.map_or_else(UpstreamCounts::default, |upstream| upstream.counts()))
}
