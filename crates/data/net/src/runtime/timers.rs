//! Timers: few, because deadlines are the tick's work. They share one clock of the kernel, which is set
//! only when the earliest of them changes, so that waiting for sockets never involves a time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

thread_local! {
    static TIMERS: RefCell<Timers> = const { RefCell::new(Timers::new()) };
}

struct Timers {
    /// The number tells timers of the same moment apart.
    pending: BTreeMap<(Instant, u64), Waker>,
    number: u64,
    /// What the clock is set to.
    armed: Option<Instant>,
    clock: Option<OwnedFd>,
}

impl Timers {
    const fn new() -> Self {
        Self { pending: BTreeMap::new(), number: 0, armed: None, clock: None }
    }

    fn first(&self) -> Option<Instant> {
        self.pending.first_key_value().map(|((at, _), _)| *at)
    }
}

/// Gives the calling thread a clock. Its descriptor becomes readable when [`fire`] has something to do.
pub(super) fn install() -> io::Result<RawFd> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let clock = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let fd = clock.as_raw_fd();
    TIMERS.set(Timers { clock: Some(clock), ..Timers::new() });
    Ok(fd)
}

/// Takes the calling thread's clock away, and all timers.
pub(super) fn uninstall() {
    drop(TIMERS.replace(Timers::new()));
}

/// Wakes all whose time has come.
pub(super) fn fire() {
    let now = Instant::now();
    loop {
        let due = TIMERS.with_borrow_mut(|timers| {
            timers.armed = None;
            timers.first().filter(|at| *at <= now)?;
            timers.pending.pop_first()
        });
        let Some((_, waker)) = due else { return };
        waker.wake();
    }
}

/// Sets the clock to the earliest timer, if it isn't.
pub(super) fn arm() {
    TIMERS.with_borrow_mut(|timers| {
        let first = timers.first();
        if first == timers.armed {
            return;
        }
        timers.armed = first;
        if let (Some(clock), Some(at)) = (&timers.clock, first) {
            // At least a nanosecond: zero would switch the clock off.
            let wait = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            let it_value =
                Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            // The kernel refuses nothing but numbers that make no sense.
            let setting = Itimerspec { it_interval, it_value };
            let _ = timerfd_settime(clock, TimerfdTimerFlags::empty(), &setting);
        }
    });
}

/// A wait until `at`.
#[derive(Debug)]
pub(crate) struct Sleep {
    at: Instant,
    number: Option<u64>,
}

/// Waits for `duration`; one that never ends by human measure is cut to a century.
pub(crate) fn sleep(duration: Duration) -> Sleep {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Sleep { at: Instant::now() + duration.min(CENTURY), number: None }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if Instant::now() >= this.at {
            return Poll::Ready(());
        }
        TIMERS.with_borrow_mut(|timers| {
            let number = *this.number.get_or_insert_with(|| {
                timers.number += 1;
                timers.number
            });
            timers.pending.insert((this.at, number), context.waker().clone());
        });
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            // The waker is dropped outside of the borrow. An error means that the thread is ending.
            let remove =
                |timers: &RefCell<Timers>| timers.borrow_mut().pending.remove(&(self.at, number));
            drop(TIMERS.try_with(remove));
        }
    }
}
